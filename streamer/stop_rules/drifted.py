"""Drifted: stop when the bright light has grown weaker, as when the sample drifts out of focus."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from streamer.config import Settings
from streamer.estimators.bright_drift import bright_drift
from streamer.evidence import Evidence
from streamer.plan import Plan
from streamer.rule import Finding, Seconds, unknown
from streamer.rule import Rule as Contract

SURE = 4.0  # standard errors by which the level must have fallen, besides


class Rule(Contract):
    """The bright level, of windows that are not dark, has fallen by a share of itself."""

    told: ClassVar[str] = "drifted"

    fall: float = Field(0.3, gt=0, lt=1, description="Share of the bright level by which it has fallen.")
    window_s: Seconds = Field(5.0, description="Windows in which the bright level is looked for, in s.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self, plan)


class Watch:
    """The bright level of one run; it is followed window by window."""

    def __init__(self, rule: Rule, plan: Plan) -> None:
        self.rule, self.tick_s = rule, plan.layout.tick_s
        self._windows = 0
        self._last = unknown("no window is over yet")

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        windows = int(evidence.elapsed_s / self.rule.window_s)
        if windows > self._windows:
            self._windows, self._last = windows, self._find(evidence, windows)
        return self._last

    def _find(self, evidence: Evidence, windows: int) -> Finding:
        segments = evidence.segments
        window = ((segments[:, 0] - evidence.began) * (self.tick_s / self.rule.window_s)).astype(int)
        segments, window = segments[window < windows], window[window < windows]
        darkness = evidence.darkness
        seconds = evidence.seconds(segments)
        found = bright_drift(window, segments[:, 3:].sum(axis=1), seconds, darkness[2] if darkness else 0.0)
        if found.start_cps is None or found.last_cps is None or found.error_cps is None:
            return unknown(f"{len(found.levels_cps)} windows of {self.rule.window_s:g} s with light, 4 needed")
        fallen = 1 - found.last_cps / found.start_cps
        sure = found.start_cps - found.last_cps > SURE * found.error_cps
        told = f"bright level {found.last_cps:.4g} counts/s, {100 * fallen:.0f} % below {found.start_cps:.4g}"
        met = fallen >= self.rule.fall and sure
        return Finding(
            met, f"{told} (limit {100 * self.rule.fall:g} %)",
            {"level_cps": found.last_cps, "start_cps": found.start_cps, "fallen": fallen, "limit": self.rule.fall},
            {"drifted": max(fallen, 0.0) / self.rule.fall}, verdict="drifted" if met else None,
        )  # fmt: skip
