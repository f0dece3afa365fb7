"""Kernels of the simulated emitter: state dwells, detected photons and dark counts, dead time and card.

All instants are integers, a laser pulse number and femtoseconds after that pulse, so that order, dead time and
tick conversions are exact at any stream length. The kernels are one machine that can pause anywhere: random numbers
are drawn in the order of the events' origins and never because a chunk ends, so chunking cannot change the stream.
"""

from __future__ import annotations

import math

from numba import njit, types

NEVER = 1 << 62  # a pulse that no stream reaches
JITTER_REACH = 8.0  # Gaussian jitter is cut at this many sigmas (one draw in 10^15), which bounds how early a photon is
COHERENT_MOST = 64  # most photons of one pulse of the coherent source

# columns of `outcomes`, one row per state
HAZARD, X_ALONE, BX_ALONE, X_SECOND, TAU_X, TAU_BX, COHERENT = range(7)
OUTCOMES = 7
# entries of `optics`
PERIOD, SPLIT, SHIFT_0, SHIFT_1, JITTER_0, JITTER_1, DARK_GAP, DARK_SPLIT = range(8)
OPTICS = 8
# entries of `cursor`: where the machine stands
HELD, HORIZON, STATE, DWELL_STOP, DWELL_ROW, SIGNAL, DARK_PULSE, DARK_OFFSET, LAST_0, LAST_1 = range(10)
CURSOR = 12  # LAST_0 and LAST_1 are pulses; their offsets follow at LAST_0 + 2 and LAST_1 + 2
# columns of `pending`
PULSE, OFFSET, CHANNEL = range(3)
# columns of `laws`, one row per state
POWER, MEAN_OR_EXPONENT, LOWEST, HIGHEST = range(4)
# entries of `card`
CARD_PERIOD, CARD_RESOLUTION, DEAD_0, DEAD_1, CARD_STOP = range(5)
# what `detect` says
DONE, FULL, NO_DWELLS = range(3)

INTS = types.int64[::1]
INT_ROWS = types.int64[:, ::1]
FLOATS = types.float64[::1]
FLOAT_ROWS = types.float64[:, ::1]


@njit(types.void(types.npy_rng, FLOAT_ROWS, FLOAT_ROWS, INTS, INT_ROWS), cache=True, nogil=True)
def draw_dwells(rng, laws, moves, last, dwells):  # type: ignore[no-untyped-def]
    """Fill `dwells` with the next dwells of the emitter.

    Args:
        rng: numpy Generator, advanced.
        laws: float64[states, 4]: POWER 0 (exponential: mean in pulses) or 1 (truncated power law: exponent, shortest
            and longest dwell in pulses, by inverting the distribution function).
        moves: float64[states, states], cumulative probabilities of the next state.
        last: int64[2], state and stop pulse of the dwell before; updated. A state of -1 - s starts with state s.
        dwells: int64[n, 2], written: state, stop pulse. A dwell has at least one pulse.
    """
    for row in range(len(dwells)):
        state = last[0]
        if state < 0:
            state = -1 - state
        else:
            draw = rng.random()
            chosen = 0
            while chosen < len(laws) - 1 and draw >= moves[state, chosen]:
                chosen += 1
            state = chosen
        if laws[state, POWER] == 0.0:
            length = rng.standard_exponential() * laws[state, MEAN_OR_EXPONENT]
        else:
            low, high = laws[state, LOWEST], laws[state, HIGHEST]
            power = 1.0 - laws[state, MEAN_OR_EXPONENT]
            draw = rng.random()
            if abs(power) < 1e-9:
                length = low * math.exp(draw * math.log(high / low))
            else:
                # in units of `low`, where no term of the inversion can overflow
                length = low * (1.0 + draw * ((high / low) ** power - 1.0)) ** (1.0 / power)
        stop = NEVER if length > NEVER - last[1] else last[1] + max(1, int(length + 0.5))
        last[0], last[1] = state, stop
        dwells[row, 0], dwells[row, 1] = state, stop


@njit(types.int64(types.npy_rng, types.float64, types.int64), cache=True, nogil=True)
def next_signal(rng, hazard, pulse):  # type: ignore[no-untyped-def]
    """First pulse from `pulse` on with a detected photon; geometric, as floor(exponential / -log(1 - p))."""
    gap = rng.standard_exponential()
    if gap >= hazard * 1e18:
        return NEVER
    return pulse + int(gap / hazard)


