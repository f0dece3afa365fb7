"""Lifetime: stop when the lifetime of a state is known so closely, by an error that holds at every moment."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from streamer.config import Positive, Settings
from streamer.errors import InputError
from streamer.estimators.time_uniform import half_width
from streamer.evidence import Evidence
from streamer.plan import Plan
from streamer.rule import BRIGHTEST, Chance, Finding, StateName, unknown
from streamer.rule import Rule as Contract

LEAST_PHOTONS = 500  # from which the mean of their nanotimes is as good as normal


class Rule(Contract):
    """The lifetime to within plus or minus `ns`, or `percent` of itself."""

    told: ClassVar[str] = "error of a lifetime"

    ns: Positive | None = Field(None, description="Half-width of the limits in ns; give this or `percent`.")
    percent: Positive | None = Field(None, lt=100, description="Half-width of the limits in per cent of the lifetime.")
    state: StateName = BRIGHTEST
    error: Chance = Field(0.05, description="Chance that the lifetime ever lies outside the limits.")

    @model_validator(mode="after")
    def _one(self) -> Rule:
        if (self.ns is None) == (self.percent is None):
            raise ValueError("give `ns` or `percent`, and not both")
        return self

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin; InputError without nanotimes."""
        if plan.layout.mode != "T3":
            raise InputError("rule lifetime: T2 has no nanotime, so there is no lifetime; use another rule")
        if not plan.layout.wraps:
            raise InputError("rule lifetime: the laser period is not known; set period_ns")
        return Watch(self)


class Watch:
    """The lifetime at one run."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        rule, row = self.rule, evidence.decay_row(self.rule.state)
        doubt = evidence.moment.doubts.get("nanotimes") or evidence.moment.doubts.get("times")
        if doubt or row is None or evidence.decays is None:
            return unknown(doubt or f"there is no {rule.state} state yet")
        found, photons = evidence.decays.lifetimes[row], int(evidence.decays.rested[row].sum())
        if found.value_ns is None or found.error_ns is None or photons < LEAST_PHOTONS:
            return unknown(found.reason or f"{photons} photons in the {rule.state} state, {LEAST_PHOTONS} needed")
        target = rule.ns if rule.ns is not None else found.value_ns * (rule.percent or 0.0) / 100
        half = half_width(found.error_ns, target, rule.error)
        told = f"lifetime of the {rule.state} state {found.value_ns:.4g} +- {half:.2g} ns at any moment"
        numbers = {"lifetime_ns": found.value_ns, "error_ns": found.error_ns, "half_width_ns": half,
                   "wanted_ns": target, "photons": photons}  # fmt: skip
        return Finding(
            half <= target, f"{told} (wanted {target:.2g})", numbers, {"lifetime": target / half},
            left_s=max(evidence.elapsed_s * ((half / target) ** 2 - 1), 0.0),
        )  # fmt: skip
