"""Swabian source: a Time Tagger that measures now; its tags are spooled to a quTAG file first of all.

Facts are those of the vendor's C++ header TimeTagger.h of version 2.9 and 2.16, which the Python package wraps, and of
its documentation (Raw Time-Tag-Stream access). No device was at hand: what could not be confirmed is said.
"""

from __future__ import annotations

import importlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from sources.devices.acquisition import DeviceFault
from sources.devices.swabian_losses import Sorter
from sources.devices.tag_acquisition import TagBlock
from sources.devices.tag_settings import Limits, TagSettings, read_settings
from sources.devices.tag_source import opened
from sources.reading.recording import REFUSE, Source
from streamer.errors import InputError

NAME = "swabian"
OLDEST = (2, 9)  # the oldest version whose header was looked at
LIMITS = Limits(
    NAME, falling=True, filter=True, library=False, trigger_v=(-2.5, 2.5), dead_time_ps=(0, 1_000_000_000),
    delay_ps=(-1_000_000_000, 1_000_000_000), buffer=(1000, (1 << 28) - 1, 4_000_000), horizon_ns=0.0, late=REFUSE,
)  # fmt: skip
_BLOCK_TAGS, _BLOCK_MS = 1 << 17, 10
_WARNING = 30  # level of the log; errors are 40
_MOST_LINES = 20
Result = TypeVar("Result")


class SwabianDevice:
    """One Time Tagger, set up; see `sources.devices.tag_acquisition.TagDevice`.

    Attributes:
        tick_s, hardware, channels, warnings: see there.
    """

    tick_s = 1e-12

    def __init__(self, serial: str, settings: TagSettings) -> None:
        """Open the device and set it up.

        Args:
            serial: serial number; "" for the first one found.
            settings: checked.

        Raises:
            InputError: no package, one too old, no such device, or one that does not take a setting.
        """
        self._library = _package()
        self._settings = settings
        self._sorter = Sorter(settings.buffer)
        self._stream: Any = None
        self._lock = threading.Lock()
        self._log: Counter[str] = Counter()
        self.warnings: list[str] = []
        self.channels = tuple(abs(channel) for channel in settings.channels)
        version = str(self._library.getVersion())
        match = re.match(r"(\d+)\.(\d+)", version)
        if match is None or int(match[1]) != OLDEST[0] or int(match[2]) < OLDEST[1]:
            raise InputError(
                f"{NAME}: the Time Tagger software must be version {OLDEST[0]}.{OLDEST[1]} or a later {OLDEST[0]}.x, "
                f"got {version!r}; install that version from the vendor"
            )
        with suppress(Exception):  # its default only prints
            self._library.setLogger(self._logged)
        try:
            self._tagger = self._library.createTimeTagger(serial)
        except Exception as error:  # the package raises RuntimeError, whatever was wrong
            self._quiet()
            raise InputError(self._none(serial, error)) from None
        try:
            self._set_up()
            model, number = _called("getModel", self._tagger.getModel), _called("getSerial", self._tagger.getSerial)
            self.hardware = f"{model} {version} {number}"
        except DeviceFault as fault:
            self.close()
            raise InputError(f"{NAME}: {fault}; check the setting, and that no other program uses the device") from None
        except BaseException:
            self.close()
            raise

    # ---- while measuring

    def start(self) -> None:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        tagger, settings = self._tagger, self._settings
        _called("sync", tagger.sync)  # the settings are in force
        _called("getOverflowsAndClear", tagger.getOverflowsAndClear)
        self._stream = _called(
            "TimeTagStream", self._library.TimeTagStream, tagger, settings.buffer, list(settings.channels)
        )

    def read(self) -> TagBlock:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        data = _called("getData", self._stream.getData)
        overflows = int(_called("getOverflowsAndClear", self._tagger.getOverflowsAndClear))
        return _called("TimeTagStreamBuffer", self._sorter.sort, data, overflows)

    def stop(self) -> None:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        _called("stop", self._stream.stop)

    def look(self) -> list[str]:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        with self._lock:
            lines = [
                f"the device warns: {text}" + (f" ({count} times)" if count > 1 else "")
                for text, count in self._log.items()
            ]
            self._log.clear()
        return lines

    def close(self) -> None:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        tagger, self._tagger = self._tagger, None
        self._stream = None
        if tagger is not None:
            with suppress(Exception):  # it may be gone already
                self._library.freeTimeTagger(tagger)
            self._quiet()

    # ---- opening

    def _set_up(self) -> None:
        tagger, settings = self._tagger, self._settings
        known = sorted(int(channel) for channel in _called("getChannelList", tagger.getChannelList))
        for key, channels in (
            ("channels", settings.channels), ("filter", settings.trigger), ("filter", settings.filtered),
        ):  # fmt: skip
            for channel in channels:
                if channel not in known:
                    raise InputError(f"{NAME}: {key}: this device has the channels {known}, got {channel}")
        low, high = (float(volt) for volt in _called("getDACRange", tagger.getDACRange))
        for channel, volt in settings.trigger_v.items():
            if not low <= volt <= high:
                raise InputError(
                    f"{NAME}: trigger_v: must be a number from {low:g} to {high:g} on this device, got {volt:g}"
                )
            _called(f"setTriggerLevel({channel})", tagger.setTriggerLevel, channel, volt)
        for channel, wanted in settings.dead_time_ps.items():
            real = int(_called(f"setDeadtime({channel})", tagger.setDeadtime, channel, wanted))
            if real != wanted:
                self.warnings.append(f"dead_time_ps: the device makes {real} ps of {wanted} ps on channel {channel}")
        for channel, delay in settings.delay_ps.items():
            _called(f"setInputDelay({channel})", tagger.setInputDelay, channel, delay)
        if settings.trigger:
            _called("setConditionalFilter", tagger.setConditionalFilter, [*settings.trigger], [*settings.filtered])
        _called("setStreamBlockSize", tagger.setStreamBlockSize, _BLOCK_TAGS, _BLOCK_MS)
        falling = [-channel for channel in settings.channels if channel < 0]
        if falling:
            self.warnings.append(
                f"falling edges are tagged on the inputs {', '.join(map(str, falling))}; their channel is the input's "
                "number"
            )

    def _none(self, serial: str, error: Exception) -> str:
        try:
            found = ", ".join(str(one) for one in self._library.scanTimeTagger()) or "none"
        except Exception:  # it is the reason of a refusal that is made up here
            found = "unknown"
        which = f"Time Tagger with serial number {serial}" if serial else "Time Tagger"
        return (
            f"{NAME}: no {which} could be opened ({' '.join(str(error).split())}; serial numbers found: {found}); "
            "check power and cable, close other programs"
        )

    def _logged(self, level: int, text: str) -> None:
        """Called by the library, from its threads."""
        if int(level) >= _WARNING:
            line = " ".join(str(text).split())
            with self._lock:
                if line in self._log or len(self._log) < _MOST_LINES:
                    self._log[line] += 1

    def _quiet(self) -> None:
        with suppress(Exception):
            self._library.setLogger(None)


