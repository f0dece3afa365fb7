"""Kernels of the extended emitter's light: cascades of many orders, bunched and coherent pulses, levels under cw light.

Each works out, or draws, only what is detected: the probability that a pulse shows anything, which photons it then is,
and under cw light the time to the next photon seen.
"""

from __future__ import annotations

import math

from numba import njit, types

from sources.simulation.kernels import FLOATS, INTS, NEVER, PERIOD, SIGNAL

MOST_PHOTONS = 1024  # of one pulse
X, BX, MX = range(3)  # bands
BANDS = 3
# kinds of light
CASCADE, COHERENT_PULSES, THERMAL_PULSES, CW_LEVELS, CW_COHERENT = range(5)
# entries of `light`
KIND, NBAR, ETA_C, MODES, LEVELS, PUMP, SHELVE, RETURN = range(8)
LIGHT = 8
# entries of `cursor` beside those of `sources.simulation.kernels`; more in `sources.simulation.photon_kernels`
SIGNAL_OFFSET, BAND, LEVEL = range(12, 15)
# entries of `table`
HAZARD = 0
FIRST = 1  # of the cumulative probabilities of (excitons, first detected order)
STOP_X, STOP_BX, GO_ON, UP, AWAY, LEAVE_1, DECAY_2 = range(1, 8)


