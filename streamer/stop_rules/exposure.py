"""Exposure: stop after so much time under the laser, watched or not: the time budget of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from streamer.config import Settings
from streamer.evidence import Evidence
from streamer.plan import Plan
from streamer.rule import Finding, Seconds, amount
from streamer.rule import Rule as Contract


class Rule(Contract):
    """The time budget is spent."""

    told: ClassVar[str] = "time under the laser"

    seconds: Seconds = Field(description="Stream time from the first tick on, gaps included, in s.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self.seconds)


class Watch:
    """The clock of one run."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        have, want = evidence.elapsed_s, self.seconds
        found = amount("exposure", have, want, f"{have:.4g} of {want:g} s of exposure", have,
                       {"exposure_s": have, "wanted_s": want})  # fmt: skip
        return replace(found, due_s=want)
