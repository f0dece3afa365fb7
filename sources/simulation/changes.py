"""Slow changes of a simulated emitter, drawn from its seed: steps of drift, and dots with the moment they bleach."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sources.simulation.kernels import NEVER
from sources.simulation.parts import AT, EXPONENTIAL, LINEAR, PHOTONS, SINE, Drift
from sources.simulation.settings import Settings

STEP_S = 0.01  # a drift is constant for so long
BLOCK = 1024  # steps or dots drawn at a time
WALK_LOW, WALK_HIGH = 0.5, 1.5
LINEAR_HIGH = 2.0
MOST_STEPS_TOLD = 2_000_000  # beyond this many, the mean factor of a drift is not worked out beforehand
DWELLS, LIGHT, CLICKS, EXCITATION, COLLECTION, DOTS = range(6)  # purposes of random numbers


def generator(settings: Settings, purpose: int) -> np.random.Generator:
    """One of the independent random streams of a seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(settings.seed, spawn_key=(purpose,))))


def drifts(settings: Settings) -> bool:
    """Excitation or collection changes with time."""
    return settings.drift_excitation is not None or settings.drift_collection is not None


def step_pulses(settings: Settings) -> int:
    """How many pulses a step of the drift lasts; NEVER where nothing drifts."""
    return max(1, round(STEP_S * 1e15 / settings.period_fs)) if drifts(settings) else NEVER


def drift_factors(drift: Drift | None, rng: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """Endless blocks float64[1024] of the factor in one step of 10 ms after another, each at the step's middle."""
    start, last = 0, 1.0
    while True:
        t = (start + np.arange(BLOCK) + 0.5) * STEP_S
        if drift is None:
            yield np.ones(BLOCK)
        elif drift.law == LINEAR:
            yield np.clip(1.0 + drift.amplitude * t, 0.0, LINEAR_HIGH)
        elif drift.law == SINE:
            yield 1.0 + drift.amplitude * np.sin(2 * math.pi * t / drift.period_s)
        else:
            walk = last + np.cumsum(rng.standard_normal(BLOCK)) * drift.amplitude * math.sqrt(STEP_S)
            last = float(walk[-1])
            width = WALK_HIGH - WALK_LOW
            yield WALK_LOW + np.abs((walk - WALK_LOW + width) % (2 * width) - width)
        start += BLOCK


def steps(settings: Settings) -> Iterator[NDArray[np.float64]]:
    """Endless blocks float64[1024, 2] of the factors of excitation and collection, step by step."""
    excitation = drift_factors(settings.drift_excitation, generator(settings, EXCITATION))
    collection = drift_factors(settings.drift_collection, generator(settings, COLLECTION))
    for pair in zip(excitation, collection, strict=True):
        yield np.column_stack(pair)


def mean_factors(settings: Settings) -> tuple[float, float] | None:
    """Mean factors of excitation and collection over the whole stream; None when it is endless or too long to tell."""
    if not drifts(settings):
        return 1.0, 1.0
    if settings.duration_s / STEP_S > MOST_STEPS_TOLD:
        return None
    left = settings.duration_s / STEP_S
    total = np.zeros(2)
    for block in steps(settings):
        weights = np.clip(left - np.arange(BLOCK), 0.0, 1.0)
        total += weights @ block
        left -= BLOCK
        if left <= 0:
            break
    mean = total * STEP_S / settings.duration_s
    return float(mean[0]), float(mean[1])


def dots(settings: Settings) -> Iterator[NDArray[np.int64]]:
    """Endless blocks int64[n, 3] of (pulse at which the next dot comes, pulse of bleaching, photons until then)."""
    rng = generator(settings, DOTS)
    pulses_per_s = 1e15 / settings.period_fs
    length = settings.next_dot.period_s * pulses_per_s if settings.next_dot else math.inf
    start = 0
    while True:
        n = BLOCK if settings.next_dot else 1
        block = np.full((n, 3), NEVER, np.int64)
        at = start + np.arange(n + 1)
        if settings.next_dot:
            block[:, 0] = np.ceil(at[1:] * length)
        if (bleach := settings.bleach) is not None:
            value = np.full(n, bleach.value) if bleach.law == AT else rng.standard_exponential(n) * bleach.value
            if bleach.law == PHOTONS:
                block[:, 2] = np.maximum(1, np.ceil(np.minimum(value, 1e17)))
            else:
                begin = np.ceil(at[:-1] * length) if settings.next_dot else 0.0
                block[:, 1] = begin + np.maximum(1, np.round(np.minimum(value * pulses_per_s, 1e17)))
        yield block
        start += n


def bleached_s(settings: Settings) -> float | None:
    """When a single dot bleaches, s; None where it never does, where photons decide, or dots follow each other."""
    law = settings.bleach.law if settings.bleach else None
    if law not in (AT, EXPONENTIAL) or settings.next_dot:
        return None
    return float(next(dots(settings))[0, 1]) * settings.period_fs / 1e15
