"""Tag passage: spooled tags, from the thread that writes them to the one that decodes them, with what was lost.

Whoever decodes may be slower than the device: it falls behind in the file, and memory stays flat. Once the disk is
full, blocks wait in memory, as far as there is room.
"""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sources.qutag import HEADER_BYTES, RECORD_BYTES, TagDecoder
from sources.reading.events import Gap
from streamer.errors import InputError

GATHER_S = 0.010  # a block is waited for so long to become full: chunks are not too small, and a viewer is smooth
_MEMORY = 64 << 20  # bytes that wait in memory once the disk is full


class Passage:
    """Both ends; the reading end is a `sources.reading.record_file.Supply`.

    Attributes:
        total: records that came so far.
        taken: records that were given out.
        gaps: of the block that was given out last, or before it.
    """

    def __init__(self, path: Path, stop: Callable[[], None], close: Callable[[], None]) -> None:
        """`stop` and `close` are called when the reading end is stopped and closed."""
        self._path, self._stop, self._close = path, stop, close
        self._news = threading.Condition()
        self._blocks: deque[memoryview] = deque()
        self._lost: deque[tuple[int, Gap]] = deque()  # records before it, gap
        self._finished = False
        self._wanted = 1
        self._in_memory = 0
        self._in_file = 0
        self.total = self.taken = 0
        self.gaps: list[Gap] = []
        self._file: io.FileIO | None = None

    # ---- the writing end

    def extend(self, records: int) -> None:
        """So many more records are in the file; only before the first `hand_over`."""
        with self._news:
            self._in_file += records
            self.total += records
            if self.total - self.taken >= self._wanted:
                self._news.notify()

    def hand_over(self, block: memoryview, stopping: threading.Event) -> bool:
        """Give a block that is in no file; waits while there is too much. False: stopped while waiting."""
        with self._news:
            while self._in_memory > _MEMORY:
                if stopping.is_set():
                    return False
                self._news.wait(GATHER_S)
            self._blocks.append(block)
            self._in_memory += len(block)
            self.total += len(block) // RECORD_BYTES
            self._news.notify()
        return True

    def lose(self, gap: Gap) -> None:
        """A gap among the records that follow; at least one must."""
        with self._news:
            self._lost.append((self.total, gap))

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
            while (ready := self.total - self.taken) < room and not self._finished:
                left = GATHER_S - (time.monotonic() - begun)
                if left <= 0:
                    break
                self._news.wait(left)
            if not ready:
                return None if self._finished else 0
            in_file = self._in_file - self.taken
        count = min(ready, room) if in_file <= 0 else min(in_file, room)
        if in_file > 0:
            self._load(into[: count * RECORD_BYTES])
        else:
            self._copy(into[: count * RECORD_BYTES])
        self.taken += count
        self.gaps = []
        with self._news:
            while self._lost and self._lost[0][0] < self.taken:
                self.gaps.append(self._lost.popleft()[1])
        return count * RECORD_BYTES

    def ended(self) -> bool:
        """Was the last record given out?"""
        with self._news:
            return self._finished and self.taken == self.total

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

    def _load(self, into: memoryview) -> None:
        try:
            if self._file is None:
                self._file = io.FileIO(self._path)
                self._file.seek(HEADER_BYTES)
            got = 0
            while got < len(into):
                more = self._file.readinto(into[got:])
                if not more:
                    raise OSError("it became shorter")
                got += more
        except OSError as error:
            raise InputError(
                f"{self._path}: the spool cannot be read back ({error.strerror or error}); leave it alone while "
                "the measurement runs"
            ) from None

    def _copy(self, into: memoryview) -> None:
        done = 0
        with self._news:
            while done < len(into):
                block = self._blocks.popleft()
                part = min(len(block), len(into) - done)
                into[done : done + part] = block[:part]
                if part < len(block):
                    self._blocks.appendleft(block[part:])
                done += part
            self._in_memory -= done
            self._news.notify()


class LossDecoder:
    """Decoder of 10-byte tags that tells the gaps too; see `sources.reading.record_file.Decoder`."""

    def __init__(self, passage: Passage) -> None:
        """Decode the blocks of `passage`."""
        self._tags, self._passage = TagDecoder(), passage

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
        self._tags.decode(block, time, nanotime, channel, marker_time, marker, state)
        return list(self._passage.gaps)
