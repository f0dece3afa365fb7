"""Rate: stop when the count rate of a state is known so closely, by an error that holds at every moment."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from streamer.config import Positive, Settings
from streamer.estimators.resting import kept_shift
from streamer.estimators.time_uniform import half_width
from streamer.evidence import ALL, Evidence
from streamer.plan import Plan
from streamer.rule import BRIGHTEST, Chance, Finding, StateName, unknown
from streamer.rule import Rule as Contract

LEAST_PHOTONS = 100  # from which their number is as good as normal


class Rule(Contract):
    """The state's mean rate while it was watched, to within plus or minus `percent`: shot noise is all its error."""

    told: ClassVar[str] = "error of a count rate"

    percent: Positive = Field(1.0, lt=100, description="Half-width of the limits in per cent of the rate.")
    state: StateName = BRIGHTEST
    error: Chance = Field(0.05, description="Chance that the rate ever lies outside the limits.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self, plan)


class Watch:
    """The rate at one run."""

    def __init__(self, rule: Rule, plan: Plan) -> None:
        self.rule, self.tick_s, self.bin_s = rule, plan.layout.tick_s, plan.layout.scale.seconds

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        # Segments that hold a switch are of no state.
        rule, levels = self.rule, evidence.levels(self.rule.state, resting=True)
        if levels is None or "times" in evidence.moment.doubts:
            return unknown(evidence.moment.doubts.get("times", f"there is no {rule.state} state yet"))
        mixture = evidence.states.mixture if rule.state != ALL and evidence.states is not None else None
        if mixture is not None and not mixture.fits:
            return unknown(f"the states do not explain the trace yet ({mixture.reason or 'too few segments'})")
        exposure = evidence.tables["exposure"]
        photons = int(exposure["photons"][levels].sum())
        seconds = float(exposure["time"][levels, 0].sum()) * self.tick_s
        if photons < LEAST_PHOTONS:
            return unknown(f"{photons} photons in the {rule.state} state, {LEAST_PHOTONS} needed")
        half = 100 * half_width(photons**-0.5, rule.percent / 100, rule.error)
        cps = photons / seconds - self._shift_cps(evidence, photons / seconds)
        told = f"{cps:.4g} counts/s +- {half:.2g} % in the {rule.state} state at any moment (wanted {rule.percent:g} %)"
        return Finding(
            half <= rule.percent, told,
            {"rate_cps": cps, "half_width_percent": half, "wanted_percent": rule.percent, "photons": photons},
            {"rate": rule.percent / half}, left_s=max(evidence.elapsed_s * ((half / rule.percent) ** 2 - 1), 0.0),
        )  # fmt: skip

    def _shift_cps(self, evidence: Evidence, cps: float) -> float:
        """What leaving out the segments far from the state's rate, where a neighbour may have its part, adds to it."""
        at = None if self.rule.state == ALL else evidence.place(self.rule.state)
        if at is None or evidence.states is None:
            return 0.0
        row, rest = evidence.states.rows[at], evidence.states.rests[at]
        shift = kept_shift(cps * self.bin_s, above=rest.stop < row.stop, below=rest.start > row.start)
        return shift / self.bin_s
