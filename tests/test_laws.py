"""The law suite over every accumulator in the folder, and the proof that it bites: planted bugs must not pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from sources.ptu import open_source as open_ptu
from streamer.accumulator import Accumulator, Block
from streamer.accumulators import for_layout, found
from streamer.accumulators.coincidences import Coincidences
from streamer.accumulators.exposure import Exposure
from streamer.chunk import Chunk
from streamer.group import NONE, Group
from streamer.layout import Layout
from streamer.testing import check_laws, check_stream, layouts, random_stream, rechunk

SHARED = Path(__file__).parents[1].parent / "shared" / "data" / "ptu"
RECORDINGS = (
    "hh1_t3_hbt_2p5MHz_blinking.ptu",
    "hh2_t3_hbt_80MHz.ptu",
    "hh2_t2_hbt_320MHz.ptu",
    "ph300_t2_2ch_80MHz.ptu",
)
every = pytest.mark.parametrize("accumulator", found(), ids=lambda one: one.name)
in_every_layout = pytest.mark.parametrize("layout", layouts().values(), ids=layouts())


def recording(name: str) -> tuple[Layout, list[Chunk]]:
    """A real stream, with a gap that a lossy transport might leave, and a layout for it."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    source = open_ptu(str(path), {"chunk_records": str(1 << 15)})
    chunks = list(source.chunks())
    del chunks[len(chunks) // 2]
    info = source.info
    a, b = np.unique(np.concatenate([chunk.channel for chunk in chunks]))[:2].tolist()
    late = int(info.period / 9)
    period = info.period if info.mode == "T3" else 12.5e-9 / info.tick_s
    width = max(1, round(1e-9 / (info.resolution_s or info.tick_s)))
    units = info.mode, info.tick_s, info.resolution_s
    return Layout(*units, (a, b), ((a, b),), 0.01, period, 4, width, 60, (late, late)), chunks


def test_every_accumulator_is_found() -> None:
    assert [one.name for one in found()] == [
        "arrivals", "coincidences", "exposure", "flid", "lifetime", "log_tau", "sequence",
    ]  # fmt: skip


@every
def test_laws(accumulator: type[Accumulator]) -> None:
    check_laws(accumulator)


@pytest.mark.slow
@every
def test_laws_on_many_streams(accumulator: type[Accumulator]) -> None:
    check_laws(accumulator, seeds=range(100, 130), rounds=5)


@every
@pytest.mark.parametrize("name", RECORDINGS)
def test_laws_on_a_real_stream(accumulator: type[Accumulator], name: str) -> None:
    layout, chunks = recording(name)
    if not accumulator.needs(layout):
        pytest.skip(f"{accumulator.name} has nothing to count in {layout.mode}")
    check_stream(accumulator, layout, chunks, np.random.default_rng(1), rounds=2, label=name)


@in_every_layout
def test_live_time_is_the_sum_of_the_spans(layout: Layout) -> None:
    rng = np.random.default_rng(7)
    for _ in range(5):
        stream = random_stream(rng, layout)
        group = Group(layout, for_layout(layout))
        for chunk in rechunk(stream, rng):
            group.feed(chunk)
        group.finish()
        tables = {one.name: one.tables for one in group.accumulators}
        live = sum(chunk.stop - chunk.start for chunk in stream)
        segments = tables["sequence"]["segments"]
        assert tables["exposure"]["time"][:, 0].sum() == live == (segments[:, 1] - segments[:, 0]).sum()
        assert group.counted == sum(len(chunk.time) for chunk in stream)


@in_every_layout
def test_silence_advances_time(layout: Layout) -> None:
    ticks = layout.scale.ticks
    silent, spoken = (Group(layout, for_layout(layout)) for _ in range(2))
    spoken.feed(Chunk(0, 10 * ticks + 3))
    for start in range(0, 10 * ticks + 3):
        silent.feed(Chunk(start, start + 1))
    for group in (silent, spoken):
        time = next(one for one in group.accumulators if one.name == "exposure").tables["time"]
        if layout.fixed:
            assert time[0].tolist() == [10 * ticks, 10, 10]
        group.finish()
        assert time[:, 0].sum() == 10 * ticks + 3


# ---- planted bugs: groups


class ForgetsTheTail(Group):
    def feed(self, chunk: Chunk) -> None:
        self.tail = NONE
        super().feed(chunk)


class TailOneTickShort(Group):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.window = max(self.window - 1, 0)


class TailOverAGap(Group):
    def _gap(self, start: int) -> None:
        tail = self.tail
        super()._gap(start)
        self.tail = tail


class GapIsLiveTime(Group):
    def _gap(self, start: int) -> None:
        self._advance(NONE, start)


class DropsTheOpenPhotons(Group):
    def feed(self, chunk: Chunk) -> None:
        self._open = []
        super().feed(chunk)


class SegmentEndsWithTheChunk(Group):
    def feed(self, chunk: Chunk) -> None:
        super().feed(chunk)
        if not self.in_head:
            self._gap(self.position)


class SegmentRestartsWithTheChunk(Group):
    def feed(self, chunk: Chunk) -> None:
        super().feed(chunk)
        self.open_start = self.position


class SilenceIsNoTime(Group):
    def feed(self, chunk: Chunk) -> None:
        if len(chunk.time):
            super().feed(chunk)


class NoPairsOverTheSeam(Group):
    def _count_across(self, early: Any) -> None:
        pass


class PairsOfASeamTwice(Group):
    def _count_across(self, early: Any) -> None:
        super()._count_across(early)
        super()._count_across(early)


class NoHead(Group):
    def feed(self, chunk: Chunk) -> None:
        if self.start is None and self.in_head:
            self.in_head, self.head_stop = False, chunk.start
        super().feed(chunk)


class NoEarlyPhotonsInAShortPartition(Group):
    def merge(self, later: Group) -> None:
        super().merge(later)
        self.early_done = True


class GapBetweenPartitionsIsSilence(Group):
    def merge(self, later: Group) -> None:
        if self.start is not None and later.start is not None:
            self._advance(NONE, later.start)
        super().merge(later)


class StateWithoutTheTail(Group):
    def state(self) -> dict[str, NDArray[Any]]:
        return super().state() | {f"tail.{key}": array for key, array in NONE._asdict().items()}


class StateWithoutTheOpenPhotons(Group):
    def state(self) -> dict[str, NDArray[Any]]:
        return super().state() | {f"open.{key}": array for key, array in NONE._asdict().items()}


class StateIsAView(Group):
    def state(self) -> dict[str, NDArray[Any]]:
        views = {f"{one.name}.{key}": table for one in self.accumulators for key, table in one.tables.items()}
        return super().state() | views


class StateIsNoArray(Group):
    def state(self) -> dict[str, NDArray[Any]]:
        return super().state() | {"window": self.window}  # type: ignore[return-value]


class MergeChangesTheLaterOne(Group):
    def merge(self, later: Group) -> None:
        super().merge(later)
        later.tail = NONE


@pytest.mark.parametrize(
    "group",
    [
        ForgetsTheTail,
        TailOneTickShort,
        TailOverAGap,
        GapIsLiveTime,
        DropsTheOpenPhotons,
        SegmentEndsWithTheChunk,
        SegmentRestartsWithTheChunk,
        SilenceIsNoTime,
        NoPairsOverTheSeam,
        PairsOfASeamTwice,
        NoHead,
        NoEarlyPhotonsInAShortPartition,
        GapBetweenPartitionsIsSilence,
        StateWithoutTheTail,
        StateWithoutTheOpenPhotons,
        StateIsAView,
    ],
)
def test_a_group_that_breaks_a_law_does_not_pass(group: type[Group]) -> None:
    with pytest.raises(AssertionError, match="law broken"):
        check_laws(Coincidences, group=group)


@pytest.mark.parametrize(
    ("group", "law"),
    [
        (StateIsNoArray, "plain arrays"),
        (MergeChangesTheLaterOne, "leaves the later one as it was"),
    ],
)
def test_a_group_that_disturbs_others_does_not_pass(group: type[Group], law: str) -> None:
    with pytest.raises(AssertionError, match=f"law broken: .*{law}"):
        check_laws(Coincidences, group=group)


@pytest.mark.parametrize(
    "group", [DropsTheOpenPhotons, SegmentEndsWithTheChunk, SegmentRestartsWithTheChunk, GapIsLiveTime, NoHead]
)
@every
def test_no_accumulator_is_blind(accumulator: type[Accumulator], group: type[Group]) -> None:
    with pytest.raises(AssertionError, match="law broken"):
        check_laws(accumulator, group=group)


# ---- planted bugs: accumulators


class HiddenState(Accumulator):
    """Counts changes of level, and remembers the last one beside its tables."""

    name = "hidden"

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.last = 0

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        return {"changes": (layout.scale.rows,)}

    def count(self, block: Block) -> None:
        for level in block.level.tolist():
            self.tables["changes"][level] += level != self.last
            self.last = level


class SharedState(HiddenState):
    """The same, in the class."""

    seen: ClassVar[list[int]] = []

    def count(self, block: Block) -> None:
        self.seen.extend(block.level.tolist())
        self.tables["changes"][:] = np.bincount(self.seen, minlength=self.layout.scale.rows)


class FloatTables(Exposure):
    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.tables["time"] = self.tables["time"].astype(float)

    def count(self, block: Block) -> None:
        np.add.at(self.tables["time"][:, 0], block.level, (block.stop - block.start) / 3)


class CountsTheTailAgain(Exposure):
    def count(self, block: Block) -> None:
        seen = block.detector_of[block.channel]
        self.tables["photons"][0] += np.bincount(seen, minlength=256)[: block.n_detectors]


class CountsPerBlock(Exposure):
    def count(self, block: Block) -> None:
        self.tables["time"][0] += 1


class PairsWithoutSayingSo(Coincidences):
    pairs = False


class MixedUnderTheLaterLevel(Coincidences):
    """Files a pair over a border under the later photon's level: no partition knows the level before its first one."""

    def count(self, block: Block) -> None:
        for s, level in enumerate(block.level.tolist()):
            own = self.layout.detector_of[block.channel[: block.offsets[s + 1]]]
            time = block.time[: block.offsets[s + 1]]
            for i in range(block.offsets[s], block.offsets[s + 1]):
                near = np.searchsorted(time, time[i] - self.layout.window)
                self.tables["tau0"][level, 0] += np.count_nonzero(own[near:i] == 0)


class PairsOfOneSegmentOnly(Coincidences):
    """Loses the pairs over a border, so that its sum over rows is not the plain result."""

    def count(self, block: Block) -> None:
        before = {key: table[-1].copy() for key, table in self.tables.items()}
        super().count(block)
        for key, table in self.tables.items():
            table[-1] = before[key]


@pytest.mark.parametrize(
    ("accumulator", "broken"),
    [
        (HiddenState, "law broken"),
        (SharedState, "law broken"),
        (FloatTables, "int64"),
        (CountsTheTailAgain, "law broken"),
        (CountsPerBlock, "law broken"),
        (PairsWithoutSayingSo, "law broken"),
        (MixedUnderTheLaterLevel, "law broken"),
        (PairsOfOneSegmentOnly, "sum over rows"),
    ],
)
def test_an_accumulator_that_breaks_a_law_does_not_pass(accumulator: type[Accumulator], broken: str) -> None:
    with pytest.raises(AssertionError, match=broken):
        check_laws(accumulator)


def test_a_broken_law_is_told_in_one_line_with_place_and_seed() -> None:
    with pytest.raises(AssertionError) as caught:
        check_laws(Exposure, group=DropsTheOpenPhotons)
    told = str(caught.value)
    assert "\n" not in told
    for word in ("Exposure", "any chunking", "T3, seed 0", "instead of"):
        assert word in told
