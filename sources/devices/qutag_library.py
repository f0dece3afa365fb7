"""quTAG library: tdcbase, found where the vendor installs it, loaded with ctypes, every call checked.

There are two of that name: of the quTAG (tdcbase.h of 2019), and of quTAG MC and HR (tdcbase.h of 2022). They differ in
a few arguments and in the numbers of channels, and are told apart by TDC_getChannelCount, which only the second has.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from pathlib import Path
from typing import Any

from sources.devices.acquisition import DeviceFault
from streamer.errors import InputError

NAME = "qutag_device"
OK, NOT_ENABLED, NOT_AVAILABLE = 0, 13, 14
OLDEST = 1.0
_WINDOWS, _LINUX = ("tdcbase.dll",), ("libtdcbase.so",)
_FOLDERS_WINDOWS = (r"{programs}\qutools\quTAG\userlib\lib", r"{programs}\qutools\quTAG")
_FOLDERS_LINUX = ("/opt/QUTAG/userlib/lib", "/opt/QUTAG-HR/userlib/lib", "/usr/local/lib")

_I32, _U32, _F64 = ctypes.c_int32, ctypes.c_uint32, ctypes.c_double
_TO_I32, _TO_U32, _TO_F64 = ctypes.POINTER(_I32), ctypes.POINTER(_U32), ctypes.POINTER(_F64)
# Function -> its arguments; each returns an error code (tdcbase.h, tdcmultidev.h).
_FUNCTIONS: dict[str, list[Any]] = {
    "discover": [_TO_U32],
    "getDeviceInfo": [_U32, _TO_I32, _TO_I32, ctypes.c_char_p, _TO_I32],
    "connect": [_U32],
    "disconnect": [_U32],
    "addressDevice": [_U32],
    "deInit": [],
    "getTimebase": [_TO_F64],
    "enableMarkers": [_I32],
    "configureSignalConditioning": [_I32, _I32, _I32, _F64],
    "setDeadTime": [_I32, _I32],
    "setFiveChannelMode": [_I32],
    "setChannelDelay": [_I32, _I32],
    "setChannelDelays": [_TO_I32],
    "setTimestampBufferSize": [_I32],
    "enableTdcInput": [_I32],
    "freezeBuffers": [_I32],
    "getDataLost": [_TO_I32],
    "getLastTimestamps": [_I32, ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(ctypes.c_uint8), _TO_I32],
}


class Library:
    """The loaded library.

    Attributes:
        path: where it was found.
        version: as it says.
        many: it is that of quTAG MC and HR.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Load it from `path`, or from where the vendor's installer puts it.

        Raises:
            InputError: not there, not loadable, or not one that this driver is written for.
        """
        self.path, self._dll = _load(path)
        self._bound: dict[str, Any] = {}
        self.many = hasattr(self._dll, "TDC_getChannelCount")
        self._perror = self._function("perror", [ctypes.c_int], ctypes.c_char_p)
        self.version = float(self._function("getVersion", [], _F64)())
        if not (math.isfinite(self.version) and self.version >= OLDEST):
            raise InputError(
                f"{NAME}: {self.path}: library version must be {OLDEST:g} or later, got {self.version:g}; install the "
                "latest from the vendor"
            )
        for needed in ("discover", "enableTdcInput", "freezeBuffers", "getDataLost", "getLastTimestamps"):
            self._function(needed, _FUNCTIONS[needed], _I32)

    def has(self, function: str) -> bool:
        """Whether this library exports a function."""
        return hasattr(self._dll, f"TDC_{function}")

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function.

        Raises:
            DeviceFault: it returned an error; the text is the library's.
            InputError: the library has no such function.
        """
        code = self._function(function, self._arguments(function), _I32)(*arguments)
        if code != OK:
            text = self._perror(code)
            said = text.decode("latin-1").strip() if text else "unknown error"
            raise DeviceFault(f"TDC_{function}: {said} ({code})", code)

    def _arguments(self, function: str) -> list[Any]:
        if function == "enableChannels":
            return [_I32, _I32] if self.many else [_I32]
        return _FUNCTIONS[function]

    def _function(self, name: str, arguments: list[Any], result: Any) -> Any:
        if name not in self._bound:
            try:
                bound = getattr(self._dll, f"TDC_{name}")
            except AttributeError:
                raise InputError(
                    f"{NAME}: {self.path} has no function TDC_{name}; it is not the library of a quTAG, or too old: "
                    "install the latest from the vendor"
                ) from None
            bound.argtypes, bound.restype = arguments, result
            self._bound[name] = bound
        return self._bound[name]


def _load(path: Path | None) -> tuple[str, Any]:
    """Where the library was found, and the library."""
    windows = sys.platform == "win32"
    loader = ctypes.WinDLL if windows else ctypes.CDLL  # type: ignore[attr-defined, unused-ignore]
    names = _WINDOWS if windows else _LINUX
    if path is not None:
        if not path.is_file():
            raise InputError(f"{NAME}: library: {path}: no such file; give the path of {names[0]}")
        try:
            return str(path), loader(str(path.resolve()))
        except OSError as error:
            raise InputError(f"{NAME}: library: {path}: cannot be loaded ({error})") from None
    programs = os.environ.get("PROGRAMFILES", r"C:\Program Files")
    folders = [folder.format(programs=programs) for folder in (_FOLDERS_WINDOWS if windows else _FOLDERS_LINUX)]
    broken = ""
    for candidate in [*names, *(os.path.join(folder, name) for folder in folders for name in names)]:
        try:
            return candidate, loader(candidate)
        except OSError as error:
            broken = str(error) if os.path.isfile(candidate) else broken
    reason = f" ({broken})" if broken else ""
    raise InputError(
        f"{NAME}: the vendor's library was not found or not loadable{reason}; looked for {', '.join(names)} where the "
        f"system looks and in {', '.join(folders)}; install the quTAG software from the vendor, or give its path: "
        "--set library=PATH"
    )
