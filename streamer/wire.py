"""Wire: the messages that travel between processes, and their way to frames and back.

    source -> daemon     Hello, ChunkMessage, End
    daemon -> source     Welcome or Refuse; then Credit, Heartbeat, Stop, Totals
    daemon -> everyone   Publish
    control              Request, Reply

`encode` and `decode` are pure functions: no socket, no clock, no state. Both raise ProtocolError, and `decode` never
anything else. How a message lies in its frames is the business of `streamer.frames`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import NO_TIME, Chunk, StreamEnd, StreamInfo
from streamer.errors import ProtocolError
from streamer.frames import MAX_INTEGER, WIRE_VERSION, Fields, Frames, pack, plain, shown, unpack
from streamer.result import Axis, Result

MAX_CREDIT = 1 << 10  # chunks; a Hub has room for all of them without stopping to read, and so to hear heartbeats
CHUNK_SCHEMA = {"time": "<i8", "nanotime": "<u2", "channel": "|u1", "marker_time": "<i8", "marker": "|u1"}


@dataclass(frozen=True, slots=True)
class Hello:
    """A source asks to be taken.

    `schema` gives the type of every array of its chunks; `stream` names this run of this source, so that the daemon
    knows it again on a new connection; `first_seq` is the oldest chunk that it can still send.
    """

    info: StreamInfo
    schema: dict[str, str] = field(default_factory=lambda: dict(CHUNK_SCHEMA))
    stream: str = ""
    first_seq: int = 0


@dataclass(frozen=True, slots=True)
class Welcome:
    """The daemon takes the source: it wants chunk `next_seq` next, and at most `credit` that are not yet durable."""

    next_seq: int
    credit: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The daemon will not take this; `again`: because it does not know the sender (any more), who may say Hello."""

    reason: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class ChunkMessage:
    """Chunk number `seq` of a stream, counted from 0."""

    seq: int
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Credit:
    """Chunks up to and including `durable_seq` (-1: none) will never be asked for again; `credit` as in Welcome."""

    durable_seq: int
    credit: int


@dataclass(frozen=True, slots=True)
class End:
    """The source has sent its last chunk."""

    end: StreamEnd


@dataclass(frozen=True, slots=True)
class Totals:
    """The daemon's account of a stream that has ended."""

    totals: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stop:
    """The daemon asks the source to end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing to say, still here."""


@dataclass(frozen=True, slots=True)
class Publish:
    """A Result; `seq` counts those of its name from 1 in `epoch`, one life of the publisher, so that a drop shows."""

    result: Result
    seq: int = 0
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A question to the daemon; the Reply carries the same `id`."""

    body: dict[str, Any]
    id: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """The daemon's answer to the Request of the same `id`."""

    body: dict[str, Any]
    id: int = 0


FromSource: TypeAlias = Hello | ChunkMessage | End
FromDaemon: TypeAlias = Welcome | Refuse | Credit | Heartbeat | Stop | Totals | Publish | Reply
Message: TypeAlias = FromSource | FromDaemon | Request


def encode(message: Message) -> Frames:
    """Frames of a message: a header and one buffer per array, which must not change until the frames are sent."""
    for kind, form in _FORMS.items():
        if isinstance(message, form.type):
            return pack(kind, *form.write(message))
    raise ProtocolError(f"{type(message).__name__} is not a message of wire version {WIRE_VERSION}")


def decode(frames: Sequence[Any]) -> Message:
    """The message in these buffers; its arrays are read-only views of them where they are aligned."""
    kind, values, arrays = unpack(frames)
    if kind not in _FORMS:
        raise ProtocolError(f"kind {shown(kind)} is not known to wire version {WIRE_VERSION}")
    return _FORMS[kind].read(Fields(kind, values), arrays)


