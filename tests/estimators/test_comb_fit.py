"""The comb fit: right where counting by the nearest pulse is not, and silent where the comb cannot be seen."""

import numpy as np
import pytest

from streamer.estimators.comb_fit import fit_comb
from streamer.estimators.g2 import pulsed_g2

PERIOD = 12.5
WIDTH = PERIOD / 32
TAU = np.arange(-336, 337) * WIDTH
EDGES = np.append(TAU - WIDTH / 2, TAU[-1] + WIDTH / 2)


def emitter(seed, g0, lifetime, area, sigma=0.15, centre=None, base=0.0):
    """Pair by pair: both photons late by a lifetime of their own, or by a biexciton's and an exciton's."""
    rng = np.random.default_rng(seed)
    delays = []
    for k in range(-20, 21):
        n = rng.poisson(area * (g0 if k == 0 else 1.0))
        own = centre if k == 0 and centre else lifetime
        delays.append(k * PERIOD + rng.exponential(own, n) - rng.exponential(own, n) + sigma * rng.standard_normal(n))
    delays.append(rng.uniform(EDGES[0], EDGES[-1], rng.poisson(base * (EDGES[-1] - EDGES[0]))))
    return np.histogram(np.concatenate(delays), EDGES)[0]


def by_nearest(pairs):
    lag = np.rint(TAU / PERIOD).astype(int)
    counts = np.array([pairs[lag == k].sum() for k in range(-10, 11)])
    return pulsed_g2(np.arange(-10, 11), counts).g2_0


def test_peaks_that_overlap():
    # 2 ns under 80 MHz hardly overlap, 5 ns do: there the nearest pulse gets what is not its own.
    found = [fit_comb(TAU, emitter(seed, 0.12, 5.0, 3000), PERIOD, 0.2) for seed in range(4)]
    values = [one.g0.value for one in found]
    assert np.mean(values) == pytest.approx(0.12, abs=0.03)
    assert all(one.tau_ns.low < 5.1 and one.tau_ns.high > 4.9 for one in found)
    assert np.mean([by_nearest(emitter(seed, 0.12, 5.0, 3000)) for seed in range(4)]) > 0.2
    assert found[0].verdict == "single"


def test_two_nanoseconds_at_80_mhz():
    found = [fit_comb(TAU, emitter(seed, 0.12, 2.0, 2000), PERIOD, 0.2) for seed in range(4)]
    assert np.mean([one.g0.value for one in found]) == pytest.approx(0.12, abs=0.012)
    assert sum(one.g0.low < 0.12 < one.g0.high for one in found) >= 3


def test_a_centre_of_its_own():
    one = fit_comb(TAU, emitter(3, 0.4, 3.0, 3000, centre=0.6), PERIOD, 0.2)
    assert one.centre_ns.value == pytest.approx(0.6, abs=0.15)
    assert one.g0.low < 0.4 < one.g0.high
    assert one.curve.sum() == pytest.approx(emitter(3, 0.4, 3.0, 3000, centre=0.6).sum(), rel=0.01)


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        (np.zeros(len(TAU), np.int64), "too few pairs: 0"),
        (np.random.default_rng(1).poisson(30, len(TAU)), "no comb is seen"),
    ],
)
def test_what_cannot_be_told(pairs, why):
    one = fit_comb(TAU, pairs, PERIOD)
    assert why in one.reason
    assert one.g0.value is None
    assert np.isnan(one.curve).all()


def test_a_window_without_side_peaks():
    short = np.abs(TAU) < 1.5 * PERIOD
    one = fit_comb(TAU[short], emitter(1, 0.1, 2.0, 500)[short], PERIOD)
    assert "widen tau_window_ns" in one.reason


@pytest.mark.parametrize(("lifetime", "sigma"), [(0.02, 0.1), (0.04, 0.03)])
def test_peaks_narrower_than_a_bin_are_counted_and_not_fitted(lifetime, sigma):
    one = fit_comb(TAU, emitter(5, 0.1, lifetime, 3000, sigma), PERIOD, sigma)
    assert "the counted g2(0) is right" in one.reason
    assert one.g0.value is None


def test_bins_too_wide_for_a_peak():
    wide = np.add.reduceat(emitter(1, 0.1, 2.0, 500)[: 96 * 7], np.arange(0, 96 * 7, 7))
    one = fit_comb(np.arange(-48, 48) * 7 * WIDTH, wide, PERIOD)
    assert "shorten tau_bin_ns" in one.reason
