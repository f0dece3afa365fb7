"""Fits of g2: the cw dip with and without a shelf, the pulsed comb, and g2(0) without background; exact histograms."""

from collections.abc import Iterator

import numpy as np

from streamer.estimators.antibunching import fit_dip
from streamer.estimators.background import signal_share, without_background
from streamer.estimators.comb_fit import fit_comb
from streamer.estimators.estimate import Estimate
from streamer.estimators.g2 import pulsed_g2
from streamer.estimators.two_sided import mean_over_bins
from tests.coverage.case import Case, Trial

BIN_NS = 1.0
TAU_NS = np.arange(-250, 251) * BIN_NS
# g0, t1 in ns, jitter in ns, accidental pairs per bin
DIPS = [
    (0.03, 19.3, 0.2, 100.0), (0.03, 9.4, 0.2, 300.0), (0.15, 15.0, 2.0, 30.0), (0.3, 10.0, 3.0, 200.0),
    (0.5, 25.0, 0.0, 60.0), (0.7, 20.0, 1.0, 400.0), (0.05, 8.0, 4.0, 1000.0), (0.25, 30.0, 0.5, 20.0),
]  # fmt: skip
# g0, t1, c, t2, accidental pairs per bin
SHELVES = [(0.05, 8.0, 0.5, 60.0, 300.0), (0.2, 5.0, 1.0, 80.0, 200.0), (0.1, 10.0, 0.4, 100.0, 1000.0)]
PERIOD_NS = 12.5
# g0, lifetime over period, jitter in ns, pairs per side peak
COMBS = [
    (0.12, 0.16, 0.15, 400.0),
    (0.3, 0.3, 0.2, 500.0),
    (0.5, 0.4, 0.2, 3000.0),
    (0.05, 0.1, 0.3, 100.0),
    (0.8, 0.25, 0.3, 300.0),
]
# g0, side pairs per peak, signal share of each detector, relative error of the background
GROUNDS = [
    (0.0, 200.0, 0.9, 0.05),
    (0.1, 1000.0, 0.8, 0.1),
    (0.3, 50.0, 0.7, 0.05),
    (0.6, 300.0, 0.95, 0.2),
    (1.0, 500.0, 0.8, 0.1),
]


def _trial(setting: str, truth: float, found: Estimate, number: str = "") -> Trial:
    return Trial(setting, truth, found.value, found.low, found.high, number)


def _dip_pairs(
    rng: np.random.Generator, g0: float, t1: float, jitter: float, level: float, c: float = 0.0, t2: float = 1.0
):
    edges = np.append(TAU_NS - BIN_NS / 2, TAU_NS[-1] + BIN_NS / 2)
    curve = 1 - (1 - g0 + c) * mean_over_bins(edges, t1, jitter) + c * mean_over_bins(edges, t2, jitter)
    return rng.poisson(level * curve), np.full(len(TAU_NS), level)


def dips(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Draw dips."""
    for at in range(trials):
        g0, t1, jitter, level = one = DIPS[at % len(DIPS)]
        fit = fit_dip(TAU_NS, *_dip_pairs(rng, *one), jitter)
        name = f"g0 {g0}, {t1} ns, jitter {jitter} ns, {level:g} a bin"
        yield _trial(name, g0, fit.g0, "g2(0)")
        yield _trial(name, t1, fit.t1_ns, "antibunching time")


def shelves(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Draw dips with a shelf."""
    for at in range(trials):
        g0, t1, c, t2, level = SHELVES[at % len(SHELVES)]
        fit = fit_dip(TAU_NS, *_dip_pairs(rng, g0, t1, 0.3, level, c, t2), 0.3, model="shelving")
        name = f"c {c}, {t1} and {t2} ns, {level:g} a bin"
        yield _trial(name, g0, fit.g0, "g2(0)")
        yield _trial(name, t1, fit.t1_ns, "antibunching time")
        yield _trial(name, c, fit.c, "bunching amplitude")
        yield _trial(name, t2, fit.t2_ns, "bunching time")


def combs(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Draw pulsed histograms pair by pair."""
    width = PERIOD_NS / 32
    tau = np.arange(-176, 177) * width
    edges = np.append(tau - width / 2, tau[-1] + width / 2)
    for at in range(trials):
        g0, share, jitter, area = COMBS[at % len(COMBS)]
        lifetime = share * PERIOD_NS
        pairs = np.zeros(len(tau), np.int64)
        for k in range(-16, 17):
            n = rng.poisson(area * (g0 if k == 0 else 1.0))
            delays = rng.exponential(lifetime, n) - rng.exponential(lifetime, n) + jitter * rng.standard_normal(n)
            pairs += np.histogram(k * PERIOD_NS + delays, edges)[0]
        fit = fit_comb(tau, pairs, PERIOD_NS, jitter)
        name = f"g0 {g0}, lifetime {share} periods, {area:g} pairs a peak"
        yield _trial(name, g0, fit.g0, "g2(0)")
        yield _trial(name, lifetime, fit.tau_ns, "lifetime")


def grounds(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Draw pulsed pairs of signal and background, and a background that was measured with an error."""
    lags = np.arange(-10, 11)
    for at in range(trials):
        g0, side, rho, relative = GROUNDS[at % len(GROUNDS)]
        mean = np.full(21, side)
        mean[10] = side * (1 + rho**2 * (g0 - 1))
        found = pulsed_g2(lags, rng.poisson(mean))
        background = (1 - rho) * 1000.0
        measured = rng.normal(background, relative * background, 2)
        share = signal_share((1000.0, 1000.0), tuple(measured), (relative * background,) * 2)
        estimate = without_background(found.g2_0, found.low, found.high, share, found.reason)
        yield _trial(f"g0 {g0}, {side:g} pairs a peak, signal {rho}, background +-{relative}", g0, estimate)


def blinking_grounds(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """The same of an emitter that is on half the time: its pairs come from its bright times."""
    lags = np.arange(-10, 11)
    for at in range(trials):
        g0, side, rho, relative = GROUNDS[at % len(GROUNDS)]
        dark, signal = (1 - rho) * 1000.0, rho * 1000.0
        bright, mean = signal + dark, signal / 2 + dark
        product = (bright**2 + dark**2) / 2
        expected = np.full(21, side)
        expected[10] = side * (product + (g0 - 1) * signal**2 / 2) / product
        found = pulsed_g2(lags, rng.poisson(expected))
        measured = rng.normal(dark, relative * dark, 2)
        share = signal_share((mean, mean), (measured[0], measured[1]), (relative * dark,) * 2, product)
        estimate = without_background(found.g2_0, found.low, found.high, share, found.reason)
        yield _trial(f"g0 {g0}, {side:g} pairs a peak, signal {rho}, background +-{relative}", g0, estimate)


TOLD = "20 to 1000 accidental pairs a bin, dips of 8 to 30 ns, jitter up to half of it"
CASES = [
    Case("fitted cw dip", TOLD, dips, numbers=("g2(0)", "antibunching time")),
    Case(
        "fitted cw dip with a shelf", "200 to 1000 pairs a bin", shelves,
        numbers=("g2(0)", "antibunching time", "bunching amplitude", "bunching time"),
    ),
    Case(
        "fitted comb", "lifetimes of 0.1 to 0.4 periods, 100 to 3000 pairs a peak", combs, numbers=("g2(0)", "lifetime")
    ),
    Case("g2(0) without background", "pulsed, 50 to 1000 pairs a peak, background known to 5 to 20 %", grounds),
    Case("g2(0) without background, blinking", "the same, on half the time", blinking_grounds),
]  # fmt: skip