def check_chunk(chunk: Chunk) -> None:
    """ProtocolError when a chunk breaks a rule that every consumer (and every kernel's memory) relies on."""
    for name, dtype in CHUNK_SCHEMA.items():
        array = getattr(chunk, name)
        if array.dtype.str != dtype or array.ndim != 1:
            raise ProtocolError(f"chunk, {name}: must be one row of {dtype}, got {array.dtype.str}{list(array.shape)}")
    if not 0 <= chunk.start <= chunk.stop <= MAX_INTEGER:
        raise ProtocolError(f"chunk: 0 <= start <= stop <= 2**62 must hold, got {chunk.start}, {chunk.stop}")
    if not 0 <= chunk.lost <= MAX_INTEGER:
        raise ProtocolError(f"chunk: lost must be from 0 to 2**62, got {chunk.lost}")
    time, n = chunk.time, len(chunk.time)
    if len(chunk.channel) != n or len(chunk.nanotime) not in (0, n):
        raise ProtocolError(f"chunk: {n} times, {len(chunk.nanotime)} nanotimes, {len(chunk.channel)} channels")
    if len(chunk.marker) != len(chunk.marker_time):
        raise ProtocolError(f"chunk: {len(chunk.marker_time)} marker times, {len(chunk.marker)} markers")
    if len(chunk.marker) and max(abs(int(chunk.marker_time.min())), abs(int(chunk.marker_time.max()))) > MAX_INTEGER:
        raise ProtocolError("chunk, marker_time: must be from -2**62 to 2**62")
    if n and not (chunk.start <= time[0] and time[-1] < chunk.stop):
        raise ProtocolError(f"chunk, time: {time[0]} to {time[-1]} leaves the span [{chunk.start}, {chunk.stop})")
    rising = time[1:] >= time[:-1]
    if not rising.all():
        i = int(rising.argmin()) + 1
        raise ProtocolError(f"chunk, time: falls from {time[i - 1]} to {time[i]} at photon {i}; sort before sending")


def check_mode(chunk: Chunk, mode: str) -> None:
    """ProtocolError unless a chunk has nanotimes in T3 and none in T2; only the stream knows its mode."""
    if len(chunk.nanotime) != (len(chunk.time) if mode == "T3" else 0):
        raise ProtocolError(f"chunk: {len(chunk.nanotime)} nanotimes for {len(chunk.time)} photons in a {mode} stream")


Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Form:
    """How one kind of message is written as fields and arrays, and read from them."""

    type: type
    write: Callable[[Any], tuple[dict[str, Any], Arrays]]
    read: Callable[[Fields, Arrays], Any]


def _flat(type_: type, **rules: Callable[[Fields, str], Any]) -> Form:
    """A message whose attributes are its fields; each keeps its rule when it is written and when it is read."""

    def write(message: Any) -> tuple[dict[str, Any], Arrays]:
        fields = Fields(type_.__name__, plain({key: getattr(message, key) for key in rules}, type_.__name__))
        return {key: rule(fields, key) for key, rule in rules.items()}, {}

    def read(fields: Fields, arrays: Arrays) -> Any:
        return type_(**{key: rule(fields, key) for key, rule in rules.items()})

    return Form(type_, write, read)


_INFO_DEFAULTS = {key: value for key, value in StreamInfo("T2", 1.0).to_dict().items() if key not in ("mode", "tick_s")}
_INFO_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("mode", "source", "file", "format", "hardware"), (str,)),
    **dict.fromkeys(("tick_s", "resolution_s"), (int, float)),
    **dict.fromkeys(("sync_rate_hz", "duration_s", "pulse_s"), (int, float, type(None))),
    **dict.fromkeys(("channels", "warnings"), (list,)),
    **dict.fromkeys(("truth", "t0_ns", "look", "doubts"), (dict,)),
    **dict.fromkeys(("live", "pulse_known"), (bool,)),
}


def _write_hello(message: Hello) -> tuple[dict[str, Any], Arrays]:
    """What an info leaves at its default does not travel, so an attribute that it gains later changes no old bytes."""
    info = {k: v for k, v in message.info.to_dict().items() if k not in _INFO_DEFAULTS or v != _INFO_DEFAULTS[k]}
    return {"info": info, "schema": message.schema, "stream": message.stream, "first_seq": message.first_seq}, {}


def _read_hello(fields: Fields, arrays: Arrays) -> Hello:
    data, schema = fields.table("info"), fields.table("schema")
    for name, dtype in schema.items():
        if dtype != CHUNK_SCHEMA.get(name, dtype) or type(dtype) is not str:
            raise ProtocolError(f"hello message, schema, {shown(name)}: must be {CHUNK_SCHEMA.get(name, 'text')}")
    for key, types in _INFO_TYPES.items():
        if key in data and type(data[key]) not in types:
            raise ProtocolError(f"hello message, info, {key}: wrong type, got {shown(data[key])}")
    try:
        info = StreamInfo.from_dict(data)
    except (ValueError, TypeError, OverflowError) as error:
        raise ProtocolError(f"hello message, info: {' '.join(str(error).split())}") from None
    return Hello(info, schema, fields.text("stream"), fields.whole("first_seq"))


