"""Pairs: stop when light without correlation would have given so many about zero delay, in a state and gate."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from streamer.config import Positive, Settings
from streamer.evidence import BRIGHTEST, Evidence
from streamer.pair_evidence import PairEvidence
from streamer.plan import Plan
from streamer.rule import Finding, Pair, StateName, amount
from streamer.rule import Rule as Contract


class Rule(Contract):
    """Enough pairs: the accidental ones, for those of a single emitter never come."""

    told: ClassVar[str] = "pairs in a state"

    pairs: Positive = Field(
        description="Accidental pairs about zero delay: a mean side peak (pulsed), or those of the window (cw)."
    )
    state: StateName = BRIGHTEST
    gate_ns: float = Field(0.0, ge=0, description="Pairs count whose photons both come later after the excitation.")
    pair: Pair = None

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin; InputError without pairs."""
        return Watch(self, plan, settings)


class Watch:
    """The count at one run."""

    def __init__(self, rule: Rule, plan: Plan, settings: Settings) -> None:
        self.rule = rule
        self.seen = PairEvidence("pairs", plan, settings, rule.state, rule.gate_ns, rule.pair, 0.05)

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        ratio, want = self.seen.look(evidence), self.rule.pairs
        have = ratio.accidental
        told = f"{have:.4g} of {want:g} accidental pairs about zero delay in the {self.rule.state} state"
        numbers = {"accidental": have, "central": ratio.central, "wanted": want}
        return amount("pairs", have, want, told, evidence.elapsed_s, numbers)
