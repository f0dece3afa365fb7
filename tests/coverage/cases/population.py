"""Batches of simulated emitters of known mean and spread: g2(0), lifetimes, rates."""

from collections.abc import Callable, Iterator

import numpy as np

from streamer.estimators.estimate import Estimate
from streamer.estimators.population import Population, errors_at_mean, population
from tests.coverage.case import Case, Trial

# (emitters, mean, spread, least and most error): 70 dots' g2(0), 25 dots' lifetimes (Chandrasekaran et al.),
# two batches of 540 and 170 ps (Zhu et al.), and small or badly measured ones.
BATCHES = (
    (70, 0.19, 0.1, 0.02, 0.06), (25, 22.5, 5.4, 0.2, 1.5), (200, 540.0, 100.0, 20.0, 60.0),
    (40, 170.0, 50.0, 20.0, 60.0),
    (8, 22.5, 5.4, 0.2, 1.0), (15, 0.19, 0.1, 0.02, 0.03),
)  # fmt: skip


def draws(truth: str, found: Callable[[Population], Estimate]) -> Callable[[np.random.Generator, int], Iterator[Trial]]:
    def draw(rng: np.random.Generator, n: int) -> Iterator[Trial]:
        for _ in range(-(-n // len(BATCHES))):
            for dots, mean, spread, least, most in BATCHES:
                errors = rng.uniform(least, most, dots)
                values = rng.normal(mean, spread, dots) + rng.normal(0, errors)
                one = found(population(values, errors))
                square = (most**3 - least**3) / (3 * (most - least))
                known = {"mean": mean, "spread": spread, "observed": (spread**2 + square) ** 0.5}[truth]
                ends = (one.low, one.high) if one.value is not None else (None, None)
                yield Trial(f"{dots} dots", known, one.value, *ends)

    return draw


def paired(rng: np.random.Generator, n: int) -> Iterator[Trial]:
    """g2(0) of emitters that differ by a Gaussian spread, each from its own pairs at 10 MHz."""
    batches = ((70, 0.3, 0.1, 1000), (40, 0.3, 0.08, 4000), (100, 0.5, 0.15, 500), (20, 0.3, 0.1, 10000))
    for _ in range(-(-n // len(batches))):
        for dots, mean, spread, most in batches:
            true = np.clip(rng.normal(mean, spread, dots), 0, None)
            expected = rng.uniform(most / 2, most, dots)
            central, side = rng.poisson(true * expected / 20).astype(float), rng.poisson(expected).astype(float)
            values, weight = 20 * central / side, np.full(dots, 20.0)
            one = population(values, errors_at_mean(values, central, side, weight)).intrinsic_sd
            ends = (one.low, one.high) if one.value is not None else (None, None)
            yield Trial(f"{dots} dots, {most} side pairs at most", spread, one.value, *ends)


WHAT = "8 to 200 emitters, spreads of 1.5 to 20 times the measurement errors"
CASES = [
    Case("population: mean", WHAT, draws("mean", lambda one: one.mean)),
    Case("population: median", WHAT, draws("mean", lambda one: one.median)),
    Case("population: SD, errors included", WHAT, draws("observed", lambda one: one.sd)),
    Case("population: intrinsic SD", WHAT, draws("spread", lambda one: one.intrinsic_sd)),
    Case("population: intrinsic SD of g2(0)", "20 to 100 emitters of 250 to 10000 side pairs each", paired),
]
