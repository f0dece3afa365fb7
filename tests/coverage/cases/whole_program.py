"""g2(0) and lifetime of each state through the whole program: simulated photons, states found from them, no truth told.

A trial is one state of one emitter, in the run's own estimate of what its states are. A run whose states are not told
apart as they are (a rare one was not visited) answers nothing. Values and intervals are those behind the summary.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamer.answers import Answers
from streamer.chunk import StreamEnd
from streamer.config import Settings
from streamer.estimators.g2 import PulsedG2
from streamer.pipeline import Pipeline
from streamer.registry import open_source
from tests.coverage.case import Case, Trial

WHAT = SIDE, SEGMENTS, LIFETIME = "g2(0) by side peaks", "g2(0) by segments", "lifetime"
SLOW = {"dwell": "exp:0.25,exp:0.2,exp:0.3"}
# name: options of the simulated dot, settings of the run
EMITTERS = {
    "100 kcps, 2 s, bins 10 ms": ({"duration": "2", "rate": "100000", **SLOW}, Settings(studies=())),
    "100 kcps, 2 s, bins 2 ms": ({"duration": "2", "rate": "100000", **SLOW}, Settings(studies=(), bin_ms=2.0)),
    "two states, 60 kcps, 2 s, bins 5 ms": (
        {"duration": "2", "rate": "60000", "eta_x": "0.1,0.8", "eta_bx": "0.08,0.1", "tau_x_ns": "3,12",
         "tau_bx_ns": "0.8,2", "dwell": "exp:0.3,exp:0.3"},
        Settings(studies=(), bin_ms=5.0),
    ),
}  # fmt: skip


def measured(emitter: str, seed: int) -> tuple[Answers, tuple[dict[str, float], ...]]:
    """What the program says of one run, and the truth of each state, dark first."""
    options, settings = EMITTERS[emitter]
    source = open_source("simulate:", {**options, "seed": str(seed)})
    pipeline = Pipeline(source.info, settings)
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(StreamEnd("duration reached"))
    truth = source.info.truth or {}
    return pipeline.answers(), tuple(sorted(truth["states"], key=lambda state: state["rate_cps"]))


def draw(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Every state of every emitter, in runs of their own seeds."""
    rows = sum(len(options["dwell"].split(",")) for options, _ in EMITTERS.values())
    for _ in range(max(1, round(trials / rows))):
        for emitter in EMITTERS:
            answers, states = measured(emitter, int(rng.integers(1 << 31)))
            rates = [state.rate_cps for state in answers.states]
            told = len(rates) == len(states) and all(
                rate is not None and abs(rate / state["rate_cps"] - 1) < 0.3
                for rate, state in zip(rates, states, strict=True)
            )
            for row, state in enumerate(states, start=1):
                name = f"{emitter}: {state['name']}"
                for what in WHAT:
                    truth = state["mean_arrival_ns" if what == LIFETIME else "g2_0_with_background"]
                    yield Trial(name, truth, *(numbers(answers, row, what) if told else (None, None, None)), what)


def numbers(answers: Answers, row: int, what: str) -> tuple[float | None, float | None, float | None]:
    """(value, low, high) of one row."""
    if what == LIFETIME:
        assert answers.decays is not None
        lifetime = answers.decays.lifetimes[row]
        return lifetime.value_ns, lifetime.low_ns, lifetime.high_ns
    zero = answers.correlations[0].zero[row]
    assert isinstance(zero, PulsedG2)
    if what == SEGMENTS:
        return zero.g2_0_segments, zero.segments_low, zero.segments_high
    return zero.g2_0, zero.low, zero.high


TOLD = "simulated photons, two and three states found by the program, 60 and 100 kcps, 2 s"
CASES = [Case("whole program, every state", TOLD, draw, times=4, numbers=WHAT)]
