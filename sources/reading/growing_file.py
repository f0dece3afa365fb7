"""Growing file: whole records of a file that another program is still writing, as soon as they are there."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

from sources.reading.record_file import RecordFormat
from streamer.errors import InputError

POLL_S = 0.010  # after records the file is left alone so long: lag, against chunks too small to be worth their way
LONGEST_POLL_S = 0.020
ANSWER_S = 0.050  # without records `fill` returns after so long, for whoever asked has other things to see to
_TAIL = 64  # bytes given out last, which must still be there when the file has grown


class GrowingFile:
    """Supply of a file that grows (see `sources.reading.record_file.Supply`).

    It never ends by itself: whoever reads it looks at the attributes and calls `finish`. The file is polled, which
    works on network drives too, and opened for reading only, so that its writer is not hindered.

    Attributes:
        total: records given out.
        limit: records to be given out at most, for the time being; None for no limit.
        waiting: the last `fill` found nothing new.
        replaced: another file stands under the name now, or this one was cut or written anew; its records that were
            given out hold.
    """

    def __init__(self, path: Path, fmt: RecordFormat, stopping: threading.Event) -> None:
        """Read the header; the file is opened for good when records are asked for.

        Args:
            path: of the file.
            fmt: what its header says.
            stopping: wakes `fill` when set.

        Raises:
            InputError: the file cannot be opened.
        """
        self._path, self._size, self._offset = path, fmt.record_bytes, fmt.offset
        self._stopping = stopping
        self.total = 0
        self.limit: int | None = None
        self.waiting = self.replaced = False
        self._over = False
        self._tail = b""
        self._seen = fmt.offset  # bytes
        self._pause, self._due = POLL_S, 0.0
        self._grown = time.monotonic()
        self._file: io.FileIO | None = None
        self._header = b""
        self.header_changed()
        self.close()

    def fill(self, into: memoryview) -> int | None:
        """Whole records; 0 when none came within ANSWER_S, the limit is reached, or `stopping` is set."""
        if self._over:
            return None
        deadline = time.monotonic() + ANSWER_S
        while True:
            wait = min(self._due, deadline) - time.monotonic()
            if (wait > 0 and self._stopping.wait(wait)) or self._stopping.is_set():
                break
            got = self._take(into)
            if not got and not self.replaced and self._elsewhere():
                got = self._take(into)  # written between that look and the change of name
            now = time.monotonic()
            if got:
                behind = got > len(into) - self._size
                self._pause, self._due = POLL_S, (now if behind else now + POLL_S)
                self.waiting = False
                return got
            self._pause = min(1.5 * self._pause, LONGEST_POLL_S)
            self._due = now + self._pause
            if self.replaced or now >= deadline or self.total == self.limit:
                break
        self.waiting = True
        return 0

    @property
    def idle_s(self) -> float:
        """Time since the file grew."""
        return time.monotonic() - self._grown

    def touch(self) -> None:
        """Begin to wait anew."""
        self._grown = time.monotonic()

    def header_changed(self) -> bool:
        """Has the header been written to since this was asked last?"""
        try:
            header = self._read(0, self._offset)
        except OSError as error:
            raise self._lost(error) from None
        changed, self._header = header != self._header, header
        return changed

    def finish(self) -> bool:
        """End here; False, and nothing happens, when more records have come in the meantime."""
        if not self.replaced and self._rest() >= self._size:
            return False
        self._over = True
        return True

    def ended(self) -> bool:
        """See `Supply.ended`."""
        return self._over

    def warnings(self) -> list[str]:
        """See `Supply.warnings`."""
        if self.replaced or not self._over or not (rest := self._rest()):
            return []
        return [f"the file ends within a record: its last {rest} bytes are left out"]

    def close(self) -> None:
        """See `Supply.close`; it is opened again when it is read again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rest(self) -> int:
        """Bytes behind the last record that was given out."""
        try:
            size = (self._path.stat() if self._file is None else os.fstat(self._file.fileno())).st_size
        except OSError:
            return 0
        return max(0, size - self._offset - self.total * self._size)

    def _take(self, into: memoryview) -> int:
        """Whole records that are there now; a partial one stays for the next time."""
        size, at = self._size, self._offset + self.total * self._size
        wanted = len(into) // size if self.limit is None else min(len(into) // size, self.limit - self.total)
        try:
            if self._read(at - len(self._tail), len(self._tail)) != self._tail:
                self.replaced = True
                return 0
            file = self._at(at)
            got = file.readinto(into[: wanted * size]) or 0
        except OSError as error:
            raise self._lost(error) from None
        if at + got > self._seen:
            self._seen = at + got
            self.touch()
        whole = got // size * size
        if whole:
            self._tail = bytes(into[max(0, whole - _TAIL) : whole])
            self.total += whole // size
        return whole

    def _read(self, at: int, size: int) -> bytes:
        return self._at(at).read(size) or b""

    def _at(self, at: int) -> io.FileIO:
        """The file, at this byte."""
        if self._file is None:
            self._file = self._path.open("rb", buffering=0)
        self._file.seek(at)
        return self._file

    def _elsewhere(self) -> bool:
        """Does the name stand for another file now? One that is gone may come back."""
        try:
            there, mine = self._path.stat(), os.fstat(self._at(0).fileno())
        except OSError:
            return False
        self.replaced = not os.path.samestat(there, mine)
        return self.replaced

    def _lost(self, error: OSError) -> InputError:
        return InputError(f"{self._path}: cannot be read any more ({error.strerror or error})")
