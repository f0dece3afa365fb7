"""State time: stop when the emitter has spent so long in a state."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from streamer.config import Settings
from streamer.evidence import BRIGHTEST, Evidence
from streamer.plan import Plan
from streamer.rule import Finding, Seconds, StateName, amount, unknown
from streamer.rule import Rule as Contract


class Rule(Contract):
    """Long enough in a state."""

    told: ClassVar[str] = "time in a state"

    seconds: Seconds = Field(description="Live time in the state, in s.")
    state: StateName = BRIGHTEST

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self, plan)


class Watch:
    """The clock of one state."""

    def __init__(self, rule: Rule, plan: Plan) -> None:
        self.rule, self.tick_s = rule, plan.layout.tick_s

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        rule, levels = self.rule, evidence.levels(self.rule.state)
        if levels is None:
            return unknown(f"there is no {rule.state} state yet", {"time_s": 0.0})
        have = float(evidence.tables["exposure"]["time"][levels, 0].sum()) * self.tick_s
        told = f"{have:.4g} of {rule.seconds:g} s in the {rule.state} state"
        return amount("state time", have, rule.seconds, told, evidence.elapsed_s,
                      {"time_s": have, "wanted_s": rule.seconds})  # fmt: skip
