"""Cases: the dots that the promise is put to, their true g2(0), and for how long each may be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.stopping.cw_dots import CwDot
from benchmarks.stopping.dots import LAGS, Dot
from benchmarks.stopping.twin import HALF, wald

TRUTHS = (0.02, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.85, 1.0)
ERRORS = (0.05, 0.01)
BOUNDS, MOST = 6.0, 2000.0  # budget: so many of Wald's bounds at the smallest error, at most so many accidental pairs
ALL, BRIGHT = 0, 1


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of dot.

    Attributes:
        name, about: for the page.
        dot: what is drawn.
        states: whose pairs are credited, of all photons (0) or of bright segments (1).
        truths: of the emitter's own g2(0) (cw: of its mean over the window).
    """

    name: str
    about: str
    dot: Dot | CwDot
    states: tuple[int, ...] = (ALL,)
    truths: tuple[float, ...] = TRUTHS

    def budget(self, g: float, signal: float = 1.0) -> float:
        """Accidental pairs that are looked at; time runs on behind a verdict, for the limits must hold there too."""
        r, r0 = 1 + (g - 1) * signal, 1 + (HALF - 1) * signal
        weight = 2.0 * LAGS
        return min(BOUNDS * wald(r, r0, weight, min(ERRORS)) / (r + weight), MOST)


CASES = (
    Case("steady", "steady, 0.02 photons per pulse and detector", Dot()),
    Case("dense", "steady, 0.05 photons per pulse and detector: many pairs share a photon", Dot(0.05, segment=32)),
    Case(
        "background",
        "steady, one photon in six is background of a known rate (31 % of the pairs)",
        Dot(0.02, background=0.004, segment=200),
    ),
    Case(
        "telegraph",
        "bright, or dark at a tenth of the rate, exponential dwells of 1 and 1.5 looks in the mean",
        Dot(0.02, dwells=(5.0, 7.5), segment=500, threshold=11),
        (ALL, BRIGHT),
    ),
    Case(
        "power law",
        "the same with dwells that follow a power law of exponent 1.5 from 0.2 to 200 looks",
        Dot(0.02, dwells=(1.0, 1.0), power=1.5, segment=500, threshold=11),
        (ALL, BRIGHT),
    ),
    Case(
        "all at once",
        "exponential dwells, one photon in six background, and the rate falls to a half by the end of the budget",
        Dot(0.02, background=0.004, dwells=(5.0, 7.5), drift=0.5, segment=500, threshold=13),
        (ALL, BRIGHT),
    ),
    Case(
        "cw",
        "cw light: an antibunching dip upon uncorrelated light, its mean over the window known by segments and by far "
        "pairs",
        CwDot(),
        truths=(0.1, 0.2, 0.3, 0.5, 0.7, 1.0),
    ),
)
