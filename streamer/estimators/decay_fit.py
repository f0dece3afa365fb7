"""Decay fit: lifetimes by Poisson maximum likelihood, behind a response, on a background, wrapped at the period."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamer.errors import InputError
from streamer.estimators.decay_answer import LEAST_SIGNAL, MOST_PERIODS, DecayFit, answer_of
from streamer.estimators.decay_cells import make_cells
from streamer.estimators.decay_expectation import COMPONENTS, Expectation
from streamer.estimators.decay_start import STEPS, clusters, spectrum, uphill
from streamer.estimators.likelihood import Maximum, maximise
from streamer.estimators.response import Measured

Floats = NDArray[np.float64]

EARLY = 2.0  # ns before the excitation that belong to it, by the response's tail; an eighth of the period at most
REACH = 4.0  # standard deviations on both sides in which a Gaussian response is looked at finely
DARKEST = 1e-6  # share of background: no bin is believed to be empty for certain
PLACES, SHORT = (0, -1, 1, -2, 2, -4, 4), 5  # in widths of a measured response, where its light is tried; steps
FAST = 0.05  # of the response's width: whatever is faster looks like the response itself


def fit_decay(
    counts: NDArray[np.int64],
    bin_ns: float,
    period_ns: float,
    t0_ns: ArrayLike,
    *,
    model: str = "auto",
    sigma_ns: ArrayLike = 0.1,
    sigma_known: bool = False,
    responses: Sequence[Measured | None] | None = None,
    hidden: NDArray[np.bool_] | None = None,
    pulses: float | None = None,
    intervals: bool = True,
) -> DecayFit:
    """Fit the decays of several detectors with common lifetimes, each with its own amount, background and response.

    Counts are Poisson's, so the likelihood is theirs and never least squares. The expected count of a bin is the
    model's integral over it. With `pulses` the likelihood is that of the first photons of so many pulses, in the order
    of the nanotime: pile-up needs no correction of the data then. "auto" takes the model with the lowest BIC.

    Args:
        counts: int64[n_det, n_bins], photons by nanotime.
        bin_ns: width of a bin.
        period_ns: laser period; need not be a whole number of bins.
        t0_ns: float[n_det], nanotimes of the excitation, to start from: they are fitted.
        model: "auto" or one of COMPONENTS.
        sigma_ns: float[n_det] or float, standard deviation of a Gaussian response, to start from.
        sigma_known: it is not fitted.
        responses: measured, one per detector, None for a Gaussian.
        hidden: bool[n_det, n_bins], bins that the card does not record.
        pulses: laser pulses within the time of the counts, to have pile-up in the model; None for none.
        intervals: profile-likelihood intervals; False: none, which is faster.

    Raises:
        InputError: no such model; bins that end before the period; more photons than pulses.
    """
    if model != "auto" and model not in COMPONENTS:
        raise InputError(f"decay_model: must be auto, {', '.join(COMPONENTS)}, got {model!r}; correct `decay_model`")
    counts = np.asarray(counts)
    n_det = len(counts)
    t0 = np.broadcast_to(np.asarray(t0_ns, float), n_det)
    sigma = np.broadcast_to(np.asarray(sigma_ns, float), n_det)
    measured: list[Measured | None] = list(responses) if responses is not None else [None] * n_det
    if pulses is not None and counts.sum(axis=1).max() >= pulses:
        raise InputError(
            f"pile_up: {counts.sum(axis=1).max()} photons of a detector cannot each be the first of {pulses:.0f} laser "
            'pulses; set pile_up = "warn"'
        )
    width = [float(s) if one is None else one.sigma_ns for s, one in zip(sigma, measured, strict=True)]
    early = min(period_ns / 8, max(EARLY, 6 * max(width)))
    cells = []
    for d in range(n_det):
        one = measured[d]
        reach = (-REACH * width[d], REACH * width[d])
        if one is not None:
            reach = (one.start_ns, one.start_ns + one.bin_ns * len(one.shares))
        fine = width[d] if one is None else one.fine_ns
        gaps = None if hidden is None or not hidden[d].any() else hidden[d]
        cells.append(make_cells(counts[d], bin_ns, period_ns, float(t0[d]), early, fine, reach, gaps))
    photons = int(sum(one.photons for one in cells))
    if photons < LEAST_SIGNAL:
        return DecayFit(None, photons=photons, reason=f"{photons} photons: fewer than {LEAST_SIGNAL:.0f}")
    least = max(FAST * min(width), bin_ns / 30, 5e-4)
    start = spectrum(cells, measured, width, least, period_ns)
    tried = tuple(COMPONENTS) if model == "auto" else (model,)
    fits: dict[str, tuple[Expectation, Maximum]] = {}
    for kind in tried:
        if "mono" in fits and "bi" in fits:
            gain = fits["mono"][1].deviance - fits["bi"][1].deviance
            # Where a second lifetime is one too many, so is a third; where it gains next to nothing, so does a stretch.
            if gain < {"tri": 2.0, "stretched": 0.5}[kind] * math.log(max(photons, 2)):
                continue
        expectation = Expectation(kind, cells, measured, pulses, sigma_known=sigma_known)
        guess = _Guess(expectation, start, width, least, bin_ns)
        begin = guess.values
        if any(one is not None for one in measured):
            # A narrow response that is off by more than its width is at no loss wherever it is.
            steps = np.array([width[d] if one is None else max(one.fine_ns, bin_ns) for d, one in enumerate(measured)])
            begin = min((guess.uphill(k * steps, SHORT) for k in PLACES), key=guess.loss)
        fits[kind] = expectation, guess.maximum(begin)
    able = {kind: fit for kind, fit in fits.items() if fit[1].converged} or fits
    bic = {kind: fit.bic(photons) for kind, (_, fit) in able.items()}
    best = min(bic, key=bic.__getitem__)
    bic = {kind: value - bic[best] for kind, value in bic.items()}
    return answer_of(*able[best], bic, counts.shape[1], least, intervals)


class _Guess:
    """Where the search begins, and within which bounds: from the spectrum of lifetimes on."""

    def __init__(
        self,
        expectation: Expectation,
        start: tuple[Floats, Floats, Floats],
        width: list[float],
        least: float,
        bin_ns: float,
    ) -> None:
        self.expectation = expectation
        taus, weights = clusters(start[0], start[1], expectation.n)
        background, pulses = start[2], expectation.pulses
        most = 4 * MOST_PERIODS * expectation.period
        values: dict[str, float] = {}
        self.limits: dict[str, tuple[float | None, float | None]] = {}
        for k, tau in enumerate(taus):
            values[f"ln_tau{k + 1}"] = math.log(tau)
            self.limits[f"ln_tau{k + 1}"] = (math.log(least), math.log(most))
        if expectation.n > 1:
            values["share1"] = weights[0]
        if expectation.n > 2:
            values["share2"] = weights[1] / (weights[1] + weights[2])
        self.limits |= {name: (0.0, 1.0) for name in values if name.startswith("share")}
        if expectation.kind == "stretched":
            values["ln_beta"], self.limits["ln_beta"] = math.log(0.8), (math.log(0.2), math.log(2.0))
        for d, cells in enumerate(expectation.cells):
            far, narrow = max(1.0, 5 * width[d], 3 * bin_ns), max(0.003, bin_ns / 10)
            values[f"background{d}"], self.limits[f"background{d}"] = max(float(background[d]), 1e-4), (DARKEST, 1.0)
            values[f"shift{d}"], self.limits[f"shift{d}"] = 0.0, (-far, far)
            values[f"ln_sigma{d}"] = math.log(max(width[d], 1.5 * narrow))
            self.limits[f"ln_sigma{d}"] = (math.log(narrow), math.log(max(1.5, 3 * width[d])))
            values[f"ln_photons{d}"] = (
                0.0 if pulses is None else math.log(-math.log1p(-max(cells.photons, 0.5) / pulses))
            )
            self.limits[f"ln_photons{d}"] = (None, None)
        self.names, self.values = tuple(values), np.array(list(values.values()))
        fixed = np.array([name in expectation.fixed for name in values])
        ends = [[-math.inf if one is None else one for one in self.limits[name]] for name in values]
        self._low, high = np.array(ends).T
        self._high = np.where(np.isfinite(high), high, math.inf)
        self._low, self._high = (np.where(fixed, self.values, end) for end in (self._low, self._high))

    def uphill(self, shifts: Floats | float = 0.0, steps: int = STEPS) -> Floats:
        """The parameters after some steps from where the excitation is this much later."""
        begin = self.values.copy()
        begin[[self.names.index(f"shift{d}") for d in range(len(self.expectation.cells))]] += shifts
        return uphill(self.expectation, begin, self._low, self._high, steps)

    def loss(self, values: Floats) -> float:
        """Minus the log-likelihood, up to a constant."""
        expected = np.maximum(self.expectation.expected(values), 1e-12)
        return float(np.sum(expected - self.expectation.counts * np.log(expected)))

    def maximum(self, begin: Floats) -> Maximum:
        """The likeliest parameters."""
        values = uphill(self.expectation, begin, self._low, self._high)
        # Minuit sees no slope at a bound.
        span = np.where(np.isfinite(self._high - self._low), self._high - self._low, 1.0)
        values = np.clip(values, self._low + 1e-6 * span, self._high - 1e-6 * span)
        return maximise(
            self.expectation.expected, self.expectation.counts, dict(zip(self.names, values.tolist(), strict=True)),
            self.limits, self.expectation.fixed, self.expectation.slopes, strategy=0,
            search=[name for name in self.names if name.startswith(("ln_tau", "ln_beta", "ln_sigma", "shift"))],
        )  # fmt: skip
