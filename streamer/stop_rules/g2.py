"""g2: stop as soon as it is known whether the emitter is a single one, or that it cannot be known within the budget."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field

from streamer.answers import plain
from streamer.config import Settings
from streamer.estimators.forecast import Forecast, forecast
from streamer.estimators.intervals import NOT_SINGLE, SINGLE, UNDECIDED
from streamer.evidence import Evidence
from streamer.pair_evidence import PairEvidence
from streamer.plan import Plan
from streamer.rule import BRIGHTEST, Chance, Finding, Pair, Seconds, StateName
from streamer.rule import Rule as Contract

UNDECIDABLE = "undecidable"
LEAST_PAIRS = 1.0  # accidental, before a time is foreseen or limits are worth the computing
PATIENCE = 0.1  # of the budget, before which nothing is given up: a dot may begin in the dark
FEW = 3.0  # -log(0.05): the upper limit of what gave no count at all


class Rule(Contract):
    """g2(0) below 0.5, or not, wrong with a chance of at most `error`, however often one looks."""

    told: ClassVar[str] = "verdict on g2(0)"

    state: StateName = BRIGHTEST
    error: Chance = Field(0.05, description="Chance of a wrong verdict, at any moment of the run.")
    gate_ns: float = Field(0.0, ge=0, description="Pairs count whose photons both come later after the excitation.")
    pair: Pair = None
    budget_s: Seconds | None = Field(None, description="Exposure in s within which a verdict has to come.")
    give_up: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="Stop as undecidable when the chance of a verdict within the budget is below this.",
    )

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin; InputError without pairs."""
        return Watch(self, plan, settings)


class Watch:
    """The question at one run."""

    def __init__(self, rule: Rule, plan: Plan, settings: Settings) -> None:
        self.rule = rule
        self.pairs = PairEvidence("g2", plan, settings, rule.state, rule.gate_ns, rule.pair, rule.error)

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        rule, pairs = self.rule, self.pairs
        ratio = pairs.look(evidence)
        verdict, why = ratio.verdict(pairs.error), pairs.why
        if why is None and verdict != UNDECIDED:
            why = pairs.overlap(evidence) or pairs.contradicted(evidence, verdict)
        verdict = UNDECIDED if why is not None else verdict
        decided = verdict != UNDECIDED
        ahead = self._ahead(evidence) if not decided and why is None else None
        spent = rule.budget_s is not None and evidence.elapsed_s >= rule.budget_s
        patient = rule.budget_s is not None and evidence.elapsed_s - pairs.since_s < PATIENCE * rule.budget_s
        hopeless = not patient and ahead is not None and ahead.chance is not None and ahead.chance < rule.give_up
        left_s = None
        if ahead is not None and math.isfinite(ahead.median) and ratio.accidental >= LEAST_PAIRS:
            left_s = ahead.median / ratio.accidental * (evidence.elapsed_s - pairs.since_s)
        if not decided and (spent or hopeless):
            verdict = UNDECIDABLE
        met = decided or spent or hopeless
        limit, log_e = -math.log(pairs.error), ratio.log_e
        low, high = ratio.limits(pairs.error) if met or ratio.accidental >= LEAST_PAIRS else (0.0, math.inf)
        numbers: dict[str, Any] = {
            "state": rule.state, "gate_ns": rule.gate_ns, "pair": list(pairs.pair), "error": rule.error,
            "central": ratio.central, "accidental": ratio.accidental, "g2_0": pairs.emitter(ratio.value),
            "g2_0_measured": plain(ratio.value),
            "low": low, "high": plain(high), "log_e_single": log_e.single, "log_e_not_single": log_e.not_single,
            "limit": limit, "signal": list(pairs.signal), "chance": None if ahead is None else ahead.chance,
            "earlier": None if pairs.earlier is None else list(pairs.earlier),
            "reason": why,
        }  # fmt: skip
        tracks = {"single": max(log_e.single, 0.0) / limit, "not single": max(log_e.not_single, 0.0) / limit}
        words = self._words(verdict, why, spent, numbers)
        return Finding(met, words, numbers, tracks, verdict if met else None, left_s, rule.budget_s)

    def _ahead(self, evidence: Evidence) -> Forecast | None:
        """What is to come; pairs are foreseen at the rate of those so far, and where they are few at their upper limit.

        Dark counts alone give none: then it is the upper limit that says that there will be too few.
        """
        ratio, rule = self.pairs.ratio, self.rule
        gone_s = evidence.elapsed_s - self.pairs.since_s
        if gone_s <= 0:
            return None
        left = None
        if rule.budget_s is not None:
            weight = ratio.references[0]
            most = ratio.accidental + (0.0 if weight is None else FEW / weight)
            left = most * max(rule.budget_s - evidence.elapsed_s, 0.0) / gone_s
        return forecast(ratio, self.pairs.error, left, sum(self.pairs.signal) / 2)

    def _words(self, verdict: str, why: str | None, spent: bool, numbers: dict[str, Any]) -> str:
        """One line; the limits are those that hold at every moment."""
        rule = self.rule
        of = f" of the {rule.state} state" if rule.state != "all" else ""
        central = numbers["central"]
        counted = f"{central} pair{'' if central == 1 else 's'} where {numbers['accidental']:.3g} were accidental"
        if numbers["earlier"] is not None:
            before = numbers["earlier"]
            counted += f", {before[0]} and {before[1]:.3g} of them while other states were told"
        sure = f"{100 * (1 - rule.error):.12g} % at any moment; {counted}"
        high = "unlimited" if numbers["high"] is None else f"below {numbers['high']:.3g}"
        if verdict == SINGLE:
            return f"single: g2(0){of} {high} ({sure})"
        if verdict == NOT_SINGLE:
            return f"not single: g2(0){of} above {numbers['low']:.3g} ({sure})"
        limits = f"g2(0){of} above {numbers['low']:.3g} and {high}, each {sure.replace(';', ':')}"
        if numbers["high"] is None and not numbers["low"]:
            limits = f"of g2(0){of} nothing is ruled out; {counted}"
        if verdict == UNDECIDABLE:
            reason = (
                f"undecided within {rule.budget_s:g} s"
                if spent
                else (f"undecidable: the chance of a verdict within {rule.budget_s:g} s is below {rule.give_up:.2g}")
            )
            return f"{reason} ({why or limits})"
        return f"no verdict: {why}" if why is not None else f"undecided: {limits}"
