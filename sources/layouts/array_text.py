"""Text: columns of csv, tsv and blank-separated files, by blocks of lines; a wrong field is named with its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sources.layouts import array_text_kernel as kernel
from streamer.errors import InputError

_HEAD = 1 << 16  # bytes within which the first line of numbers must begin
_BLOCK = 1 << 20  # bytes read at once; no line may be longer
_ROWS = 1 << 15  # parsed at once; the first so many decide whether a column has decimals
_MOST_COLUMNS = 1024
_SHOWN = 40
_RULES = {
    kernel.NO_NUMBER: "must be a number",
    kernel.NO_WHOLE: "must be a whole number like those in the lines before",
    kernel.TOO_LONG: "must have at most 18 digits",
}


@dataclass(frozen=True)
class _Layout:
    """Names of the columns, their delimiter, and the byte and line at which the numbers begin."""

    names: list[str]
    delimiter: str
    begin: int
    line: int


def header_names(head: bytes) -> list[str]:
    """Names of the columns in the first bytes of a text; [] when it is none, or has no header."""
    if any(byte < 32 and byte not in b"\t\n\r" for byte in head):
        return []
    layout = _layout(head)
    return [name for name in layout.names if not name.isdigit()] if layout else []


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _split(line: str) -> tuple[str, list[str]]:
    """(delimiter, fields)."""
    for delimiter in "\t;,":
        if delimiter in line:
            return delimiter, [field.strip().strip('"').strip() for field in line.split(delimiter)]
    return " ", line.split()


def _layout(head: bytes) -> _Layout | None:
    """What the first whole lines say; None when there is none but comments.

    The header is the first line that is neither blank nor a comment, unless it is all numbers; then it is the comment
    directly before it, if that has as many words (as `numpy.savetxt` writes it), or nothing: columns are then numbered.
    """
    at, number, comment = 3 if head.startswith(b"\xef\xbb\xbf") else 0, 1, ""
    while (end := head.find(b"\n", at)) >= 0:
        line = head[at:end].decode("utf-8", "replace").strip("\r ")
        if line.lstrip().startswith("#"):
            comment = line.lstrip().lstrip("#").strip()
        elif line.strip():
            delimiter, fields = _split(line)
            if not all(_is_number(field) for field in fields):
                return _Layout(fields, delimiter, end + 1, number + 1)
            names = _split(comment)[1]
            if len(names) != len(fields) or any(_is_number(name) for name in names):
                names = [str(k + 1) for k in range(len(fields))]
            return _Layout(names, delimiter, at, number)
        at, number = end + 1, number + 1
    return None


class TextFile:
    """One text file; see `sources.arrays.ColumnFile`."""

    format = "text"

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            InputError: a file that is no text of columns.
        """
        self._path, self.stated = path, dict[str, str]()
        self.warnings: list[str] = []
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error}); give the path of a file") from None
        if b"\0" in head:
            raise InputError(f"{path}: is no npz, npy, parquet or text; save columns with np.savez or as UTF-8 csv")
        layout = _layout(head)
        if layout is None:
            raise InputError(f"{path}: has no line of columns within its first {_HEAD} bytes; begin with their names")
        if len(layout.names) > _MOST_COLUMNS or len(set(layout.names)) < len(layout.names):
            raise InputError(
                f"{path}: line {layout.line - 1}: columns must have names of their own, and few; rename them"
            )
        self._layout, self.names = layout, layout.names
        self._file: IO[bytes] | None = None
        self._text = np.empty(2 * _BLOCK, np.uint8)
        self._slots = np.full(len(self.names), -1, np.int64)
        self._wanted: list[str] = []
        self._decimal = self._pointed = np.zeros(0, np.uint8)
        self._restart()

    def begin(self, names: list[str]) -> dict[str, np.dtype[Any]]:
        """See `ColumnFile.begin`. Columns are whole numbers unless one of their first entries is not."""
        self._wanted = names
        self._slots[:] = -1
        for slot, name in enumerate(names):
            self._slots[self.names.index(name)] = slot
        self._decimal, self._pointed = np.ones(len(names), np.uint8), np.zeros(len(names), np.uint8)
        self._restart()
        self._rows(_ROWS)
        self._decimal = self._pointed.copy()
        self._restart()
        self.warnings.clear()
        return {
            name: np.dtype(np.float64 if decimal else np.int64)
            for name, decimal in zip(names, self._decimal, strict=True)
        }

    def read(self, rows: int) -> dict[str, NDArray[Any]] | None:
        """See `ColumnFile.read`; the arrays are used again for the next rows."""
        wholes, floats = self._rows(rows)
        if self._state[kernel.FAULT] and not self._state[kernel.ROWS]:
            raise self._fault()
        count = self._state[kernel.ROWS]
        if not count:
            return None
        return {
            name: (floats if self._decimal[slot] else wholes)[slot, :count] for slot, name in enumerate(self._wanted)
        }

    def place(self, row: int) -> str:
        """See `ColumnFile.place`."""
        return f"line {self._lines[row]}"

    def close(self) -> None:
        """See `ColumnFile.close`."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _restart(self) -> None:
        """Go to the first line of numbers."""
        self.close()
        self._state = np.zeros(7, np.int64)
        self._state[kernel.LINE] = self._layout.line
        self._held = self._stop = 0  # bytes in `_text`, and of whole lines in it
        self._ended = False
        self._lines = np.empty(0, np.int64)
        self._arrays = np.empty((0, 0), np.int64), np.empty((0, 0))

    def _rows(self, rows: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Parse lines until there are rows, a fault or the end; `_state` says how many there are."""
        state, columns = self._state, len(self._wanted)
        while True:
            if state[kernel.BYTE] >= self._stop and not self._more():
                state[kernel.ROWS] = 0
                return np.empty((columns, 0), np.int64), np.empty((columns, 0))
            if self._lines.size != min(rows, _ROWS):
                self._lines = np.empty(min(rows, _ROWS), np.int64)
                self._arrays = np.empty((columns, self._lines.size), np.int64), np.empty((columns, self._lines.size))
            wholes, floats = self._arrays
            kernel.parse(
                self._text, self._stop, ord(self._layout.delimiter), self._slots, self._decimal, wholes, floats,
                self._lines, self._pointed, state,
            )  # fmt: skip
            if state[kernel.ROWS] or state[kernel.FAULT]:
                return wholes, floats

    def _more(self) -> bool:
        """Read the next block of whole lines; False at the end."""
        if self._ended:
            return False
        rest = self._held - self._stop
        self._text[:rest] = self._text[self._stop : self._held].copy()
        try:
            if self._file is None:
                self._file = self._path.open("rb")
                self._file.seek(self._layout.begin)
            got = self._file.readinto(self._text.data[rest : rest + _BLOCK])  # type: ignore[attr-defined]
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read any more ({error.strerror or error})") from None
        self._state[kernel.BYTE], self._held = 0, rest + got
        newlines = np.flatnonzero(self._text[: self._held] == 10)
        self._stop = int(newlines[-1]) + 1 if len(newlines) else 0
        if not got:
            self._ended = True
            if rest:
                self.warnings.append("the file ends within a line: it may be cut, and is left out")
            return False
        if not self._stop and self._held > _BLOCK:
            raise InputError(
                f"{self._path}: line {self._state[kernel.LINE]}: is longer than {_BLOCK} bytes; is it text?"
            )
        return self._stop > 0 or self._more()

    def _fault(self) -> InputError:
        state = self._state
        text = self._text[state[kernel.FIRST] : state[kernel.LAST]].tobytes().decode("utf-8", "replace")
        shown = repr(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")
        place = f"{self._path}: line {state[kernel.LINE]}"
        if state[kernel.FAULT] in (kernel.TOO_FEW, kernel.TOO_MANY):
            return InputError(
                f"{place}: must have {len(self.names)} fields as the first has, got {state[kernel.COLUMN]}"
                f"{'' if state[kernel.FAULT] == kernel.TOO_FEW else ' or more'} in {shown}; correct the line"
            )
        name = self.names[state[kernel.COLUMN]]
        return InputError(f"{place}: {name}: {_RULES[int(state[kernel.FAULT])]}, got {shown}; correct the line")
