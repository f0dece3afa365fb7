"""The intervals of the lifetime trace and of the type of blinking: segments drawn as sums of their photons' times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.blinking_type import blinking_type
from streamer.estimators.segment_lifetimes import segment_lifetimes
from tests.coverage.case import Case, Trial

EARLY = 0.5
# lifetime, period in ns, photons in the stretch, share of background
STRETCHES = [
    (2.0, 50.0, 50, 0.0),
    (2.0, 50.0, 1_000, 0.2),
    (10.0, 50.0, 100, 0.05),
    (20.0, 400.0, 60, 0.1),
    (20.0, 400.0, 5_000, 0.05),
    (45.0, 400.0, 300, 0.0),
]
# slope, intensities of the states in photons per segment, segments, share of background in the brightest, detectors
TYPES = [
    (1.0, (20.0, 60.0, 150.0), 1_000, 0.02, 2),
    (1.0, (100.0, 400.0), 500, 0.05, 2),
    (0.0, (20.0, 60.0, 150.0), 1_000, 0.02, 2),
    (0.0, (100.0, 400.0), 500, 0.05, 2),
    (1.0, (60.0, 200.0), 1_000, 0.02, 1),
    (0.0, (60.0, 200.0), 1_000, 0.02, 1),
]


def times(rng: np.random.Generator, n: int, tau: float, period: float) -> NDArray[np.float64]:
    """After the excitation, within one period."""
    late = tau * rng.standard_exponential(n) + 0.1 * rng.standard_normal(n)
    return (late + EARLY) % period - EARLY


def stretches(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Stretches of one lifetime."""
    each = max(1, round(trials / len(STRETCHES)))
    for tau, period, photons, share in STRETCHES:
        n, sums = np.empty(each, np.int64), np.empty(each)
        for i in range(each):
            light, dark = rng.poisson(photons * (1 - share)), rng.poisson(photons * share)
            n[i] = light + dark
            sums[i] = times(rng, light, tau, period).sum() + (period * rng.random(dark) - EARLY).sum()
        found = segment_lifetimes(n, sums, np.full(each, photons * share), period, EARLY, 0.1)
        name = f"{tau:g} ns, period {period:g} ns, {photons} photons, background {100 * share:g} %"
        for value, low, high in zip(found.tau_ns, found.low_ns, found.high_ns, strict=True):
            if not np.isfinite(value):
                yield Trial(name, tau, None, None, None)
            else:
                yield Trial(name, tau, float(value), float(low), float(high) if np.isfinite(high) else None)


def types(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Emitters that dwell in their states for 20 segments on average; switches fall between segments."""
    period = 400.0
    for _ in range(max(1, round(trials / len(TYPES)))):
        for slope, levels, n, share, detectors in TYPES:
            state = np.zeros(n, np.intp)
            for i in range(1, n):
                state[i] = rng.integers(len(levels)) if rng.random() < 0.05 else state[i - 1]
            light, dark = np.array(levels)[state] / detectors, share * levels[-1] / detectors
            tau = 25.0 * (np.array(levels)[state] / levels[-1]) ** slope
            photons, sums = np.empty((n, detectors), np.int64), np.empty((n, detectors))
            for d in range(detectors):
                signal, noise = rng.poisson(light), rng.poisson(dark, n)
                photons[:, d] = signal + noise
                every = rng.standard_exponential(int(signal.sum()))
                late = (np.repeat(tau, signal) * every + EARLY) % period - EARLY
                ends = np.concatenate([[0.0], np.cumsum(late)])[np.concatenate([[0], np.cumsum(signal)])]
                flat = period * rng.random(int(noise.sum())) - EARLY
                stops = np.concatenate([[0.0], np.cumsum(flat)])[np.concatenate([[0], np.cumsum(noise)])]
                sums[:, d] = np.diff(ends) + np.diff(stops)
            found = blinking_type(photons, sums, [dark] * detectors, period, EARLY)
            name = f"slope {slope:g}, {' and '.join(f'{one:g}' for one in levels)} photons, {n} segments, {detectors}"
            yield Trial(name, slope, found.slope.value, found.slope.low, found.slope.high)


CASES = [
    Case("lifetime of a segment", "2 to 45 ns, 50 to 5000 photons, background 0 to 20 %", stretches),
    Case("type of blinking, slope", "20 to 400 photons per segment, 500 to 1000 segments, 1 or 2 detectors", types),
]
