"""Study of g2: corrected for background, bunching named, and fitted: the comb of pulsed light, the dip of cw light."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.answers import Correlation
from streamer.estimators.antibunching import Dip, fit_dip
from streamer.estimators.background import signal_share, without_background
from streamer.estimators.bunching import bunching
from streamer.estimators.comb_fit import CombFit, fit_comb
from streamer.estimators.estimate import unknown
from streamer.estimators.g2 import CwZero, PulsedG2
from streamer.result import Axis, Result
from streamer.study import Values, View

NAME = "g2_fit"
NEEDS = ("pairs", "times")
MISFIT = 0.01  # chance of a worse fit, below which the model is not the emitter's
RAISED = 1.05  # times the accidental pairs: as much a drift within segments may do


def study(view: View) -> list[Result]:
    """Every row of the first pair; see the estimators for what each number is."""
    if not view.answers.correlations:
        return []
    correlation = view.answers.correlations[0]
    layout = view.plan.layout
    rows: dict[str, Values] = {}
    curves = np.full(correlation.tau_counts.shape, np.nan)
    for row, name in enumerate(view.rows):
        zero = correlation.zero[row]
        value = zero.g2_0 if isinstance(zero, PulsedG2) else zero.value
        rows[name] = {
            "without_background": _corrected(view, correlation, row),
            "bunching": bunching(zero.low, zero.high) if value is not None else None,
        }
        if layout.pulsed:
            values, curves[row] = _comb(view, correlation, row)
        else:
            values, curves[row] = _dip(view, correlation, row)
        rows[name] |= values
    axis = Axis("tau", "ns", layout.tau_ns())
    told = {"pair": list(correlation.pair), "kind": "pulsed" if layout.pulsed else "cw", "rows": rows}
    return [Result(NAME, "curves", (axis,), {"g2": curves}, view.rows, told)]


def _corrected(view: View, correlation: Correlation, row: int) -> Values | None:
    """g2(0) of the signal alone; None where no background was given."""
    if view.settings.background_cps is None:
        return None
    zero = correlation.zero[row]
    first, second = (view.settings.background(channel) for channel in correlation.pair)
    if first is None or second is None:
        missing = correlation.pair[0 if first is None else 1]
        return unknown(f"background_cps does not name channel {missing}").plain()
    time_s = float(correlation.time_s[row])
    if not time_s > 0:
        return unknown("no time was spent there").plain()
    a, b = (float(photons) / time_s for photons in correlation.photons[row])
    share = signal_share(
        (a, b), (first[0], second[0]), (first[1], second[1]), _product(view, correlation, row) / time_s
    )
    value = zero.g2_0 if isinstance(zero, PulsedG2) else zero.value
    return without_background(value, zero.low, zero.high, share, zero.reason).plain()


def _product(view: View, correlation: Correlation, row: int) -> float:
    """Integral of the product of both detectors' rates over the time that g2(0) is normalised by, counts^2/s."""
    layout, zero = view.plan.layout, correlation.zero[row]
    if correlation.peaks_expected is not None:  # pairs of photons in the same pulse, were they independent
        return float(correlation.peaks_expected[row][layout.lags]) / (layout.period * layout.fine_s)
    assert isinstance(zero, CwZero)
    return zero.expected / (zero.window_ns * 1e-9)


def _comb(view: View, correlation: Correlation, row: int) -> tuple[Values, NDArray[np.float64]]:
    """The pulsed comb of one row, and its curve as g2."""
    layout = view.plan.layout
    period_ns = layout.period * layout.fine_s * 1e9
    if layout.wraps or layout.mode == "T2":
        fit = fit_comb(layout.tau_ns(), correlation.tau_counts[row], period_ns, view.settings.jitter_ns)
    else:
        return {"fit": {"reason": "the laser period is not known"}}, np.full(correlation.tau_counts.shape[1], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        curve = np.where(correlation.tau_expected[row] > 0, fit.curve / correlation.tau_expected[row], np.nan)
    return {"fit": _comb_values(fit)}, curve


def _verdict(fit: Dip | CombFit) -> str | None:
    return fit.verdict if fit.reason is None and not _misfit(fit.p_value) else None


def _comb_values(fit: CombFit) -> Values:
    return {
        "model": "comb", "g0": fit.g0.plain(), "tau_ns": fit.tau_ns.plain(), "centre_ns": fit.centre_ns.plain(),
        "offset_ns": fit.offset_ns.plain(), "verdict": _verdict(fit),
        "p_value": fit.p_value, "reason": fit.reason,
    }  # fmt: skip


def _dip(view: View, correlation: Correlation, row: int) -> tuple[Values, NDArray[np.float64]]:
    """The cw dip of one row, and its curve."""
    fit = fit_dip(
        view.plan.layout.tau_ns(), correlation.tau_counts[row], correlation.tau_expected[row], view.settings.jitter_ns
    )
    return {"fit": _dip_values(fit)}, fit.curve


def _dip_values(fit: Dip) -> Values:
    return {
        "model": fit.model, "g0": fit.g0.plain(), "t1_ns": fit.t1_ns.plain(), "c": fit.c.plain(),
        "t2_ns": fit.t2_ns.plain(), "plateau": fit.plateau.plain(),
        "verdict": _verdict(fit), "p_value": fit.p_value, "bic": fit.bic,
        "reason": fit.reason,
    }  # fmt: skip


def lines(values: Values) -> list[str]:
    """One line a row."""
    return [f"g2 fit, {name}: {_words(one)}" for name, one in values["rows"].items()]


def _words(row: dict[str, Any]) -> str:
    fit = row["fit"]
    if fit["reason"]:
        text = str(fit["reason"])
    elif fit["model"] == "comb":
        text = f"comb, flat light left out: g2(0) {_number(fit['g0'])}, lifetime {_number(fit['tau_ns'], 'ns')}"
        text += _end(fit)
    else:
        text = f"{fit['model']}: g2(0) {_number(fit['g0'])}, antibunching time {_number(fit['t1_ns'], 'ns')}"
        if fit["model"] == "shelving":
            text += f", bunching {_number(fit['c'])} over {_number(fit['t2_ns'], 'ns')}"
        text += _end(fit)
    if "plateau" in fit and (fit["plateau"]["low"] or 0.0) > RAISED:
        text += f"; far from zero {fit['plateau']['value']:.3g} times what the mean rates make: it blinks or bunches "
        text += "for longer than tau_window_ns"
    if row["bunching"]:
        text += f"; {row['bunching']}"
    if row["without_background"] is not None:
        text += f"; counted g2(0) less the background {_number(row['without_background'])}"
    return text


def _end(fit: dict[str, Any]) -> str:
    """The verdict, or that the model is not this light's."""
    if _misfit(fit["p_value"]):
        what = "one lifetime" if fit["model"] == "comb" else "such a curve"
        return f"; no verdict: {what} does not describe this light (p = {fit['p_value']:.1g})"
    return f" -> {fit['verdict']}"


def _misfit(p_value: float | None) -> bool:
    return p_value is not None and p_value < MISFIT


def _number(one: dict[str, Any], unit: str = "") -> str:
    """`value [low, high]`."""
    if one["value"] is None:
        return f"- ({one['reason']})"
    ends = ", ".join("-" if one[key] is None else f"{one[key]:.3g}" for key in ("low", "high"))
    return f"{one['value']:.3g} [{ends}]" + (f" {unit}" if unit else "")
