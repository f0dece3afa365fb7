"""Hong-Ou-Mandel visibility: centre and side pairs of two simulated runs, Poisson about the pattern of peaks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from streamer.estimators.hom import (
    SCHEMES,
    PeakCounts,
    Visibility,
    cw_counts,
    hom_visibility,
    interferometer_pattern,
    pulsed_counts,
)
from tests.coverage.case import Case, Trial

LAGS = np.arange(-10, 11)


def two_runs(rng: np.random.Generator, overlap: float, side: float, g2: float) -> tuple[PeakCounts, PeakCounts]:
    """Both runs of a train of pulses, `side` pairs per side peak in the first, half as many again in the second."""
    runs = []
    for scale, interferes in ((1.0, overlap), (1.5, 0.0)):
        areas = interferometer_pattern(LAGS, 1, g2)
        areas[10] -= interferes / 2
        runs.append(pulsed_counts(LAGS, rng.poisson(scale * side * areas)))
    return runs[0], runs[1]


def raw(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """As counted: M / (1 + g)."""
    every = list(product((0.0, 0.3, 0.7, 0.95, 1.0), (40, 200, 2000), (0.0, 0.1)))
    for _ in range(max(1, round(trials / len(every)))):
        for overlap, side, g2 in every:
            found = hom_visibility(*two_runs(rng, overlap, side, g2))
            yield trial(f"M {overlap:g}, {side} pairs per side peak, g2(0) {g2:g}", overlap / (1 + g2), found)


def corrected(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """For g2(0), beam splitters and fringe contrast, both pulse patterns."""
    every = list(product((0.3, 0.8, 0.95), (100, 1000), ("train", "double"), (0.5, 0.55)))
    for _ in range(max(1, round(trials / len(every)))):
        for overlap, side, scheme, reflectance in every:
            g2, error, contrast = 0.08, 0.01, 0.97
            source, pulses = rng.normal(g2, error), SCHEMES[scheme]
            balance = 2 * reflectance * (1 - reflectance) / (reflectance**2 + (1 - reflectance) ** 2)
            drop = balance * contrast**2 * overlap / (1 + pulses * g2)
            base = side * (1 + pulses * g2) / 2
            runs = [PeakCounts(rng.poisson(base * centre), rng.poisson(18 * side), 18.0) for centre in (1 - drop, 1.0)]
            found = hom_visibility(runs[0], runs[1], max(source, 0.0), error, reflectance, contrast, scheme)
            name = f"M {overlap:g}, {side} pairs per side peak, {scheme}, R {reflectance:g}"
            yield Trial(name, overlap, found.corrected.value, found.corrected.low, found.corrected.high)


def cw(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Dips of both runs in a window about zero delay: coherence 2 ns inside an antibunching dip of 5 ns."""
    tau = np.arange(-400, 401) * 0.25
    every = list(product((0.2, 0.6, 0.95), (50, 500, 5000), (0.5, 2.0)))
    for _ in range(max(1, round(trials / len(every)))):
        for overlap, pairs, window in every:
            apart = 1 - 0.5 * np.exp(-np.abs(tau) / 5.0)
            together = apart - 0.5 * overlap * np.exp(-np.abs(tau) / 1.0)
            near = np.abs(tau) <= window / 2
            flat = np.full(len(tau), pairs / near.sum())
            runs = [cw_counts(tau, rng.poisson(flat * curve), flat, window) for curve in (together, apart)]
            truth = 1 - float(together[near].sum() / apart[near].sum())
            yield trial(
                f"overlap {overlap:g}, {pairs} expected, window {window:g} ns", truth, hom_visibility(runs[0], runs[1])
            )


def trial(name: str, truth: float, found: Visibility) -> Trial:
    """Of the visibility as counted."""
    return Trial(name, truth, found.raw.value, found.raw.low, found.raw.high)


CASES = [
    Case(
        "Hong-Ou-Mandel visibility, pulsed",
        "overlap 0 to 1, 40 to 2000 pairs per side peak, g2(0) 0 and 0.1",
        raw,
    ),
    Case(
        "Hong-Ou-Mandel overlap, corrected",
        "overlap 0.3 to 0.95, g2(0) 0.08 +- 0.01, R 0.5 and 0.55, contrast 0.97, both pulse patterns",
        corrected,
    ),
    Case("Hong-Ou-Mandel visibility, cw", "overlap 0.2 to 0.95, 50 to 5000 pairs expected in the window", cw),
]
