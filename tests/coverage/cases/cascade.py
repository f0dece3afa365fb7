"""Cascade: pair histograms of the three-level model, Poisson; its rates and leakages, the asymmetry, the heralding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamer.estimators.asymmetry import asymmetry, heralding
from streamer.estimators.cascade import Cascade, overlay
from streamer.estimators.cascade_fit import fit_cascade
from streamer.estimators.tau_bins import merge
from tests.coverage.case import Case, Trial

TAU = 0.5 * np.arange(-1000, 1001, dtype=np.float64)
EDGES = merge(np.append(TAU - 0.25, 500.25), np.ones(2001), np.ones(2001))[0]
SHELL, STRONG = (
    Cascade(33.3, 2.0, 0.05, 0.02, yields=0.9, background=0.02),
    Cascade(33.3, 10.0, 0.05, 0.02, background=0.02),
)
MIXED, FAST = (
    Cascade(33.3, 10.0, 0.3, 0.1, background=0.02, plateau=1.3),
    Cascade(1000.0, 300.0, 0.1, 0.05, ratio=3.0, background=0.05, delay=0.4),
)
LEAKS, ONE, PUMP = ("f_x", "f_xx"), ("f_xx",), ("pump",)
# Emitter, pairs per ns without correlation, response in ns, what is known beside ratio, yields and background.
EMITTERS = {
    "shell, leakages known, 5 pairs/ns": (SHELL, 5.0, 0.14, LEAKS),
    "shell, leakages known, 50 pairs/ns": (SHELL, 50.0, 0.14, LEAKS),
    "shell, f_xx known, 300 pairs/ns": (SHELL, 300.0, 0.14, ONE),
    "strong pump, leakages known, 10 pairs/ns": (STRONG, 10.0, 0.14, LEAKS),
    "strong pump, f_xx known, 200 pairs/ns": (STRONG, 200.0, 0.5, ONE),
    "strong pump, pump known, 50 pairs/ns": (STRONG, 50.0, 0.14, PUMP),
    "much leakage, pump known, 30 pairs/ns": (MIXED, 30.0, 0.14, PUMP),
    "much leakage, blinking, f_x known, 100 pairs/ns": (MIXED, 100.0, 0.14, ("f_x",)),
    "1 ns exciton, response 0.3 ns, f_xx known, 3000 pairs/ns": (FAST, 3000.0, 0.3, ONE),
    "1 ns exciton, response 0.3 ns, leakages known, 300 pairs/ns": (FAST, 300.0, 0.3, LEAKS),
}


def fitted(rng: np.random.Generator, trials: int, name: str) -> Iterator[Trial]:
    """Every emitter for which the parameter is not known."""
    some = {label: one for label, one in EMITTERS.items() if name not in one[3]}
    for _ in range(max(1, round(trials / len(some)))):
        for label, (truth, per_ns, jitter, given) in some.items():
            expected = np.diff(EDGES) * per_ns
            counts = rng.poisson(expected * overlay(EDGES, truth, jitter)).astype(np.float64)
            known = {one: getattr(truth, one) for one in (*given, "ratio", "yields", "background")}
            fit = fit_cascade(EDGES, counts, expected, jitter, known, (name,))
            found = fit.estimates.get(name)
            if found is None or found.value is None:
                yield Trial(label, getattr(truth, name), None, None, None)
            else:
                yield Trial(label, getattr(truth, name), found.value, found.low, found.high)


def ordered(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Asymmetry of butterflies and spikes, and of the central peak of pulsed light."""
    edges = np.append(TAU - 0.25, 500.25)
    shapes = {
        "butterfly": overlay(edges, Cascade(33.3, 2.0)),
        "leaking": overlay(edges, MIXED, 0.14),
        "without filters": overlay(edges, Cascade(33.3, 2.0, 1.0, 1.0), 0.14),
        "central peak": np.where(TAU > 0, np.exp(-TAU.clip(0) / 30), 0.01 * np.exp(TAU.clip(max=0) / 30)),
    }
    near = (np.abs(TAU) > 0.3) & (np.abs(TAU) < 100)
    for _ in range(max(1, round(trials / (3 * len(shapes))))):
        for name, shape in shapes.items():
            after, before = float(shape[near & (TAU > 0)].sum()), float(shape[near & (TAU < 0)].sum())
            for pairs in (50, 300, 5000):
                found = asymmetry(TAU, rng.poisson(shape * pairs / (after + before)), 100.0).contrast
                truth = (after - before) / (after + before)
                yield Trial(f"{name}, {pairs} pairs", truth, found.value, found.low, found.high)


def heralded(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Clicks of X after clicks of XX."""
    every = [(heralds, chance) for heralds in (300, 5000, 200_000) for chance in (0.005, 0.02, 0.2)]
    for _ in range(max(1, round(trials / len(every)))):
        for heralds, chance in every:
            found = heralding(int(rng.binomial(heralds, chance)), 0.0, heralds).heralded
            yield Trial(f"{heralds} heralds, {chance:g}", chance, found.value, found.low, found.high)


WHAT = "1 and 30 ns excitons, G / k1 0.06 to 0.3, leakages 2 to 30 %, 5 to 3000 pairs per ns; some of the rest known"
CASES = [
    Case("cascade: k1", WHAT, lambda rng, n: fitted(rng, n, "k1"), 1000),
    Case("cascade: pump", WHAT, lambda rng, n: fitted(rng, n, "pump"), 1000),
    Case("cascade: leakage of X", WHAT, lambda rng, n: fitted(rng, n, "f_x"), 1000),
    Case("cascade: leakage of XX", WHAT, lambda rng, n: fitted(rng, n, "f_xx"), 1000),
    Case("cascade: asymmetry", "butterflies, spikes and central peaks, 50 to 5000 pairs", ordered),
    Case("cascade: heralding", "300 to 200 000 heralds, probability 0.5 to 20 %", heralded),
]
