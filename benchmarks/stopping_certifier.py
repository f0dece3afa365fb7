"""Stopping beside SPARQ's test of two emitter models: `python -m benchmarks.stopping_certifier [--write]`.

`sparq.SPRTCertifier` (sparq-triage) asks whether a cw histogram is that of one emitter or of two, whose lifetime and
count rate it is told. Here it is told the true ones, and, where the dot blinks, in one line that it does.
"""

from __future__ import annotations

import argparse
import math
from importlib.metadata import version

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sparq import EmitterSite, HBTConfig, SPRTCertifier

from benchmarks.stopping import dots, page
from benchmarks.stopping.cw_dots import _next_lit
from benchmarks.stopping.study import NOT_SINGLE, SINGLE, UNDECIDED, Steps, Stops, judge

ERROR = 0.05
K, RATE = 0.08, 0.02  # per ns: rate of either step of the emitter, photons of both detectors when on
BINS, FAR = 61, 40  # of 1 ns, by |tau|; pairs from FAR on are our reference
DWELLS = ((math.inf, 0.0, "steady"), (1e3, 1.5e3, "blinking fast"), (1e4, 1.5e4, "blinking"))  # on, off, ns
LOOK_NS = 4e3  # 0.4 accidental pairs in a bin when always on
LOOKS = 200
GRID = HBTConfig(tau_max=BINS - 0.5, n_bins=2 * BINS - 1, sigma_irf=0.01)
MOST_NEAR = 64


def draw(emitters: int, on: float, off: float, ends: NDArray[np.int64], count: int, seed: int) -> NDArray[np.float64]:
    """Pairs by |tau| in bins of 1 ns between looks; float64[dots, looks, BINS]."""
    counts = np.zeros((count, len(ends), BINS))
    _draw(counts, ends * LOOK_NS, np.random.default_rng(seed), emitters, on, off)
    return counts


@njit(cache=False)
def _draw(counts, ends, rng, emitters, on, off):  # type: ignore[no-untyped-def]
    """Fill `counts` in place; the light of all emitters is switched on and off together."""
    missed = math.log1p(-RATE / emitters * 2 / K)
    following = np.zeros(emitters)
    time, on_b = np.zeros(MOST_NEAR), np.zeros(MOST_NEAR, np.bool_)
    for dot in range(counts.shape[0]):
        first = last = look = 0
        for one in range(emitters):
            following[one] = -1e3 / K
            while following[one] < 0:
                following[one] += _next_lit(rng, K, missed)
        lit = off == 0 or rng.random() < on / (on + off)
        switch = math.inf if off == 0 else rng.exponential(on if lit else off)
        while True:
            one = np.argmin(following)
            now = following[one]
            following[one] += _next_lit(rng, K, missed)
            while now >= switch:
                lit = not lit
                switch += rng.exponential(on if lit else off)
            while look < len(ends) and now >= ends[look]:
                look += 1
            if look == len(ends):
                break
            if not lit:
                continue
            b = rng.random() < 0.5
            while first < last and now - time[first % MOST_NEAR] >= BINS - 0.5:
                first += 1
            for at in range(first, last):
                if on_b[at % MOST_NEAR] != b:
                    counts[dot, look, int(now - time[at % MOST_NEAR] + 0.5)] += 1
            time[last % MOST_NEAR], on_b[last % MOST_NEAR] = now, b
            last += 1


def ours(counts: NDArray[np.float64]) -> Stops:
    """Centre against far pairs, as for cw light without the photons' own rates."""
    side = counts[..., FAR:].sum(axis=2)
    steps = Steps(counts[..., 0], side[None], (2.0 * (BINS - FAR),), side, np.ones((1, 1)))
    return judge(steps, 0.5).stops[ERROR]


