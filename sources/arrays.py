"""Arrays source: photons as named columns of npz, npy, csv, tsv or parquet files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sources.layouts.array_columns import COLUMN_OPTIONS, UNIT_OPTIONS, Meaning, choose_columns, role_of, understand
from sources.layouts.array_text import TextFile, header_names
from sources.reading.events import Reader
from sources.reading.photon_table import CHANNEL, NANOTIME, TIME, Scale, TableReader
from sources.reading.recording import Source, open_recording
from streamer.chunk import StreamInfo
from streamer.errors import InputError

_NPY, _ZIP, _PARQUET = b"\x93NUMPY", b"PK\x03\x04", b"PAR1"
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d{1,2})?|\.\d+([eE][+-]?\d{1,2})?")


class ColumnFile(Protocol):
    """Named columns of one file.

    Attributes:
        format: such as "npz".
        names: of all columns.
        stated: those of `UNIT_OPTIONS` that the file itself says.
        warnings: what was wrong, one line each, also while reading.
    """

    format: str
    names: list[str]
    stated: dict[str, str]
    warnings: list[str]

    def begin(self, names: list[str]) -> dict[str, np.dtype[Any]]:
        """Choose the columns that are read; return the dtype of each."""
        ...

    def read(self, rows: int) -> dict[str, NDArray[Any]] | None:
        """The next rows, at most so many, of each chosen column; None at the end."""
        ...

    def place(self, row: int) -> str:
        """Where this row of the latest block stands."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class ArrayTable:
    """Columns of a file by role; see `sources.reading.photon_table.Table`."""

    def __init__(self, file: ColumnFile, meaning: Meaning) -> None:
        self.scales: Mapping[str, Scale] = meaning.scales
        self._file, self._columns = file, meaning.columns
        self._told = len(file.warnings)  # those are in the stream's info

    def read(self, rows: int) -> dict[str, NDArray[Any]] | None:
        """See `Table.read`."""
        block = self._file.read(rows)
        return None if block is None else {role: block[name] for role, name in self._columns.items()}

    def place(self, row: int, role: str) -> str:
        """See `Table.place`."""
        return self._file.place(row)

    def warnings(self) -> list[str]:
        """See `Table.warnings`."""
        return self._file.warnings[self._told :]

    def close(self) -> None:
        """See `Table.close`."""
        self._file.close()


def recognise(path: Path, head: bytes) -> bool:
    """Is this an npy, npz or parquet file, or text whose columns are named as photons are?"""
    if head.startswith((_NPY, _PARQUET)):
        return True
    if head.startswith(_ZIP):
        length = int.from_bytes(head[26:28], "little")
        return head[30 : 30 + length].endswith(b".npy")
    roles = {role_of(name)[0] for name in header_names(head)}
    return bool(roles & {TIME, "pulse"}) and bool(roles & {CHANNEL, NANOTIME})


def open_source(where: str, options: Mapping[str, str]) -> Source:
    """Open a file of columns; `where` is its path.

    Options, beside those of every recording (`sources.reading.recording.open_recording`):
        time, pulse, channel, nanotime, marker: name of that column; in text without a header its number, from 1.
        time_ps, ... time_s, nanotime_ps, ... nanotime_s: the same, and its unit.
        tick_ps: unit of times without one, else what they are rounded to.
        resolution_ps: unit of nanotimes without one, else what they are rounded to.
        period_ns: laser period.

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read truly.
    """
    return open_recording("arrays", where, options, _open, (*COLUMN_OPTIONS, *UNIT_OPTIONS))


def _open(path: Path, options: Mapping[str, str], chunk_records: int) -> Reader:
    file = _column_file(path)
    try:
        units = {
            key: _unit(key, options.get(key, file.stated.get(key, "")))
            for key in UNIT_OPTIONS
            if key in options or key in file.stated
        }
        for key in UNIT_OPTIONS:
            if key in options and key in file.stated and _unit(key, file.stated[key]) != units[key]:
                raise InputError(f"{path}: {key}: the file says {file.stated[key]}, got {options[key]}; leave it out")
        chosen = choose_columns(str(path), file.names, options)
        kinds = file.begin(sorted({column.name for column in chosen.values()}))
        meaning = understand(str(path), chosen, kinds, units)
        file.begin(sorted(set(meaning.columns.values())))
        used = {column.name for column in chosen.values()}
        aside = [name for name in file.names if name not in used and not name.isdecimal()]
        said = [f"columns not used: {', '.join(aside)}; name one with channel=, nanotime_ns= ..."] if aside else []
        info = StreamInfo(
            source=f"arrays:{path}",
            file=str(path),
            format=f"arrays {file.format}",
            warnings=(*file.warnings, *meaning.warnings, *said),
            **meaning.timing,
        )
        return TableReader(path, info, ArrayTable(file, meaning), chunk_records)
    except BaseException as error:
        file.close()
        if isinstance(error, ValueError):  # units that StreamInfo refuses
            raise InputError(f"{path}: {error}; correct resolution_ps or period_ns") from None
        raise


def _column_file(path: Path) -> ColumnFile:
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); give the path of a file") from None
    if head.startswith(_NPY):
        from sources.layouts.array_numpy import NpyFile

        return NpyFile(path)
    if head.startswith(_ZIP):
        from sources.layouts.array_numpy import NpzFile

        return NpzFile(path)
    if head.startswith(_PARQUET):
        from sources.layouts.array_parquet import ParquetColumns

        return ParquetColumns(path)
    return TextFile(path)


def _unit(key: str, text: str) -> Fraction:
    """A positive number, as it is written."""
    value = Fraction(text) if _NUMBER.fullmatch(text) else Fraction(0)
    if not Fraction(1, 10**6) <= value <= 10**18:
        raise InputError(f"arrays: {key}: must be a number from 1e-6 to 1e18, got {text!r}")
    return value
