"""Multi-excitons: formulas against sums by hand, the simulated emitter's exact values and what the papers print."""

import math

import numpy as np
import pytest

from sources.simulation import cascade
from sources.simulation.parts import State
from sources.simulation.settings import Settings
from streamer.estimators import multiexciton as mx

# Dhawan et al.
SIGMA, ETA_C, ETA_H, RATE, LASER = 2.3e-14, 0.01, 0.07, 2.5e6, 405.0


def by_hand(m: int, nbar: float) -> float:
    return nbar**m * math.exp(-nbar) / math.factorial(m)


def test_photon_energy_of_445_nm():
    assert mx.photon_energy_j(445.0) == pytest.approx(4.4639e-19, rel=1e-4)


def test_mean_excitations_is_the_photons_that_hit_the_cross_section():
    spot = 2e-9
    photons_per_pulse = 0.17e-6 / RATE / mx.photon_energy_j(LASER)
    found = mx.mean_excitations([0.17e-6, 1.7e-6], SIGMA, spot, LASER, RATE)
    assert found == pytest.approx([photons_per_pulse * SIGMA / spot, 10 * photons_per_pulse * SIGMA / spot])


@pytest.mark.parametrize("nbar", [1e-6, 0.1, 1.0, 5.3])
def test_poisson_probabilities(nbar):
    assert mx.probability([0, 1, 3], nbar) == pytest.approx([by_hand(m, nbar) for m in (0, 1, 3)])
    assert mx.at_least([1, 2], nbar) == pytest.approx(
        [sum(by_hand(m, nbar) for m in range(k, 60)) for k in (1, 2)], rel=1e-12
    )


@pytest.mark.parametrize("nbar", [0.05, 0.5, 5.3])
def test_rates_are_the_sums_of_the_paper(nbar):
    eta_x, eta_bx = 1.0, 0.21
    more = 1 - by_hand(0, nbar) - by_hand(1, nbar)
    phi_1 = ETA_C * RATE * (eta_x * by_hand(1, nbar) + (eta_x + eta_bx) * more)
    phi_2 = ETA_C * RATE * sum(by_hand(m, nbar) * (m - 2) * ETA_H for m in range(3, 51))
    assert mx.core_rate_cps(nbar, ETA_C, RATE, eta_x, eta_bx) == pytest.approx(phi_1)
    assert mx.shell_rate_cps(nbar, ETA_C, RATE, ETA_H) == pytest.approx(phi_2)
    assert mx.shell_rate_cps([nbar, nbar], ETA_C, RATE, ETA_H) == pytest.approx([phi_2, phi_2])


def test_the_core_saturates_and_the_shell_does_not():
    """Dhawan et al., figure 3d: 25 kcps x 1.21 is the most of the core; the shell's photons grow with every pair."""
    assert mx.core_rate_cps(50.0, ETA_C, RATE, 1.0, 0.21) == pytest.approx(30_250)
    low, high = mx.shell_rate_cps([10.0, 20.0], ETA_C, RATE, ETA_H)
    assert high - low == pytest.approx(ETA_C * RATE * ETA_H * 10, rel=0.01)


def test_photons_and_g2_are_those_of_the_simulated_emitter():
    state = State(eta_x=0.8, tau_x_ns=20.0, eta_bx=0.3, tau_bx_ns=2.0, eta_mx=(0.2, 0.1), tau_mx_ns=(1.0, 0.5))
    for nbar in (0.1, 1.0, 4.0):
        settings = Settings(states=(state,), nbar=nbar, dark_cps=(0.0, 0.0))
        expected = cascade.counts(settings, state).sum() / settings.eta_c
        assert mx.photons_per_pulse(nbar, [0.8, 0.3, 0.2, 0.1]) == pytest.approx(expected)
        assert mx.g2_zero(nbar, [0.8, 0.3, 0.2, 0.1]) == pytest.approx(cascade.g2_zero(settings, state, 0, 1))


def test_weak_pump_limit_of_the_papers():
    """0.21 of Dhawan et al.; 0.85 of Marder et al."""
    for eta_bx in (0.21, 0.85):
        assert mx.g2_zero(1e-7, [1.0, eta_bx]) == pytest.approx(eta_bx, rel=1e-5)
    assert mx.g2_zero(0.5, [1.0, 0.21]) != pytest.approx(0.21, rel=0.02)


def test_poisson_excitons_of_zhu_et_al():
    """All yields 1: <N> = 0.1 is not antibunched, <N> = 1 (up to 4 photons) weakly; the exciton alone is single."""
    assert mx.g2_zero(0.1, np.ones(4)) == pytest.approx(1.0, abs=1e-3)
    assert 0.9 < mx.g2_zero(1.0, np.ones(4)) < 0.99
    assert mx.g2_zero(1.0, np.ones(40)) == pytest.approx(1.0)
    assert mx.g2_zero(1.0, [1.0, 0.0, 0.0, 0.0]) == 0.0
    assert mx.g2_zero([0.1, 1.0], np.ones(2)).shape == (2,)


def test_cross_section_is_its_definition():
    """Chandrasekaran et al. print 2.0e-14 cm2; their I_s, gamma and slope give 2.6e-14 at 445 nm by the definition."""
    assert mx.cross_section_cm2(445.0, 40e6, 690.0) == pytest.approx(2.588e-14, rel=1e-3)
    # Their slope is 5.9e4 cm2/J, and with it I_s = 797, printed as 790 W/cm2.
    assert mx.cross_section_cm2(445.0, 47e6, 47e6 / 5.9e4) == pytest.approx(2.634e-14, rel=1e-3)


def test_the_shell_s_sum_has_no_end():
    for nbar in (1e-3, 0.5, 10.0, 40.0, 200.0):
        m = np.arange(3, 2000)
        total = float(mx.probability(m, nbar) @ (m - 2.0))
        assert mx.shell_rate_cps(nbar, 1.0, 1.0, 1.0) == pytest.approx(total, rel=1e-6)
