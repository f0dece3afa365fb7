"""Decay expectation: what several detectors with common lifetimes count in their cells, and its derivatives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.decay_cells import Cells
from streamer.estimators.decay_model import Stretched, by_shares, measured_exponential
from streamer.estimators.decay_shape import gaussian_exponential
from streamer.estimators.pile_up import first_photons
from streamer.estimators.response import Measured

Floats = NDArray[np.float64]

COMPONENTS = {"mono": 1, "bi": 2, "tri": 3, "stretched": 1}
OWN = ("background", "shift", "ln_sigma", "ln_photons")  # parameters of each detector
SHARES = {1: (), 2: ("share1",), 3: ("share1", "share2")}


class Expectation:
    """Expected counts as a function of the parameters.

    Parameters: `ln_tau1` ..., of the lifetimes in ns; `share1`, the first lifetime's share of the photons, `share2`,
    the second's share of the others; `ln_beta` of a stretched exponential. And of each detector d: `background{d}`,
    share of all its light; `shift{d}`, ns by which the excitation is later than the cells say; `ln_sigma{d}` of a
    Gaussian response; `ln_photons{d}`, light per pulse, where pile-up is in the model. Otherwise the number of photons
    is the one counted, which is where it is likeliest, and no parameter.

    Args:
        kind: one of COMPONENTS.
        cells: of each detector.
        responses: measured, of each detector; None for a Gaussian.
        pulses: laser pulses within the time of the counts: pile-up is in the model. None: it is not.
        sigma_known: the Gaussian's width is not fitted.

    Attributes:
        names: of the parameters, in order.
        fixed: names of those that are not fitted.
    """

    def __init__(
        self,
        kind: str,
        cells: Sequence[Cells],
        responses: Sequence[Measured | None],
        pulses: float | None = None,
        *,
        sigma_known: bool = False,
    ) -> None:
        self.kind, self.cells, self.responses, self.pulses = kind, cells, responses, pulses
        self.n = COMPONENTS[kind]
        self.period = cells[0].period
        common = [f"ln_tau{k + 1}" for k in range(self.n)] + list(SHARES[self.n])
        self.common = common + (["ln_beta"] if kind == "stretched" else [])
        self.names = self.common + [f"{name}{d}" for d in range(len(cells)) for name in OWN]
        self.fixed = [f"ln_photons{d}" for d in range(len(cells)) if pulses is None]
        self.fixed += [f"ln_sigma{d}" for d, one in enumerate(responses) if sigma_known or one is not None]
        self._stretched = [Stretched(one, self.period) for one in responses] if kind == "stretched" else []
        self._known: tuple[bytes, Floats, Floats] | None = None

    @property
    def counts(self) -> Floats:
        """Of all detectors, in the order of the expected ones."""
        parts = []
        for one in self.cells:
            parts.append(one.counts[one.order][one.seen[one.order]])
            if self.pulses is not None:
                parts.append(np.array([self.pulses - one.photons]))
        return np.concatenate(parts)

    def expected(self, values: Floats) -> Floats:
        """float64[n]."""
        if self._known is not None and self._known[0] == values.tobytes():
            return self._known[1]
        if not np.isfinite(values).all():  # Minuit lost its way
            return np.full(len(self.counts), 1e100)
        parts = []
        for d, cells in enumerate(self.cells):
            light, nothing = self.light(values, d, cells.edges, slopes=False)
            parts.append(self._recorded(d, light, nothing, values[self.own(d) + 3])[0])
        return np.concatenate(parts)

    def slopes(self, values: Floats) -> Floats:
        """float64[k, n]."""
        return self._both(values)[1]

    def own(self, d: int) -> int:
        """Index of the first parameter of detector d."""
        return len(self.common) + len(OWN) * d

    def mixture(self, values: Floats) -> tuple[Floats, Floats]:
        """float64[components] shares of the photons; float64[components - 1, components] derivatives by `share1`..."""
        if self.n == 1:
            return np.ones(1), np.zeros((0, 1))
        if self.n == 2:
            (p,) = values[2:3]
            return np.array([p, 1 - p]), np.array([[1.0, -1.0]])
        p, q = values[3:5]
        return np.array([p, (1 - p) * q, (1 - p) * (1 - q)]), np.array([[1.0, -q, q - 1], [0.0, 1 - p, p - 1]])

    def shape(self, values: Floats, d: int, edges: Floats, *, slopes: bool = True) -> tuple[Floats, Floats]:
        """Light of one detector without background between successive edges, 1 over a period, and its derivatives.

        Returns:
            float64[n - 1]; float64[k, n - 1], or [0, n - 1] without `slopes`.
        """
        at = self.own(d)
        shift, ln_sigma = values[at + 1], values[at + 2]
        y, response = edges - shift, self.responses[d]
        bent = np.zeros((len(self.names) if slopes else 0, len(edges)))
        if self.kind == "stretched":
            found = self._stretched[d](y, values[0], values[1], ln_sigma)
            if slopes:
                bent[at + 1] = -found[1]
                bent[0], bent[at + 2], bent[1] = found[2:]
            return np.diff(found[0]), np.diff(bent, axis=1)
        shares, mixed = self.mixture(values)
        total = np.zeros(len(edges))
        for k in range(self.n):
            found = (
                gaussian_exponential(y, values[k], ln_sigma, self.period, slopes=slopes)
                if response is None
                else measured_exponential(y, values[k], response, self.period, slopes=slopes)
            )
            total += shares[k] * found[0]
            if slopes:
                bent[at + 1] -= shares[k] * found[1]
                bent[k] = shares[k] * found[2]
                bent[self.n : 2 * self.n - 1] += mixed[:, k : k + 1] * found[0]
                if response is None:
                    bent[at + 2] += shares[k] * found[3]
        return np.diff(total), np.diff(bent, axis=1)

    def light(self, values: Floats, d: int, edges: Floats, *, slopes: bool = True) -> tuple[Floats, Floats]:
        """As `shape`, with the background in it."""
        shape, bent = self.shape(values, d, edges, slopes=slopes)
        at, flat = self.own(d), np.diff(edges) / self.period
        background = values[at]
        bent *= 1 - background
        if slopes:
            bent[at] = flat - shape
        return (1 - background) * shape + background * flat, bent

    def by_response(self, values: Floats, d: int) -> Floats:
        """Derivatives of detector d's expected counts by the shares of its measured response, float64[m, n]."""
        response, cells = self.responses[d], self.cells[d]
        assert response is not None
        at, shares = self.own(d), self.mixture(values)[0]
        y = cells.edges - values[at + 1]
        bent = sum(share * by_shares(y, values[k], response, self.period) for k, share in enumerate(shares))
        light = self.light(values, d, cells.edges)[0]
        each = (1 - values[at]) * np.diff(bent, axis=1)
        return self._recorded(d, light, each, values[at + 3])[1]

    def _both(self, values: Floats) -> tuple[Floats, Floats]:
        key = values.tobytes()
        if self._known is None or self._known[0] != key:
            parts = []
            for d, cells in enumerate(self.cells):
                light, slopes = self.light(values, d, cells.edges)
                parts.append(self._recorded(d, light, slopes, values[self.own(d) + 3], own=True))
            expected, bent = (np.concatenate([part[i] for part in parts], axis=-1) for i in (0, 1))
            self._known = key, expected, bent
        return self._known[1], self._known[2]

    def _recorded(
        self, d: int, light: Floats, slopes: Floats, ln_photons: float, *, own: bool = False
    ) -> tuple[Floats, Floats]:
        """Expected counts of the recorded cells in the order of the nanotime; `own`: slopes are by the parameters."""
        cells = self.cells[d]
        light, slopes, seen = light[cells.order], slopes[:, cells.order], cells.seen[cells.order]
        if self.pulses is None:
            light, slopes = light[seen], slopes[:, seen]
            total = float(light.sum())
            per = cells.photons / total
            return per * light, per * (slopes - slopes.sum(axis=1, keepdims=True) * (light / total))
        per_pulse = math.exp(ln_photons)
        light, slopes = per_pulse * light, per_pulse * slopes
        if own:
            slopes[self.own(d) + 3] = light
        expected, bent = first_photons(light, slopes, self.pulses)
        kept = np.append(seen, True)
        # A pulse whose first photon came where nothing is recorded has none.
        expected[-1] += expected[~kept].sum()
        bent[:, -1] += bent[:, ~kept].sum(axis=1)
        return expected[kept], bent[:, kept]
