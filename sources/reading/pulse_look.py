"""Pulse look: what the first tags of a T2 stream tell of its laser sync, and what the photons say to that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sources.reading.pulse_period import PulsePeriod, find_comb
from streamer.chunk import NO_CHANNEL, NO_TIME, Chunk
from streamer.errors import InputError

_LOOK_PHOTONS = 1 << 17
_WIDE_JITTER = 0.01  # of a period, above which it is said


@dataclass(frozen=True, slots=True)
class Look:
    """The first tags of a stream.

    Attributes:
        chunks: held, where they cannot be had again.
        intervals: int64[n], ticks between successive tags of the sync, over no gap.
        since, channels: int64[m] and uint8[m], ticks from a tag to a photon behind it, and the photon's channel.
    """

    chunks: list[Chunk]
    intervals: NDArray[np.int64]
    since: NDArray[np.int64]
    channels: NDArray[np.uint8]


def look_at(chunks: Iterator[Chunk], channel: int, most_tags: int, most_events: int, *, held: bool) -> Look:
    """The first tags of the sync, and the photons behind them.

    Args:
        chunks: of a T2 stream; no more are taken than needed.
        channel: of the sync.
        most_tags, most_events: at most so many are looked at, but for the rest of a chunk.
        held: keep the chunks.
    """
    kept: list[Chunk] = []
    intervals, since, channels = [NO_TIME], [NO_TIME], [NO_CHANNEL]
    tags = events = photons = 0
    position, last = None, NO_TIME
    while tags < most_tags and events < most_events and (chunk := next(chunks, None)) is not None:
        if held:
            kept.append(chunk)
        if chunk.start != position:
            last = NO_TIME
        position = chunk.stop
        sync = chunk.channel == channel
        tag = np.concatenate((last, chunk.time[sync]))
        intervals.append(np.diff(tag))
        if len(tag) and photons < _LOOK_PHOTONS:
            # Photons behind the last tag that counts are left out, as another chunking would not have looked at them.
            room = most_tags - tags
            before = chunk.time < (tag[room] if len(tag) > room else chunk.stop)
            time = chunk.time[~sync & before]
            at = np.searchsorted(tag, time, side="right") - 1
            since.append((time - tag[at])[at >= 0])
            channels.append(chunk.channel[~sync & before][at >= 0])
            photons += len(since[-1])
        last = tag[-1:].copy()
        tags, events = tags + len(intervals[-1]), events + len(chunk.time)
    # Cut to the same number in any chunking.
    return Look(
        kept,
        np.concatenate(intervals)[:most_tags],
        np.concatenate(since)[:_LOOK_PHOTONS],
        np.concatenate(channels)[:_LOOK_PHOTONS],
    )


def doubts_of(look: Look, train: PulsePeriod, divider: int | None, tick_s: float, place: str) -> tuple[str, ...]:
    """What speaks against the period found, one line each: with it neither nanotimes nor pulses can be trusted.

    Raises:
        InputError: nobody said a divider, and the photons say that the period is a multiple of the laser's.
    """
    warnings = []
    ns = tick_s * 1e9
    if train.jitter > _WIDE_JITTER * train.period:
        warnings.append(
            f"{place}: its tags jitter by {train.jitter * ns:.3g} ns in a period of {train.period * ns:.6g} ns; is it "
            "the laser sync?"
        )
    if not len(look.channels):
        return tuple(warnings)
    busiest = int(np.bincount(look.channels).argmax())
    step = train.period * (divider or 1)
    comb = find_comb(look.since[look.channels == busiest], step)
    if comb is None or comb == (divider or 1):
        return tuple(warnings)
    line = (
        f"{place}: photons of channel {busiest} come at {comb} evenly spaced times between two tags "
        f"{step * ns:.6g} ns apart"
    )
    if divider is None:
        raise InputError(
            f"{line}, so only one pulse of {comb} seems to have a tag; set pulse_divider={comb}, or pulse_divider=1 if "
            "that is the laser's period"
        )
    return (*warnings, f"{line}; pulse_divider={divider} may be wrong")
