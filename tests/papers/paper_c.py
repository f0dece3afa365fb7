"""Paper C, Zhu et al.: CsPbBr3 at 4 K: lifetimes beside the response, many dots, Arrhenius, photon statistics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamer.config import Settings
from streamer.estimators.estimate import Estimate
from streamer.estimators.population import population
from streamer.estimators.scan_fits import fit_scan
from streamer.estimators.scan_points import make_points
from streamer.pipeline import Pipeline
from tests.papers.row import Row, estimate, g2_zero, run

# A second exciton must not hold the first one's photon back: it goes at once.
SINGLE = {"eta_bx": 0, "eta_mx": "0:0", "tau_bx_ns": 0.001, "tau_mx_ns": "0.001:0.001", "nbar": 0.1}
FITTED = Settings(studies=("decay_fit",), states=1, decay_model="mono")
BOLTZMANN_MEV = 8.617333262e-2  # per K


def rows(scale: float) -> Iterator[Row]:
    """Every number of the paper."""
    yield from lifetimes(scale)
    yield from many_dots(scale)
    yield from temperature(scale)
    yield from photon_statistics(scale)


def decay(pipeline: Pipeline) -> Estimate:
    """The mono-exponential lifetime of all photons."""
    return estimate(pipeline.study()[0].values["rows"][0]["lifetimes"][0]["lifetime_ns"])


def in_ps(one: Estimate) -> Estimate:
    """The same in ps."""
    numbers = (None if each is None else 1e3 * each for each in (one.value, one.error, one.low, one.high))
    return Estimate(*numbers, one.reason)


def lifetimes(scale: float) -> Iterator[Row]:
    """Mono-exponential decays down to the width of the response, 50 ps, by reconvolution."""
    for at, tau_ps in enumerate((570, 150, 100, 80)):
        pipeline = run("simulate:perovskite", 2 * scale, FITTED, seed=50 + at, tau_x_ns=tau_ps / 1e3, **SINGLE)
        told = "one dot at 4 K, response 50 ps"
        yield Row(told, "lifetime", "ps", f"{tau_ps}", float(tau_ps), in_ps(decay(pipeline)))


def many_dots(scale: float) -> Iterator[Row]:
    """Mean and spread over dots, each one measured and fitted."""
    rng = np.random.default_rng(200)
    for printed, mean, spread, dots in (("540 +- 100", 540.0, 100.0, 30), ("170 +- 50", 170.0, 50.0, 30)):
        values, errors = [], []
        for at in range(dots):
            tau_ns = max(rng.normal(mean, spread), 60.0) / 1e3
            one = in_ps(decay(run("simulate:perovskite", 0.1 * scale, FITTED, seed=at, tau_x_ns=tau_ns, **SINGLE)))
            if one.value is not None and one.error is not None:
                values.append(one.value)
                errors.append(one.error)
        found = population(np.array(values), np.array(errors))
        told = f"{dots} dots, each fitted"
        yield Row(told, "mean lifetime", "ps", printed, mean, found.mean)
        yield Row(told, "intrinsic SD", "ps", printed, spread, found.intrinsic_sd)


def temperature(scale: float) -> Iterator[Row]:
    """The lifetime grows from 100 ps at 4 K to 1 ns at 90 K: a thermal step of 9 meV quenches the superradiance."""
    kelvin = np.array([4.0, 10.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0])
    truth = 9.0
    # 1/tau = (1/tau_0) / (1 + a exp(-E_a/kT)), a such that the lifetime is tenfold at 90 K.
    share = 9.0 / np.exp(-truth / (BOLTZMANN_MEV * 90.0))
    times = 0.1 * (1 + share * np.exp(-truth / (BOLTZMANN_MEV * kelvin)))
    found = [
        decay(run("simulate:perovskite", 0.5 * scale, FITTED, seed=80 + at, tau_x_ns=tau, rate_hz=20e6, **SINGLE))
        for at, tau in enumerate(times)
    ]
    values, errors = (np.array([getattr(one, key) for one in found], float) for key in ("value", "error"))
    fit = fit_scan("quenching", make_points(kelvin, 1 / values, errors / values**2))
    yield Row("decay rate, 4 to 90 K", "E_a", "meV", "9 +- 1", truth, fit.parameters["E_a"])


def photon_statistics(scale: float) -> Iterator[Row]:
    """The Monte Carlo of the paper: what several excitons in a pulse leave of antibunching."""
    for setting, printed, options in (
        ("<N> = 0.1, all yields 1", "1", {"nbar": 0.1}),
        ("<N> = 1, all yields 1", "weak antibunching", {"nbar": 1}),
        ("<N> = 1, multi-exciton yield 0", "strong antibunching", {"nbar": 1, "eta_bx": 0, "eta_mx": "0:0"}),
    ):
        pipeline = run("simulate:perovskite", 10 * scale, Settings(states=1), seed=5, **options)
        truth = pipeline.info.truth["all"]["g2_0_with_background"]
        yield Row(setting, "g2(0)", "", printed, truth, g2_zero(pipeline, 0))
