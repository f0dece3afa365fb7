"""Kernels of the extended emitter's detectors: dead time, afterpulses, crosstalk, cables, and the card's records."""

from __future__ import annotations

from numba import njit, types

from sources.simulation.kernels import DONE, FLOAT_ROWS, FULL, HELD, INT_ROWS, INTS, OFFSET, PULSE
from sources.simulation.photon_kernels import hold

CODE = 2  # column of `pending`: the channel, and where crosstalk made the click CROSSTALK more
CROSSTALK = 16
# columns of `clicks`, one row per detector
AFTERPULSE, AFTERPULSE_FS, CROSS, CROSS_FS, CROSS_SIGMA_FS = range(5)
# entries of `card`
CARD_PERIOD, CARD_RESOLUTION, CARD_STOP, READY = range(4)
# rows of `wiring`
DEAD, CABLE = range(2)
# entries of `queues`
ECHOES, RECORDS = range(2)


@njit(types.int64(INT_ROWS, types.int64, types.int64), cache=True, nogil=True)
def _move_up(rows, first, held):  # type: ignore[no-untyped-def]
    """Move rows [first, held) to the front; how many these are."""
    for row in range(first, held):
        rows[row - first, 0], rows[row - first, 1], rows[row - first, 2] = rows[row, 0], rows[row, 1], rows[row, 2]
    return held - first


@njit(types.boolean(INT_ROWS, types.int64, INT_ROWS, types.int64), cache=True, nogil=True)
def _earlier(a, i, b, j):  # type: ignore[no-untyped-def]
    """Row i of `a` comes before row j of `b`, by instant and code."""
    if a[i, PULSE] != b[j, PULSE]:
        return a[i, PULSE] < b[j, PULSE]
    if a[i, OFFSET] != b[j, OFFSET]:
        return a[i, OFFSET] < b[j, OFFSET]
    return a[i, CODE] < b[j, CODE]


@njit(
    types.int64(types.npy_rng, FLOAT_ROWS, INT_ROWS, INTS, INT_ROWS, INTS, INT_ROWS, INTS, INT_ROWS, INT_ROWS),
    cache=True,
    nogil=True,
)
def click(rng, clicks, wiring, card, last, cursor, pending, queues, echoes, records):  # type: ignore[no-untyped-def]
    """Let the detectors see, in order of time, every detection before pulse `card[READY]`.

    The dead time does not extend. A click may be followed by an afterpulse, an exponential time after the end of the
    dead time; one that crosstalk did not make may make one of the other detectors click.

    Args:
        rng: numpy Generator, advanced in the order of the clicks.
        clicks: float64[detectors, 5]: AFTERPULSE probability, AFTERPULSE_FS mean delay, CROSS probability, CROSS_FS
            mean delay, CROSS_SIGMA_FS.
        wiring: int64[2, detectors]: DEAD and CABLE in fs.
        card: int64[4]: CARD_PERIOD fs, READY: nothing will be added to `pending` before this pulse.
        last: int64[detectors, 2]: pulse and offset of the last click; updated.
        cursor: int64, of which HELD is updated.
        pending: int64[capacity, 3]: PULSE, OFFSET, CODE, in order; the rows taken are removed.
        queues: int64[2]: rows used, ECHOES of `echoes` and RECORDS of `records`; updated.
        echoes: int64[capacity, 3]: afterpulses and crosstalk to come, as `pending`; updated.
        records: int64[capacity, 3]: clicks at the end of their cables: PULSE, OFFSET, channel; updated.

    Returns:
        DONE, or FULL (call again with larger `echoes` and `records`).
    """
    period = card[CARD_PERIOD]
    detectors = len(last)
    row = echo = 0
    said = DONE
    while True:
        waiting = row < cursor[HELD] and pending[row, PULSE] < card[READY]
        if echo < queues[ECHOES] and echoes[echo, PULSE] < card[READY]:
            first = not waiting or _earlier(echoes, echo, pending, row)
        elif waiting:
            first = False
        else:
            break
        if queues[ECHOES] + 2 > len(echoes) or queues[RECORDS] + 1 > len(records):
            said = FULL
            break
        if first:
            pulse, offset, code = echoes[echo, PULSE], echoes[echo, OFFSET], echoes[echo, CODE]
            echo += 1
        else:
            pulse, offset, code = pending[row, PULSE], pending[row, OFFSET], pending[row, CODE]
            row += 1
        channel = code % CROSSTALK
        dead = wiring[DEAD, channel]
        passed = pulse - last[channel, 0]
        if passed <= dead // period + 1 and passed * period + offset - last[channel, 1] < dead:
            continue
        last[channel, 0], last[channel, 1] = pulse, offset
        late = offset + wiring[CABLE, channel]
        hold(records, 0, queues[RECORDS], pulse + late // period, late % period, channel)
        queues[RECORDS] += 1
        if clicks[channel, AFTERPULSE] > 0.0 and rng.random() < clicks[channel, AFTERPULSE]:
            late = offset + dead + int(rng.standard_exponential() * clicks[channel, AFTERPULSE_FS])
            hold(echoes, echo, queues[ECHOES], pulse + late // period, late % period, channel)
            queues[ECHOES] += 1
        if code < CROSSTALK and clicks[channel, CROSS] > 0.0 and rng.random() < clicks[channel, CROSS]:
            other = int(rng.random() * (detectors - 1))
            other += other >= channel
            delay = clicks[channel, CROSS_FS] + rng.standard_normal() * clicks[channel, CROSS_SIGMA_FS]
            late = offset + max(0, int(delay))
            hold(echoes, echo, queues[ECHOES], pulse + late // period, late % period, CROSSTALK + other)
            queues[ECHOES] += 1
    cursor[HELD] = _move_up(pending, row, cursor[HELD])
    queues[ECHOES] = _move_up(echoes, echo, queues[ECHOES])
    return said


@njit(
    types.int64(INT_ROWS, INTS, INTS, INTS, types.uint16[::1], types.uint8[::1]),
    cache=True,
    nogil=True,
)
def write(records, queues, card, time, nanotime, channel):  # type: ignore[no-untyped-def]
    """Write the clicks before tick `card[CARD_STOP]` as records; keep the rest.

    Args:
        records: int64[capacity, 3]; the rows not written move to the front.
        queues: int64[2], of which RECORDS, the rows used, is updated.
        card: int64[4]: CARD_PERIOD fs; CARD_RESOLUTION fs of the nanotime (T3), or 0 for absolute picoseconds (T2);
            CARD_STOP.
        time, nanotime, channel: int64, uint16 (T3 only), uint8 [at least queues[RECORDS]], written.

    Returns:
        How many records were written.
    """
    period, resolution = card[CARD_PERIOD], card[CARD_RESOLUTION]
    whole, part = period // 1000, period % 1000
    row = 0
    while row < queues[RECORDS]:
        pulse, offset = records[row, PULSE], records[row, OFFSET]
        tick = pulse if resolution > 0 else pulse * whole + (pulse * part + offset) // 1000
        if tick >= card[CARD_STOP]:
            break
        time[row], channel[row] = tick, records[row, 2]
        if resolution > 0:
            nanotime[row] = offset // resolution
        row += 1
    queues[RECORDS] = _move_up(records, row, queues[RECORDS])
    return row
