"""SSTT source: a "Small Simple Time-Tagged" recording, one file per channel, as one stream of Chunks.

Times count from when the device was started, so the stream begins with its first event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.layouts.sstt_channels import CHANNEL_MAGIC, Channel, merge
from sources.layouts.sstt_index import MAGIC, SsttIndex, read_index
from sources.qutag import MARKER_BITS
from sources.reading import options as read_option
from sources.reading.events import Events, Reader
from sources.reading.record_state import LONGEST
from sources.reading.recording import Source, open_recording
from streamer.chunk import NO_CHANNEL, NO_NANOTIME, StreamEnd, StreamInfo
from streamer.errors import InputError

REFUSE, SKIP = "refuse", "skip"


class SsttReader:
    """The channels of an SSTT recording, merged by time, as a Reader (see `sources.reading.events.Reader`)."""

    horizon = 0
    begins: int | None = None

    def __init__(self, index: SsttIndex, info: StreamInfo, chunk_records: int) -> None:
        """Look at the channels' files; they are opened when their first event is asked for.

        Raises:
            InputError: one that is not of this format.
        """
        self.info = info
        block = self._block = max(1, chunk_records // len(index.channels))
        self._time, self._work = (np.empty(block * len(index.channels), np.int64) for _ in range(2))
        self._channels = [
            Channel(entry, index.version, self._time[k * block : (k + 1) * block])
            for k, entry in enumerate(index.channels)
        ]
        self._begin = np.arange(len(index.channels)) * block
        self._at, self._stop = self._begin.copy(), self._begin.copy()
        self._numbers = np.array([entry.number for entry in index.channels], np.uint8)
        self._marked = index.device == "qutag" and bool(MARKER_BITS[self._numbers].any())
        self._before = np.zeros(256, np.int64)  # photons of each channel in earlier blocks
        self._latest = NO_CHANNEL
        self._ended = False

    def read(self, held: Events) -> Events | None:
        """What was held back, then what is sure to be next in time."""
        if self._ended:
            return None
        for k, channel in enumerate(self._channels):
            kept, begin = int(self._stop[k] - self._at[k]), int(self._begin[k])
            if not channel.over and 2 * kept <= self._block - 1:
                self._time[begin : begin + kept] = self._time[self._at[k] : self._stop[k]]
                self._at[k], self._stop[k] = begin, begin + kept + channel.fill(kept)
        # The channel that is known least far in time (the first of several) bounds what is sure; at its very tick, only
        # channels before it in the order are known to the end.
        open_ones = [(channel.newest, k) for k, channel in enumerate(self._channels) if not channel.over]
        sure, last = min(open_ones, default=(LONGEST + 1, -1))
        until = min([channel.newest + 1 for channel in self._channels if channel.short], default=LONGEST + 1)
        if sure >= until:
            sure, last, self._ended = until, -1, True
        before = np.full(len(self._channels), sure)
        before[: last + 1] += 1
        size, kept = len(self._time), len(held.time)
        time, number = np.empty(kept + size, np.int64), np.empty(kept + size, np.uint8)
        time[:kept], number[:kept] = held.time, held.channel
        n = merge(self._time, self._at, self._stop, before, self._numbers, time[kept:], number[kept:], self._work)
        if n < 0:
            raise InputError(
                f"{self.info.file}: events that follow each other are more than {1 << 57} ticks apart; "
                "a file is damaged, copy it again"
            )
        time, number = time[: kept + n], number[: kept + n]
        if n < size // 2:  # whoever keeps it should not keep what was allocated for a full block
            time, number = time.copy(), number.copy()
        reached = sure if sure <= LONGEST else max(channel.newest for channel in self._channels) + 1
        return self._events(held, time, number, reached)

    def _events(self, held: Events, time: NDArray[np.int64], number: NDArray[np.uint8], reached: int) -> Events:
        """Photons and markers apart; what was held comes first and has no markers in it."""
        kept = len(held.time)
        if len(self._latest):
            self._before += np.bincount(self._latest, minlength=256)
        marker_time, marker = held.marker_time, held.marker
        if self._marked:
            bits = MARKER_BITS[number]
            marked = bits > 0
            marker_time = np.concatenate((marker_time, time[marked]))
            marker = np.concatenate((marker, bits[marked]))
            time, number = time[~marked], number[~marked]
        self._latest = number[kept:]
        backsteps = 0
        if not all(channel.sorted for channel in self._channels):
            backsteps = int(np.count_nonzero(np.diff(time[max(kept - 1, 0) :]) < 0))
        return Events(time, NO_NANOTIME, number, marker_time, marker, reached, backsteps=backsteps, last=self._ended)

    def place(self, photon: int) -> str:
        """Which event of which channel it is."""
        number = int(self._latest[photon])
        count = int(self._before[number]) + int((self._latest[: photon + 1] == number).sum())
        return f"event {count} of channel {number}"

    def end(self) -> StreamEnd:
        """What only the end can know."""
        warnings = [line for channel in self._channels for line in channel.warnings()]
        return StreamEnd("", sum(channel.records for channel in self._channels), warnings=tuple(warnings))

    def close(self) -> None:
        """Let go of the files."""
        for channel in self._channels:
            channel.close()


def recognise(path: Path, head: bytes) -> bool:
    """Is this the index of an SSTT recording, or a channel file, which `read_index` refuses with its reason?"""
    return head.startswith((MAGIC, CHANNEL_MAGIC))


def open_reader(
    path: Path, chunk_records: int, *, missing: str = REFUSE, pulses: str = "", divider: str = ""
) -> SsttReader:
    """Open an index and its channels.

    Args:
        path: of the index.
        chunk_records: most events of one block.
        missing: "refuse", or "skip" channels whose file is not there.
        pulses, divider: what was said of the laser's channel, of which the index has its own word.

    Raises:
        InputError: no index, or channel files that are not there or not of this format.
    """
    index = read_index(path)
    warnings = list(index.warnings)
    absent = [entry for entry in index.channels if not entry.path.is_file()]
    present = tuple(entry for entry in index.channels if entry not in absent)
    if absent:
        names = ", ".join(entry.path.name for entry in absent)
        if missing == REFUSE or not present:
            raise InputError(
                f"{path}: names {names}, not there; put the channel files beside the index"
                + (", or set missing=skip to read the others" if present else "")
            )
        numbers = ", ".join(str(entry.number) for entry in absent)
        warnings.append(f"{names}: named in the index, but not there; the stream is without channel {numbers}")
    for entry in present:
        if entry.pulses and not pulses:
            warnings.append(
                f"channel {entry.number} is a laser's sync; --set pulses={entry.number} --set "
                f"pulse_divider={entry.divider} makes laser pulses and nanotimes of it"
            )
        if pulses == str(entry.number) and divider != str(entry.divider):
            warnings.append(f"pulse_divider={divider} was set, though the index says {entry.divider} for this channel")
    info = StreamInfo(
        mode="T2",
        tick_s=index.unit_s,
        source=f"sstt:{path}",
        file=str(path),
        format=f"SSTT version {index.version}",
        hardware=index.device,
        warnings=tuple(warnings),
    )
    return SsttReader(replace(index, channels=present), info, chunk_records)


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open an SSTT recording; `where` is the path of its index.

    Options, beside those of every recording (`sources.reading.recording.open_recording`):
        missing: "refuse" (the default) or "skip" channels that the index names but whose file is not there.
        pulse_divider: with `pulses`, the index's own by default.

    Raises:
        InputError: an option that is not known or not allowed, or files that cannot be read as SSTT.
    """

    pulses, divider = options.get("pulses", ""), options.get("pulse_divider", "")
    if pulses and not divider:
        divider = next((str(one.divider) for one in read_index(Path(where)).channels if str(one.number) == pulses), "1")
        options = {**options, "pulse_divider": divider}

    def opened(path: Path, own: Mapping[str, str], chunk_records: int) -> Reader:
        missing = read_option.choice("sstt", "missing", own.get("missing", REFUSE), (REFUSE, SKIP))
        return open_reader(path, chunk_records, missing=missing, pulses=pulses, divider=divider)

    return open_recording("sstt", where, options, opened, ("missing",))
