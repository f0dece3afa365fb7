"""A stream that announces the next dot with a marker: parted there, each dot counted as a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np

from streamer.batch import ahead, looked_at
from streamer.chunk import Chunk, StreamEnd
from streamer.errors import InputError, StreamerError
from streamer.irf import read_response
from streamer.registry import Source, open_source
from streamer.survey.dots import HOOK_S, Count, Dot, Plan, call, hook_of, refused, row_of
from streamer.survey.purse import Purse
from streamer.survey.table import Row

INPUTS = 8  # bits of a marker


def pieces(chunks: Iterable[Chunk], bit: int) -> Iterator[tuple[int, int, Chunk]]:
    """(number from 1, tick at which it began, piece in ticks from there) of each dot; what precedes the first is not.

    A dot's clock begins at its marker, so that bins and looks fall as they would in a stream of its own.
    """
    number, began = 0, 0
    for chunk in chunks:
        rest = chunk
        for mark in np.unique(chunk.marker_time[(chunk.marker & bit) != 0]):
            tick = min(max(int(mark), rest.start), rest.stop)
            if tick > rest.start:
                part, rest = rest.cut(tick)
                if number:
                    yield number, began, _from(part, began)
            if not number or tick > began:
                number, began = number + 1, tick
        if number and (rest.stop > rest.start or rest.lost):
            yield number, began, _from(rest, began)


def _from(chunk: Chunk, tick: int) -> Chunk:
    return replace(
        chunk, start=chunk.start - tick, stop=chunk.stop - tick, time=chunk.time - tick,
        marker_time=chunk.marker_time - tick,
    )  # fmt: skip


def run_marked(
    address: str,
    options: dict[str, str],
    plan: Plan,
    next_dot: int,
    told: Callable[[Row], None],
    *,
    first: int = 1,
    most: int | None = None,
    purse: Purse | None = None,
) -> int:
    """Survey the dots of one stream and return how many there were; `told` gets each row when its dot is over.

    Args:
        address, options: of the source.
        plan: of every dot.
        next_dot: input of the card, from 1, whose marker says that a dot begins.
        told: called with every row.
        first: number of the first dot in the survey.
        most: end the stream after so many dots.
        purse: the survey's exposure.

    Raises:
        KeyboardInterrupt: Ctrl-C; the row of what had come is told.
    """
    work = _Marked(address, options, plan, told, first, most, purse)
    try:
        work.go(1 << (next_dot - 1))
        if not work.done:
            raise InputError(
                f"{address}: has no marker on input {next_dot}, so no dot begins; correct --next-dot, or leave it out"
            )
    except (StreamerError, OSError) as error:
        told(refused(Dot(first + work.done, address), error))
        work.done += 1
    return work.done


class _Marked:
    """One parted stream at work; `done` counts its rows."""

    def __init__(
        self, address: str, options: dict[str, str], plan: Plan, told: Callable[[Row], None], first: int,
        most: int | None, purse: Purse | None,
    ) -> None:  # fmt: skip
        self.address, self.options, self.plan, self.told = address, options, plan, told
        self.first, self.most, self.purse, self.done = first, most, purse, 0
        self._count: Count | None = None
        self._number = self._began = self._reached = 0

    def go(self, bit: int) -> None:
        """Through the stream, to its end or to the last dot that is wanted."""
        source = looked_at(open_source(self.address, self.options), self.address, self.options, self.plan.settings)
        response, hook = read_response(self.plan.settings), hook_of(source.info, self.plan.settings)
        info = replace(source.info, duration_s=None)
        try:
            with closing(ahead(source.chunks())) as chunks:  # type: ignore[type-var]
                for number, began, piece in pieces(chunks, bit):
                    if number != self._number:
                        self._close(source)
                        if self.done == self.most:
                            source.stop("dots reached")
                            return
                        allowed_s = None if self.purse is None else self.purse.deal(1)[1]
                        self._count = Count(info, self.plan.settings, allowed_s, response)
                        self._number, self._began = number, began
                    assert self._count is not None
                    self._reached = piece.stop
                    if self._count.feed(piece):
                        call(hook, self._count, self.plan.exposure_s)
            self._close(source)
        except KeyboardInterrupt:
            source.stop("interrupted")
            self._close(source, "interrupted")
            raise
        finally:
            if hook is not None:
                hook.wait(HOOK_S)

    def _close(self, source: Source, cut_short: str | None = None) -> None:
        """The dot is over: what its time was is known now."""
        count, self._count = self._count, None
        if count is None:
            return
        tick_s = source.info.tick_s
        count.pipeline.finish(StreamEnd(cut_short or "next dot"))
        planned_s = self._reached * tick_s if self.plan.exposure_s is None else self.plan.exposure_s
        row = row_of(
            self.first + self.done, f"{self.address} #{self._number}", count.pipeline, planned_s=planned_s,
            allowed_s=count.allowed_s, cut_short=count.why if count.spent else cut_short, part=self._number,
            began_s=self._began * tick_s,
        )  # fmt: skip
        self.done += 1
        if self.purse is not None:
            self.purse.take(row.used_s)
        self.told(row)
