"""Biexciton-exciton cascade under cw light: the cross-correlation that a model of three levels expects.

Three-level model of Marder et al. With the pump G and the decay rates k1 of the exciton X and k2 = ratio * k1 of the
biexciton XX,

    dn2/dt = G n1 - k2 n2,   dn1/dt = G n0 + k2 n2 - (k1 + G) n1,   n0 + n1 + n2 = 1.

A photon of X leaves the emitter in level 0, one of XX in level 1, and g2_ij(tau) = n_j(tau after a photon of i) /
n_j(steady) (Regelman et al., Phys. Rev. Lett. 87, 257401 (2001)). Each is 1 + A exp(-s tau) + B exp(-f tau) with

    s, f = [2 G + k1 + k2 -+ sqrt((k1 - k2)^2 + 4 G k1)] / 2,

so that bin averages and a Gaussian response have closed forms.

The start channel is that of XX, the stop channel that of X, tau = t(stop) - t(start). Filters leak: the XX channel sees
f_x of the X light, the X channel f_xx of the XX light, each as transmission over that of the light that belongs there.
With u the share of X light among the photons of the XX channel, v that of XX light in the X channel,

    g2(tau > 0) = alpha g21 + beta g12 + gamma g11 + delta g22   and alpha, beta exchanged for tau < 0,
    alpha = (1 - u)(1 - v),  beta = u v,  gamma = u (1 - v),  delta = (1 - u) v;
    u / (1 - u) = f_x k1 / (q G),   v / (1 - v) = f_xx q G / k1,   q = eta_XX / eta_X,

for k2 n2 / (k1 n1) = G / k1 in the steady state. Leakages of 1 are light that no filter parts: a symmetric g2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr

Floats = NDArray[np.float64]
FAR = 9.0  # sigmas of the response beyond which it is over
STRAIGHT = -0.3  # share below 0 from which the mixture goes on straight
NAMES = ("k1", "pump", "f_x", "f_xx", "ratio", "yields", "background", "delay", "plateau")


@dataclass(frozen=True, slots=True)
class Cascade:
    """Parameters of a cascade and of how it is seen.

    Attributes:
        k1: decay rate of the exciton, 1/us.
        pump: excitations per us, of ground level and exciton alike.
        f_x: leakage of X light into the XX channel; an estimate may lie below 0 by its noise.
        f_xx: leakage of XX light into the X channel.
        ratio: k2 / k1; 4 where the decays are those of independent electrons and holes.
        yields: eta_XX / eta_X, photons per decay.
        background: share of the accidental pairs in which a click is no photon of the emitter.
        delay: tau of the cascade's zero, ns.
        plateau: pairs at long delays over those expected (above 1 where the emitter blinks).
    """

    k1: float
    pump: float
    f_x: float = 0.0
    f_xx: float = 0.0
    ratio: float = 4.0
    yields: float = 1.0
    background: float = 0.0
    delay: float = 0.0
    plateau: float = 1.0

    @property
    def values(self) -> Floats:
        """float64[9], in the order of NAMES."""
        return np.array([getattr(self, name) for name in NAMES])


def populations(k1: float, pump: float, k2: float) -> Floats:
    """float64[3]: steady share of time without exciton, with one, with two."""
    weights = np.array([k1 * k2, pump * k2, pump * pump])
    return np.asarray(weights / weights.sum())


def time_constants_ns(cascade: Cascade) -> tuple[float, float]:
    """Slow and fast time with which the populations come back to the steady state."""
    slow, fast, *_ = decays(cascade.k1, cascade.pump, cascade.ratio)
    return 1e3 / float(slow.real), 1e3 / float(fast.real)


def g2_bands(tau_ns: ArrayLike, cascade: Cascade) -> Floats:
    """float64[2, 2, n]: g2_ij at delays >= 0, of a photon of i (0: X, 1: XX) and one of j so much later."""
    tau = np.asarray(tau_ns, np.float64) / 1e3
    slow, fast, *terms = (one.real for one in decays(cascade.k1, cascade.pump, cascade.ratio))
    amplitudes = np.array(terms).reshape(2, 2, 2)
    return np.asarray(1.0 + amplitudes @ np.exp(-np.multiply.outer([slow, fast], tau)))


def shares(cascade: Cascade) -> tuple[float, float]:
    """(u, v): share of X light in the XX channel's signal, of XX light in the X channel's."""
    xx_per_x = cascade.yields * cascade.pump / cascade.k1
    return _share(cascade.f_x / xx_per_x), _share(cascade.f_xx * xx_per_x)  # type: ignore[return-value]


def mixture(cascade: Cascade) -> dict[str, float]:
    """alpha, beta, gamma, delta: parts of g21, g12, g11, g22 in the signal's g2 at tau > 0; their sum is 1."""
    u, v = shares(cascade)
    return {"alpha": (1 - u) * (1 - v), "beta": u * v, "gamma": u * (1 - v), "delta": (1 - u) * v}


