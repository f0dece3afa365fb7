"""Photons: stop when so many have been counted, in all or in a state: a budget, or enough for a decay."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from streamer.config import Settings
from streamer.evidence import ALL, Evidence
from streamer.plan import Plan
from streamer.rule import Finding, StateName, amount, unknown
from streamer.rule import Rule as Contract


class Rule(Contract):
    """Enough photons."""

    told: ClassVar[str] = "photons in a state"

    photons: int = Field(gt=0, description="How many, of the analysed detectors together.")
    state: StateName = ALL

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self)


class Watch:
    """The count at one run."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        rule, levels = self.rule, evidence.levels(self.rule.state)
        if levels is None:
            return unknown(f"there is no {rule.state} state yet", {"photons": 0})
        have = int(evidence.tables["exposure"]["photons"][levels].sum())
        of = "" if rule.state == ALL else f" in the {rule.state} state"
        told = f"{have:,} of {rule.photons:,} photons{of}"
        return amount(
            "photons", have, rule.photons, told, evidence.elapsed_s, {"photons": have, "wanted": rule.photons}
        )
