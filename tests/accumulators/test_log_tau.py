"""Log-tau pairs against all pairs of each segment by plain NumPy, the axis, and the laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.accumulators import log_tau
from streamer.accumulators.log_tau import LogTau, block_ticks, correlated, lag_bins
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.segments import FixedBins
from streamer.testing import check_laws, layouts, random_stream, segments

T2 = Layout("T2", 1e-9, 0.0, (0, 1), ((0, 1),), 1e-4, 0.0, 10, 5, 100, (0, 0))
OWN = {
    "T2": T2,
    "T2, picoseconds": replace(T2, tick_s=1e-12, bin_s=1e-5),
    "T2, alone": replace(T2, detectors=(3,), pairs=(), zero=(0,)),
    "T2, pulsed": replace(T2, period=12.5, lags=4),
    "T3": Layout("T3", 1e-7, 1e-9, (2, 1, 7), ((1, 2), (7, 2)), 1e-4, 100.0, 10, 5, 100, (0, 0, 0)),
}
CASES = {
    name: layout for name, layout in (OWN | {f"small, {k}": v for k, v in layouts().items()}).items()
    if LogTau.needs(layout)
}  # fmt: skip
Tables = dict[str, NDArray[np.int64]]


def pairs_of(layout: Layout, a: NDArray[np.int64], b: NDArray[np.int64], length: int, alone: bool) -> NDArray[np.int64]:
    """All pairs of one segment, times from its beginning, bin by bin."""
    bins, found = lag_bins(layout), []
    for width, first, lags in zip(bins.width, bins.first, bins.lags, strict=True):
        apart = b[None, :] // width - a[:, None] // width
        apart = apart[np.triu_indices(len(a), 1)] if alone else np.abs(apart)
        inside = (apart >= first) & (apart < first + lags)
        found.append(int(inside.sum()) if length // width >= log_tau.CELLS else 0)
    return np.array(found)


def naive(layout: Layout, chunks: list[Chunk]) -> Tables:
    tables = {key: np.zeros(shape, int) for key, shape in LogTau.shapes(layout).items()}
    lines: dict[int, list[NDArray[np.int64]]] = {}
    for one in segments(chunks, layout):
        found = []
        for p, (a, b) in enumerate(correlated(layout)):
            on_a, on_b = (one.time[one.channel == channel] - one.start for channel in (a, b))
            found.append(pairs_of(layout, on_a, on_b, one.stop - one.start, a == b))
            tables[f"pairs{p}"][one.level] += found[-1]
        lines.setdefault(one.start // block_ticks(layout), []).append(np.concatenate(found))
    rows = [np.concatenate([[number], np.sum(line, axis=0)]) for number, line in lines.items()]
    return tables | {"blocks": np.array(rows, np.int64).reshape(len(rows), tables["blocks"].shape[1])}


def counted(layout: Layout, chunks: list[Chunk], ticks: int | None = None) -> Tables:
    accumulator = LogTau(layout)
    group = Group(layout, [accumulator], FixedBins(ticks) if ticks else None)
    for chunk in chunks:
        group.feed(chunk)
    group.finish()
    return accumulator.tables


def same(got: Tables, expected: Tables) -> None:
    assert got.keys() == expected.keys()
    for key, table in expected.items():
        np.testing.assert_array_equal(got[key], table, err_msg=key)


def steady(rng: np.random.Generator, layout: Layout, photons: int, ticks: int) -> Chunk:
    time = np.sort(rng.integers(0, ticks, photons))
    channel = rng.choice(np.array([*layout.detectors, 99], np.uint8), photons)
    nanotime = rng.integers(0, 100, photons).astype(np.uint16) if layout.mode == "T3" else np.empty(0, np.uint16)
    return Chunk(0, ticks, time, nanotime, channel)


def test_keeps_the_laws() -> None:
    check_laws(LogTau)


@pytest.mark.parametrize("layout", CASES.values(), ids=CASES)
def test_equals_all_pairs(layout: Layout) -> None:
    rng = np.random.default_rng(61)
    if layout.scale.ticks < 100:  # it is crowded
        for _ in range(3):
            stream = random_stream(rng, layout, segments=15)
            same(counted(layout, stream), naive(layout, stream))
    for photons in (3, 30, 300, 2000):  # from nearly all one by one to nearly all by cells
        stream = [steady(rng, layout, photons, 2 * layout.scale.ticks + layout.scale.ticks // 3)]
        got = counted(layout, stream)
        same(got, naive(layout, stream))
    assert got["pairs0"].sum(axis=0).all()
    assert not got["pairs0"][-1].all()


@pytest.mark.parametrize("dense", ["one by one", "cells", "wide"])
def test_every_way_to_count_gives_the_same(dense: str) -> None:
    """A segment so bright that 32 bits do not hold its pairs, against the correlation of the cells by NumPy."""
    rng, layout = np.random.default_rng(62), replace(T2, bin_s=1e-3)
    photons = {"one by one": 40, "cells": 20_000, "wide": 120_000}[dense]
    chunk = steady(rng, layout, photons, layout.scale.ticks)
    got, bins = counted(layout, [chunk])["pairs0"].sum(axis=0), lag_bins(layout)
    for k in range(len(got)):
        width, n = int(bins.width[k]), -(-layout.scale.ticks // int(bins.width[k]))
        a, b = (np.bincount(chunk.time[chunk.channel == c] // width, minlength=n) for c in (0, 1))
        lags = range(int(bins.first[k]), int(bins.first[k] + bins.lags[k]))
        assert got[k] == sum(int(a[: n - m] @ b[m:]) + int(b[: n - m] @ a[m:]) for m in lags)


def test_segments_of_any_length_take_part_where_they_are_long_enough() -> None:
    layout, rng = T2, np.random.default_rng(63)
    chunk = steady(rng, layout, 4000, 4 * layout.scale.ticks)
    bins = lag_bins(layout)
    for ticks in (layout.scale.ticks // 7, 3 * layout.scale.ticks + 5):
        got = counted(layout, [chunk], ticks)["blocks"][:, 1:].sum(axis=0)
        expected = np.zeros(len(bins.first), int)
        for start in range(0, chunk.stop, ticks):
            own = (chunk.time >= start) & (chunk.time < start + ticks)
            on = [chunk.time[own & (chunk.channel == c)] - start for c in (0, 1)]
            expected += pairs_of(layout, *on, min(ticks, chunk.stop - start), False)
        np.testing.assert_array_equal(got, expected)
        assert (got == 0).any() == (ticks < layout.scale.ticks)


def test_the_weights_of_the_lags_add_up_to_one() -> None:
    """A delay is counted once in all, averaged over where its pair lies, but about the ends of an octave."""
    bins = lag_bins(T2)
    total = np.zeros(15 * int(bins.width[-1]))
    for width, first, lags in zip(bins.width, bins.first, bins.lags, strict=True):
        for m in range(int(first), int(first + lags)):
            total += np.maximum(1 - np.abs(np.arange(len(total)) - m * int(width)) / int(width), 0)
    for width in np.unique(bins.width)[1:].tolist():
        np.testing.assert_allclose(total[8 * width : 14 * width], 1.0)
        border = total[7 * width : 8 * width]
        assert 1.0 < border.mean() < border.max() <= 1.5


def test_the_axis_begins_at_100_ns_or_one_period_and_ends_below_a_segment() -> None:
    for layout in CASES.values():
        bins, tick = lag_bins(layout), layout.tick_s
        assert bins.first[0] * bins.width[0] * tick >= 100e-9 * (1 - 1e-6)
        assert (bins.first[-1] + 2) * bins.width[-1] == log_tau.CELLS * bins.width[-1] <= layout.scale.ticks
        assert np.all(np.diff(bins.ticks) > 0)
        if layout.mode == "T2" and layout.pulsed:
            assert bins.width[0] >= log_tau.PERIODS * layout.period
    assert lag_bins(OWN["T3"]).ticks[0] == 1
    assert lag_bins(T2).ticks[0] * 1e-9 < 150e-9


def test_needs_something_to_correlate_and_segments_long_enough() -> None:
    assert LogTau.needs(OWN["T2, alone"])
    assert not LogTau.needs(replace(T2, detectors=(1, 2), pairs=()))
    assert not LogTau.needs(replace(T2, bin_s=1e-7))


def test_expected_pairs_of_steady_light() -> None:
    """Of T ticks, width * (T - m * width) pairs of ticks are m cells apart."""
    layout = OWN["T3"]
    ticks = layout.scale.ticks - 33  # ends within a cell
    time = np.arange(ticks)
    every = Chunk(
        0, ticks, np.repeat(time, 2), np.zeros(2 * ticks, np.uint16), np.tile(np.array([1, 2], np.uint8), ticks)
    )
    got, bins = counted(layout, [every])["pairs0"].sum(axis=0), lag_bins(layout)
    m = bins.first + (bins.lags - 1) / 2
    taken = bins.width * log_tau.CELLS <= ticks
    expected = 2 * bins.lags * bins.width * (ticks - m * bins.width)
    np.testing.assert_array_equal(got[taken], expected[taken])
    assert not got[~taken].any()
