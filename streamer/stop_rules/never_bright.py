"""Never bright: stop when the place where an emitter should be has stayed dark."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from streamer.config import Positive, Settings
from streamer.errors import InputError
from streamer.evidence import Evidence
from streamer.plan import Plan
from streamer.rule import ROUNDING, Finding, Seconds
from streamer.rule import Rule as Contract

ABOVE = 5.0  # standard deviations of a segment above the background, where no rate is given
LEAST_BRIGHT = 3  # bins of light: a single one may be a cosmic ray


class Rule(Contract):
    """Not bright for so long from the beginning on."""

    told: ClassVar[str] = "never bright"

    seconds: Seconds = Field(5.0, description="Live time to wait for light, in s.")
    cps: Positive | None = Field(
        None, description="Counts/s, of all detectors, that are bright; 5 sigmas above `background_cps` when left out."
    )

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin; InputError where nobody says what is bright."""
        cps = self.cps
        if cps is None:
            known = [settings.background(channel) for channel in plan.layout.detectors]
            if any(one is None for one in known):
                raise InputError("rule never_bright: cps: what is bright is not known; give a rate, or background_cps")
            dark = sum(one[0] for one in known if one is not None)
            cps = dark + ABOVE * math.sqrt(max(dark, 1.0) / plan.layout.scale.seconds)
        return Watch(self.seconds, cps, plan)


class Watch:
    """The wait of one run."""

    def __init__(self, seconds: float, cps: float, plan: Plan) -> None:
        self.seconds, self.cps = seconds, cps
        self.scale = plan.layout.scale
        self.level = self.scale.level_of_rate(cps)

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        # Of closed segments, whatever their length: what the open one holds is not known yet.
        time = evidence.tables["exposure"]["time"][:, 0]
        bright_s, live = (float(one.sum()) * self.scale.tick_s for one in (time[self.level : -1], time))
        numbers = {"bright_s": bright_s, "bright_cps": self.cps, "live_s": live}
        if bright_s >= LEAST_BRIGHT * self.scale.seconds * (1 - ROUNDING):
            return Finding(False, f"bright: {bright_s:.3g} s above {self.cps:.4g} counts/s", numbers)
        told = f"never above {self.cps:.4g} counts/s in {live:.4g} of {self.seconds:g} s"
        found = Finding(live >= self.seconds * (1 - ROUNDING), told, numbers, {"never bright": live / self.seconds})
        return replace(found, due_s=self.seconds, verdict="never bright" if found.met else None)
