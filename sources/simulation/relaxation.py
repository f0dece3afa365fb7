"""Relaxation of the levels of a simulated emitter: the propagator of a rate matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TERMS = 20  # of a series whose terms fall faster than 1 / n!


def propagator(rates: NDArray[np.float64], t: float) -> NDArray[np.float64]:
    """Matrix exponential of a rate matrix times a time, by uniformisation and squaring: no term is negative.

    Args:
        rates: float64[n, n]: off the diagonal rates, from 0; on it minus the sum of the row (or of the column).
        t: in the inverse unit of the rates, from 0.

    Returns:
        float64[n, n]: probabilities of a level after t (columns) from each level (rows), or the other way round, as in
        `rates`.
    """
    fastest = float(-rates.diagonal().min())
    unit = np.eye(len(rates))
    if fastest * t <= 0:
        return unit
    halvings = max(0, int(np.ceil(np.log2(fastest * t))))
    step = fastest * t / 2**halvings
    jump = unit + rates / fastest
    term = unit * np.exp(-step)
    total = term.copy()
    for n in range(1, _TERMS):
        term = term @ jump * (step / n)
        total += term
    for _ in range(halvings):
        total = total @ total
    return total
