"""Exposure against a plain count, segment by segment; fixed point; segments of a few ticks."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from streamer.accumulators.exposure import FIXED, MOST, Exposure
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.testing import layouts, random_stream, segments

in_every_layout = pytest.mark.parametrize("layout", layouts().values(), ids=layouts())


def naive(layout: Layout, chunks: list[Chunk]) -> dict[str, np.ndarray]:
    ticks, tables = layout.scale.ticks, {key: np.zeros(shape, int) for key, shape in Exposure.shapes(layout).items()}
    for segment in segments(chunks, layout):
        n = segment.stop - segment.start
        counts = {channel: int(np.sum(segment.channel == channel)) for channel in layout.detectors}
        tables["time"][segment.level] += [n, 1, n == ticks]
        tables["photons"][segment.level] += list(counts.values())
        for p, (a, b) in enumerate(layout.pairs):
            both = counts[a] * counts[b] * FIXED
            # round() of a fraction goes to even at one half, as rint does.
            tables["products"][segment.level, p] += [round(Fraction(both * ticks**k, n**k)) for k in (1, 2)]
    return tables


def counted(layout: Layout, chunks: list[Chunk]) -> dict[str, np.ndarray]:
    exposure = Exposure(layout)
    group = Group(layout, [exposure])
    for chunk in chunks:
        group.feed(chunk)
    group.finish()
    return exposure.tables


@in_every_layout
def test_equals_the_plain_count(layout: Layout) -> None:
    rng = np.random.default_rng(11)
    for _ in range(10):
        stream = random_stream(rng, layout)
        expected, got = naive(layout, stream), counted(layout, stream)
        np.testing.assert_array_equal(got["time"], expected["time"])
        np.testing.assert_array_equal(got["photons"], expected["photons"])
        # The kernel divides in double precision: where n does not divide, it may round a near tie the other way.
        assert np.abs(got["products"] - expected["products"]).max(initial=0) <= 1


@in_every_layout
def test_expected_pairs_of_whole_segments_are_exact(layout: Layout) -> None:
    rng, ticks = np.random.default_rng(12), layout.scale.ticks
    (chunk,) = random_stream(rng, layout, gaps=0)
    start, stop = math.ceil(chunk.start / ticks) * ticks, chunk.stop // ticks * ticks
    first, last = np.searchsorted(chunk.time, (start, stop))
    whole = [Chunk(start, stop, chunk.time[first:last], chunk.nanotime[first:last], chunk.channel[first:last])]
    products = counted(layout, whole)["products"]
    np.testing.assert_array_equal(products, naive(layout, whole)["products"])
    if layout.fixed:  # elsewhere no segment is of nominal length
        np.testing.assert_array_equal(products[..., 0], products[..., 1])
        assert not products[-1].any()
    assert products.any() == bool(layout.pairs)


def test_a_segment_cut_short_is_scaled_and_a_shorter_one_is_mixed() -> None:
    layout = layouts()["T2"]
    ticks = layout.scale.ticks
    for n, mixed in ((ticks, False), (ticks // 2, False), (ticks // 2 - 1, True), (1, True)):
        time = np.zeros(6, np.int64)
        tables = counted(layout, [Chunk(0, n, time, channel=np.array([0, 0, 0, 0, 1, 1], np.uint8))])
        row = layout.scale.n if mixed else int(np.flatnonzero(tables["time"][:, 0])[0])
        assert tables["time"][row].tolist() == [n, 1, n == ticks]
        assert tables["photons"][row].tolist() == [4, 2]
        assert tables["products"][row, 0].tolist() == [round(8 * FIXED * (ticks / n) ** k) for k in (1, 2)]
        if not mixed:
            assert layout.scale.edges[row] <= 6 * ticks / n < layout.scale.edges[row + 1]


def test_a_segment_of_one_picosecond_does_not_overflow() -> None:
    layout = Layout("T2", 1e-12, 0.0, (0, 1), ((0, 1),), 0.01, 0.0, 10, 1, 10, (0, 0))
    chunks = [Chunk(0, 1, np.zeros(2, np.int64), channel=np.array([0, 1], np.uint8))]
    first, second = counted(layout, chunks)["products"][-1, 0].tolist()
    assert (first, second) == (FIXED * 10**10, MOST)


def test_channels_that_are_not_analysed_are_time_but_no_photons() -> None:
    layout = layouts()["T2"]
    tables = counted(layout, [Chunk(0, 40, np.arange(40), channel=np.full(40, 99, np.uint8))])
    assert tables["time"][0].tolist() == [40, 1, 1]
    assert not tables["photons"].any()
    assert not tables["products"].any()
