"""Dose: stop when the emitter has been given so much light; the power is that at the sample, as the user knows it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from streamer.config import Positive, Settings
from streamer.evidence import Evidence
from streamer.plan import Plan
from streamer.rule import Finding, amount
from streamer.rule import Rule as Contract


class Rule(Contract):
    """The dose budget is spent."""

    told: ClassVar[str] = "energy on the sample"

    power_uw: Positive = Field(description="Mean laser power at the sample in uW, constant during the run.")
    dose_uj: Positive = Field(description="Energy in uJ at which to stop.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self)


class Watch:
    """The dose of one run: power times time under the laser, gaps included."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        rule = self.rule
        have = evidence.elapsed_s * rule.power_uw
        found = amount("dose", have, rule.dose_uj, f"{have:.4g} of {rule.dose_uj:g} uJ on the sample",
                       evidence.elapsed_s, {"dose_uj": have, "wanted_uj": rule.dose_uj})  # fmt: skip
        return replace(found, due_s=rule.dose_uj / rule.power_uw)
