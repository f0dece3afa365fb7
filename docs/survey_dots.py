"""The simulated dots of docs/survey.md: a seeded mix of kinds, what is true of each, and the survey of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sources.simulate import state_sequence
from streamer.batch import analyse
from streamer.config import Settings
from streamer.registry import open_source
from streamer.survey import Dot, Plan, Row, run_survey

SEED = 2026
EXPOSURE_S = 60.0
RULES = {"rule": "g2", "budget_s": EXPOSURE_S, "give_up": 0.05}
RATE_HZ = 5e6  # of the laser
SETTLED_S, SHORTEST_S = 0.5, 0.02  # states are told from then on, and where an emitter rests for two bins

# Kind -> (share of the dots, what it is). Rates are of the brightest state.
KINDS = {
    "single": (0.40, "one emitter of g2(0) 0.02 to 0.3 that blinks among one to three states, 20 to 100 kcps"),
    "bleaching": (0.12, "the same, and bleaches for good after 5 s in the mean"),
    "impure": (0.15, "one emitter whose biexcitons shine, g2(0) 0.55 to 0.75 when on, 20 to 100 kcps"),
    "pair": (0.10, "two emitters in one spot: off, one on, both on; g2(0) 0.1 with one on, 0.55 to 0.6 with both"),
    "dim": (0.10, "one emitter of 1 to 4 kcps over 100 to 300 dark counts per second"),
    "dirt": (0.08, "fluorescence of many molecules, g2(0) = 1, 5 to 50 kcps"),
    "nothing": (0.05, "dark counts only, 100 to 300 per second"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """A simulated dot: its kind, g2(0) of its brightest state with background, and how to open it."""

    kind: str
    truth: float
    dot: Dot

    @property
    def verdict(self) -> str:
        """The true one."""
        return verdict_of(self.truth)


def verdict_of(g2: float) -> str:
    """The verdict that a g2(0) deserves."""
    return "single" if g2 < 0.5 else "not single"


def text(*values: float) -> str:
    """An option with a value for each state."""
    return ",".join(f"{one:.4g}" for one in values)


def options(kind: str, random: np.random.Generator) -> tuple[str, dict[str, str]]:
    """(address, options) of one dot of a kind."""
    dark = random.uniform(50, 150)
    common = {"rate_hz": f"{RATE_HZ:g}", "dark_cps": text(dark, dark)}
    rate = np.exp(random.uniform(np.log(20e3), np.log(100e3)))
    if kind == "nothing":
        return "simulate:poisson", common | {"eta_c": "1e-9"}
    if kind == "dirt":
        return "simulate:poisson", common | {"rate": f"{np.exp(random.uniform(np.log(5e3), np.log(50e3))):.0f}"}
    if kind == "dim":
        rate = random.uniform(1e3, 4e3)
    lifetime = random.uniform(10, 25)
    g2 = {"impure": random.uniform(0.55, 0.75), "pair": random.uniform(0.55, 0.6)}.get(kind, random.uniform(0.02, 0.3))
    if kind == "pair":
        yields, ratios = np.array([0.03, 0.45, 0.9]), np.array([0.5, 0.1, g2])
    else:  # off states are faster and less pure
        yields = np.array([0.06, 0.35, 0.9])[-random.integers(1, 4) :]
        lower = (0.55, 0.9) if kind == "impure" else (0.2, 0.7)
        ratios = np.append(random.uniform(*lower, len(yields) - 1), g2)
    dwells = np.exp(random.uniform(np.log(0.05), np.log(2.0), len(yields)))
    dwells[-1] = max(dwells[-1], 0.2)
    mean = rate * (dwells @ yields) / dwells.sum() / yields[-1]
    found = common | {
        "eta_x": text(*yields), "eta_bx": text(*(yields * ratios)), "tau_x_ns": text(*(lifetime * yields)),
        "tau_bx_ns": text(*(lifetime * yields / 5)), "rate": f"{mean + 2 * dark:.0f}",
        "dwell": ",".join(f"exp:{one:.3g}" for one in dwells),
    }  # fmt: skip
    if kind == "bleaching":
        found["bleach"] = "exp:5"
    return "simulate:", found


def make(number: int) -> Made:
    """Dot `number`, from 1: always the same one."""
    random = np.random.default_rng((SEED, number))
    kind = str(random.choice(list(KINDS), p=[share for share, _ in KINDS.values()]))
    address, found = options(kind, random)
    found |= {"seed": str(SEED + number), "duration": f"{EXPOSURE_S:g}"}
    truth = open_source(address, found).info.truth
    states = truth["states"]
    brightest = max(states, key=lambda state: state["rate_cps"])
    return Made(kind, float(brightest["g2_0_with_background"]), Dot(number, address, found, f"{kind} {number}"))


def measured(made: Sequence[Made], workers: int = 1, held_s: float = 0.0, budget_s: float | None = None) -> list[Row]:
    """The survey."""
    plan = Plan(Settings(studies=(), stop=RULES | {"for_s": held_s}))
    return run_survey([one.dot for one in made], plan, lambda row: None, workers=workers, budget_s=budget_s)


def as_seen(one: Made, row: Row) -> float:
    """Truth of what the rule could see: g2(0) of the brightest state so far, moment by moment, weighed by its pairs."""
    source = open_source(one.dot.address, one.dot.options)
    states = source.info.truth["states"]
    stop_s = min(row.used_s, source.info.truth.get("bleached_s") or EXPOSURE_S)
    pulses = round(stop_s * RATE_HZ)
    visits = [
        (state, (stop - start) / RATE_HZ, start) for state, start, stop in state_sequence(source.settings, pulses)
    ]
    rates = [state["rate_cps"] for state in states]
    early = [state for state, dwell_s, start in visits if start < SETTLED_S * RATE_HZ and dwell_s > SHORTEST_S]
    best, sums = max(early or [visits[0][0]], key=lambda state: rates[state]), np.zeros(2)
    for state, dwell_s, _ in visits:
        if rates[state] > rates[best] and dwell_s > SHORTEST_S:
            best = state
        if state == best:
            pairs = dwell_s * rates[state] ** 2
            sums += pairs, pairs * states[state]["g2_0_with_background"]
    return float(sums[1] / sums[0])


def fixed(one: Made) -> str:
    """The verdict on the brightest state after the whole exposure, by the usual 95 % interval."""
    pipeline = analyse(one.dot.address, Settings(studies=()), one.dot.options)
    brightest = pipeline.summary(pipeline.answers())["states"][-1]
    return str(brightest["verdict"])