def theirs(counts: NDArray[np.float64], passed: NDArray[np.float64], params: dict[str, float | bool]) -> Stops:
    """One emitter or two, of these parameters; `passed` is the time between looks, ns."""
    one, two = (EmitterSite(params, n_emitters=number) for number in (1, 2))
    verdicts, pairs = [], []
    for dot in counts:
        test = SPRTCertifier(one, two, GRID, alpha=ERROR, beta=ERROR)
        seen = 0.0
        for fold, span in zip(dot, passed, strict=True):
            half = fold[1:] / 2  # both signs of tau have the same model
            seen += fold[0] + fold[FAR:].sum()
            if test.update(np.concatenate([half[::-1], fold[:1], half]), span * 1e-9) != "continue":
                break
        verdicts.append({"accept": SINGLE, "reject": NOT_SINGLE}.get(test.decision, UNDECIDED))
        pairs.append(seen)
    return Stops(np.array(verdicts), np.array(pairs), np.array(pairs), np.ones(len(pairs)))


def params(on: float, off: float, told: bool) -> dict[str, float | bool]:
    """What their test is told: the on-rate and the dwells, or the mean rate of a source that does not blink."""
    share = 1.0 if off == 0 or told else on / (on + off)
    site: dict[str, float | bool] = {"tau1": 1 / (2 * K), "tau2": 100.0, "a": 0.0, "rho": 1.0}
    site |= {"rate_kcps": RATE * share * 1e6, "blinking": told}
    return site | ({"t_on_ms": on / 1e6, "t_off_ms": off / 1e6} if told else {})


HEAD = """### A model of one emitter against one of two

`python -m benchmarks.stopping_certifier --write` (sparq-triage {version}; {dots} dots a line, cw). `SPRTCertifier` asks
whether the histogram is that of one emitter or of two, whose lifetime and count rate it is told: here the true ones.
It uses all of the dip and the absolute number of pairs; ours uses the central nanosecond and the far pairs only, and is
told nothing. So it is far faster where its model is true. Its documentation says that the source must not change.
The blinking dot is on for {on:g} looks and off for {off:g} in the mean (fast: a tenth of it). The test is told the
mean rate, or that it blinks, and how: then its model has the mean excess of pairs, but not that they come in bursts,
and it decides within a dwell or two. Wrong verdicts, promised: 5 %; mean pairs in the central and the far bins.

"""


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping_certifier", description=__doc__)
    parser.add_argument("--dots", type=int, default=1000, help="per line")
    parser.add_argument("--write", action="store_true", help=f"write the part of {page.PAGE.name}")
    asked = parser.parse_args()
    ends = dots.look_ends(5 * LOOKS) // 5
    passed = np.diff(ends, prepend=0) * LOOK_NS
    rows = []
    for on, off, about in DWELLS:
        for emitters in (1, 2):
            counts = draw(emitters, on, off, ends, asked.dots, 17 + emitters)
            tests = [("ours", ours(counts)), ("SPARQ, mean rate", theirs(counts, passed, params(on, off, False)))]
            if off:
                tests.append(("SPARQ, told that it blinks", theirs(counts, passed, params(on, off, True))))
            for name, stops in tests:
                wrong = float((stops.verdict == (NOT_SINGLE if emitters == 1 else SINGLE)).mean())
                without = float((stops.verdict == UNDECIDED).mean())
                share = page.share(wrong, asked.dots)
                rows.append([
                    about, ("one", "two")[emitters - 1], name, f"**{share}**" if wrong > 1.5 * ERROR else share,
                    f"{100 * without:.1f}", f"{stops.pairs.mean():.0f}",
                ])  # fmt: skip
                print(" | ".join(rows[-1]), flush=True)
    if asked.write:
        head = HEAD.format(
            version=version("sparq-triage"), dots=asked.dots, on=DWELLS[2][0] / LOOK_NS, off=DWELLS[2][1] / LOOK_NS
        )
        columns = ("dot", "emitters", "test", "wrong, %", "undecided, %", "pairs")
        page.write("certifier", head + page.table(columns, rows))


if __name__ == "__main__":
    main()