def _write_chunk(message: ChunkMessage) -> tuple[dict[str, Any], Arrays]:
    """An empty array does not travel: a T2 chunk without markers is two buffers."""
    chunk = message.chunk
    check_chunk(chunk)
    fields = {"seq": message.seq, "start": int(chunk.start), "stop": int(chunk.stop), "lost": int(chunk.lost)}
    return fields, {name: getattr(chunk, name) for name in CHUNK_SCHEMA if len(getattr(chunk, name))}


def _read_chunk(fields: Fields, arrays: Arrays) -> ChunkMessage:
    known = {name: arrays[name] for name in CHUNK_SCHEMA if name in arrays}
    chunk = Chunk(fields.whole("start"), fields.whole("stop"), lost=fields.whole("lost"), **known)
    check_chunk(chunk)
    return ChunkMessage(fields.whole("seq"), chunk)


def _write_end(message: End) -> tuple[dict[str, Any], Arrays]:
    """No doubts do not travel: an end without them has the bytes that it had before there were any."""
    return {key: value for key, value in message.end.to_dict().items() if key != "doubts" or value}, {}


def _read_end(fields: Fields, arrays: Arrays) -> End:
    records = None if fields.values.get("records") is None else fields.whole("records")
    lost, sync = fields.whole("lost_records"), fields.whole("sync_records")
    doubts = fields.table("doubts") if "doubts" in fields.values else {}
    try:
        return End(StreamEnd(fields.text("reason"), records, lost, sync, fields.texts("warnings"), doubts))
    except ValueError as error:
        raise ProtocolError(f"end message: {' '.join(str(error).split())}") from None


def _write_publish(message: Publish) -> tuple[dict[str, Any], Arrays]:
    """Axes travel as arrays "axis.0" and so on, data as "data.<name>"."""
    result = message.result
    fields = {
        "name": result.name,
        "kind": result.kind,
        "axes": [{"name": axis.name, "unit": axis.unit} for axis in result.axes],
        "rows": list(result.rows),
        "values": result.values,
        "provenance": result.provenance,
        "seq": message.seq,
        "epoch": message.epoch,
    }
    axes = {f"axis.{i}": np.asarray(axis.values, np.float64) for i, axis in enumerate(result.axes)}
    return fields, axes | {f"data.{name}": array for name, array in result.data.items()}


def _read_publish(fields: Fields, arrays: Arrays) -> Publish:
    name = fields.text("name")
    if not 0 < len(name) <= 64 or "\0" in name:
        raise ProtocolError(f"publish message, field name: must be 1 to 64 characters, got {shown(name)}")
    axes = []
    for i, said in enumerate(fields.take("axes", list, "a list of axes")):
        axis, values = Fields("publish", said if type(said) is dict else {}), arrays.get(f"axis.{i}", NO_TIME)
        if values.dtype != np.float64 or values.ndim != 1:
            raise ProtocolError(f"publish message, axis {i}: its values must come as one row of <f8")
        axes.append(Axis(axis.text("name"), axis.text("unit"), values))
    data = {key.removeprefix("data."): array for key, array in arrays.items() if key.startswith("data.")}
    rows, facts, provenance = fields.texts("rows"), fields.table("values"), fields.table("provenance")
    try:
        result = Result(name, fields.text("kind"), tuple(axes), data, rows, facts, provenance)
    except ValueError as error:
        raise ProtocolError(f"publish message: {' '.join(str(error).split())}") from None
    return Publish(result, fields.whole("seq"), fields.text("epoch"))


def _credit(fields: Fields, key: str) -> int:
    return fields.whole(key, 0, MAX_CREDIT)


def _flag(fields: Fields, key: str) -> bool:
    return bool(fields.take(key, bool, "true or false"))


_FORMS: dict[str, Form] = {
    "hello": Form(Hello, _write_hello, _read_hello),
    "welcome": _flat(Welcome, next_seq=Fields.whole, credit=_credit),
    "refuse": _flat(Refuse, reason=Fields.text, again=_flag),
    "chunk": Form(ChunkMessage, _write_chunk, _read_chunk),
    "credit": _flat(Credit, durable_seq=lambda fields, key: fields.whole(key, -1), credit=_credit),
    "end": Form(End, _write_end, _read_end),
    "totals": _flat(Totals, totals=Fields.table),
    "stop": _flat(Stop, reason=Fields.text),
    "heartbeat": _flat(Heartbeat),
    "publish": Form(Publish, _write_publish, _read_publish),
    "request": _flat(Request, body=Fields.table, id=Fields.whole),
    "reply": _flat(Reply, body=Fields.table, id=Fields.whole),
}
