"""Presets of the simulated emitter: a plain dot and its relatives, and the settings of five papers."""

from __future__ import annotations

from dataclasses import replace

from sources.simulation.parts import POWER_LAW, Dwell, State
from sources.simulation.settings import COHERENT, CW, THERMAL, Settings

_DARK = State(eta_x=0.08, tau_x_ns=2.0, eta_bx=0.055, tau_bx_ns=0.7, dwell=Dwell(mean_s=0.25))
_GREY = State(eta_x=0.32, tau_x_ns=5.0, eta_bx=0.11, tau_bx_ns=1.2, dwell=Dwell(mean_s=0.2))
_BRIGHT = State(eta_x=0.9, tau_x_ns=10.0, eta_bx=0.13, tau_bx_ns=2.0, dwell=Dwell(mean_s=0.5))
_SCALE_FREE = Dwell(POWER_LAW, exponent=1.6, min_s=0.005, max_s=20.0)

# Dhawan et al.: CdSe/CdS under 2.5 MHz, 405 nm. Dark states are faster and less pure; the bright one is nearly single.
_GIANT_STATES = (
    State(eta_x=0.12, tau_x_ns=6.0, eta_bx=0.06, tau_bx_ns=0.8, dwell=Dwell(mean_s=0.4)),
    State(eta_x=0.4, tau_x_ns=20.0, eta_bx=0.06, tau_bx_ns=1.5, dwell=Dwell(mean_s=0.4)),
    State(eta_x=0.95, tau_x_ns=45.0, eta_bx=0.02, tau_bx_ns=2.0, dwell=Dwell(mean_s=0.6)),
)
_GIANT = Settings(states=_GIANT_STATES, rate_hz=2.5e6, nbar=0.1, eta_c=0.1, jitter_ps=(60.0, 60.0))
# Marder et al.: quantum shells, biexciton nearly as bright as the exciton and four times as fast.
_SHELL = State(eta_x=1.0, tau_x_ns=30.0, eta_bx=0.9, tau_bx_ns=7.5)
# Zhu et al.: CsPbBr3 at 4 K, all yields 1, up to four photons per pulse, detectors of 50 ps.
_PEROVSKITE = State(
    eta_x=1.0, tau_x_ns=0.57, eta_bx=1.0, tau_bx_ns=0.15, eta_mx=(1.0, 1.0), tau_mx_ns=(0.07, 0.04)
)  # fmt: skip
_COLD = Settings(states=(_PEROVSKITE,), rate_hz=20e6, nbar=0.1, eta_c=0.05, resolution_ps=4.0, jitter_ps=(21.0, 21.0))
# Chandrasekaran et al.: InP/ZnSe, on 99 % of the time with the exponents of the paper.
_OFF = State(0.0, 21.3, 0.0, 0.07, Dwell(POWER_LAW, exponent=2.44, min_s=0.01, max_s=10.0))
_ON = State(0.5, 21.3, 0.0, 0.07, Dwell(POWER_LAW, exponent=1.02, min_s=0.01, max_s=25.0))
_CW = Settings(excitation=CW, mode="T2")

PRESETS: dict[str, Settings] = {
    "": Settings(states=(_DARK, _GREY, _BRIGHT)),
    "steady": Settings(states=(_BRIGHT,)),
    "powerlaw": Settings(states=(replace(_DARK, dwell=_SCALE_FREE), replace(_BRIGHT, dwell=_SCALE_FREE))),
    "single": Settings(states=(replace(_BRIGHT, eta_bx=0.0),), dark_cps=(0.0, 0.0)),
    "poisson": Settings(model=COHERENT, states=(replace(_BRIGHT, eta_x=1.0, eta_bx=0.0),), dark_cps=(0.0, 0.0)),
    "dhawan": _GIANT,
    "dhawan-gate": replace(_GIANT, states=(State(0.5, 30.0, 0.53, 1.74),), nbar=0.5, dark_cps=(0.0, 0.0)),
    "dhawan-high": replace(
        _GIANT,
        states=(State(0.07, 15.0, 0.1, 1.0, eta_mx=(0.07,), tau_mx_ns=(0.25,)),),
        nbar=5.3,
        orders=50,
        dark_cps=(0.0, 0.0),
    ),
    "cascade": replace(_CW, states=(_SHELL,), pump_per_us=2.0, eta_c=0.03, filters=((0.05, 1.0), (1.0, 0.02))),
    "shells": Settings(states=(replace(_SHELL, eta_bx=0.88),), rate_hz=5e6, nbar=0.1, dark_cps=(0.0, 0.0)),
    "perovskite": _COLD,
    "superradiant": replace(_COLD, states=(replace(_PEROVSKITE, tau_x_ns=0.15, tau_bx_ns=0.07),)),
    "cw": replace(
        _CW, states=(_OFF, _ON), levels=2, pump_per_us=4.85, eta_c=0.04, dark_cps=(670.0, 670.0),
        jitter_ps=(150.0, 150.0),
    ),
    "shelving": replace(
        _CW, states=(State(0.9, 20.0, 0.0, 5.0),), levels=2, pump_per_us=10.0, shelve_per_us=1.0, return_per_us=0.5,
        eta_c=0.02,
    ),
    "thermal": Settings(model=THERMAL, states=(replace(_BRIGHT, eta_x=1.0, eta_bx=0.0),), dark_cps=(0.0, 0.0)),
}  # fmt: skip
