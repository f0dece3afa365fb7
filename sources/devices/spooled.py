"""Spooled records: handed from the thread that reads a device to the one that decodes, by way of the spool's files.

The records lie in stretches: a part of one file, or, once the disk is full, blocks in memory. A stretch follows on the
one before it, or after a break: the measurement was started anew, or the clock stood still. Whoever decodes may be
slower than the device: it falls behind in the files, and memory stays flat.
"""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.devices.spool import RECORD_BYTES
from sources.reading.events import Gap
from sources.reading.record_file import Decoder
from sources.reading.record_state import LATEST, OWN, PHOTONS, TICKS
from streamer.errors import InputError

GATHER_S = 0.010  # a block is waited for so long to become full: chunks are not too small, and a viewer is smooth
_MEMORY = 64 << 20  # bytes that wait in memory once the disk is full
_AFTER = OWN  # column of the decoder's state: the tick after the last photon


@dataclass(frozen=True, slots=True)
class Break:
    """What lies before a stretch.

    Attributes:
        ticks: of the stream at which the records' clock begins anew, or how many it missed.
        anew: which of the two.
        lost: records known to be missing.
    """

    ticks: int
    anew: bool
    lost: int = 0


@dataclass(slots=True)
class _Stretch:
    """Records that follow on each other; `path` None: in `blocks`."""

    path: Path | None
    offset: int
    before: Break | None
    records: int = 0
    blocks: deque[memoryview] = field(default_factory=deque)


class Spooled:
    """Both ends of the passage; the reading end is a `sources.reading.record_file.Supply`.

    Attributes:
        total: records that came so far.
        taken: records that were given out.
        lost: records lost according to the breaks that were given out.
        before: break before the block that was given out last.
    """

    def __init__(self, stop: Callable[[], None], close: Callable[[], None]) -> None:
        """`stop` and `close` are called when the reading end is stopped and closed."""
        self._stop, self._close = stop, close
        self._news = threading.Condition()
        self._stretches: deque[_Stretch] = deque()
        self._finished = False
        self._wanted = 1
        self._in_memory = 0
        self.total = self.taken = self.lost = 0
        self.before: Break | None = None
        self._coming: Break | None = None  # before the next block
        self._read = 0  # of the first stretch
        self._file: io.FileIO | None = None

    # ---- the writing end

    def begin(self, path: Path | None, offset: int = 0, before: Break | None = None) -> None:
        """Begin a stretch in a file, from byte `offset` on, or in memory."""
        with self._news:
            self._stretches.append(_Stretch(path, offset, before))
            self._news.notify()

    def extend(self, records: int) -> None:
        """So many more records are in the last stretch's file."""
        with self._news:
            self._stretches[-1].records += records
            self.total += records
            if self._stretches[0].records - self._read >= self._wanted or len(self._stretches) > 1:
                self._news.notify()

    def hand_over(self, block: memoryview, stopping: threading.Event) -> bool:
        """Give a block to a stretch in memory; waits while there is too much. False: stopped while waiting."""
        with self._news:
            while self._in_memory > _MEMORY:
                if stopping.is_set():
                    return False
                self._news.wait(GATHER_S)
            self._stretches[-1].blocks.append(block)
            self._stretches[-1].records += len(block) // RECORD_BYTES
            self._in_memory += len(block)
            self.total += len(block) // RECORD_BYTES
            self._news.notify()
        return True

    def finish(self) -> None:
        """Nothing more will come."""
        with self._news:
            self._finished = True
            self._news.notify()

    # ---- the reading end

    def fill(self, into: memoryview) -> int | None:
        """See `sources.reading.record_file.Supply.fill`; waits at most `GATHER_S`."""
        room = len(into) // RECORD_BYTES
        begun = time.monotonic()
        with self._news:
            self._wanted = room
            while True:
                ready, closed = self._ready()
                waited = time.monotonic() - begun
                if ready >= room or (ready and closed):
                    break
                if closed and not ready:
                    if not self._next():
                        return None
                    continue
                if waited >= GATHER_S:
                    break
                self._news.wait(GATHER_S - waited)
            if not ready:
                return 0
            stretch = self._stretches[0]
        count = min(ready, room)
        if stretch.path is None:
            self._copy(stretch, into[: count * RECORD_BYTES])
        else:
            self._load(stretch, into[: count * RECORD_BYTES])
        self.before, self._coming = self._coming, None
        self.lost += self.before.lost if self.before else 0
        self._read += count
        self.taken += count
        return count * RECORD_BYTES

    def ended(self) -> bool:
        """Was the last record given out?"""
        with self._news:
            ready, closed = self._ready()
            return self._finished and closed and not ready and len(self._stretches) <= 1

    def warnings(self) -> list[str]:
        """None: the acquisition has them."""
        return []

    def stop(self) -> None:
        """Stop the measurement and wake whoever waits here."""
        self._stop()

    def close(self) -> None:
        """End the measurement and let go of the file."""
        self._close()
        if self._file is not None:
            self._file.close()

    def _ready(self) -> tuple[int, bool]:
        """Records of the present stretch that can be had, and whether no more of it will come."""
        if not self._stretches:
            return 0, self._finished
        return self._stretches[0].records - self._read, self._finished or len(self._stretches) > 1

    def _next(self) -> bool:
        if len(self._stretches) <= 1:
            return False
        self._stretches.popleft()
        self._read = 0
        self._coming = _joined(self._coming, self._stretches[0].before)
        if self._file is not None:
            self._file.close()
            self._file = None
        return True

    def _load(self, stretch: _Stretch, into: memoryview) -> None:
        try:
            if self._file is None:
                assert stretch.path is not None
                self._file = io.FileIO(stretch.path)
                self._file.seek(stretch.offset + self._read * RECORD_BYTES)
            got = 0
            while got < len(into):
                more = self._file.readinto(into[got:])
                if not more:
                    raise OSError("it became shorter")
                got += more
        except OSError as error:
            raise InputError(
                f"{stretch.path}: the spool cannot be read back ({error.strerror or error}); leave it alone while "
                "the measurement runs"
            ) from None

    def _copy(self, stretch: _Stretch, into: memoryview) -> None:
        done = 0
        with self._news:
            while done < len(into):
                block = stretch.blocks.popleft()
                part = min(len(block), len(into) - done)
                into[done : done + part] = block[:part]
                if part < len(block):
                    stretch.blocks.appendleft(block[part:])
                done += part
            self._in_memory -= done
            self._news.notify()


