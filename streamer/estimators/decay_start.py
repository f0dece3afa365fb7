"""Decay start: first guesses for a fit: a coarse spectrum of lifetimes, and steps uphill from there."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.decay_cells import Cells
from streamer.estimators.decay_expectation import Expectation
from streamer.estimators.decay_model import measured_exponential
from streamer.estimators.decay_shape import gaussian_exponential
from streamer.estimators.response import Measured

Floats = NDArray[np.float64]

TAUS = 24  # lifetimes of the spectrum
ROUNDS = 60  # of expectation-maximisation; the spectrum need not be sharp
STEPS = 30  # of Fisher scoring; Minuit finds what they have not


def spectrum(
    cells: list[Cells], responses: list[Measured | None], sigma_ns: list[float], least: float, most: float
) -> tuple[Floats, Floats, Floats]:
    """Lifetimes in ns float64[k], their shares of the photons float64[k], background of each detector as a share.

    Detectors are taken together, each with its own background (expectation-maximisation of a mixture; Shepp and Vardi,
    IEEE Trans. Med. Imaging 1, 113, 1982).
    """
    taus = np.geomspace(least, most, TAUS)
    templates, counts = [], []
    for one, response, sigma in zip(cells, responses, sigma_ns, strict=True):
        shapes = [
            gaussian_exponential(one.edges, math.log(tau), math.log(sigma), one.period, slopes=False)[0]
            if response is None
            else measured_exponential(one.edges, math.log(tau), response, one.period, slopes=False)[0]
            for tau in taus
        ]
        rows = np.maximum(np.diff(np.array([*shapes, (one.edges - one.edges[0]) / one.period])), 0.0)
        templates.append(rows[:, one.seen] + 1e-15)
        counts.append(one.counts[one.seen])
    shares = np.full(TAUS, 0.9 / TAUS)
    background = np.full(len(cells), 0.1)
    total = np.array([max(one.sum(), 1.0) for one in counts])
    for _ in range(ROUNDS):
        sums, dark = np.zeros(TAUS), np.zeros(len(cells))
        for d, (rows, n) in enumerate(zip(templates, counts, strict=True)):
            weights = np.append((1 - background[d]) * shares, background[d])
            weights = weights / (weights @ rows.sum(axis=1))
            mixed = weights @ rows
            found = weights * (rows @ (n / mixed))
            sums += found[:-1]
            dark[d] = found[-1]
        background = np.clip(dark / total, 1e-6, 1 - 1e-3)
        shares = sums / max(sums.sum(), 1e-300)
    return taus, shares, background


def clusters(taus: Floats, shares: Floats, k: int) -> tuple[Floats, Floats]:
    """k lifetimes in ns, ascending, and their shares: the spectrum cut where the parts are narrowest."""
    if k == 1:
        return np.array([shares @ taus]) / shares.sum(), np.ones(1)
    log = np.log(taus)
    best: tuple[float, tuple[int, ...]] = (math.inf, (0,))
    n = len(taus)

    def spread(a: int, b: int) -> float:
        weight = shares[a:b].sum()
        if weight <= 0:
            return 0.0
        mean = shares[a:b] @ log[a:b] / weight
        return float(shares[a:b] @ (log[a:b] - mean) ** 2)

    table = {(a, b): spread(a, b) for a in range(n) for b in range(a + 1, n + 1)}
    for cuts in itertools.combinations(range(1, n), k - 1):
        stops = (0, *cuts, n)
        width = sum(table[pair] for pair in itertools.pairwise(stops))
        if width < best[0]:
            best = width, stops
    values, weights = [], []
    for a, b in itertools.pairwise(best[1]):
        weight = float(shares[a:b].sum())
        values.append(float(shares[a:b] @ taus[a:b] / weight) if weight > 0 else float(taus[(a + b) // 2]))
        weights.append(max(weight, 0.01))
    return np.array(values), np.array(weights) / sum(weights)


def uphill(expectation: Expectation, start: Floats, low: Floats, high: Floats, steps: int = STEPS) -> Floats:
    """Parameters float64[k] nearer to the likeliest ones, by damped Fisher scoring within bounds.

    Args:
        expectation: of the counts.
        start, low, high: float64[k]; a parameter with low = high stays.
        steps: at most.
    """
    counts = expectation.counts

    def objective(values: Floats) -> float:
        expected = np.maximum(expectation.expected(values), 1e-12)
        return float(np.sum(expected - counts * np.log(expected)))

    values, damping = np.clip(start, low, high), 1e-3
    height = objective(values)
    for _ in range(steps):
        bent, expected = expectation.slopes(values), np.maximum(expectation.expected(values), 1e-12)
        gradient = bent @ (1.0 - counts / expected)
        # What is at a bound and would go beyond stays.
        free = (low < high) & ~((values <= low) & (gradient > 0)) & ~((values >= high) & (gradient < 0))
        information = (bent[free] / expected) @ bent[free].T
        scale = np.diag(np.diag(information) + 1e-12)
        gain = 0.0
        while damping < 1e6:
            trial = values.copy()
            step = np.linalg.solve(information + (damping + 1e-10) * scale, gradient[free])
            trial[free] = np.clip(values[free] - np.clip(step, -1.0, 1.0), low[free], high[free])
            trial_height = objective(trial)
            if trial_height <= height:
                gain, values, height = height - trial_height, trial, trial_height
                break
            damping = max(8 * damping, 1e-3)
        damping /= 10
        if gain < 1e-4:
            break
    return values
