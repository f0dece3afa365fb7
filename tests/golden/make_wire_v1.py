"""Write tests/golden/wire_v1/*.bin: one message of every kind as wire version 1 puts it on the wire.

    python tests/golden/make_wire_v1.py

The files are the contract with every release that speaks version 1: they are written once, and a file that is there is
left alone. A change that makes the test on them fail needs a new wire version, a new folder, and this one kept.

File layout: for each frame its length (4 bytes, little-endian), then its bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from streamer import wire
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.result import Axis, Result

FOLDER = Path(__file__).parent / "wire_v1"

T3_INFO = StreamInfo(
    mode="T3",
    tick_s=1.25e-8,
    resolution_s=1.6e-11,
    source="ptu:run.ptu",
    file="run.ptu",
    format="PTU HydraHarp2T3",
    hardware="HydraHarp 400 2.0",
    sync_rate_hz=8e7,
    channels=(0, 1),
    live=False,
    duration_s=30.0,
    warnings=("header promises 10 records, the file holds 12",),
    truth={"lifetime_ns": [1.5, 20.0]},
    t0_ns={0: 1.25, 1: 2.5},
    look={"delay_ns": 23.9},
)
T3_CHUNK = Chunk(
    start=1000,
    stop=5000,
    time=np.array([1000, 1000, 2500, 4999], np.int64),
    nanotime=np.array([0, 7, 4095, 32767], np.uint16),
    channel=np.array([0, 1, 0, 1], np.uint8),
    marker_time=np.array([2000, 1999], np.int64),
    marker=np.array([1, 8], np.uint8),
    lost=3,
)
T2_CHUNK = Chunk(0, 2**40, np.array([5, 2**40 - 1], np.int64), channel=np.array([0, 63], np.uint8))
CURVES = Result(
    name="g2",
    kind="curves",
    axes=(Axis("tau", "ns", np.array([-0.5, 0.5])),),
    data={"counts": np.array([[3, 4], [1, 0]], np.int64), "g2": np.array([[1.0, 0.5], [np.nan, 0.0]])},
    rows=("all", "bright"),
    values={"pair": [0, 1], "delay_ns": 23.9, "offered_delay": None, "pulsed": True},
    provenance={"run": "a1b2", "seq": 12, "stream_s": 1.5, "cut": {"gate_ns": 0.0}, "final": False},
)
SUMMARY = Result("summary", "summary", values={"file": "mesure é.ptu", "states": [{"name": "dark"}]})

MESSAGES: dict[str, wire.Message] = {
    "hello": wire.Hello(T3_INFO, stream="0123456789abcdef", first_seq=7),
    "hello_t2": wire.Hello(StreamInfo("T2", 4e-12)),
    "welcome": wire.Welcome(7, 32),
    "refuse": wire.Refuse("another source is being analysed"),
    "refuse_again": wire.Refuse("say Hello", again=True),
    "chunk_t3": wire.ChunkMessage(41, T3_CHUNK),
    "chunk_t2": wire.ChunkMessage(0, T2_CHUNK),
    "chunk_empty": wire.ChunkMessage(2**40, Chunk(7, 7)),
    "credit": wire.Credit(-1, 64),
    "end": wire.End(StreamEnd("end of file", 561879, 2, 5, ("last record cut short",))),
    "end_simulated": wire.End(StreamEnd("duration reached")),
    "totals": wire.Totals({"received": 12, "analysed": 10, "open": 0, "outside": 2}),
    "stop": wire.Stop("g2(0) known to 0.01"),
    "heartbeat": wire.Heartbeat(),
    "publish_curves": wire.Publish(CURVES, 12, "00c0ffee"),
    "publish_summary": wire.Publish(SUMMARY, 1, "00c0ffee"),
    "request": wire.Request({"do": "cut", "thresholds_cps": [2e4], "states": None, "gate_ns": 1.5}, 3),
    "reply": wire.Reply({"ok": False, "error": "cut: thresholds must rise"}, 3),
}


def to_bytes(frames: wire.Frames) -> bytes:
    """Frames of one message as one file."""
    return b"".join(struct.pack("<I", len(frame)) + bytes(frame) for frame in frames)


def from_bytes(data: bytes) -> list[bytes]:
    """Inverse of `to_bytes`."""
    frames, at = [], 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        frames.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return frames


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, message in MESSAGES.items():
        path = FOLDER / f"{name}.bin"
        if not path.exists():
            path.write_bytes(to_bytes(wire.encode(message)))
