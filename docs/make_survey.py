"""Writes docs/survey.md and its picture: `python docs/make_survey.py`; some minutes.

Simulated dots of many kinds, in a seeded mix, under one stop rule each; the verdicts are held against the truth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import numpy as np
from scipy.stats import beta

from streamer.config import Settings
from streamer.registry import load_sink, open_source
from streamer.survey import Dot, Plan, Row, run_survey, values_of
from streamer.survey.picture import picture

HERE = Path(__file__).parent
DOTS, SEED, WORKERS = 300, 2026, 2
EXPOSURE_S = 60.0
RULES = {"rule": "g2", "budget_s": EXPOSURE_S, "give_up": 0.05}
PROMISED = 0.05  # the rule's `error`
LISTED = 12  # dots that the page names one by one

# Kind -> (share of the dots, what it is).
KINDS = {
    "single": (0.45, "one emitter of g2(0) 0.02 to 0.3 that blinks among one to three states, 20 to 100 kcps"),
    "bleaching": (0.12, "the same, and bleaches for good after 3 s in the mean"),
    "pair": (0.20, "two emitters in one spot, g2(0) 0.55 to 0.75 where both are on, 20 to 100 kcps"),
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
        return "single" if self.truth < 0.5 else "not single"


def text(*values: float) -> str:
    """An option with a value for each state."""
    return ",".join(f"{one:.4g}" for one in values)


def options(kind: str, random: np.random.Generator) -> tuple[str, dict[str, str]]:
    """(address, options) of one dot of a kind."""
    dark = random.uniform(50, 150)
    common = {"rate_hz": "5e6", "dark_cps": text(dark, dark)}
    rate = np.exp(random.uniform(np.log(20e3), np.log(100e3)))
    if kind == "nothing":
        return "simulate:poisson", common | {"eta_c": "1e-9"}
    if kind == "dirt":
        return "simulate:poisson", common | {"rate": f"{np.exp(random.uniform(np.log(5e3), np.log(50e3))):.0f}"}
    if kind == "dim":
        rate = random.uniform(1e3, 4e3)
    lifetime = random.uniform(10, 25)
    g2 = random.uniform(0.55, 0.75) if kind == "pair" else random.uniform(0.02, 0.3)
    if kind == "pair":  # off, one on, both on
        yields, ratios = np.array([0.03, 0.45, 0.9]), np.array([0.5, 0.1, g2])
    else:  # off states are faster and less pure
        yields = np.array([0.06, 0.35, 0.9])[-random.integers(1, 4) :]
        ratios = np.append(random.uniform(0.2, 0.7, len(yields) - 1), g2)
    dwells = np.exp(random.uniform(np.log(0.05), np.log(2.0), len(yields)))
    dwells[-1] = max(dwells[-1], 0.2)
    found = common | {
        "eta_x": text(*yields), "eta_bx": text(*(yields * ratios)), "tau_x_ns": text(*(lifetime * yields)),
        "tau_bx_ns": text(*(lifetime * yields / 5)), "rate": f"{rate:.0f}",
        "dwell": ",".join(f"exp:{one:.3g}" for one in dwells),
    }  # fmt: skip
    if kind == "bleaching":
        found["bleach"] = "exp:3"
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


def measured(made: Sequence[Made], workers: int = 1) -> list[Row]:
    """The survey."""
    plan = Plan(Settings(studies=(), stop=RULES))
    return run_survey([one.dot for one in made], plan, lambda row: None, workers=workers)


def line(one: Made, row: Row) -> str:
    """A dot as the page lists it."""
    return (
        f"| {row.number} | {one.kind} | {one.truth:.3f} | {row.verdict} | {row.used_s:.2f} | {row.photons} | "
        f"{row.g2_0:.3f} |"
        if row.g2_0 is not None
        else f"| {row.number} | {one.kind} | {one.truth:.3f} | {row.verdict} | {row.used_s:.2f} | {row.photons} | |"
    )


if __name__ == "__main__":
    import pickle, sys, time

    began = time.time()
    made = [make(n) for n in range(1, int(sys.argv[1]) + 1)]
    print(time.time() - began)
    rows = measured(made, WORKERS)
    print(time.time() - began)
    pickle.dump([(m.kind, m.truth, r) for m, r in zip(made, rows)], open("/tmp/h2o/rows.pkl", "wb"))
    for m, r in zip(made, rows):
        print(line(m, r), r.reason)
