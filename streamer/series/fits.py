"""Fits of a series: points out of recordings, the law, and what follows from its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamer.errors import InputError
from streamer.estimators.estimate import Z95, Estimate, unknown
from streamer.estimators.multiexciton import cross_section_cm2, photon_energy_j
from streamer.estimators.scan_fits import ScanFit, fit_scan
from streamer.estimators.scan_laws import LAWS
from streamer.estimators.scan_points import Pairs, Points, make_points
from streamer.series.counted import Counted
from streamer.series.quantity import find
from streamer.series.reading import Series
from streamer.series.table import HOM, Fit
from streamer.series.units import POWERS, per_cm2, unit_of

NUMBER = ("value", "error", "low", "high")
ABOVE = ("power_law", "arrhenius", "arrhenius_time", "quenching")  # laws of a scan variable above 0
NOT_BELOW = ("saturation", "emission", "g2_power")
SAME_RATE = 0.01  # share by which the laser rates of recordings may differ to be one


@dataclass(frozen=True, slots=True, eq=False)
class FitFound:
    """One fit of a series.

    Attributes:
        fit: what was asked.
        runs: names of the runs of the points.
        points: None where there are none.
        left_out: (run, reason) of the others.
        found: parameters and curve.
        derived: name -> (estimate, unit) that follow from them.
    """

    fit: Fit
    runs: tuple[str, ...]
    points: Points | None
    left_out: tuple[tuple[str, str], ...]
    found: ScanFit
    derived: dict[str, tuple[Estimate, str]]


def fit_series(series: Series, counted: Sequence[Counted]) -> list[FitFound]:
    """Every fit of the table but hom, in its order; InputError for one that lacks a number."""
    done: dict[str, FitFound] = {}
    for at, fit in enumerate(series.table.fit):
        if fit.kind != HOM:
            where = f"{series.path}: fit.{at}"
            done[fit.title] = _one(series, fit, counted, done, where)
    return list(done.values())


def _one(series: Series, fit: Fit, counted: Sequence[Counted], done: Mapping[str, FitFound], where: str) -> FitFound:
    law = LAWS[fit.kind]
    assert fit.of is not None
    lowest = min(one.run.x or 0.0 for one in counted)
    if lowest < 0 if fit.kind in NOT_BELOW else lowest <= 0 and fit.kind in ABOVE:
        rule = "0 or more" if fit.kind in NOT_BELOW else "above 0"
        raise InputError(f"{where}.kind: {fit.kind} needs a scan variable {rule} in every run, got {lowest:g}")
    used, left_out, numbers = [], [], []
    for one in counted:
        number = find(one, fit.of, fit.state)
        if fit.dead_ns and number.value is not None:
            more = _live(one, fit)
            number = scaled(number, more) if more else unknown("no detector with dead_ns could count so many photons")
        weighable = number.error or (number.low is not None and number.high is not None)
        if number.value is None:
            left_out.append((one.run.name, number.reason or "not known"))
        elif not weighable:
            left_out.append((one.run.name, "has no error, so it cannot be weighed"))
        elif law.log and number.value <= 0:
            left_out.append((one.run.name, "is not above 0"))
        else:
            used.append(one)
            numbers.append(number)
    units = dict(law.units)
    runs, refused = tuple(one.run.name for one in used), tuple(left_out)
    if not used:
        nothing = {name: unknown("no recording has this quantity") for name in law.names if name not in law.optional}
        return FitFound(fit, runs, None, refused, ScanFit(fit.kind, nothing, units), {})
    value, error, low, high = ([_or_nan(getattr(one, key)) for one in numbers] for key in NUMBER)
    pairs = _pairs(used, fit) if fit.kind == "g2_power" and fit.of == "g2_0" else None
    x, x_error = [_or_nan(one.run.x) for one in used], [one.run.x_error for one in used]
    points = make_points(x, value, error, low, high, x_error, pairs)
    known = {name: _known(source, name, done) for name, source in fit.known.items()}
    lost = [name for name, value in known.items() if value is None]
    if lost:
        nothing = {
            name: unknown(f"{lost[0]} is not known from the fit {fit.known[lost[0]]!r}")
            for name in law.names
            if name not in (*law.optional, *known, *fit.fixed)
        }
        return FitFound(fit, runs, points, refused, ScanFit(fit.kind, nothing, units), {})
    constants = {"rate_hz": _rate_hz(fit, used, where)} if "rate_hz" in law.constants else {}
    found = fit_scan(
        fit.kind, points, fit.fixed, fit.extra, constants, {name: one for name, one in known.items() if one is not None}
    )
    return FitFound(fit, runs, points, refused, found, _derived(series, fit, found, used, where))


def _live(one: Counted, fit: Fit) -> float | None:
    """By how much more photons came than detectors counted, blind for `dead_ns` after each (not extended by others).

    Under pulses a detector is blind for the whole pulses that lie within its dead time. None where it could not have
    counted so many.
    """
    row, layout = one.row(fit.state) or {}, one.addable.plan.layout if one.addable is not None else None
    rates = np.array(row["photons_per_detector"]) / row["time_s"]
    dead_ns = fit.dead_ns or 0.0
    if layout is not None and layout.pulsed:
        period_ns = layout.period * layout.fine_s * 1e9
        dead_ns = dead_ns // period_ns * period_ns
    blind = rates * dead_ns * 1e-9
    if (blind >= 1).any():
        return None
    return float((rates / (1 - blind)).sum() / rates.sum()) if rates.sum() > 0 else 1.0


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _pairs(used: Sequence[Counted], fit: Fit) -> Pairs | None:
    """Central and side pairs of the state; None where a recording is not pulsed."""
    rows = [one.row(fit.state) or {} for one in used]
    if not all("weight" in row for row in rows):
        return None
    central, side, weight = (np.array([float(row[key]) for row in rows]) for key in ("central", "side_pairs", "weight"))
    return central, side, weight


def _known(source: str | tuple[float, float], name: str, done: Mapping[str, FitFound]) -> tuple[float, float] | None:
    """(value, standard error) from the table, or from a fit above."""
    if not isinstance(source, str):
        return source
    estimate = done[source].found.parameters.get(name)
    if estimate is None or estimate.value is None or not estimate.error:
        return None
    return estimate.value, estimate.error


def _rate_hz(fit: Fit, used: Sequence[Counted], where: str) -> float:
    """The laser's rate: as the table says it, or that of the recordings where it is one."""
    if fit.rate_hz is not None:
        return fit.rate_hz
    rates = [one.summary["sync_rate_hz"] or 1e9 / (one.summary["g2"].get("period_ns") or np.inf) for one in used]
    if min(rates) <= 0 or max(rates) > min(rates) * (1 + SAME_RATE):
        raise InputError(f"{where}.rate_hz: the recordings do not say one laser rate; set rate_hz")
    return float(np.mean(rates))


