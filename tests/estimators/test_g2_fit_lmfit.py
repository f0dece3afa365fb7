"""Fits of g2 beside an independent minimiser: the same histograms, the same likelihood written out plainly."""

import lmfit
import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import exponnorm

from streamer.estimators.antibunching import fit_dip
from streamer.estimators.comb_fit import fit_comb

SIGMA = 0.4


def blurred(edges, tau, sigma):
    """Two-sided exponential behind a Gaussian over bins: two of scipy's exponentially modified Gaussians."""
    right = exponnorm.cdf(edges, tau / sigma, scale=sigma)
    left = 1 - exponnorm.cdf(-edges, tau / sigma, scale=sigma)
    return np.diff((left + right) / 2)


def by_lmfit(expected, counts, parameters):
    """Minus the log-likelihood by three methods, each from where the last one ended."""

    def loss(p):
        wanted = np.maximum(expected(p.valuesdict()), 1e-12)
        return float(np.sum(wanted - xlogy(counts, wanted)))

    found = parameters
    for method in ("nelder", "powell", "bfgs"):
        found = lmfit.Minimizer(loss, found).minimize(method, max_nfev=20_000).params
    return found.valuesdict()


@pytest.mark.parametrize(("c", "t2"), [(0.0, 1.0), (0.5, 60.0)])
def test_a_cw_dip(c, t2):
    tau = np.arange(-300, 301) * 1.0
    edges = np.append(tau - 0.5, tau[-1] + 0.5)
    level = 3000.0

    def curve(v):
        dip = (1 - v["g0"] + v.get("c", 0.0)) * 2 * v["t1"] * blurred(edges, v["t1"], SIGMA)
        return (
            level
            * v["plateau"]
            * (1 - dip + v.get("c", 0.0) * 2 * v.get("t2", 1) * blurred(edges, v.get("t2", 1), SIGMA))
        )

    truth = {"g0": 0.1, "t1": 9.0, "plateau": 1.0} | ({"c": c, "t2": t2} if c else {})
    counts = np.random.default_rng(11).poisson(curve(truth))
    ours = fit_dip(tau, counts, np.full(len(tau), level), SIGMA, model="shelving" if c else "dip")
    parameters = lmfit.Parameters()
    for name, value in truth.items():
        parameters.add(name, value=1.2 * value, min=-1 if name == "g0" else 1e-3)
    theirs = by_lmfit(curve, counts, parameters)
    pairs = [(ours.g0, "g0"), (ours.t1_ns, "t1"), (ours.plateau, "plateau")]
    pairs += [(ours.c, "c"), (ours.t2_ns, "t2")] if c else []
    for one, name in pairs:
        assert abs(one.value - theirs[name]) < 0.1 * one.error, name


def test_a_pulsed_comb():
    period, sigma, tau_s = 12.5, 0.3, 4.0
    width = period / 24
    tau = np.arange(-84, 85) * width
    edges = np.append(tau - width / 2, tau[-1] + width / 2)

    def curve(v):
        shape = sum(
            (v["g0"] if k == 0 else 1.0) * blurred(edges - v["t0"] - k * period, v["tau"], v["sigma"])
            for k in range(-14, 15)
        )
        return v["area"] * shape + v["base"] * width

    truth = {"area": 8000.0, "g0": 0.25, "tau": tau_s, "sigma": sigma, "base": 20.0, "t0": 0.05}
    counts = np.random.default_rng(12).poisson(curve(truth))
    ours = fit_comb(tau, counts, period, sigma)
    assert ours.centre_ns.value is None  # one shape does
    parameters = lmfit.Parameters()
    for name, value in truth.items():
        parameters.add(name, value=value * 1.05, min=-np.inf if name in ("t0", "base") else 1e-3)
    theirs = by_lmfit(curve, counts, parameters)
    for one, name in ((ours.g0, "g0"), (ours.tau_ns, "tau"), (ours.offset_ns, "t0")):
        assert abs(one.value - theirs[name]) < 0.1 * one.error, name
