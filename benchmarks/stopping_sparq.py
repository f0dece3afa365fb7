"""Stopping beside SPARQ's sequential test on the same photons: `python -m benchmarks.stopping_sparq [--write]`.

`sparq.WindowSPRT` (sparq-triage) is Wald's test of two values of g2(0), from the same pair counts as ours: a bin of
its histogram is a peak here. Its two answers are promised at and outside these values; in between either may come.
"""

from __future__ import annotations

import argparse
import zlib
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from sparq import HBTConfig, WindowSPRT

from benchmarks.stopping import dots, page
from benchmarks.stopping.cases import ALL, BRIGHT, CASES, Case
from benchmarks.stopping.study import NOT_SINGLE, SINGLE, UNDECIDED, Stops, judge, steps_of

ERROR = 0.05
THEIRS = ERROR / (1 + ERROR)  # alpha = beta, with which their bound alpha / (1 - beta) is ours
ACCEPTS = (0.25, 0.4)  # g2(0) up to which a dot is to be accepted; 0.25 is their default
REJECT = 0.5
TRUTHS = (0.02, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 1.0)
NAMES = ("steady", "telegraph", "background", "all at once")
PEAKS = HBTConfig(tau_max=dots.LAGS + 0.5, n_bins=2 * dots.LAGS + 1)
NEXT = 0.5 / dots.LAGS  # of tau_max: all side peaks are the reference


def mean_signal(case: Case) -> float:
    """Share of the pairs that is signal as the mean rates tell it, which is right for a source that does not blink."""
    dot = case.dot
    assert isinstance(dot, dots.Dot)
    mean = dot.rate
    if dot.dwells is not None:
        on = dot.dwells[0] / sum(dot.dwells)
        mean *= on + (1 - on) * dot.dim
    mean *= (1 + dot.drift) / 2
    return (mean / (mean + dot.background)) ** 2


def theirs(central: NDArray[np.float64], side: NDArray[np.float64], accept: float, signal: float) -> Stops:
    """Their test of the same pairs, look by look; both values are moved by the background that the mean rates tell."""
    moved = [1 + (g - 1) * signal for g in (accept, REJECT)]
    verdicts, pairs = [], []
    histogram = np.zeros(PEAKS.n_bins)
    for dot in range(len(central)):
        test = WindowSPRT(*moved, cfg=PEAKS, alpha=THEIRS, beta=THEIRS, lo_frac=NEXT)
        for here, there in zip(central[dot], side[dot], strict=True):
            histogram[:] = there / (2 * dots.LAGS)  # which of the side peaks a pair is in, the test does not ask
            histogram[dots.LAGS] = here
            if test.update(histogram) != "continue":
                break
        verdicts.append({"accept": SINGLE, "reject": NOT_SINGLE}.get(test.decision, UNDECIDED))
        pairs.append(test.k0 + test.kr)
    return Stops(np.array(verdicts), np.array(pairs), np.array(pairs), np.ones(len(pairs)))


def cells_of(stops: Stops) -> list[str]:
    """Single and not single in per cent, mean pairs."""
    count = len(stops.verdict)
    shares = [page.share(float((stops.verdict == one).mean()), count) for one in (SINGLE, NOT_SINGLE)]
    cut = (stops.verdict == UNDECIDED).mean() > page.FEW
    return [*shares, ("≥ " if cut else "") + f"{stops.pairs.mean():.0f}"]


HEAD = """## Beside SPARQ's sequential test

`python -m benchmarks.stopping_sparq --write` (sparq-triage {version}; {dots} dots a line), on the same photons, pairs
and looks. `WindowSPRT` is Wald's test between two values of g2(0), from centre and side pairs, whatever the rates. It
promises to *accept* a dot of g2(0) >= 0.5, and to *reject* one of g2(0) <= g_accept, in at most 5 % of the dots each
(alpha = beta = {alpha:.4f}, so that its own bound alpha / (1 - beta) is 5 %). In between, by its defaults from 0.25 to
0.5, either answer may come: "reject" does not say that g2(0) is above 0.5. Ours promises both answers at 0.5 whatever
g2(0) is, and has no g_accept to be set. So where g2(0) is 0.5 or more theirs is much faster, for it claims less; where
g2(0) is small ours is faster, for theirs is tuned to 0.25 (or 0.4) and goes on to settle that. Bold: a wrong answer in
more than the promised 5 %, by two standard errors.

Three columns a test: single (*accept*), %; not single (*reject*), %; mean pairs ("≥": more than 1 % undecided by the
end of the budget).

"""

ABOUT = {
    "steady": "Steady.",
    "telegraph": "Blinking, no background, all photons. Centre and side pairs blink alike, so both tests may be used.",
    "background": "Steady, known background. Theirs tests the ratio of all pairs; its two values were moved by the "
    "share of signal that the rates tell.",
    "all at once": "Blinking with background and drift. Here its assumption enters that a source does not change: the "
    "share of signal was taken from the mean rates, but the pairs come mostly from the bright state, where the "
    "background matters less. Ours sums up segment by segment.",
}


def compare(count: int) -> list[str]:
    """The tables, one per kind of dot."""
    tables = []
    for name in NAMES:
        case = next(one for one in CASES if one.name == name)
        states = case.states if name == "all at once" else (ALL,)
        rows = []
        for g in TRUTHS:
            seed = zlib.crc32(f"sparq {name} {g:g}".encode())
            steps = list(steps_of(case, ALL, g, count, seed))
            every = [judge(steps[state], g).stops[ERROR] for state in states]
            central, side = steps[ALL].central, steps[ALL].references[0]
            every += [theirs(central, side, accept, mean_signal(case)) for accept in ACCEPTS]
            rows.append([f"{g:g}", *marked(g, every, len(states))])
            print(name, " | ".join(rows[-1]), flush=True)
        ours = {ALL: "ours", BRIGHT: "ours, bright state"}
        tests = [ours[state] for state in states] + [f"SPARQ, {accept:g} or 0.5" for accept in ACCEPTS]
        head = ["g2(0)", *(f"{test}: {what}" for test in tests for what in ("single", "not single", "pairs"))]
        tables.append(f"{ABOUT[name]}\n\n{page.table(head, rows)}\n")
    return tables


def marked(g: float, every: list[Stops], ours: int) -> list[str]:
    """Cells of a line; a broken promise is bold."""
    cells = []
    for at, stops in enumerate(every):
        three = cells_of(stops)
        limit = REJECT if at < ours else ACCEPTS[at - ours]
        for verdict, promised in ((SINGLE, g >= REJECT), (NOT_SINGLE, g < limit or (at >= ours and g == limit))):
            share = float((stops.verdict == verdict).mean())
            if promised and share > ERROR + 2 * np.sqrt(ERROR * (1 - ERROR) / len(stops.verdict)):
                three[verdict] = f"**{three[verdict]}**"
        cells += three
    return cells


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping_sparq", description=__doc__)
    parser.add_argument("--dots", type=int, default=1000, help="per line")
    parser.add_argument("--write", action="store_true", help=f"write the part of {page.PAGE.name}")
    asked = parser.parse_args()
    tables = compare(asked.dots)
    if asked.write:
        head = HEAD.format(version=version("sparq-triage"), dots=asked.dots, alpha=THEIRS)
        page.write("sparq", head + "\n".join(tables))


if __name__ == "__main__":
    main()
