"""Testing: the laws that every accumulator must keep, and the synthetic streams they are tried on; public, for plug-ins.

    def test_mine_keeps_the_laws():
        check_laws(Mine)

A law that is broken raises an AssertionError which names the law, the table, the first cell that differs, and the
layout and seed that show it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from streamer.accumulator import Accumulator, Block
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.segments import FixedBins

OTHER_CHANNEL = 17  # occurs in the streams, in no layout
Tables = dict[str, NDArray[np.int64]]


def layouts() -> dict[str, Layout]:
    """Small layouts that differ in what matters: name -> Layout.

    They cover T3 and T2, cw and pulsed, whole and broken periods, odd and even tau widths, windows shorter and longer
    than a segment, one to three detectors, excitations near either end of the period, and bins that are wider than a
    nanotime unit.
    """
    return {
        "T3": Layout("T3", 20.1e-9, 0.25e-9, (0, 1), ((0, 1),), 0.8e-6, 80.4, 5, 3, 60, (7, 12)),
        "T3, long window": Layout(
            "T3", 8e-9, 0.5e-9, (4, 1, 200), ((1, 4), (200, 1)), 72e-9, 16.0, 20, 4, 9, (1, 0, 15)
        ),
        "T3, wide bins": Layout("T3", 1e-6, 0.2e-9, (2, 3), ((3, 2),), 30e-6, 5000.2, 2, 99, 110, (4999, 40)),
        "T3, one detector": Layout("T3", 50e-9, 1e-9, (3,), (), 1.5e-6, 50.0, 10, 5, 40, (3,)),
        "T2": Layout("T2", 1e-9, 0.0, (0, 1), ((0, 1),), 40e-9, 0.0, 10, 4, 6, (0, 0)),
        "T2, pulsed": Layout("T2", 1e-9, 0.0, (5, 0, 6), ((0, 5), (6, 0)), 30e-9, 12.5, 4, 5, 7, (0, 0, 0)),
    }


# ---- streams


def random_stream(rng: Generator, layout: Layout, *, segments: int = 40, gaps: int = 3) -> list[Chunk]:
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
    lengths = rng.choice([1, 2, ticks // 2, ticks, 2 * ticks, layout.window], gaps)
    starts = np.where(rng.random(gaps) < 0.3, rng.choice(borders, gaps) + begin, rng.integers(begin, end, gaps))
    kept = np.ones(end - begin, bool)
    for start, length in zip(starts[: rng.integers(gaps + 1)], lengths, strict=False):
        kept[start - begin : start - begin + length] = False
    edges = np.flatnonzero(np.diff(kept, prepend=False, append=False)) + begin
    return [part(whole, int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _nanotimes(rng: Generator, layout: Layout, n: int) -> NDArray[np.uint16]:
    if layout.mode == "T2":
        return np.empty(0, np.uint16)
    zero, period = rng.choice(layout.zero, n), int(layout.period)
    edges = rng.choice([0, 1, period - 1, period, period + 1, 2 * period, 65535], n)
    near = (zero + rng.integers(-layout.guard - 1, 2, n)) % period
    decay = (zero + rng.exponential(layout.period / 5, n)).astype(np.int64) % period
    return np.choose(rng.choice(3, n, p=[0.05, 0.15, 0.8]), [edges, near, decay]).astype(np.uint16)


def part(chunk: Chunk, start: int, stop: int) -> Chunk:
    """The part of a chunk in `[start, stop)`, as views; a late marker and the losses go with the chunk's first part."""
    first, last = np.searchsorted(chunk.time, (start, stop))
    marker_time = np.maximum(chunk.marker_time, chunk.start)
    marked = (marker_time >= start) & (marker_time < stop)
    return Chunk(
        start, stop, chunk.time[first:last], chunk.nanotime[first:last], chunk.channel[first:last],
        chunk.marker_time[marked], chunk.marker[marked], chunk.lost if start == chunk.start else 0,
    )  # fmt: skip


def stretches(chunks: Iterable[Chunk]) -> list[Chunk]:
    """The same stream, one chunk per stretch without a gap."""
    runs: list[list[Chunk]] = []
    for chunk in chunks:
        if runs and runs[-1][-1].stop == chunk.start:
            runs[-1].append(chunk)
        else:
            runs.append([chunk])
    names = ("time", "nanotime", "channel", "marker_time", "marker")
    return [
        Chunk(
            run[0].start,
            run[-1].stop,
            *(np.concatenate([getattr(chunk, name) for chunk in run]) for name in names),
            sum(chunk.lost for chunk in run),
        )
        for run in runs
    ]


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
            rng.choice(whole.time, min(len(whole.time), 20)) + rng.integers(0, 2) if len(whole.time) else [],
        ]
        ticks = np.concatenate([way for way in ways if rng.random() < 0.6] or [[]]).astype(np.int64)
        edges = [whole.start, *np.sort(ticks).tolist(), whole.stop]
        out += [part(whole, start, stop) for start, stop in zip(edges[:-1], edges[1:], strict=True)]
    return out


