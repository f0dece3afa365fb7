"""Group: what it refuses, what it remembers and what it lets go, and a seam between partitions in every position."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.accumulator import Accumulator, Block
from streamer.accumulators import for_layout
from streamer.accumulators.coincidences import Coincidences
from streamer.accumulators.exposure import Exposure
from streamer.accumulators.sequence import Sequence
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.testing import cut, layouts, random_stream, rechunk, segments

LAYOUT = layouts()["T2"]  # 40 ticks per segment, pairs up to 26 ticks
TICKS = LAYOUT.scale.ticks
every = pytest.mark.parametrize("layout", layouts().values(), ids=layouts())


def group(first: bool = True, layout: Layout = LAYOUT) -> Group:
    return Group(layout, for_layout(layout), first=first)


def chunk(start: int, stop: int, *times: int) -> Chunk:
    return Chunk(start, stop, np.array(times, np.int64), channel=(np.arange(len(times)) % 2).astype(np.uint8))


# ---- what accumulators are given


class Watcher(Accumulator):
    """Checks every block it is given against the whole stream."""

    name = "watcher"
    pairs = True
    whole: Chunk

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        return {"blocks": (1,)}

    def count(self, block: Block) -> None:
        self.tables["blocks"] += 1
        assert (block.start[1:] == block.stop[:-1]).all()
        assert (block.start < block.stop).all()
        assert len(block.time) == len(block.channel) >= block.offsets[-1]
        assert len(block.time) == block.offsets[-1] or not self.layout.fixed  # there the open segment's may follow
        assert len(block.nanotime) == (len(block.time) if self.layout.mode == "T3" else 0)
        counted = slice(block.offsets[0], block.offsets[-1])
        own = (block.time[counted], block.channel[counted])
        first, last = np.searchsorted(self.whole.time, (block.start[0], block.stop[-1]))
        assert np.array_equal(own[0], self.whole.time[first:last])
        assert np.array_equal(own[1], self.whole.channel[first:last])
        for s in range(len(block.level)):
            inside = slice(block.offsets[s], block.offsets[s + 1])
            if self.layout.fixed:
                ticks = self.layout.scale.ticks
                assert (block.time[inside] // ticks == block.start[s] // ticks).all()
            assert (block.start[s] <= block.time[inside]).all()
            assert (block.time[inside] < block.stop[s]).all()
            counts = [np.sum(block.channel[inside] == one) for one in self.layout.detectors]
            assert block.counts[s].tolist() == [*counts, block.offsets[s + 1] - block.offsets[s] - sum(counts)]
        # All photons that a pair may reach back to are in view, and only photons of the same stretch.
        back = np.searchsorted(self.whole.time, max(block.start[0] - self.layout.window, self.whole.start))
        seen = block.time[: block.offsets[0]]
        assert len(seen) >= first - back
        assert np.array_equal(seen, self.whole.time[first - len(seen) : first])


@every
def test_blocks_are_what_they_say(layout: Layout) -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        (whole,) = random_stream(rng, layout, gaps=0)
        Watcher.whole = whole
        watcher = Watcher(layout)
        one = Group(layout, [watcher])
        for piece in rechunk([whole], rng):
            one.feed(piece)
        one.finish()
        assert watcher.tables["blocks"][0] > 0


def test_a_level_is_that_of_the_analysed_channels() -> None:
    one = group()
    one.feed(Chunk(0, TICKS, np.arange(30), channel=np.array([0, 1, 99] * 10, np.uint8)))
    (line,) = one.accumulators[-1].tables["segments"].tolist()
    assert line == [0, TICKS, int(LAYOUT.scale.levels(np.array([20]), np.array([TICKS]))[0]), 10, 10]


# ---- errors


def test_a_chunk_that_goes_back_in_time_is_refused_and_nothing_is_changed() -> None:
    one = group()
    one.feed(chunk(0, 50, 3, 9, 45))
    before = one.state()
    with pytest.raises(ValueError, match="start 49 lies before tick 50"):
        one.feed(chunk(49, 60, 49))
    with pytest.raises(ValueError, match=r"stop before it starts, got 70\.\.60"):
        one.feed(chunk(70, 60))
    assert_same_state(one.state(), before)


def test_a_merge_that_cannot_be_right_is_refused_and_nothing_is_changed() -> None:
    one = group()
    one.feed(chunk(0, 50, 3, 9, 45))
    before = one.state()
    knows, back, ended = group(), group(first=False), group(first=False)
    knows.feed(chunk(50, 90, 51))
    back.feed(chunk(40, 90, 51))
    ended.feed(chunk(50, 190, 51))
    ended.finish()
    other = group(first=False, layout=replace(LAYOUT, tau_half=5))
    fewer = Group(LAYOUT, [Exposure(LAYOUT)], first=False)
    for later, words in (
        (knows, "first=False"),
        (back, "start 40 lies before tick 50"),
        (ended, "finished"),
        (other, "same layout and accumulators"),
        (fewer, "same layout and accumulators"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            one.merge(later)
        assert "\n" not in str(caught.value)
        assert_same_state(one.state(), before)


def test_a_state_of_other_accumulators_is_refused() -> None:
    one = group()
    one.feed(chunk(0, 50, 3, 9, 45))
    with pytest.raises(KeyError, match=r"coincidences"):
        group().restore(Group(LAYOUT, [Exposure(LAYOUT)]).state())


def test_an_accumulator_must_be_written() -> None:
    with pytest.raises(TypeError, match="shapes"):
        Accumulator(LAYOUT)

    class Half(Accumulator):
        name = "half"

        @staticmethod
        def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
            return {"one": (1,)}

    one = Group(LAYOUT, [Half(LAYOUT)])
    with pytest.raises(TypeError, match=r"Half: an accumulator must define count\(block\)"):
        one.feed(chunk(0, 50, 1))


def assert_same_state(got: dict[str, NDArray[Any]], expected: dict[str, NDArray[Any]]) -> None:
    assert got.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(got[key], array, err_msg=key)


# ---- finishing


def test_finishing_counts_the_open_segment_once() -> None:
    one = group()
    one.feed(chunk(0, TICKS + 25, 3, 9, TICKS + 5))
    assert (one.counted, one.open_photons) == (2, 1)
    for _ in range(2):
        one.finish()
        assert (one.counted, one.open_photons) == (3, 0)
        assert one.accumulators[-1].tables["segments"][:, :2].tolist() == [[0, TICKS], [TICKS, TICKS + 25]]
    group().finish()


def test_what_comes_after_the_end_is_a_segment_of_its_own() -> None:
    one = group()
    one.feed(chunk(0, 25, 3))
    one.finish()
    one.feed(Chunk(25, 2 * TICKS, np.array([26]), channel=np.array([1], np.uint8)))
    assert one.accumulators[-1].tables["segments"][:, :2].tolist() == [[0, 25], [25, TICKS], [TICKS, 2 * TICKS]]
    assert not next(a for a in one.accumulators if a.name == "coincidences").tables["tau0"].any()


@every
def test_a_partition_that_stays_alone_is_finished_like_a_stream(layout: Layout) -> None:
    stream = random_stream(np.random.default_rng(2), layout)
    whole, alone = group(layout=layout), group(first=False, layout=layout)
    for one in (whole, alone):
        for piece in stream:
            one.feed(piece)
        one.finish()
        assert one.counted == sum(len(segment.time) for segment in segments(stream, layout))
    assert_same_state(alone.state(), whole.state())


def test_a_partition_within_one_segment_is_finished_whole() -> None:
    one = group(first=False)
    one.feed(chunk(3, 30, 5, 6, 29))
    assert one.counted == 0
    one.finish()
    assert one.counted == 3
    level = int(LAYOUT.scale.levels(np.array([3]), np.array([27]))[0])
    assert one.accumulators[-1].tables["segments"].tolist() == [[3, 30, level, 2, 1]]


# ---- every seam


def trees(n: int) -> list[tuple[int, ...]]:
    """Every order of merging neighbours: position of the left one at each step."""
    return list(product(*(range(k) for k in range(n - 1, 0, -1))))


def seams(gaps: list[tuple[int, int]], parts: int, starts: tuple[int, ...]) -> None:
    """Segments of 3 ticks, pairs up to 8: a stream cut in every way, and merged in every order."""
    layout = replace(LAYOUT, bin_s=3 * LAYOUT.tick_s, tau_half=7, tau_width=1)
    assert (layout.scale.ticks, layout.window) == (3, 8)
    accumulators: Callable[[], list[Accumulator]] = lambda: [Coincidences(layout), Sequence(layout)]  # noqa: E731
    for start in starts:
        time = np.repeat(np.arange(start, start + 13), 2)
        channel = np.resize(np.array([0, 1], np.uint8), len(time))
        for low, high in gaps:
            stream = cut([Chunk(start, start + 13, time, channel=channel)], [start + low, start + high])
            pieces = stream[0] + stream[2]
            whole = Group(layout, accumulators())
            for piece in pieces:
                whole.feed(piece)
            whole.finish()
            for ticks in combinations_with_replacement(range(start, start + 14), parts - 1):
                fed = []
                for n, part in enumerate(cut(pieces, ticks)):
                    fed.append(Group(layout, accumulators(), first=n == 0))
                    for piece in part:
                        fed[-1].feed(piece)
                for tree in trees(parts):
                    merged = copy.deepcopy(fed)
                    for i in tree:
                        merged[i].merge(merged.pop(i + 1))
                    merged[0].finish()
                    for mine, other in zip(merged[0].accumulators, whole.accumulators, strict=True):
                        for key, table in other.tables.items():
                            if not np.array_equal(mine.tables[key], table):
                                pytest.fail(f"{mine.name}.{key}: start {start}, gap {low, high}, {ticks=}, {tree=}")


def test_every_seam_of_three_partitions() -> None:
    seams([(0, 0), (5, 6), (6, 8)], 3, (0, 1))


@pytest.mark.slow
def test_every_seam_of_four_partitions() -> None:
    seams([(low, low + length) for low in range(1, 12) for length in (1, 3)], 4, (1,))


def test_no_seam_pair_is_lost_where_gap_and_partitions_are_shorter_than_a_pair() -> None:
    seams([(7, 8)], 4, (1,))


# ---- memory


def kept(one: Group, *, start: int, stop: int, n: int) -> int:
    """Feed a chunk whose photons are views of larger arrays; how many of those arrays are alive afterwards."""
    time = np.sort(np.random.default_rng(0).integers(start, stop, n))
    times, channels = np.concatenate((time, time)), np.resize(np.array([0, 1], np.uint8), 2 * n)
    references: list[Any] = [weakref.ref(times), weakref.ref(channels)]
    one.feed(Chunk(start, stop, times[:n], channel=channels[:n]))
    del times, channels
    gc.collect()
    return sum(reference() is not None for reference in references)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("stop", [5, TICKS - 1, TICKS, TICKS + 1, 3 * TICKS, 30 * TICKS + 3])
def test_a_chunk_is_let_go(first: bool, stop: int) -> None:
    one = group(first)
    start = 0
    for _ in range(4):
        assert kept(one, start=start, stop=start + stop, n=200) == 0
        start += stop
    saved = one.state()
    other = group()
    other.restore(saved)
    references = [weakref.ref(array) for array in saved.values()]
    del saved
    gc.collect()
    assert not any(reference() is not None for reference in references)


def test_memory_stays_small_however_small_the_chunks() -> None:
    rng, one = np.random.default_rng(3), group()
    time = np.sort(rng.integers(0, 500 * TICKS, 40_000))
    for start in range(0, 500 * TICKS, 7):
        low, high = np.searchsorted(time, (start, start + 7))
        one.feed(Chunk(start, start + 7, time[low:high], channel=(np.arange(low, high) % 2).astype(np.uint8)))
        held = one.open_photons + len(one.tail.time) + len(one.early.time) + len(one.head.time)
        assert held <= np.searchsorted(time, start + 7) - np.searchsorted(time, start - TICKS - LAYOUT.window)
        owned = [*one._open, one.tail, one.early, one.head]
        assert all(array.base is None for photons in owned for array in photons)
    assert one.counted + one.open_photons == len(time)


def test_a_partition_keeps_no_more_early_photons_than_pairs_can_reach() -> None:
    one = group(first=False)
    for start in range(0, 50 * TICKS, 3 * TICKS):
        one.feed(chunk(start, start + 3 * TICKS, *range(start, start + 3 * TICKS)))
    assert one.early.time.tolist() == list(range(TICKS, TICKS + LAYOUT.window))
    assert one.head.time.tolist() == list(range(TICKS))
