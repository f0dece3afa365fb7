"""Forecast: how probable a verdict on g2(0) is within what is left of a budget, and when to expect it.

The logarithm of an e-value grows, where g is the truth, by (r + W) KL per accidental pair, with KL the divergence of
the coins r/(r + W) and r0/(r0 + W); its way to the threshold is a random walk with that drift (Wald 1947; first-passage
law of a Brownian motion: Schroedinger 1915). What g may be is weighed by its likelihood so far. It decides nothing but
whether to go on, so it cannot make a verdict wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

from streamer.estimators.ratio_evidence import CANDIDATES, HALF, RatioEvidence

Floats = NDArray[np.float64]
MANY = 1e3  # a weight of a known expectation, for which the coin is Poisson
G = CANDIDATES[3::4]  # 0.5 among them
FAR = np.geomspace(0.01, 1e4, 60)  # multiples of the pairs so far in which the median is looked for


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to come.

    Attributes:
        chance: of a verdict within the budget, 0..1; None without a budget.
        median: accidental pairs still to come at which a verdict is as probable as not; infinite where never.
    """

    chance: float | None
    median: float


def forecast(evidence: RatioEvidence, error: float, left: float | None, signal: float = 1.0) -> Forecast:
    """Look ahead.

    Args:
        evidence: so far; some accidental pairs must have been expected.
        error: promised for the verdict.
        left: accidental pairs about zero delay that the budget still brings; None: no budget.
        signal: share of the pairs that is signal.
    """
    weight = evidence.references[0] or MANY
    r = np.maximum(1.0 + (G - 1.0) * signal, 1e-4)
    r0 = 1.0 + (HALF - 1.0) * signal
    p, p0 = r / (r + weight), r0 / (r0 + weight)
    lean, rest = np.log(p / p0), np.log((1 - p) / (1 - p0))
    drift = (r + weight) * (p * lean + (1 - p) * rest)
    spread = (r + weight) * (p * lean**2 + (1 - p) * rest**2)
    central, side = evidence.central, evidence.accidental * weight
    likelihood = central * np.log(p) + side * np.log1p(-p)
    prior = np.gradient(G)
    chance = np.exp(likelihood - likelihood.max()) * prior
    chance /= chance.sum()
    single, not_single = evidence.log_e
    gone = np.where(G < HALF, single, not_single)
    way = np.maximum(-math.log(error) - gone, 1e-9)
    within = None if left is None else float(chance @ _reached(way, drift, spread, np.array([max(left, 0.0)]))[:, 0])
    ahead = FAR * max(evidence.accidental, 1.0)
    total = chance @ _reached(way, drift, spread, ahead)
    median = float(ahead[np.argmax(total >= 0.5)]) if (total >= 0.5).any() else math.inf
    return Forecast(within, median)


def _reached(way: Floats, drift: Floats, spread: Floats, pairs: Floats) -> Floats:
    """Chance that a walk with this drift and variance per pair has gone `way` within `pairs`; [candidates, pairs]."""
    scale = np.sqrt(np.maximum(spread[:, None] * pairs, 1e-300))
    ahead = (drift[:, None] * pairs - way[:, None]) / scale
    back = (drift[:, None] * pairs + way[:, None]) / scale
    # exp(2 drift way / spread) ndtr(-back), of which the first factor may be huge and the second tiny.
    mirrored = 0.5 * np.exp(-0.5 * ahead**2) * erfcx(back / math.sqrt(2))
    reached: Floats = np.minimum(ndtr(ahead) + mirrored, 1.0)
    return reached
