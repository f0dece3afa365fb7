"""Frames: a small header, wire version first, then one raw buffer per array; all checked before memory is taken.

    frame 0      msgpack map: "wire": 1, "kind": text, "fields": map,
                 "arrays": list of maps "name", "dtype", "shape", "encoding" (always "raw" in version 1)
    frame 1...   one per entry of "arrays": its elements, little-endian, C order, nothing around them

Data only: what comes out is plain values and arrays of known types. Keys that this version does not know are left
alone, so a later release may add some; another wire version is refused before the rest of the header is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgpack
import numpy as np
from numpy.typing import NDArray

from streamer.errors import ProtocolError

WIRE_VERSION = 1
MAX_HEADER_BYTES = 1 << 20
MAX_ARRAY_BYTES = 1 << 28  # 33 million photon times; a source sends some hundred thousand at a time
MAX_ARRAYS = 256
MAX_DIMENSIONS = 4
MAX_DEPTH = 16
MAX_INTEGER = 2**62  # so that a sum or difference of two never leaves int64
DTYPES = {
    text: np.dtype(text) for text in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8")
}

Buffer: TypeAlias = bytes | bytearray | memoryview
Frames: TypeAlias = list[Buffer]

_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException)


class WrongVersion(ProtocolError):
    """The other end speaks another wire version; nothing that it sends can be read."""


def shown(value: Any) -> str:
    """A value as one short line for an error message."""
    if isinstance(value, (list, dict)) and len(value) > 8:
        return f"a {type(value).__name__} of {len(value)}"
    line = " ".join(repr(value).split())
    return line if len(line) <= 60 else line[:57] + "..."


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """Return `value` as None, bool, int, float, text, list or dict with text keys; ProtocolError for anything else."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        if type(value) is int and not -(2**63) <= value < 2**64:
            raise ProtocolError(f"{where}: integer {shown(value)} does not fit 64 bits")
        return value
    if depth >= MAX_DEPTH:
        raise ProtocolError(f"{where}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, (list, tuple)):
        return [plain(item, where, depth + 1) for item in value]
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                raise ProtocolError(f"{where}: key {shown(key)} must be text")
        return {key: plain(item, f"{where}.{key}" if depth < 2 else where, depth + 1) for key, item in value.items()}
    if isinstance(value, (float, str)):  # subclasses, such as an enum's text
        return float(value) if isinstance(value, float) else str(value)
    raise ProtocolError(f"{where}: {type(value).__name__} is not plain data; send numbers, text, lists and dicts")


class Fields:
    """The fields of a received message, taken out by name; one that breaks its rule is a ProtocolError."""

    def __init__(self, kind: str, values: Mapping[str, Any]) -> None:
        """`values` is plain data."""
        self.kind, self.values = kind, values

    def take(self, key: str, type_: type, rule: str) -> Any:
        """The value of `key` if it is of exactly this type; `rule` says so in words."""
        value = self.values.get(key)
        if type(value) is not type_:
            raise ProtocolError(f"{self.kind} message, field {key}: must be {rule}, got {shown(value)}")
        return value

    def whole(self, key: str, low: int = 0, high: int = MAX_INTEGER) -> int:
        """A whole number from `low` to `high`."""
        value: int = self.take(key, int, "a whole number")
        if not low <= value <= high:
            raise ProtocolError(f"{self.kind} message, field {key}: must be from {low} to {high}, got {shown(value)}")
        return value

    def text(self, key: str) -> str:
        """Text, perhaps empty."""
        return str(self.take(key, str, "text"))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of text."""
        value = self.take(key, list, "a list of text")
        if any(type(item) is not str for item in value):
            raise ProtocolError(f"{self.kind} message, field {key}: must be a list of text, got {shown(value)}")
        return tuple(value)

    def table(self, key: str) -> dict[str, Any]:
        """A map with text keys."""
        return dict(self.take(key, dict, "a map"))


def pack(kind: str, fields: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None) -> Frames:
    """Frames of one message; the arrays are not copied when they are contiguous, so they may not change afterwards.

    Raises ProtocolError when a value is not plain data, an array's type is unknown, or something exceeds its limit.
    """
    descriptors: list[dict[str, Any]] = []
    buffers: Frames = []
    for name, given in (arrays or {}).items():
        array = np.asarray(given, order="C")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype.str not in DTYPES:
            raise ProtocolError(f"array {name}: dtype {array.dtype} cannot be sent; known are {', '.join(DTYPES)}")
        if array.nbytes > MAX_ARRAY_BYTES:
            raise ProtocolError(f"array {name}: {array.nbytes} bytes, at most {MAX_ARRAY_BYTES}; send smaller pieces")
        descriptors.append({"name": name, "dtype": array.dtype.str, "shape": list(array.shape), "encoding": "raw"})
        buffers.append(array.reshape(-1).view(np.uint8).data if array.size else b"")
    if len(descriptors) > MAX_ARRAYS:
        raise ProtocolError(f"{kind} message: {len(descriptors)} arrays, at most {MAX_ARRAYS}")
    header = {"wire": WIRE_VERSION, "kind": kind, "fields": plain(dict(fields), kind), "arrays": descriptors}
    try:
        packed = msgpack.packb(header)
    except ValueError as error:  # text that is not valid Unicode
        raise ProtocolError(f"{kind} message: {shown(str(error))}") from None
    if len(packed) > MAX_HEADER_BYTES:
        raise ProtocolError(f"{kind} message: header of {len(packed)} bytes, at most {MAX_HEADER_BYTES}; use arrays")
    return [packed, *buffers]


def unpack(frames: Sequence[Any]) -> tuple[str, dict[str, Any], dict[str, NDArray[Any]]]:
    """Kind, fields and read-only arrays of one message; inverse of `pack`.

    An aligned buffer becomes a view of the frame that holds it alive; an unaligned one is copied, because numba kernels
    take aligned arrays only. Raises ProtocolError, and never anything else, whatever the frames are.
    """
    if not frames:
        raise ProtocolError("message without frames: the first must be the header")
    header = _header(_bytes_of(frames[0], "header"))
    kind, fields, descriptors = (header.get(key) for key in ("kind", "fields", "arrays"))
    if type(kind) is not str or not kind or len(kind) > 32:
        raise ProtocolError(f"header: kind must be a word, got {shown(kind)}")
    if type(fields) is not dict:
        raise ProtocolError(f"{kind} message: fields must be a map, got {shown(fields)}")
    if type(descriptors) is not list or len(descriptors) > MAX_ARRAYS:
        raise ProtocolError(f"{kind} message: arrays must be a list of at most {MAX_ARRAYS}, got {shown(descriptors)}")
    if len(descriptors) != len(frames) - 1:
        raise ProtocolError(f"{kind} message: {len(descriptors)} arrays announced, {len(frames) - 1} buffers came")
    arrays: dict[str, NDArray[Any]] = {}
    for descriptor, frame in zip(descriptors, frames[1:], strict=True):
        name = descriptor.get("name") if type(descriptor) is dict else None
        if type(name) is not str or not 0 < len(name) <= 128 or name in arrays:
            raise ProtocolError(f"{kind} message: every array needs a name of its own, got {shown(name)}")
        where = f"{kind} message, array {shown(name)}"
        arrays[name] = _array(descriptor, _bytes_of(frame, where), where)
    return kind, plain(fields, kind), arrays


def _bytes_of(frame: Any, where: str) -> memoryview:
    """A frame as flat read-only bytes, not copied."""
    try:
        view = memoryview(frame)
        return view.cast("B").toreadonly() if view.nbytes else memoryview(b"")
    except TypeError:
        raise ProtocolError(f"{where}: frame must be a contiguous buffer, got {type(frame).__name__}") from None


def _header(data: memoryview) -> dict[str, Any]:
    """The header's map, its version checked before the rest of it is read."""
    if len(data) > MAX_HEADER_BYTES:
        raise ProtocolError(f"header: {len(data)} bytes, at most {MAX_HEADER_BYTES}")
    try:
        reader = msgpack.Unpacker(max_buffer_size=MAX_HEADER_BYTES)
        reader.feed(data)
        first, version = (reader.unpack(), reader.unpack()) if reader.read_map_header() else (None, None)
    except _UNREADABLE:
        first, version = None, None
    if first != "wire" or type(version) is not int:
        raise ProtocolError("header: not a message of this program (it must begin with its wire version)")
    if version != WIRE_VERSION:
        raise WrongVersion(
            f"wire version {version} came, this program speaks {WIRE_VERSION}: install the same release on both ends"
        )
    try:
        header = msgpack.unpackb(data)
    except _UNREADABLE as error:
        raise ProtocolError(f"header: not readable as msgpack ({shown(str(error))})") from None
    assert isinstance(header, dict)  # its map header was read above
    return header


def _array(descriptor: dict[str, Any], data: memoryview, where: str) -> NDArray[Any]:
    """One array out of its buffer, after everything said of it was found to agree."""
    dtype, shape, encoding = (descriptor.get(key) for key in ("dtype", "shape", "encoding"))
    if type(dtype) is not str or dtype not in DTYPES:
        endian = "big-endian is not read" if type(dtype) is str and dtype[:1] == ">" else f"known: {', '.join(DTYPES)}"
        raise ProtocolError(f"{where}: dtype {shown(dtype)} refused ({endian})")
    if encoding != "raw":
        raise ProtocolError(f"{where}: encoding {shown(encoding)} is not known to wire version {WIRE_VERSION}")
    if type(shape) is not list or len(shape) > MAX_DIMENSIONS:
        raise ProtocolError(f"{where}: shape must be a list of at most {MAX_DIMENSIONS} lengths, got {shown(shape)}")
    size = 1
    for length in shape:
        if type(length) is not int or not 0 <= length <= MAX_ARRAY_BYTES:
            raise ProtocolError(f"{where}: length {shown(length)} in its shape must be from 0 to {MAX_ARRAY_BYTES}")
        size *= length
    if size * DTYPES[dtype].itemsize != len(data):
        raise ProtocolError(f"{where}: shape {shown(shape)} of {dtype} does not make {len(data)} bytes")
    if len(data) > MAX_ARRAY_BYTES:
        raise ProtocolError(f"{where}: {len(data)} bytes, at most {MAX_ARRAY_BYTES}")
    array = np.frombuffer(data, DTYPES[dtype]) if size else np.empty(0, DTYPES[dtype])
    if not array.flags.aligned:
        array = array.copy()
        array.flags.writeable = False
    if dtype == "|b1" and size and array.view(np.uint8).max() > 1:
        raise ProtocolError(f"{where}: a truth value must be 0 or 1")
    return array.reshape(shape)
