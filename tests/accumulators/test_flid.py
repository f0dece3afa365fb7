"""FLID against a plain mean of exact fractions, and the edges of its period."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from streamer.accumulators.flid import Flid
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.testing import layouts, random_stream, segments

T3 = {name: layout for name, layout in layouts().items() if layout.mode == "T3"}


def late(layout: Layout, nanotime: int, channel: int) -> int:
    """Nanotime units after the beginning of the detector's period, `guard` before its excitation; wrapped once."""
    after = nanotime - layout.zero[layout.detectors.index(channel)] + layout.guard
    period = round(layout.period)
    if after < 0:
        return after + period
    return after - period if after >= period else after


def naive(layout: Layout, chunks: list[Chunk]) -> np.ndarray:
    table = np.zeros(Flid.shapes(layout)["segments"], int)
    for segment in segments(chunks, layout):
        each = [
            late(layout, nanotime, channel)
            for nanotime, channel in zip(segment.nanotime.tolist(), segment.channel.tolist(), strict=True)
            if channel in layout.detectors
        ]
        if each:
            bin_ = floor(Fraction(sum(each), len(each)) / layout.mean_width)
            table[segment.level, min(max(bin_, 0), table.shape[1] - 1)] += 1
    return table


def counted(layout: Layout, chunks: list[Chunk]) -> np.ndarray:
    flid = Flid(layout)
    group = Group(layout, [flid])
    for chunk in chunks:
        group.feed(chunk)
    group.finish()
    return flid.tables["segments"]


@pytest.mark.parametrize("layout", T3.values(), ids=T3)
def test_equals_the_plain_mean(layout: Layout) -> None:
    rng = np.random.default_rng(41)
    for _ in range(10):
        stream = random_stream(rng, layout)
        np.testing.assert_array_equal(counted(layout, stream), naive(layout, stream))


def test_the_period_begins_the_guard_before_the_excitation() -> None:
    layout = T3["T3"]  # zero of detector 0 at 7, guard 2, period 80.4
    for nanotime, expected in ((5, 0), (6, 1), (7, 2), (79, 74), (4, 79), (0, 75)):
        table = counted(layout, [Chunk(0, 40, np.array([3]), np.array([nanotime], np.uint16), np.zeros(1, np.uint8))])
        assert np.argwhere(table)[0].tolist() == [1, expected]
        assert layout.mean_ns()[expected] == pytest.approx((expected + 0.5 - 2) * 0.25)


def test_a_dark_segment_has_no_mean() -> None:
    layout = T3["T3"]
    other = Chunk(0, 40, np.array([3]), np.array([9], np.uint16), np.array([99], np.uint8))
    assert not counted(layout, [other, Chunk(40, 200)]).any()


def test_has_nothing_to_count_in_t2() -> None:
    assert not Flid.needs(layouts()["T2"])
