"""Synthetic streams with everything that a seam can spoil, the ways to cut one, and its segments found plainly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streamer.change_points import BORDER
from streamer.chunk import Chunk
from streamer.layout import Layout
from streamer.segments import segmenter_of

OTHER_CHANNEL = 17  # occurs in the streams, in no layout


def layouts() -> dict[str, Layout]:
    """Small layouts that differ in what matters: name -> Layout.

    They cover T3 and T2, cw and pulsed, whole and broken periods, odd and even tau widths, windows shorter and longer
    than a segment, one to three detectors, excitations near either end of the period, bins that are wider than a
    nanotime unit, and segments from change to change of the rate.
    """
    return {
        "T3": Layout("T3", 20.1e-9, 0.25e-9, (0, 1), ((0, 1),), 0.8e-6, 80.4, 5, 3, 60, (7, 12)),
        "T3, long window": Layout(
            "T3", 1e-7, 6.25e-9, (4, 1, 200), ((1, 4), (200, 1)), 9e-7, 16.0, 46, 4, 9, (1, 0, 15)
        ),
        "T3, wide bins": Layout("T3", 1e-6, 0.2e-9, (2, 3), ((3, 2),), 30e-6, 5000.2, 2, 99, 110, (4999, 0)),
        "T3, one detector": Layout("T3", 50e-9, 1e-9, (3,), (), 1.5e-6, 50.0, 10, 5, 40, (3,)),
        "T2": Layout("T2", 5e-8, 0.0, (0, 1), ((0, 1),), 2e-6, 0.0, 10, 4, 6, (0, 0)),
        "T2, pulsed": Layout("T2", 1e-7, 0.0, (5, 0, 6), ((0, 5), (6, 0)), 3e-6, 12.5, 4, 5, 7, (0, 0, 0)),
        "T3, changes": Layout(
            "T3", 20.1e-9, 0.25e-9, (0, 1), ((0, 1),), 0.8e-6, 80.4, 5, 3, 60, (7, 12), threshold=5.0, longest_s=9e-6
        ),
        "T2, changes": Layout(
            "T2", 1e-7, 0.0, (5, 0), ((0, 5),), 3e-6, 12.5, 4, 5, 7, (0, 0), threshold=4.0, longest_s=14e-6
        ),
    }


def random_stream(rng: Generator, layout: Layout, *, segments: int = 40, gaps: int = 6) -> list[Chunk]:
    """A stream with everything that a seam can spoil, one chunk per unbroken stretch.

    It has bursts and silence, many photons in one tick, photons on the first and last tick of segments, gaps of one
    tick, inside and on the borders of segments, a channel that is not analysed, and nanotimes out to the border of the
    period and beyond. Arrays are read-only, as those that come from a socket are.

    Args:
        rng: where all chance comes from.
        layout: gives mode, channels and length of the segments.
        segments: about how many there are.
        gaps: how many gaps at most.
    """
    ticks = layout.scale.ticks
    begin = int(rng.choice([0, ticks, int(rng.integers(1, 3 * ticks))]))
    end = begin + int(segments * ticks + rng.integers(ticks))
    # Rates in photons per tick; a silence of several segments, and bursts of a few ticks.
    turns = np.unique(rng.integers(begin, end, max(segments // 2, 2)))
    rate = rng.choice([0.0, 0.02, 0.3, 1.0, 3.0], len(turns) + 1, p=[0.2, 0.2, 0.3, 0.2, 0.1])
    per_tick = rng.poisson(rate[np.searchsorted(turns, np.arange(begin, end))])
    borders = np.arange(begin // ticks + 1, end // ticks) * ticks - begin
    some = rng.random(len(borders)) < 0.4
    per_tick[borders[some]] += rng.integers(1, 3)
    per_tick[borders[some] - 1] += rng.integers(0, 2)
    time = np.repeat(np.arange(begin, end), per_tick).astype(np.int64)
    channels = np.array([*layout.detectors, *layout.detectors, *layout.detectors, OTHER_CHANNEL], np.uint8)
    whole = Chunk(begin, end, time, _nanotimes(rng, layout, len(time)), rng.choice(channels, len(time)))
    for array in (whole.time, whole.nanotime, whole.channel):
        array.setflags(write=False)
    watched = _watched(rng, layout, end - begin, borders, int(rng.integers(gaps + 1)))
    edges = np.flatnonzero(np.diff(watched, prepend=False, append=False)) + begin
    return [part(whole, int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _watched(rng: Generator, layout: Layout, span: int, borders: NDArray[np.int64], gaps: int) -> NDArray[np.bool_]:
    """Which ticks are watched; now and then most gaps lie in one place, closer together than a pair may be long."""
    watched, ticks = np.ones(span, bool), layout.scale.ticks
    lengths = rng.choice([1, 1, 2, ticks // 2, ticks, layout.window], gaps)
    starts = np.where(rng.random(gaps) < 0.3, rng.choice(borders, gaps), rng.integers(0, span, gaps))
    if rng.random() < 0.4:
        torn = rng.random(gaps) < 0.7
        starts[torn] = int(rng.integers(span)) + rng.integers(0, layout.window + ticks, int(torn.sum()))
    for start, length in zip(starts, lengths, strict=True):
        watched[start : start + length] = False
    return watched


def _nanotimes(rng: Generator, layout: Layout, n: int) -> NDArray[np.uint16]:
    if layout.mode == "T2":
        return np.empty(0, np.uint16)
    zero, period = rng.choice(layout.zero, n), int(layout.period)
    edges = rng.choice([0, 1, period - 1, period, period + 1, 2 * period, 65535], n)
    near = (zero + rng.integers(-layout.guard - 1, 2, n)) % period
    decay = (zero + rng.exponential(layout.period / 5, n)).astype(np.int64) % period
    return np.choose(rng.choice(3, n, p=[0.05, 0.15, 0.8]), [edges, near, decay]).astype(np.uint16)


def part(chunk: Chunk, start: int, stop: int) -> Chunk:
    """The part of a chunk in `[start, stop)`, as views; a late marker is taken as at the chunk's start, `lost` as 0."""
    first, last = np.searchsorted(chunk.time, (start, stop))
    marker_time = np.maximum(chunk.marker_time, chunk.start)
    marked = (marker_time >= start) & (marker_time < stop)
    return Chunk(
        start, stop, chunk.time[first:last], chunk.nanotime[first:last], chunk.channel[first:last],
        chunk.marker_time[marked], chunk.marker[marked],
    )  # fmt: skip


