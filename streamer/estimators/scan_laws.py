"""Laws of a scan: what a quantity does with power or temperature, with first guesses and bounds for its parameters.

    constant     y
    linear       intercept + slope x
    power_law    amplitude (x / x_m)**exponent, x_m the geometric mean of the scan; by the logarithm of y
    saturation   rate_max x / (x + I_s) [+ linear x] [+ dark]
    pump_rate    a time in ns: 1000 / (gamma + slope x), that is 1/t = gamma + w_p with w_p linear in the power
    arrhenius    rate = k0 + A exp(-E_a / k_B T); y is the rate, or with `arrhenius_time` a time in ns, x in kelvin
    quenching    a time in ns: tau0 / (1 + C exp(-E_a / k_B T)), non-radiative loss beside a constant rate
    emission     eta_C f_rep [eta_X P(1) + (eta_X + eta_BX) P(>1)] + eta_C f_rep eta_H sum_{m>2} P(m) (m - 2) [+ dark]
    g2_power     2 eta_X eta_BX P(>1) / [eta_X P(>0) + eta_BX P(>1)]**2, which is eta_BX / eta_X for weak pumping

P is the Poisson law of mean nbar = nbar_per_x x. The last two are those of pulsed multi-exciton emission (Dhawan et
al.); yield_x stands for eta_C eta_X, yield_h for eta_C eta_H, ratio for eta_BX / eta_X.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.scan_emission import emission, emission_limits, emission_start, g2_limits, g2_power, g2_start

Floats = NDArray[np.float64]
Numbers = Mapping[str, float]
K_B_MEV = 0.08617333262  # Boltzmann's constant in meV per kelvin (CODATA 2018)
FAR = 1e3  # times the largest x: a scale beyond it is no scale of this scan


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """One law.

    Attributes:
        names: parameters in the order of `model`'s values.
        units: name -> unit, {x} and {y} stand for those of the axes.
        model: (x float64[n], values float64[k], constants) -> y float64[n].
        start: (x, y, standard errors of y, held parameters, constants) -> first guess of every parameter.
        limits: x -> name -> (least, most), None for none.
        optional: parameters that are 0 unless asked for.
        scales: name -> what to say where the scan leaves an end of its interval open, with {low} and {high}.
        depends: parameters that nothing can be said of when a scale is open.
        constants: names of numbers that must be given.
        needs: parameter that must be known from elsewhere -> why.
        log: y is above 0 with an error that is a share of it; fitted by its logarithm.
        of: units of the quantities that it can be of; None for any.
    """

    names: tuple[str, ...]
    units: Mapping[str, str]
    model: Callable[[Floats, Floats, Numbers], Floats]
    start: Callable[[Floats, Floats, Floats, Numbers, Numbers], dict[str, float]]
    limits: Callable[[Floats], dict[str, tuple[float | None, float | None]]] = lambda x: {}
    optional: tuple[str, ...] = ()
    scales: Mapping[str, str] = field(default_factory=dict)
    depends: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    log: bool = False
    of: tuple[str, ...] | None = None

    def check(self, fixed: Sequence[str], extra: Sequence[str], constants: Numbers) -> None:
        """ValueError for a parameter or constant that the law does not know or lacks."""
        for name in fixed:
            if name not in self.names:
                raise ValueError(f"fixed: must be out of {', '.join(self.names)}, got {name!r}")
        for name in extra:
            if name not in self.optional:
                known = ", ".join(self.optional) or "none"
                raise ValueError(f"extra: must be out of {known}, got {name!r}")
        for name in self.constants:
            if name not in constants:
                raise ValueError(f"{name}: must be given")
        for name, why in self.needs.items():
            if name not in fixed:
                raise ValueError(f"{name}: must be known, {why}")


# ---- plain laws


def _weighted_line(x: Floats, y: Floats, sigma: Floats) -> tuple[float, float]:
    """(intercept, slope) by weighted least squares."""
    columns = np.stack([np.ones_like(x), x], axis=1) / sigma[:, None]
    (intercept, slope), *_ = np.linalg.lstsq(columns, y / sigma, rcond=None)
    return float(intercept), float(slope)


def _constant_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    return {"mean": float(np.average(y, weights=sigma**-2.0))}


def _linear_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    intercept, slope = _weighted_line(x, y, sigma)
    return {"intercept": intercept, "slope": slope}


def _geometric_mean(x: Floats, constants: Numbers) -> float:
    return constants.get("x_m", 1.0)


def _power_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    intercept, slope = _weighted_line(np.log(x / _geometric_mean(x, constants)), np.log(y), sigma / y)
    return {"amplitude": float(np.exp(intercept)), "exponent": slope}


# ---- power


def _saturation(x: Floats, values: Floats, constants: Numbers) -> Floats:
    rate_max, scale, linear, dark = values
    return rate_max * x / (x + scale) + linear * x + dark


def _saturation_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    """The best of a grid of scales, the other parameters by linear least squares."""
    best: tuple[float, dict[str, float]] | None = None
    positive = x[x > 0]
    for scale in np.geomspace(positive.min() / 30, positive.max() * 100, 60):
        columns, names = [x / (x + scale)], ["rate_max"]
        for name, column in (("linear", x), ("dark", np.ones_like(x))):
            if name not in held:
                columns.append(column)
                names.append(name)
        known = held.get("linear", 0.0) * x + held.get("dark", 0.0)
        matrix = np.stack(columns, axis=1) / sigma[:, None]
        solution, *_ = np.linalg.lstsq(matrix, (y - known) / sigma, rcond=None)
        if (solution < 0).any():
            continue
        misfit = float(np.sum((matrix @ solution - (y - known) / sigma) ** 2))
        if best is None or misfit < best[0]:
            best = misfit, dict(zip(names, map(float, solution), strict=True)) | {"I_s": float(scale)}
    # Off the bounds, where a fit would not move from.
    small = {"linear": 0.02 * float(y.max() / x.max()), "dark": 0.02 * float(y.min())}
    found = {"rate_max": 2 * float(y.max()), "I_s": float(x.max()), **small} | (best[1] if best is not None else {})
    return {name: max(found[name], small.get(name, 0.0)) for name in ("rate_max", "I_s", "linear", "dark")}


def _saturation_limits(x: Floats) -> dict[str, tuple[float | None, float | None]]:
    return {"rate_max": (0.0, None), "I_s": (0.0, FAR * float(x.max())), "linear": (0.0, None), "dark": (0.0, None)}


def _pump_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    gamma, slope = _weighted_line(x, 1e3 / y, 1e3 * sigma / y**2)
    return {"gamma": max(gamma, 1e-3 * float((1e3 / y).max())), "slope": slope}


# ---- temperature


def _boltzmann(energy_mev: float, temperature: Floats) -> Floats:
    return np.exp(-energy_mev / (K_B_MEV * temperature))


def _energies(temperature: Floats) -> Floats:
    """Activation energies that temperatures of this range can show."""
    return np.geomspace(0.3 * K_B_MEV * temperature.min(), 15 * K_B_MEV * temperature.max(), 80)


def _arrhenius_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    best: tuple[float, dict[str, float]] | None = None
    for energy in _energies(x) if "E_a" not in held else [held["E_a"]]:
        matrix = np.stack([np.ones_like(x), _boltzmann(float(energy), x)], axis=1) / sigma[:, None]
        (k0, amplitude), *_ = np.linalg.lstsq(matrix, y / sigma, rcond=None)
        misfit = float(np.sum((matrix @ [k0, amplitude] - y / sigma) ** 2))
        # An amplitude a thousand times what is seen is an extrapolation to infinite temperature from its foot.
        if best is None or misfit < best[0]:
            best = misfit, {"k0": float(k0), "A": float(amplitude), "E_a": float(energy)}
    assert best is not None
    return best[1]


def _rates(start: Callable[..., dict[str, float]]) -> Callable[..., dict[str, float]]:
    """First guesses of a law of rates (1/us) from times (ns)."""

    def of_times(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
        return start(x, 1e3 / y, 1e3 * sigma / y**2, held, constants)

    return of_times


def _arrhenius(x: Floats, values: Floats, constants: Numbers) -> Floats:
    k0, amplitude, energy = values
    return k0 + amplitude * _boltzmann(energy, x)


def _quenching_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    found = _arrhenius_start(x, 1 / y, sigma / y**2, {key: held[key] for key in held if key == "E_a"}, constants)
    k0 = found["k0"] if found["k0"] > 0 else float((1 / y).min())
    return {"tau0": 1 / k0, "C": found["A"] / k0, "E_a": found["E_a"]}


def _energy_limits(x: Floats) -> dict[str, tuple[float | None, float | None]]:
    return {"E_a": (0.01 * K_B_MEV * float(x.min()), 100 * K_B_MEV * float(x.max()))}


_NO_SATURATION = "the scan does not reach saturation: above {low} at 95 %"
_ENERGY = "the range of temperatures does not determine it"
_FILLING = "the range of the scan does not show how strongly the emitter is filled"

LAWS: dict[str, Law] = {
    "constant": Law(("mean",), {"mean": "{y}"}, lambda x, v, c: np.full_like(x, v[0]), _constant_start),
    "linear": Law(
        ("intercept", "slope"), {"intercept": "{y}", "slope": "{y} per {x}"}, lambda x, v, c: v[0] + v[1] * x,
        _linear_start,
    ),
    "power_law": Law(
        ("amplitude", "exponent"), {"amplitude": "{y}", "exponent": ""},
        lambda x, v, c: v[0] * (x / _geometric_mean(x, c)) ** v[1], _power_start,
        lambda x: {"amplitude": (0.0, None)}, log=True,
    ),
    "saturation": Law(
        ("rate_max", "I_s", "linear", "dark"),
        {"rate_max": "{y}", "I_s": "{x}", "linear": "{y} per {x}", "dark": "{y}"}, _saturation, _saturation_start,
        _saturation_limits, ("linear", "dark"), {"I_s": _NO_SATURATION}, ("rate_max", "linear"),
        of=("counts/s", ""),
    ),
    "pump_rate": Law(
        ("gamma", "slope"), {"gamma": "1/us", "slope": "1/us per {x}"},
        lambda x, v, c: 1e3 / np.maximum(v[0] + v[1] * x, 1e-12), _pump_start, lambda x: {"gamma": (0.0, None)},
        log=True, of=("ns",),
    ),
    "arrhenius": Law(
        ("k0", "A", "E_a"), {"k0": "{y}", "A": "{y}", "E_a": "meV"}, _arrhenius, _arrhenius_start, _energy_limits,
        scales={"E_a": _ENERGY}, depends=("A",), of=("1/us", "counts/s", "Hz", ""),
    ),
    "arrhenius_time": Law(
        ("k0", "A", "E_a"), {"k0": "1/us", "A": "1/us", "E_a": "meV"},
        lambda x, v, c: 1e3 / np.maximum(_arrhenius(x, v, c), 1e-12), _rates(_arrhenius_start), _energy_limits,
        scales={"E_a": _ENERGY}, depends=("A",), log=True, of=("ns",),
    ),
    "quenching": Law(
        ("tau0", "C", "E_a"), {"tau0": "ns", "C": "", "E_a": "meV"},
        lambda x, v, c: v[0] / np.maximum(1 + v[1] * _boltzmann(v[2], x), 1e-12), _quenching_start,
        lambda x: _energy_limits(x) | {"tau0": (0.0, None)}, scales={"E_a": _ENERGY}, depends=("C",), log=True,
        of=("ns",),
    ),
    "emission": Law(
        ("yield_x", "ratio", "nbar_per_x", "yield_h", "dark"),
        {"yield_x": "", "ratio": "", "nbar_per_x": "per {x}", "yield_h": "", "dark": "{y}"}, emission,
        emission_start, emission_limits, ("yield_h", "dark"), {"nbar_per_x": _FILLING}, ("yield_x", "ratio"),
        ("rate_hz",), of=("counts/s",),
    ),
    "g2_power": Law(
        ("ratio", "nbar_per_x"), {"ratio": "", "nbar_per_x": "per {x}"}, g2_power, g2_start, g2_limits,
        needs={"nbar_per_x": "g2(0) itself hardly depends on it; take it from a fit of `emission`"}, of=("",),
    ),
}  # fmt: skip
