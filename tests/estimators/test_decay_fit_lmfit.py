"""Decay fits against lmfit: the same likelihood written down anew, bin by bin, minimised by another program."""

from __future__ import annotations

import lmfit
import numpy as np
import pytest
from scipy.special import erf, erfcx

from streamer.estimators.decay_fit import fit_decay

PERIOD, WIDTH, T0, SIGMA = 51.2, 0.1, 5.0, 0.2


def emg(x, tau):
    """Integral of exp(-t / tau) / tau behind the response up to x, after pulses at 0, -PERIOD ...; the textbook's."""
    total = np.zeros_like(x)
    for k in range(30):
        t = x + k * PERIOD
        z = (SIGMA / tau - t / SIGMA) / np.sqrt(2)
        bell = np.exp(-0.5 * (t / SIGMA) ** 2)
        with np.errstate(over="ignore", invalid="ignore"):
            tail = np.where(z > -5, bell * erfcx(np.maximum(z, -5)), 2 * np.exp(0.5 * (SIGMA / tau) ** 2 - t / tau))
        total += 0.5 * (1 + erf(t / SIGMA / np.sqrt(2)) - tail)
    return total


@pytest.mark.parametrize(
    ("model", "parts", "photons"), [("mono", ((4.0, 1.0),), 20_000), ("bi", ((1.5, 0.4), (9.0, 0.6)), 80_000)]
)
def test_the_same_histogram_gives_the_same_lifetimes(decay, model, parts, photons):
    rng = np.random.default_rng(4)
    taus, shares = zip(*parts, strict=True)
    counts = decay(
        rng, lambda g, n: np.array(taus)[g.choice(len(taus), n, p=shares)] * g.standard_exponential(n),
        PERIOD, WIDTH, T0, SIGMA, photons, 0.05,
    )  # fmt: skip
    ours = fit_decay(counts[None], WIDTH, PERIOD, [T0], model=model, sigma_ns=SIGMA, sigma_known=True)
    edges = np.arange(len(counts) + 1) * WIDTH
    # The same beginning of the period: whole bins, 2 ns or so before the excitation.
    turned = np.roll(counts, -30)
    x = edges + 3.0 - T0

    def loss(values):
        v = values.valuesdict()
        y = x - v["shift"]
        light = sum(v[f"a{i}"] * np.diff(emg(y, v[f"tau{i}"])) for i in range(len(parts))) + v["b"]
        return float(np.sum(light - turned * np.log(np.maximum(light, 1e-9))))

    start = lmfit.Parameters()
    for i, (tau, share) in enumerate(parts):
        start.add(f"tau{i}", value=1.2 * tau, min=0.1, max=100)
        start.add(f"a{i}", value=share * photons, min=0)
    start.add("b", value=0.04 * photons / len(counts), min=0)
    start.add("shift", value=0.01, min=-1, max=1)
    first = lmfit.Minimizer(loss, start, calc_covar=False).minimize(method="nelder", max_nfev=20_000)
    theirs = lmfit.Minimizer(loss, first.params, calc_covar=False).minimize(method="nelder", max_nfev=20_000, tol=1e-10)
    for i, one in enumerate(ours.lifetimes_ns):
        assert abs(theirs.params[f"tau{i}"].value - one.value) < 0.1 * one.error
