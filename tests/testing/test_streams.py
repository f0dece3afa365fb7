"""The synthetic streams: they are valid, they hold what they promise, and cutting one loses nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from streamer.chunk import Chunk
from streamer.layout import Layout
from streamer.testing import OTHER_CHANNEL, cut, layouts, random_stream, rechunk, segments, stretches

every = pytest.mark.parametrize("layout", layouts().values(), ids=layouts())
NAMES = ("time", "nanotime", "channel", "marker_time", "marker")


def assert_valid(chunks: list[Chunk], layout: Layout) -> None:
    for chunk in chunks:
        assert chunk.start <= chunk.stop
        assert (np.diff(chunk.time) >= 0).all()
        assert ((chunk.time >= chunk.start) & (chunk.time < chunk.stop)).all()
        assert len(chunk.channel) == len(chunk.time)
        assert len(chunk.nanotime) == (len(chunk.time) if layout.mode == "T3" else 0)
        assert (chunk.time.dtype, chunk.nanotime.dtype, chunk.channel.dtype) == (np.int64, np.uint16, np.uint8)
    assert all(a.stop <= b.start for a, b in pairwise(chunks))


def assert_same(got: list[Chunk], expected: list[Chunk]) -> None:
    assert [(one.start, one.stop, one.lost) for one in got] == [(one.start, one.stop, one.lost) for one in expected]
    for one, other in zip(got, expected, strict=True):
        for name in NAMES:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@every
def test_streams_are_valid_and_hold_what_they_promise(layout: Layout) -> None:
    rng, ticks = np.random.default_rng(3), layout.scale.ticks
    seen: set[str] = set()
    for _ in range(30):
        stream = random_stream(rng, layout)
        assert_valid(stream, layout)
        assert all(a.stop < b.start for a, b in pairwise(stream))
        for a, b in pairwise(stream):
            seen |= {"gap of one tick"} if b.start - a.stop == 1 else set()
            seen |= {"gap from border"} if a.stop % ticks == 0 else {"gap inside"}
        time, channel = (np.concatenate([getattr(chunk, name) for chunk in stream]) for name in ("time", "channel"))
        found = list(segments(stream, layout))
        facts = {
            "gap free": len(stream) == 1,
            "one tick": (np.diff(time) == 0).any(),
            "first tick": (time % ticks == 0).any(),
            "last tick": (time % ticks == ticks - 1).any(),
            "silence": any(not len(one.time) for one in found),
            "levels": len({one.level for one in found}) > 3,
            "mixed": any(one.level == layout.scale.n for one in found),
            "other channel": (channel == OTHER_CHANNEL).any(),
            "every detector": set(layout.detectors) <= set(channel.tolist()),
            "late start": stream[0].start > 0,
        }
        seen |= {fact for fact, there in facts.items() if there}
        assert not any(getattr(chunk, name).flags.writeable for chunk in stream for name in NAMES[:3])
    assert seen >= {*facts, "gap of one tick", "gap from border", "gap inside"}


@every
def test_the_same_seed_gives_the_same_stream(layout: Layout) -> None:
    one, other = (random_stream(np.random.default_rng(5), layout) for _ in range(2))
    assert_same(one, other)


@every
def test_rechunking_and_cutting_lose_nothing(layout: Layout) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        stream = random_stream(rng, layout)
        stream = [
            replace(one, marker_time=one.time[::7], marker=one.channel[::7], lost=n) for n, one in enumerate(stream)
        ]
        again = rechunk(stream, rng)
        assert_valid(again, layout)
        assert_same(stretches(again), stretches(stream))
        ticks = sorted(rng.integers(0, stream[-1].stop + 9, 5).tolist())
        parts = cut(stream, [*ticks, ticks[-1]])
        assert len(parts) == 7
        for part, low, high in zip(parts, [-1, *ticks, ticks[-1]], [*ticks, ticks[-1], 1 << 62], strict=True):
            assert_valid(part, layout)
            assert all(low <= chunk.start <= chunk.stop <= high for chunk in part)
        joined = stretches(chunk for part in parts for chunk in part)
        assert_same(joined, [replace(one, lost=0) for one in stream])


def test_empty_chunks_and_single_ticks_occur() -> None:
    layout, rng = layouts()["T2"], np.random.default_rng(6)
    lengths = {chunk.stop - chunk.start for _ in range(20) for chunk in rechunk(random_stream(rng, layout), rng)}
    assert {0, 1} < lengths


def test_segments_are_cut_at_the_grid_and_at_gaps() -> None:
    layout = layouts()["T2"]  # 40 ticks
    found = segments([Chunk(35, 90), Chunk(90, 90), Chunk(95, 100)], layout)
    assert [(one.stretch, one.start, one.stop, one.level) for one in found] == [
        (0, 35, 40, layout.scale.n),
        (0, 40, 80, 0),
        (0, 80, 90, layout.scale.n),
        (1, 95, 100, layout.scale.n),
    ]
