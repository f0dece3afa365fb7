"""NumPy files: the columns of npy and npz, read as streams; nothing is unpickled or taken into memory as a whole.

Layout: a header with dtype and shape, then the entries (numpy.lib.format); an npz is a zip of such files.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sources.layouts.array_columns import UNIT_OPTIONS
from streamer.errors import InputError

_FAULTS = (
    OSError, ValueError, TypeError, KeyError, EOFError, SyntaxError, RuntimeError, MemoryError, OverflowError,
    zipfile.BadZipFile, zlib.error, IndexError, AttributeError,
)  # fmt: skip
_WIDEST = 4096  # bytes of one structured entry
_LARGEST_BLOCK = 1 << 25  # bytes read at once
_MOST_MEMBERS = 10_000


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype; leaves the stream at the first entry. ValueError for what is not read here."""
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"npy version {version[0]}.{version[1]}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers as Python 2 wrote them
            shape, fortran, dtype = read(stream)
    except Exception as error:  # a damaged one raises whatever its text leads to, also tokenize.TokenError
        raise ValueError(str(error)) from None
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not unpickled")
    if fortran and len(shape) > 1:
        raise ValueError("its entries are stored by column")
    if any(isinstance(size, bool) or not 0 <= size < 1 << 62 for size in shape):
        raise ValueError(f"its shape is {shape}")
    return shape, dtype


