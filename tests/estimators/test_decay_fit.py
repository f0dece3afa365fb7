"""Decay fits of simulated decays with known truth: models, means, responses, pile-up, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import gamma

from streamer.errors import InputError
from streamer.estimators.decay_fit import fit_decay
from streamer.estimators.excitation import locate_excitation
from streamer.estimators.response import measured_response

PERIOD, WIDTH, SIGMA = 100.03, 0.032, 0.1


def within(estimate, truth, errors=3.5):
    """Whether an estimate is as far from the truth as its error allows."""
    return abs(estimate.value - truth) < errors * estimate.error and estimate.low < estimate.value < estimate.high


def mixed(*parts):
    """Times of an emitter whose lifetimes have these shares of the photons: (tau, share), ..."""
    taus, shares = zip(*parts, strict=True)
    return lambda rng, n: np.array(taus)[rng.choice(len(taus), n, p=shares)] * rng.standard_exponential(n)


@pytest.mark.parametrize("tau", [0.57, 0.15, 0.1, 0.08])
def test_lifetimes_beside_the_response_as_in_paper_c(decay, tau):
    # CsPbBr3 at 4 K, response of 50 ps full width.
    rng = np.random.default_rng(int(1000 * tau))
    sigma = 0.05 / 2.3548
    counts = decay(rng, tau, 12.5, 0.004, 1.4, sigma, 30_000, 0.02)
    place = locate_excitation(counts, 0.004, 12.5)
    fit = fit_decay(counts[None], 0.004, 12.5, [place.t0_ns], sigma_ns=place.sigma_ns)
    assert fit.model == "mono"
    assert within(fit.lifetimes_ns[0], tau)
    assert fit.lifetimes_ns[0].error < 0.02 * tau
    assert fit.sigma_ns[0] == pytest.approx(sigma, rel=0.1)
    assert fit.p > 1e-3


def test_detectors_share_lifetimes_and_have_their_own_response_shift_and_background(decay):
    rng = np.random.default_rng(7)
    emitter = mixed((3.0, 0.3), (20.0, 0.7))
    counts = np.stack(
        [
            decay(rng, emitter, PERIOD, WIDTH, 11.0, 0.1, 60_000, 0.05),
            decay(rng, emitter, PERIOD, WIDTH, 99.9, 0.25, 30_000, 0.2),
        ]
    )
    fit = fit_decay(counts, WIDTH, PERIOD, [11.08, 99.8], sigma_ns=[0.15, 0.15])
    assert fit.model == "bi"
    assert within(fit.lifetimes_ns[0], 3.0)
    assert within(fit.lifetimes_ns[1], 20.0)
    assert within(fit.shares[0], 0.3)
    assert within(fit.amplitudes[0], 0.1 / (0.1 + 0.035))
    assert within(fit.mean_intensity_ns, 0.3 * 3 + 0.7 * 20)
    assert within(fit.mean_amplitude_ns, 1 / (0.1 + 0.035))
    assert within(fit.background[0], 0.05)
    assert within(fit.background[1], 0.2)
    np.testing.assert_allclose(fit.sigma_ns, [0.1, 0.25], rtol=0.15)
    np.testing.assert_allclose(fit.shift_ns, [-0.08, 0.1], atol=0.03)
    assert min(fit.bic.values()) == 0
    assert fit.bic["mono"] > 100
    for curve, each in zip(fit.curves, counts, strict=True):
        assert curve.sum() == pytest.approx(each.sum(), rel=1e-3)
        assert np.sum((each - curve) ** 2 / np.maximum(curve, 1)) < 1.2 * len(curve)


def test_three_exponentials(decay):
    rng = np.random.default_rng(8)
    counts = decay(rng, mixed((1.0, 0.2), (6.0, 0.3), (30.0, 0.5)), 400.0, 0.128, 44.0, 0.2, 400_000, 0.01)
    fit = fit_decay(counts[None], 0.128, 400.0, [44.0], sigma_ns=0.2)
    assert fit.model == "tri"
    for found, truth in zip(fit.lifetimes_ns, (1.0, 6.0, 30.0), strict=True):
        assert within(found, truth)
    for found, truth in zip(fit.shares, (0.2, 0.3, 0.5), strict=True):
        assert within(found, truth)


def test_a_stretched_exponential(decay):
    rng = np.random.default_rng(9)
    tau, beta = 8.0, 0.65
    counts = decay(
        rng, lambda g, n: tau * g.gamma(1 / beta, size=n) ** (1 / beta), 400.0, 0.128, 44.0, 0.2, 100_000, 0.02
    )
    fit = fit_decay(counts[None], 0.128, 400.0, [44.0], sigma_ns=0.2)
    assert fit.model == "stretched"
    assert within(fit.lifetimes_ns[0], tau)
    assert within(fit.beta, beta)
    assert within(fit.mean_intensity_ns, tau * gamma(2 / beta) / gamma(1 / beta))
    assert within(fit.mean_amplitude_ns, tau * gamma(1 + 1 / beta))


@pytest.mark.parametrize("seen", [3_000, 100_000])
def test_a_measured_response_with_its_own_noise(decay, seen):
    rng = np.random.default_rng(10)

    def skew(g, n):
        return 0.3 * (g.random(n) < 0.3) + 0.1 * g.standard_exponential(n)

    scattered = decay(rng, skew, PERIOD, WIDTH, 5.0, 0.03, seen, 0.1)
    counts = decay(
        rng, lambda g, n: skew(g, n) + 0.4 * g.standard_exponential(n), PERIOD, WIDTH, 6.0, 0.03, 100_000, 0.05
    )
    response = measured_response(scattered, WIDTH, PERIOD)
    fit = fit_decay(counts[None], WIDTH, PERIOD, [response.centre_ns + 1.1], responses=[response], model="mono")
    assert within(fit.lifetimes_ns[0], 0.4)
    assert fit.shift_ns[0] == pytest.approx(-0.1, abs=0.03)
    assert fit.p > 1e-3
    wrong = fit_decay(counts[None], WIDTH, PERIOD, [6.1], model="mono")
    assert wrong.p < 1e-3
    assert "mono does not fit" in wrong.remarks[0]
    # Of few photons in the response more of the error is the response's.
    certain = 0.4 / np.sqrt(95_000)
    assert (fit.lifetimes_ns[0].error > 2 * certain) == (seen == 3_000)


@pytest.mark.parametrize("light", [0.05, 0.3, 1.0])
def test_pile_up_in_the_model_gives_the_lifetime_that_was_put_in(light):
    rng = np.random.default_rng(int(100 * light))
    pulses, tau = 100_000, 20.0
    n = rng.poisson(light * pulses)
    times = 11.0 + 0.1 * rng.standard_normal(n) + tau * rng.standard_exponential(n)
    pulse = (rng.integers(pulses, size=n) + (times // PERIOD).astype(int)) % pulses
    times %= PERIOD
    order = np.lexsort((times, pulse))
    first = np.append(True, np.diff(pulse[order]) > 0)
    counts = np.bincount((times[order][first] / WIDTH).astype(int), minlength=int(PERIOD / WIDTH) + 1)
    fit = fit_decay(counts[None], WIDTH, PERIOD, [11.0], model="mono", pulses=pulses)
    assert within(fit.lifetimes_ns[0], tau)
    assert fit.p > 1e-3
    assert np.sum(fit.curves[0]) == pytest.approx(counts.sum(), rel=0.01)
    if light > 0.2:
        assert fit_decay(counts[None], WIDTH, PERIOD, [11.0], model="mono").lifetimes_ns[0].high < tau


def test_bins_that_are_not_recorded_are_left_out(decay):
    rng = np.random.default_rng(11)
    counts = decay(rng, 20.0, PERIOD, WIDTH, 11.0, SIGMA, 50_000, 0.1)
    hidden = np.arange(len(counts)) * WIDTH > 60.0
    counts[hidden] = 0
    fit = fit_decay(counts[None], WIDTH, PERIOD, [11.0], model="mono", hidden=hidden[None])
    assert within(fit.lifetimes_ns[0], 20.0)
    assert abs(fit_decay(counts[None], WIDTH, PERIOD, [11.0], model="mono").lifetimes_ns[0].value - 20.0) > 1


def test_what_cannot_be_told(decay):
    rng = np.random.default_rng(12)
    few = fit_decay(decay(rng, 5.0, PERIOD, WIDTH, 11.0, SIGMA, 60)[None], WIDTH, PERIOD, [11.0])
    assert (few.model, "fewer than 100" in few.reason) == (None, True)
    dark = fit_decay(decay(rng, 5.0, PERIOD, WIDTH, 11.0, SIGMA, 5_000, 1.0)[None], WIDTH, PERIOD, [11.0], model="mono")
    assert dark.reason is not None
    assert dark.lifetimes_ns[0].value is None
    slow = fit_decay(decay(rng, 2000.0, PERIOD, WIDTH, 11.0, SIGMA, 5_000)[None], WIDTH, PERIOD, [11.0], model="mono")
    assert slow.lifetimes_ns[0].value is None or slow.lifetimes_ns[0].error > 0.2 * slow.lifetimes_ns[0].value
    light = decay(rng, 1e-6, PERIOD, 0.004, 11.0, 0.05, 20_000)
    fast = fit_decay(light[None], 0.004, PERIOD, [11.0], model="mono", sigma_ns=0.05, sigma_known=True)
    assert "resolution" in fast.reason
    assert fast.lifetimes_ns[0].value is None
    assert 0 < fast.lifetimes_ns[0].high < 0.05
    one = decay(rng, 20.0, PERIOD, WIDTH, 11.0, SIGMA, 20_000)
    two = fit_decay(one[None], WIDTH, PERIOD, [11.0], model="bi")
    assert all(found.value is None or found.error > 0.02 * found.value for found in two.lifetimes_ns)
    assert within(two.mean_intensity_ns, 20.0, 5)


def test_bad_input_is_one_line(decay):
    counts = np.ones((1, 4000), np.int64)
    with pytest.raises(InputError, match="decay_model: must be auto, mono, bi, tri, stretched, got 'quad'"):
        fit_decay(counts, WIDTH, PERIOD, [11.0], model="quad")
    with pytest.raises(InputError, match="cannot each be the first of 100 laser pulses"):
        fit_decay(counts, WIDTH, PERIOD, [11.0], pulses=100)
    with pytest.raises(InputError, match="bins must cover the laser period"):
        fit_decay(counts[:, :100], WIDTH, PERIOD, [11.0])


def test_a_flat_decay_has_no_two_lifetimes():
    counts = np.random.default_rng(3).poisson(20, (1, 3126))
    fit = fit_decay(counts, WIDTH, PERIOD, [5.0], model="bi", sigma_ns=SIGMA)
    assert fit.lifetimes_ns == () or all(one.value is None for one in fit.lifetimes_ns)
    assert fit.mean_intensity_ns.value is None


def test_an_exponent_at_an_end_of_what_was_tried_is_not_told():
    box = np.zeros(3126, np.int64)
    box[160:1200] = np.random.default_rng(4).poisson(100, 1040)
    fit = fit_decay(box[None], WIDTH, PERIOD, [160 * WIDTH], model="stretched", sigma_ns=SIGMA)
    assert fit.beta is None or fit.beta.value is None


def test_pile_up_with_a_detector_that_saw_nothing(decay):
    counts = np.stack([decay(np.random.default_rng(5), 20.0, PERIOD, WIDTH, 5.0, SIGMA, 20_000), np.zeros(3126, int)])
    fit = fit_decay(counts, WIDTH, PERIOD, [5.0, 5.0], model="mono", sigma_ns=SIGMA, pulses=2e5)
    assert within(fit.lifetimes_ns[0], 20.0)
