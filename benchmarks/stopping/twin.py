"""Twin of RatioEvidence over many dots at once, with the other ways to stop: naive, and an exposure fixed beforehand.

`tests/benchmarks/test_stopping.py` proves it equal to the shipped one, look by look.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, poisson

from streamer.estimators.g2 import MIN_SIDE_PAIRS
from streamer.estimators.intervals import coin_interval
from streamer.estimators.ratio_evidence import ABOVE, ABOVE_WEIGHTS, BELOW, BELOW_WEIGHTS, MOST

Floats = NDArray[np.float64]
SIDES = ((BELOW, BELOW_WEIGHTS), (ABOVE, ABOVE_WEIGHTS))
HALF, NEVER = 0.5, np.iinfo(np.int64).max


def log_e(central: Floats, references: Floats, weights: tuple[float | None, ...], signal: Floats, g: float) -> Floats:
    """Logarithm of the e-values against "g or more" and "g or less" after every look; float64[2, dots, looks].

    Args:
        central: new pairs at every look, [dots, looks].
        references: new pairs, or newly expected pairs, [references, dots, looks].
        weights: one per reference, None where it is an expectation.
        signal: share of the pairs so far that is signal, [dots, looks].
        g: the emitter's own.
    """
    r0 = np.maximum(1 + (g - 1) * signal, 0.0)
    centre = central.cumsum(axis=1)
    sums = references.cumsum(axis=2)
    least = min((weight for weight in weights if weight is not None), default=math.inf)
    found = np.full((2, *central.shape), np.inf)
    for side, (times, shares) in enumerate(SIDES):
        bets = times if side == 0 else np.minimum(times, 1 + 0.9 * least / MOST)
        for weight, reference in zip(weights, sums, strict=True):
            terms = []
            for bet, share in zip(bets, shares / shares.sum(), strict=True):
                lost = (-r0 * (bet - 1) if weight is None else np.log1p(-r0 * (bet - 1) / weight)) * reference
                terms.append(math.log(bet) * centre + lost + math.log(share))
            most = np.maximum.reduce(terms)
            total = most + np.log(sum(np.exp(term - most) for term in terms))
            found[side] = np.minimum(found[side], total)
    return found


def first(reached: NDArray[np.bool_]) -> NDArray[np.int64]:
    """First look at which it is reached, NEVER without; int64[dots]."""
    return np.where(reached.any(axis=1), reached.argmax(axis=1), NEVER)


def naive(central: Floats, side: Floats, weight: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the ordinary 95 % interval lies below 0.5, above 0.5, from the pairs so far; bool[dots, looks] each."""
    below, above = _edges(int(central.max()), weight)
    at, enough = central.astype(np.int64), side >= MIN_SIDE_PAIRS
    return enough & (side >= below[at]), enough & (side <= above[at])


@cache
def _edges(most: int, weight: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For every number of central pairs: least side pairs with the interval below 0.5, most with it above."""
    central = np.arange(most + 1)
    edges = []
    for end in (1, 0):
        low, high = np.full(most + 1, -1), np.full(most + 1, int(8 * weight * (most + 20)))
        while (high - low > 1).any():  # the interval falls as side pairs are added
            middle = (low + high) // 2
            under = coin_interval(central, middle, weight)[end] < HALF if end else (
                coin_interval(central, middle, weight)[end] <= HALF
            )  # fmt: skip
            low, high = np.where(under, low, middle), np.where(under, middle, high)
        edges.append(high if end else high - 1)
    return edges[0], edges[1]


def wald(r: float, r0: float, weight: float, error: float) -> float:
    """Pairs, central and side, that no test can do without in the mean: log(1/error) / KL(p(r) || p(r0)).

    With an infinite weight, where the accidental pairs are known and not counted, of these.
    """
    if r == r0:
        return math.inf
    if math.isinf(weight):
        return -math.log(error) / (r * math.log(r / r0) - r + r0)
    p, p0 = r / (r + weight), r0 / (r0 + weight)
    return -math.log(error) / (p * math.log(p / p0) + (1 - p) * math.log((1 - p) / (1 - p0)))


@cache
def fixed(r: float, r0: float, weight: float, error: float) -> float:
    """Pairs of an exposure that is fixed beforehand: wrong at r0, and not right at r, with a chance of `error` each.

    Whoever sets it must know r already. It calls an emitter single (for r below r0) at up to so many central pairs.
    With an infinite weight it is the accidental pairs that are counted.
    """
    if r == r0:
        return math.inf

    def good(pairs: int) -> bool:
        if math.isinf(weight):
            edge, truth = poisson(r0 * pairs), poisson(r * pairs)
        else:
            edge, truth = binom(pairs, r0 / (r0 + weight)), binom(pairs, r / (r + weight))
        if r < r0:
            most = edge.ppf(error)
            most -= edge.cdf(most) > error
            return bool(most >= 0 and truth.cdf(most) >= 1 - error)
        return bool(truth.sf(edge.isf(error)) >= 1 - error)

    low, high = 1, 2
    while not good(high):
        low, high = high, 2 * high
    while high - low > max(1, low // 1000):  # it saws a little, as counts are whole; a thousandth will do
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return float(high)
