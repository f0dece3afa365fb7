"""Row: one number of a source paper: what was put into the simulated emitter, and what the program found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from streamer.batch import analyse
from streamer.config import Settings
from streamer.estimators.estimate import Estimate
from streamer.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        setting: the experiment, in a few words.
        number: what was measured.
        unit: of the numbers; "" for none.
        printed: what the paper says, as text.
        truth: what was put in.
        found: what came out.
    """

    setting: str
    number: str
    unit: str
    printed: str
    truth: float
    found: Estimate

    @property
    def holds(self) -> bool:
        """Whether the 95 % interval holds the truth."""
        low, high = self.found.low, self.found.high
        known = self.found.value is not None
        return known and (low is None or low <= self.truth) and (high is None or self.truth <= high)

    @property
    def near(self) -> bool:
        """Whether the truth lies within the interval drawn out twofold: by chance not so in one of 10 000."""
        if self.found.value is None:
            return False
        low, high = self.found.low, self.found.high
        below = low is None or self.truth >= self.found.value - 2 * (self.found.value - low) - 1e-12
        above = high is None or self.truth <= self.found.value + 2 * (high - self.found.value) + 1e-12
        return below and above


Rows = Callable[[float], Iterable[Row]]  # of a paper; the argument makes every run so many times as long


def run(address: str, seconds: float, settings: Settings | None = None, **options: object) -> Pipeline:
    """A simulated emitter, counted to its end."""
    told = {key: str(value) for key, value in options.items()} | {"duration": f"{seconds:g}"}
    return analyse(address, settings or Settings(), told)


def estimate(values: Mapping[str, float | None]) -> Estimate:
    """A study's number, which is plain JSON, as an Estimate."""
    return Estimate(*(values.get(key) for key in ("value", "error", "low", "high")), values.get("reason"))  # type: ignore[arg-type]


def g2_zero(pipeline: Pipeline, row: int, *, by_segments: bool = False) -> Estimate:
    """g2(0) of a row of the present cut."""
    zero = pipeline.answers().correlations[0].zero[row]
    if by_segments:
        return Estimate(zero.g2_0_segments, None, zero.segments_low, zero.segments_high)  # type: ignore[union-attr]
    value = zero.g2_0 if hasattr(zero, "g2_0") else zero.value
    return Estimate(value, None, zero.low, zero.high, zero.reason)


def lifetime(pipeline: Pipeline, row: int) -> Estimate:
    """Mean arrival time of a row of the present cut, ns."""
    decays = pipeline.answers().decays
    assert decays is not None
    one = decays.lifetimes[row]
    return Estimate(one.value_ns, one.error_ns, one.low_ns, one.high_ns, one.reason)


def gated(pipeline: Pipeline, row: int, gate_ns: float) -> Estimate:
    """g2(0) of a row behind a gate."""
    gates, layout = pipeline.answers().correlations[0].gates, pipeline.plan.layout
    assert gates is not None
    at = int(abs(layout.gate_ns() - gate_ns).argmin())
    one = gates[row]
    return Estimate(float(one.g2_0[at]), None, float(one.low[at]), float(one.high[at]))
