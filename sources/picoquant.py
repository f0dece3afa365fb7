"""PicoQuant source: a TCSPC device that measures now; its records are spooled to PTU files first of all."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace

from sources.devices.acquisition import Acquisition
from sources.devices.picoquant_device import PicoQuantDevice
from sources.devices.picoquant_models import LONGEST_MS
from sources.devices.picoquant_settings import Settings, read_address, read_settings
from sources.devices.picoquant_tags import header_tags
from sources.devices.spool import Spool
from sources.devices.spooled import BreakDecoder
from sources.layouts.ptu_records import RECORD_TYPES
from sources.reading.record_file import HarpDecoder, RecordFormat, RecordReader
from sources.reading.recording import DROP, RecordingSource
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

_SWITCH_S = 0.0005


class PicoQuantSource(RecordingSource):
    """One measurement of one device as a live Source; see `open_source`.

    Attributes:
        device: set up, not yet measuring.
        acquisition: the thread that reads it, from `chunks` on.
    """

    def __init__(self, device: PicoQuantDevice, settings: Settings, address: str) -> None:
        """Nothing is measured yet.

        Args:
            device: set up.
            settings: of the measurement.
            address: for `info.source`.
        """
        self.device = device
        self.acquisition = Acquisition(
            device, Spool(settings.spool, header_tags(device), settings.rotate), settings.duration_ms
        )
        layout = RECORD_TYPES[device.record_type]
        info = StreamInfo(
            mode=device.mode,
            tick_s=device.tick_s,
            resolution_s=device.resolution_s,
            source=address,
            file=str(settings.spool),
            format=f"PTU {layout.name}",
            hardware=f"{device.hardware} {device.version} {device.serial}".strip(),
            sync_rate_hz=device.sync_rate_hz,
            channels=device.channels,
            live=True,
            duration_s=None if settings.duration_ms == LONGEST_MS else settings.duration_ms * 1e-3,
            warnings=tuple(device.warnings),
        )
        spooled = self.acquisition.spooled
        decoder = BreakDecoder(HarpDecoder(layout, settings.sync_channel), spooled)
        fmt = RecordFormat(info, 0, 4, 0, decoder, horizon=round(settings.horizon_ns * 1e-9 / device.tick_s))
        reader = _DeviceReader(self.acquisition, fmt, settings)
        # A live stream must not break off at one odd photon: those out of order are dropped, counted and warned of.
        super().__init__(reader, late=DROP)
        atexit.register(self.acquisition.close)

    def chunks(self) -> Iterator[Chunk]:
        """The photons in order of time, once; the measurement begins with the first chunk asked for.

        Raises:
            InputError: (while iterating) the spool cannot be begun, or not be read back.
        """
        return self._measured(super().chunks())

    def _measured(self, chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
        acquisition, interval = self.acquisition, sys.getswitchinterval()
        # A FIFO lasts 50 ms at full rate, and whoever empties it may have to wait this long for each other thread.
        sys.setswitchinterval(min(interval, _SWITCH_S))
        try:
            if not acquisition.start():
                raise InputError(f"{self.info.source}: spool: cannot be written ({acquisition.spool.failed}); "
                                 "give another name: --set spool=PATH")  # fmt: skip
            yield from chunks
        finally:
            acquisition.close()
            atexit.unregister(acquisition.close)
            sys.setswitchinterval(interval)


class _DeviceReader(RecordReader):
    """The spooled records as a Reader, whose end tells how the measurement went."""

    def __init__(self, acquisition: Acquisition, fmt: RecordFormat, settings: Settings) -> None:
        super().__init__(settings.spool, fmt, settings.chunk_records, acquisition.spooled)
        self._acquisition = acquisition

    def end(self) -> StreamEnd:
        """Reason, loss and warnings of the measurement too."""
        acquisition = self._acquisition
        acquisition.close()
        end = super().end()
        left = acquisition.spooled.total - acquisition.spooled.taken
        warnings = [*end.warnings, *acquisition.warnings()]
        files = acquisition.spool.paths
        if left:
            warnings.append(
                f"{left} records came before the stop and were not analysed any more; they are in {files[-1]}, which "
                "can be replayed"
            )
        if len(files) > 1:
            warnings.append(f"the recording is in {len(files)} files, {files[0]} to {files[-1]}")
        lost = acquisition.tally.discarded - acquisition.spooled.lost  # those of gaps went with their chunks
        return replace(end, reason=acquisition.reason, lost_records=lost, warnings=tuple(warnings))


def open_source(where: str, options: Mapping[str, str]) -> PicoQuantSource:
    """Open a device; `where` is `MODEL` or `MODEL/SERIAL`, such as HH400 or MH150/1043210.

    Everything is checked before the library is loaded; then the device is opened, set up, and asked for its rates, in
    T3 for its sync period too. It measures from the first chunk on.

    Options: see `sources.devices.picoquant_settings.Settings` and docs/devices.md.

    Raises:
        InputError: an unknown model or option, a value that the model does not take, no library, no device, no sync in
            T3.
    """
    model, serial = read_address(where)
    settings = read_settings(model, options)
    device = PicoQuantDevice(model, serial, settings)
    return PicoQuantSource(device, settings, f"picoquant:{where}")
