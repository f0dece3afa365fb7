"""Cases: the dots that the promise is put to, their true g2(0), and for how long each may be looked at."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.stopping.cw_dots import CwDot
from benchmarks.stopping.dots import LAGS, Dot
from benchmarks.stopping.twin import HALF, wald

TRUTHS = (0.02, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.85, 1.0)
FEWER = tuple(g for g in TRUTHS if g not in (0.45, 0.55))
ERRORS = (0.05, 0.01)
BOUNDS = 6.0  # budget: so many of Wald's bounds at the smallest error
ALL, BRIGHT = 0, 1


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of dot.

    Attributes:
        name, about: for the page.
        dot: what is drawn.
        states: whose pairs are credited, of all photons (0) or of bright segments (1).
        truths: of the emitter's own g2(0) (cw: of its mean over the window).
        most: accidental pairs in the budget.
    """

    name: str
    about: str
    dot: Dot | CwDot
    states: tuple[int, ...] = (ALL,)
    truths: tuple[float, ...] = TRUTHS
    most: float = 1000.0

    def budget(self, g: float, signal: float = 1.0) -> float:
        """Accidental pairs that are looked at; time runs on behind a verdict, for the limits must hold there too."""
        r, r0 = 1 + (g - 1) * signal, 1 + (HALF - 1) * signal
        weight = 2.0 * LAGS
        return min(BOUNDS * wald(r, r0, weight, min(ERRORS)) / (r + weight), self.most)


CASES = (
    Case("steady", "steady, 0.03 photons per pulse and detector", Dot()),
    Case("dense", "steady, 0.05 photons per pulse and detector: many pairs share a photon", Dot(0.05, segment=32)),
    Case(
        "background",
        "steady, one photon in six is background of a known rate (31 % of the pairs)",
        Dot(background=0.006),
        truths=FEWER,
        most=400.0,
    ),
    Case(
        "telegraph",
        "bright, or dark at a tenth of the rate, exponential dwells of 1 and 1.5 looks in the mean",
        Dot(dwells=(5.0, 7.5), segment=250, threshold=7),
        (ALL, BRIGHT),
        FEWER,
        400.0,
    ),
    Case(
        "power law",
        "the same with dwells that follow a power law of exponent 1.5 from 0.2 to 200 looks",
        Dot(dwells=(1.0, 1.0), power=1.5, segment=250, threshold=7),
        (ALL, BRIGHT),
        FEWER,
        400.0,
    ),
    Case(
        "all at once",
        "exponential dwells, one photon in six background, and the rate falls to a half by the end of the budget",
        Dot(background=0.006, dwells=(5.0, 7.5), drift=0.5, segment=250, threshold=10),
        (ALL, BRIGHT),
        FEWER,
        400.0,
    ),
    Case(
        "cw",
        "cw light: an antibunching dip upon uncorrelated light, its mean over the window known by segments and by far "
        "pairs; in accidental pairs, not pairs",
        CwDot(),
        truths=(0.1, 0.2, 0.3, 0.5, 0.7, 1.0),
        most=400.0,
    ),
    Case(
        "denser",
        "steady, 0.2 photons per pulse and detector, as no dot has them: pairs share photons even more, so centre and "
        "side go up and down together, and fewer verdicts are wrong",
        Dot(0.2, segment=2),
        truths=(0.3, 0.5, 0.7),
        most=400.0,
    ),
)
