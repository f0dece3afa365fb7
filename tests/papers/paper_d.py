"""Paper D, Chandrasekaran et al.: InP/ZnSe under cw light: the dip, saturation, and a dot that hardly blinks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from streamer.config import Settings
from streamer.estimators.estimate import Estimate
from streamer.estimators.multiexciton import cross_section_cm2, photon_energy_j
from streamer.estimators.population import population
from streamer.estimators.scan_fits import fit_scan
from streamer.estimators.scan_points import make_points
from tests.papers.row import Row, estimate, run

GAMMA_PER_US = 1e3 / 21.3  # of the preset: 47 per microsecond
ON_CPS = 4500.0  # threshold: background 1340 counts/s and some 3 sigma of a 10 ms bin of the dim state


def rows(scale: float) -> Iterator[Row]:
    """Every number of the paper."""
    yield from dip(scale)
    yield from pumping(scale)
    yield from blinking(scale)
    yield from many_dots(scale)


def dip(scale: float) -> Iterator[Row]:
    """The antibunching dip of the bright state."""
    settings = Settings(studies=("g2_fit",), thresholds_cps=(ON_CPS,), jitter_ns=0.21)
    pipeline = run("simulate:cw", 400 * scale, settings, seed=3)
    truth = pipeline.info.truth["states"][1]
    fit = pipeline.study()[0].values["rows"]["bright"]["fit"]
    yield Row("cw, bright state", "g0", "", "0.03", truth["g2_0_with_background"], estimate(fit["g0"]))
    yield Row(
        "cw, bright state", "1/(gamma + w_p)", "ns", "19.3", truth["time_constants_ns"][0], estimate(fit["t1_ns"])
    )


def pumping(scale: float) -> Iterator[Row]:
    """From weak to strong pumping: the dip narrows, the emission saturates."""
    pumps = np.array([1.0, 3.0, 6.0, 12.0, 25.0, 47.0, 59.4])
    settings = Settings(studies=("g2_fit",), states=1, jitter_ns=0.21)
    rates, errors, times = [], [], []
    for at, pump in enumerate(pumps):
        pipeline = run(
            "simulate:cw", 100 * scale, settings, seed=20 + at, pump_per_us=pump, eta_x=0.5, tau_x_ns=21.3, eta_bx=0,
            tau_bx_ns=0.07, dwell="exp:1", dark_cps=0, dead_ns=0, eta_c=0.04,
        )  # fmt: skip
        photons, time_s = float(pipeline.answers().photons[0].sum()), float(pipeline.answers().time_s[0])
        rates.append(photons / time_s)
        errors.append(math.sqrt(photons) / time_s)
        times.append(estimate(pipeline.study()[0].values["rows"]["all"]["fit"]["t1_ns"]))
    for at, printed in ((0, "18.8 (weak pump)"), (len(pumps) - 1, "9.4 (strong pump)")):
        truth = 1e3 / (GAMMA_PER_US + pumps[at])
        yield Row(f"cw, pump {pumps[at]:g} /us", "1/(gamma + w_p)", "ns", printed, truth, times[at])
    rate = make_points(pumps, np.array([1e3 / one.value for one in times if one.value]),
                       np.array([1e3 * (one.error or 0.0) / one.value**2 for one in times if one.value]))  # fmt: skip
    line = fit_scan("linear", rate)
    names = list(line.parameters)
    yield Row("gamma + w_p against the pump", "gamma", "1/us", "47", GAMMA_PER_US, line.parameters[names[0]])
    yield Row("gamma + w_p against the pump", "slope", "", "linear in I", 1.0, line.parameters[names[1]])
    saturated = fit_scan("saturation", make_points(pumps, np.array(rates), np.array(errors)))
    half = saturated.parameters["I_s"]
    yield Row("I/(I + I_s)", "I_s, as a pump rate", "1/us", "saturates as two levels do", GAMMA_PER_US, half)
    yield from cross_section(scale)


def cross_section(scale: float) -> Iterator[Row]:
    """sigma = h nu gamma / I_s at 445 nm, from intensities with the paper's own cross-section put in."""
    sigma, rng = 2.0e-14, np.random.default_rng(445)
    gamma_per_s = GAMMA_PER_US * 1e6
    full = photon_energy_j(445.0) * gamma_per_s / sigma  # I_s in W/cm2
    at = full * np.array([0.1, 0.3, 1.0, 2.0, 4.0, 8.0])
    counts = rng.poisson(2e5 * scale * at / (at + full)).astype(float)
    found = fit_scan("saturation", make_points(at, counts, np.sqrt(counts))).parameters["I_s"]
    ends = (found.value, found.low, found.high)
    assert found.value is not None
    value, high, low = (None if one is None else cross_section_cm2(445.0, gamma_per_s, one) for one in ends)
    told = "saturation at 445 nm, gamma known"
    yield Row(told, "sigma = h nu gamma/I_s", "cm2", "2.0e-14", sigma, Estimate(value, None, low, high))


def blinking(scale: float) -> Iterator[Row]:
    """On nearly all the time, dwells of power laws."""
    settings = Settings(studies=("blinking",), thresholds_cps=(ON_CPS,))
    pipeline = run("simulate:cw", 1200 * max(scale, 1.0), settings, seed=1)  # long dwells are rare
    values = pipeline.study()[0].values
    share = pipeline.info.truth["states"][1]["time_share"]
    told = "cw, threshold 3 sigma above background"
    yield Row(told, "share of time on", "", "99 %", share, estimate(values["on_fraction"]))
    yield Row(told, "k_off", "", "2.44", 2.44, estimate(values["off"]["exponent"]))
    yield Row(told, "k_on", "", "1.02", 1.02, estimate(values["on"]["exponent"]))


def many_dots(scale: float) -> Iterator[Row]:
    """Means and spreads over dots, each dot measured with an error of its own."""
    rng = np.random.default_rng(70)
    for setting, number, unit, printed, mean, spread, dots, noise in (
        ("70 dots", "g2(0)", "", "0.19 +- 0.1", 0.19, 0.1, 70, 0.03),
        ("25 dots", "lifetime", "ns", "22.5 +- 5.4", 22.5, 5.4, 25, 0.5),
    ):
        found = population(rng.normal(mean, spread, dots) + rng.normal(0, noise, dots), np.full(dots, noise))
        yield Row(setting, f"mean {number}", unit, printed, mean, found.mean)
        yield Row(setting, f"intrinsic SD of {number}", unit, printed, spread, found.intrinsic_sd)
