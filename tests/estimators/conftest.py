"""Simulated emitters for the estimators: decays by nanotime, and counts of segments while the emitter switches."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def simulate_decay(
    rng: np.random.Generator,
    tau: float | Draw,
    period: float,
    width: float,
    t0: float,
    sigma: float,
    photons: float,
    background: float = 0.0,
) -> NDArray[np.int64]:
    """Histogram of about `photons` photons by nanotime, a share `background` of them uniform; photon by photon."""
    n = rng.poisson(photons * (1 - background))
    late = tau(rng, n) if callable(tau) else rng.exponential(tau, n)
    signal = (t0 + sigma * rng.standard_normal(n) + late) % period
    times = np.concatenate([signal, rng.random(rng.poisson(photons * background)) * period])
    bins = math.ceil(period / width)
    return np.bincount(np.minimum((times / width).astype(np.int64), bins - 1), minlength=bins)


def simulate_segments(rng: np.random.Generator, means: list[float], dwell: float, segments: int) -> NDArray[np.int64]:
    """Counts of the segments of an emitter that switches to any other state after exponential times of mean `dwell`."""
    expected = np.zeros(segments)
    at, state = 0.0, int(rng.integers(len(means)))
    while at < segments:
        end = min(at + rng.exponential(dwell), segments)
        first, last = int(at), min(int(end), segments - 1)
        edges = np.clip([at, end], np.arange(first, last + 1)[:, None], np.arange(first, last + 1)[:, None] + 1)
        expected[first : last + 1] += np.diff(edges)[:, 0] * means[state]
        at, state = end, int((state + rng.integers(1, len(means))) % len(means)) if len(means) > 1 else 0
    return rng.poisson(expected)


@pytest.fixture
def decay():
    """`simulate_decay`."""
    return simulate_decay


@pytest.fixture
def switching():
    """`simulate_segments`."""
    return simulate_segments
