"""Arrivals against plain sums photon by photon; the laws; growth; the sums are counted once for all."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.accumulators import arrival_sums
from streamer.accumulators.arrivals import Arrivals
from streamer.accumulators.flid import Flid
from streamer.accumulators.sequence import Sequence
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.testing import check_laws, layouts, random_stream, segments

T3 = {name: layout for name, layout in layouts().items() if layout.mode == "T3"}


def naive(layout: Layout, chunks: list[Chunk]) -> list[list[int]]:
    period = round(layout.period)
    lines = []
    for segment in segments(chunks, layout):
        line = [0] * len(layout.detectors)
        for nanotime, channel in zip(segment.nanotime.tolist(), segment.channel.tolist(), strict=True):
            if channel in layout.detectors:
                d = layout.detectors.index(channel)
                late = nanotime - layout.zero[d] + layout.guard
                line[d] += late + period if late < 0 else late - period if late >= period else late
        lines.append(line)
    return lines


@pytest.mark.parametrize("layout", T3.values(), ids=T3)
def test_equals_plain_sums_line_by_line_with_the_sequence(layout: Layout) -> None:
    rng = np.random.default_rng(51)
    for _ in range(10):
        stream = random_stream(rng, layout)
        arrivals, sequence = Arrivals(layout), Sequence(layout)
        group = Group(layout, [arrivals, sequence])
        for chunk in stream:
            group.feed(chunk)
        group.finish()
        assert arrivals.tables["sums"].tolist() == naive(layout, stream)
        assert len(arrivals.tables["sums"]) == len(sequence.tables["segments"])


def test_laws() -> None:
    check_laws(Arrivals)


def test_photons_are_gone_through_once_for_flid_and_arrivals(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = T3["T3"]
    calls = []
    real = arrival_sums._sum
    monkeypatch.setattr(arrival_sums, "_sum", lambda *args: calls.append(1) or real(*args))
    group = Group(layout, [Arrivals(layout), Flid(layout)])
    group.feed(Chunk(0, 40, np.array([3]), np.array([9], np.uint16), np.zeros(1, np.uint8)))
    group.finish()
    assert len(calls) == 1


def test_has_nothing_to_count_in_t2() -> None:
    assert not Arrivals.needs(layouts()["T2"])
