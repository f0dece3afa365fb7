"""Laws of dwell times by maximum likelihood: exponential, power law, power law with an exponential cut-off.

All three are t**-exponent * exp(-t/cutoff) from `shortest` on. Fixed bins do not show a dwell but a whole number of
bins. A change lies anywhere in its bin, and the bin goes to the state that held more of it, so a dwell of t bins is
seen as n bins with probability max(0, 1 - |t - n|). That triangle is folded into every law: without it exponents
come out wrong. Dwells of one bin stand for shorter ones too, which bins miss in part; they
are not used.

A dwell that the end of the measurement cut off counts by the chance to last that long. Dwells that began before the
measurement must not be given: they are longer than others, by chance of being met.

The power law ends at a longest dwell, because without end it has no mean (exponent below 2), and below 1 no total:
given the longest dwell, the others are a power law up to it, with or without an end of the law itself (Aban,
Meerschaert & Panorska, J. Am. Stat. Assoc. 101, 270 (2006)).

The likelihoods carry Jeffreys' prior, which takes away their bias of order 1/n (Firth, Biometrika 80, 27 (1993));
limits are where they have fallen by 1.92. A measurement ends after a time, not after a number of dwells: one with long
dwells has few of them. That pulls the mean of a dwell's statistic s up by cov(s, t) / (n * mean cycle), which a prior
in proportion to 1 / (mean cycle) takes away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from streamer.estimators.dwell_sample import NODES, WEIGHTS, Sample
from streamer.estimators.estimate import Estimate, unknown
from streamer.estimators.likelihood import Maximum, maximise

EXPONENTIAL, POWER, CUT_OFF = "exponential", "power law", "power law with cut-off"
LEAST = 10  # complete dwells; fewer give no exponent worth the name
STEEPEST, FLATTEST = 8.0, -1.0
FURTHEST = 30.0  # cut-off over longest dwell, beyond which none is seen
ENDS = (1.0, 1.3, 2.0, 4.0, 10.0, 100.0, 1e4)  # of the power law, over the longest dwell, where that one was cut off
STEEP, LEAST_BEYOND = 3.0, 2.0  # exponent; dwells beyond the longest that an endless law has and that did not come
P_REJECT = 0.01
POOL = 5.0
LONGER = 0.05  # bins by which a dwell may look longer, before what looks like two bins is told from shorter ones
SURE = 3.0  # standard deviations of more dwells of one bin than the law has

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DwellLaws:
    """What the dwells of one state say of their law.

    Attributes:
        law: EXPONENTIAL, POWER or CUT_OFF, by BIC; None where there are too few dwells.
        exponent: of the power law, density t**-exponent.
        mean_s: of the exponential law: 1 / its rate; not corrected for dwells that were missed.
        cut_exponent, cutoff_s: of the power law with cut-off.
        bic: law -> Bayesian information criterion; lower is better.
        shortest_s, longest_s: between which dwells were used.
        used: dwells used, those cut off by the end included.
        p_value: of a chi-square test of the chosen law; None with too few classes.
        reason: why there is no law, or why the best one does not fit; else None.
    """

    law: str | None
    exponent: Estimate
    mean_s: Estimate
    cut_exponent: Estimate
    cutoff_s: Estimate
    bic: dict[str, float]
    shortest_s: float
    longest_s: float
    used: int
    p_value: float | None
    reason: str | None

    @property
    def open_end(self) -> bool:
        """Whether the dwells seen do not show that the law ends: an endless one would have few that are longer.

        Below STEEP a power law without end has no variance, so that the dwells seen do not tell the error of a mean.
        """
        high = self.exponent.high
        if self.law != POWER or high is None or (self.exponent.value or 0.0) > STEEP:
            return False
        return self.used * (self.longest_s / self.shortest_s) ** (1 - high) < LEAST_BEYOND


def fit_laws(
    length_s: Floats,
    complete: NDArray[np.bool_],
    bin_s: float | None = None,
    shortest_s: float | None = None,
    edge_s: float = 0.0,
    span_s: float = 0.0,
    laws: Sequence[str] = (EXPONENTIAL, POWER, CUT_OFF),
) -> DwellLaws:
    """Fit the laws of one state's dwell times.

    Args:
        length_s: float64[n], dwells whose beginning was seen.
        complete: bool[n], whose end was seen too.
        bin_s: the fixed bins of which the dwells are whole numbers; None where they have any length.
        shortest_s: shortest dwell that is believed; two bins, or the shortest seen, when left out. More where the
            shortest dwells seen are longer: the law then begins somewhere above one bin.
        edge_s: by how much a dwell looks longer than it is, because a bin goes to its state when less than half of it
            did (see `streamer.estimators.dwells.edge`).
        span_s: how long dwells of all states were looked for; 0 where their number was fixed, and not the time.
        laws: which to fit.
    """
    length_s, complete = np.asarray(length_s, np.float64), np.asarray(complete, bool)
    grid = bin_s is not None
    if not complete.any():
        return _none("no complete dwell", 0)
    if bin_s is not None:
        unit = bin_s
        length = np.floor(length_s / unit + 1e-6)
        seen = length[complete].min()
        # Below one bin nothing is known of the law: the triangle of the first class used must not reach there.
        low = max(2.0 + (edge_s > LONGER * unit), math.ceil((shortest_s or 0.0) / unit - 1e-6), seen + 1 + (seen > 1))
    else:
        unit = max(shortest_s or 0.0, float(length_s[complete].min()))
        length, low = length_s / unit, 1.0
    used = length >= low
    if (used & complete).sum() < LEAST or len(np.unique(length[used & complete])) < 3:
        return _none(f"fewer than {LEAST} complete dwells of {low * unit:.3g} s or more", int(used.sum()))
    sample = Sample(length, complete, low, grid, edge_s / unit if grid else 0.0, span_s / unit)
    fits: dict[str, _Fit] = {}
    if EXPONENTIAL in laws:
        fits[EXPONENTIAL] = _exponential(sample)
    if POWER in laws:
        fits[POWER] = _power(sample)
    if CUT_OFF in laws:
        fits[CUT_OFF] = _cut_off(sample)
    bic = {law: fit.bic for law, fit in fits.items()}
    exponential, cut = fits.get(EXPONENTIAL), fits.get(CUT_OFF)
    absent = unknown("not asked for")
    cutoff = _inverse(cut.estimate("rate"), unit) if cut else absent
    # A cut-off that is not seen is no law of its own, even where BIC would have it by a hair.
    rivals = [one for one in bic if one != CUT_OFF or cutoff.value is not None] or list(bic)
    law = min(rivals, key=lambda one: bic[one])
    p_value = _goodness(sample, fits[law])
    reason = None
    if p_value is not None and p_value < P_REJECT:
        reason = f"none of the laws fits the dwells (best: {law}, p = {p_value:.2g})"
    return DwellLaws(
        law,
        fits[POWER].estimate("exponent") if POWER in fits else absent,
        _inverse(exponential.estimate("rate"), unit) if exponential else absent,
        cut.estimate("exponent") if cut else absent,
        cutoff,
        bic, low * unit, sample.longest * unit, int(sample.n), p_value, reason,
    )  # fmt: skip


def hides(length_s: Floats, complete: NDArray[np.bool_], bin_s: float, edge: float = 0.0) -> bool:
    """Whether dwells shorter than a bin are frequent: more of one bin than a power law that begins at a bin has.

    Args:
        length_s, complete: as in `fit_laws`.
        bin_s: the fixed bin.
        edge: bins by which a dwell looks longer than it is.
    """
    length = np.floor(np.asarray(length_s, np.float64) / bin_s + 1e-6)
    low = 2.0 + (edge > LONGER)
    if (complete & (length >= low)).sum() < LEAST or len(np.unique(length[complete & (length >= low)])) < 3:
        return False
    sample = Sample(length, complete, low, True, edge)
    fit = _power(sample)
    _, log_y, weights = sample.integrals(fit.end)
    t = 1 + (NODES + 1) / 2 * (1 - edge)
    seen = 1 - np.abs(t + edge - 1)

    def expected(exponent: float) -> float:
        own = seen * t**-exponent @ WEIGHTS / 2 * (1 - edge)
        return sample.n * float(own / (weights[0] @ np.exp(-exponent * log_y)))

    error = float(fit.maximum.errors[0])
    mean = expected(fit.exponent)
    spread = math.hypot(math.sqrt(mean + 1), (expected(fit.exponent + error) - expected(fit.exponent - error)) / 2)
    return float((complete & (length == 1)).sum()) > mean + SURE * spread


@dataclass(slots=True)
class _Fit:
    """A law at its best; `tables` are the integrals that it is normalised with."""

    maximum: Maximum
    bic: float
    exponent: float
    rate: float
    end: float
    blurred: str | None = None

    def estimate(self, name: str) -> Estimate:
        if self.blurred is not None:
            return unknown(self.blurred)
        return self.maximum.estimate(name)


def _minimum(penalty, start, limits) -> Maximum:  # type: ignore[no-untyped-def]
    """Minuit's minimum of something that is not a sum over Poisson counts."""
    nothing = np.empty(0)
    return maximise(lambda values: nothing, nothing, start, limits, penalty=penalty, strategy=1)


