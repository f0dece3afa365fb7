"""PTU source: a PicoQuant recording as a stream of Chunks, at full speed or paced like the measurement."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.ptu_header import PtuHeader, read_header
from sources.ptu_records import BACKSTEPS, BEYOND, LATEST, LONGEST, MARKERS, PHOTONS, SYNCS, TICKS, UNKNOWN, decode
from streamer.chunk import NO_CHANNEL, NO_TIME, Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

# With this many, what is done once per chunk by every process on the way costs little beside its photons, while records
# and what is made of them (4 MB) still stay near the processor. Half as many are decoded a tenth faster, but counted
# through a socket a fifth slower; twice as many are no better.
CHUNK_RECORDS = 1 << 18
_LARGEST_CHUNK = 1 << 24
_PACED_S = 0.010  # stream time of a paced chunk: a viewer is smooth
_PACED_WALL_S = 0.0005  # but a fast replay must not be cut into more chunks than can be sent
_BEYOND_SHARE = 0.001


class PtuSource:
    """A PTU file as a Source; see `open_source` for the options.

    Attributes:
        info: what the header says.
    """

    def __init__(
        self,
        path: Path,
        *,
        speed: float | None = None,
        chunk_records: int = CHUNK_RECORDS,
        sync_channel: int | None = None,
    ) -> None:
        """Read the header only.

        Args:
            path: the file.
            speed: multiple of real time; None for as fast as it goes.
            chunk_records: most records read, so most photons, of one chunk.
            sync_channel: T2: channel on which sync events become photons; None leaves them out.

        Raises:
            InputError: a file or header from which no sure photon can be had, or `sync_channel` where there are none.
        """
        self._path, self._speed = path, speed
        self._chunk_records = chunk_records
        self._header: PtuHeader = read_header(path)
        layout = self._header.layout
        if sync_channel is not None and not layout.sync_events:
            raise InputError(f"{path}: sync_channel: {layout.name} records have no sync events; leave the option out")
        self.info = StreamInfo(
            mode=layout.mode,
            tick_s=self._header.tick_s,
            resolution_s=self._header.resolution_s,
            source=f"ptu:{path}",
            file=str(path),
            format=f"PTU {layout.name}",
            hardware=self._header.hardware,
            sync_rate_hz=self._header.sync_rate_hz,
            duration_s=self._header.duration_s,
            warnings=self._header.warnings,
            truth=self._header.truth,
        )
        last = min(math.floor(self.info.period), 0xFFFF) if layout.mode == "T3" else 0xFFFF
        self._rules = layout.rules(last, sync_channel)
        self._state = np.zeros(8, np.int64)
        self._state[LATEST] = -1
        self._records = self._photons = 0
        self._reason = ""
        self._stopping = threading.Event()
        self._begun = False
        self._warnings: list[str] = []
        self._marker_arrays: tuple[NDArray[np.int64], NDArray[np.uint8]] = (NO_TIME, NO_CHANNEL)

    def chunks(self) -> Iterator[Chunk]:
        """The photons in order of time, once.

        Raises:
            InputError: (while iterating) times that go back, or beyond what 64 bits hold.
        """
        if self._begun:
            raise RuntimeError(f"{self._path}: chunks() may be iterated once; open the source again")
        self._begun = True
        return self._decoded() if self._speed is None else self._paced(self._speed)

    def stop(self, reason: str) -> None:
        """End at the next chunk; wakes a paced replay. May be called from any thread; the first reason counts."""
        if not self._stopping.is_set():
            self._reason = reason
            self._stopping.set()

    def end(self) -> StreamEnd:
        """What only the end can know; call it after the iteration."""
        warnings, state = list(self._warnings), self._state
        if state[SYNCS]:
            warnings.append(f"{state[SYNCS]} sync events were left out; sync_channel=N makes them photons of channel N")
        if state[UNKNOWN]:
            warnings.append(
                f"{state[UNKNOWN]} records are neither photon, marker nor overflow in {self._header.layout.name} "
                "and were left out"
            )
        if state[BEYOND] > _BEYOND_SHARE * self._photons:
            warnings.append(
                f"{state[BEYOND]} of {self._photons} photons have a nanotime beyond the sync period of "
                f"{self.info.tick_s * 1e9:.6g} ns; the header's sync rate or resolution may be of another run"
            )
        return StreamEnd(
            reason=self._reason or "end of file",
            records=self._records,
            sync_records=int(state[SYNCS]),
            warnings=tuple(warnings),
        )

    def _decoded(self) -> Generator[Chunk, None, None]:
        """Chunks as fast as they can be read.

        A chunk ends at the time that is surely reached: that of its last photon or overflow. Photons of this very
        tick wait for the next chunk, for more may follow in the same tick; so do markers from there on.
        """
        total = self._header.records
        words = np.empty(min(self._chunk_records, max(total, 1)), np.uint32)
        start, held = 0, Chunk(0, 0)
        with self._path.open("rb") as file:
            file.seek(self._header.offset)
            while self._records < total and not self._stopping.is_set():
                block = words[: min(words.size, total - self._records)]
                got = file.readinto(block.data.cast("B")) // 4
                if got < block.size:
                    total = self._records + got
                    self._warnings.append(f"the file became shorter while it was read: it ends at record {total}")
                    block = block[:got]
                before = self._state.copy()
                arrays = self._decode(block, held)
                if self._state[BACKSTEPS] or self._state[TICKS] > LONGEST:
                    raise self._fault(block, held, before)
                self._records += block.size
                count, reached = len(arrays.time), int(self._state[TICKS])
                self._photons += count - len(held.time)
                if count:
                    reached = max(reached, int(arrays.time[-1]))
                if self._records < total:
                    cut = int(np.searchsorted(arrays.time, reached))
                else:
                    cut = count
                    reached = max(reached, int(arrays.time[-1]) + 1 if count else 0, int(self._state[LATEST]) + 1)
                ready, held = _divide(arrays, cut, start, reached)
                if reached > start:
                    yield ready
                start = reached

    def _decode(self, block: NDArray[np.uint32], held: Chunk) -> Chunk:
        """What was held back, and the block after it, in fresh arrays."""
        state, size = self._state, len(held.time) + block.size
        state[PHOTONS], state[MARKERS] = len(held.time), len(held.marker)
        times, channel = np.empty(size, np.int64), np.empty(size, np.uint8)
        nanotime = np.empty(size if self.info.mode == "T3" else 0, np.uint16)
        marker_time, marker = self._marker_room(len(held.marker) + block.size)
        times[: len(held.time)], channel[: len(held.time)] = held.time, held.channel
        nanotime[: len(held.nanotime)] = held.nanotime
        marker_time[: len(held.marker)], marker[: len(held.marker)] = held.marker_time, held.marker
        decode(block, self._rules, times, nanotime, channel, marker_time, marker, state)
        n, m = int(state[PHOTONS]), int(state[MARKERS])
        photons = times[:n], nanotime[:n], channel[:n]
        if n < size // 2:  # whoever keeps a sparse chunk should not keep what was allocated for a full one
            photons = times[:n].copy(), nanotime[:n].copy(), channel[:n].copy()
        return Chunk(0, 0, *photons, marker_time[:m].copy(), marker[:m].copy())

    def _marker_room(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Arrays that the decoder writes markers to, used again for every block: pages never written cost nothing."""
        if self._marker_arrays[0].size < size:
            self._marker_arrays = np.empty(size, np.int64), np.empty(size, np.uint8)
        return self._marker_arrays

    def _fault(self, block: NDArray[np.uint32], held: Chunk, before: NDArray[np.int64]) -> InputError:
        """The error for the first record at which time goes wrong, found by decoding ever shorter blocks."""
        good, bad = 0, block.size
        while bad - good > 1:
            middle = (good + bad) // 2
            self._state[:] = before
            self._decode(block[:middle], held)
            if self._state[BACKSTEPS] or self._state[TICKS] > LONGEST:
                bad = middle
            else:
                good = middle
        place = f"{self._path}: record {self._records + bad} of {self._header.records}"
        self._state[:] = before
        times = self._decode(block[:bad], held).time
        if self._state[TICKS] > LONGEST:
            return InputError(
                f"{place}: the overflows add up to more than {LONGEST} ticks; the file is damaged, copy it again"
            )
        return InputError(
            f"{place}: times must not go back, got tick {times[-1]} after {times[-2]}; "
            "sort the recording by time before it is read, or check that its record type is right"
        )

    def _paced(self, speed: float) -> Iterator[Chunk]:
        """Each chunk when its span has passed on a monotonic clock that runs `speed` times faster."""
        step = max(1, round(max(_PACED_S, speed * _PACED_WALL_S) / self.info.tick_s))
        begin = time.monotonic()
        with closing(self._decoded()) as decoded:
            for chunk in decoded:
                for piece in _pieces(chunk, step):
                    due = begin + piece.stop * self.info.tick_s / speed
                    while (wait := due - time.monotonic()) > 0:
                        if self._stopping.wait(min(wait, threading.TIMEOUT_MAX)):
                            return
                    if self._stopping.is_set():
                        return
                    yield piece


