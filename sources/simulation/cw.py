"""Exact expected values under cw light: the rate matrix of ground level, exciton, biexciton and shelf, and its g2.

The pump G takes the ground level to the exciton and that to the biexciton; these decay with k1 = 1 / tau_x and
k2 = 1 / tau_bx; k_shelve leads from the exciton to a dark level, k_return from there to the ground level. A photon of
band i leaves the dot in a known level, from which the populations n(tau) relax, and

    g2_ij(tau) = n_j(tau | after i) / n_j(steady state)

(three-level model of Marder et al.; of two levels 1 - exp(-(G + k1) tau), Chandrasekaran et al.). What two detectors
see is the mean of g2_ij weighted by the rates at which they see the bands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sources.simulation.detectors import detectors, transmission
from sources.simulation.parts import State
from sources.simulation.relaxation import propagator
from sources.simulation.settings import COHERENT, Settings

GROUND, EXCITON, BIEXCITON, SHELF = range(4)
EMITS = (EXCITON, BIEXCITON)  # level that emits the photons of band X, BX
LEAVES = (GROUND, EXCITON)  # level in which such a photon leaves the dot

Floats = NDArray[np.float64]


def rate_matrix(settings: Settings, state: State) -> Floats:
    """float64[4, 4] per ns: d n / d tau = matrix @ n, for ground level, exciton, biexciton, shelf."""
    pump, matrix = settings.pump_per_us / 1e3, np.zeros((4, 4))
    matrix[EXCITON, GROUND] = pump
    matrix[GROUND, EXCITON] = 1 / state.tau_x_ns
    matrix[BIEXCITON, EXCITON] = pump if settings.levels == 3 else 0.0
    matrix[EXCITON, BIEXCITON] = 1 / state.tau_bx_ns
    matrix[SHELF, EXCITON] = settings.shelve_per_us / 1e3
    matrix[GROUND, SHELF] = settings.return_per_us / 1e3
    return matrix - np.diag(matrix.sum(axis=0))


def populations(settings: Settings, state: State) -> Floats:
    """float64[4]: steady share of time in each level."""
    rows = np.vstack([rate_matrix(settings, state), np.ones(4)])
    found = np.linalg.lstsq(rows, np.array([0.0, 0.0, 0.0, 0.0, 1.0]), rcond=None)[0]
    steady: Floats = np.clip(found, 0.0, None)
    return steady


def time_constants_ns(settings: Settings, state: State) -> list[float]:
    """Decay times of g2 in ns, longest first; levels that are never reached have none."""
    used = [GROUND, EXCITON]
    used += [BIEXCITON] if settings.levels == 3 else []
    used += [SHELF] if settings.shelve_per_us > 0 else []
    values = np.linalg.eigvals(rate_matrix(settings, state)[np.ix_(used, used)]).real
    return [float(-1 / value) for value in np.sort(values)[::-1][1:]]


def bands_cps(settings: Settings, state: State) -> Floats:
    """float64[detectors, 2]: photons of X and BX per second that each detector sees."""
    through = transmission(settings, 2) * settings.eta_c
    if settings.model == COHERENT:
        return through * [settings.pump_per_us * 1e6 * state.eta_x, 0.0]
    steady = populations(settings, state)
    x = steady[EXCITON] * state.eta_x / state.tau_x_ns
    bx = steady[BIEXCITON] * state.eta_bx / state.tau_bx_ns
    return through * [x * 1e9, bx * 1e9]


def g2_bands(settings: Settings, state: State, tau_ns: ArrayLike) -> Floats:
    """float64[2, 2, n]: g2_ij at tau >= 0, for a photon of band i (X, BX) and one of band j a time tau later."""
    tau = np.atleast_1d(np.asarray(tau_ns, np.float64))
    if settings.model == COHERENT:
        return np.ones((2, 2, len(tau)))
    matrix, steady = rate_matrix(settings, state), populations(settings, state)
    curves = np.empty((2, 2, len(tau)))
    for at, delay in enumerate(tau):
        moved = propagator(matrix, float(delay))
        for i in (0, 1):
            after = moved[:, LEAVES[i]]
            curves[i, :, at] = [after[j] / steady[j] if steady[j] > 0 else 1.0 for j in EMITS]
    return curves


def g2_curve(settings: Settings, state: State, a: int, b: int, tau_ns: ArrayLike, background: bool = True) -> Floats:
    """g2 of two detectors at delays tau (b minus a), jitter and dead time neglected.

    Args:
        settings: of the stream, under cw light.
        state: one of its states.
        a, b: channels.
        tau_ns: float64[n], of both signs.
        background: with the dark counts, or of the photons alone.

    Returns:
        float64[n].
    """
    tau = np.atleast_1d(np.asarray(tau_ns, np.float64))
    bands, dark = bands_cps(settings, state), detectors(settings).dark_cps * background
    curves = g2_bands(settings, state, np.abs(tau))
    signal = np.where(
        tau >= 0,
        np.einsum("i,j,ijn->n", bands[a], bands[b], curves),
        np.einsum("i,j,jin->n", bands[a], bands[b], curves),
    )
    light = bands.sum(axis=1)
    total = (light[a] + dark[a]) * (light[b] + dark[b])
    flat = total - light[a] * light[b]
    return (signal + flat) / total if total > 0 else np.ones(len(tau))


def truth_of_state(settings: Settings, state: State) -> dict[str, Any]:
    """What is special to cw light: populations, time constants, g2_ij(0+) of the bands."""
    if settings.model == COHERENT:
        return {}
    steady = populations(settings, state)
    zero = g2_bands(settings, state, 0.0)[:, :, 0]
    emits = bands_cps(settings, state).sum(axis=0) > 0
    return {
        "populations": dict(zip(("ground", "exciton", "biexciton", "shelf"), map(float, steady), strict=True)),
        "time_constants_ns": time_constants_ns(settings, state),
        "g2_bands": {
            f"{first}-{second}": float(zero[i, j])
            for i, first in enumerate(("X", "BX"))
            for j, second in enumerate(("X", "BX"))
            if emits[i] and emits[j]
        },
    }
