"""Summary: the one JSON object of a run, with a reason for every number that cannot be known."""

from __future__ import annotations

from typing import Any

from streamer.answers import Answers, Correlation, plain
from streamer.estimators.g2 import PulsedG2
from streamer.plan import CERTAIN, Plan

# Share of segments with a switch above which a user should know: at 1 % a state's lifetime is off by some per cent of
# the
# difference to its neighbours'.
SWITCHING = 0.01
ZERO = (
    "g2_0", "low", "high", "central", "side_mean", "g2_0_segments", "segments_low", "segments_high", "verdict",
)  # fmt: skip


def zero_values(correlation: Correlation, row: int) -> dict[str, Any]:
    """g2(0) of one row of a correlation, pulsed or cw, in the same words."""
    zero = correlation.zero[row]
    if correlation.withheld:
        return dict.fromkeys(ZERO) | {"reason": correlation.withheld}
    overlap = correlation.overlap[row]
    if isinstance(zero, PulsedG2):
        return {
            "g2_0": plain(zero.g2_0), "low": plain(zero.low), "high": plain(zero.high), "central": zero.central,
            "side_mean": plain(zero.side_mean), "g2_0_segments": plain(zero.g2_0_segments),
            "segments_low": plain(zero.segments_low), "segments_high": plain(zero.segments_high),
            "verdict": None if zero.g2_0 is None or overlap else zero.verdict, "reason": zero.reason or overlap,
        }  # fmt: skip
    return {
        "g2_0": plain(zero.value), "low": plain(zero.low), "high": plain(zero.high), "central": zero.pairs,
        "side_mean": plain(zero.expected), "g2_0_segments": None, "segments_low": None, "segments_high": None,
        "verdict": None if zero.value is None or overlap else zero.verdict, "reason": zero.reason or overlap,
    }  # fmt: skip


def offered_delay(answers: Answers, plan: Plan) -> dict[str, float] | None:
    """A displaced centre that was found and not applied: {delay_ns, significance in sigmas}, b later than a."""
    if "times" in answers.doubts or "pairs" in answers.doubts:
        return None
    found = answers.offer
    # Nearer to zero than half a bin, or than its place is known, there is nothing to move.
    near_ns = max(
        plan.layout.tau_width * plan.layout.fine_s * 1e9 / 2,
        CERTAIN * (found.error_ns or 0.0) if found is not None else 0.0,
    )
    if found is not None and found.found and found.delay_ns is not None and abs(found.delay_ns) > near_ns:
        return {"delay_ns": float(found.delay_ns), "significance": float(found.sigma)}
    return plan.offer


def g2_values(answers: Answers, plan: Plan) -> tuple[dict[str, Any], list[str]]:
    """(the summary's `g2` for the first pair, warnings)."""
    if not answers.correlations:
        detectors = plan.layout.detectors
        nothing = dict.fromkeys(("pair", "delay_ns", "g2_0", "low", "high", "central", "side_mean", "lags", "verdict"))
        why = f"only channel {detectors[0]} has photons" if len(detectors) == 1 else "no channel pair is set"
        return nothing, [] if any(line.startswith("g2:") for line in plan.warnings) else [
            f"g2: needs two detectors, {why}"
        ]
    correlation = answers.correlations[0]
    a, b = correlation.pair
    values = zero_values(correlation, 0)
    reason = values.pop("reason")
    warnings = [f"g2: {reason}"] if reason and not correlation.withheld else []
    timed = "times" not in answers.doubts
    offer = offered_delay(answers, plan)
    if offer is not None:
        warnings.append(
            f"g2: the centre seems to lie at {offer['delay_ns']:+.3f} ns ({offer['significance']:.1f} sigma) and was "
            f"not moved; set delays_ns = {{{b} = {offer['delay_ns']:.3f}}} to take it out"
        )
    return {
        "pair": [a, b],
        "delay_ns": plan.delays_ns.get(b, 0.0) - plan.delays_ns.get(a, 0.0) if timed else None,
        "offered_delay": offer,
        "kind": "pulsed" if plan.layout.pulsed else "cw",
        "period_ns": plan.layout.period * plan.layout.fine_s * 1e9 if plan.layout.pulsed and timed else None,
        "lags": plan.layout.lags if plan.layout.pulsed else None,
        **values,
    }, warnings


def state_values(answers: Answers) -> tuple[list[dict[str, Any]], list[str]]:
    """(the summary's `states`, warnings)."""
    lines, warnings = [], []
    for row, state in enumerate(answers.states, start=1):
        values: dict[str, Any] = {
            "name": state.name,
            "low_cps": plain(state.low_cps),
            "high_cps": plain(state.high_cps),
            "rate_cps": plain(answers.photons[row].sum() / answers.time_s[row]) if answers.time_s[row] else None,
            "time_s": plain(answers.time_s[row]),
            "photons": int(answers.photons[row].sum()),
        }
        if answers.decays:
            lifetime, one_over_e = answers.decays.lifetimes[row], answers.decays.one_over_e[row]
            values |= {
                "lifetime_ns": plain(lifetime.value_ns), "lifetime_error_ns": plain(lifetime.error_ns),
                "one_over_e_ns": plain(one_over_e.value_ns),
            }  # fmt: skip
            texts = (lifetime.reason, one_over_e.reason)
            warnings += [f"{state.name}: {text}" for text in texts if text and text != answers.doubts.get("nanotimes")]
        else:
            values |= dict.fromkeys(("lifetime_ns", "lifetime_error_ns", "one_over_e_ns"))
        if answers.correlations:
            zero, withheld = zero_values(answers.correlations[0], row), answers.correlations[0].withheld
            values |= {key: zero[key] for key in ZERO}
            warnings += [f"{state.name}: {zero['reason']}"] if zero["reason"] and not withheld else []
        else:
            values |= dict.fromkeys(ZERO)
        lines.append(values)
    warnings += answers.notes
    if answers.states and not answers.decays:
        warnings.append("lifetime: T2 has no nanotime; no lifetime")
    if answers.mixture is not None and answers.mixture.fits and answers.mixture.switching > SWITCHING:
        warnings.append(
            f"states: the emitter switched within {100 * answers.mixture.switching:.1f} % of the segments; lifetimes "
            "and g2 are of the segments close to a state's rate, among which a few with a switch remain; "
            'segments = "changes" or shorter bins leave fewer'
        )
    if answers.mixture is not None and answers.mixture.reason:
        more = "" if answers.mixture.fits else "; lifetimes and g2 are those of the light at these rates, not of states"
        warnings.append(f"states: {answers.mixture.reason}{more}")
    return lines, warnings
