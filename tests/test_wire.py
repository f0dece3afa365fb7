"""Wire: what is sent is what arrives, the bytes of released versions stay, and nothing malformed gets through."""

from __future__ import annotations

import runpy
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from streamer import frames as framing
from streamer import wire
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import ProtocolError
from streamer.frames import WrongVersion
from streamer.result import Axis, Result

GOLDEN = Path(__file__).parent / "golden"
MADE = runpy.run_path(str(GOLDEN / "make_wire_v1.py"))
MESSAGES: dict[str, wire.Message] = MADE["MESSAGES"]
T3_CHUNK: Chunk = MADE["T3_CHUNK"]


def same(a: Any, b: Any) -> bool:
    """Equality that looks into arrays and dataclasses, takes NaN for NaN, and tells 1 from True and 1.0."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if type(a) is not type(b):
        return False
    if is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


def header_of(message: wire.Message) -> dict[str, Any]:
    return msgpack.unpackb(wire.encode(message)[0])


def changed(message: wire.Message, **header: Any) -> list[Any]:
    """Frames of a message with some keys of its header replaced."""
    encoded = wire.encode(message)
    return [msgpack.packb(header_of(message) | header), *encoded[1:]]


def refused(frames: Any) -> str:
    """The one line by which `decode` refuses these frames."""
    with pytest.raises(ProtocolError) as caught:
        wire.decode(frames)
    line = str(caught.value)
    assert line
    assert "\n" not in line
    assert len(line) < 400
    return line


@pytest.mark.parametrize("name", MESSAGES)
def test_golden_bytes(name: str) -> None:
    golden = (GOLDEN / "wire_v1" / f"{name}.bin").read_bytes()
    assert MADE["to_bytes"](wire.encode(MESSAGES[name])) == golden, "these bytes are released: make a new wire version"
    assert same(wire.decode(MADE["from_bytes"](golden)), MESSAGES[name])


def test_every_kind_has_a_golden_file_and_no_file_is_forgotten() -> None:
    assert {type(message) for message in MESSAGES.values()} == set(wire.Message.__args__)  # type: ignore[attr-defined]
    assert {path.stem for path in (GOLDEN / "wire_v1").glob("*.bin")} == set(MESSAGES)


def test_version_is_the_first_thing_in_the_header() -> None:
    for message in MESSAGES.values():
        assert bytes(wire.encode(message)[0][1:7]) == b"\xa4wire" + bytes([wire.WIRE_VERSION])


def test_another_version_is_refused_with_both_named() -> None:
    # what follows the version may be anything in a later release
    header = b"\x82\xa4wire\x02" + b"\xc1 not even msgpack"
    with pytest.raises(WrongVersion, match=r"version 2 came, this program speaks 1.*install"):
        wire.decode([header])


def test_unknown_keys_are_left_alone() -> None:
    message = MESSAGES["chunk_t3"]
    header = header_of(message)
    header["later"] = {"key": 1}
    header["fields"]["later"] = [1, 2]
    header["arrays"].append({"name": "energy", "dtype": "<f4", "shape": [2], "encoding": "raw", "unit": "eV"})
    frames = [msgpack.packb(header), *wire.encode(message)[1:], bytes(8)]
    assert same(wire.decode(frames), message)


def test_an_info_may_gain_attributes_later() -> None:
    header = header_of(wire.Hello(StreamInfo("T2", 1e-12)))
    assert header["fields"]["info"] == {"mode": "T2", "tick_s": 1e-12}
    header["fields"]["info"]["later"] = 5
    assert wire.decode([msgpack.packb(header)]) == wire.Hello(StreamInfo("T2", 1e-12))


def test_doubts_and_the_laser_period_travel_and_their_absence_does_not() -> None:
    info = StreamInfo("T3", 1e-7, 1e-10, doubts={"times": "why"}, pulse_s=5e-8, pulse_known=False)
    end = StreamEnd("end of file", doubts={"pairs": "why not"})
    for message in (wire.Hello(info), wire.End(end)):
        assert same(wire.decode(wire.encode(message)), message)
    header = header_of(wire.Hello(StreamInfo("T3", 1e-7, 1e-10)))
    assert set(header["fields"]["info"]) == {"mode", "tick_s", "resolution_s"}
    assert "doubts" not in header_of(wire.End(StreamEnd("end of file")))["fields"]


@pytest.mark.parametrize("doubts", [{"colour": "why"}, {"times": ""}, {"times": 1}, ["times"], "times"])
def test_doubts_that_would_withhold_nothing_are_refused(doubts: Any) -> None:
    hello = header_of(wire.Hello(StreamInfo("T2", 1e-12)))
    hello["fields"]["info"]["doubts"] = doubts
    assert "doubts" in refused([msgpack.packb(hello)])
    end = header_of(wire.End(StreamEnd("end of file")))
    end["fields"]["doubts"] = doubts
    assert "doubts" in refused([msgpack.packb(end)])


def test_aligned_buffers_are_not_copied_and_unaligned_ones_are_aligned() -> None:
    encoded = wire.encode(MESSAGES["chunk_t3"])
    store = np.zeros(4096, np.uint8)
    for offset in range(8):
        shifted = [encoded[0]]
        for i, frame in enumerate(encoded[1:]):
            at = 512 * i + offset
            store[at : at + len(frame)] = np.frombuffer(frame, np.uint8)
            shifted.append(store[at : at + len(frame)].data)
        message = wire.decode(shifted)
        assert isinstance(message, wire.ChunkMessage)
        assert same(message, MESSAGES["chunk_t3"])
        for name in wire.CHUNK_SCHEMA:
            array = getattr(message.chunk, name)
            assert array.flags.aligned
            assert array.flags.c_contiguous
            assert not array.flags.writeable
            assert np.shares_memory(array, store) == (offset % array.itemsize == 0)


def test_a_chunk_is_sent_from_where_it_lies() -> None:
    time = np.arange(1000)
    encoded = wire.encode(wire.ChunkMessage(0, Chunk(0, 1000, time, channel=np.zeros(1000, np.uint8))))
    assert len(encoded) == 3  # header, time, channel: what is empty does not travel
    assert np.shares_memory(np.frombuffer(encoded[1], np.uint8), time)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start": -1, "stop": -1}, "start <= stop"),
        ({"start": 5001}, "start <= stop"),
        ({"start": 1001}, "leaves the span"),
        ({"stop": 4999}, "leaves the span"),
        ({"stop": 2**63}, "start <= stop"),
        ({"lost": -1}, "lost"),
        ({"time": T3_CHUNK.time[::-1].copy()}, "leaves the span|falls"),
        ({"time": np.array([1000, 2500, 1000, 4999])}, "falls from 2500 to 1000 at photon 2"),
        ({"time": T3_CHUNK.time.astype(">i8")}, "<i8"),
        ({"time": T3_CHUNK.time.astype(np.int32)}, "<i8"),
        ({"time": T3_CHUNK.time[:3]}, "3 times, 4 nanotimes, 4 channels"),
        ({"nanotime": T3_CHUNK.nanotime[:1]}, "4 times, 1 nanotimes"),
        ({"nanotime": T3_CHUNK.nanotime.astype(np.int16)}, "<u2"),
        ({"channel": T3_CHUNK.channel[:0]}, "0 channels"),
        ({"channel": T3_CHUNK.channel.reshape(2, 2)}, "one row"),
        ({"marker": T3_CHUNK.marker[:1]}, "2 marker times, 1 markers"),
        ({"marker_time": np.array([0, -(2**63)])}, "marker_time"),
    ],
)
def test_a_bad_chunk_is_refused_at_both_ends(changes: dict[str, Any], says: str) -> None:
    values = {f.name: getattr(T3_CHUNK, f.name) for f in fields(Chunk)} | changes
    with pytest.raises(ProtocolError, match=says):
        wire.encode(wire.ChunkMessage(0, Chunk(**values)))
    arrays = {name: np.asarray(values.pop(name)) for name in wire.CHUNK_SCHEMA}
    if any(array.dtype.byteorder == ">" for array in arrays.values()):
        return  # pack turns bytes round; the descriptor test below refuses what claims to be big-endian
    refused(framing.pack("chunk", values | {"seq": 0}, arrays))


def test_mode_decides_about_nanotimes() -> None:
    wire.check_mode(T3_CHUNK, "T3")
    wire.check_mode(MADE["T2_CHUNK"], "T2")
    wire.check_mode(Chunk(0, 5), "T3")
    for chunk, mode in ((T3_CHUNK, "T2"), (MADE["T2_CHUNK"], "T3")):
        with pytest.raises(ProtocolError, match=f"in a {mode} stream"):
            wire.check_mode(chunk, mode)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("dtype", ">i8", "big-endian"),
        ("dtype", "|O8", "dtype"),
        ("dtype", "<f2", "dtype"),
        ("dtype", "i8", "dtype"),
        ("dtype", 8, "dtype"),
        ("encoding", "zlib", "encoding 'zlib' is not known"),
        ("encoding", None, "encoding"),
        ("shape", [3], "does not make"),
        ("shape", [2, 3], "does not make"),
        ("shape", [-4], "length -4"),
        ("shape", [True, 4], "length True"),
        ("shape", [2**62, 2**62], "length"),
        ("shape", [2**20] * 4, "does not make"),
        ("shape", [1] * 64 + [4], "at most 4"),
        ("shape", 4, "shape"),
        ("shape", [4.0], "length 4.0"),
        ("name", "", "name of its own"),
        ("name", None, "name of its own"),
        ("name", "channel", "name of its own"),
    ],
)
def test_a_descriptor_that_does_not_fit_is_refused(key: str, value: Any, says: str) -> None:
    arrays = header_of(MESSAGES["chunk_t3"])["arrays"]
    assert arrays[0]["name"] == "time"
    arrays[0][key] = value
    assert says in refused(changed(MESSAGES["chunk_t3"], arrays=arrays))


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([], "without frames"),
        ([b""], "not a message"),
        ([b"GET / HTTP/1.1\r\n\r\n"], "not a message"),
        ([msgpack.packb([1, 2])], "not a message"),
        ([msgpack.packb({})], "not a message"),
        ([msgpack.packb({"kind": "stop", "wire": 1})], "not a message"),
        ([msgpack.packb({"wire": True})], "not a message"),
        ([msgpack.packb({"wire": 1})], "kind"),
        ([msgpack.packb({"wire": 1, "kind": "stop"})], "fields"),
        ([msgpack.packb({"wire": 1, "kind": "stop", "fields": {}})], "arrays"),
        ([msgpack.packb({"wire": 1, "kind": "stop", "fields": {}, "arrays": [1]}), b""], "name"),
        ([msgpack.packb({"wire": 1, "kind": "stop", "fields": {}, "arrays": []}), b""], "0 arrays announced, 1"),
        ([msgpack.packb({"wire": 1, "kind": "stop", "fields": {}, "arrays": []})], "reason: must be text"),
        ([msgpack.packb({"wire": 1, "kind": "dance", "fields": {}, "arrays": []})], "kind 'dance'"),
        ([msgpack.packb({"wire": 1, "kind": "stop", "fields": {"reason": b"x"}, "arrays": []})], "bytes is not plain"),
        (
            [msgpack.packb({"wire": 1, "kind": "stop", "fields": {"reason": msgpack.ExtType(4, b"x")}, "arrays": []})],
            "",
        ),
        ([msgpack.packb({"wire": 1, "kind": "stop", "fields": {"reason": msgpack.Timestamp(4)}, "arrays": []})], ""),
        ([msgpack.packb({"wire": 1, "kind": "stop", "fields": {"a": {1: 2}}, "arrays": []})], "msgpack"),
        ([b"\x84\xa4wire\x01" + b"\x91" * 5000], "msgpack"),
        ([b"\x84\xa4wire\x01\xdd\xff\xff\xff\xff"], "msgpack"),
        ([bytes(framing.MAX_HEADER_BYTES + 1)], "bytes, at most"),
        (["text"], "frame must be"),
        ([None], "frame must be"),
    ],
)
def test_a_bad_header_is_refused(frames: list[Any], says: str) -> None:
    assert says in refused(frames)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("welcome", "next_seq", -1),
        ("welcome", "next_seq", 1.0),
        ("welcome", "credit", wire.MAX_CREDIT + 1),
        ("credit", "durable_seq", -2),
        ("credit", "credit", True),
        ("refuse", "again", 1),
        ("refuse", "reason", None),
        ("chunk_t3", "seq", -1),
        ("chunk_t3", "start", "0"),
        ("end", "records", -1),
        ("end", "warnings", [1]),
        ("end", "reason", 5),
        ("totals", "totals", []),
        ("request", "body", "stop"),
        ("reply", "id", 2**63),
        ("hello", "stream", None),
        ("hello", "first_seq", None),
        ("hello", "info", {}),
        ("hello", "info", {"mode": "T4", "tick_s": 1.0}),
        ("hello", "info", {"mode": "T2", "tick_s": "1"}),
        ("hello", "info", {"mode": "T2", "tick_s": float("nan")}),
        ("hello", "info", {"mode": "T3", "tick_s": 1.0, "resolution_s": 0}),
        ("hello", "info", {"mode": "T2", "tick_s": 1.0, "source": 5}),
        ("hello", "info", {"mode": "T2", "tick_s": 1.0, "channels": [float("inf")]}),
        ("hello", "info", {"mode": "T2", "tick_s": 1.0, "t0_ns": {"a": 1}}),
        ("hello", "schema", {"time": "<u4"}),
        ("hello", "schema", {"energy": 1}),
        ("publish_curves", "name", ""),
        ("publish_curves", "name", "g2\0"),
        ("publish_curves", "kind", "poem"),
        ("publish_curves", "rows", ["all"]),
        ("publish_curves", "axes", []),
        ("publish_curves", "axes", [3]),
        ("publish_curves", "axes", [{"name": "tau", "unit": "ns"}] * 2),
        ("publish_curves", "values", None),
    ],
)
def test_a_bad_field_is_refused(name: str, field: str, value: Any) -> None:
    said = header_of(MESSAGES[name])["fields"]
    assert field in said
    refused(changed(MESSAGES[name], fields=said | {field: value}))


def test_what_is_not_plain_data_is_not_sent() -> None:
    for value in (b"x", object(), {1: 2}, {"a": {2: 3}}, 2**64, {1, 2}, np.zeros(3), "\ud800"):
        with pytest.raises(ProtocolError):
            wire.encode(wire.Totals({"value": value}))
    nested: list[Any] = []
    for _ in range(framing.MAX_DEPTH):
        nested = [nested]
    with pytest.raises(ProtocolError, match="deeper"):
        wire.encode(wire.Reply({"value": nested}))
    with pytest.raises(ProtocolError, match="header of"):
        wire.encode(wire.Stop("x" * framing.MAX_HEADER_BYTES))
    with pytest.raises(ProtocolError, match="not a message"):
        wire.encode("stop")  # type: ignore[arg-type]


def test_a_flat_message_keeps_its_rules_when_it_is_sent() -> None:
    for message in (wire.Welcome(-1, 5), wire.Welcome(0, wire.MAX_CREDIT + 1), wire.Credit(-2, 0), wire.Stop(5)):  # type: ignore[arg-type]
        with pytest.raises(ProtocolError, match="field"):
            wire.encode(message)
    assert wire.decode(wire.encode(wire.Credit(np.int64(3), 4))) == wire.Credit(3, 4)  # type: ignore[arg-type]


def test_numpy_scalars_and_tuples_become_plain() -> None:
    sent = wire.Totals({"a": np.int64(3), "b": np.float64(0.5), "c": (np.bool_(True), None)})
    assert same(wire.decode(wire.encode(sent)), wire.Totals({"a": 3, "b": 0.5, "c": [True, None]}))


def test_results_of_any_known_type_and_layout_arrive() -> None:
    axis = Axis("x", "ns", np.arange(3.0))
    for text in framing.DTYPES:
        wide = np.arange(12).reshape(2, 6).astype(text)
        for array in (wide[:, ::2], wide[:, :3], np.asfortranarray(wide[:, :3]), wide[:, 3:].astype(">" + text[1:])):
            sent = wire.Publish(Result("r", "curves", (axis,), {"a": array}, ("u", "v")))
            got = wire.decode(wire.encode(sent))
            assert isinstance(got, wire.Publish)
            assert np.array_equal(got.result.data["a"], array)
            assert got.result.data["a"].dtype == np.dtype(text)
    scalar = wire.decode(
        wire.encode(wire.Publish(Result("r", "status", data={"a": np.array(2.5), "b": np.empty((0, 3))})))
    )
    assert isinstance(scalar, wire.Publish)
    assert scalar.result.data["a"].shape == ()
    assert scalar.result.data["b"].shape == (0, 3)
    for bad in (
        np.array(["a"]),
        np.array([1j]),
        np.array([None]),
        np.array(["2020"], "M8[s]"),
        np.zeros(2, np.float16),
    ):
        with pytest.raises(ProtocolError, match="dtype"):
            wire.encode(wire.Publish(Result("r", "status", data={"a": bad})))


def test_a_truth_value_is_0_or_1() -> None:
    encoded = wire.encode(wire.Publish(Result("r", "status", data={"a": np.array([True, False])})))
    refused([encoded[0], b"\x01\x02"])


def mutate(rng: np.random.Generator, frames: list[bytes]) -> list[bytes]:
    """One message with something wrong, or by luck nothing: bits, lengths, frames, or values inside its header."""
    frames = list(frames)
    at = int(rng.integers(len(frames))) if rng.random() < 0.4 else 0
    frame = bytearray(frames[at])
    match int(rng.integers(8)):
        case 0:
            for _ in range(int(rng.integers(1, 4))):
                if frame:
                    frame[rng.integers(len(frame))] = rng.integers(256)
        case 1:
            frame = frame[: int(rng.integers(len(frame) + 1))]
        case 2:
            frame += rng.bytes(int(rng.integers(1, 17)))
        case 3:
            del frames[at]
            return frames
        case 4:
            frames.insert(at, bytes(frame))
            return frames
        case 5:
            rng.shuffle(frames)  # type: ignore[arg-type]
            return frames
        case _:
            header = msgpack.unpackb(frames[0])
            _change_somewhere(rng, header)
            try:
                frames[0] = msgpack.packb(header)
            except OverflowError:
                frames[0] = rng.bytes(20)
            return frames
    frames[at] = bytes(frame)
    return frames


ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**63,
    -(2**63),
    0.5,
    float("nan"),
    float("inf"),
    "",
    "x" * 300,
    "\0",
    b"b",
]
ODD += [[], {}, [[]], {"a": {}}, "<i8", ">f8", "T3", "raw", [0], [2**40, 2**40], msgpack.Timestamp(0), {"mode": "T2"}]


def _change_somewhere(rng: np.random.Generator, tree: Any) -> None:
    """Replace, remove or add one value somewhere in a header."""
    keys: list[Any] = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    odd = ODD[int(rng.integers(len(ODD)))]
    if not keys:
        if isinstance(tree, dict):
            tree["new"] = odd
        else:
            tree.append(odd)
        return
    key = keys[int(rng.integers(len(keys)))]
    if isinstance(tree[key], (dict, list)) and rng.random() < 0.8:
        _change_somewhere(rng, tree[key])
    elif rng.random() < 0.2:
        del tree[key]
    else:
        tree[key] = odd


def test_mutated_messages_are_valid_or_refused_in_one_line() -> None:
    rng = np.random.default_rng(20240607)
    originals = [[bytes(frame) for frame in wire.encode(message)] for message in MESSAGES.values()]
    valid, lines = 0, set()
    for trial in range(20_000):
        frames = mutate(rng, originals[trial % len(originals)])
        try:
            message = wire.decode(frames)
        except ProtocolError as error:
            lines.add(str(error))
            continue
        valid += 1
        assert same(wire.decode(wire.encode(message)), message)
    assert all("\n" not in line and len(line) < 500 for line in lines)
    assert 200 < valid < 19_000  # the mutations are neither all harmless nor all fatal
