"""Swabian losses: what a Time Tagger's stream tells of lost tags, besides its tags.

Facts are those of the vendor's C++ header Iterators.h (TimeTagStream, TimeTagStreamBuffer), which the Python package
wraps. No device was at hand: what could not be confirmed is said.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sources.devices.tag_acquisition import TagBlock
from sources.devices.tag_spool import Loss
from sources.reading.events import Gap

TAG, ERROR, OVERFLOW_BEGIN, OVERFLOW_END, MISSED = range(5)  # Tag::Type
OVERFLOW, UNPLACED, BROKEN, FULL = (
    "overflow: more tags than USB or computer take",
    "overflow without a place, so of the whole block",
    "error in the device's clock",
    "the buffer was full when it was read; a larger buffer may help",
)
# Nothing should come from before the time of a read. That it never does could not be confirmed, so this is left for it.
_GUARD_PS = 1_000_000_000


class Buffer(Protocol):
    """What the vendor's TimeTagStreamBuffer offers.

    Attributes:
        size: events.
        hasOverflows: some of them tell of an overflow.
        tStart, tGetData: ps, of the beginning of the stream and of this read.
    """

    size: int
    hasOverflows: bool
    tStart: int
    tGetData: int

    def getTimestamps(self) -> Any:
        """int64[size], ps since the device was started."""
        ...

    def getChannels(self) -> Any:
        """int32[size], negative for a falling edge."""
        ...

    def getEventTypes(self) -> Any:
        """uint8[size]."""
        ...

    def getMissedEvents(self) -> Any:
        """uint16[size]."""
        ...


class Sorter:
    """Parts the tags of a stream from what tells of losses."""

    def __init__(self, most: int) -> None:
        """`most` events fit into the buffer."""
        self._most = most
        self._reached: int | None = None
        self._overflow: int | None = None  # tick from which an overflow lasts that is not told yet
        self._missed = 0

    def sort(self, data: Buffer, overflows: int) -> TagBlock:
        """Tags and losses of one read.

        Args:
            data: as it was read.
            overflows: that the device counted since the last read.
        """
        time = np.ascontiguousarray(data.getTimestamps(), np.int64)
        kinds = np.asarray(data.getEventTypes())
        now = int(data.tGetData)
        begins = int(data.tStart) if self._reached is None else None
        before = int(data.tStart) if self._reached is None else self._reached
        last = int(time[-1]) + 1 if len(time) else before
        reached = max(before, last, now - _GUARD_PS)
        odd = np.flatnonzero(kinds)
        losses, told = self._told(data, time, kinds, odd, before)
        if (data.hasOverflows or overflows) and not told:
            losses = [Loss(Gap(before, reached, sum(one.gap.lost for one in losses)), UNPLACED)]
        if self._overflow is not None:
            losses.append(Loss(Gap(self._overflow, max(reached, self._overflow), self._missed), OVERFLOW))
            self._overflow, self._missed = reached, 0
        if int(data.size) >= self._most:
            reached = max(reached, now)
            losses.append(Loss(Gap(last, reached), FULL))
        self._reached = reached
        channel = np.abs(np.asarray(data.getChannels())).astype(np.uint8)
        if len(odd):
            tags = kinds == TAG
            time, channel = time[tags], channel[tags]
        return TagBlock(time, channel, reached, losses, begins)

    def _told(
        self, data: Buffer, time: NDArray[np.int64], kinds: NDArray[np.uint8], odd: NDArray[np.intp], before: int
    ) -> tuple[list[Loss], bool]:
        """Losses that events tell of, and whether these told of an overflow."""
        losses: list[Loss] = []
        told = self._overflow is not None
        missed = np.asarray(data.getMissedEvents()) if len(odd) else np.empty(0, np.uint16)
        for k in odd:
            when, kind = int(time[k]), int(kinds[k])
            if kind == OVERFLOW_BEGIN:
                self._overflow = when if self._overflow is None else self._overflow
            elif kind == OVERFLOW_END:
                since = before if self._overflow is None else self._overflow
                losses.append(Loss(Gap(since, max(when, since), self._missed), OVERFLOW))
                self._overflow, self._missed = None, 0
            elif kind == MISSED and self._overflow is not None:
                self._missed += int(missed[k])
            elif kind == MISSED:
                losses.append(Loss(Gap(when, when, int(missed[k])), OVERFLOW))
            else:
                since = int(time[k - 1]) + 1 if k else before
                losses.append(Loss(Gap(min(since, when), when + 1), BROKEN))
            told = told or kind in (OVERFLOW_BEGIN, OVERFLOW_END, MISSED)
        return losses, told
