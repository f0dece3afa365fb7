"""TimeHarp 200 records: the 32-bit layout and the streaming kernel that decodes it.

    bits     31         30      29-28   27-16                                    15-0
    photon   reserved   1       route   channel of the reverse start-stop time   time tag
    special  reserved   0       -       bit 27: overflow; else bits 16-18:       time tag
                                        markers, with bits 19-26 zero

A time tag is a reading of the 100 ns macro clock; an overflow stands for 65536 of them. The photon starts the
stopwatch and the next laser pulse stops it, so a late photon has a low channel: 4095 - channel runs forward in time.
That begins anywhere, for a cable decides when the pulse comes, and so may run beyond the laser period: `folded` takes
whole periods out of it.

Layout: libpicoquant (format version 5.0) and, for the bits of a special record, phconvert. The reserved bit is not
looked at.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from sources.reading.record_state import BACKSTEPS, LATEST, MARKERS, PHOTONS, TICKS, UNKNOWN

CHANNELS = 4096
WRAP = 1 << 16  # ticks of one overflow
_BLOCK = 1024  # records compacted at a time: records, words and bases stay in the first-level cache
_CALM = 12  # after a block with fewer than 1 special record in so many, the next is read by fours

_U32, _U64, _I64 = np.uint32, np.uint64, np.int64
_VALID = np.uint32(1 << 30)
_WORDS, _FOLD = types.Array(types.uint32, 1, "C", readonly=True), types.Array(types.uint16, 1, "C", readonly=True)
_BASES, _MARKS = types.Array(types.int64, 1, "C", readonly=True), types.Array(types.uint8, 1, "C")
_INT64, _UINT32, _UINT16 = (types.Array(kind, 1, "C") for kind in (types.int64, types.uint32, types.uint16))


def folded(period: float) -> NDArray[np.uint16]:
    """Nanotime of every channel, uint16[4096]: 4095 - channel, less whole laser periods.

    Whole periods are rounded to channels once each, so a nanotime is at most half a channel beyond the period.

    Args:
        period: of the laser, in channels; inf where it is not known, so that nothing is folded.
    """
    forward = np.arange(CHANNELS - 1, -1, -1)
    if period >= CHANNELS:
        return forward.astype(np.uint16)
    return (forward - np.rint(forward // period * period)).clip(0).astype(np.uint16)


def beyond(records: NDArray[np.uint32], period: float) -> tuple[int, int]:
    """How many photons lie outside the stretch of one laser period that holds most of them, and how many there are.

    Reverse start-stop times span one period at most, wherever they begin.

    Args:
        records: uint32[r].
        period: in channels.
    """
    valid = records[(records >> 30) & 1 == 1]
    counts = np.bincount((valid >> 16) & (CHANNELS - 1), minlength=CHANNELS)
    before = np.concatenate(([0], np.cumsum(counts)))
    width = int(min(np.ceil(period) + 1, CHANNELS))
    return int(len(valid) - (before[width:] - before[:-width]).max()), len(valid)


@njit(types.int64(_WORDS, types.boolean, _UINT32, _INT64, _INT64, _MARKS, _INT64), cache=True, nogil=True)
def _compact(records, calm, words, bases, marker_time, marker, state):  # type: ignore[no-untyped-def]
    """Push the photons' words of one block together, each with the overflow time that holds for it.

    What a special record leaves in `words` the next one overwrites: a store in vain instead of a branch that the
    processor may mispredict. Only the rare record that is neither photon nor overflow takes a branch.

    Args:
        records: uint32[r].
        calm: special records are rare, so look at four at a time.
        words, bases: uint32[>= r] and int64[>= r], written.
        marker_time, marker, state: as for `decode`.

    Returns:
        How many photons.
    """
    ticks = state[TICKS]
    size, i, kept = _U64(records.size), _U64(0), _U64(0)
    while i < size:
        end = min(i + _U64(4), size) if calm else size
        if calm and end == i + _U64(4):
            first, second, third, fourth = records[i], records[i + _U64(1)], records[i + _U64(2)], records[i + _U64(3)]
            if first & second & third & fourth & _VALID:
                words[kept], words[kept + _U64(1)] = first, second
                words[kept + _U64(2)], words[kept + _U64(3)] = third, fourth
                for j in range(4):
                    bases[kept + _U64(j)] = ticks
                kept += _U64(4)
                i = end
                continue
        while i < end:
            word = records[i]
            words[kept] = word
            bases[kept] = ticks
            valid, overflow = (word >> _U32(30)) & _U32(1), (word >> _U32(27)) & _U32(1)
            kept += _U64(valid)
            ticks += _I64((overflow & ~valid) << _U32(16))
            if not (valid | overflow):
                bits = (word >> _U32(16)) & _U32(0x7FF)
                if bits == 0 or bits > 7:
                    state[UNKNOWN] += 1
                else:
                    when = ticks + _I64(word & _U32(0xFFFF))
                    state[LATEST] = max(state[LATEST], when)
                    marker_time[state[MARKERS]] = when
                    marker[state[MARKERS]] = bits
                    state[MARKERS] += 1
            i += _U64(1)
    state[TICKS] = ticks
    return _I64(kept)


@njit(types.void(_WORDS, _BASES, _FOLD, _INT64, _UINT16, _MARKS), cache=True, nogil=True)
def _unpack(words, bases, fold, time, nanotime, channel):  # type: ignore[no-untyped-def]
    """Take the fields of photons apart.

    Args:
        words, bases: uint32[n] and int64[n] from `_compact`.
        fold: uint16[4096] of `folded`.
        time, nanotime, channel: int64[n], uint16[n] and uint8[n], written.
    """
    for k in range(_U64(words.size)):
        time[k] = bases[k] + _I64(words[k] & _U32(0xFFFF))
        channel[k] = np.uint8((words[k] >> _U32(28)) & _U32(3))
    for k in range(_U64(words.size)):
        nanotime[k] = fold[(words[k] >> _U32(16)) & _U32(CHANNELS - 1)]


@njit(types.void(_WORDS, _FOLD, _INT64, _UINT16, _MARKS, _INT64, _MARKS, _INT64), cache=True, nogil=True)
def decode(records, fold, time, nanotime, channel, marker_time, marker, state):  # type: ignore[no-untyped-def]
    """Append the photons and markers of a block of records to arrays that the caller has allocated.

    Args:
        records: uint32[r], the words.
        fold: uint16[4096], nanotime of each channel, of `folded`.
        time, nanotime, channel: int64[p], uint16[p] and uint8[p], p >= state[PHOTONS] + r; ticks of the macro clock,
            channels of the card, route.
        marker_time, marker: int64[q] and uint8[q], q >= state[MARKERS] + r.
        state: int64[16] of `sources.reading.record_state`, read and written; SYNCS stays 0.
    """
    words, bases = np.empty(_BLOCK, np.uint32), np.empty(_BLOCK, np.int64)
    photons, backsteps, done, calm = state[PHOTONS], _I64(0), 0, True
    while done < records.size:
        part = records[done : done + _BLOCK]
        kept = _compact(part, calm, words, bases, marker_time, marker, state)
        stop = photons + kept
        _unpack(words[:kept], bases[:kept], fold, time[photons:stop], nanotime[photons:stop], channel[photons:stop])
        earlier = max(photons - 1, 0)
        after = time[earlier + 1 : max(stop, earlier + 1)]
        before = time[earlier : earlier + after.size]
        for k in range(after.size):
            backsteps += _I64(after[k] < before[k])
        calm = (part.size - kept) * _CALM < part.size
        photons = stop
        done += part.size
    state[PHOTONS] = photons
    state[BACKSTEPS] += backsteps
