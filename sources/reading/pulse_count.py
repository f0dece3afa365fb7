"""Pulse count: the kernel that gives every photon of a T2 stream its laser pulse and its nanotime.

Pulses are counted from sync tag to sync tag: two tags lie a whole number of steps apart (a step is one pulse, or
`divider` pulses), and the tracked period tells how many. What lies between two tags is placed by their own distance, so
that neither drift of the laser nor the accuracy of the period matters. Where the next tag is so far away that its
distance could be a step more or less, photons near either tag are placed by the period alone, those farther off have
no pulse, and the count goes on with the next tag. A tag that is no whole number of steps from the last one is a stray
and left out; so many strays in a row are a laser with a new phase.

What becomes of a photon depends on the stream alone, not on how it is cut into blocks.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

SYNC = 0xFFFF  # kind of a sync tag; a photon's is its channel, a marker's MARKER plus its value
MARKER = 0x100
MOST_STRAYS = 8  # in a row

# `rules`, float64[8]: what holds for the whole stream; times in ticks.
# PER_STEP: pulses. TOLERANCE: of a tag's place. ERROR: relative, of the tracked period. LIMIT: two tags farther apart
# cannot be counted between. REACH: how far from a tag the period alone places a photon. BASELINE: over which the period
# is measured. RESOLUTION: of the nanotime. REGULAR: not 0 where every step has its tag.
PER_STEP, TOLERANCE, ERROR, LIMIT, REACH, BASELINE, RESOLUTION, REGULAR = range(8)

# `state`, int64[20], carried from block to block. LOCKED: there is a last good tag, at tick LAST and pulse COUNT; where
# there is none, these are the beginning of the stretch. OLDER, OLDER_COUNT, OLD, OLD_COUNT: two tags before it, from
# which the period is measured. STRAYS: in a row. LOST: photons without a pulse since the last gap was told.
# PHOTONS, MARKERS: entries of the out arrays in use. TAGS, STRAY, UNPLACED: of the whole stream, also photons lost.
# FIRST: first event that waits for a tag. NEXT: first event not looked at. SURE: every photon before this pulse is out.
# FROM, TO: pulses of the gap that was found.
(
    LOCKED, LAST, COUNT, OLDER, OLDER_COUNT, OLD, OLD_COUNT, STRAYS, LOST, PHOTONS, MARKERS, TAGS, STRAY, UNPLACED,
    FIRST, NEXT, SURE, FROM, TO,
) = range(19)  # fmt: skip
COLUMNS = 20

_I64 = np.int64
_TIMES, _KINDS = types.Array(types.int64, 1, "C", readonly=True), types.Array(types.uint16, 1, "C", readonly=True)
_RULES, _CLOCK = types.Array(types.float64, 1, "C", readonly=True), types.Array(types.float64, 1, "C")
_INT64, _UINT16, _UINT8 = (types.Array(kind, 1, "C") for kind in (types.int64, types.uint16, types.uint8))
_OUT = (_INT64, _UINT16, _UINT8, _INT64, _UINT8)


@njit(
    types.void(types.int64, types.uint16, types.int64, types.int64, types.float64, types.float64, _INT64, *_OUT),
    cache=True,
    nogil=True,
)
def _place(when, kind, tag, count, period, resolution, state, time, nanotime, channel, marker_time, marker):  # type: ignore[no-untyped-def]
    """Write a photon or marker: its pulse, counted from that of a tag, and how long after the pulse it came."""
    since = np.float64(when - tag)
    pulses = np.floor(since / period)
    if kind < MARKER:
        at = state[PHOTONS]
        time[at] = count + np.int64(pulses)
        nanotime[at] = np.uint16(min(max((since - pulses * period) / resolution, 0.0), 65535.0))
        channel[at] = np.uint8(kind)
        state[PHOTONS] = at + 1
    elif kind != SYNC:
        at = state[MARKERS]
        marker_time[at] = count + np.int64(pulses)
        marker[at] = np.uint8(kind - MARKER)
        state[MARKERS] = at + 1


@njit(
    types.int64(_TIMES, _KINDS, types.int64, types.int64, types.boolean, types.boolean, _RULES, _CLOCK, _INT64, *_OUT),
    cache=True,
    nogil=True,
)
def _break(  # type: ignore[no-untyped-def]
    when, kind, stop, end, over, strayed, rules, clock, state, time, nanotime, channel, marker_time, marker
):
    """Place what can be placed between the last good tag and `end`, over which pulses are not counted.

    Args:
        stop: events FIRST:stop lie between; `end` is the tick of the next good tag or, if `over`, of the stretch's end.
        strayed: the tags between fitted nowhere, so nothing between has a pulse.

    Returns:
        1 where this makes a gap.
    """
    period, resolution, reach = clock[0], rules[RESOLUTION], rules[REACH]
    whole = np.int64(0 if strayed else np.ceil(reach / period))
    locked, last, count = state[LOCKED] != 0, state[LAST], state[COUNT]
    apart = np.float64(end - last) / period
    behind = count + max(np.int64(np.rint(apart)), 1) if locked and not over else count + np.int64(np.ceil(apart))
    k = state[FIRST]
    while k < stop and (over or when[k] < end):
        near, far = np.float64(when[k] - last), np.float64(end - when[k])
        if (locked and not strayed and near <= reach) or kind[k] >= MARKER:
            _place(
                when[k], kind[k], last, count, period, resolution, state, time, nanotime, channel, marker_time, marker
            )
        elif not over and not strayed and far <= reach:
            _place(
                when[k], kind[k], end, behind, period, resolution, state, time, nanotime, channel, marker_time, marker
            )
        else:
            state[LOST] += 1
            state[UNPLACED] += 1
        k += 1
    state[FIRST] = k if k < stop else (stop if over else stop + 1)
    after, before = count + (whole + 1 if locked and not strayed else 0), behind - (0 if over else whole)
    state[LOCKED], state[LAST], state[COUNT] = 0 if over else 1, end, behind
    state[OLDER], state[OLDER_COUNT], state[OLD], state[OLD_COUNT] = end, behind, end, behind
    state[STRAYS], state[SURE] = 0, behind
    if after < before and (state[LOST] > 0 or rules[REGULAR] != 0):
        state[FROM], state[TO] = after, before
        return 1
    return 0


@njit(types.void(_TIMES, _KINDS, types.int64, _RULES, _CLOCK, _INT64, *_OUT), cache=True, nogil=True)
def _let_go(  # type: ignore[no-untyped-def]
    when, kind, reached, rules, clock, state, time, nanotime, channel, marker_time, marker
):
    """No tag for so long that the next will be across a break: place or lose what its coming cannot change."""
    reach, last, count, locked = rules[REACH], state[LAST], state[COUNT], state[LOCKED] != 0
    k = state[FIRST]
    while k < when.size and (np.float64(reached - when[k]) > reach or (locked and np.float64(when[k] - last) <= reach)):
        if kind[k] >= MARKER or (locked and np.float64(when[k] - last) <= reach):
            _place(
                when[k], kind[k], last, count, clock[0], rules[RESOLUTION], state, time, nanotime, channel,
                marker_time, marker,
            )  # fmt: skip
        else:
            state[LOST] += 1
            state[UNPLACED] += 1
        k += 1
    state[FIRST] = k
    if locked:
        state[SURE] = max(state[SURE], count + np.int64(np.ceil(reach / clock[0])) + 1)


@njit(types.int64(_TIMES, _KINDS, types.int64, _RULES, _CLOCK, _INT64, *_OUT), cache=True, nogil=True)
def _run(when, kind, i, rules, clock, state, time, nanotime, channel, marker_time, marker):  # type: ignore[no-untyped-def]
    """Go on from event `i` while every tag is a whole number of steps from the one before it.

    Returns:
        The first tag that is not, or the end of the events.
    """
    per_step, tolerance, error, limit = np.int64(rules[PER_STEP]), rules[TOLERANCE], rules[ERROR], rules[LIMIT]
    baseline, scale = np.int64(rules[BASELINE]), 1.0 / rules[RESOLUTION]
    step = clock[0] * rules[PER_STEP]
    last, count, first, at = state[LAST], state[COUNT], state[FIRST], state[PHOTONS]
    old, strays, tags, size = state[OLD], state[STRAYS], _I64(0), when.size
    while True:
        while i < size and kind[i] != SYNC:
            i += 1
        if i == size:
            break
        tag = when[i]
        apart = np.float64(tag - last)
        if abs(apart - step) <= tolerance:
            pulses = per_step
        else:
            steps = np.rint(apart / step)
            if steps < 1 or apart > limit or abs(apart - steps * step) > tolerance + apart * error:
                break
            pulses = _I64(steps) * per_step
        if first < i:
            period = apart / np.float64(pulses)
            rate = 1.0 / period
            while first < i and when[first] < tag:
                since = np.float64(when[first] - last)
                full = _I64(since * rate)
                rest = np.uint16(min(max((since - np.float64(full) * period) * scale, 0.0), 65535.0))
                of = kind[first]
                if of < MARKER:
                    time[at], nanotime[at], channel[at] = count + full, rest, np.uint8(of)
                    at += 1
                elif of != SYNC:
                    marker_time[state[MARKERS]], marker[state[MARKERS]] = count + full, np.uint8(of - MARKER)
                    state[MARKERS] += 1
                first += 1
        if first == i:
            first += 1
        last, count, strays = tag, count + pulses, _I64(0)
        tags += 1
        i += 1
        if tag - old >= baseline:
            clock[0] = np.float64(tag - state[OLDER]) / np.float64(count - state[OLDER_COUNT])
            step = clock[0] * rules[PER_STEP]
            state[OLDER], state[OLDER_COUNT] = state[OLD], state[OLD_COUNT]
            state[OLD], state[OLD_COUNT] = tag, count
            old = tag
    state[LAST], state[COUNT], state[FIRST], state[PHOTONS], state[STRAYS] = last, count, first, at, strays
    state[SURE] = max(state[SURE], count)
    state[TAGS] += tags
    return i


@njit(
    types.int64(_TIMES, _KINDS, types.int64, types.boolean, _RULES, _CLOCK, _INT64, *_OUT),
    cache=True,
    nogil=True,
)
def count_pulses(  # type: ignore[no-untyped-def]
    when, kind, reached, over, rules, clock, state, time, nanotime, channel, marker_time, marker
):
    """Go on with the events from state[NEXT] until they are at an end, or a gap is found.

    Args:
        when: int64[n], ticks in order: what waits since the last call, then what is new.
        kind: uint16[n].
        reached: tick below which nothing more comes; all of `when` lie below it.
        over: the stretch ends here.
        rules: float64[8]; clock: float64[1], the tracked period; state: int64[20]; see above.
        time, nanotime, channel: int64[n], uint16[n], uint8[n], written from state[PHOTONS] on.
        marker_time, marker: int64[n], uint8[n], written from state[MARKERS] on.

    Returns:
        1 where a gap was found, FROM to TO: photons from TO on that are written already come behind it; unless `over`,
        call again. 0 at the end of the events.
    """
    i, found = state[NEXT], 0
    while i < when.size and not found:
        if state[LOCKED] != 0:
            i = _run(when, kind, i, rules, clock, state, time, nanotime, channel, marker_time, marker)
        while i < when.size and kind[i] != SYNC:
            i += 1
        if i == when.size:
            break
        state[TAGS] += 1  # of a tag that is not simply the next
        if state[LOCKED] == 0 or np.float64(when[i] - state[LAST]) > rules[LIMIT]:
            found = _break(
                when, kind, i, when[i], False, False, rules, clock, state, time, nanotime, channel, marker_time, marker
            )
        else:
            state[STRAY] += 1
            state[STRAYS] += 1
            if state[STRAYS] >= MOST_STRAYS:
                found = _break(
                    when, kind, i, when[i], False, True, rules, clock, state, time, nanotime, channel, marker_time,
                    marker,
                )  # fmt: skip
        i += 1
    state[NEXT] = i
    if found:
        return 1
    if over:
        return _break(
            when, kind, i, reached, True, False, rules, clock, state, time, nanotime, channel, marker_time, marker
        )
    if np.float64(reached - state[LAST]) > rules[LIMIT]:
        _let_go(when, kind, reached, rules, clock, state, time, nanotime, channel, marker_time, marker)
    return 0