# ---- what follows from the parameters


def _derived(
    series: Series, fit: Fit, found: ScanFit, used: Sequence[Counted], where: str
) -> dict[str, tuple[Estimate, str]]:
    """Weak-pump lifetime, absorption cross-section; of those parameters that were fitted or are held."""
    parameters = {name: Estimate(value, 0.0, value, value) for name, value in fit.fixed.items()} | found.parameters
    out: dict[str, tuple[Estimate, str]] = {}
    if fit.kind == "pump_rate":
        out["lifetime_ns"] = scaled(parameters["gamma"], 1e3, inverse=True), "ns"
    if fit.wavelength_nm is None:
        return out
    energy, unit = photon_energy_j(fit.wavelength_nm), series.table.scan.unit if series.table.scan is not None else ""
    if fit.kind == "emission" and "nbar_per_x" in parameters and fit.spot_um2 is not None:
        factor = fit.spot_um2 * 1e-8 * energy * _rate_hz(fit, used, where) / POWERS[unit]
        out["sigma_cm2"] = scaled(parameters["nbar_per_x"], factor), "cm2"
    elif fit.kind == "saturation" and fit.lifetime_ns is not None:
        value, error = fit.lifetime_ns if isinstance(fit.lifetime_ns, tuple) else (fit.lifetime_ns, 0.0)
        factor = cross_section_cm2(fit.wavelength_nm, 1e9 / value, per_cm2(unit, fit.spot_um2))
        sigma = scaled(parameters["I_s"], factor, inverse=True)
        out["sigma_cm2"] = _blurred(sigma, error / value), "cm2"
    elif fit.kind == "pump_rate":
        out["sigma_cm2"] = scaled(parameters["slope"], energy * 1e6 / per_cm2(unit, fit.spot_um2)), "cm2"
    return out


def scaled(estimate: Estimate, factor: float, *, inverse: bool = False) -> Estimate:
    """factor * estimate, or factor / estimate; the factor is above 0."""
    if not inverse:
        low, high = (None if one is None else one * factor for one in (estimate.low, estimate.high))
        value = None if estimate.value is None else estimate.value * factor
        return Estimate(value, None if estimate.error is None else estimate.error * factor, low, high, estimate.reason)
    low, high = (None if not one or one <= 0 else factor / one for one in (estimate.high, estimate.low))
    if not estimate.value or estimate.error is None:
        return Estimate(None, None, low, high, estimate.reason or "not known")
    relative = estimate.error / estimate.value
    # A quotient is too high by its relative variance.
    return Estimate(factor / estimate.value / (1 + relative**2), factor / estimate.value * relative, low, high)


def _blurred(estimate: Estimate, relative: float) -> Estimate:
    """With another relative standard error in it."""
    if estimate.value is None or not relative:
        return estimate
    value, extra = estimate.value, estimate.value * relative * Z95
    low = None if estimate.low is None else value - float(np.hypot(value - estimate.low, extra))
    high = None if estimate.high is None else value + float(np.hypot(estimate.high - value, extra))
    error = None if estimate.error is None else float(np.hypot(estimate.error, value * relative))
    return Estimate(value, error, low, high)


def plain_fit(one: FitFound, scan_unit: str) -> dict[str, Any]:
    """As plain JSON."""
    fit, found = one.fit, one.found
    unit = unit_of(fit.of or "")
    points = []
    if one.points is not None:
        p = one.points
        for at, run in enumerate(one.runs):
            points.append({
                "run": run, "x": float(p.x[at]), "x_error": float(p.x_error[at]), "value": float(p.value[at]),
                "low": float(p.value[at] - p.below[at]), "high": float(p.value[at] + p.above[at]),
            })  # fmt: skip
    parameters = {
        name: estimate.plain() | {"unit": name_unit(found.units[name], scan_unit, unit)}
        for name, estimate in found.parameters.items()
    }
    return {
        "name": fit.title, "kind": fit.kind, "of": fit.of, "state": fit.state, "unit": unit, "points": points,
        "left_out": [{"run": run, "reason": reason} for run, reason in one.left_out], "parameters": parameters,
        "derived": {name: estimate.plain() | {"unit": unit} for name, (estimate, unit) in one.derived.items()},
        "chi2": found.chi2, "dof": found.dof, "p_value": found.p_value, "remarks": list(found.remarks),
    }  # fmt: skip


def name_unit(template: str, x_unit: str, y_unit: str) -> str:
    """Units of the axes put into a parameter's."""
    return template.replace("{x}", x_unit or "unit").replace("{y}", y_unit).strip()
