"""PTU records: the twelve 32-bit layouts as one table, and the one streaming kernel that decodes them all.

A record is one little-endian word. Whatever its layout, it is a photon when the word is below a limit, an overflow of
the device's clock when some of its bits have one value, and otherwise a marker, a sync event (T2) or nothing known.
So a layout is a row of numbers, not a kernel of its own.

    layout            bits, high to low                      overflow
    PicoHarp T2       channel 4, time 28                     channel 15, low 4 bits 0; else they are the markers
    PicoHarp T3       channel 4, nanotime 12, pulse 16       channel 15, nanotime 0; else it is the markers
    HydraHarp T2      special 1, channel 6, time 25          special, channel 63; time says how many (version 2)
    HydraHarp T3      special 1, channel 6, nanotime 15,     special, channel 63; pulse says how many (version 2)
                      pulse 10
    special channel 1..15 of HydraHarp: the marker bits; special channel 0 of T2: a sync event
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from sources.reading.record_state import BACKSTEPS, LATEST, LONGEST, MARKERS, PHOTONS, SYNCS, TICKS, UNKNOWN

_BLOCK = 1024  # records compacted at a time: records, words and bases (16 KiB) stay in the first-level cache
_CALM = 12  # after a block with fewer than 1 special record in so many, the next is read by fours


@dataclass(frozen=True, slots=True)
class Layout:
    """One record layout; every field but the first two goes to the kernel as a number.

    Attributes:
        name: as the vendor's files are called, such as "HydraHarp2T3".
        mode: "T2" or "T3".
        photons_below: words under this one are photons.
        overflow_mask, overflow_word: a record is an overflow when `word & overflow_mask == overflow_word`.
        count_mask: where an overflow record says how many it stands for; 0 when it always stands for one.
        wrap: ticks of one overflow.
        time_mask: where the time (T2) or the pulse number (T3) is.
        nano_shift, nano_mask: where the nanotime is (T3).
        channel_shift: the channel is all bits from here.
        special_mask: bits that all are set in a marker.
        marker_shift, marker_mask: where its marker bits are.
        sync_events: 1 when a marker word with marker bits 0 is a sync event.
    """

    name: str
    mode: str
    photons_below: int
    overflow_mask: int
    overflow_word: int
    count_mask: int
    wrap: int
    time_mask: int
    nano_shift: int
    nano_mask: int
    channel_shift: int
    special_mask: int
    marker_shift: int
    marker_mask: int
    sync_events: int = 0

    def rules(self, sync_channel: int | None = None) -> NDArray[np.int64]:
        """The kernel's `rules`, int64[14].

        Args:
            sync_channel: channel on which sync events are photons; None leaves them out and counts them.
        """
        below = self.photons_below if sync_channel is None else self.photons_below + (1 << self.channel_shift)
        return np.array(
            (
                below,
                self.overflow_mask,
                self.overflow_word,
                self.count_mask,
                self.wrap,
                self.time_mask,
                self.nano_shift,
                self.nano_mask,
                self.channel_shift,
                self.special_mask,
                self.marker_shift,
                self.marker_mask,
                self.sync_events,
                0 if sync_channel is None else sync_channel,
            ),
            np.int64,
        )


def _hydraharp_t2(name: str, wrap: int = 1 << 25, count_mask: int = 0x1FFFFFF) -> Layout:
    return Layout(
        name, "T2", 1 << 31, 0xFE000000, 0xFE000000, count_mask, wrap, 0x1FFFFFF, 0, 0, 25, 1 << 31, 25, 0x3F, 1
    )


def _hydraharp_t3(name: str, count_mask: int = 0x3FF) -> Layout:
    return Layout(
        name, "T3", 1 << 31, 0xFE000000, 0xFE000000, count_mask, 1024, 0x3FF, 10, 0x7FFF, 25, 1 << 31, 25, 0x3F
    )


# By the code in the header's TTResultFormat_TTTRRecType. Photons of PicoHarp T2 are channels 0 to 4 only.
RECORD_TYPES: dict[int, Layout] = {
    0x00010203: Layout(
        "PicoHarpT2", "T2", 0x50000000, 0xF000000F, 0xF0000000, 0, 210698240, 0xFFFFFFF, 0, 0, 28, 0xF0000000, 0, 0xF
    ),
    0x00010303: Layout(
        "PicoHarpT3", "T3", 0xF0000000, 0xFFFF0000, 0xF0000000, 0, 65536, 0xFFFF, 16, 0xFFF, 28, 0xF0000000, 16, 0xFFF
    ),
    0x00010204: _hydraharp_t2("HydraHarpT2", wrap=33552000, count_mask=0),
    0x00010304: _hydraharp_t3("HydraHarpT3", count_mask=0),
    0x01010204: _hydraharp_t2("HydraHarp2T2"),
    0x01010304: _hydraharp_t3("HydraHarp2T3"),
    0x00010205: _hydraharp_t2("TimeHarp260NT2"),
    0x00010305: _hydraharp_t3("TimeHarp260NT3"),
    0x00010206: _hydraharp_t2("TimeHarp260PT2"),
    0x00010306: _hydraharp_t3("TimeHarp260PT3"),
    0x00010207: _hydraharp_t2("GenericT2"),
    0x00010307: _hydraharp_t3("GenericT3"),
}

_U32, _U64, _I64 = np.uint32, np.uint64, np.int64
_WORDS, _RULES = types.Array(types.uint32, 1, "C", readonly=True), types.Array(types.int64, 1, "C", readonly=True)
_INT64, _UINT32 = types.Array(types.int64, 1, "C"), types.Array(types.uint32, 1, "C")
_UINT16, _UINT8 = types.Array(types.uint16, 1, "C"), types.Array(types.uint8, 1, "C")


@njit(
    types.int64(_WORDS, _RULES, types.boolean, _UINT32, _INT64, _INT64, _UINT8, _INT64),
    cache=True,
    nogil=True,
)
def _compact(records, rules, calm, words, bases, marker_time, marker, state):  # type: ignore[no-untyped-def]
    """Push the photons' words of one block together, each with the overflow time that holds for it.

    What a special record leaves in `words` the next one overwrites: a store that may be in vain instead of a branch
    that the processor may mispredict. Only the rare record that is neither photon nor overflow takes a branch.

    Args:
        records: uint32[r].
        rules: int64[14] of `Layout.rules`.
        calm: special records are rare, so look at four at a time.
        words, bases: uint32[>= r] and int64[>= r], written: photons, and the ticks of the overflows before each.
        marker_time, marker, state: as for `decode`.

    Returns:
        How many photons.
    """
    below = _I64(rules[0]) - 1
    limit, overflow_mask, overflow_word = _U32(rules[0]), _U32(rules[1]), _U32(rules[2])
    count_mask, wrap, time_mask = _U32(rules[3]), rules[4], _U32(rules[5])
    ticks = state[TICKS]
    size, i, kept = _U64(records.size), _U64(0), _U64(0)
    while i < size:
        end = min(i + _U64(4), size) if calm else size
        if calm and end == i + _U64(4):
            first, second, third, fourth = records[i], records[i + _U64(1)], records[i + _U64(2)], records[i + _U64(3)]
            if max(first, second, third, fourth) < limit:
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
            special = (below - _I64(word)) >> 63  # -1 (all bits) for a special record, 0 for a photon
            kept += _U64(1 + special)
            overflow = _I64(max(word & count_mask, _U32(1))) * wrap
            ticks += overflow & special
            if _I64((word & overflow_mask) ^ overflow_word) & special:
                ticks -= overflow
                when = ticks + _I64(word & time_mask)
                bits = (word >> _U32(rules[10])) & _U32(rules[11])
                if (word & _U32(rules[9])) != _U32(rules[9]) or bits > 15 or (bits == 0 and rules[12] == 0):
                    state[UNKNOWN] += 1
                else:
                    state[LATEST] = max(state[LATEST], when)
                    if bits == 0:
                        state[SYNCS] += 1
                    else:
                        marker_time[state[MARKERS]] = when
                        marker[state[MARKERS]] = bits
                        state[MARKERS] += 1
            i += _U64(1)
    state[TICKS] = ticks
    return _I64(kept)


@njit(types.void(_WORDS, _RULES, _RULES, _INT64, _UINT16, _UINT8), cache=True, nogil=True)
def _unpack(words, bases, rules, time, nanotime, channel):  # type: ignore[no-untyped-def]
    """Take the fields of photons apart, in loops that the compiler turns into vector instructions.

    Args:
        words, bases: uint32[n] and int64[n] from `_compact`.
        rules: int64[14] of `Layout.rules`.
        time, channel: int64[n] and uint8[n], written.
        nanotime: uint16[n], written; uint16[0] in T2.
    """
    time_mask, nano_shift, nano_mask = _U32(rules[5]), _U32(rules[6]), _U32(rules[7])
    channel_shift, sync_channel = _U32(rules[8]), np.uint8(rules[13])
    for k in range(words.size):
        code = words[k] >> channel_shift
        channel[k] = np.uint8(code) if code < _U32(64) else sync_channel
        time[k] = bases[k] + _I64(words[k] & time_mask)
    for k in range(nanotime.size):
        nanotime[k] = np.uint16((words[k] >> nano_shift) & nano_mask)


@njit(
    types.int64(_WORDS, _RULES, _INT64, _UINT16, _UINT8, _INT64, _UINT8, _INT64),
    cache=True,
    nogil=True,
)
def decode(records, rules, time, nanotime, channel, marker_time, marker, state):  # type: ignore[no-untyped-def]
    """Append the photons and markers of a block of records to arrays that the caller has allocated.

    Args:
        records: uint32[r], the words.
        rules: int64[14] of `Layout.rules`.
        time: int64[p], p >= state[PHOTONS] + r; ticks.
        nanotime: uint16[p] in T3, uint16[0] in T2.
        channel: uint8[p], as in the record; a sync event's is the one of the rules.
        marker_time, marker: int64[q] and uint8[q], q >= state[MARKERS] + r.
        state: int64[at least 8] of `sources.reading.record_state`, read and written.

    Returns:
        How many records were decoded: all, unless TICKS has passed LONGEST.
    """
    words, bases = np.empty(_BLOCK, np.uint32), np.empty(_BLOCK, np.int64)
    photons, backsteps, done, calm = state[PHOTONS], _I64(0), 0, True
    while done < records.size and state[TICKS] <= LONGEST:
        part = records[done : done + _BLOCK]
        kept = _compact(part, rules, calm, words, bases, marker_time, marker, state)
        stop = photons + kept
        new_nanotime = nanotime[photons:stop] if nanotime.size > 0 else nanotime
        _unpack(words[:kept], bases[:kept], rules, time[photons:stop], new_nanotime, channel[photons:stop])
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
    return done