@njit(types.void(INT_ROWS, INTS, types.int64, types.int64, types.int64), cache=True, nogil=True)
def _hold(pending, cursor, pulse, offset, channel):  # type: ignore[no-untyped-def]
    """Insert one detection in time order; detections come almost in order, so few are moved."""
    row = cursor[HELD]
    while row > 0 and (
        pending[row - 1, PULSE] > pulse or (pending[row - 1, PULSE] == pulse and pending[row - 1, OFFSET] > offset)
    ):
        pending[row, PULSE] = pending[row - 1, PULSE]
        pending[row, OFFSET] = pending[row - 1, OFFSET]
        pending[row, CHANNEL] = pending[row - 1, CHANNEL]
        row -= 1
    pending[row, PULSE], pending[row, OFFSET], pending[row, CHANNEL] = pulse, offset, channel
    cursor[HELD] += 1


@njit(types.void(types.npy_rng, FLOATS, INTS, INT_ROWS, types.float64), cache=True, nogil=True)
def _arrive(rng, optics, cursor, pending, delay):  # type: ignore[no-untyped-def]
    """Send one photon, emitted `delay` fs after the excitation, through beam splitter, detector and cable."""
    channel = 0 if rng.random() < optics[SPLIT] else 1
    jitter = min(max(rng.standard_normal(), -JITTER_REACH), JITTER_REACH) * optics[JITTER_0 + channel]
    period = int(optics[PERIOD])
    instant = math.floor(optics[SHIFT_0 + channel] + delay + jitter)
    passed = instant // period  # photons later than a period belong to a later pulse, as the card sees it
    pulse = cursor[SIGNAL] + passed
    if pulse >= 0:
        _hold(pending, cursor, pulse, instant - passed * period, channel)


@njit(types.void(types.npy_rng, FLOAT_ROWS, FLOATS, INTS, INT_ROWS), cache=True, nogil=True)
def _emit(rng, outcomes, optics, cursor, pending):  # type: ignore[no-untyped-def]
    """Draw what was detected of pulse `cursor[SIGNAL]`, given that something was."""
    state = cursor[STATE]
    draw = rng.random()
    number, first, biexciton = 1, 0.0, False
    if outcomes[state, COHERENT] > 0.0:
        # Poisson number given that it is not 0, by inversion
        mean = outcomes[state, COHERENT]
        draw *= -math.expm1(-mean)
        chance = mean * math.exp(-mean)
        while draw >= chance and number < COHERENT_MOST:
            draw -= chance
            number += 1
            chance *= mean / number
    elif draw >= outcomes[state, X_ALONE]:
        first = rng.standard_exponential() * outcomes[state, TAU_BX]
        biexciton = draw < outcomes[state, BX_ALONE] or draw >= outcomes[state, X_SECOND]
        number = 1 if draw < outcomes[state, X_SECOND] else 2
    for photon in range(number):
        delay = first
        if photon > 0 or not biexciton:
            delay += rng.standard_exponential() * outcomes[state, TAU_X]
        _arrive(rng, optics, cursor, pending, delay)


