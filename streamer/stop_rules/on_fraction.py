"""On fraction: stop when the share of the time in which the emitter is on is known so closely."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from streamer.config import Positive, Settings
from streamer.estimators.on_share import on_share
from streamer.estimators.time_uniform import half_width
from streamer.evidence import GROWTH, Evidence
from streamer.plan import Plan
from streamer.rule import Chance, Finding, unknown
from streamer.rule import Rule as Contract


class Rule(Contract):
    """The share of the time outside the darkest state, to within plus or minus `half_width`."""

    told: ClassVar[str] = "error of the on-fraction"

    half_width: Positive = Field(0.05, lt=0.5, description="Half the distance of the limits at which to stop.")
    error: Chance = Field(0.05, description="Chance that the on-fraction ever lies outside the limits.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self, plan)


class Watch:
    """The on-fraction at one run; all segments are gone through, so not at every look."""

    def __init__(self, rule: Rule, plan: Plan) -> None:
        self.rule, self.n = rule, plan.layout.scale.n
        self._due_s = 0.0
        self._last = unknown("no look yet")

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        if evidence.elapsed_s >= self._due_s:
            self._due_s = evidence.elapsed_s * (1 + GROWTH / 2)
            self._last = self._find(evidence)
        return self._last

    def _find(self, evidence: Evidence) -> Finding:
        levels = evidence.levels("darkest")
        states = evidence.states
        if levels is None or states is None or len(states.names) < 2:
            return unknown("only one state so far, so there is no on and off")
        segments = evidence.segments
        segments = segments[segments[:, 2] < self.n]
        found = on_share(segments[:, 2] >= levels.stop, evidence.seconds(segments))
        if found.value is None or found.error is None:
            return unknown(found.reason or "", {"cycles": found.cycles})
        want = self.rule.half_width
        half = half_width(found.error, want, self.rule.error)
        return Finding(
            half <= want,
            f"on-fraction {found.value:.3f} +- {half:.2g} at any moment, {found.cycles} times on (wanted {want:g})",
            {"on_fraction": found.value, "half_width": half, "wanted": want, "cycles": found.cycles},
            {"on fraction": want / half},
            left_s=max(evidence.elapsed_s * ((half / want) ** 2 - 1), 0.0),
        )  # fmt: skip