def _exponential(sample: Sample) -> _Fit:
    tables = sample.integrals(FURTHEST * 3 * sample.longest)
    mean = float((sample.value @ sample.number + sample.cut @ sample.cut_number) / sample.number.sum()) - sample.low
    start = 1 / max(mean, 0.5)

    def penalty(values: Floats) -> float:
        return sum(sample.objective(0.0, values[0], tables, [1]))

    best = _minimum(penalty, {"rate": start}, {"rate": (1e-3 / sample.longest, 20.0)})
    rate = best["rate"]
    value = sample.objective(0.0, rate, tables, [1])[0]
    return _Fit(best, 2 * value + math.log(sample.n), 0.0, rate, FURTHEST * 3 * sample.longest)


def _power(sample: Sample) -> _Fit:
    given = float(sample.value[-1])
    beyond = len(sample.cut) and sample.cut[-1] > given
    ends = [given] if not beyond else [round(float(sample.cut[-1]) * one) for one in ENDS]
    tables = [sample.integrals(end) for end in ends]
    without = None if beyond else given

    def penalty(values: Floats) -> float:
        return min(sum(sample.objective(values[0], 0.0, one, [0], without)) for one in tables)

    best = _minimum(penalty, {"exponent": 1.5}, {"exponent": (FLATTEST, STEEPEST)})
    exponent = best["exponent"]
    each = [sample.objective(exponent, 0.0, one, [0])[0] for one in tables]
    at = int(np.argmin(each))
    return _Fit(best, 2 * each[at] + 2 * math.log(sample.n), exponent, 0.0, ends[at])


