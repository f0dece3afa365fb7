"""SPC records: the three Becker & Hickl FIFO layouts, and the streaming kernel that decodes them.

The layouts are those of the vendor's SPC_data_file_structure.h ("FIFO Data Files"). The first record of a file is
written by the software and says the macro clock. All words are little-endian.

    layout       bits, high to low                                                          overflow
    spc130       invalid 1, MTOV 1, gap 1, mark 1, ADC 12, routing 4, macro time 12         4096 ticks
    spc600_256   invalid 1, MTOV 1, gap 1, 0, routing 3, macro time 17, ADC 8               131072 ticks
    spc600_4096  three words: 0, gap, MTOV, invalid, ADC 12 | routing 8, macro time high 8 | macro time low 16
                                                                                            16777216 ticks
    MTOV: the clock has overflowed once since the record before; invalid and MTOV without mark (32 bits): as often as
    bits 0-27 say, and nothing else. mark and invalid (spc130): a marker, its four bits in place of the routing. gap:
    the FIFO was full, photons before this record are lost. invalid alone: a photon without a place (TAC out of range,
    no router code); of it only the MTOV holds.

The ADC counts from the photon to the next laser pulse (reversed start-stop), so the nanotime is the ADC subtracted from
its greatest value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, types

from sources.reading.record_state import BACKSTEPS, LATEST, LONGEST, MARKERS, OWN, PHOTONS, TICKS, UNKNOWN

# Columns of the state beside those of `sources.reading.record_state`. INVALID: photons without a place. GAPS: records
# with the gap flag. SLIPPED: overflows added behind a gap. NEWEST, CHANNEL: of the last photon. STEPS: photons looked
# at for `steps`.
INVALID, GAPS, SLIPPED, NEWEST, CHANNEL, STEPS = range(OWN, OWN + 6)

_BLOCK = 2048  # records taken apart at a time: their fields (24 KiB) stay in the first-level cache


@dataclass(frozen=True, slots=True)
class Family:
    """One record layout.

    Attributes:
        key: value of the option `format`.
        title: for people.
        record_bytes: of a record, and of the first one.
        bins: values of the ADC.
        wrap: ticks of one overflow.
        markers: a record with mark and invalid is a marker; else such a record is not known.
        fields: of a 32-bit word: shift and mask of macro time, routing and ADC.
    """

    key: str
    title: str
    record_bytes: int
    bins: int
    wrap: int
    markers: bool
    fields: tuple[int, ...] = ()


FAMILIES = {
    family.key: family
    for family in (
        Family("spc130", "SPC-130/140/150/160/830", 4, 4096, 1 << 12, True, (0, 0xFFF, 12, 0xF, 16, 0xFFF)),
        Family("spc600_256", "SPC-600/630 256 channels", 4, 256, 1 << 17, False, (8, 0x1FFFF, 25, 7, 0, 0xFF)),
        Family("spc600_4096", "SPC-600/630 4096 channels", 6, 4096, 1 << 24, False),
    )
}

_LOOK = 1 << 20  # the first photons show which channels can follow each other closely
_U64, _I64 = np.uint64, np.int64
_WORDS, _HALVES = types.Array(types.uint32, 1, "C", readonly=True), types.Array(types.uint16, 1, "C", readonly=True)
_RULES, _TABLE = types.Array(types.int64, 1, "C", readonly=True), types.Array(types.uint16, 1, "C", readonly=True)
_INT64, _UINT32 = types.Array(types.int64, 1, "C"), types.Array(types.uint32, 1, "C")
_UINT16, _UINT8 = types.Array(types.uint16, 1, "C"), types.Array(types.uint8, 1, "C")
_STEPS = types.Array(types.int64, 3, "C")


@njit(types.void(_WORDS, _RULES, _UINT8, _UINT32, _UINT32, _UINT8, _UINT16), cache=True, nogil=True)
def _split_words(words, fields, flags, counts, macro, routing, adc):  # type: ignore[no-untyped-def]
    """Take 32-bit records apart, in loops that the compiler turns into vector instructions.

    Args:
        words: uint32[r].
        fields: int64[6], `Family.fields`.
        flags: uint8[>= r], written: mark 1, gap 2, MTOV 4, invalid 8.
        counts, macro, routing, adc: uint32, uint32, uint8 and uint16, each [>= r], written.
    """
    macro_shift, macro_mask = np.uint32(fields[0]), np.uint32(fields[1])
    routing_shift, routing_mask = np.uint32(fields[2]), np.uint32(fields[3])
    adc_shift, adc_mask = np.uint32(fields[4]), np.uint32(fields[5])
    for k in range(words.size):
        flags[k] = np.uint8(words[k] >> np.uint32(28))
    for k in range(words.size):
        counts[k] = words[k] & np.uint32(0xFFFFFFF)
        macro[k] = (words[k] >> macro_shift) & macro_mask
    for k in range(words.size):
        routing[k] = np.uint8((words[k] >> routing_shift) & routing_mask)
        adc[k] = np.uint16((words[k] >> adc_shift) & adc_mask)


@njit(types.void(_HALVES, _UINT8, _UINT32, _UINT32, _UINT8, _UINT16), cache=True, nogil=True)
def _split_triples(halves, flags, counts, macro, routing, adc):  # type: ignore[no-untyped-def]
    """The same for 48-bit records, uint16[3 * r]; an invalid record with MTOV always stands for one overflow."""
    for k in range(halves.size // 3):
        first, second = np.uint32(halves[3 * k]), np.uint32(halves[3 * k + 1])
        invalid, overflow, gap = (first >> 12) & 1, (first >> 13) & 1, (first >> 14) & 1
        flags[k] = np.uint8(invalid << 3 | overflow << 2 | gap << 1 | first >> 15)
        counts[k] = np.uint32(1)
        macro[k] = np.uint32((second & 0xFF) << 16 | np.uint32(halves[3 * k + 2]))
        routing[k] = np.uint8(second >> 8)
        adc[k] = np.uint16(first & 0xFFF)


@njit(types.int64(types.int64, types.int64, types.int64, types.boolean, _INT64, _INT64, _INT64), cache=True, nogil=True)
def _gap(now, known, wrap, timed, gap_start, gap_stop, state):  # type: ignore[no-untyped-def]
    """Note a gap from the last known time to a record, and return the record's time.

    The clock goes on unseen while records are lost: where time would go back, one overflow is the least that was lost.
    """
    if timed and now < known:
        lost = (known - now + wrap - 1) // wrap
        state[TICKS] += lost * wrap
        state[SLIPPED] += lost
        now += lost * wrap
    stop = now if timed else max(state[TICKS], known)
    gap_start[state[GAPS]], gap_stop[state[GAPS]] = min(known + 1, stop), stop
    state[GAPS] += 1
    return now


@njit(
    types.void(
        types.int64, _UINT8, _UINT32, _UINT32, _UINT8, _UINT16, _RULES, _TABLE, _INT64, _UINT16, _UINT8, _INT64, _UINT8,
        _INT64, _INT64, _INT64,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _walk(  # type: ignore[no-untyped-def]
    size, flags, counts, macro, routing, adc, rules, table, time, nanotime, channel, marker_time, marker, gap_start,
    gap_stop, state,
):  # fmt: skip
    """Append the photons, markers and gaps of one block of records that were taken apart; arguments as for `decode`.

    Every record is written where the next photon belongs and is kept only if it is one: a store that may be in vain
    instead of a branch that the processor may mispredict. Only marks, gaps and records without a place take one.
    """
    wrap, markers, ticks, kept = rules[0], rules[1], state[TICKS], _U64(state[PHOTONS])
    with_nanotime = nanotime.size > 0
    for j in range(size):
        k = _U64(j)
        flag = _U64(flags[k])
        entry = flag & _U64(13) == _U64(12)
        before = ticks
        ticks += (_I64(counts[k]) if entry else _I64((flag >> _U64(2)) & _U64(1))) * wrap
        now = ticks + _I64(macro[k])
        if flag & _U64(11) and (not entry or flag & _U64(2)):
            marked = flag & _U64(9) == _U64(9) and markers == 1
            if flag & _U64(2):
                known = time[kept - _U64(1)] if kept > _U64(0) else state[NEWEST]
                state[TICKS] = ticks
                timed = marked or flag & _U64(9) == _U64(0)
                now = _gap(now, max(known, state[LATEST], before), wrap, timed, gap_start, gap_stop, state)
                ticks = state[TICKS]
            if marked and routing[k] != 0:
                marker_time[state[MARKERS]], marker[state[MARKERS]] = now, routing[k]
                state[MARKERS] += 1
                state[LATEST] = max(state[LATEST], now)
            elif flag & _U64(1):
                state[UNKNOWN] += 1
            elif flag & _U64(8) and not entry:
                state[INVALID] += 1
        time[kept] = now
        channel[kept] = routing[k]
        if with_nanotime:
            nanotime[kept] = table[adc[k]]
        kept += _U64(flag & _U64(9) == _U64(0))
    state[TICKS], state[PHOTONS] = ticks, _I64(kept)


@njit(types.void(_INT64, _UINT8, _RULES, _STEPS, _INT64), cache=True, nogil=True)
def _measure(time, channel, rules, steps, state):  # type: ignore[no-untyped-def]
    """Add to BACKSTEPS and `steps` what the photons of one block show; NEWEST and CHANNEL are those before."""
    near, far = rules[2], rules[3]
    backsteps = _I64(time.size > 0 and time[0] < state[NEWEST])
    after = time[1:]
    for k in range(after.size):
        backsteps += _I64(after[k] < time[k])
    state[BACKSTEPS] += backsteps
    for k in range(min(time.size, _LOOK - state[STEPS])):
        step, other = time[k] - state[NEWEST], _I64(channel[k])
        if step <= far and other != state[CHANNEL] and state[STEPS] > 0:
            steps[_I64(step <= near), state[CHANNEL] & 15, other & 15] += 1
        state[NEWEST], state[CHANNEL] = time[k], other
        state[STEPS] += 1
    if time.size > 0:
        state[NEWEST], state[CHANNEL] = time[time.size - 1], _I64(channel[time.size - 1])


@njit(
    types.void(
        _WORDS, _HALVES, _RULES, _RULES, _TABLE, _INT64, _UINT16, _UINT8, _INT64, _UINT8, _INT64, _INT64, _STEPS, _INT64
    ),
    cache=True,
    nogil=True,
)
def decode(  # type: ignore[no-untyped-def]
    words, halves, fields, rules, table, time, nanotime, channel, marker_time, marker, gap_start, gap_stop, steps, state
):
    """Append the photons, markers and gaps of a block of records to arrays that the caller has allocated.

    It ends early when state[TICKS] has passed LONGEST.

    Args:
        words: uint32[r], records of 32 bits; or uint32[0].
        halves: uint16[3 * r], records of 48 bits; or uint16[0].
        fields: int64[6], `Family.fields`; int64[0] for 48 bits.
        rules: int64[4]: wrap, markers (0 or 1), near and far in ticks.
        table: uint16[bins], nanotime of each ADC value.
        time, channel: int64[p] and uint8[p], p >= state[PHOTONS] + r; ticks and the record's routing.
        nanotime: uint16[p], or uint16[0] in T2.
        marker_time, marker: int64[q] and uint8[q], q >= state[MARKERS] + r.
        gap_start, gap_stop: int64[g], g >= state[GAPS] + r.
        steps: int64[2, 16, 16], added to: photons that follow one of another channel within near ([1]) or else within
            far ([0]), by the last four bits of the two channels.
        state: int64[16], read and written; see above and `sources.reading.record_state`.
    """
    flags, routing = np.empty(_BLOCK, np.uint8), np.empty(_BLOCK, np.uint8)
    counts, macro, adc = np.empty(_BLOCK, np.uint32), np.empty(_BLOCK, np.uint32), np.empty(_BLOCK, np.uint16)
    records, done = max(words.size, halves.size // 3), 0
    while done < records and state[TICKS] <= LONGEST:
        size = min(_BLOCK, records - done)
        if words.size > 0:
            _split_words(words[done : done + size], fields, flags, counts, macro, routing, adc)
        else:
            _split_triples(halves[3 * done : 3 * (done + size)], flags, counts, macro, routing, adc)
        first = state[PHOTONS]
        _walk(
            size, flags, counts, macro, routing, adc, rules, table, time, nanotime, channel, marker_time, marker,
            gap_start, gap_stop, state,
        )  # fmt: skip
        stop = state[PHOTONS]
        _measure(time[first:stop], channel[first:stop], rules, steps, state)
        done += size
