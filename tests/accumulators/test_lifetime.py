"""Decay histograms against a plain count, and the edges of the nanotime axis."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.accumulators.lifetime import Lifetime
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.testing import layouts, random_stream, segments

T3 = {name: layout for name, layout in layouts().items() if layout.mode == "T3"}


def naive(layout: Layout, chunks: list[Chunk]) -> np.ndarray:
    table = np.zeros(Lifetime.shapes(layout)["decay"], int)
    for segment in segments(chunks, layout):
        for nanotime, channel in zip(segment.nanotime.tolist(), segment.channel.tolist(), strict=True):
            if channel in layout.detectors:
                bin_ = min(nanotime // 2**layout.nanotime_shift, layout.nanotime_bins - 1)
                table[segment.level, layout.detectors.index(channel), bin_] += 1
    return table


def counted(layout: Layout, chunks: list[Chunk]) -> np.ndarray:
    lifetime = Lifetime(layout)
    group = Group(layout, [lifetime])
    for chunk in chunks:
        group.feed(chunk)
    group.finish()
    return lifetime.tables["decay"]


@pytest.mark.parametrize("layout", T3.values(), ids=T3)
def test_equals_the_plain_count(layout: Layout) -> None:
    rng = np.random.default_rng(31)
    for _ in range(10):
        stream = random_stream(rng, layout)
        np.testing.assert_array_equal(counted(layout, stream), naive(layout, stream))


@pytest.mark.parametrize("layout", T3.values(), ids=T3)
def test_every_nanotime_has_its_bin_and_none_is_lost(layout: Layout) -> None:
    n = 1 << 16
    nanotime = np.arange(n, dtype=np.uint16)
    channel = np.full(n, layout.detectors[0], np.uint8)
    decay = counted(layout, [Chunk(0, 1, np.zeros(n, np.int64), nanotime, channel)]).sum(axis=(0, 1))
    width = 2**layout.nanotime_shift
    whole = int(layout.period) // width
    assert decay.sum() == n
    assert (decay[:whole] == width).all()
    assert np.searchsorted(layout.nanotime_ns(), layout.period * layout.resolution_s * 1e9) < layout.nanotime_bins


def test_has_nothing_to_count_in_t2() -> None:
    assert not Lifetime.needs(layouts()["T2"])
    assert Lifetime.needs(layouts()["T3"])
