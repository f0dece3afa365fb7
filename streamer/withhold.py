"""Withhold: takes every number out of Answers that cannot be known after all; what was counted stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from streamer.answers import Answers, Correlation, Decays
from streamer.consistency import pile_up
from streamer.estimators.g2 import CwZero, GatedG2, PulsedG2
from streamer.estimators.one_over_e import OneOverE
from streamer.layout import Layout

NAN = float("nan")


def withhold(answers: Answers, doubts: Mapping[str, str], layout: Layout) -> Answers:
    """The answers without what `doubts` (see StreamInfo), pile-up or a card's short range make unknowable.

    times: rates, durations and delays are NaN or None; the trace and its thresholds stay, in the stream's own units.
    nanotimes: no lifetime, excitation or gated g2, and no verdict, which needs to know that pulses do not overlap.
    pairs: no g2. Only where each withheld number was are there reasons; counts are those of the answers.
    """
    decays, notes, lost = answers.decays, answers.notes, (False,) * len(answers.rows)
    if decays is not None:
        before = decays.lifetimes
        decays, notes = _decays(answers, decays, doubts, layout)
        lost = tuple(a.value_ns != b.value_ns for a, b in zip(before, decays.lifetimes, strict=True))
    changed = replace(
        answers,
        decays=decays,
        correlations=tuple(_correlation(one, doubts, lost) for one in answers.correlations),
        doubts=dict(doubts),
        notes=notes,
    )
    if "times" in doubts or "pairs" in doubts:
        changed = replace(changed, offer=None)
    if "times" in doubts:
        states = tuple(replace(state, low_cps=NAN, high_cps=NAN, rate_cps=None) for state in answers.states)
        changed = replace(changed, states=states, time_s=np.full_like(answers.time_s, NAN))
    return changed


def _decays(
    answers: Answers, decays: Decays, doubts: Mapping[str, str], layout: Layout
) -> tuple[Decays, tuple[str, ...]]:
    """(decays with the lifetimes that can be known, what should be said of them)."""
    reasons = [doubts.get("nanotimes")] * len(decays.lifetimes)
    period_ns = layout.period * layout.resolution_s * 1e9
    notes = [
        f"lifetime: in {hidden:.4g} ns of the laser period of {period_ns:.6g} ns nothing of channel {channel} is "
        "recorded; the background is that of the rest"
        for channel, hidden in decays.hidden_ns.items()
    ]
    for row, per_pulse in enumerate(_per_pulse(answers, layout)):
        reason, note = pile_up(per_pulse)
        reasons[row] = reasons[row] or reason
        if row and note and decays.lifetimes[row].value_ns is not None and reasons[row] is None:
            notes.append(f"{answers.rows[row]}: {note}")
    lifetimes = tuple(
        one if reason is None else replace(one, value_ns=None, error_ns=None, low_ns=None, high_ns=None, reason=reason)
        for one, reason in zip(decays.lifetimes, reasons, strict=True)
    )
    one_over_e = tuple(
        one if reason is None else OneOverE(None, None, None)
        for one, reason in zip(decays.one_over_e, reasons, strict=True)
    )
    t0 = dict.fromkeys(decays.t0_ns) if "nanotimes" in doubts else decays.t0_ns
    return replace(decays, t0_ns=t0, lifetimes=lifetimes, one_over_e=one_over_e), tuple(notes)


def _per_pulse(answers: Answers, layout: Layout) -> list[dict[int, float]]:
    """Photons per laser pulse by row and raw channel; of all photons, the mean of what each photon's state has.

    A decay of all photons is the sum of the states', so its early photons hide later ones as much as theirs do.
    """
    if not layout.wraps:
        return []
    pulses = answers.time_s[:, None] / (layout.period * layout.resolution_s)
    photons = answers.photons.astype(np.float64)
    rates = np.divide(photons, pulses, out=np.zeros_like(photons), where=pulses > 0)
    if len(rates) > 1:
        weight = photons[1:].sum(axis=0)
        rates[0] = (photons[1:] * rates[1:]).sum(axis=0) / np.maximum(weight, 1)
    return [dict(zip(layout.detectors, row.tolist(), strict=True)) for row in rates]


def _correlation(correlation: Correlation, doubts: Mapping[str, str], lost: Sequence[bool]) -> Correlation:
    """A correlation without what is in doubt; `lost` says of each row whether its lifetime was withheld."""
    gates = correlation.gates
    if gates is not None and ("nanotimes" in doubts or "pairs" in doubts):
        gates = tuple(_no_gates(one) for one in gates)
    overlap = correlation.overlap
    if correlation.gates is not None and "nanotimes" in doubts:
        overlap = ("whether pulses overlap is not known, as nanotimes are in doubt: no verdict",) * len(overlap)
    else:
        why = "neighbouring peaks overlap, by a lifetime that is withheld itself: no verdict"
        overlap = tuple(why if old and gone else old for old, gone in zip(overlap, lost, strict=True))
    tau_g2 = correlation.tau_g2
    if "times" in doubts or "pairs" in doubts:
        tau_g2 = np.full_like(tau_g2, NAN)
    changed = replace(correlation, tau_g2=tau_g2, gates=gates, overlap=overlap)
    if "pairs" not in doubts:
        return changed
    expected = correlation.peaks_expected
    return replace(
        changed,
        peaks_expected=None if expected is None else np.full_like(expected, NAN),
        zero=tuple(_no_zero(one, doubts["pairs"]) for one in correlation.zero),
        withheld=doubts["pairs"],
    )


def _no_gates(gates: GatedG2) -> GatedG2:
    nothing, none = np.full_like(gates.g2_0, NAN), np.zeros_like(gates.central)
    return GatedG2(nothing, nothing, nothing, none, none)


def _no_zero(zero: PulsedG2 | CwZero, reason: str) -> PulsedG2 | CwZero:
    if isinstance(zero, PulsedG2):
        return replace(
            zero, g2_0=None, low=None, high=None, side_mean=NAN, g2_0_segments=None, segments_low=None,
            segments_high=None, verdict="undecided", reason=reason,
        )  # fmt: skip
    return replace(zero, value=None, low=None, high=None, expected=NAN, verdict="undecided", reason=reason)