class NpyFile:
    """One structured npy file; see `sources.arrays.ColumnFile`."""

    format = "npy"

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            InputError: a file without named columns of numbers.
        """
        self._path, self.stated = path, dict[str, str]()
        self.warnings: list[str] = []
        try:
            self._file = path.open("rb")
        except OSError as error:
            _damaged(path, "", error)
        try:
            shape, dtype = _header(self._file)
            held = (path.stat().st_size - self._file.tell()) // max(dtype.itemsize, 1)
        except _FAULTS as error:
            self._file.close()
            _damaged(path, "", error)
        if dtype.names is None or len(shape) != 1:
            self._file.close()
            raise InputError(
                f"{path}: must be a structured array of one dimension, got {dtype} of shape {shape}; columns get names "
                "with np.savez(FILE, time_ps=..., channel=...)"
            )
        if not 0 < dtype.itemsize <= _WIDEST:
            self._file.close()
            raise InputError(f"{path}: an entry has {dtype.itemsize} bytes, not 1 to {_WIDEST}; save its columns alone")
        self._dtype, self.names = dtype, list(dtype.names)
        self.rows = min(shape[0], held)
        if held < shape[0]:
            self.warnings.append(
                f"the header says {shape[0]} entries, the file holds {held}, which are used; it was cut"
            )
        self._first = self._next = 0
        self._wanted: list[str] = []

    def begin(self, names: list[str]) -> dict[str, np.dtype[Any]]:
        """See `ColumnFile.begin`."""
        self._wanted = names
        return {name: self._dtype[name] for name in names}

    def read(self, rows: int) -> dict[str, NDArray[Any]] | None:
        """See `ColumnFile.read`."""
        rows = min(rows, self.rows - self._next, _LARGEST_BLOCK // self._dtype.itemsize)
        if rows <= 0:
            return None
        try:
            data = self._file.read(rows * self._dtype.itemsize)
        except _FAULTS as error:
            _damaged(self._path, "", error)
        if len(data) < rows * self._dtype.itemsize:
            rows = len(data) // self._dtype.itemsize
            self.rows = self._next + rows
            self.warnings.append(f"the file became shorter while it was read: it ends at entry {self.rows}")
        self._first, self._next = self._next, self._next + rows
        block = np.frombuffer(data, self._dtype, rows)
        return {name: block[name] for name in self._wanted} if rows else None

    def place(self, row: int) -> str:
        """See `ColumnFile.place`."""
        return f"entry [{self._first + row}]"

    def close(self) -> None:
        """See `ColumnFile.close`."""
        self._file.close()


class NpzFile:
    """The one-dimensional arrays of an npz; see `sources.arrays.ColumnFile`. Scalars may say units."""

    format = "npz"

    def __init__(self, path: Path) -> None:
        """Read the list of members, and those that say a unit.

        Raises:
            InputError: a file that is no zip, or a damaged one.
        """
        self._path = path
        self.stated: dict[str, str] = {}
        self.warnings: list[str] = []
        self._streams: dict[str, tuple[IO[bytes], np.dtype[Any]]] = {}
        self.rows = self._first = self._next = 0
        try:
            self._zip = zipfile.ZipFile(path)
        except _FAULTS as error:
            _damaged(path, "", error)
        names = self._zip.namelist()
        self.names = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
        try:
            if len(names) > _MOST_MEMBERS:
                raise InputError(f"{path}: has more than {_MOST_MEMBERS} members; it is no recording")
            for key in UNIT_OPTIONS:
                if key in self.names:
                    self.stated[key] = self._scalar(key)
                    self.names.remove(key)
        except InputError:
            self.close()
            raise

    def begin(self, names: list[str]) -> dict[str, np.dtype[Any]]:
        """See `ColumnFile.begin`; refuses arrays of different lengths."""
        self._close_streams()
        lengths: dict[str, int] = {}
        for name in names:
            stream, shape, dtype = self._open(name)
            self._streams[name] = stream, dtype
            if len(shape) != 1:
                raise InputError(f"{self._path}: {name}: must have one dimension, got shape {shape}; save its columns")
            lengths[name] = shape[0]
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            raise InputError(f"{self._path}: columns must be of equal length, got {listed}; save them again")
        self.rows = min(lengths.values(), default=0)
        return {name: dtype for name, (_, dtype) in self._streams.items()}

    def read(self, rows: int) -> dict[str, NDArray[Any]] | None:
        """See `ColumnFile.read`."""
        rows = min(rows, self.rows - self._next)
        if rows <= 0:
            return None
        block: dict[str, NDArray[Any]] = {}
        for name, (stream, dtype) in self._streams.items():
            try:
                data = stream.read(rows * dtype.itemsize)
                block[name] = np.frombuffer(data, dtype, rows)
            except _FAULTS as error:
                _damaged(self._path, name, error)
        self._first, self._next = self._next, self._next + rows
        return block

    def place(self, row: int) -> str:
        """See `ColumnFile.place`."""
        return f"entry [{self._first + row}]"

    def close(self) -> None:
        """See `ColumnFile.close`."""
        self._close_streams()
        self._zip.close()

    def _close_streams(self) -> None:
        for stream, _ in self._streams.values():
            stream.close()
        self._streams = {}

    def _open(self, name: str) -> tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]:
        """A member's stream at its first entry, its shape and dtype."""
        try:
            member = self._zip.getinfo(f"{name}.npy")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"packed by method {member.compress_type}")
            stream = self._zip.open(member)
        except _FAULTS as error:
            _damaged(self._path, name, error)
        try:
            shape, dtype = _header(stream)
            if dtype.itemsize > _WIDEST:
                raise ValueError(f"an entry has {dtype.itemsize} bytes")
            wanted = float(np.prod(shape, dtype=np.float64)) * dtype.itemsize
            if stream.tell() + wanted > member.file_size:
                raise ValueError(f"{member.file_size} bytes cannot hold shape {shape} of {dtype}")
        except _FAULTS as error:
            stream.close()
            _damaged(self._path, name, error)
        return stream, shape, dtype

    def _scalar(self, name: str) -> str:
        """A unit saved beside the columns."""
        stream, shape, dtype = self._open(name)
        with stream:
            if shape not in ((), (1,)) or dtype.kind not in "iuf":
                raise InputError(f"{self._path}: {name}: must be one number, got {dtype} of shape {shape}")
            try:
                return repr(np.frombuffer(stream.read(dtype.itemsize), dtype, 1)[0].item())
            except _FAULTS as error:
                _damaged(self._path, name, error)


def _damaged(path: Path, name: str, error: BaseException) -> NoReturn:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    where = f"{path}: {name}" if name else str(path)
    raise InputError(f"{where}: cannot be read as a NumPy file ({reason}); save it again with np.savez") from None
