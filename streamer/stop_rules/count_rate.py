"""Count rate: stop when a detector sees more than it can count truly (pile-up), before the numbers are wrong."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from streamer.config import Positive, Settings
from streamer.errors import InputError
from streamer.evidence import Evidence
from streamer.plan import Plan
from streamer.rule import Finding, Seconds, unknown
from streamer.rule import Rule as Contract


class Rule(Contract):
    """More counts per laser pulse, or per second, on one detector than it should have."""

    told: ClassVar[str] = "count rate too high (pile-up)"

    per_pulse: Positive = Field(0.05, le=1, description="Counts per laser pulse and detector (pulsed).")
    cps: Positive | None = Field(None, description="Counts/s of a detector; takes the place of `per_pulse`.")
    window_s: Seconds = Field(1.0, description="Mean over the last so many s.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin; InputError where there are no pulses and no rate is given."""
        if self.cps is None and not plan.layout.pulsed:
            raise InputError("rule count_rate: cps: cw light has no pulses to count by; give a rate in counts/s")
        return Watch(self, plan)


class Watch:
    """The last second of one run."""

    def __init__(self, rule: Rule, plan: Plan) -> None:
        self.rule, layout = rule, plan.layout
        self.tick_s, self.detectors = layout.tick_s, layout.detectors
        self.pulse_s = layout.period * layout.fine_s
        self.limit_cps = rule.cps if rule.cps is not None else rule.per_pulse / self.pulse_s

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        segments = evidence.segments
        since = evidence.moment.tick - self.rule.window_s / self.tick_s
        # A long segment is of the window that it ends in; where none has ended, the last one is what is known.
        last = segments[min(int(np.searchsorted(segments[:, 1], since, side="right")), max(len(segments) - 1, 0)) :]
        seconds = float((last[:, 1] - last[:, 0]).sum()) * self.tick_s
        if not seconds or "times" in evidence.moment.doubts:
            return unknown(evidence.moment.doubts.get("times", "no segment is over yet"))
        rates = last[:, 3:].sum(axis=0) / seconds
        at = int(np.argmax(rates))
        highest = float(rates[at])
        told = f"channel {self.detectors[at]}: {highest:.4g} counts/s"
        if self.rule.cps is None:
            told += f", {highest * self.pulse_s:.2g} per laser pulse (limit {self.rule.per_pulse:g})"
        else:
            told += f" (limit {self.limit_cps:g})"
        return Finding(
            highest > self.limit_cps, told,
            {"channel": int(self.detectors[at]), "rate_cps": highest, "limit_cps": self.limit_cps},
            {"count rate": highest / self.limit_cps}, due_s=evidence.elapsed_s + self.rule.window_s,
        )  # fmt: skip