def overlay(edges_ns: ArrayLike, cascade: Cascade, jitter_ns: float = 0.0) -> Floats:
    """g2 averaged over tau bins, response folded in; nothing is fitted.

    Args:
        edges_ns: float64[n + 1], ascending edges of the bins, tau = t(X channel) - t(XX channel).
        cascade: its parameters.
        jitter_ns: sigma of the two detectors' Gaussian responses together, sqrt(a**2 + b**2).

    Returns:
        float64[n], `plateau` at long delays.
    """
    return bin_averages(np.asarray(edges_ns, np.float64), cascade.values, jitter_ns)


def bin_averages(edges_ns: Floats, values: Floats, jitter_ns: float) -> Floats:
    """As `overlay`, of parameters in the order of NAMES: what a fit calls many times."""
    (curve,) = leaking(edges_ns, values, [(float(values[2]), float(values[3]))], jitter_ns)
    return curve


def leaking(edges_ns: Floats, values: Floats, leakages: Sequence[tuple[float, float]], jitter_ns: float) -> Floats:
    """`bin_averages` for each (f_x, f_xx) of a list, float64[leakages, n]: they differ by four weights only."""
    k1, pump, _, _, ratio, yields, background, delay, plateau = (float(one) for one in values)
    slow, fast, *_ = (one.real / 1e3 for one in decays(k1, pump, ratio))
    at, width = edges_ns - delay, np.diff(edges_ns)
    parts = np.stack(
        [sign * np.diff(_decay(sign * at, rate, jitter_ns)[0]) for rate in (slow, fast) for sign in (1.0, -1.0)]
    )
    weights = np.array([[one.real for one in _sides(k1, pump, *leaks, ratio, yields)[2:]] for leaks in leakages])
    return np.asarray(plateau * (1 + (1 - background) * (weights @ parts) / width))


def bin_slopes(edges_ns: Floats, values: Floats, jitter_ns: float) -> Floats:
    """Derivatives of `bin_averages` by each parameter, float64[9, n]."""
    background, delay, plateau = values[6:9]
    shape = [float(one) for one in values[:6]]
    slow, fast, *sides = (one.real for one in _sides(*shape))
    at, width = edges_ns - delay, np.diff(edges_ns)
    curve, by_delay, by_terms = np.zeros(len(width)), np.zeros(len(width)), np.empty((6, len(width)))
    for term, (rate, after, before) in enumerate(((slow, *sides[:2]), (fast, *sides[2:]))):
        forward, there, forward_rate = (np.diff(one) for one in _decay(at, rate / 1e3, jitter_ns, slopes=True))
        backward, back, backward_rate = (np.diff(one) for one in _decay(-at, rate / 1e3, jitter_ns, slopes=True))
        curve += after * forward - before * backward
        by_delay -= after * there + before * back
        by_terms[term] = (after * forward_rate - before * backward_rate) / 1e3
        by_terms[2 + 2 * term], by_terms[3 + 2 * term] = forward, -backward
    slopes = np.empty((len(NAMES), len(width)))
    # The few steps from parameters to rates and amplitudes are differentiated by an imaginary step: exact.
    for k in range(6):
        moved: list[complex] = list(shape)
        moved[k] += 1e-30j
        slopes[k] = np.array([one.imag / 1e-30 for one in _sides(*moved)]) @ by_terms
    slopes[6], slopes[7] = -curve / (1 - background) if background != 1 else 0.0, by_delay
    slopes[:8] *= plateau * (1 - background) / width
    slopes[8] = 1 + (1 - background) * curve / width
    return slopes


