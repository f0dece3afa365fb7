"""Parquet: its columns by batches, where pyarrow is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

_BUFFER = 1 << 20
_LARGEST_TEXT = 1 << 24  # bytes of metadata


class ParquetColumns:
    """One parquet file; see `sources.arrays.ColumnFile`."""

    format = "parquet"

    def __init__(self, path: Path) -> None:
        """Read the metadata.

        Raises:
            InputError: pyarrow is missing, or the file is damaged.
        """
        self._path = path
        self.stated: dict[str, str] = {}
        self.warnings: list[str] = []
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise InputError(
                f"{path}: parquet is read with pyarrow, which is not installed; pip install pyarrow, or save as npz"
            ) from None
        self._faults = (
            pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError, RuntimeError, MemoryError, OverflowError,
        )  # fmt: skip
        try:
            self._file = pyarrow.parquet.ParquetFile(
                path, buffer_size=_BUFFER, pre_buffer=False, thrift_string_size_limit=_LARGEST_TEXT,
                thrift_container_size_limit=_LARGEST_TEXT,
            )  # fmt: skip
            self._schema = self._file.schema_arrow
            self.names = list(self._schema.names)
        except self._faults as error:
            self._damaged(error)
        self._batches: Iterator[Any] | None = None
        self._wanted: list[str] = []
        self._first = self._next = 0

    def begin(self, names: list[str]) -> dict[str, np.dtype[Any]]:
        """See `ColumnFile.begin`."""
        kinds: dict[str, np.dtype[Any]] = {}
        for name in names:
            if self.names.count(name) > 1:
                raise InputError(f"{self._path}: column {name}: is there twice; save it once")
            try:
                kinds[name] = np.dtype(self._schema.field(name).type.to_pandas_dtype())
            except (*self._faults, NotImplementedError):
                kinds[name] = np.dtype(object)
        self._wanted = names
        return kinds

    def read(self, rows: int) -> dict[str, NDArray[Any]] | None:
        """See `ColumnFile.read`."""
        try:
            if self._batches is None:
                self._batches = self._file.iter_batches(rows, columns=self._wanted)
            batch = next(self._batches, None)
            if batch is None:
                return None
            self._first, self._next = self._next, self._next + batch.num_rows
            block = {}
            for name in self._wanted:
                column = batch.column(name)
                if column.null_count:
                    row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
                    raise InputError(
                        f"{self._path}: {self.place(row)}: {name}: is empty; leave such rows out of the file"
                    )
                block[name] = column.to_numpy(zero_copy_only=False)
            return block
        except self._faults as error:
            self._damaged(error)

    def place(self, row: int) -> str:
        """See `ColumnFile.place`."""
        return f"row [{self._first + row}]"

    def close(self) -> None:
        """See `ColumnFile.close`."""
        self._batches = None
        self._file.close()

    def _damaged(self, error: BaseException) -> NoReturn:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{self._path}: cannot be read as parquet ({reason}); save it again") from None
