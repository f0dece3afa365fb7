"""Paper A, Dhawan et al.: CdSe/CdS under 2.5 MHz, states by count-rate range, a gate of 2.5 ns, absorption."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sources.simulation import cascade, pulsed
from streamer.config import Settings
from streamer.estimators.estimate import Estimate
from streamer.estimators.multiexciton import mean_excitations
from streamer.estimators.scan_fits import fit_scan
from streamer.estimators.scan_points import make_points
from streamer.registry import open_source
from tests.papers.row import Row, g2_zero, gated, lifetime, run


def rows(scale: float) -> Iterator[Row]:
    """Every number of the paper."""
    yield from states(scale)
    yield from gates(scale)
    yield from weak_pump(scale)
    yield from absorption(scale)


def states(scale: float) -> Iterator[Row]:
    """Three states by count-rate range, each with its own decay and g2; all photons between."""
    pipeline = run("simulate:dhawan", 120 * scale, seed=4)
    answers, truth = pipeline.answers(), pipeline.info.truth["states"]
    names = [state.name for state in answers.states]
    for state in truth:
        row = names.index(state["name"]) + 1
        told = f"{state['name']} state, 10 ms bins"
        arrival, pure = state["mean_arrival_ns"], state["g2_0_with_background"]
        yield Row(told, "mean arrival time", "ns", "bright slower, dark faster", arrival, lifetime(pipeline, row))
        yield Row(told, "g2(0), side peaks", "", "bright ~ 0, dark larger", pure, g2_zero(pipeline, row))
        yield Row(told, "g2(0), by segments", "", "", pure, g2_zero(pipeline, row, by_segments=True))


def gates(scale: float) -> Iterator[Row]:
    """A gate of 2.5 ns takes the biexcitons' photons away."""
    for preset, power, printed in (
        ("dhawan-gate", "0.17 uW", ("0.8", "0.3")),
        ("dhawan-high", "1.8 uW", ("1.0", "0.6")),
    ):
        pipeline = run(f"simulate:{preset}", 30 * scale, Settings(states=1), seed=2)
        emitter = open_source(f"simulate:{preset}").settings  # type: ignore[attr-defined]
        axis = pipeline.plan.layout.gate_ns()
        at = float(axis[abs(axis - 2.5).argmin()])  # gates are some 1/256 of the period apart
        truth = {
            gate: cascade.g2_zero(emitter, emitter.states[0], 0, 1, gate)
            if emitter.extended
            else pulsed.g2_zero_gated(emitter, emitter.states[0], gate)
            for gate in (0.0, at)
        }
        yield Row(f"{power}, no gate", "g2(0)", "", printed[0], truth[0.0], g2_zero(pipeline, 0))
        yield Row(f"{power}, gate {at:.2f} ns", "g2(0)", "", printed[1], truth[at], gated(pipeline, 0, at))


def weak_pump(scale: float) -> Iterator[Row]:
    """At weak pumping g2(0) is the ratio of the biexciton's to the exciton's yield."""
    options = {"nbar": 0.02, "eta_x": 0.8, "eta_bx": 0.168, "tau_x_ns": 30, "tau_bx_ns": 2, "dark_cps": 0}
    pipeline = run("simulate:steady", 120 * scale, Settings(states=1), rate_hz=2.5e6, eta_c=0.5, **options)
    yield Row("weak pump, <N> = 0.02", "g2(0) = eta_BX/eta_X", "", "0.21", 0.168 / 0.8, g2_zero(pipeline, 0))


def absorption(scale: float) -> Iterator[Row]:
    """The count rate against power, phi1 + phi2: excitations per pulse, from which the absorption cross-section.

    The power is such that one unit of it excites as many pairs as sigma_abs = 2.3e-14 cm2 does in the paper's focus.
    """
    spot_cm2, wavelength_nm, rate_hz, sigma = 2e-9, 405.0, 2.5e6, 2.3e-14
    per_uw = float(mean_excitations(1e-6, sigma, spot_cm2, wavelength_nm, rate_hz))
    power = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6]) * 1.5 / per_uw
    rates, errors = [], []
    for at, one in enumerate(power):
        pipeline = run(
            "simulate:dhawan-high", 40 * scale, Settings(studies=(), states=1), seed=40 + at, nbar=one * per_uw,
            eta_x=0.5, eta_bx=0.105, eta_mx=0.07, tau_x_ns=30, tau_bx_ns=2, tau_mx_ns=0.3, eta_c=0.01, dead_ns=0,
        )  # fmt: skip
        photons = float(pipeline.answers().photons[0].sum())
        seconds = float(pipeline.answers().time_s[0])
        rates.append(photons / seconds)
        errors.append(math.sqrt(photons) / seconds)
    points = make_points(power, np.array(rates), np.array(errors))
    # The ratio of the yields is that of the weak pump's g2(0), with its error: the rate alone hardly tells it.
    ratio = {"ratio": (0.21, 0.01)}
    fit = fit_scan("emission", points, extra=("yield_h",), constants={"rate_hz": rate_hz}, known=ratio)
    told, found = "phi1 + phi2 against power, 0.02 to 1.6 uW", fit.parameters
    yield Row(told, "eta_C eta_X", "", "", 0.01 * 0.5, found["yield_x"])
    yield Row(told, "eta_C eta_H", "", "0.01 x 0.07", 0.01 * 0.07, found["yield_h"])
    nbar = found["nbar_per_x"]
    ends = [None if one is None else one / per_uw * sigma for one in (nbar.value, nbar.low, nbar.high)]
    yield Row(told, "sigma_abs", "cm2", "2.3e-14", sigma, Estimate(ends[0], None, ends[1], ends[2], nbar.reason))
