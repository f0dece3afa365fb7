"""The page docs/stopping-promise.md; each command writes the part that it measured, and leaves the others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.stopping.cases import BOUNDS, CASES, ERRORS

PAGE = Path(__file__).parents[2] / "docs/stopping-promise.md"
PARTS = ("dots", "program", "sparq", "certifier")
FEW = 0.01  # share of undecided dots up to which a mean is a mean

HEAD = """## Many dots

`python -m benchmarks.stopping --write` ({dots} dots a line). Dots are simulated photon by photon and their pairs
counted one by one, ten side peaks on either side; the evidence is looked at on the program's grid: at first whenever
another {step} accidental pairs are to be expected, from the hundredth look on whenever the time has grown by a
hundredth. (A laboratory has more pairs a look. Looks that are nearer to each other put the promise to a harder test.)
Each dot is looked at up to {bounds:g} times Wald's bound for an error of {strict:g} %, but {most:g} accidental pairs at
most (400 with background, blinking or cw); it is undecided without a verdict by then.

| column | meaning |
| --- | --- |
| wrong | share of dots with a wrong verdict: at most 5 % is promised; ± by chance. At 0.5 *single* is wrong |
| undecided | by the end of the budget |
| pairs / Wald | mean pairs (and so photons) until the verdict over Wald's bound; "≥" where over 1 % are undecided |
| 90 % | of the dots need no more, same unit |
| photons | mean until the verdict or the end, of the credited segments, in thousands |
| fixed, g known | exposure fixed beforehand with an error of 5 % at 0.5 and at this very g, over our mean |
| fixed, for all | the same, but set for 0.4 (0.6), so that it serves all below (above): g need not be known |
| naive | wrong verdicts of who stops at the first look at which the ordinary 95 % interval excludes 0.5 |
| limits miss | share of dots whose true g2(0) was *ever* outside the limits for all moments: 5 % is promised |
| 1 % | the same dots with a promised error of 1 % |

Wald's bound is log(1/error) / KL(p(r) || p(0.5)) pairs, p(r) = r / (r + 20): no test that is wrong in so many dots at
0.5 can do with fewer in the mean. The naive rule waits for 20 side pairs, as the program's read-out does. With
background r is 1 + (g - 1) times the share of the pairs that is signal, and 0.5 moves alike: what is far from 0.5
comes near. Of cw light the smaller of two e-values counts, which costs some pairs.

With background the share of signal is found from the same photons, as the program does, and with "all at once" bright
segments are those above a fixed count, though the light falls.

"""


def write(part: str, text: str) -> None:
    """Replace a part of the page."""
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    parts = dict.fromkeys(PARTS, "")
    for name in PARTS:
        _, _, behind = old.partition(_mark(name))
        parts[name] = behind.partition("<!-- part ")[0].strip()
    parts[part] = text.strip()
    page = TOP + "".join(f"\n{_mark(name)}\n\n{parts[name]}\n" for name in PARTS if parts[name])
    PAGE.write_text(page, encoding="utf-8")


def _mark(name: str) -> str:
    return f"<!-- part {name} -->"


TOP = """# Does a verdict keep its promise?

A run that stops as soon as g2(0) is known to be below or above 0.5 looks at the data at every moment, and stops at the
most convincing one. The rule `g2` promises: *wrong in at most 5 % of all dots, at any moment at all* (or the `error`
that is asked for). In the worst line below 4.4 % are wrong, and 23 % for who stops by an ordinary 95 % interval.
This page puts that to the test, and says what is saved. Tests with fewer dots run with
`make test`; the estimator is `streamer/estimators/ratio_evidence.py`.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def share(value: float | None, count: int) -> str:
    """In per cent, with its error by chance."""
    if value is None:
        return "-"
    error = math.sqrt(max(value * (1 - value), 1e-12) / count)
    return f"{100 * value:.2f} ± {100 * error:.2f}" if value else "0"


def over(above: float | None, below: float | None, least: bool = False) -> str:
    """A ratio, or its lower limit."""
    if above is None or not below:
        return "-"
    return ("≥ " if least else "") + f"{above / below:.2f}"


def line(one: Mapping[str, Any]) -> list[str]:
    """Of a summary."""
    cut, strict_cut = one["undecided"] > FEW, one["undecided_strict"] > FEW
    return [
        f"{one['g']:g}",
        share(one["wrong"], one["dots"]),
        f"{100 * one['undecided']:.1f}",
        over(one["pairs"], one["bound"], cut),
        over(one["pairs_90"], one["bound"], one["undecided"] > 0.1),
        f"{one['photons'] / 1e3:.3g}",
        "-" if cut else over(one["fixed"], one["pairs"]),
        "-" if cut else over(one["fixed_for"], one["pairs"]),
        share(one["naive_wrong"], one["dots"]),
        share(one["outside"], one["dots"]),
        share(one["wrong_strict"], one["dots"]),
        over(one["pairs_strict"], one["bound_strict"], strict_cut),
    ]


COLUMNS = (
    "g2(0)", "wrong, %", "undecided, %", "pairs / Wald", "90 %", "photons, 10³", "fixed, g known", "fixed, for all",
    "naive: wrong, %", "limits miss, %", "1 %: wrong, %", "1 %: pairs / Wald",
)  # fmt: skip


def dots_part(summaries: Sequence[Mapping[str, Any]]) -> str:
    """The part on many dots, of summaries of every case."""
    count = max(one["dots"] for one in summaries)
    text = HEAD.format(
        dots=count,
        step="0.4 (blinking: 1.1)",
        bounds=BOUNDS,
        strict=100 * min(ERRORS),
        most=max(case.most for case in CASES),
    )
    for case in CASES:
        for state in case.states:
            rows = [one for one in summaries if (one["case"], one["state"]) == (case.name, state)]
            if not rows:
                continue
            of = ", photons of bright segments" if state else ", all photons" if len(case.states) > 1 else ""
            text += f"### {case.name[0].upper() + case.name[1:]}{of}\n\n{case.about[0].upper() + case.about[1:]}.\n\n"
            text += table(COLUMNS, map(line, rows)) + "\n"
    return text + _worst(summaries)


def _worst(summaries: Sequence[Mapping[str, Any]]) -> str:
    """The largest of each promise."""

    def most(key: str) -> str:
        one = max(summaries, key=lambda one: one[key] or 0.0)
        return f"{share(one[key], one['dots'])} % ({one['case']}, g2(0) = {one['g']:g})"

    far = [
        one
        for one in summaries
        if (one["g"] <= 0.3 or one["g"] >= 0.7) and one["undecided"] <= FEW and one["signal"] == 1
    ]
    worst = max(far, key=lambda one: one["pairs"] / one["bound"])
    far_off = f"{worst['pairs'] / worst['bound']:.2f} ± {worst['spread'] / worst['bound']:.2f}"
    return (
        f"### The worst of all lines\n\nWrong verdicts: {most('wrong')}; with a promise of 1 %: "
        f"{most('wrong_strict')}. Limits that ever missed: {most('outside')}. Stopping naively: {most('naive_wrong')}. "
        f"Pairs over Wald's bound, without background, g2(0) up to 0.3 or from 0.7: {far_off} ({worst['case']}, "
        f"{worst['g']:g}).\n"
    )