@njit(types.void(types.npy_rng, FLOATS, INTS), cache=True, nogil=True)
def next_dark(rng, optics, cursor):  # type: ignore[no-untyped-def]
    """Move `cursor` to the next dark count of either detector: a Poisson process over the whole period."""
    if optics[DARK_GAP] > 1e18:
        cursor[DARK_PULSE] = NEVER
        return
    gap = min(rng.standard_exponential() * optics[DARK_GAP], 1e18)
    period = int(optics[PERIOD])
    whole = int(gap)
    offset = cursor[DARK_OFFSET] + int((gap - whole) * period)
    cursor[DARK_PULSE] = min(cursor[DARK_PULSE] + whole + offset // period, NEVER)
    cursor[DARK_OFFSET] = offset % period


@njit(
    types.int64(types.npy_rng, FLOAT_ROWS, FLOATS, INT_ROWS, INTS, INT_ROWS),
    cache=True,
    nogil=True,
)
def detect(rng, outcomes, optics, dwells, cursor, pending):  # type: ignore[no-untyped-def]
    """Hold every detection that originates before pulse `cursor[HORIZON]`, in order of its instant.

    Pulses are independent given the state, so the machine jumps geometrically from one detecting pulse to the next
    and draws what was detected there from the four outcomes conditioned on at least one photon; at a state's end
    the jump is forgotten and drawn anew, which is exact because the geometric law has no memory.

    Args:
        rng: numpy Generator, advanced.
        outcomes: float64[states, 7]: HAZARD = -log(1 - P(any photon)); X_ALONE, BX_ALONE, X_SECOND cumulative
            conditional probabilities of one exciton photon after one excitation; biexciton photon only; exciton photon
            only, after a biexciton; (else both); TAU_X, TAU_BX in fs; COHERENT mean photons per pulse, or 0 for a dot.
        optics: float64[8]: PERIOD fs; SPLIT share to detector 0; SHIFT t0 + cable, fs; JITTER sigma, fs; DARK_GAP
            mean pulses between dark counts (inf: none); DARK_SPLIT share of them in detector 0.
        dwells: int64[n, 2]: state, stop pulse, from `draw_dwells`.
        cursor: int64[12], updated.
        pending: int64[capacity, 3]: PULSE, OFFSET fs, CHANNEL, the first `cursor[HELD]` rows used; updated.

    Returns:
        DONE; FULL (call again with a larger `pending`); NO_DWELLS (call again with more, `cursor[DWELL_ROW]` = 0).
    """
    while True:
        signal, dark, switch = cursor[SIGNAL], cursor[DARK_PULSE], cursor[DWELL_STOP]
        if min(signal, dark, switch) >= cursor[HORIZON]:
            return DONE
        if switch <= signal and switch <= dark:
            if cursor[DWELL_ROW] == len(dwells):
                return NO_DWELLS
            state = dwells[cursor[DWELL_ROW], 0]
            cursor[STATE], cursor[DWELL_STOP] = state, dwells[cursor[DWELL_ROW], 1]
            cursor[DWELL_ROW] += 1
            cursor[SIGNAL] = next_signal(rng, outcomes[state, HAZARD], switch)
            continue
        if cursor[HELD] + COHERENT_MOST > len(pending):
            return FULL
        if dark <= signal:
            _hold(pending, cursor, dark, cursor[DARK_OFFSET], 0 if rng.random() < optics[DARK_SPLIT] else 1)
            next_dark(rng, optics, cursor)
            continue
        _emit(rng, outcomes, optics, cursor, pending)
        cursor[SIGNAL] = next_signal(rng, outcomes[cursor[STATE], HAZARD], signal + 1)


@njit(
    types.int64(INT_ROWS, INTS, INTS, INTS, types.uint16[::1], types.uint8[::1]),
    cache=True,
    nogil=True,
)
def release(pending, cursor, card, time, nanotime, channel):  # type: ignore[no-untyped-def]
    """Write the detections before tick `card[CARD_STOP]` as records, less those in dead time; keep the rest.

    The dead time does not extend: it counts from the last record of the detector, not from a detection it hid.

    Args:
        pending: int64[capacity, 3]; the rows not written move to the front.
        cursor: int64[12], updated.
        card: int64[5]: CARD_PERIOD fs; CARD_RESOLUTION fs of the nanotime (T3), or 0 for absolute picoseconds (T2);
            DEAD fs per detector; CARD_STOP.
        time, nanotime, channel: int64, uint16 (T3 only), uint8 [at least cursor[HELD]], written.

    Returns:
        How many records were written.
    """
    period, resolution = card[CARD_PERIOD], card[CARD_RESOLUTION]
    whole, part = period // 1000, period % 1000
    written = row = 0
    while row < cursor[HELD]:
        pulse, offset, detector = pending[row, PULSE], pending[row, OFFSET], pending[row, CHANNEL]
        tick = pulse if resolution > 0 else pulse * whole + (pulse * part + offset) // 1000
        if tick >= card[CARD_STOP]:
            break
        row += 1
        dead = card[DEAD_0 + detector]
        passed = pulse - cursor[LAST_0 + detector]
        if passed <= dead // period + 1 and passed * period + offset - cursor[LAST_0 + 2 + detector] < dead:
            continue
        cursor[LAST_0 + detector], cursor[LAST_0 + 2 + detector] = pulse, offset
        time[written], channel[written] = tick, detector
        if resolution > 0:
            nanotime[written] = offset // resolution
        written += 1
    left = cursor[HELD] - row
    for other in range(left):
        pending[other, PULSE] = pending[row + other, PULSE]
        pending[other, OFFSET] = pending[row + other, OFFSET]
        pending[other, CHANNEL] = pending[row + other, CHANNEL]
    cursor[HELD] = left
    return written
