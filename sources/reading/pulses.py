"""Pulses: a T2 stream with the laser's sync on one of its channels, turned into T3: laser pulses and nanotimes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sources.reading import options as read_option
from sources.reading import pulse_count as pc
from sources.reading.pulse_look import doubts_of, look_at
from sources.reading.pulse_period import AMBIGUOUS, DRIFT, PulsePeriod, find_pulse_period
from sources.reading.sync_hint import LOOKS
from streamer.chunk import NO_CHANNEL, NO_TIME, Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

_LOOK_TAGS, _LOOK_EVENTS = 1 << 16, 1 << 23
_LIVE_TAGS, _LIVE_EVENTS = 1 << 12, 1 << 20  # where what was looked at has to be held
_LONGEST_LIMIT_S = 0.2
_BASELINE_S = 1e-3  # the period is measured over no less
_JITTERS = 8.0  # by which a tag may lie off its place
_NANOTIMES = 32767  # of a period at most, as a PTU record has room for
_PHASE_ERROR = 0.01  # of a period, by which the period alone may displace a photon
_MOST_DIVIDER = 1_000_000


class Source(Protocol):
    """A T2 source (see `streamer.registry`)."""

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


class PulsedSource:
    """A T2 source as a T3 source: `time` counts laser pulses from where the stream began, nanotimes follow them.

    The tags of the laser's channel are taken out. Photons whose pulse cannot be known lie in gaps and are counted as
    lost. Markers keep their time, as a pulse.

    Attributes:
        info: of the T3 stream; its tick is the mean period found beforehand, unrounded.
    """

    def __init__(
        self,
        source: Source,
        channel: int,
        *,
        divider: int | None = None,
        period_ns: float | None = None,
        look: Callable[[], Source] | None = None,
    ) -> None:
        """Find the period.

        Args:
            source: T2, not yet iterated.
            channel: of the laser sync.
            divider: only every so many pulses were recorded; None for 1, if the photons do not contradict that.
            period_ns: of the laser to within 1 %, where it cannot be found.
            look: opens the same stream once more, for a first pass; without one the first tags of `source` are held.

        Raises:
            InputError: `source` is not T2, or its channel has no sure laser sync.
        """
        base = source.info
        place = f"{base.file or base.source}: pulses: channel {channel}"
        if base.mode != "T2":
            raise InputError(f"{place}: the stream counts laser pulses (T3) already; leave the option out")
        self._source, self._channel = source, channel
        self._chunks: Iterator[Chunk] | None = None
        if look is None:
            chunks = source.chunks()
            seen = look_at(chunks, channel, _LIVE_TAGS, _LIVE_EVENTS, held=True)
            self._chunks = _ahead(seen.chunks, chunks)
        else:
            chunks = look().chunks()
            try:
                seen = look_at(chunks, channel, _LOOK_TAGS, _LOOK_EVENTS, held=False)
            finally:
                _close(chunks)
        hint = None if period_ns is None else period_ns * 1e-9 / base.tick_s
        train = find_pulse_period(seen.intervals, divider or 1, hint, place)
        warnings = doubts_of(seen, train, divider, base.tick_s, place)
        self.info = _pulsed(base, channel, train)
        if warnings:
            doubt = "; ".join(warnings)
            self.info = replace(self.info, doubts=self.info.doubts | dict.fromkeys(("nanotimes", "pairs"), doubt))
        self._rules = _rules(train, divider or 1, base.tick_s, self.info.resolution_s / base.tick_s)
        self._clock = np.array([train.period])
        self._state = np.zeros(pc.COLUMNS, np.int64)
        self._kinds = np.arange(256, dtype=np.uint16)
        self._kinds[channel] = pc.SYNC
        self._when, self._kind = NO_TIME, np.empty(0, np.uint16)
        self._markers: tuple[NDArray[np.int64], NDArray[np.uint8]] = (NO_TIME, NO_CHANNEL)
        self._start = self._loss = self._gaps = self._marks = 0

    def chunks(self) -> Iterator[Chunk]:
        """The photons by pulse, once.

        Raises:
            InputError: (while iterating) as the T2 source does.
        """
        return self._made(self._source.chunks() if self._chunks is None else self._chunks)

    def stop(self, reason: str) -> None:
        """End at the next chunk; from any thread."""
        self._source.stop(reason)

    def end(self) -> StreamEnd:
        """What only the end can know, of the T2 source and of the sync."""
        end, state = self._source.end(), self._state
        name, hint = f"sync channel {self._channel}", f"{LOOKS.format(self._channel)}:"
        warnings = [line for line in end.warnings if not line.startswith(hint)]
        if state[pc.STRAY]:
            warnings.append(
                f"{name}: {state[pc.STRAY]} of {state[pc.TAGS]} tags are no whole number of laser periods from the "
                "others and were left out"
            )
        if self._gaps or state[pc.UNPLACED]:
            warnings.append(
                f"{name}: its tags leave {self._gaps} gaps over which laser pulses cannot be counted; "
                f"{state[pc.UNPLACED]} photons there have no pulse and were left out"
            )
        return replace(end, sync_records=end.sync_records + int(state[pc.TAGS]), warnings=tuple(warnings))

    def _made(self, chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
        """T3 chunks; the gaps of the T2 stream are kept, and those of the sync come to them."""
        state = self._state
        position: int | None = None
        try:
            for chunk in chunks:
                if position is None:
                    if chunk.start == chunk.stop and not len(chunk.marker):
                        yield Chunk(0, 0)  # it has not begun
                        continue
                    state[pc.LAST] = chunk.start
                elif chunk.start > position:
                    tag, count = int(state[pc.LAST]), int(state[pc.COUNT])
                    yield from self._counted(Chunk(position, position), over=True)
                    # Counted on from the last tag, not from where the stream broke off, pulses keep their number.
                    here = count + math.floor((chunk.start - tag) / self._clock[0])
                    self._start = max(here, int(state[pc.COUNT]) + 1)
                    state[pc.LAST], state[pc.COUNT], state[pc.SURE] = chunk.start, self._start, self._start
                position = chunk.stop
                self._loss += chunk.lost
                before = self._start
                yield from self._counted(chunk, over=False)
                if self.info.live and self._start == before:
                    yield Chunk(before, before)  # nothing is sure yet; whoever sends the chunks can listen for a stop
            if position is not None:
                yield from self._counted(Chunk(position, position), over=True)
                self._loss += int(state[pc.LOST])
                marker_time, marker = self._markers
                if self._loss or len(marker):
                    yield Chunk(self._start, self._start, marker_time=marker_time, marker=marker, lost=self._loss)
        finally:
            _close(chunks)

    def _counted(self, chunk: Chunk, *, over: bool) -> Generator[Chunk, None, None]:
        """What a T2 chunk, or the end of a stretch, makes sure."""
        state, waiting = self._state, len(self._when)
        when, kind = self._joined(chunk)
        marks = self._marks + len(chunk.marker)
        size = len(when)
        time, nanotime, channel = np.empty(size, np.int64), np.empty(size, np.uint16), np.empty(size, np.uint8)
        marker_time, marker = np.empty(marks, np.int64), np.empty(marks, np.uint8)
        state[pc.FIRST], state[pc.NEXT], state[pc.PHOTONS], state[pc.MARKERS] = 0, waiting, 0, 0
        given = marked = 0
        while True:
            gap = pc.count_pulses(
                when, kind, chunk.stop, over, self._rules, self._clock, state, time, nanotime, channel, marker_time,
                marker,
            )  # fmt: skip
            n, m = int(state[pc.PHOTONS]), int(state[pc.MARKERS])
            ready = given + int(np.searchsorted(time[given:n], state[pc.TO])) if gap else n
            self._markers = (
                np.concatenate((self._markers[0], marker_time[marked:m])),
                np.concatenate((self._markers[1], marker[marked:m])),
            )
            stop = int(state[pc.FROM] if gap else state[pc.SURE])
            yield from self._ready(stop, time[given:ready], nanotime[given:ready], channel[given:ready])
            given, marked = ready, m
            if gap:
                self._gaps += 1
                self._start = int(state[pc.TO])
                self._loss += int(state[pc.LOST])
                state[pc.LOST] = 0
            if over or not gap:
                break
        first = int(state[pc.FIRST])
        self._when, self._kind, self._marks = when[first:].copy(), kind[first:].copy(), marks - marked

    def _joined(self, chunk: Chunk) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """What waits for a tag, then the photons, tags and markers of the chunk in order of time, with their kinds."""
        when, kind = chunk.time, self._kinds[chunk.channel]
        if len(chunk.marker):
            marked = np.clip(chunk.marker_time, chunk.start, max(chunk.start, chunk.stop - 1))
            when = np.concatenate((marked, when))
            order = np.argsort(when, kind="stable")
            when, kind = when[order], np.concatenate((chunk.marker + np.uint16(pc.MARKER), kind))[order]
        if not len(self._when):
            return when, kind
        return np.concatenate((self._when, when)), np.concatenate((self._kind, kind))

    def _ready(
        self, stop: int, time: NDArray[np.int64], nanotime: NDArray[np.uint16], channel: NDArray[np.uint8]
    ) -> Generator[Chunk, None, None]:
        """The next chunk, if it has any length."""
        if stop <= self._start:
            return
        if len(time) < (len(time.base) if time.base is not None else 0) // 2:
            time, nanotime, channel = time.copy(), nanotime.copy(), channel.copy()
        marker_time, marker = self._markers
        here = marker_time < stop
        self._markers = marker_time[~here], marker[~here]
        start, self._start, lost, self._loss = self._start, stop, self._loss, 0
        yield Chunk(start, stop, time, nanotime, channel, marker_time[here], marker[here], lost)


def with_pulses(name: str, opened: Callable[..., Source], options: Mapping[str, str]) -> PulsedSource:
    """A recording as laser pulses.

    Args:
        name: of the source, for messages.
        opened: opens it anew; called with at_speed=False for a first pass, and with at_speed=True.
        options: those of `sources.reading.recording.PULSE_OPTIONS` that were given.

    Options:
        pulses: 0 to 255: channel of the laser sync.
        pulse_divider: 1 to 1000000: every so many pulses were recorded; 1, if the photons do not contradict that.
        pulse_period_ns: period of the laser to within 1 %, where it cannot be found.

    Raises:
        InputError: an option that is not allowed, or a stream without such a sync.
    """
    if "pulses" not in options:
        raise InputError(f"{name}: {next(iter(options))}: needs the channel of the laser sync; give pulses=CHANNEL too")
    channel = read_option.whole(name, "pulses", options["pulses"], 0, 255)
    divider = period_ns = None
    if "pulse_divider" in options:
        divider = read_option.whole(name, "pulse_divider", options["pulse_divider"], 1, _MOST_DIVIDER)
    if "pulse_period_ns" in options:
        period_ns = read_option.number(name, "pulse_period_ns", options["pulse_period_ns"], 0.01, 1e9)
    return PulsedSource(
        opened(at_speed=True), channel, divider=divider, period_ns=period_ns, look=lambda: opened(at_speed=False)
    )


def _ahead(first: list[Chunk], chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
    """Chunks that were taken already, then the rest; closing it closes that."""
    try:
        yield from first
        yield from chunks
    finally:
        _close(chunks)


def _close(chunks: Iterator[Chunk]) -> None:
    """End a generator, whose source lets go of its file then."""
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


def _pulsed(base: StreamInfo, channel: int, train: PulsePeriod) -> StreamInfo:
    """The info of the T3 stream."""
    units = 1 << max(0, math.ceil(math.log2(train.period / _NANOTIMES)))
    tick_s = train.period * base.tick_s
    return replace(
        base,
        mode="T3",
        tick_s=tick_s,
        resolution_s=units * base.tick_s,
        format=f"{base.format}, pulses of channel {channel}",
        sync_rate_hz=1 / tick_s,
        channels=tuple(one for one in base.channels if one != channel),
    )


def _rules(train: PulsePeriod, divider: int, tick_s: float, units: float) -> NDArray[np.float64]:
    """The rules of the kernel (see `sources.reading.pulse_count`)."""
    baseline = max(_BASELINE_S / tick_s, 3 * train.jitter / DRIFT)
    error = max(train.error, DRIFT + 3 * train.jitter / baseline)
    limit = min(AMBIGUOUS * train.period * divider / error, max(_LONGEST_LIMIT_S / tick_s, 64 * train.period * divider))
    rules = np.zeros(8)
    rules[pc.PER_STEP], rules[pc.TOLERANCE], rules[pc.ERROR] = divider, max(_JITTERS * train.jitter, 2.0), error
    rules[pc.LIMIT], rules[pc.REACH] = limit, min(_PHASE_ERROR * train.period / error, limit / 4)
    rules[pc.BASELINE], rules[pc.RESOLUTION], rules[pc.REGULAR] = baseline, units, train.regular
    return rules
