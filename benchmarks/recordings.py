"""Recordings: the PTU files that everyone is raced on, made by this program's simulator and writer, kept in a cache.

The T3 file is a blinking dot of three states under 2.5 MHz pulses at 116 kcps, the T2 file the same dot under 1 GHz
pulses, which at its lifetimes is steady light, at 400 kcps: 0.1 to 0.2 pairs per photon within the tau range asked for.
That range is 5.5 pulses on each side, for an edge within a peak would make pair totals a matter of conventions.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from benchmarks.question import Question
from sinks.ptu import PtuWriter
from sources.simulate import SimulateSource, open_source
from streamer.chunk import Chunk

CACHE = Path(__file__).parent / ".data"
BIN_S = 0.010
OPTIONS = {
    "t3": {"rate_hz": "2.5e6", "rate": "116e3", "duration": "inf", "seed": "18"},
    "t2": {"rate_hz": "1e9", "t0_ns": "0", "rate": "400e3", "mode": "T2", "duration": "inf", "seed": "18"},
}
PULSED_WIDTH, PULSED_REACH_S = 16, 2.2e-6  # nanotime units, s
CW_WIDTH_S, CW_REACH_S = 0.5e-9, 500e-9


def source(kind: str) -> SimulateSource:
    """The endless stream that the file `kind` ("t3", "t2") is the beginning of."""
    return open_source("", OPTIONS[kind])


def first(chunks: Iterator[Chunk], photons: int) -> Iterator[Chunk]:
    """The stream up to and including so many photons."""
    left = photons
    for chunk in chunks:
        if len(chunk.time) >= left:
            yield replace(
                chunk, stop=int(chunk.time[left - 1]) + 1, time=chunk.time[:left], nanotime=chunk.nanotime[:left],
                channel=chunk.channel[:left],
            )  # fmt: skip
            return
        left -= len(chunk.time)
        yield chunk


def recording(kind: str, photons: int, folder: Path = CACHE) -> Path:
    """The file with so many photons; made once, and only kept when it is complete."""
    mark = zlib.crc32(json.dumps(OPTIONS[kind], sort_keys=True).encode())  # other options, another file
    path = folder / f"{kind}-{photons}-{mark:08x}.ptu"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        simulated = source(kind)
        with PtuWriter(part, simulated.info) as writer:
            for chunk in first(simulated.chunks(), photons):
                writer.write(chunk)
        os.replace(part, path)
    return path


def question(photons: int, folder: Path = CACHE) -> Question:
    """What everyone is asked about the two files; thresholds at the geometric means of the states' true rates."""
    t3, t2 = recording("t3", photons, folder), recording("t2", photons, folder)
    info = source("t3").info
    rates = sorted(state["rate_cps"] for state in info.truth["states"])
    low, high = ((a * b) ** 0.5 for a, b in pairwise(rates))
    width_s = PULSED_WIDTH * info.resolution_s
    return Question(
        str(t3), str(t2), info.tick_s, info.resolution_s, PULSED_WIDTH, round(PULSED_REACH_S / width_s),
        CW_WIDTH_S, round(CW_REACH_S / CW_WIDTH_S), BIN_S, (low, high),
    )  # fmt: skip