def open_source(where: str, options: Mapping[str, str]) -> PtuSource:
    """Open a PTU file; `where` is its path.

    Options:
        speed: "max" (the default) or a positive number X: X times real time.
        chunk_records: most photons of one chunk, 1 to 16777216.
        sync_channel: 0 to 255: T2 sync events become photons of this channel.

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read as PTU.
    """
    known = ("speed", "chunk_records", "sync_channel")
    for key in options:
        if key not in known:
            raise InputError(f"ptu: {key}: unknown option; known are {', '.join(known)}")
    if not where:
        raise InputError("ptu: a file must be named, such as ptu:run.ptu")
    return PtuSource(
        Path(where),
        speed=_speed(options.get("speed", "max")),
        chunk_records=_whole("chunk_records", options.get("chunk_records", str(CHUNK_RECORDS)), 1, _LARGEST_CHUNK),
        sync_channel=_whole("sync_channel", options["sync_channel"], 0, 255) if "sync_channel" in options else None,
    )


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise InputError(f"ptu: speed: must be 'max' or a positive number, got {text!r}")
    return speed


def _whole(key: str, text: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InputError(f"ptu: {key}: must be a whole number from {low} to {high}, got {text!r}")
    return value


def _divide(all_of: Chunk, cut: int, start: int, stop: int) -> tuple[Chunk, Chunk]:
    """A chunk of [start, stop) with the first `cut` photons, and what is held back for the next one."""
    if stop == start:
        return Chunk(start, start), all_of
    passed = all_of.marker_time < stop
    return _part(all_of, start, stop, slice(cut), passed), _part(all_of, stop, stop, slice(cut, None), ~passed)


def _pieces(chunk: Chunk, step: int) -> Iterator[Chunk]:
    """The chunk cut at the multiples of `step` ticks; a marker that is late goes with the first piece."""
    marker_time = np.maximum(chunk.marker_time, chunk.start)
    start, first = chunk.start, 0
    while start < chunk.stop:
        stop = min((start // step + 1) * step, chunk.stop)
        last = int(np.searchsorted(chunk.time, stop))
        marked = (marker_time >= start) & (marker_time < stop)
        yield _part(chunk, start, stop, slice(first, last), marked)
        start, first = stop, last


def _part(chunk: Chunk, start: int, stop: int, photons: slice, marked: NDArray[np.bool_]) -> Chunk:
    return Chunk(
        start,
        stop,
        chunk.time[photons],
        chunk.nanotime[photons],
        chunk.channel[photons],
        chunk.marker_time[marked],
        chunk.marker[marked],
    )
