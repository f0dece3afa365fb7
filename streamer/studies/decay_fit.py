"""Decay fits of all photons and of each state: lifetimes, shares, means, and the curve to be drawn over the decay."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.decays import NO_PERIOD, USUAL_BLUR_NS
from streamer.estimators.decay_answer import MISFIT, DecayFit
from streamer.estimators.decay_fit import fit_decay
from streamer.estimators.excitation import locate_excitation
from streamer.estimators.g2 import PulsedG2
from streamer.estimators.response import Measured, measured_response
from streamer.result import Axis, Result
from streamer.study import View

NAME = "decay_fit"
NEEDS = ("nanotimes",)
LEAST_G2 = 0.01  # with which pile-up is corrected: fewer pairs hide nothing
OTHER_PERIOD = 0.01  # relative, by which a response's laser period may differ
WAYS = {"mono": "one exponential", "bi": "two exponentials", "tri": "three exponentials", "stretched": "stretched"}


def study(view: View) -> list[Result]:
    """A fit of every row, all detectors together, and of each detector by the same model."""
    decays, layout = view.answers.decays, view.plan.layout
    if decays is None:
        return []
    if not layout.wraps:
        return [Result(NAME, "summary", values={"reason": NO_PERIOD})]
    used = [d for d, channel in enumerate(layout.detectors) if decays.t0_ns.get(channel) is not None]
    if not used:
        return [Result(NAME, "summary", values={"reason": "the excitation cannot be found in the decay; set t0_ns"})]
    setting = _Setting(view, used)
    axis = Axis("nanotime", "ns", layout.nanotime_ns()[:-1])
    curves = np.full((len(view.rows), len(axis.values)), np.nan)
    rows = []
    for row, name in enumerate(view.rows):
        fit, one = setting.row(row)
        rows.append({"name": name, **one})
        if fit is not None and fit.curves and len(used) == len(layout.detectors):
            curves[row] = np.sum(fit.curves, axis=0)[: curves.shape[1]] * setting.scale(row)
    values = {"response": setting.said, "remarks": setting.remarks, "rows": rows}
    return [Result(NAME, "curves", (axis,), {"counts": curves}, view.rows, values)]


class _Setting:
    """What the fits of all rows have in common."""

    def __init__(self, view: View, used: list[int]) -> None:
        layout, decays = view.plan.layout, view.answers.decays
        assert decays is not None
        self.view, self.used, self.decays, self.response = view, used, decays, view.response
        resolution_ns = layout.resolution_s * 1e9
        self.bin_ns, self.period_ns = resolution_ns * (1 << layout.nanotime_shift), layout.period * resolution_ns
        self.channels = [layout.detectors[d] for d in used]
        self.remarks: list[str] = []
        if self.response is not None and abs(self.response.period_ns / self.period_ns - 1) > OTHER_PERIOD:
            self.remarks.append(
                f"irf: its laser period is {self.response.period_ns:.6g} ns, not {self.period_ns:.6g} ns; "
                "a Gaussian is taken"
            )
            self.response = None
        self.hidden = decays.hidden[used]
        self.sigma = [decays.blur_ns.get(channel) or USUAL_BLUR_NS for channel in self.channels]
        self.t0 = [float(decays.t0_ns[channel] or 0.0) for channel in self.channels]
        self.measured: list[Measured | None] = []
        for i, channel in enumerate(self.channels):
            self.measured.append(self._response(channel, i))
        some = [one is not None for one in self.measured]
        self.said = "measured" if all(some) else "Gaussian" if not any(some) else "measured for some channels"

    def _response(self, channel: int, i: int) -> Measured | None:
        """The measured response of a detector, and its decay's excitation moved to the response's centre of mass."""
        response = self.response
        if response is None:
            return None
        counts = response.counts.get(channel)
        if counts is None:
            there = sorted(response.counts)
            found: Measured | str = (
                f"it has no photons there (but in {', '.join(map(str, there))}); set irf_channels = "
                f"{{{channel} = {there[0]}}}"
            )
        else:
            found = measured_response(counts, response.bin_ns, response.period_ns)
        if isinstance(found, str):
            self.remarks.append(f"irf: channel {channel}: {found}; a Gaussian is taken")
            return None
        assert counts is not None
        # The edge of the decay is that of the response, from which its centre of mass may be far.
        edge = locate_excitation(counts, response.bin_ns, response.period_ns).t0_ns
        if edge is not None:
            off = (found.centre_ns - edge + response.period_ns / 2) % response.period_ns - response.period_ns / 2
            if abs(off) < max(1.0, 3 * found.sigma_ns):
                self.t0[i] += off
        return found

    def scale(self, row: int) -> float:
        """Photons of a row, of which the fit saw those of resting segments only, by those it saw."""
        return float(self.decays.counts[row].sum() / max(self.decays.rested[row].sum(), 1))

    def row(self, row: int) -> tuple[DecayFit | None, dict[str, Any]]:
        """(fit of all detectors, its numbers as plain JSON)."""
        lifetime = self.decays.lifetimes[row]
        piled = lifetime.reason is not None and lifetime.reason.startswith("pile-up")
        correct = self.view.settings.pile_up == "correct"
        if piled and not correct:
            return None, {"model": None, "reason": f'{lifetime.reason}, or set pile_up = "correct"'}
        counts = self.decays.rested[row][self.used]
        pulses, said = None, "not corrected"
        if correct:
            alike = self._pulses(row, counts)
            if isinstance(alike, str):
                return None, {"model": None, "reason": alike}
            pulses, pairs = alike
            said = "corrected for " + (
                "Poisson light, as g2(0) is not known" if pairs is None else f"g2(0) = {pairs:.3g}"
            )
        fit = self._fit(counts, range(len(self.used)), self.view.settings.decay_model, pulses)
        told = _plain(fit, self.channels)
        told["pile_up"] = said
        if len(self.used) > 1 and fit.model is not None:
            alone = [self._fit(counts[[i]], [i], fit.model, pulses, quick=True) for i in range(len(self.used))]
            told["detectors"] = [
                {"channel": channel, **_plain(one, [channel])}
                for channel, one in zip(self.channels, alone, strict=True)
            ]
        return fit, told

    def _fit(
        self, counts: NDArray[np.int64], which: Any, model: str, pulses: float | None, *, quick: bool = False
    ) -> DecayFit:
        which = list(which)
        return fit_decay(
            counts, self.bin_ns, self.period_ns, [self.t0[i] for i in which], model=model,
            sigma_ns=[self.sigma[i] for i in which], responses=[self.measured[i] for i in which],
            hidden=self.hidden[which], pulses=pulses, intervals=not quick,
        )  # fmt: skip

    def _pulses(self, row: int, counts: NDArray[np.int64]) -> tuple[float, float | None] | str:
        """(laser pulses that hide as much as those of a row's time do, g2(0) that they were worked out with).

        Of all photons, so many pulses that the mean light a photon came with is right. A photon is hidden by an earlier
        one of its pulse only where there can be one: g2(0) times as often as for light of a laser. So many times more
        pulses, with so much less light each, hide as much.
        """
        layout, answers = self.view.plan.layout, self.view.answers
        if not np.isfinite(answers.time_s[row]):
            return "pile_up: the time is in doubt, and with it how many pulses there were"
        pulses = answers.time_s / (layout.period * layout.resolution_s)
        if row == 0 and len(answers.rows) > 1 and answers.photons[1:].sum():
            photons = answers.photons[1:][:, self.used].astype(float)
            rate = (photons**2 / np.maximum(pulses[1:, None], 1.0)).sum() / photons.sum()
            pulses = np.concatenate(
                [[min(float(pulses[0]), photons.sum() / max(rate, 1e-300) / len(self.used))], pulses[1:]]
            )
        zero = answers.correlations[0].zero[row] if answers.correlations else None
        pairs = zero.g2_0 if isinstance(zero, PulsedG2) else None
        rested = float(self.decays.seconds[row] / max(answers.time_s[row], 1e-300))
        alike = rested * float(pulses[row]) / max(1.0 if pairs is None else pairs, LEAST_G2)
        most = int(counts.sum(axis=1).max())
        if most >= alike:
            return f"pile_up: {most} photons of a channel in {alike:.0f} pulses are not one per pulse at most"
        return alike, pairs


def _plain(fit: DecayFit, channels: list[int]) -> dict[str, Any]:
    """A fit as plain JSON."""
    if fit.model is None:
        return {"model": None, "photons": fit.photons, "reason": fit.reason}
    names = [str(channel) for channel in channels]
    empty = {"value": None, "error": None, "low": None, "high": None, "reason": fit.reason}
    shares = [one.plain() for one in fit.shares] or [empty] * len(fit.lifetimes_ns)
    amplitudes = [one.plain() for one in fit.amplitudes] or [empty] * len(fit.lifetimes_ns)
    return {
        "model": fit.model,
        "lifetimes": [
            {"lifetime_ns": tau.plain(), "share": share, "amplitude": amplitude}
            for tau, share, amplitude in zip(fit.lifetimes_ns, shares, amplitudes, strict=True)
        ],
        "beta": fit.beta.plain() if fit.beta is not None else None,
        "mean_amplitude_ns": fit.mean_amplitude_ns.plain(),
        "mean_intensity_ns": fit.mean_intensity_ns.plain(),
        "background": dict(zip(names, (one.plain() for one in fit.background), strict=True)),
        "shift_ns": dict(zip(names, fit.shift_ns, strict=True)),
        "sigma_ns": dict(zip(names, fit.sigma_ns, strict=True)),
        "bic": {key: float(value) for key, value in fit.bic.items()},
        "chi2": fit.chi2,
        "degrees": fit.degrees,
        "p": fit.p if math.isfinite(fit.p) else None,
        "photons": fit.photons,
        "remarks": list(fit.remarks),
        "reason": fit.reason,
    }


def lines(values: dict[str, Any]) -> list[str]:
    """A line per row."""
    told = [f"decay fit: {line}" for line in values["remarks"]]
    for row in values["rows"]:
        if row.get("reason"):
            told.append(f"decay fit, {row['name']}: {row['reason']}")
            continue
        parts = [_number(one["lifetime_ns"], "ns") for one in row["lifetimes"]]
        if len(parts) > 1:
            parts = [
                part
                if one["share"]["value"] is None
                else f"{part} ({100 * one['share']['value']:.3g} % of the photons)"
                for part, one in zip(parts, row["lifetimes"], strict=True)
            ]
        text = " and ".join(dict.fromkeys(parts))
        if row["beta"] is not None:
            text += f", exponent {_number(row['beta'], '')}"
        if row["model"] != "mono":
            text += f"; mean by intensity {_number(row['mean_intensity_ns'], 'ns')}"
            text += f", by amplitude {_number(row['mean_amplitude_ns'], 'ns')}"
        misfit = row["p"] is not None and row["p"] < MISFIT
        told.append(f"decay fit, {row['name']}: {WAYS[row['model']]}, {text}{'; does not fit' if misfit else ''}")
    return told


def _number(one: dict[str, Any], unit: str) -> str:
    if one["value"] is None:
        return str(one["reason"])
    error = "" if one["error"] is None else f" +- {one['error']:.2g}"
    return f"{one['value']:.4g}{error} {unit}".rstrip()