def _joined(first: Break | None, second: Break | None) -> Break | None:
    """Two breaks with no record between them."""
    if first is None or second is None:
        return first or second
    ticks = second.ticks if second.anew else first.ticks + second.ticks
    return Break(ticks, first.anew or second.anew, first.lost + second.lost)


class BreakDecoder:
    """A decoder whose clock takes up the breaks between stretches; see `sources.reading.record_file.Decoder`."""

    def __init__(self, decoder: Decoder, spooled: Spooled) -> None:
        """Decode the blocks of `spooled` with `decoder`."""
        self._decoder, self._spooled = decoder, spooled

    def decode(
        self,
        block: NDArray[np.uint8],
        time: NDArray[np.int64],
        nanotime: NDArray[np.uint16],
        channel: NDArray[np.uint8],
        marker_time: NDArray[np.int64],
        marker: NDArray[np.uint8],
        state: NDArray[np.int64],
    ) -> list[Gap]:
        """See `Decoder.decode`."""
        gaps = []
        broken = self._spooled.before
        if broken is not None:
            start = int(max(state[TICKS], state[LATEST] + 1, state[_AFTER]))
            if broken.anew:
                stop = max(broken.ticks, start)
                state[TICKS] = stop
            else:
                stop = start + broken.ticks
                state[TICKS] += broken.ticks + 1  # the next record may be of the same wrap and tick as the last
            gaps.append(Gap(start, stop, broken.lost))
        gaps += self._decoder.decode(block, time, nanotime, channel, marker_time, marker, state)
        if state[PHOTONS]:
            state[_AFTER] = max(state[_AFTER], time[state[PHOTONS] - 1] + 1)
        return gaps
