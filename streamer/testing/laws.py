"""The laws that every accumulator must keep, tried on streams cut, halted, parted and merged in random ways.

A law that is broken raises an AssertionError which names the law, the table, the first cell that differs, and the
layout and seed that show it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from streamer.testing.streams import cut, layouts, random_stream, rechunk, stretches

Tables = dict[str, NDArray[np.int64]]


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
            if not np.array_equal(got[key], table):
                at = tuple(int(i) for i in np.argwhere(got[key] != table)[0])
                raise AssertionError(f"{where}: {key}{list(at)} is {got[key][at]} instead of {table[at]}")

    def fresh(self) -> None:
        """Tables are int64 arrays of the shapes that were promised, zero at first."""
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
            plain = isinstance(array, np.ndarray) and array.dtype.kind in "biu"
            assert plain, f"{where}: {key} is {array!r}"
            array.setflags(write=False)
        group = self.make(first=bool(self.rng.integers(2)))
        group.restore(saved)
        return group

    def merging(self) -> None:
        """Partitions merged in time order, as any tree, give identical tables."""
        self.company = bool(self.rng.integers(2))
        parts: list[list[Chunk] | Group] = []
        ticks = self.cuts()
        for n, chunks in enumerate(cut(self.chunks, ticks)):
            again = rechunk(chunks, self.rng)
            if n and not chunks and self.rng.random() < 0.5:
                again = [Chunk(ticks[n - 1], ticks[n - 1])]
            # Some partitions are counted apart, some are fed to the one before; the first one knows that it is.
            apart = n == 0 or self.rng.random() < 0.8
            parts.append(self.fed(self.make(first=n == 0), again) if apart else again)
        backwards = self.rng.random() < 0.3
        while len(parts) > 1:
            i = len(parts) - 2 if backwards else int(self.rng.integers(len(parts) - 1))
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
        assert not isinstance(parts[0], list)
        self.same("merging, any tree", self.finished(parts[0]))

    def cuts(self) -> list[int]:
        """Ticks to part the stream at: anywhere, on borders, at gaps and photons, twice, or in one crowd of them."""
        ends = [tick for chunk in self.chunks for tick in (chunk.start, chunk.stop)]
        photons = np.concatenate([chunk.time for chunk in self.chunks])
        places = [*self.rng.integers(ends[0], ends[-1] + 1, 8), *ends, *self.rng.choice([*photons, ends[0]], 4)]
        if self.rng.random() < 0.5:
            # Partitions shorter than a pair may be long, about one place.
            reach = int(self.rng.integers(2, self.layout.window + 2 * self.layout.scale.ticks))
            places = self.rng.choice([*places, *ends * 2]) + self.rng.integers(-reach, reach + 1, 12)
        ticks = self.rng.choice(places, self.rng.integers(1, 11))
        border = self.rng.random(len(ticks)) < 0.2
        grid = self.layout.scale.ticks if self.layout.fixed else self.layout.longest
        return sorted(np.where(border, ticks // grid * grid, ticks).tolist())

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
        """The sum over all rows of pairs, with `mixed`, is the plain result: where segments end does not matter."""
        plain = {key: table.sum(axis=0) for key, table in self.truth.items()}
        for ticks in (self.layout.scale.ticks // 7 + 1, 2 * self.layout.scale.ticks + 1, 1 << 62):
            counted = self.finished(self.fed(self.make(ticks=ticks), self.chunks))
            self.same("sum over rows", {key: table.sum(axis=0) for key, table in counted.items()}, plain)
