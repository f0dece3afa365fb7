"""PicoQuant device: opened, set up and asked what it is; then the FIFO that the acquisition reads."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from contextlib import suppress
from time import sleep
from typing import Any

from sources.devices.acquisition import DeviceFault
from sources.devices.picoquant_library import NO_DEVICE, Library
from sources.devices.picoquant_models import HYSTERESIS_MV, MEASURED, MODES, Model
from sources.devices.picoquant_settings import HOLD_MS, Settings, triggers
from sources.devices.picoquant_settings import each as each_of
from streamer.errors import InputError

_PROBE_MS = 1000  # longest measurement for the sync period alone
_RATE_TOLERANCE = 0.01
_QUIET_S = 0.02
_QUIET_SYNCS = 2 * 16 * 1024  # an overflow comes every 1024 syncs, and the FIFO gives 16 records at a time
_DEAD_TIME_OFF_PS = 800  # an argument that is in range while the function is switched off
_TRIGGER_MODES = {"edge": 0, "cfd": 1}


class PicoQuantDevice:
    """One device, set up; see `sources.devices.acquisition.Device`.

    Attributes:
        model, settings: row of the table, and what was asked for.
        mode: "T2" or "T3".
        library_version: of the vendor's library.
        kind, triggers: "cfd" or "edge", and both arguments of its functions for the sync and for each input.
        base_ps: resolution without binning.
        record_type: code of its records in a PTU header.
        hardware, version, serial: as it says.
        inputs: how many it has.
        channels: that photons may come from.
        tick_s, resolution_s: of its records; resolution_s is 0.0 in T2.
        quiet_s: see `sources.devices.acquisition.Device`.
        sync_rate_hz: as it measures it; None without a sync.
        warnings: of the library and of this driver, before anything is measured.
        masks, read_max, burst: see `sources.devices.acquisition.Device`.
    """

    def __init__(self, model: Model, serial: str, settings: Settings) -> None:
        """Open the device, set it up, and measure its rates.

        Args:
            model: row of the table.
            serial: serial number; "" for the first device that opens.
            settings: checked.

        Raises:
            InputError: no library, no such device, or one that does not take a setting.
        """
        self.model, self.mode, self.settings = model, settings.mode, settings
        self.masks, self.read_max = model.flags, model.read_max
        # FIFOs hold 2 million records where a read takes 131072; PicoHarp 300's two reads, the newer ones' far more.
        self.burst = 4 if model.read_takes_count and not model.sync_input else 1
        self._name = f"picoquant:{model.key}"
        self._library = Library(model, settings.library)
        self.library_version = self._library.version
        self._told = 0
        self.warnings: list[str] = []
        self._count = ctypes.c_int()
        self._index, self.serial = self._open(serial)
        self._closed = False
        try:
            self._set_up()
            self._ask()
        except DeviceFault as fault:
            self.close()
            raise InputError(
                f"{self._name}: {fault}; check the device, its cables and that no other program uses it"
            ) from None
        except BaseException:
            self.close()
            raise

    # ---- while measuring

    def start(self, milliseconds: int) -> None:
        """See `sources.devices.acquisition.Device`."""
        self._call("StartMeas", milliseconds)

    def stop(self) -> None:
        """See `sources.devices.acquisition.Device`."""
        self._call("StopMeas")

    def flags(self) -> int:
        """See `sources.devices.acquisition.Device`."""
        return self._library.integer("GetFlags", self._index)

    def read(self, into: memoryview) -> int:
        """See `sources.devices.acquisition.Device`."""
        first = ctypes.c_uint.from_buffer(into)
        if self.model.read_takes_count:
            self._call("ReadFiFo", ctypes.byref(first), self.read_max, ctypes.byref(self._count))
        else:
            self._call("ReadFiFo", ctypes.byref(first), ctypes.byref(self._count))
        return self._count.value

    def over(self) -> bool:
        """See `sources.devices.acquisition.Device`."""
        return self._library.integer("CTCStatus", self._index) != 0

    def look(self) -> list[str]:
        """See `sources.devices.acquisition.Device`; the library knows warnings only after rates were asked for."""
        self._rates()
        bits = self._library.integer("GetWarnings", self._index) & ~self._told
        if not bits:
            return []
        self._told |= bits
        text = ctypes.create_string_buffer(16384)
        self._call("GetWarningsText", text, bits)
        return [f"the device warns: {' '.join(text.value.decode('latin-1').split())} (0x{bits:04x})"]

    def close(self) -> None:
        """See `sources.devices.acquisition.Device`."""
        if not self._closed:
            self._closed = True
            with suppress(DeviceFault):  # it may be gone already
                self._call("CloseDevice")

    # ---- opening

    def _call(self, function: str, *arguments: object) -> None:
        self._library.call(function, self._index, *arguments)

    def _open(self, serial: str) -> tuple[int, str]:
        """Number and serial number of the device that is asked for; all others are left closed."""
        seen = []
        for number in range(self.model.devices):
            text = ctypes.create_string_buffer(64)
            try:
                self._library.call("OpenDevice", number, text)
            except DeviceFault as fault:
                if fault.code != NO_DEVICE:
                    seen.append(f"device {number} {text.value.decode('latin-1')}: {fault}")
                continue
            found = text.value.decode("latin-1").strip()
            if not serial or found == serial:
                return number, found
            seen.append(f"device {number} has serial number {found}")
            self._library.call("CloseDevice", number)
        which = f"{self.model.name} with serial number {serial}" if serial else self.model.name
        reason = "; ".join(seen) if seen else "the library sees none"
        raise InputError(
            f"{self._name}: no {which} could be opened ({reason}); check power and cable, close other programs"
        )

    def _set_up(self) -> None:
        model, settings = self.model, self.settings
        arguments = [MODES[settings.mode]]
        if model.references:
            arguments.append(model.references[settings.reference])
        self._call("Initialize", *arguments)
        texts = [ctypes.create_string_buffer(64) for _ in range(3)]
        self._call("GetHardwareInfo", *texts)
        self.hardware, _, self.version = (text.value.decode("latin-1").strip() for text in texts)
        base, steps = ctypes.c_double(), ctypes.c_int()
        self._call("GetBaseResolution", ctypes.byref(base), ctypes.byref(steps))
        self.base_ps = base.value
        if settings.binning >= steps.value:
            raise InputError(
                f"{self._name}: binning: must be 0 to {steps.value - 1} on this device, got {settings.binning}"
            )
        self.inputs = 1 if model.sync_input else self._library.integer("GetNumOfInputChannels", self._index)
        self.kind = self._trigger_kind()
        codes = model.record_types[self.mode]
        self.record_type = codes[""] if "" in codes else codes[self.hardware[-1:]]
        sync, inputs = triggers(self._name, model, settings, self.kind)
        self.triggers = sync, self.each("input_level_mv", inputs)
        if model.calibrates:
            self._call("Calibrate")
        self._set_sync()
        for at in range(self.inputs):
            self._set_input(at)
        if model.hysteresis and settings.hysteresis_mv is not None:
            self._call("SetInputHysteresis", HYSTERESIS_MV[settings.hysteresis_mv])
        held = settings.overflow_hold_ms
        if model.overflow_hold and (held != HOLD_MS or self._library.has("SetOflCompression")):
            self._call("SetOflCompression", held)
        if self.mode == "T3":
            self._call("SetBinning", settings.binning)
            self._call("SetOffset", settings.offset_ns * model.offset_per_ns)
        self.channels = self._channels()

    def _trigger_kind(self) -> str:
        model = self.model
        if model.trigger != MEASURED:
            return self.settings.trigger or model.trigger
        kinds = {"P": "cfd", "N": "edge"}  # TimeHarp 260 P(ICO) and N(ANO)
        if self.hardware[-1:] not in kinds:
            raise InputError(
                f"{self._name}: the device must say that it is a {model.name} P or N, got {self.hardware!r}; this "
                "driver does not know it"
            )
        return kinds[self.hardware[-1]]

    def _set_sync(self) -> None:
        model, settings, (sync, _) = self.model, self.settings, self.triggers
        self._call("SetSyncDiv", settings.sync_divider)
        if model.sync_input:
            self._call("SetInputCFD", 0, *sync)
            self._call("SetSyncOffset", settings.sync_offset_ps)
            return
        if len(model.triggers) > 1 and model.trigger != MEASURED:
            self._call("SetSyncTrgMode", _TRIGGER_MODES[self.kind])
        self._call("SetSyncCFD" if self.kind == "cfd" else "SetSyncEdgeTrg", *sync)
        self._call("SetSyncChannelOffset", settings.sync_offset_ps)
        # Older libraries have no such function: then the default holds, and another value is refused by the call.
        if model.sync_enable and (not settings.sync_enable or self._library.has("SetSyncChannelEnable")):
            self._call("SetSyncChannelEnable", int(settings.sync_enable))
        if model.dead_time == "ps":
            self._call("SetSyncDeadTime", *_dead_time(settings.sync_dead_time_ps))

    def _set_input(self, at: int) -> None:
        model, settings = self.model, self.settings
        arguments = self.triggers[1][at]
        if model.sync_input:
            self._call("SetInputCFD", 1, *arguments)
            return
        if len(model.triggers) > 1 and model.trigger != MEASURED:
            self._call("SetInputTrgMode", at, _TRIGGER_MODES[self.kind])
        self._call("SetInputCFD" if self.kind == "cfd" else "SetInputEdgeTrg", at, *arguments)
        self._call("SetInputChannelOffset", at, self.each("input_offset_ps", settings.input_offset_ps)[at])
        self._call("SetInputChannelEnable", at, int(self.enabled(at)))
        if model.dead_time == "ps":
            dead = self.each("input_dead_time_ps", settings.input_dead_time_ps)[at]
            self._call("SetInputDeadTime", at, *_dead_time(dead))
        elif model.dead_time == "code" and settings.input_dead_time_code is not None:
            self._call("SetInputDeadTime", at, self.each("input_dead_time_code", settings.input_dead_time_code)[at])

    def enabled(self, at: int) -> bool:
        """Is this input switched on?"""
        return self.settings.inputs is None or at in self.settings.inputs

    def each(self, key: str, values: Sequence[Any]) -> list[Any]:
        """One value for each input of this device."""
        if len(values) not in (1, self.inputs):
            raise InputError(
                f"{self._name}: {key}: must be one value or {self.inputs}, one for each input, got {len(values)}"
            )
        return each_of(values, self.inputs)

    def _channels(self) -> tuple[int, ...]:
        """Channel numbers that photons may have."""
        settings = self.settings
        wrong = [at for at in settings.inputs or () if at >= self.inputs]
        if wrong:
            raise InputError(f"{self._name}: inputs: must be 0 to {self.inputs - 1} on this device, got {wrong[0]}")
        if self.model.sync_input:  # PicoHarp 300: numbered from 1, and in T2 the sync input is a detector of its own
            count = 1
            if settings.routing:
                self._call("EnableRouting", 1)
                count = self._library.integer("GetRoutingChannels", self._index)
            return tuple(range(0 if self.mode == "T2" else 1, count + 1))
        channels = tuple(at for at in range(self.inputs) if self.enabled(at))
        return channels if settings.sync_channel is None else tuple(sorted({*channels, settings.sync_channel}))

    # ---- rates

    def _rates(self) -> int:
        """Rates of the enabled inputs and, returned, of the sync in Hz."""
        if self.model.sync_input:
            self._library.integer("GetCountRate", self._index, 1)
            return self._library.integer("GetCountRate", self._index, 0)
        rate = self._library.integer("GetSyncRate", self._index)
        for at in range(self.inputs):
            if self.enabled(at):
                self._library.integer("GetCountRate", self._index, at)
        return rate

    def _ask(self) -> None:
        """Rates, warnings, and the length of a tick."""
        sleep(self.model.wait_s)
        self.warnings += self.look()
        rate = self._rates()
        self.sync_rate_hz = float(rate) if rate > 0 else None
        if self.mode == "T2":
            self.tick_s, self.resolution_s, self.quiet_s = self.base_ps * 1e-12, 0.0, math.inf
            return
        self.resolution_s = self._library.real("GetResolution", self._index) * 1e-12
        if rate <= 0:
            raise InputError(
                f"{self._name}: T3 counts laser pulses, and the sync input sees none; check laser, cable, "
                "sync_level_mv and sync_divider, or set mode=T2"
            )
        self.tick_s = self._sync_period(rate)
        held_s = 4e-3 * self.settings.overflow_hold_ms if self.model.overflow_hold else 0.0
        self.quiet_s = max(_QUIET_S, held_s, _QUIET_SYNCS * self.tick_s)
        if self.resolution_s > self.tick_s:
            raise InputError(
                f"{self._name}: binning: {self.resolution_s * 1e12:g} ps is more than the sync period of "
                f"{self.tick_s * 1e12:g} ps; lower it"
            )

    def _sync_period(self, rate: int) -> float:
        """Seconds between syncs: as the library measures it, else from the rate, which is rounded.

        With a sync divider, rates and T3 pulse numbers are those of the undivided sync (the vendor's demonstrations
        take them so; unconfirmed on a card).
        """
        if not self.model.sync_input:
            self.start(_PROBE_MS)
            try:
                sleep(max(0.01, 3 / rate))  # valid after two periods
                period = self._library.real("GetSyncPeriod", self._index)
            except DeviceFault:
                period = 0.0
            finally:
                self.stop()
            if period > 0 and math.isfinite(period):
                if abs(period * rate - 1) > _RATE_TOLERANCE:
                    self.warnings.append(
                        f"the device measures a sync rate of {rate} Hz and a sync period of {period:g} s, which "
                        "contradict each other; the period is used"
                    )
                return period
        self.warnings.append(
            f"the sync period is 1 / {rate} Hz, a rate that the device rounds: times in seconds may be off by "
            f"{1e6 / rate:.2g} ppm or more"
        )
        return 1.0 / rate


def _dead_time(ps: int) -> tuple[int, int]:
    """Arguments of the dead time functions: on or off, and how long."""
    return (1, ps) if ps else (0, _DEAD_TIME_OFF_PS)
