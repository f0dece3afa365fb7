"""The same promise through the whole program: simulated photons, states found by it, its own rule and grid of looks."""

from __future__ import annotations

import multiprocessing
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.stopping import page
from streamer.batch import analyse
from streamer.config import Settings
from streamer.registry import open_source

TRUTHS = (0.1, 0.3, 0.5, 0.7, 1.0)
BUDGET_S = 8.0
ERROR = 0.05
BACKGROUND_CPS = 3000.0
COMMON = {
    "nbar": "0.1", "rate_hz": "5e6", "eta_c": "0.09", "dead_ns": "0,0", "jitter_ps": "0,0",
    "duration": f"{BUDGET_S:g}",
}  # fmt: skip
BRIGHT, DARK = 0.9, 0.08  # yields of the exciton


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of dot and what is asked of it."""

    about: str
    blinking: bool
    state: str

    def options(self, g: float, seed: int) -> tuple[str, dict[str, str]]:
        """Address and options of the simulated source."""
        bright, dark = yield_for(g, BRIGHT), yield_for(g, DARK)
        options = COMMON | {"seed": str(seed)}
        if not self.blinking:
            options |= {
                "eta_x": f"{BRIGHT:g}", "eta_bx": f"{bright!r}", "tau_x_ns": "10", "tau_bx_ns": "2", "dark_cps": "0,0",
            }  # fmt: skip
            return "simulate:steady", options
        options |= {
            "eta_x": f"{DARK:g},{BRIGHT:g}", "eta_bx": f"{dark!r},{bright!r}", "tau_x_ns": "10,10",
            "tau_bx_ns": "2,2", "dwell": "exp:0.15,exp:0.2", "dark_cps": f"{BACKGROUND_CPS:g},{BACKGROUND_CPS:g}",
            "drift_collection": "linear:-0.06",
        }  # fmt: skip
        return "simulate:", options

    def settings(self) -> Settings:
        """Of the analysis."""
        background = {0: BACKGROUND_CPS, 1: BACKGROUND_CPS} if self.blinking else None
        rule = {"rule": "g2", "state": self.state, "budget_s": BUDGET_S, "error": ERROR}
        return Settings(studies=(), stop=rule, delays_ns={}, look_photons=0, background_cps=background)


KINDS = (
    Kind("steady, no background", False, "all"),
    Kind("blinking, background, drift; all photons", True, "all"),
    Kind("blinking, background, drift; brightest state as found", True, "brightest"),
)


@cache
def yield_for(g: float, exciton: float) -> float:
    """Yield of the biexciton with which a state's own g2(0) is g, by halving."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        options = COMMON | {"eta_x": f"{exciton!r}", "eta_bx": f"{middle!r}", "dark_cps": "0,0"}
        truth = open_source("simulate:steady", options).info.truth["states"][0]["g2_0"]
        low, high = (middle, high) if truth < g else (low, middle)
    return high  # never below g: at 0.5 "single" is wrong


def one(kind: int, g: float, seed: int) -> tuple[str, float, float]:
    """Verdict, seconds and accidental pairs of a dot."""
    warnings.simplefilter("error")
    pipeline = analyse(KINDS[kind].options(g, seed)[0], KINDS[kind].settings(), KINDS[kind].options(g, seed)[1])
    assert pipeline.stopping is not None
    record = pipeline.stopping.record(None)
    return str(record["verdict"]), float(record["used_s"] or BUDGET_S), float(record["evidence"]["accidental"])


HEAD = """## Through the whole program

`python -m benchmarks.stopping --program --write` ({dots} dots a line): photons of `simulate`, 5 MHz, two detectors of
about 20 kcps each when bright, no dead time, through the pipeline with `{{rule = "g2", budget_s = {budget:g}}}`, which
finds the states itself while it runs. Blinking: bright for 0.2 s, dark at a ninth of the yield for 0.15 s in the mean,
{background:g} background counts/s on each detector (told to the program), and the light falls by 6 % of its start per
second. g2(0) is that of either state, without background. The rule may give up early (*undecidable*) when a verdict
within the budget is improbable.

"""


def run(dots: int, write: bool, say: Callable[[str], None], processes: int = 2) -> None:
    """Every kind at every truth."""
    text = HEAD.format(dots=dots, budget=BUDGET_S, background=BACKGROUND_CPS)
    columns = ("g2(0)", "wrong, %", "without a verdict, %", "mean exposure, s", "90 %", "accidental pairs")
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for number, kind in enumerate(KINDS):
            rows = []
            for at, g in enumerate(TRUTHS):
                seeds = range(1 + at * dots, 1 + (at + 1) * dots)
                found = list(pool.map(one, [number] * dots, [g] * dots, seeds, chunksize=max(dots // 20, 1)))
                verdicts = Counter(verdict for verdict, _, _ in found)
                wrong = verdicts["single" if g >= 0.5 else "not single"] / dots
                without = 1 - (verdicts["single"] + verdicts["not single"]) / dots
                used, pairs = np.array([each[1:] for each in found]).T
                rows.append([
                    f"{g:g}", page.share(wrong, dots), f"{100 * without:.1f}", f"{used.mean():.2f}",
                    f"{np.quantile(used, 0.9):.2f}", f"{pairs.mean():.3g}",
                ])  # fmt: skip
                say(f"{kind.about}: " + " | ".join(rows[-1]))
            text += f"### {kind.about[0].upper() + kind.about[1:]}\n\n" + page.table(columns, rows) + "\n"
    if write:
        page.write("program", text)
