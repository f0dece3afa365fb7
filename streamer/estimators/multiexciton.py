"""Multi-excitons: how often a laser pulse excites an emitter, what it then emits, and how its emission saturates.

Every photon that is absorbed makes one electron-hole pair, so pairs per pulse are Poisson of mean nbar. m pairs decay
one after another; the step from k pairs to k - 1 gives a photon with the yield eta_k of that order. A pulse that makes
more pairs than there are yields counts as that many: the pairs above are lost before they can shine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import c, h
from scipy.special import gammainc, gammaln, xlogy

Floats = NDArray[np.float64]


def photon_energy_j(wavelength_nm: float) -> float:
    """h nu in joule."""
    return h * c / (wavelength_nm * 1e-9)


def mean_excitations(
    power_w: ArrayLike, sigma_cm2: float, spot_cm2: float, wavelength_nm: float, rate_hz: float
) -> Floats:
    """Mean pairs per pulse, nbar = sigma_abs P / (A_spot h nu f_rep) (Dhawan et al.); float64, shape of `power_w`.

    Args:
        power_w: mean power of the laser at the emitter, W.
        sigma_cm2: absorption cross-section, cm2.
        spot_cm2: area of the focus, cm2.
        wavelength_nm: of the laser.
        rate_hz: pulses per second.
    """
    scale = sigma_cm2 / (spot_cm2 * photon_energy_j(wavelength_nm) * rate_hz)
    return np.asarray(power_w, np.float64) * scale


def probability(pairs: ArrayLike, nbar: ArrayLike) -> Floats:
    """Poisson probability of exactly so many pairs in a pulse; float64, the arguments' common shape."""
    pairs, nbar = np.asarray(pairs, np.float64), np.asarray(nbar, np.float64)
    return np.exp(xlogy(pairs, nbar) - nbar - gammaln(pairs + 1))


def at_least(pairs: ArrayLike, nbar: ArrayLike) -> Floats:
    """Poisson probability of so many pairs (1 or more) in a pulse or above, without loss of digits at small nbar."""
    return np.asarray(gammainc(np.asarray(pairs, np.float64), np.asarray(nbar, np.float64)))


def core_rate_cps(nbar: ArrayLike, eta_c: float, rate_hz: float, eta_x: float, eta_bx: float) -> Floats:
    """phi_1 = eta_C f_rep [eta_X P(1) + (eta_X + eta_BX) P(>1)], counts/s of an emitter of at most two excitons.

    Dhawan et al.; float64, shape of `nbar`.

    Args:
        nbar: mean pairs per pulse.
        eta_c: detected share of the photons.
        rate_hz: pulses per second.
        eta_x, eta_bx: yields of exciton and biexciton.
    """
    return eta_c * rate_hz * (eta_x * at_least(1, nbar) + eta_bx * at_least(2, nbar))


def shell_rate_cps(nbar: ArrayLike, eta_c: float, rate_hz: float, eta_h: float) -> Floats:
    """phi_2 = eta_C f_rep eta_H sum over m > 2 of P(m) (m - 2), counts/s of the pairs that the core cannot hold.

    Dhawan et al., one yield eta_H for all of them; float64, shape of `nbar`. The sum is nbar P(>1) - 2 P(>2).
    """
    nbar = np.asarray(nbar, np.float64)
    return np.asarray(eta_c * rate_hz * eta_h * (nbar * at_least(2, nbar) - 2 * at_least(3, nbar)))


def photons_per_pulse(nbar: ArrayLike, yields: ArrayLike) -> Floats:
    """Mean photons emitted per pulse, sum over k of eta_k P(>= k); float64, shape of `nbar`.

    Args:
        nbar: mean pairs per pulse.
        yields: float64[K], of exciton, biexciton, triexciton ...
    """
    yields = np.asarray(yields, np.float64)
    orders = np.arange(1, len(yields) + 1)
    return at_least(orders, np.asarray(nbar, np.float64)[..., None]) @ yields


def g2_zero(nbar: ArrayLike, yields: ArrayLike) -> Floats:
    """g2(0) under pulses, all photons seen alike: sum over j != k of eta_j eta_k P(>= max(j, k)) / photons**2.

    1 for yields of 1 and orders without end (the photons are then Poisson as the pairs are), 0 for the exciton alone,
    eta_BX / eta_X for weak pumping (Nair et al., Nano Lett. 11, 1136 (2011)). Zhu et al. simulated it for nbar 0.1, 1.

    Args:
        nbar: mean pairs per pulse, above 0.
        yields: float64[K], of exciton, biexciton, triexciton ...; the first is above 0.

    Returns:
        float64, shape of `nbar`.
    """
    yields = np.asarray(yields, np.float64)
    orders = np.arange(1, len(yields) + 1)
    # Pairs of photons whose higher order is k: eta_k with every order below it, either way round.
    below = np.concatenate([[0.0], np.cumsum(yields)[:-1]])
    pairs = at_least(orders, np.asarray(nbar, np.float64)[..., None]) @ (2 * yields * below)
    return np.asarray(pairs / photons_per_pulse(nbar, yields) ** 2)


def cross_section_cm2(wavelength_nm: float, gamma_per_s: float, saturation_w_cm2: float) -> float:
    """sigma = h nu gamma / I_s in cm2 (Chandrasekaran et al.), under cw light.

    Args:
        wavelength_nm: of the laser.
        gamma_per_s: decay rate of the exciton.
        saturation_w_cm2: intensity at which the pump rate is gamma.
    """
    return photon_energy_j(wavelength_nm) * gamma_per_s / saturation_w_cm2
