"""HDF5 tree: nodes of one file, reached over hard links only, and slices of its datasets in bounded memory.

No other file is ever opened: external links, soft links, virtual datasets and external storage are refused. The layout
of links and of storage is looked at before a dataset is asked for its size, for that alone may open the files that a
virtual dataset is made of (HDF5 reference manual, H5Pset_virtual_view).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
from numpy.typing import NDArray

from sources.reading.photon_table import is_numbers
from streamer.errors import InputError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LARGEST_CHUNK = 1 << 26  # bytes that must be unpacked at once to read one entry
_SMALLEST_CACHE = 1 << 20
_LONGEST_TEXT = 4096  # bytes
_SHOWN_TEXT = 120
_MOST_NAMES = 10_000
_FAULTS = (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError, OverflowError, UnicodeError)


def is_hdf5(head: bytes) -> bool:
    """Do the first bytes of a file, with or without a user block before them, begin HDF5?"""
    return any(head.startswith(SIGNATURE, at) for at in (0, 512, 1024, 2048))


class Hdf5File:
    """One HDF5 file, open for reading."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            InputError: a file that cannot be read as HDF5, such as one that was cut.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                head = file.read(2056)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error}); give the path of a file") from None
        if not is_hdf5(head):
            raise InputError(f"{path}: is not an HDF5 file: it begins with {head[:8]!r}; export it as Photon-HDF5")
        try:
            self._file = h5py.File(path, "r", locking=False)
        except _FAULTS as error:
            self.damaged("/", error)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._file.close()

    def names(self, where: str = "/") -> list[str]:
        """What a group holds; [] when there is no such group."""
        group = self._node(where)
        if not isinstance(group, h5py.h5g.GroupID):
            return []
        try:
            if group.get_num_objs() > _MOST_NAMES:
                raise InputError(f"{self.path}: {where}: has more than {_MOST_NAMES} members; it is no recording")
            return [name.decode("utf-8", "replace") for name in group]
        except _FAULTS as error:
            self.damaged(where, error)

    def has(self, where: str) -> bool:
        """Is there a node of this path?"""
        return self._node(where) is not None

    def column(self, where: str) -> Hdf5Column | None:
        """A dataset of one dimension and numbers, to be read in slices; None when it is missing.

        Raises:
            InputError: a node that is anything else, or that cannot be read in bounded memory from this file alone.
        """
        node = self._node(where)
        if node is None:
            return None
        column = Hdf5Column(self, where, self._dataset(where, node))
        if column.dimensions != 1:
            self.refuse(where, f"must be an array of one dimension, got {column.dimensions}")
        if not is_numbers(column.dtype):
            self.refuse(where, f"must be an array of numbers, got {column.dtype}")
        column.check_stored()
        return column

    def numbers(self, where: str) -> NDArray[np.float64]:
        """A few numbers (a scalar or a short array), finite or not; [] when they are missing."""
        node = self._node(where)
        if node is None:
            return np.empty(0)
        dataset = self._dataset(where, node)
        try:
            values = np.empty(dataset.shape, dataset.dtype)
            if values.size > _MOST_NAMES or not is_numbers(values.dtype):
                self.refuse(where, f"must be a number or a few, got {values.size} of {values.dtype}")
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
            return values.astype(np.float64).ravel()
        except _FAULTS as error:
            self.damaged(where, error)

    def number(self, where: str) -> float | None:
        """One number; None when it is missing.

        Raises:
            InputError: none or several of them.
        """
        values = self.numbers(where)
        if not self.has(where):
            return None
        if len(values) != 1:
            self.refuse(where, f"must be one number, got {len(values)}")
        return float(values[0])

    def text(self, where: str) -> str:
        """A short text of fixed length, or "".

        Text of variable length is not read: HDF5 2.0 never comes back from some damaged ones.
        """
        node = self._node(where)
        try:
            if not isinstance(node, h5py.h5d.DatasetID) or not _is_short_text(node):
                return ""
            value = np.empty(node.shape, node.dtype)
            self._dataset(where, node).read(h5py.h5s.ALL, h5py.h5s.ALL, value)
            return _plain(value)
        except (*_FAULTS, InputError):  # nothing that decides how photons are read
            return ""

    def attribute(self, name: str) -> str | None:
        """An attribute of the file that is text, as `text`; None when it is there but of variable length."""
        try:
            if not h5py.h5a.exists(self._file.id, name.encode()):
                return ""
            attribute = h5py.h5a.open(self._file.id, name.encode())
            if not _is_short_text(attribute):
                return None
            value = np.empty(attribute.shape, attribute.dtype)
            attribute.read(value)
            return _plain(value)
        except _FAULTS:
            return ""

    def refuse(self, where: str, what: str) -> NoReturn:
        """Raise the error for a node that is not what the format asks for."""
        raise InputError(f"{self.path}: {where}: {what}; convert the recording to Photon-HDF5 again")

    def damaged(self, where: str, error: BaseException) -> NoReturn:
        """Raise the error for what HDF5 cannot read."""
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{self.path}: {where}: the file is cut or damaged ({reason}); copy it again") from None

    def _node(self, where: str) -> Any:
        """The object at a path; None when there is none."""
        try:
            node = self._file["/"].id
            for name in where.strip("/").split("/") if where.strip("/") else ():
                key = name.encode()
                if not isinstance(node, h5py.h5g.GroupID) or not node.links.exists(key):
                    return None
                if node.links.get_info(key).type != h5py.h5l.TYPE_HARD:
                    raise InputError(
                        f"{self.path}: {where}: is a link to another place or file, which is not followed; "
                        "copy what it points to into this file"
                    )
                node = h5py.h5o.open(node, key)
            return node
        except _FAULTS as error:
            self.damaged(where, error)

    def _dataset(self, where: str, node: Any) -> h5py.h5d.DatasetID:
        """The node when it is a dataset whose bytes are in this file and can be unpacked here."""
        if not isinstance(node, h5py.h5d.DatasetID):
            self.refuse(where, "must be a dataset")
        try:
            plan = node.get_create_plist()
            layout = plan.get_layout()
            if layout == h5py.h5d.VIRTUAL or (layout == h5py.h5d.CONTIGUOUS and plan.get_external_count()):
                raise InputError(
                    f"{self.path}: {where}: is stored in other files, which are not opened; copy the data into this one"
                )
            for k in range(plan.get_nfilters()):
                code, _, _, name = plan.get_filter(k)
                if not h5py.h5z.filter_avail(code):
                    raise InputError(
                        f"{self.path}: {where}: is packed with filter {code} ({_plain(name)}), which HDF5 here does "
                        "not have; repack it with gzip (h5repack -f GZIP=4)"
                    )
            if layout == h5py.h5d.CHUNKED:
                size = int(np.prod(plan.get_chunk(), dtype=np.float64)) * node.get_type().get_size()
                if size > _LARGEST_CHUNK:
                    raise InputError(
                        f"{self.path}: {where}: its chunks of {size} bytes are larger than {_LARGEST_CHUNK}; repack it "
                        "with smaller ones (h5repack -l CHUNK=65536)"
                    )
                # A chunk that is larger than the cache would be unpacked again for every slice of it.
                access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
                access.set_chunk_cache(521, max(2 * size, _SMALLEST_CACHE), 1.0)
                above, _, name = where.rpartition("/")
                node = h5py.h5d.open(self._node(above), name.encode(), access)
            return node
        except _FAULTS as error:
            self.damaged(where, error)