def decays(k1: complex, pump: complex, ratio: complex) -> tuple[complex, ...]:
    """(slow, fast, A11, B11, A12, B12, A21, B21, A22, B22): g2_ij = 1 + A exp(-slow tau) + B exp(-fast tau).

    Rates in the unit of k1 and the pump. Complex numbers, so that derivatives can be taken by an imaginary step.
    """
    k2 = ratio * k1
    fast = (2 * pump + k1 + k2 + ((k1 - k2) ** 2 + 4 * pump * k1) ** 0.5) / 2
    weight = k1 * k2 + pump * k2 + pump * pump  # also slow * fast
    slow = weight / fast
    n1, n2 = pump * k2 / weight, pump * pump / weight
    told: list[complex] = [slow, fast]
    # Level and slope of n_j just after a photon of i.
    for level, slope, steady in ((0, pump, n1), (0, 0, n2), (1, -k1 - pump, n1), (0, pump, n2)):
        told.append((fast * (level - steady) + slope) / (fast - slow) / steady)
        told.append(-(slow * (level - steady) + slope) / (fast - slow) / steady)
    return tuple(told)


def _sides(
    k1: complex, pump: complex, f_x: complex, f_xx: complex, ratio: complex, yields: complex
) -> tuple[complex, ...]:
    """(slow, fast, A after, A before, B after, B before zero) of the signal's g2."""
    slow, fast, a11, b11, a12, b12, a21, b21, a22, b22 = decays(k1, pump, ratio)
    xx_per_x = yields * pump / k1
    u, v = _share(f_x / xx_per_x), _share(f_xx * xx_per_x)
    alpha, beta, gamma, delta = (1 - u) * (1 - v), u * v, u * (1 - v), (1 - u) * v
    a, b = gamma * a11 + delta * a22, gamma * b11 + delta * b22
    return (
        slow, fast, alpha * a21 + beta * a12 + a, beta * a21 + alpha * a12 + a,
        alpha * b21 + beta * b12 + b, beta * b21 + alpha * b12 + b,
    )  # fmt: skip


def _share(x: complex) -> complex:
    """x / (1 + x), drawn out straight far below 0: a fit's noise about no leakage is not cut off."""
    return x / (1 + x) if x.real > STRAIGHT else (x + STRAIGHT * STRAIGHT) / (1 + STRAIGHT) ** 2


def _decay(t: Floats, rate: float, sigma: float, slopes: bool = False) -> tuple[Floats, ...]:
    """Integral up to t of exp(-rate t) from t = 0 on, folded with a Gaussian; its slopes by t and by the rate.

    Float64, shape of t, each; only the first without `slopes`.
    """
    # What is folded, at t, is `decay`: exp(-rate t) far behind zero, nothing far before it.
    decay, passed, bell = np.zeros(len(t)), np.zeros(len(t)), np.zeros(len(t))
    reach = FAR * sigma + rate * sigma * sigma
    late, near = t > reach, np.abs(t) <= reach
    decay[late], passed[late] = np.exp(rate * (0.5 * rate * sigma * sigma - t[late])), 1.0
    if sigma > 0:
        x = t[near] / sigma
        decay[near] = np.exp(rate * sigma * (0.5 * rate * sigma - x) + log_ndtr(x - rate * sigma))
        passed[near], bell[near] = ndtr(x), np.exp(-0.5 * x * x) * (sigma / np.sqrt(2 * np.pi))
    integral = (passed - decay) / rate
    if not slopes:
        return (integral,)
    return integral, decay, -(integral + (rate * sigma * sigma - t) * decay - bell) / rate
