"""Recording: any format's reader as a Source: chunks whose spans join, late tags sorted, gaps kept, paced or not."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sources.reading import options as read_option
from sources.reading.events import Events, Gap, Reader
from sources.reading.order import LATE, TOO_LATE, in_order, mark_late
from sources.reading.pacing import paced
from sources.reading.sync_hint import SyncHint
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

# With this many, what is done once per chunk by every process on the way costs little beside its photons, while records
# and what is made of them (4 MB) still stay near the processor. Half as many are decoded a tenth faster, but counted
# through a socket a fifth slower; twice as many are no better.
CHUNK_RECORDS = 1 << 18
_LARGEST_CHUNK = 1 << 24
_LONGEST_HORIZON_NS = 1e9
REFUSE, DROP = "refuse", "drop"
PULSE_OPTIONS = ("pulses", "pulse_divider", "pulse_period_ns")  # read by `sources.reading.pulses.with_pulses`

Opener = Callable[[Path, Mapping[str, str], int], Reader]


class Source(Protocol):
    """What this program asks of every source (see `streamer.registry`)."""

    info: StreamInfo

    def chunks(self) -> Iterator[Chunk]:
        """The stream, once."""
        ...

    def stop(self, reason: str) -> None:
        """End at the next chunk; from any thread."""
        ...

    def end(self) -> StreamEnd:
        """What only the end can know."""
        ...


class RecordingSource:
    """A reader as a Source.

    Attributes:
        info: what the reader's header says.
    """

    def __init__(
        self, reader: Reader, *, speed: float | None = None, horizon: int | None = None, late: str = REFUSE
    ) -> None:
        """Nothing is read yet.

        Args:
            reader: of one format.
            speed: multiple of real time; None for as fast as it goes.
            horizon: ticks; tags late by less are sorted. None for what the format is known to need.
            late: "refuse" or "drop" what comes later than that.
        """
        self.info = reader.info
        self._reader, self._speed, self._late = reader, speed, late
        self._horizon = reader.horizon if horizon is None else horizon
        self._reason = ""
        self._stopping = threading.Event()
        self._begun = False
        self._start = 0 if reader.begins is None else reader.begins
        self._newest = self._start
        self._pending: deque[Gap] = deque()
        self._loss = 0  # records lost before the next chunk
        self._quiet = True  # no chunk came of the latest block
        self._hint = SyncHint() if reader.info.mode == "T2" else None
        self._sorted = self._dropped = self._worst = self._unwatched = 0

    @property
    def reader(self) -> Reader:
        """Of the format."""
        return self._reader

    def begin_at(self, tick: int) -> None:
        """The stream begins at this tick, and no photon is earlier; to be said before the first chunk."""
        self._reader.begins = self._start = self._newest = tick

    def chunks(self) -> Iterator[Chunk]:
        """The photons in order of time, once.

        Raises:
            InputError: (while iterating) tags that come too late, or what the reader cannot read.
        """
        if self._begun:
            raise RuntimeError(f"{self.info.source}: chunks() may be iterated once; open the source again")
        self._begun = True
        made = self._made()
        return made if self._speed is None else paced(made, self._speed, self.info.tick_s, self._stopping)

    def stop(self, reason: str) -> None:
        """End at the next chunk; wakes a paced replay. May be called from any thread; the first reason counts."""
        if not self._stopping.is_set():
            self._reason = reason
            self._stopping.set()
            wake = getattr(self._reader, "stop", None)
            if wake is not None:
                wake()

    def end(self) -> StreamEnd:
        """What only the end can know; call it after the iteration."""
        end = self._reader.end()
        warnings = list(end.warnings)
        ns = self.info.tick_s * 1e9
        if self._sorted:
            warnings.append(
                f"{self._sorted} photons came late by less than {self._horizon * ns:g} ns and were sorted into place"
            )
        if self._dropped:
            warnings.append(
                f"{self._dropped} photons came late, by up to {self._worst * ns:g} ns, and were dropped; "
                "a larger horizon_ns would sort them"
            )
        if self._hint is not None:
            warnings += self._hint.lines(self.info.tick_s)
        if self._unwatched:
            warnings.append(f"{self._unwatched} photons lay in a gap of the recording and were left out")
        return replace(
            end, reason=self._reason or end.reason or "end of file", warnings=tuple(warnings),
            lost_records=end.lost_records + self._dropped + self._unwatched,
        )  # fmt: skip

    def _made(self) -> Generator[Chunk, None, None]:
        """Chunks as fast as they can be read.

        A chunk ends at the time that is surely reached. Photons of this very tick wait for the next chunk, for more may
        follow in the same tick; so do markers from there on, and photons within the horizon.
        """
        held = Events()
        begun = self._reader.begins is not None
        with closing(self._reader):
            while not self._stopping.is_set():
                before = len(held.time)
                events = self._reader.read(held)
                last = events is None or events.last
                if events is None:
                    events = replace(held, gaps=(), last=True)
                self._in_order(events, before)
                self._pending += events.gaps
                newest = int(events.time[-1]) if len(events.time) else self._start
                reached = max(events.reached - self._horizon, newest - self._horizon)
                if last:
                    marked = int(events.marker_time.max()) + 1 if len(events.marker_time) else 0
                    ends = newest + 1 if len(events.time) else 0
                    reached = max(events.reached, ends, marked, *(gap.stop for gap in self._pending))
                # The first tag of the file need not be the earliest: one may come late by less than the horizon.
                if not begun and (last or (len(events.time) and newest - events.time[0] >= self._horizon)):
                    self._start, begun = (int(events.time[0]) if len(events.time) else reached), True
                held, self._quiet = events, True
                if begun:
                    held = yield from self._given_out(events, max(reached, self._start))
                if last:
                    return
                if self.info.live and self._quiet:
                    at = self._start if begun else 0
                    yield Chunk(at, at)  # nothing came; whoever sends the chunks can listen for a stop

    def _in_order(self, events: Events, before: int) -> None:
        """Sort what came late, and refuse or drop what came too late; `before` photons were held from earlier."""
        new = events.time[before:]
        if not events.backsteps and (not len(new) or new[0] >= max(self._newest, self._start)):
            self._newest = int(new[-1]) if len(new) else self._newest
            return
        marks = np.empty(len(new), np.int8)
        newest = self._newest
        self._newest = mark_late(new, newest, self._horizon, self._start, marks)
        keep: NDArray[np.bool_] | None = None
        if (marks == TOO_LATE).any():
            self._refuse_or_drop(new, marks == TOO_LATE, newest)
            keep = np.concatenate((np.ones(before, np.bool_), marks != TOO_LATE))
        self._sorted += int(np.count_nonzero(marks == LATE))
        in_order(events, keep)

    def _refuse_or_drop(self, new: NDArray[np.int64], late: NDArray[np.bool_], newest: int) -> None:
        at = int(np.flatnonzero(late)[0])
        reference = max(newest, int(np.max(new[:at][~late[:at]], initial=newest)))
        ns = self.info.tick_s * 1e9
        by = reference - int(new[at])
        if self._late == REFUSE:
            raise InputError(
                f"{self.info.file}: {self._reader.place(at)}: times must not go back by {self._horizon * ns:g} ns or "
                f"more, got tick {new[at]} after {reference}, {by * ns:g} ns late; set horizon_ns above that to sort "
                "it, late=drop to leave such photons out, or check that the record type is right"
                if self._horizon
                else f"{self.info.file}: {self._reader.place(at)}: times must not go back, got tick {new[at]} after "
                f"{reference}; horizon_ns={_above(by * ns)} sorts it, late=drop leaves such photons out; "
                "or the record type is not the right one"
            )
        running = np.maximum.accumulate(np.where(late, newest, new))
        self._worst = max(self._worst, int((running - new)[late].max()))
        self._dropped += int(late.sum())

    def _given_out(self, events: Events, reached: int) -> Generator[Chunk, None, Events]:
        """Yield what lies before `reached`, cut at the gaps; return what is held back."""
        while self._pending:
            gap = self._pending[0]
            if gap.start >= reached and not events.last:
                break
            if gap.stop > reached and not events.last:
                reached = max(gap.start, self._start)
                break
            self._pending.popleft()
            begin, stop = max(gap.start, self._start), max(gap.stop, gap.start, self._start)
            ready, events = _divide(events, self._start, begin)
            if begin > self._start or len(ready.marker):
                yield self._with_loss(ready)
            inside = int(np.searchsorted(events.time, stop))
            self._unwatched += inside
            self._loss += gap.lost
            events = _from(events, inside)
            self._start = stop
        ready, events = _divide(events, self._start, max(reached, self._start))
        if ready.stop > self._start or (self._loss and events.last):
            self._start = ready.stop
            yield self._with_loss(ready)
        return events

    def _with_loss(self, chunk: Chunk) -> Chunk:
        self._quiet = False
        if self._hint is not None:
            self._hint.add(chunk)
        lost, self._loss = self._loss, 0
        return replace(chunk, lost=lost) if lost else chunk


def open_recording(
    name: str, where: str, options: Mapping[str, str], opener: Opener, own: Iterable[str] = ()
) -> Source:
    """Open a file as source `name`.

    Args:
        name: of the source, for messages.
        where: path of the file.
        options: as text; those of `own` are handed to the opener.
        opener: (path, own options, most records of a chunk) -> Reader; reads the header only.
        own: options that this format has beside those below.

    Options:
        speed: "max" (the default) or a positive number X: X times real time.
        chunk_records: most photons of one chunk, 1 to 16777216.
        horizon_ns: photons late by less are sorted; the default is what the format needs.
        late: "refuse" (the default) or "drop" photons that come later than that.
        pulses, ...: T2: the channel of the laser sync, which makes it T3 (see `sources.reading.pulses`).

    Raises:
        InputError: an option that is not known or not allowed, or a file that cannot be read.
    """
    own = tuple(own)
    known = {"speed", "chunk_records", "horizon_ns", "late", *PULSE_OPTIONS, *own}
    read_option.check_known(name, options, known)
    if not where:
        raise InputError(f"{name}: a file must be named, such as {name}:FILE")
    speed = read_option.speed(name, options.get("speed", "max"))
    records = read_option.whole(
        name, "chunk_records", options.get("chunk_records", str(CHUNK_RECORDS)), 1, _LARGEST_CHUNK
    )
    late = read_option.choice(name, "late", options.get("late", REFUSE), (REFUSE, DROP))
    reader = opener(Path(where), {key: value for key, value in options.items() if key in own}, records)
    horizon = None
    if "horizon_ns" in options:
        ns = read_option.number(name, "horizon_ns", options["horizon_ns"], 0, _LONGEST_HORIZON_NS)
        horizon = round(ns * 1e-9 / reader.info.tick_s)
    pulsed = {key: value for key, value in options.items() if key in PULSE_OPTIONS}

    def opened(*, at_speed: bool) -> RecordingSource:
        fresh = opener(Path(where), {key: value for key, value in options.items() if key in own}, records)
        return RecordingSource(fresh, speed=speed if at_speed else None, horizon=horizon, late=late)

    if not pulsed:
        return RecordingSource(reader, speed=speed, horizon=horizon, late=late)
    from sources.reading.pulses import with_pulses

    reader.close()
    return with_pulses(name, opened, pulsed)


def _above(ns: float) -> str:
    """A round number above `ns`, to be written into a remedy."""
    power = 10.0 ** np.ceil(np.log10(max(ns, 1e-3) * 1.01))
    return f"{power:g}"


def _divide(events: Events, start: int, stop: int) -> tuple[Chunk, Events]:
    """A chunk of [start, stop) with the photons before `stop`, and what is held back for the next one."""
    if stop == start:
        return Chunk(start, start), events
    cut = int(np.searchsorted(events.time, stop))
    if not len(events.marker):
        ready = Chunk(start, stop, events.time[:cut], events.nanotime[:cut], events.channel[:cut])
        return ready, _from(events, cut)
    passed = events.marker_time < stop
    ready = Chunk(
        start, stop, events.time[:cut], events.nanotime[:cut], events.channel[:cut], events.marker_time[passed],
        events.marker[passed],
    )  # fmt: skip
    rest = _from(events, cut)
    return ready, replace(rest, marker_time=events.marker_time[~passed], marker=events.marker[~passed])


def _from(events: Events, cut: int) -> Events:
    """The events without the first `cut` photons."""
    return (
        replace(events, time=events.time[cut:], nanotime=events.nanotime[cut:], channel=events.channel[cut:])
        if cut
        else events
    )
