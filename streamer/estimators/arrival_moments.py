"""The estimating equation of a lifetime: what arrival times score against what a trial lifetime predicts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.decay_shape import cumulative, unwrap

Floats = NDArray[np.float64]

PER_LIFETIME = 64  # cells; finer bins tell nothing more
SEEN = 5.0
BASE = 0.25  # of the period at its end is always background region


class ArrivalMoments:
    """Scores of the photons of one or more detectors, as functions of a trial lifetime.

    A photon in the window (from just before the excitation to some lifetimes after it) scores its arrival time less a
    constant a; one in the background region (from there on, at the latest from the last quarter of the period) scores
    -c. The constants are those with which neither a constant background nor a decay of the trial lifetime scores
    anything on average. So at the true lifetime the total score has mean 0, whatever signal and background are, and the
    variance is the sum of squared scores (Poisson counts; estimated background included). As the total is linear in the
    counts, few photons cause no bias, and detectors with excitation times of their own simply add.

    Bins are counted as their middle, and what is predicted is the same: bins may be wide, and the last one short. Bins
    that the card does not record belong to no region: neither background nor decay is expected there.
    """

    def __init__(
        self,
        counts: NDArray[np.int64],
        edges_ns: Floats,
        t0_ns: Floats,
        early_ns: float,
        window_ns: float,
        guess_ns: float,
        hidden: NDArray[np.bool_] | None = None,
    ) -> None:
        """Sum up all that does not depend on the trial lifetime.

        Args:
            counts: int64[n_det, m].
            edges_ns: float64[m + 1], edges of the bins of one period.
            t0_ns: float64[n_det], nanotimes of the excitation.
            early_ns: how long before the excitation the window begins.
            window_ns: when it ends, after the excitation.
            guess_ns: lifetime known roughly, which sets how finely to look.
            hidden: bool[n_det, m], bins that are not recorded; None for none.
        """
        self.period, self.whole = float(edges_ns[-1]), hidden is None
        x, c, n, index, seen = [], [], [], [], []
        offset = 0
        for d, (each, t0) in enumerate(zip(counts, t0_ns, strict=True)):
            first, after = unwrap(edges_ns, t0, early_ns)
            total = np.concatenate([[0], np.cumsum(np.roll(each, -first))])
            last = len(after) - 1
            stop = min(last, int(np.searchsorted(after, window_ns)))
            shown = np.ones(last) if hidden is None else 1.0 - np.roll(hidden[d], -first)
            since = int(np.searchsorted(after, after[0] + (1 - BASE) * self.period))
            if hidden is not None:
                watched = recorded(after, shown)
                since = int(np.searchsorted(watched, (1 - BASE) * watched[-1]))
            since = min(stop, since)
            border = np.flatnonzero(np.diff(shown)) + 1
            at = np.unique(np.concatenate([pooled(after, guess_ns, stop), [since, stop, last], border]))
            seen.append(np.append(shown[at[:-1]], 0.0))
            x.append(after[at])
            n.append(np.append(np.diff(total[at]), 0.0))  # and a seam, so that one array holds all detectors
            index.append(offset + np.array([0, np.searchsorted(at, since), np.searchsorted(at, stop), len(at) - 1]))
            middle = np.append((x[-1][1:] + x[-1][:-1]) / 2, 0.0)
            middle[np.searchsorted(at, stop) :] = 0.0
            c.append(middle)
            offset += len(at)
        self.x, self.c, self.seen = np.concatenate(x), np.concatenate(c), np.concatenate(seen)
        self.begin, self.since, self.stop, self.end = np.array(index).T
        self.photons = self._sums(np.concatenate(n))
        self.widths = self._sums(self._recorded(np.append(np.diff(self.x), 0.0)))

    def _recorded(self, cells: Floats) -> Floats:
        """What of the cells float64[n] is recorded."""
        return cells if self.whole else cells * self.seen

    def _sums(self, cells: Floats) -> Floats:
        """Sums per detector over the cells float64[n]: window, background region, both, and times the arrival time.

        Returns:
            float64[6, n_det]: window, background, overlap, arrival in window, in overlap, squared arrival in window.
        """
        sums = np.concatenate([[0.0], np.cumsum(cells)])
        times = np.concatenate([[0.0], np.cumsum(cells * self.c)])
        squares = np.concatenate([[0.0], np.cumsum(cells * self.c**2)])
        begin, since, stop, end = self.begin, self.since, self.stop, self.end
        return np.array(
            [
                sums[stop] - sums[begin],
                sums[end] - sums[since],
                sums[stop] - sums[since],
                times[stop] - times[begin],
                times[stop] - times[since],
                squares[stop] - squares[begin],
            ]
        )

    def predict(self, tau_ns: float, sigma_ns: float, late_ns: float = 0.0) -> tuple[Floats, Floats, Floats]:
        """Share of a decay in the window, in the background region, and its arrival time in the window; float64[n_det].

        `late_ns` is how much later than said the excitation is.
        """
        g = cumulative(self.x - late_ns, tau_ns, sigma_ns, self.period)
        cells = self._recorded(np.append(np.diff(g), 0.0))
        moments = np.add.reduceat(cells * self.c, self.begin)
        if not self.whole:
            g = np.concatenate([[0.0], np.cumsum(cells)])
        return g[self.stop] - g[self.begin], g[self.end] - g[self.since], moments

    def constants(self, tau_ns: float, sigma_ns: float, known: bool) -> tuple[Floats, Floats]:
        """What a photon in the window and in the background region does not score; float64[n_det] each."""
        window, base, moment = self.predict(tau_ns, sigma_ns)
        if known:
            return moment / window, np.zeros_like(window)
        w_window, w_base, _, w_moment, *_ = self.widths
        det = w_window * base - window * w_base
        return (w_moment * base - moment * w_base) / det, (w_window * moment - window * w_moment) / det

    def score(self, tau_ns: float, sigma_ns: float, known: Floats | None) -> tuple[float, float]:
        """Total score and its variance for a trial lifetime.

        Args:
            tau_ns: trial lifetime.
            sigma_ns: standard deviation of the response.
            known: float64[n_det], background in counts per ns; None when it is to be found from the background region.
        """
        a, c = self.constants(tau_ns, sigma_ns, known is not None)
        window, base, both, moment, moment_both, square = self.photons
        score = moment - a * window - c * base
        if known is not None:
            score = score - known * (self.widths[3] - a * self.widths[0])
        variance = square - 2 * a * moment + a * a * window + c * (c * base + 2 * a * both - 2 * moment_both)
        return float(score.sum()), max(float(variance.sum()), 1e-300)

    def amplitudes(self, tau_ns: float, sigma_ns: float, known: Floats | None) -> tuple[Floats, Floats]:
        """Signal photons and background per ns of each detector, float64[n_det] each, given the lifetime."""
        window, base, _ = self.predict(tau_ns, sigma_ns)
        if known is not None:
            return (self.photons[0] - known * self.widths[0]) / window, known
        det = self.widths[0] * base - window * self.widths[1]
        signal = (self.widths[0] * self.photons[1] - self.widths[1] * self.photons[0]) / det
        return signal, (self.photons[0] * base - self.photons[1] * window) / det

    def shift(self, tau_ns: float, sigma_ns: float, known: Floats | None) -> Floats:
        """Change of the total score per ns that the excitation is later than said; float64[n_det]."""
        a, c = self.constants(tau_ns, sigma_ns, known is not None)
        signal, _ = self.amplitudes(tau_ns, sigma_ns, known)
        late = 0.02 * tau_ns
        window, base, moment = self.predict(tau_ns, sigma_ns, late)
        return signal * (moment - a * window - c * base) / late


def pooled(edges: Floats, scale: float, stop: int) -> NDArray[np.int64]:
    """Indices of edges to keep up to `stop`, PER_LIFETIME cells per `scale`, and beyond four times that per e-fold."""
    per_scale = scale / PER_LIFETIME / (edges[1] - edges[0])
    if per_scale < 1:
        per_scale = 1.0
    even = np.arange(0, min(stop, 4 * PER_LIFETIME * per_scale), per_scale)
    more = math.log(max(stop, 1) / max(even[-1] if len(even) else 0, 1))
    later = np.geomspace(even[-1], stop, int(more * 4 * PER_LIFETIME) + 2) if more > 0 else np.empty(0)
    return np.concatenate([even, later]).astype(np.int64)


def recorded(after: Floats, shown: Floats) -> Floats:
    """The edges float64[m + 1] with the bins float64[m] that are not `shown` shrunk to nothing."""
    return np.concatenate([[0.0], np.cumsum(np.diff(after) * shown)])


def first_look(
    counts: NDArray[np.int64],
    edges_ns: Floats,
    t0_ns: Floats,
    early_ns: float,
    known: Floats | None = None,
    hidden: NDArray[np.bool_] | None = None,
) -> tuple[float, float, float]:
    """Rough lifetime in ns, signal over background at the excitation, and until when (ns) the decay is seen.

    The background is the last quarter of what is recorded of the period, unless known. The lifetime is when all but
    1/e of what is above it has come. The decay is seen while what is still to come of it is SEEN standard errors above
    nothing; so much that noise does not decide the end, which would favour photons that came late by chance.
    Arguments: see `ArrivalMoments`.
    """
    period = float(edges_ns[-1])
    grid = np.linspace(0.0, period, 257)
    total, left = np.zeros(257), period - grid
    if hidden is not None:
        left = np.zeros(257)
    for d, (each, t0) in enumerate(zip(counts, t0_ns, strict=True)):
        first, after = unwrap(edges_ns, t0, early_ns)
        total += np.interp(grid, after - after[0], np.concatenate([[0], np.cumsum(np.roll(each, -first))]))
        if hidden is not None:
            watched = recorded(after, 1.0 - np.roll(hidden[d], -first))
            left += (watched[-1] - np.interp(grid, after - after[0], watched)) / len(counts)
    rest = total[-1] - total
    tail = 192 if hidden is None else int(np.searchsorted(-left, -left[0] / 4))
    base = rest[tail] / left[tail] if known is None else float(known.sum())
    spread = 0.0 if known is None else base / left[tail]
    signal = rest - base * left
    guess = period
    if signal[0] > 0:
        guess = max(float(grid[np.argmax(signal <= math.exp(-1) * signal[0])]) - early_ns, 0.5 * grid[1])
    seen = signal > SEEN * np.sqrt(np.maximum(rest + spread * left**2, 0.0))
    ratio = max(float(signal[0]), 0.0) / guess / max(base, 1 / period)
    return guess, ratio, float(grid[len(seen) - 1 - np.argmax(seen[::-1])]) - early_ns
