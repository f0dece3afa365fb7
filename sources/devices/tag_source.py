"""Tag source: a live time tagger as a Source; its tags are spooled to a quTAG file first of all."""

from __future__ import annotations

import atexit
import time
from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sources.devices.tag_acquisition import TagAcquisition, TagDevice
from sources.devices.tag_passage import LossDecoder
from sources.devices.tag_settings import TagSettings
from sources.devices.tag_spool import TagSpool
from sources.qutag import RECORD_BYTES
from sources.reading.pulses import PulsedSource
from sources.reading.record_file import RecordFormat, RecordReader
from sources.reading.record_state import LONGEST, UNKNOWN
from sources.reading.recording import RecordingSource, Source
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

SYNC_S = 10.0  # for the first tag of the laser's sync
_TOLD_S = 2.0  # for a device to say how late it is


class TagSource(RecordingSource):
    """One measurement of one time tagger; it measures from the first chunk on.

    Attributes:
        acquisition: the threads that read the device, from `chunks` on.
    """

    def __init__(self, device: TagDevice, settings: TagSettings, address: str) -> None:
        """Nothing is measured yet.

        Args:
            device: set up.
            settings: of the measurement.
            address: for `info.source`.
        """
        self.acquisition = TagAcquisition(device, TagSpool(settings.spool), settings.duration_s)
        self._sync = None if settings.pulses is None else settings.pulses.channel
        info = StreamInfo(
            mode="T2",
            tick_s=device.tick_s,
            source=address,
            file=str(settings.spool),
            format="quTAG binary",
            hardware=device.hardware,
            channels=device.channels,
            live=True,
            duration_s=settings.duration_s,
            warnings=tuple(device.warnings),
        )
        fmt = RecordFormat(
            info, 0, RECORD_BYTES, 0, LossDecoder(self.acquisition.passage),
            horizon=round(settings.horizon_ns * 1e-9 / device.tick_s), begins=None, remarks=_remarks,
        )  # fmt: skip
        super().__init__(_TagReader(self.acquisition, fmt, settings), late=settings.late)
        atexit.register(self.acquisition.close)

    def chunks(self) -> Iterator[Chunk]:
        """The photons in order of time, once.

        Raises:
            InputError: (while iterating) the spool cannot be begun, or not be read back, or tags come too late.
        """
        return self._measured(super().chunks())

    def close(self) -> None:
        """End the measurement, whether or not it has begun."""
        self.acquisition.close()
        atexit.unregister(self.acquisition.close)

    def _measured(self, chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
        try:
            if not self.acquisition.start():
                raise InputError(
                    f"{self.info.source}: spool: cannot be written ({self.acquisition.spool.failed}); give another "
                    "name: --set spool=PATH"
                )
            self._begin()
            yield from chunks if self._sync is None else self._synced(chunks, self._sync)
        finally:
            self.close()

    def _begin(self) -> None:
        """Begin the stream where the device began to watch, so that a dark start is watched, and can be stopped."""
        self.acquisition.told.wait(_TOLD_S)
        begins = self.acquisition.begins
        if begins is not None:
            self.begin_at(begins)

    def _synced(self, chunks: Iterator[Chunk], channel: int) -> Generator[Chunk, None, None]:
        """Refuse a stream whose sync is silent: nobody could count its pulses, and one would wait for ever."""
        until: float | None = time.monotonic() + SYNC_S
        for chunk in chunks:
            if until is not None:
                if (chunk.channel == channel).any():
                    until = None
                elif time.monotonic() > until:
                    raise InputError(
                        f"{self.info.source}: pulses: no tag came on channel {channel} within {SYNC_S:g} s; check "
                        "laser, cable and trigger_v, or leave pulses out"
                    )
            yield chunk


class _TagReader(RecordReader):
    """The spooled tags as a Reader, whose end tells how the measurement went."""

    def __init__(self, acquisition: TagAcquisition, fmt: RecordFormat, settings: TagSettings) -> None:
        super().__init__(settings.spool, fmt, settings.chunk_records, acquisition.passage)
        self._acquisition = acquisition

    def end(self) -> StreamEnd:
        """Reason and warnings of the measurement too."""
        acquisition = self._acquisition
        acquisition.close()
        end = super().end()
        warnings = [*end.warnings, *acquisition.warnings()]
        left = acquisition.passage.total - acquisition.passage.taken
        if left:
            warnings.append(
                f"{left} records came before the stop and were not analysed any more; they are in "
                f"{acquisition.spool.path}, which can be replayed"
            )
        return replace(end, reason=acquisition.reason, warnings=tuple(warnings))


def _remarks(state: NDArray[np.int64]) -> list[str]:
    """What only the end can know, one line each."""
    if not state[UNKNOWN]:
        return []
    return [f"{state[UNKNOWN]} tags were left out: their channel or their time (0 to {LONGEST}) is none there can be"]


def opened(device: TagDevice, settings: TagSettings, address: str) -> Source:
    """The device as a Source; with `pulses`, it measures at once, to find the laser's period.

    Raises:
        InputError: there is no sure laser sync on the channel of `pulses`.
    """
    source = TagSource(device, settings, address)
    pulses = settings.pulses
    if pulses is None:
        return source
    try:
        return PulsedSource(source, pulses.channel, divider=pulses.divider, period_ns=pulses.period_ns)
    except BaseException:
        source.close()
        raise
