"""g2 width: stop when g2(0) is known so closely, by limits that hold at every moment."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from streamer.answers import plain
from streamer.config import Positive, Settings
from streamer.evidence import Evidence
from streamer.pair_evidence import PairEvidence
from streamer.plan import Plan
from streamer.rule import BRIGHTEST, Chance, Finding, Pair, StateName, unknown
from streamer.rule import Rule as Contract


class Rule(Contract):
    """g2(0) to within plus or minus `half_width`."""

    told: ClassVar[str] = "half-width of the limits of g2(0)"

    half_width: Positive = Field(0.1, le=1, description="Half the distance of the limits at which to stop.")
    state: StateName = BRIGHTEST
    error: Chance = Field(0.05, description="Chance that g2(0) ever lies outside the limits.")
    gate_ns: float = Field(0.0, ge=0, description="Pairs count whose photons both come later after the excitation.")
    pair: Pair = None

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin; InputError without pairs."""
        return Watch(self, plan, settings)


class Watch:
    """The limits at one run."""

    def __init__(self, rule: Rule, plan: Plan, settings: Settings) -> None:
        self.rule = rule
        self.pairs = PairEvidence("g2_width", plan, settings, rule.state, rule.gate_ns, rule.pair, rule.error)

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        rule, pairs = self.rule, self.pairs
        ratio = pairs.look(evidence)
        low, high = ratio.interval(pairs.error)
        numbers = {
            "state": rule.state, "central": ratio.central, "accidental": ratio.accidental,
            "g2_0": pairs.emitter(ratio.value), "low": low, "high": plain(high), "wanted": rule.half_width,
        }  # fmt: skip
        if pairs.why is not None:
            return unknown(pairs.why, numbers)
        if math.isinf(high):
            return unknown("too few pairs for an upper limit of g2(0)", numbers)
        half = (high - low) / 2
        if half <= rule.half_width and (why := pairs.overlap(evidence)) is not None:
            return unknown(why, numbers)
        sure = f"{100 * (1 - rule.error):.12g} % at any moment"
        told = f"g2(0) of the {rule.state} state between {low:.3g} and {high:.3g}, {sure}"
        left_s = evidence.elapsed_s * ((half / rule.half_width) ** 2 - 1)
        return Finding(
            half <= rule.half_width, f"{told} (+- {half:.2g}, wanted {rule.half_width:g})", numbers,
            {"g2 width": rule.half_width / half}, left_s=max(left_s, 0.0),
        )  # fmt: skip
