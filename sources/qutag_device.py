"""quTAG source: a quTAG that measures now; its tags are spooled to a quTAG file first of all.

Facts are those of the vendor's headers (tdcbase.h, tdcmultidev.h). No device was at hand: what could not be confirmed
is said.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from sources.devices.acquisition import DeviceFault
from sources.devices.qutag_library import NAME, NOT_AVAILABLE, NOT_ENABLED, Library
from sources.devices.tag_acquisition import TagBlock
from sources.devices.tag_settings import EDGES, Limits, TagSettings, read_settings
from sources.devices.tag_source import opened
from sources.devices.tag_spool import Loss
from sources.qutag import HORIZON_S
from sources.reading import options as read_option
from sources.reading.events import Gap
from sources.reading.recording import DROP, Source
from streamer.errors import InputError

# A live stream must not break off at one odd tag: those later than the horizon are dropped, counted and warned of.
LIMITS = Limits(
    NAME, falling=False, filter=False, library=True, trigger_v=(-2.0, 3.0), dead_time_ps=(0, (1 << 31) - 1),
    delay_ps=(-100_000, 100_000), buffer=(1000, 1_000_000, 1_000_000), horizon_ns=1e9 * HORIZON_S, late=DROP,
)  # fmt: skip
LOST = "the device lost tags: more than USB or computer take"
OVERWRITTEN = "the buffer was full when it was read, and its oldest tags were overwritten"
_MOST_DEVICES = 31
_SCOND_MISC = 3  # TDC_SignalCond: edge and threshold as given
_THRESHOLD_V = 1.0  # the library's default
_TIMER_MASK = 1 << 4
_START_AS_CHANNEL = 5  # of the quTAG
_FIRST_MARKER = 100
_DELAYS = 8  # entries of TDC_setChannelDelays; it asks for five at least

_TIMES = types.Array(types.int64, 1, "C", readonly=True)


@njit(
    types.UniTuple(types.int64, 2)(_TIMES, types.uint8[::1], types.uint8, types.int64[::1]), cache=True, nogil=True
)  # fmt: skip
def survey(time, channel, add, counts):  # type: ignore[no-untyped-def]
    """Renumber the tags of one read, and see what they are.

    Args:
        time, channel: int64[n] and uint8[n], n above 0; `add` is added to the channels that are no marker's.
        counts: int64[256], tags of each channel are added, markers apart.

    Returns:
        The least and the greatest time.
    """
    first = last = time[0]
    for k in range(np.uint64(time.size)):
        first, last = min(first, time[k]), max(last, time[k])
        if channel[k] < _FIRST_MARKER:
            channel[k] += add
            counts[channel[k]] += 1
    return first, last


class QutagDevice:
    """One quTAG, set up; see `sources.devices.tag_acquisition.TagDevice`.

    Attributes:
        tick_s, hardware, channels, warnings: see there.
    """

    def __init__(self, index: int, settings: TagSettings) -> None:
        """Open the device and set it up.

        Args:
            index: number of the device, from 0.
            settings: checked.

        Raises:
            InputError: no library, no such device, or one that does not take a setting.
        """
        self._library, self._settings, self._index = Library(settings.library), settings, index
        self.channels = settings.channels
        self.warnings: list[str] = []
        self._time = np.zeros(settings.buffer, np.int64)
        self._channel = np.zeros(settings.buffer, np.uint8)
        self._count, self._flag = ctypes.c_int32(), ctypes.c_int32()
        self._reached: int | None = None
        self._ticks = self._was_lost = self._closed = self._connected = False
        self._counts = np.zeros(256, np.int64)
        try:
            serial = self._open()
            self._set_up()
        except DeviceFault as fault:
            self.close()
            raise InputError(f"{NAME}: {fault}; check the setting, and that no other program uses the device") from None
        except BaseException:
            self.close()
            raise
        kind = "quTAG MC or HR" if self._library.many else "quTAG"
        self.hardware = f"{kind} {self._library.version:g} {serial}".strip()

    # ---- while measuring

    def start(self) -> None:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        call = self._library.call
        call("setTimestampBufferSize", self._settings.buffer)  # clears it too
        call("freezeBuffers", 0)
        call("getDataLost", ctypes.byref(self._flag))  # what was lost before is nobody's loss

    def read(self) -> TagBlock:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        call = self._library.call
        # Never fails, says the header; a device that is gone is noticed by the next call, or by its timer.
        call(
            "getLastTimestamps", 1, self._time.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)),
            self._channel.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)), ctypes.byref(self._count),
        )  # fmt: skip
        count = self._count.value
        if not 0 <= count <= self._settings.buffer:
            raise DeviceFault(f"TDC_getLastTimestamps: {count} tags of {self._settings.buffer} at most", count)
        call("getDataLost", ctypes.byref(self._flag))
        return self._sorted(self._time[:count], self._channel[:count], lost=bool(self._flag.value))

    def stop(self) -> None:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        self._library.call("freezeBuffers", 1)

    def look(self) -> list[str]:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        lines = [
            f"{self._counts[one]} tags came on channel {one}, which is not one of `channels`"
            for one in np.flatnonzero(self._counts)
            if one not in self.channels
        ]
        return [*lines, f"{LOST}, behind the last tag"] if self._was_lost else lines

    def close(self) -> None:
        """See `sources.devices.tag_acquisition.TagDevice`."""
        if not self._closed:
            self._closed = True
            with suppress(DeviceFault, InputError):  # it may be gone already
                if self._connected:
                    self._library.call("disconnect", self._index)
            with suppress(DeviceFault, InputError):
                self._library.call("deInit")

    def _sorted(self, time: NDArray[np.int64], channel: NDArray[np.uint8], *, lost: bool) -> TagBlock:
        """Tags and losses of one read."""
        losses: list[Loss] = []
        before, begins = self._reached, None
        if len(time):
            # Of MC and HR the numbers 0 to 31 are the inputs 1 to 32.
            first, last = survey(time, channel, np.uint8(self._library.many), self._counts)
            if before is None:
                before = begins = first
            self._reached = max(before, last + 1)
            if len(time) == self._settings.buffer:
                losses.append(Loss(Gap(before, max(first, before)), OVERWRITTEN))
            if lost or self._was_lost:
                losses.append(Loss(Gap(before, self._reached), LOST))
            # "With high priority" (tdcbase.h), so perhaps before the tags around the loss have come.
            self._was_lost = lost
        else:
            self._was_lost = self._was_lost or lost
        if not self._ticks:
            return TagBlock(time, channel, losses=losses)
        return TagBlock(time, channel, self._reached, losses, begins)

    # ---- opening

    def _open(self) -> str:
        """Connect; returns the serial number. TDC_init would fall into a demo mode where there is no device."""
        call, found = self._library.call, ctypes.c_uint32()
        call("discover", ctypes.byref(found))
        if self._index >= found.value:
            raise InputError(
                f"{NAME}: there is no device {self._index}; the library sees {found.value} (they are counted from 0); "
                "check power and cable, close other programs"
            )
        text = ctypes.create_string_buffer(64)
        call("getDeviceInfo", self._index, None, None, text, None)
        call("connect", self._index)
        self._connected = True
        call("addressDevice", self._index)
        return text.value.decode("latin-1").strip()

    def _set_up(self) -> None:
        library, call = self._library, self._library.call
        base = ctypes.c_double(math.nan)
        call("getTimebase", ctypes.byref(base))
        if not 1e-14 < base.value < 1e-9:  # an older library returns it instead
            raise InputError(
                f"{NAME}: TDC_getTimebase gave {base.value:g} s, which is no time base of a quTAG; install the latest "
                "library from the vendor"
            )
        self.tick_s = 1e-12 if abs(base.value / 1e-12 - 1) < 1e-9 else base.value
        if self.tick_s != 1e-12:
            self.warnings.append(
                f"the time base is {base.value * 1e12:g} ps; replay with tick_ps={base.value * 1e12:g}"
            )
        self._configure()
        call("enableTdcInput", 1)
        if library.many:
            call("enableChannels", 0, sum(1 << (one - 1) for one in self.channels))
        else:
            if _START_AS_CHANNEL in self.channels:
                call("setFiveChannelMode", 1)
            # Bit 0 would let the start input reset the clock.
            call("enableChannels", sum(1 << one for one in self.channels))
        try:
            call("enableMarkers", _TIMER_MASK)
            self._ticks = True
        except DeviceFault as fault:
            if fault.code not in (NOT_ENABLED, NOT_AVAILABLE):
                raise
            self.warnings.append(
                "the device has no millisecond ticks, so time moves on with tags only, and a device that is gone may "
                "not be noticed"
            )

    def _configure(self) -> None:
        """Thresholds, edges, dead times, delays."""
        library, call, settings = self._library, self._library.call, self._settings
        for one in self.channels:
            # Input 0 of the quTAG is its channel 5.
            at = 0 if one == _START_AS_CHANNEL and not library.many else one
            if settings.trigger_v or settings.edge:
                edge = EDGES[settings.edge.get(one, "rising")]
                call(
                    "configureSignalConditioning", at, _SCOND_MISC, edge, settings.trigger_v.get(one, _THRESHOLD_V)
                )  # fmt: skip
            if one in settings.dead_time_ps:
                if not library.has("setDeadTime"):
                    raise InputError(f"{NAME}: dead_time_ps: this device's library has none to set; leave it out")
                call("setDeadTime", at, settings.dead_time_ps[one])
        if library.many:
            for one, delay in settings.delay_ps.items():
                call("setChannelDelay", one, delay)
        elif settings.delay_ps:
            delays = (ctypes.c_int32 * _DELAYS)()
            for one, delay in settings.delay_ps.items():
                if one > _START_AS_CHANNEL:
                    raise InputError(f"{NAME}: delay_ps: is for the channels 1 to 5, got channel {one}; leave it out")
                delays[0 if one == _START_AS_CHANNEL else one] = delay
            call("setChannelDelays", delays)


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a quTAG; `where` is its number from 0 on, or nothing for the first one.

    Everything is checked before the library is loaded; then the device is opened and set up. It measures from the first
    chunk on; with `pulses`, at once.

    Options: see `sources.devices.tag_settings.TagSettings` and docs/taggers.md.

    Raises:
        InputError: an unknown option, a value that the device does not take, no library, no device.
    """
    index = read_option.whole(NAME, "device", where.strip() or "0", 0, _MOST_DEVICES)
    settings = read_settings(LIMITS, options)
    device = QutagDevice(index, settings)
    try:
        return opened(device, settings, f"{NAME}:{where}")
    except BaseException:
        device.close()
        raise
