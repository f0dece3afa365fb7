"""Kernels of the extended emitter's photons: from the pulse that made them, through filters, to detections in order.

As in `sources.simulation.kernels`, all instants are a pulse number and femtoseconds after it, random numbers are drawn
in the order of the events' origins, and the machine can pause anywhere. Whatever changes the light (a switch of the
state, a step of a drift, bleaching, the next dot) falls between pulses; what was drawn for later is forgotten there and
drawn anew, which is exact for pulses, and under cw light lets the dot begin in its ground level.
"""

from __future__ import annotations

import math

from numba import njit, types

from sources.simulation.kernels import (
    DARK_OFFSET,
    DARK_PULSE,
    DONE,
    DWELL_ROW,
    DWELL_STOP,
    FLOAT_ROWS,
    FLOATS,
    FULL,
    HELD,
    HORIZON,
    INT_ROWS,
    INTS,
    JITTER_REACH,
    NEVER,
    NO_DWELLS,
    OFFSET,
    PERIOD,
    PULSE,
    SHIFT_0,
    SIGNAL,
    STATE,
    next_dark,
    next_signal,
)  # fmt: skip
from sources.simulation.light_kernels import (
    BAND,
    BX,
    CASCADE,
    CW_LEVELS,
    ETA_C,
    FIRST,
    HAZARD,
    KIND,
    LEVEL,
    MODES,
    MOST_PHOTONS,
    MX,
    SIGNAL_OFFSET,
    THERMAL_PULSES,
    X,
    burst,
    next_cw,
    tabulate,
)  # fmt: skip

# entries of `optics` used: PERIOD, SHIFT_0 (of all detectors), DARK_GAP
# columns of `response`, one row per detector
JITTER, TAIL_SHARE, TAIL = range(3)
# entries of `cursor` beside those of `sources.simulation.kernels` and `sources.simulation.light_kernels`
STEP, STEP_STOP, STEP_ROW, DOT_STOP, DOT_ROW, BLEACH, BUDGET, BLEACHED = range(15, 23)
CURSOR = 23
# columns of `dots`
ENDS, FADES, PHOTONS = range(3)
# what `detect` says besides
NO_STEPS, NO_DOTS = 3, 4


@njit(types.void(INT_ROWS, types.int64, types.int64, types.int64, types.int64, types.int64), cache=True, nogil=True)
def hold(rows, first, held, pulse, offset, code):  # type: ignore[no-untyped-def]
    """Insert one event into rows [first, held), sorted by instant and code, so that no order of insertion shows."""
    row = held
    while row > first and (
        rows[row - 1, PULSE] > pulse
        or (
            rows[row - 1, PULSE] == pulse
            and (rows[row - 1, OFFSET] > offset or (rows[row - 1, OFFSET] == offset and rows[row - 1, 2] > code))
        )
    ):
        rows[row, PULSE] = rows[row - 1, PULSE]
        rows[row, OFFSET] = rows[row - 1, OFFSET]
        rows[row, 2] = rows[row - 1, 2]
        row -= 1
    rows[row, PULSE], rows[row, OFFSET], rows[row, 2] = pulse, offset, code


@njit(types.int64(types.float64, FLOATS), cache=True, nogil=True)
def _drawn(draw, cumulative):  # type: ignore[no-untyped-def]
    """First entry above `draw`; there is one."""
    entry = 0
    while draw >= cumulative[entry]:
        entry += 1
    return entry


@njit(
    types.void(types.npy_rng, FLOATS, FLOAT_ROWS, FLOAT_ROWS, INTS, INT_ROWS, types.int64, types.float64, types.int64),
    cache=True,
    nogil=True,
)
def _arrive(rng, optics, route, response, cursor, pending, start, delay, band):  # type: ignore[no-untyped-def]
    """Send a photon, emitted `delay` fs after `start` fs after the pulse, through filters to a detector."""
    channel = _drawn(rng.random(), route[band])
    late = min(max(rng.standard_normal(), -JITTER_REACH), JITTER_REACH) * response[channel, JITTER]
    if response[channel, TAIL_SHARE] > 0.0 and rng.random() < response[channel, TAIL_SHARE]:
        late += rng.standard_exponential() * response[channel, TAIL]
    period = int(optics[PERIOD])
    instant = start + math.floor(optics[SHIFT_0] + delay + late)
    passed = instant // period
    pulse = cursor[SIGNAL] + passed
    if pulse >= 0:
        hold(pending, 0, cursor[HELD], pulse, instant - passed * period, channel)
        cursor[HELD] += 1


