"""Group: many accumulators over one stream, as one thing that feeds, merges, saves and ends.

The group cuts the stream into segments, keeps the photons of the open one, and gives accumulators whole segments only.
It alone knows what crosses a seam: the *tail* (closed photons a pair may still reach back to), and, in a partition that
begins somewhere inside a run, the *head* (what came before the first segment border: only the partition before knows
that segment's beginning) and the *early* photons (those that a pair may reach from across the seam).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.accumulator import Accumulator, Block, count_detectors
from streamer.change_points import BORDER, Kinds
from streamer.chunk import Chunk
from streamer.layout import Layout
from streamer.segments import Segmenter, Watch, segmenter_of


class Photons(NamedTuple):
    """Three parallel arrays: int64, uint16 (empty in T2) and uint8."""

    time: NDArray[np.int64]
    nanotime: NDArray[np.uint16]
    channel: NDArray[np.uint8]

    def part(self, start: int, stop: int | None = None) -> Photons:
        """A view of photons `start:stop`."""
        return Photons(self.time[start:stop], self.nanotime[start:stop], self.channel[start:stop])

    def since(self, tick: int) -> Photons:
        """A view of the photons at or after `tick`."""
        return self.part(int(np.searchsorted(self.time, tick)))

    def owned(self) -> Photons:
        """A copy, so that a small rest does not keep a large chunk in memory."""
        return Photons(self.time.copy(), self.nanotime.copy(), self.channel.copy())


NONE = Photons(np.empty(0, np.int64), np.empty(0, np.uint16), np.empty(0, np.uint8))
for _array in NONE:
    _array.flags.writeable = False  # shared by all


def joined(parts: Sequence[Photons]) -> Photons:
    """Parts in order as one; no copy where there is only one."""
    parts = [part for part in parts if len(part.time)]
    if len(parts) < 2:
        return parts[0] if parts else NONE
    return Photons(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


class Group:
    """Accumulators over one stream or one partition of it.

    Args:
        layout: sizes and units.
        accumulators: fresh ones, made for `layout`.
        segmenter: default that of the layout.
        first: nothing comes before this stream; a partition that has to be merged behind another says False.
    """

    def __init__(
        self,
        layout: Layout,
        accumulators: Sequence[Accumulator],
        segmenter: Segmenter | None = None,
        *,
        first: bool = True,
    ) -> None:
        self.layout = layout
        self.accumulators = list(accumulators)
        self.segmenter: Segmenter = segmenter or segmenter_of(layout)
        self.window = layout.window if any(one.pairs for one in self.accumulators) else 0
        self.first = first
        self.start: int | None = None  # first tick; None while the group is empty
        self.position = 0  # tick up to which time has passed
        self.open_start = 0  # where the open segment began
        self.open_kind = BORDER  # and by what the one before ended
        self.stretch_start = 0  # where the present stretch without a gap began
        self.body_start = 0  # where counting began: behind the head
        self.in_head = not first
        self.head, self.head_stop = NONE, 0
        self.early, self.early_done = NONE, first
        self.tail = NONE
        self._open: list[Photons] = []
        self._watch: Watch | None = None  # of the open segment; made anew from its photons where there is none
        self.counted = 0  # photons in closed segments

    # ---- feeding

    def feed(self, chunk: Chunk) -> None:
        """Take the next chunk in time order; a start beyond the last stop is a gap.

        Raises:
            ValueError: a span that ends before it begins, or begins before what was counted.
        """
        if chunk.stop < chunk.start:
            raise ValueError(f"chunk: must not stop before it starts, got {chunk.start}..{chunk.stop}")
        if self.start is None:
            self.start = self.open_start = self.stretch_start = self.body_start = self.position = chunk.start
        elif chunk.start < self.position:
            raise ValueError(
                f"chunk: start {chunk.start} lies before tick {self.position}, up to which all was counted"
            )
        elif chunk.start > self.position:
            self._gap(chunk.start)
        self._advance(Photons(chunk.time, chunk.nanotime, chunk.channel), chunk.stop)

    def finish(self) -> None:
        """The stream is over: count the open segment as it is, shorter than its fellows.

        Partitions are merged unfinished, then the whole is finished: a segment must be counted once, not in parts.
        """
        if self.start is None:
            return
        if not self.first:
            # Nothing came before after all, so what was kept for the partition before is an ordinary segment.
            whole = type(self)(self.layout, [type(one)(self.layout) for one in self.accumulators], self.segmenter)
            whole.merge(self)
            self.restore(whole.state())
        self._gap(self.position)

    def _advance(self, new: Photons, stop: int) -> None:
        """Count every segment that is over at `stop`; keep the rest open."""
        if self.in_head:
            border = self.segmenter.border(self.open_start)
            if border > stop:
                self._keep(new, stop)
                return
            cut = int(np.searchsorted(new.time, border))
            self._end_head(joined([*self._open, new.part(0, cut)]), border, border)
            new = new.part(cut)
        bounds, kinds = self._bounds(new, stop)
        if len(bounds):
            new = self._close(new, stop, bounds, kinds)
        self._keep(new, stop)

    def _keep(self, new: Photons, stop: int) -> None:
        if len(new.time):
            self._open.append(new.owned())
        self.position = stop

    def _bounds(self, new: Photons, stop: int, *, ended: bool = False) -> tuple[NDArray[np.int64], Kinds]:
        """Where segments end, now that `new` has come; whoever watches has seen the open photons before."""
        if self._watch is None:
            self._watch = self.segmenter.watch(self.open_start, self.open_kind)
            new = joined([*self._open, new]) if self.segmenter.needs_photons else new
        time = self._analysed(new) if self.segmenter.needs_photons else new.time
        return self._watch.bounds(time, stop, ended=ended)

    def _analysed(self, photons: Photons) -> NDArray[np.int64]:
        """Times of the photons on analysed channels."""
        analysed = (self.layout.detector_of != 255)[photons.channel]
        return photons.time if analysed.all() else photons.time[analysed]

    def _close(self, new: Photons, stop: int, bounds: NDArray[np.int64], kinds: Kinds) -> Photons:
        """Count the segments that end at `bounds`; what of `new` comes after them and is not among the open photons.

        Kept photons are joined to as few new ones as pairs can reach over; the rest is counted where it lies.
        """
        reach = new.time[0] + self.window if len(new.time) else stop
        near = min(int(np.searchsorted(bounds, reach)) + 1, len(bounds))
        cut = int(np.searchsorted(new.time, bounds[near - 1]))
        held = joined([self.tail, *self._open, new.part(0, cut)])
        self._count(held, len(self.tail.time), bounds[:near], kinds[:near])
        self._open = []
        if near < len(bounds):
            closed = new.part(0, int(np.searchsorted(new.time, bounds[-1])))
            self._count(closed, cut, bounds[near:], kinds[near:])
            self.tail = closed.since(self.open_start - self.window).owned()
            return new.part(len(closed.time))
        rest = int(np.searchsorted(held.time, self.open_start))  # a change may lie behind photons that came earlier
        self.tail = held.part(0, rest).since(self.open_start - self.window).owned()
        if rest < len(held.time):
            self._open = [held.part(rest).owned()]
        return new.part(cut)

    def _count(self, photons: Photons, first: int, bounds: NDArray[np.int64], kinds: Kinds) -> None:
        """Hand the segments from `open_start` to `bounds` to every accumulator.

        Photons before index `first` were counted before. A level is that of the analysed detectors' photons.
        """
        offsets = first + np.searchsorted(photons.time[first:], bounds)
        offsets = np.concatenate(([first], offsets)).astype(np.int64)
        start = np.concatenate(([self.open_start], bounds[:-1])).astype(np.int64)
        # The accidental pairs of a segment are known to fall with the lag only where it is longer than every lag.
        changed = (kinds != BORDER) | (np.append(self.open_kind, kinds[:-1]) != BORDER)
        known = changed & (bounds - start > self.layout.window)
        block = self._block(photons, offsets, start, bounds, known)
        for accumulator in self.accumulators:
            accumulator.count(block)
        self.counted += int(offsets[-1] - first)
        if not self.early_done:
            limit = self.body_start + self.window
            self.early = joined([self.early, photons.part(first, int(offsets[-1]))])
            self.early = self.early.part(0, int(np.searchsorted(self.early.time, limit))).owned()
            self.early_done = int(bounds[-1]) >= limit
        self.open_start, self.open_kind = int(bounds[-1]), int(kinds[-1])

    def _block(
        self, photons: Photons, offsets: Any, start: Any, stop: Any, known: Any = None, level: Any = None
    ) -> Block:
        detectors = np.array(self.layout.detectors, np.uint8)
        counts = count_detectors(photons.channel, offsets, detectors)
        if level is None:
            level = self.layout.scale.levels(counts[:, :-1].sum(axis=1), stop - start, known)
        return Block(*photons, offsets, start, stop, level, counts, detectors, self.layout.detector_of)

    def _end_head(self, head: Photons, head_stop: int, body_start: int) -> None:
        self.head, self.head_stop = head.owned(), head_stop
        self.in_head, self._open, self._watch = False, [], None
        self.body_start = self.stretch_start = self.open_start = self.position = body_start

    def _gap(self, start: int) -> None:
        """Close what is open and go on at `start`; no pair and no segment reaches over."""
        if self.in_head:
            self._end_head(joined(self._open), self.position, start)
            return
        bounds, kinds = self._bounds(NONE, self.position, ended=True)
        if self.position > self.open_start:
            self._close(NONE, self.position, np.append(bounds, self.position), np.append(kinds, BORDER))
        self.tail, self._open, self._watch, self.early_done = NONE, [], None, True
        self.open_kind = BORDER
        self.open_start = self.stretch_start = self.position = start

    # ---- merging

    def merge(self, later: Group) -> None:
        """Take in the partition that follows in time, made with first=False; `later` stays as it is.

        The empty group changes nothing, on either side.

        Raises:
            ValueError: `later` is of another layout, finished or made with first=True, or begins before this one's end.
        """
        kinds = [[type(one) for one in group.accumulators] for group in (self, later)]
        if later.layout != self.layout or kinds[0] != kinds[1]:
            raise ValueError("merge: both groups must have the same layout and accumulators")
        if later.start is None:
            return
        if self.start is None and later.first:
            self.restore(later.state())
            return
        if later.first:
            raise ValueError(
                "merge: the later group must be made with first=False and not be finished, "
                "for it cannot know where its first segment begins"
            )
        head = joined(later._open) if later.in_head else later.head
        self.feed(Chunk(later.start, later.position if later.in_head else later.head_stop, *head))
        if later.in_head:
            return
        if later.body_start != self.position:
            self._gap(later.body_start)
        self._count_across(later.early)
        for mine, other in zip(self.accumulators, later.accumulators, strict=True):
            mine.add(other.tables)
        unbroken = later.stretch_start == later.body_start
        if not self.early_done:
            limit = self.body_start + self.window
            early = joined([self.early, later.early])
            self.early = early.part(0, int(np.searchsorted(early.time, limit))).owned()
            self.early_done = not unbroken or later.open_start >= limit
        if unbroken:
            self.tail = joined([self.tail, later.tail]).since(later.open_start - self.window).owned()
        else:
            self.tail, self.stretch_start = later.tail, later.stretch_start
        self._open, self._watch = list(later._open), None
        self.open_start, self.open_kind, self.position = later.open_start, later.open_kind, later.position
        self.counted += later.counted

    def _count_across(self, early: Photons) -> None:
        """Add the pairs between the tail and the next partition's early photons: all lie in different segments.

        A count with the tail in view minus the same count without it leaves just the pairs that cross.
        """
        if not (self.window and len(self.tail.time) and len(early.time)):
            return
        start, stop = np.array([self.position]), early.time[-1:] + 1
        row = np.array([self.layout.scale.n], np.int16)
        for accumulator in self.accumulators:
            if accumulator.pairs:
                for seen, sign in ((self.tail, 1), (NONE, -1)):
                    counted = type(accumulator)(self.layout)
                    n = len(seen.time)
                    counted.count(
                        self._block(joined([seen, early]), np.array([n, n + len(early.time)]), start, stop, level=row)
                    )
                    accumulator.add(counted.tables, sign)

    # ---- state

    @property
    def open_photons(self) -> int:
        """Photons received and not yet in a closed segment."""
        return sum(len(part.time) for part in self._open)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything remembered, as named arrays (copies)."""
        numbers = [
            -1 if self.start is None else self.start, self.position, self.open_start, self.stretch_start,
            self.body_start, self.head_stop, self.counted, self.open_kind, self.first, self.in_head, self.early_done,
            self.start is not None,
        ]  # fmt: skip
        arrays: dict[str, NDArray[Any]] = {"numbers": np.array(numbers, np.int64)}
        for name, photons in (
            ("open", joined(self._open)),
            ("tail", self.tail),
            ("head", self.head),
            ("early", self.early),
        ):
            arrays |= {f"{name}.{field}": array.copy() for field, array in photons._asdict().items()}
        for accumulator in self.accumulators:
            arrays |= {f"{accumulator.name}.{key}": table.copy() for key, table in accumulator.tables.items()}
        return arrays

    def restore(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take over what `state` of a group with the same layout and accumulators gave."""
        start, *numbers, first, in_head, early_done, known = (int(value) for value in arrays["numbers"])
        (
            self.position, self.open_start, self.stretch_start, self.body_start, self.head_stop, self.counted,
            self.open_kind,
        ) = numbers  # fmt: skip
        self.start = start if known else None
        self.first, self.in_head, self.early_done = bool(first), bool(in_head), bool(early_done)

        def photons(name: str) -> Photons:
            return Photons(*(arrays[f"{name}.{field}"].copy() for field in Photons._fields))

        self._open, self.tail, self._watch = [photons("open")], photons("tail"), None
        self.head, self.early = photons("head"), photons("early")
        for accumulator in self.accumulators:
            accumulator.restore({key: arrays[f"{accumulator.name}.{key}"] for key in accumulator.tables})
