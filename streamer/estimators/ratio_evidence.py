"""Evidence on g2(0) that may be looked at all the time: e-values of a ratio of pair counts, and what follows from them.

Let dA be the accidental pairs to be expected about zero delay in a step of the measurement, r dA the pairs that come,
and W dA those of the reference (the side peaks; their number where nothing falls off). For a bet theta on the centre,

    log e = sum of theta dC + log(1 - r0 (exp(theta) - 1) / W) dS

over the centre's pairs C and the reference's S is a martingale when r = r0, whatever dA does: blinking and drift
multiply centre and reference alike. For theta < 0 it is at most one as long as the mean of r so far, weighted by the
pairs, is r0 or more, for theta > 0 as long as it is r0 or less, so r itself may also change. A mixture over bets of one
sign is above 1/alpha at any moment at all with a chance of at most alpha (Ville 1939; Robbins, Ann. Math. Statist. 41,
1397, 1970; Howard, Ramdas, McAuliffe & Sekhon, Ann. Statist. 49, 1055, 2021). Where the expectation E of the accidental
pairs is known instead of a reference, the second term is -r0 (exp(theta) - 1) dE. With several references, the smallest
e-value counts: it keeps the promise if any one of them is right.

An uncorrelated background leaves the share rho of the pairs as signal (see `streamer.estimators.background`), so that
r0 = 1 + (g - 1) rho for the emitter's own g. Here rho is that of all pairs so far, known within limits at least, and so
is r0: were each step judged by the rho of those before it, a dot that fades would look less single than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.intervals import NOT_SINGLE, SINGLE, UNDECIDED

Floats = NDArray[np.float64]

# Bets are on r below (above) so many times r0. Found by a search that makes the worst case of r far from r0 = 0.5 best:
# pairs within 1.3 of Wald's bound for r of 0.02 to 0.3 and 0.7 to 1 (1.32 with the smaller of two references), 1.5 at
# 0.4 and 0.6. See docs/stopping-promise.md.
BELOW, BELOW_WEIGHTS = np.array([0.06, 0.22, 0.45, 0.63, 0.8]), np.array([1.0, 0.4, 0.37, 0.6, 0.27])
ABOVE, ABOVE_WEIGHTS = np.array([1.15, 1.27, 1.6, 2.0, 4.0]), np.array([0.1, 0.5, 1.0, 0.5, 0.1])

MOST = 3.0  # candidates of g go so far
CANDIDATES: Floats = np.concatenate([np.arange(1, 201) / 200, 1.0 * (MOST / 1.0) ** (np.arange(1, 41) / 40)])
HALF = 0.5
STEADY = (1.0, 1.0)  # share of the pairs that is signal, without background


class LogE(NamedTuple):
    """Natural logarithm of the e-values against g >= 0.5 ("single") and against g <= 0.5 ("not single")."""

    single: float
    not_single: float


class RatioEvidence:
    """What the pairs seen so far say of g2(0), at every moment.

    Args:
        references: one entry per reference: W of side pairs (finite, above 0), or None where the accidental pairs
            expected about zero delay are given themselves.
        candidates: of g, ascending and above 0, 0.5 among them: between them the limits are not told apart.

    Attributes:
        central: pairs about zero delay so far.
        reference: of each reference, pairs or expected pairs so far.
    """

    def __init__(self, references: Sequence[float | None], candidates: Floats = CANDIDATES) -> None:
        self.references, self.candidates = tuple(references), candidates
        self._half = int(np.flatnonzero(candidates == HALF)[0])
        self.central = 0
        self.reference = np.zeros(len(self.references))
        least = min((weight for weight in self.references if weight is not None), default=np.inf)
        above = np.minimum(ABOVE, 1.0 + 0.9 * least / MOST)  # a bet must leave something, whatever comes
        self._theta = (np.log(BELOW), np.log(above))
        self._weight = tuple(np.log(w / w.sum()) for w in (BELOW_WEIGHTS, ABOVE_WEIGHTS))
        self._signal = STEADY
        self._against = self._bets(STEADY)  # log e per pair of each reference, at this share of signal

    def add(self, central: int, reference: Sequence[float], signal: tuple[float, float] = STEADY) -> None:
        """Count a step.

        Args:
            central: new pairs about zero delay.
            reference: of each reference, new pairs or newly expected pairs.
            signal: lower and upper limit of the share of all pairs so far that is signal.
        """
        self.central += int(central)
        self.reference += reference
        if signal != self._signal:
            self._signal, self._against = signal, self._bets(signal)

    def _bets(self, signal: tuple[float, float]) -> tuple[Floats, ...]:
        """Of either side, log e per reference pair: float64[references, candidates, bets]."""
        ends = 1.0 + (self.candidates - 1.0)[:, None] * np.array(signal)
        # Nothing may be claimed that one end of what the background may be would not allow.
        against = []
        for r0, theta in zip((ends.min(axis=1), ends.max(axis=1)), self._theta, strict=True):
            bet = np.maximum(r0, 0.0)[:, None] * np.expm1(theta)
            lost = [-bet if weight is None else np.log1p(-bet / weight) for weight in self.references]
            against.append(np.array(lost))
        return tuple(against)

    def _mixed(self, side: int, at: slice = slice(None)) -> Floats:
        """Of every candidate (of those `at`), log e of the mixture; float64[candidates]."""
        log_e = self._theta[side] * self.central + self._against[side][:, at] * self.reference[:, None, None]
        mixed: Floats = _log_sum(log_e + self._weight[side]).min(axis=0)
        return mixed

    @property
    def log_e(self) -> LogE:
        """Evidence on either side of 0.5."""
        at = slice(self._half, self._half + 1)
        return LogE(*(float(self._mixed(side, at)[0]) for side in (0, 1)))

    def verdict(self, error: float) -> str:
        """ "single" (g < 0.5), "not single" (g >= 0.5) or "undecided"; wrong at any moment at all: at most `error`."""
        limit = -np.log(error)
        single, not_single = self.log_e
        if single >= limit:
            return SINGLE
        return NOT_SINGLE if not_single >= limit else UNDECIDED

    def limits(self, error: float) -> tuple[float, float]:
        """Lower and upper limit of the mean g of the pairs so far, each wrong at any moment with a chance of `error`.

        They are those of the verdict: below 0.5 it is "single". They are rounded outwards to the nearest candidate; the
        lower is 0 and the upper infinite where nothing is ruled out.
        """
        limit = -np.log(error)
        too_high, too_low = self._mixed(0) >= limit, self._mixed(1) >= limit
        high = float(self.candidates[too_high][0]) if too_high.any() else float("inf")
        low = float(self.candidates[too_low][-1]) if too_low.any() else 0.0
        return low, high

    def interval(self, error: float) -> tuple[float, float]:
        """Limits that hold g between them at all moments but for a chance of `error`."""
        return self.limits(error / 2)

    @property
    def value(self) -> float | None:
        """Pairs over accidental pairs by the first reference, background included; None without any."""
        weight, seen = self.references[0], self.reference[0]
        return None if seen <= 0 else float(self.central * (1.0 if weight is None else weight) / seen)

    @property
    def accidental(self) -> float:
        """Accidental pairs about zero delay, by the first reference."""
        return float(self.reference[0] / (self.references[0] or 1.0))


def _log_sum(terms: Floats) -> Floats:
    """Logarithm of the sum of exponentials over the last axis."""
    most = terms.max(axis=-1, keepdims=True)
    total: Floats = np.log(np.exp(terms - most).sum(axis=-1)) + most[..., 0]
    return total