def stretches(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The same stream, one chunk per stretch without a gap."""
    runs: list[list[Chunk]] = []
    for chunk in chunks:
        if runs and runs[-1][-1].stop == chunk.start:
            runs[-1].append(chunk)
        else:
            runs.append([chunk])
    return [_joined(run) for run in runs]


def _joined(run: list[Chunk]) -> Chunk:
    names = ("time", "nanotime", "channel", "marker_time", "marker")
    arrays = {name: np.concatenate([getattr(chunk, name) for chunk in run]) for name in names}
    for array in arrays.values():
        array.setflags(write=False)
    return Chunk(run[0].start, run[-1].stop, **arrays, lost=sum(chunk.lost for chunk in run))


def rechunk(chunks: Iterable[Chunk], rng: Generator) -> list[Chunk]:
    """The same stream in other chunks: uncut, cut anywhere, cut to single ticks, cut at photons, with empty chunks.

    Photons of one tick stay in one chunk, as spans are counted in ticks.
    """
    out: list[Chunk] = []
    for whole in stretches(chunks):
        span = whole.stop - whole.start
        crowd = int(rng.integers(whole.start, whole.stop + 1))
        ways = [
            rng.integers(whole.start, whole.stop + 1, int(rng.choice([0, 1, 3, 30, min(span, 200)]))),
            np.arange(crowd, min(crowd + int(rng.integers(60)), whole.stop)),
        ]
        if len(whole.time):
            ways.append(rng.choice(whole.time, 20) + rng.integers(0, 2, 20))
        ticks = np.concatenate([way for way in ways if rng.random() < 0.6] or [np.empty(0, np.int64)])
        edges = [whole.start, *np.sort(ticks).tolist(), whole.stop]
        pieces = [part(whole, start, stop) for start, stop in pairwise(edges)]
        out += [replace(pieces[0], lost=whole.lost), *pieces[1:]]
    return out


def cut(chunks: Iterable[Chunk], ticks: Sequence[int]) -> list[list[Chunk]]:
    """The stream cut at ascending `ticks` into `len(ticks) + 1` partitions; one may be empty."""
    edges = [np.iinfo(np.int64).min, *ticks, np.iinfo(np.int64).max]
    parts: list[list[Chunk]] = [[] for _ in edges[1:]]
    for chunk in chunks:
        for n, (low, high) in enumerate(pairwise(edges)):
            start, stop = max(chunk.start, low), min(chunk.stop, high)
            if start < stop:
                parts[n].append(part(chunk, start, stop))
    return parts


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment with its own photons; `stretch` is the number of the unbroken stretch that it lies in."""

    stretch: int
    start: int
    stop: int
    level: int
    time: NDArray[np.int64]
    nanotime: NDArray[np.uint16]
    channel: NDArray[np.uint8]


def segments(chunks: Iterable[Chunk], layout: Layout) -> Iterator[Segment]:
    """The segments of a finished stream, found the plain way: what an oracle of an accumulator loops over."""
    ticks = layout.scale.ticks
    for number, whole in enumerate(stretches(chunks)):
        if layout.fixed:
            edges = [t for t in range(whole.start // ticks * ticks, whole.stop, ticks) if t > whole.start]
            changes = set[int]()
        else:  # in one go; tests of the change points have a plain search for them
            time = whole.time[np.isin(whole.channel, layout.detectors)]
            bounds, kinds = segmenter_of(layout).watch(whole.start).bounds(time, whole.stop, ended=True)
            edges, changes = [t for t in bounds.tolist() if t < whole.stop], set(bounds[kinds != BORDER].tolist())
        for start, stop in zip([whole.start, *edges], [*edges, whole.stop], strict=True):
            own = part(whole, start, stop)
            n = int(np.isin(own.channel, layout.detectors).sum())
            level = layout.scale.n  # the row `mixed`: too short to have a level
            known = (start in changes or stop in changes) and stop - start > layout.window
            if 2 * (stop - start) >= ticks or known:
                scaled = n if stop - start == ticks else round(n * (ticks / (stop - start)))
                level = max(i for i, edge in enumerate(layout.scale.edges[:-1]) if edge <= scaled)
            if stop > start:
                yield Segment(number, start, stop, level, own.time, own.nanotime, own.channel)
