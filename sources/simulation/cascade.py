"""Exact expected values of extended pulsed light: cascades of many orders seen in bands by any number of detectors.

A pulse excites m pairs, Poisson with mean nbar and taken as K where it is more. They decay one after another, so the
number M(t) left after a time t is a death process, and the photon of order k comes after t just when M(t) >= k. With
T_k(t) = P(M(t) >= k) and D_dk the probability that detector d sees the photon of order k, once that decay happens,

    counts of d later than t        sum_k T_k(t) D_dk
    pairs of a and b later than t   sum_(j != k) T_max(j,k)(t) D_aj D_bk

since the later photon of a pair is that of the lower order. The cascade with a yield for every order is that of the
rates phi_1 and phi_2 of Dhawan et al. Coherent pulses have independent photons; thermal ones are negative binomial,
with pairs (1 + 1 / modes) times those of independent photons.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sources.simulation.detectors import detectors, transmission
from sources.simulation.parts import State
from sources.simulation.pulsed import SIDE_PEAKS
from sources.simulation.relaxation import propagator
from sources.simulation.settings import DOT, THERMAL, Settings

GRID = 2000  # steps of the numerical integral over overlapping peaks
REACH = 40.0  # its length in lifetimes
SEPARATE = 1e-9  # share of photons later than half a period below which peaks do not overlap

Floats = NDArray[np.float64]


def seen(settings: Settings, state: State) -> Floats:
    """float64[detectors, orders]: probability that a detector sees the photon of an order; one order unless a dot."""
    orders = settings.highest_order if settings.model == DOT else 1
    bands = np.minimum(np.arange(orders), 2)
    return transmission(settings, 3)[:, bands] * np.array(state.yields(orders)) * settings.eta_c


def _decay(settings: Settings, state: State, t_ns: float) -> Floats:
    """float64[orders + 1, orders + 1]: probability of so many pairs left (column) after t, from so many (row)."""
    orders = settings.highest_order
    rates = 1 / np.array(state.lifetimes_ns(orders))
    generator = np.diag(np.append(0.0, -rates)) + np.diag(rates, -1)
    return propagator(generator, t_ns)


def excited(settings: Settings) -> Floats:
    """float64[orders + 1]: probability of 0, 1, ..., K pairs, K standing for K and more."""
    orders = settings.highest_order
    number = np.arange(orders + 1)
    chances = np.exp(number * math.log(settings.nbar) - settings.nbar - [math.lgamma(m + 1) for m in number])
    more = np.arange(orders + 1, orders + 400)
    chances[-1] += np.exp(more * math.log(settings.nbar) - settings.nbar - [math.lgamma(m + 1) for m in more]).sum()
    return chances


def tail(settings: Settings, state: State, t_ns: float = 0.0) -> Floats:
    """float64[orders]: probability that the photon of order 1, 2, ... comes later than `t_ns` after the excitation.

    For a source that is no dot: mean number of photons later than that, before any loss.
    """
    if settings.model != DOT:
        return np.array([settings.nbar * math.exp(-t_ns / state.tau_x_ns)])
    left = excited(settings)
    if t_ns > 0:
        left = left @ _decay(settings, state, t_ns)
    above: Floats = np.cumsum(left[::-1])[::-1][1:]
    return above


def counts(settings: Settings, state: State, t_ns: float = 0.0) -> Floats:
    """float64[detectors]: mean detected photons per pulse, later than `t_ns`."""
    return seen(settings, state) @ tail(settings, state, t_ns)


def pairs(settings: Settings, state: State, t_ns: float = 0.0) -> Floats:
    """float64[detectors, detectors]: mean pairs of photons of one pulse, both later than `t_ns`."""
    if settings.model != DOT:
        mean = counts(settings, state, t_ns)
        return np.outer(mean, mean) * (1 + 1 / settings.modes if settings.model == THERMAL else 1.0)
    here, later = seen(settings, state), tail(settings, state, t_ns)
    order = np.arange(len(later))
    both = later[np.maximum(order[:, None], order[None, :])] * (1 - np.eye(len(later)))
    return here @ both @ here.T


def mean_delays_ns(settings: Settings, state: State) -> Floats:
    """float64[detectors]: mean delay of a photon after the excitation, before jitter; nan where none is seen."""
    here, having = seen(settings, state), tail(settings, state)
    if settings.model != DOT:
        return np.full(settings.detectors, state.tau_x_ns)
    spent = np.array(state.lifetimes_ns(len(having))) * having
    waited = np.cumsum(spent[::-1])[::-1]  # T_k times the mean delay of order k
    with np.errstate(invalid="ignore"):
        mean: Floats = (here @ waited) / (here @ having)
    return mean


def mean_difference_ns(settings: Settings, state: State, a: int, b: int) -> float | None:
    """Mean of (photon of b) - (photon of a) over the pairs of one pulse; None where there are none.

    Above 0 where a sees the higher orders, as in the cross-correlation of biexciton (start) and exciton (stop).
    """
    total = pairs(settings, state)[a, b]
    if settings.model != DOT or total <= 0:
        return 0.0 if total > 0 else None
    here, having = seen(settings, state), tail(settings, state)
    passed = np.cumsum(np.append(0.0, state.lifetimes_ns(len(having))))  # below order k, down to the ground level
    order = np.arange(len(having))
    weight = np.outer(here[a], here[b]) * having[np.maximum(order[:, None], order[None, :])] * (1 - np.eye(len(having)))
    return float((weight * (passed[:-1, None] - passed[None, :-1])).sum() / total)


def g2_zero(settings: Settings, state: State, a: int, b: int, gate_ns: float = 0.0) -> float | None:
    """Pairs of one pulse over pairs of different pulses, signal alone, both photons later than `gate_ns`."""
    mean = counts(settings, state, gate_ns)
    side = mean[a] * mean[b]
    return float(pairs(settings, state, gate_ns)[a, b] / side) if side > 0 else None


def signal_share(settings: Settings, state: State, a: int, b: int) -> float:
    """Share of the pairs of different pulses in which both clicks are photons and not dark counts."""
    mean, dark = counts(settings, state), detectors(settings).dark_cps * settings.period_fs / 1e15
    shares = np.divide(mean, mean + dark, out=np.zeros_like(mean), where=mean > 0)
    return float(shares[a] * shares[b])


def g2_zero_with_background(settings: Settings, state: State, a: int, b: int) -> float | None:
    """Central over side ratio with dark counts: 1 + rho_a rho_b (g2 - 1)."""
    g2 = g2_zero(settings, state, a, b)
    return None if g2 is None else 1 + signal_share(settings, state, a, b) * (g2 - 1)


def g2_zero_observed(settings: Settings, state: State, a: int, b: int) -> float | None:
    """Central over mean side ratio, of 10 peaks on each side, when pairs go to the nearest lag; jitter neglected.

    As `sources.simulation.pulsed.g2_zero_observed`, with the delays' survival functions integrated numerically.
    """
    g2 = g2_zero(settings, state, a, b)
    if g2 is None:
        return None
    period = settings.period_fs / 1e6
    if np.all(counts(settings, state, period / 2) < SEPARATE * counts(settings, state)):
        return g2_zero_with_background(settings, state, a, b)
    edges = np.asarray((np.arange(SIDE_PEAKS + 1) + 0.5) * period)  # between one peak and the next
    apart = _apart(settings, state, a, b, edges)
    together = g2 * apart
    if settings.model == DOT:
        mean = counts(settings, state)
        together = _pairs_beyond(settings, state, a, b, edges) + _pairs_beyond(settings, state, b, a, edges)
        together /= mean[a] * mean[b]
    w, v = (
        np.append(all_of_it - beyond[0], -np.diff(beyond) / 2) for all_of_it, beyond in ((1, apart), (g2, together))
    )
    peaks = 1 + signal_share(settings, state, a, b) * (v - w)
    return float(peaks[0] * SIDE_PEAKS / peaks[1:].sum())


def _apart(settings: Settings, state: State, a: int, b: int, reach_ns: Floats) -> Floats:
    """float64[n]: probability that photons of a and b with independent delays differ by more than a reach."""
    orders = settings.highest_order if settings.model == DOT else 1
    grid = np.linspace(0, REACH * max(state.lifetimes_ns(orders)), GRID + 1)
    late = np.exp(-grid / state.tau_x_ns)[:, None].repeat(2, axis=1)
    if settings.model == DOT:
        here, left, moved = seen(settings, state)[[a, b]], excited(settings), _decay(settings, state, grid[1])
        for row in range(GRID + 1):
            late[row] = here @ left[::-1].cumsum()[::-1][1:]
            left = left @ moved
        late /= late[0]
    beyond = np.zeros(len(reach_ns))
    for first, second in ((0, 1), (1, 0)):
        arriving = -np.diff(late[:, first])
        for at, reach in enumerate(reach_ns):
            later = np.interp(grid + reach, grid, late[:, second], right=0.0)
            beyond[at] += ((later[1:] + later[:-1]) / 2 * arriving).sum()
    return beyond


def _pairs_beyond(settings: Settings, state: State, a: int, b: int, reach_ns: Floats) -> Floats:
    """float64[n]: mean pairs of one pulse in which the photon of b is later than that of a by more than a reach.

    Args:
        settings, state: of a dot.
        a, b: channels.
        reach_ns: float64[n], evenly spaced.
    """
    here, having = seen(settings, state), tail(settings, state)
    moved, step = _decay(settings, state, reach_ns[0]), _decay(settings, state, reach_ns[1] - reach_ns[0])
    beyond = []
    for _ in reach_ns:
        left = moved[:, ::-1].cumsum(axis=1)[:, ::-1]  # P(at least so many left), from so many
        # once the photon of order j + 1 is gone j pairs are left, and that of order k + 1 <= j is late while k + 1 are
        chance = np.tril(left[:-1, 1:], -1) * having[:, None]
        beyond.append(here[a] @ chance @ here[b])
        moved = moved @ step
    return np.array(beyond)