@njit(
    types.int64(
        types.npy_rng, FLOATS, FLOATS, FLOATS, FLOATS, types.float64, FLOATS, FLOATS, FLOAT_ROWS, FLOAT_ROWS,
        INTS, INT_ROWS,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def _emit(rng, light, eta, tau, passes, eta_c, table, optics, route, response, cursor, pending):  # type: ignore[no-untyped-def]
    """Draw what was detected of pulse `cursor[SIGNAL]`, given that something was; returns how many photons."""
    if int(light[KIND]) != CASCADE:
        number = burst(rng, table[FIRST], light[MODES] if int(light[KIND]) == THERMAL_PULSES else 0.0)
        for _ in range(number):
            _arrive(rng, optics, route, response, cursor, pending, 0, rng.standard_exponential() * tau[0], X)
        return number
    orders = len(eta)
    draw = rng.random()
    low, high = 0, orders * (orders + 1) // 2 - 1
    while low < high:
        middle = (low + high) // 2
        if draw < table[FIRST + middle]:
            high = middle
        else:
            low = middle + 1
    m = int((math.sqrt(8.0 * low + 1.0) - 1.0) / 2.0)
    while (m + 1) * (m + 2) // 2 <= low:
        m += 1
    while m * (m + 1) // 2 > low:
        m -= 1
    first = m + 1 - (low - m * (m + 1) // 2)  # rows are m + 1 excitons, within a row orders fall
    number, delay = 0, 0.0
    for order in range(m + 1, 0, -1):
        delay += rng.standard_exponential() * tau[order - 1]
        if order == first or (order < first and rng.random() < eta[order - 1] * passes[order - 1] * eta_c):
            _arrive(rng, optics, route, response, cursor, pending, 0, delay, min(order - 1, MX))
            number += 1
    return number


@njit(types.int64(types.int64, INT_ROWS, FLOAT_ROWS, INT_ROWS, INTS), cache=True, nogil=True)
def _change(change, dwells, steps, dots, cursor):  # type: ignore[no-untyped-def]
    """Take all that begins at pulse `change`: state, step, dot, bleaching; says which list is used up, or DONE."""
    if cursor[DWELL_STOP] == change:
        if cursor[DWELL_ROW] == len(dwells):
            return NO_DWELLS
        cursor[STATE], cursor[DWELL_STOP] = dwells[cursor[DWELL_ROW], 0], dwells[cursor[DWELL_ROW], 1]
        cursor[DWELL_ROW] += 1
    if cursor[STEP_STOP] == change:
        if cursor[STEP_ROW] + 1 >= len(steps):
            return NO_STEPS
        cursor[STEP_ROW] += 1
        cursor[STEP_STOP] = NEVER if cursor[STEP] == NEVER else change + cursor[STEP]
    if cursor[DOT_STOP] == change:
        if cursor[DOT_ROW] == len(dots):
            return NO_DOTS
        cursor[DOT_STOP], cursor[BLEACH] = dots[cursor[DOT_ROW], ENDS], dots[cursor[DOT_ROW], FADES]
        cursor[BUDGET], cursor[BLEACHED] = dots[cursor[DOT_ROW], PHOTONS], NEVER
        cursor[DOT_ROW] += 1
    if cursor[BLEACH] == change:
        cursor[BLEACH], cursor[BLEACHED] = NEVER, change
    return DONE


@njit(
    types.int64(
        types.npy_rng, FLOATS, FLOAT_ROWS, FLOAT_ROWS, FLOATS, FLOATS, FLOATS, FLOATS, FLOAT_ROWS,
        FLOAT_ROWS, INT_ROWS, FLOAT_ROWS, INT_ROWS, INTS, INT_ROWS,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def detect(  # type: ignore[no-untyped-def]
    rng, light, etas, taus, passes, table, optics, dark_route, route, response, dwells, steps, dots, cursor, pending
):
    """Hold every detection that originates before pulse `cursor[HORIZON]`, in order of its instant at the detector.

    Args:
        rng: numpy Generator, advanced.
        light: float64[8], as for `tabulate`.
        etas, taus, passes: float64[states, orders] twice and float64[orders], of `tabulate`.
        table: float64[table_size(orders)], as `tabulate` writes it; kept between calls.
        optics: float64[8]: PERIOD fs, SHIFT_0 fs of the excitation, DARK_GAP mean pulses between dark counts.
        dark_route: float64[detectors], cumulative shares of the dark counts.
        route: float64[bands, detectors], cumulative shares of the photons of a band.
        response: float64[detectors, 3]: JITTER sigma fs, TAIL_SHARE, TAIL mean fs.
        dwells: int64[n, 2]: state, stop pulse, from `sources.simulation.kernels.draw_dwells`.
        steps: float64[n, 2]: factors of excitation and collection, each for `cursor[STEP]` pulses.
        dots: int64[n, 3]: ENDS, pulse at which the next dot comes; FADES, at which it bleaches; PHOTONS until then.
        cursor: int64[23], updated.
        pending: int64[capacity, 3]: PULSE, OFFSET fs, channel; the first `cursor[HELD]` rows used; updated.

    Returns:
        DONE; FULL (call again with a larger `pending`); NO_DWELLS, NO_STEPS, NO_DOTS (call again with more, the row
        in the cursor 0).
    """
    cw = int(light[KIND]) >= CW_LEVELS
    while True:
        signal, dark = cursor[SIGNAL], cursor[DARK_PULSE]
        change = min(cursor[DWELL_STOP], cursor[STEP_STOP], cursor[DOT_STOP], cursor[BLEACH])
        if min(signal, dark, change) >= cursor[HORIZON]:
            return DONE
        if change <= signal and change <= dark:
            said = _change(change, dwells, steps, dots, cursor)
            if said != DONE:
                return said
            if cursor[BLEACHED] != NEVER:
                cursor[SIGNAL] = NEVER
                continue
            state, excitation = cursor[STATE], steps[cursor[STEP_ROW], 0]
            tabulate(light, etas[state], taus[state], passes, excitation, steps[cursor[STEP_ROW], 1], table)
            if cw:
                cursor[SIGNAL], cursor[SIGNAL_OFFSET], cursor[LEVEL] = change, 0, 0
                next_cw(rng, light, optics, excitation, table, cursor)
            else:
                cursor[SIGNAL] = next_signal(rng, table[HAZARD], change)
            continue
        if cursor[HELD] + MOST_PHOTONS > len(pending):
            return FULL
        if dark <= signal:
            hold(pending, 0, cursor[HELD], dark, cursor[DARK_OFFSET], _drawn(rng.random(), dark_route))
            cursor[HELD] += 1
            next_dark(rng, optics, cursor)
            continue
        state, excitation = cursor[STATE], steps[cursor[STEP_ROW], 0]
        if cw:
            band, number = cursor[BAND], 1
            _arrive(rng, optics, route, response, cursor, pending, cursor[SIGNAL_OFFSET], 0.0, band)
            cursor[LEVEL] = 1 if band == BX else 0
            next_cw(rng, light, optics, excitation, table, cursor)
        else:
            eta_c = min(1.0, light[ETA_C] * steps[cursor[STEP_ROW], 1])
            number = _emit(
                rng, light, etas[state], taus[state], passes, eta_c, table, optics, route, response, cursor, pending
            )
            cursor[SIGNAL] = next_signal(rng, table[HAZARD], signal + 1)
        cursor[BUDGET] -= number
        if cursor[BUDGET] <= 0:
            cursor[BLEACH] = min(cursor[BLEACH], signal + 1)
