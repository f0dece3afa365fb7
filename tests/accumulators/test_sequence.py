"""The sequence against the segments found plainly; growth."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.accumulators.sequence import Sequence
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.testing import layouts, random_stream, segments


@pytest.mark.parametrize("layout", layouts().values(), ids=layouts())
def test_equals_the_plain_segments(layout: Layout) -> None:
    rng = np.random.default_rng(21)
    for _ in range(10):
        stream = random_stream(rng, layout)
        expected = [
            [one.start, one.stop, one.level, *(int(np.sum(one.channel == channel)) for channel in layout.detectors)]
            for one in segments(stream, layout)
        ]
        sequence = Sequence(layout)
        group = Group(layout, [sequence])
        for chunk in stream:
            group.feed(chunk)
        group.finish()
        assert sequence.tables["segments"].tolist() == expected


def test_grows_beyond_its_first_memory_and_keeps_order() -> None:
    layout = layouts()["T2"]
    sequence = Sequence(layout)
    group = Group(layout, [sequence])
    ticks = layout.scale.ticks
    for start in range(0, 5000 * ticks, 700 * ticks):
        group.feed(Chunk(start, start + 700 * ticks))
    lines = sequence.tables["segments"]
    assert lines[:, 0].tolist() == list(range(0, 5600 * ticks, ticks))
    assert not lines[:, 2:].any()
    other = Sequence(layout)
    other.restore({"segments": lines})
    other.restore({"segments": lines})
    assert np.array_equal(other.tables["segments"], lines)
