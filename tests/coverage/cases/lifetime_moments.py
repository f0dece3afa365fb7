"""The interval of a lifetime by the method of moments: photons drawn one by one, on two detectors.

The numbers are those that the summary prints: value, and the interval of which its error is half.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamer.estimators.lifetime import state_lifetime
from tests.coverage.case import Case, Trial

# lifetime and laser period in ns, photons on both detectors, background, bin in ns, response in ns
EVERY = [
    (0.5, 12.5, 1_000, 0.0, 0.016, 0.05),
    (0.5, 12.5, 30_000, 0.1, 0.016, 0.05),
    (2.0, 25.0, 300, 0.0, 0.064, 0.1),
    (2.0, 25.0, 3_000, 0.3, 0.064, 0.1),
    (5.0, 50.0, 100_000, 0.05, 0.064, 0.1),
    (10.0, 50.0, 10_000, 0.1, 0.128, 0.2),
    (20.0, 200.0, 300, 0.1, 0.256, 0.2),
    (20.0, 200.0, 3_000, 0.3, 0.256, 0.2),
    (45.0, 400.0, 1_000, 0.05, 0.256, 0.2),
    (45.0, 400.0, 100_000, 0.3, 0.256, 0.2),
]


def draw(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Poisson numbers of photons at the excitation of their detector, plus response, plus decay, within the period."""
    for _ in range(max(1, round(trials / len(EVERY)))):
        for tau, period, photons, background, width, sigma in EVERY:
            t0 = [0.11 * period, 0.11 * period + 1.3]
            counts = np.empty((2, int(np.ceil(period / width))), np.int64)
            for detector, share in enumerate((0.6, 0.4)):
                signal = rng.poisson(photons * share * (1 - background))
                times = t0[detector] + sigma * rng.standard_normal(signal) + tau * rng.standard_exponential(signal)
                dark = period * rng.random(rng.poisson(photons * share * background))
                bins = np.concatenate([times % period, dark]) // width
                counts[detector] = np.bincount(bins.astype(np.int64), minlength=counts.shape[1])[: counts.shape[1]]
            told = state_lifetime(counts, width, period, t0, sigma_ns=sigma)
            name = f"{tau:g} ns, period {period:g} ns, {photons} photons, background {100 * background:g} %"
            yield Trial(name, tau, told.value_ns, told.low_ns, told.high_ns)


CASES = [
    Case(
        "lifetime, method of moments",
        "0.5 to 45 ns, 300 to 100 000 photons on two detectors, background 0 to 30 %",
        draw,
    )
]
