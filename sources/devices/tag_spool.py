"""Tag spool: tags of a running measurement as a quTAG binary file that is valid from its first moment.

Its records are those of `sources.qutag`: int64 time, int16 channel. The format has no record for a loss, so losses
stand in a text file beside it, `NAME.events.txt`, one line each.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from sources.qutag import HEADER_BYTES, MAGIC, RECORD_BYTES
from sources.reading.events import Gap

TIMER = 104  # channel of a record that says how late it is (the device's millisecond tick)

_TIMES = types.Array(types.int64, 1, "C", readonly=True)
_CHANNELS = types.Array(types.uint8, 1, "C", readonly=True)
_U64 = np.uint64


@dataclass(frozen=True, slots=True)
class Loss:
    """A gap, and what made it."""

    gap: Gap
    reason: str


@njit(types.void(_TIMES, _CHANNELS, types.Array(types.uint16, 1, "C")), cache=True, nogil=True)
def encode(time, channel, halves):  # type: ignore[no-untyped-def]
    """Write tags as 10-byte records.

    Args:
        time, channel: int64[n] and uint8[n].
        halves: uint16[5 * n], written: a record is at an even address, but not at one an int64 could be written to.
    """
    for k in range(time.size):
        at, tag = _U64(5 * k), _U64(time[k])
        halves[at] = np.uint16(tag)
        halves[at + _U64(1)] = np.uint16(tag >> _U64(16))
        halves[at + _U64(2)] = np.uint16(tag >> _U64(32))
        halves[at + _U64(3)] = np.uint16(tag >> _U64(48))
        halves[at + _U64(4)] = channel[k]


def encoded(time: NDArray[np.int64], channel: NDArray[np.uint8], into: memoryview) -> int:
    """Write tags as records at the beginning of `into`; returns the bytes used."""
    size = len(time) * RECORD_BYTES
    encode(time, channel, np.frombuffer(into[:size], np.uint16))
    return size


class TagSpool:
    """Writes records into `path`, and losses into `path` with .events.txt behind its name.

    Nothing is buffered here: what was appended outlives this process. When writing fails, the file is cut behind its
    last whole record.

    Attributes:
        path: of the recording.
        events: of the losses; there is such a file only if something was lost.
        records: in the file.
        failed: why nothing is written any more; "" as long as all is well.
        events_failed: the same of the losses.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is written yet; `path` must not exist."""
        self.path, self.events = path, path.with_name(f"{path.name}.events.txt")
        self.records = 0
        self.failed = self.events_failed = ""
        self._file: io.FileIO | None = None

    def begin(self) -> bool:
        """Begin the file; False, with `failed`, when it cannot be written."""
        try:
            self._file = io.FileIO(self.path, "x")
            if self._file.write(MAGIC.ljust(HEADER_BYTES, b"\0")) != HEADER_BYTES:
                raise OSError("the header does not fit on the disk")
            self.events.unlink(missing_ok=True)  # of a recording that is no longer there
        except OSError as error:
            self.failed = f"{self.path}: {error.strerror or error}"
            if self._file is not None:
                self._file.close()
                self._file = None
                self.path.unlink(missing_ok=True)
            return False
        return True

    def append(self, block: memoryview) -> int:
        """Write whole records; return how many are in the file, fewer than given only once `failed`."""
        if self._file is None:
            return 0
        done = 0
        try:
            while done < len(block):
                done += self._file.write(block[done:]) or 0
        except OSError as error:
            self.failed = f"{self.path}: {error.strerror or error}"
            with suppress(OSError):  # readers leave a partial last record out
                self._file.truncate(HEADER_BYTES + (self.records + done // RECORD_BYTES) * RECORD_BYTES)
            self.close()
        self.records += done // RECORD_BYTES
        return done // RECORD_BYTES

    def note(self, loss: Loss) -> None:
        """Write a loss into the file beside."""
        gap = loss.gap
        try:
            new = not self.events.exists()
            with self.events.open("a", encoding="utf-8") as file:
                if new:
                    file.write("# ticks from, ticks to, tags known to be missing, reason\n")
                file.write(f"{gap.start} {gap.stop} {gap.lost} {loss.reason}\n")
        except OSError as error:
            self.events_failed = f"{self.events}: {error.strerror or error}"

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # nothing is buffered
                file.close()