class Hdf5Column:
    """One dataset, read in slices."""

    def __init__(self, file: Hdf5File, where: str, dataset: h5py.h5d.DatasetID) -> None:
        self.where, self.path, self._file, self._dataset = where, file.path, file, dataset
        try:
            shape = dataset.shape
            self.dimensions = len(shape)
            self.dtype: np.dtype[Any] = dataset.dtype
            self.length = int(shape[0]) if shape else 0
        except _FAULTS as error:
            file.damaged(where, error)

    def check_stored(self) -> None:
        """Refuse entries that were promised but never written: HDF5 would give out zeros for them."""
        try:
            plan = self._dataset.get_create_plist()
            if plan.get_layout() == h5py.h5d.CHUNKED:
                wanted = -(-self.length // plan.get_chunk()[0])
                stored, unit = self._dataset.get_num_chunks(), "chunks"
            else:
                wanted, stored, unit = self.length * self.dtype.itemsize, self._dataset.get_storage_size(), "bytes"
        except _FAULTS as error:
            self._file.damaged(self.where, error)
        if stored < wanted:
            self._file.refuse(
                self.where,
                f"must have {wanted} {unit} for its {self.length} entries, got {stored}: not all was written",
            )

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Entries [start, stop) in the machine's byte order.

        Raises:
            InputError: bytes that cannot be unpacked.
        """
        try:
            entries = np.empty(stop - start, self.dtype)
            if stop > start:
                space = self._dataset.get_space()
                space.select_hyperslab((start,), (stop - start,))
                self._dataset.read(h5py.h5s.create_simple((stop - start,)), space, entries)
            return entries.astype(self.dtype.newbyteorder("="), copy=False)
        except _FAULTS as error:
            self._file.damaged(f"{self.where}[{start}:{stop}]", error)


def _is_short_text(node: Any) -> bool:
    """Is a dataset or attribute one text of fixed length?"""
    kind = node.get_type()
    return (
        isinstance(kind, h5py.h5t.TypeStringID)
        and not kind.is_variable_str()
        and node.shape in ((), (1,))
        and kind.get_size() <= _LONGEST_TEXT
    )


def _plain(value: Any) -> str:
    """Text as HDF5 writers leave it: bytes or str, alone or in an array, padded."""
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:_SHOWN_TEXT]