def table_size(orders: int) -> int:
    """How many entries `table` needs for cascades of so many orders."""
    return max(8, FIRST + orders * (orders + 1) // 2)


@njit(types.void(FLOATS, FLOATS, types.float64, types.float64, FLOATS), cache=True, nogil=True)
def _tabulate_cascade(eta, passes, nbar, eta_c, table):  # type: ignore[no-untyped-def]
    """Probabilities of m excitons and j the first (highest) order detected; m = K stands for K and more."""
    orders = len(eta)
    chance, total, entry = math.exp(-nbar), 0.0, FIRST
    for m in range(1, orders + 1):
        chance *= nbar / m
        having = chance
        if m == orders:
            more = m
            while chance > 1e-18 * having or more < nbar:
                more += 1
                chance *= nbar / more
                having += chance
        missed = having
        for j in range(m, 0, -1):
            seen = eta[j - 1] * passes[j - 1] * eta_c
            total += missed * seen
            table[entry] = total
            entry += 1
            missed *= 1.0 - seen
    table[HAZARD] = -math.log1p(-total) if total < 1.0 else math.inf
    if total > 0.0:
        for at in range(FIRST, entry):
            table[at] /= total


@njit(types.void(FLOATS, FLOATS, FLOATS, FLOATS, types.float64, types.float64, FLOATS), cache=True, nogil=True)
def tabulate(light, eta, tau, passes, excitation, collection, table):  # type: ignore[no-untyped-def]
    """Work out `table`, what one state shows under one excitation and collection.

    Args:
        light: float64[8]: KIND; NBAR; ETA_C; MODES; LEVELS; PUMP, SHELVE, RETURN per fs.
        eta, tau: float64[orders]: yields and lifetimes (fs) of the orders 1, 2, ...
        passes: float64[orders]: share of the photons of each order that reaches a detector.
        excitation, collection: factors of NBAR or PUMP and of ETA_C, which stays at most 1.
        table: float64[table_size(orders)], written: HAZARD = -log(1 - P(any photon of a pulse)) and cumulative
            probabilities for a cascade; mean photons in FIRST for coherent and thermal pulses; under cw light
            probabilities of the ways out of the exciton (STOP: seen; GO_ON: unseen to the ground level; UP: to the
            biexciton and back unseen; AWAY: shelved) and the rates, per fs, LEAVE_1 of the exciton and DECAY_2.
    """
    eta_c = min(1.0, light[ETA_C] * collection)
    kind = int(light[KIND])
    table[HAZARD] = 0.0
    if kind == CASCADE:
        _tabulate_cascade(eta, passes, light[NBAR] * excitation, eta_c, table)
    elif kind in (COHERENT_PULSES, THERMAL_PULSES):
        mean = light[NBAR] * excitation * eta[0] * passes[0] * eta_c
        table[FIRST] = mean
        table[HAZARD] = mean if kind == COHERENT_PULSES else light[MODES] * math.log1p(mean / light[MODES])
    elif kind == CW_COHERENT:
        table[HAZARD] = light[PUMP] * excitation * eta[0] * passes[0] * eta_c
    else:
        pump = light[PUMP] * excitation
        up = pump if light[LEVELS] > 2.5 else 0.0
        decay = 1.0 / tau[0]
        leave = decay + up + light[SHELVE]
        seen_x, seen_bx = eta[0] * passes[0] * eta_c, eta[1] * passes[1] * eta_c
        table[STOP_X], table[GO_ON] = decay * seen_x / leave, decay * (1.0 - seen_x) / leave
        table[STOP_BX], table[UP] = up * seen_bx / leave, up * (1.0 - seen_bx) / leave
        table[AWAY] = light[SHELVE] / leave
        table[LEAVE_1], table[DECAY_2] = leave, 1.0 / tau[1]
        stop = table[STOP_X] + table[STOP_BX]
        if pump > 0.0:
            table[HAZARD] = -math.log1p(-stop) if stop < 1.0 else math.inf


@njit(types.void(types.npy_rng, FLOATS, FLOATS, types.float64, FLOATS, INTS), cache=True, nogil=True)
def next_cw(rng, light, optics, excitation, table, cursor):  # type: ignore[no-untyped-def]
    """Move `cursor` from one instant and level to the next photon seen.

    The stay in a level is exponential and does not depend on the way out. So the visits of the exciton level before
    a photon is seen are geometric, their ways out multinomial, and the time a sum of four gamma variates.
    """
    if table[HAZARD] <= 0.0:
        cursor[SIGNAL] = NEVER
        return
    band = X
    if int(light[KIND]) == CW_COHERENT:
        gap = rng.standard_exponential() / table[HAZARD]
    else:
        unseen = rng.standard_exponential() / table[HAZARD]
        if unseen > 1e15:
            cursor[SIGNAL] = NEVER
            return
        number = int(unseen)
        rest = table[GO_ON] + table[AWAY]
        ups = aways = 0
        if table[UP] > 0.0:
            ups = rng.binomial(number, min(1.0, table[UP] / (table[UP] + rest)))
        if table[AWAY] > 0.0:
            aways = rng.binomial(number - ups, min(1.0, table[AWAY] / rest))
        grounds = number - ups + (1 if cursor[LEVEL] == 0 else 0)
        if table[STOP_BX] > 0.0 and rng.random() * (table[STOP_X] + table[STOP_BX]) < table[STOP_BX]:
            band = BX
            ups += 1
        gap = rng.standard_gamma(float(number + 1)) / table[LEAVE_1]
        if grounds > 0:
            gap += rng.standard_gamma(float(grounds)) / (light[PUMP] * excitation)
        if ups > 0:
            gap += rng.standard_gamma(float(ups)) / table[DECAY_2]
        if aways > 0:
            gap += rng.standard_gamma(float(aways)) / light[RETURN]
    period = int(optics[PERIOD])
    if gap > 1e17 * period:
        cursor[SIGNAL] = NEVER
        return
    whole = math.floor(gap / period)
    offset = cursor[SIGNAL_OFFSET] + int(gap - whole * period)
    cursor[SIGNAL] += int(whole) + offset // period
    cursor[SIGNAL_OFFSET] = offset % period
    cursor[BAND] = band


@njit(types.int64(types.npy_rng, types.float64, types.float64), cache=True, nogil=True)
def burst(rng, mean, modes):  # type: ignore[no-untyped-def]
    """Photons of one pulse given that there is one: Poisson, or negative binomial where `modes` > 0; by inversion."""
    if modes > 0.0:
        none = math.exp(-modes * math.log1p(mean / modes))
        ratio = mean / (mean + modes)
        chance = none * modes * ratio
    else:
        none, ratio = math.exp(-mean), mean
        chance = none * mean
    draw = rng.random() * (1.0 - none)
    number = 1
    while draw >= chance and number < MOST_PHOTONS:
        draw -= chance
        chance *= ratio * (number + modes) / (number + 1) if modes > 0.0 else ratio / (number + 1)
        number += 1
    return number