def _called(name: str, function: Callable[..., Result], *arguments: Any) -> Result:
    """Call the package; whatever it raises is a fault of the device."""
    try:
        return function(*arguments)
    except DeviceFault:
        raise
    except Exception as error:  # RuntimeError, ValueError ... : the package documents none
        raise DeviceFault(f"{name}: {' '.join(str(error).split()) or type(error).__name__}", -1) from None


def _package() -> Any:
    """The vendor's package: from the index it is Swabian.TimeTagger, from the vendor's installer TimeTagger."""
    for name in ("Swabian.TimeTagger", "TimeTagger"):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name in ("Swabian", "Swabian.TimeTagger", "TimeTagger"):
                continue
            raise InputError(f"{NAME}: {name} cannot be loaded ({error}); install it again") from None
        except Exception as error:  # it loads a library of its own
            raise InputError(
                f"{NAME}: {name} cannot be loaded ({' '.join(str(error).split())}); install the Time Tagger software "
                "again"
            ) from None
        missing = [one for one in ("createTimeTagger", "TimeTagStream", "getVersion") if not hasattr(module, one)]
        if missing:
            raise InputError(
                f"{NAME}: the module {name} has no {missing[0]}, so it is not the vendor's; rename yours, or install "
                "Swabian-TimeTagger"
            )
        return module
    raise InputError(
        f"{NAME}: the vendor's package is not installed; pip install Swabian-TimeTagger, or install the Time Tagger "
        "software from the vendor for this Python"
    )


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a Time Tagger; `where` is its serial number, or nothing for the first one found.

    Everything is checked before the package is loaded; then the device is opened and set up. It measures from the first
    chunk on; with `pulses`, at once.

    Options: see `sources.devices.tag_settings.TagSettings` and docs/taggers.md.

    Raises:
        InputError: an unknown option, a value that the device does not take, no package, no device.
    """
    settings = read_settings(LIMITS, options)
    device = SwabianDevice(where.strip(), settings)
    try:
        return opened(device, settings, f"{NAME}:{where}")
    except BaseException:
        device.close()
        raise