def _cut_off(sample: Sample) -> _Fit:
    tables = sample.integrals(FURTHEST * 3 * sample.longest)

    def penalty(values: Floats) -> float:
        return sum(sample.objective(values[0], values[1], tables, [0, 1]))

    least = 1 / (FURTHEST * sample.longest)
    starts = [(1.5, 3 / sample.longest), (1.0, 10 / sample.longest), (0.0, 20 / sample.longest)]
    start = min(starts, key=lambda one: penalty(np.array(one)))
    best = _minimum(
        penalty, {"exponent": start[0], "rate": start[1]}, {"exponent": (FLATTEST, STEEPEST), "rate": (least, 20.0)}
    )
    exponent, rate = best["exponent"], best["rate"]
    value = sample.objective(exponent, rate, tables, [0, 1])[0]
    blurred = None
    if not best.converged or best.at_bound("rate") or best.at_bound("exponent"):
        blurred = "no cut-off is seen within the longest dwell"
    return _Fit(best, 2 * value + 2 * math.log(sample.n), exponent, rate, FURTHEST * 3 * sample.longest, blurred)


def _inverse(rate: Estimate, unit: float) -> Estimate:
    """A time from a rate in units of 1 / `unit` s; the mean of 1 / rate lies above 1 / mean rate, by its variance."""
    if rate.value is None:
        return rate
    value = unit / rate.value / (1 + ((rate.error or 0.0) / rate.value) ** 2)
    return Estimate(
        value,
        None if rate.error is None else value * rate.error / rate.value,
        None if rate.high is None else unit / rate.high,
        None if not rate.low else unit / rate.low,
    )


def _goodness(sample: Sample, fit: _Fit) -> float | None:
    """Chi-square p-value of the complete dwells in classes of length, pooled until each expects POOL.

    A class expects, of the dwells that reached it, the law's share that ends in it; one that was cut off in it counts
    up to there. Given those that reached them, classes are independent (Cox, J. R. Stat. Soc. B 34, 187 (1972)).
    """
    marks = np.unique(np.round(np.geomspace(sample.low, sample.value[-1] + 1, 60)))
    if not sample.grid:
        marks = np.geomspace(sample.low, sample.value[-1] * (1 + 1e-9), 60)
    inside = Sample(np.concatenate([sample.value[:1], marks]), np.arange(len(marks) + 1) < 1, sample.low, sample.grid,
                    sample.edge)  # fmt: skip
    end = max(fit.end, marks[-1] + 1)
    y, log_y, weights = inside.integrals(end)
    density = np.exp(-fit.exponent * (log_y - log_y[0]) - fit.rate * (y - y[0]))
    beyond = (weights[1:] @ density) / (weights[0] @ density)
    later = np.append(beyond[1:], 0.0)
    place = np.clip(np.searchsorted(marks, sample.value, side="right") - 1, 0, len(marks) - 1)
    observed = np.bincount(place, sample.number, len(marks))
    cut_place = np.clip(np.searchsorted(marks, sample.cut, side="right") - 1, 0, len(marks) - 1)
    cut = np.bincount(cut_place, sample.cut_number, len(marks))
    whole = (observed + cut)[::-1].cumsum()[::-1] - cut  # that reached a class and were not cut off in it
    ends = 1 - later / np.maximum(beyond, 1e-300)
    part = 1 - np.interp(sample.cut, marks, beyond) / np.maximum(beyond[cut_place], 1e-300)
    expected = whole * ends + np.bincount(cut_place, sample.cut_number * part, len(marks))
    variance = whole * ends * (1 - ends) + np.bincount(cut_place, sample.cut_number * part * (1 - part), len(marks))
    cells, held = [], 0.0
    at = 0
    for index, one in enumerate(expected):
        held += one
        if held >= POOL:
            cells.append(at)
            at, held = index + 1, 0.0
    freedom = len(cells) - (2 if fit.exponent and fit.rate else 1)
    if freedom < 1:
        return None
    o, e, v = (np.add.reduceat(one, cells) for one in (observed, expected, variance))
    return float(gammaincc(freedom / 2, float(((o - e) ** 2 / np.maximum(v, 1e-9)).sum()) / 2))


def _none(reason: str, used: int) -> DwellLaws:
    one = unknown(reason)
    return DwellLaws(None, one, one, one, one, {}, math.nan, math.nan, used, None, reason)