def cut(chunks: Iterable[Chunk], ticks: Sequence[int]) -> list[list[Chunk]]:
    """The stream cut at ascending `ticks` into `len(ticks) + 1` partitions; one may be empty."""
    edges = [np.iinfo(np.int64).min, *ticks, np.iinfo(np.int64).max]
    parts: list[list[Chunk]] = [[] for _ in edges[1:]]
    for chunk in chunks:
        for n, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
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
        edges = [t for t in range(whole.start // ticks * ticks, whole.stop, ticks) if t > whole.start]
        for start, stop in zip([whole.start, *edges], [*edges, whole.stop], strict=True):
            own = part(whole, start, stop)
            n = int(np.isin(own.channel, layout.detectors).sum())
            level = layout.scale.n  # the row `mixed`: too short to have a level
            if 2 * (stop - start) >= ticks:
                scaled = n if stop - start == ticks else round(n * (ticks / (stop - start)))
                level = max(i for i, edge in enumerate(layout.scale.edges[:-1]) if edge <= scaled)
            if stop > start:
                yield Segment(number, start, stop, level, own.time, own.nanotime, own.channel)


# ---- laws


class Bystander(Accumulator):
    """Counts nothing and looks back over pairs: what another must not be disturbed by."""

    name = "bystander"
    pairs = True

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """No tables."""
        return {}

    def count(self, block: Block) -> None:
        """Nothing."""


def check_laws(
    accumulator: type[Accumulator], *, group: type[Group] = Group, seeds: Iterable[int] = range(4), rounds: int = 3
) -> None:
    """Try every law on random streams in every layout that the accumulator has something to count in.

    Args:
        accumulator: the class; it need not be in the folder of accumulators.
        group: what holds it.
        seeds: one stream each and layout.
        rounds: chunkings, halts and partitions tried per stream.

    Raises:
        AssertionError: a law is broken; the message says which, where, and how to see it again.
    """
    for name, layout in layouts().items():
        if accumulator.needs(layout):
            for seed in seeds:
                rng = np.random.default_rng(seed)
                stream = random_stream(rng, layout)
                check_stream(accumulator, layout, stream, rng, group=group, rounds=rounds, label=f"{name}, seed {seed}")


def check_stream(
    accumulator: type[Accumulator],
    layout: Layout,
    chunks: Sequence[Chunk],
    rng: Generator,
    *,
    group: type[Group] = Group,
    rounds: int = 3,
    label: str = "stream",
) -> None:
    """Try every law on one stream; see `check_laws`."""
    laws = _Laws(accumulator, layout, list(chunks), rng, group, label)
    laws.fresh()
    for _ in range(rounds):
        laws.chunking()
        laws.halt()
        laws.merging()
    laws.empty()
    laws.gaps()
    if accumulator.pairs:
        laws.rows()


@dataclass
class _Laws:
    """The laws, on one stream."""

    accumulator: type[Accumulator]
    layout: Layout
    chunks: list[Chunk]
    rng: Generator
    group: type[Group]
    label: str
    company: bool = False

    def __post_init__(self) -> None:
        self.truth = self.finished(self.fed(self.make(), self.chunks))

    def make(self, first: bool = True, ticks: int | None = None) -> Group:
        company = [Bystander(self.layout)] if self.company else []
        segmenter = FixedBins(ticks) if ticks else None
        return self.group(self.layout, [*company, self.accumulator(self.layout)], segmenter, first=first)

    def fed(self, group: Group, chunks: Iterable[Chunk]) -> Group:
        for chunk in chunks:
            group.feed(chunk)
        return group

    def finished(self, group: Group) -> Tables:
        group.finish()
        return {key: table.copy() for key, table in group.accumulators[-1].tables.items()}

    def same(self, law: str, got: dict[str, Any], expected: dict[str, Any] | None = None) -> None:
        expected = self.truth if expected is None else expected
        where = f"{self.accumulator.__name__}: law broken: {law} ({self.label})"
        assert got.keys() == expected.keys(), f"{where}: tables {sorted(got)} instead of {sorted(expected)}"
        for key, table in expected.items():
            assert got[key].shape == table.shape, f"{where}: {key} is {got[key].shape} instead of {table.shape}"
            for cell in np.argwhere(got[key] != table)[:1]:
                at = tuple(int(i) for i in cell)
                raise AssertionError(f"{where}: {key}{list(at)} is {got[key][at]} instead of {table[at]}")

    def fresh(self) -> None:
        """Tables are int64 arrays of the shapes that were promised, zero at first, and more than nothing is counted."""
        one, shapes = self.accumulator(self.layout), self.accumulator.shapes(self.layout)
        self.same("a fresh one is empty", dict(one.tables), {key: np.zeros(shape) for key, shape in shapes.items()})
        for key, table in self.truth.items():
            kind = f"{self.accumulator.__name__}: law broken: tables are int64: {key} is {table.dtype}"
            assert table.dtype == np.int64, kind

    def chunking(self) -> None:
        """Any chunking gives identical tables, alone or in company."""
        self.company = bool(self.rng.integers(2))
        self.same("any chunking", self.finished(self.fed(self.make(), rechunk(self.chunks, self.rng))))

    def halt(self) -> None:
        """Save, restore and go on equals never having stopped; what was saved stays as it was."""
        chunks = rechunk(self.chunks, self.rng)
        at = int(self.rng.integers(len(chunks) + 1))
        group = self.fed(self.make(), chunks[:at])
        saved = group.state()
        law = "saving does not disturb"
        self.same(law, self.finished(self.fed(group, chunks[at:])))
        self.same("save, restore, go on", self.finished(self.fed(self.revived(saved), chunks[at:])))

    def revived(self, saved: dict[str, NDArray[Any]]) -> Group:
        where = f"{self.accumulator.__name__}: law broken: a state is plain arrays"
        for key, array in saved.items():
            assert isinstance(array, np.ndarray) and array.dtype.kind in "biu", f"{where}: {key} is {array!r}"
            array.setflags(write=False)
        group = self.make(first=bool(self.rng.integers(2)))
        group.restore(saved)
        return group

    def merging(self) -> None:
        """Partitions merged in time order, as any tree, give identical tables."""
        self.company = bool(self.rng.integers(2))
        parts: list[list[Chunk] | Group] = []
        for n, chunks in enumerate(cut(self.chunks, self.cuts())):
            again = rechunk(chunks, self.rng)
            # Some partitions are counted apart, some are fed to the one before; the first one knows that it is.
            apart = n == 0 or self.rng.random() < 0.8
            parts.append(self.fed(self.make(first=n == 0), again) if apart else again)
        while len(parts) > 1:
            i = int(self.rng.integers(len(parts) - 1))
            left, right = parts[i], parts.pop(i + 1)
            if isinstance(left, list):
                left = self.fed(self.make(first=False), left)
            if isinstance(right, list):
                self.fed(left, right)
            else:
                before = right.state()
                left.merge(right)
                self.same("merging leaves the later one as it was", right.state(), before)
            parts[i] = self.revived(left.state()) if self.rng.random() < 0.3 else left
        assert isinstance(parts[0], Group)
        self.same("merging, any tree", self.finished(parts[0]))

    def cuts(self) -> list[int]:
        """Ticks to part the stream at: anywhere, on and beside borders, at gaps, at photons, close together, twice."""
        ends = [tick for chunk in self.chunks for tick in (chunk.start, chunk.stop)]
        times = np.concatenate([chunk.time for chunk in self.chunks] + [np.array(ends)])
        ticks = self.rng.choice([*self.rng.integers(ends[0], ends[-1] + 1, 4), *ends, *self.rng.choice(times, 4)], 4)
        border = self.rng.random(4) < 0.3
        ticks = np.where(border, ticks // self.layout.scale.ticks * self.layout.scale.ticks, ticks)
        close = ticks[:2] + self.rng.integers(-1, self.layout.window + 2, 2)
        every = np.concatenate([ticks, close])
        return sorted(int(tick) for tick in self.rng.choice(every, self.rng.integers(1, 7)))

    def empty(self) -> None:
        """The empty group is the identity on both sides; so is one that saw no time pass."""
        whole = self.fed(self.make(), self.chunks)
        end = self.chunks[-1].stop
        for one in (self.make(), self.make(first=False), self.fed(self.make(first=False), [Chunk(end, end)])):
            whole.merge(one)
        self.same("the empty group on the right", self.finished(whole))
        for first in (True, False):
            left = self.make(first=first)
            left.merge(self.fed(self.make(first=not first), self.chunks))
            self.same("the empty group on the left", self.finished(left))

    def gaps(self) -> None:
        """Nothing is counted across a gap: stretches counted apart add up to the stream."""
        total = self.accumulator(self.layout)
        for stretch in stretches(self.chunks):
            total.add(self.finished(self.fed(self.make(), [stretch])))
        self.same("nothing across a gap", dict(total.tables))

    def rows(self) -> None:
        """The sum over all rows of pairs, `mixed` with them, is the plain result: where segments end does not matter."""
        plain = {key: table.sum(axis=0) for key, table in self.truth.items()}
        for ticks in (1, 2 * self.layout.scale.ticks + 1, 1 << 62):
            counted = self.finished(self.fed(self.make(ticks=ticks), self.chunks))
            self.same("sum over rows", {key: table.sum(axis=0) for key, table in counted.items()}, plain)
