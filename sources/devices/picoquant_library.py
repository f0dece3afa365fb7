"""PicoQuant libraries: found where the vendor installs them, loaded with ctypes, every call checked."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import sys
from pathlib import Path
from typing import Any

from sources.devices.acquisition import DeviceFault
from sources.devices.picoquant_models import Model
from streamer.errors import InputError

_INT, _DOUBLE, _TEXT = ctypes.c_int, ctypes.c_double, ctypes.c_char_p
_TO_INT, _TO_DOUBLE = ctypes.POINTER(_INT), ctypes.POINTER(_DOUBLE)
_TO_RECORDS = ctypes.POINTER(ctypes.c_uint)
_ARGUMENTS: dict[str, Any] = {"i": _INT, "s": _TEXT, "I": _TO_INT, "D": _TO_DOUBLE, "R": _TO_RECORDS}
NO_DEVICE = -1  # OpenDevice: nothing at this number

# Function -> its arguments after the device number: i int, s text out, I int out, D double out, R records out.
_FUNCTIONS = {
    "CloseDevice": "",
    "OpenDevice": "s",
    "GetHardwareInfo": "sss",
    "GetBaseResolution": "DI",
    "GetNumOfInputChannels": "I",
    "Calibrate": "",
    "SetSyncDiv": "i",
    "SetSyncCFD": "ii",
    "SetSyncEdgeTrg": "ii",
    "SetSyncTrgMode": "i",
    "SetSyncOffset": "i",
    "SetSyncChannelOffset": "i",
    "SetSyncChannelEnable": "i",
    "SetSyncDeadTime": "ii",
    "SetInputCFD": "iii",
    "SetInputEdgeTrg": "iii",
    "SetInputTrgMode": "ii",
    "SetInputChannelOffset": "ii",
    "SetInputChannelEnable": "ii",
    "SetInputHysteresis": "i",
    "SetBinning": "i",
    "SetOffset": "i",
    "SetOflCompression": "i",
    "EnableRouting": "i",
    "GetRoutingChannels": "I",
    "GetResolution": "D",
    "GetSyncPeriod": "D",
    "GetSyncRate": "I",
    "GetCountRate": "iI",
    "GetFlags": "I",
    "GetWarnings": "I",
    "GetWarningsText": "si",
    "StartMeas": "i",
    "StopMeas": "",
    "CTCStatus": "I",
}


class Library:
    """One loaded library.

    Attributes:
        path: where it was found.
        version: as it says, such as "3.0".
    """

    def __init__(self, model: Model, path: Path | None = None) -> None:
        """Load it from `path`, or from where the vendor's installer puts it.

        Raises:
            InputError: not there, not loadable, or of a version that this driver is not written for.
        """
        self._model = model
        self.path, self._dll = _load(model, path)
        self._bound: dict[str, Any] = {}
        said = ctypes.create_string_buffer(64)
        self._bind("GetLibraryVersion", [_TEXT])(said)
        self.version = said.value.decode("latin-1")
        match = re.match(r"(\d+)\.(\d+)", self.version)
        major, minor = model.oldest
        if match is None or int(match[1]) != major or int(match[2]) < minor:
            raise InputError(
                f"picoquant:{model.key}: {self.path}: library version must be {major}.{minor} or a later {major}.x, "
                f"got {self.version!r}; install that version from the vendor"
            )

    def has(self, function: str) -> bool:
        """Whether this version exports a function."""
        return hasattr(self._dll, self._model.prefix + function)

    def call(self, function: str, device: int, *arguments: Any) -> None:
        """Call one function of a device.

        Raises:
            DeviceFault: it returned an error; the text is the library's.
            InputError: the library has no such function.
        """
        bound = self._bound.get(function)
        if bound is None:
            bound = self._bind(function, [_INT, *(_ARGUMENTS[kind] for kind in self._signature(function))])
        code = bound(device, *arguments)
        if code < 0:
            raise DeviceFault(f"{self._model.prefix}{function}: {self._error_text(code)} ({code})", code)

    def integer(self, function: str, device: int, *arguments: Any) -> int:
        """The int that a function gives."""
        value = _INT()
        self.call(function, device, *arguments, ctypes.byref(value))
        return value.value

    def real(self, function: str, device: int) -> float:
        """The double that a function gives."""
        value = _DOUBLE()
        self.call(function, device, ctypes.byref(value))
        return value.value

    def _signature(self, function: str) -> str:
        """Arguments after the device number; the few that differ between libraries depend on the model."""
        if function == "Initialize":
            return "ii" if self._model.references else "i"
        if function == "ReadFiFo":
            return "RiI" if self._model.read_takes_count else "RI"
        if function == "SetInputDeadTime":
            return "ii" if self._model.dead_time == "code" else "iii"
        return _FUNCTIONS[function]

    def _bind(self, function: str, arguments: list[Any]) -> Any:
        if function not in self._bound:
            try:
                bound = getattr(self._dll, self._model.prefix + function)
            except AttributeError:
                raise InputError(
                    f"picoquant:{self._model.key}: {self.path} has no function {self._model.prefix}{function}; it is "
                    f"not the library of a {self._model.name}, or too old: install the latest from the vendor"
                ) from None
            bound.argtypes, bound.restype = arguments, _INT
            self._bound[function] = bound
        return self._bound[function]

    def _error_text(self, code: int) -> str:
        said = ctypes.create_string_buffer(256)
        if self._bind("GetErrorString", [_TEXT, _INT])(said, code) < 0 or not said.value:
            return "unknown error"
        return said.value.decode("latin-1").strip()


def _load(model: Model, path: Path | None) -> tuple[str, Any]:
    """Where the library was found, and the library."""
    windows = sys.platform == "win32"
    loader = ctypes.WinDLL if windows else ctypes.CDLL  # type: ignore[attr-defined, unused-ignore]
    names = model.windows if windows else model.linux
    if path is not None:
        if not path.is_file():
            raise InputError(f"picoquant:{model.key}: library: {path}: no such file; give the path of {names[0]}")
        try:
            return str(path), loader(str(path.resolve()))
        except OSError as error:
            raise InputError(f"picoquant:{model.key}: library: {path}: cannot be loaded ({error})") from None
    programs = os.environ.get("PROGRAMFILES", r"C:\Program Files")
    folders = [folder.format(programs=programs) for folder in model.folders if ("{programs}" in folder) == windows]
    tried, broken = [], ""
    for candidate in [*names, *(os.path.join(folder, name) for folder in folders for name in names)]:
        tried.append(candidate)
        try:
            return candidate, loader(candidate)
        except OSError as error:
            broken = str(error) if os.path.isfile(candidate) else broken
    reason = f" ({broken})" if broken else ""
    raise InputError(
        f"picoquant:{model.key}: the vendor's library was not found or not loadable{reason}; looked for "
        f"{', '.join(names)} where the system looks and in {', '.join(folders)}; install {model.name}'s programming "
        "library (DLL) from the vendor, or give its path: --set library=PATH"
    )
