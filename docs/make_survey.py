"""Writes docs/survey.md and its picture: `python docs/make_survey.py`; some ten minutes on two idle cores.

The dots of `survey_dots`, each under one stop rule; the verdicts are held against the truth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from shutil import copyfile

from scipy.stats import beta
from survey_dots import EXPOSURE_S, KINDS, RULES, Made, as_seen, fixed, make, measured, verdict_of

from streamer.registry import load_sink
from streamer.survey import Row, values_of
from streamer.survey.picture import picture

HERE = Path(__file__).parent
DOTS, WORKERS = 300, 2
PROMISED = 0.05  # the rule's `error`
LISTED = 12  # dots that the page names one by one
BUDGET_S = 1500.0  # of the survey that has to share
HELD_S = 5.0  # for so long the patient rule wants its verdict to stand
DECIDED = ("single", "not single")


def line(one: Made, row: Row) -> str:
    """A dot as the page lists it."""
    value = "" if row.g2_0 is None else f"{row.g2_0:.3f}"
    return (
        f"| {row.number} | {one.kind} | {one.truth:.3f} | {row.verdict} | {row.used_s:.2f} | {row.photons} | {value} |"
    )


def upper(wrong: int, decided: int) -> float:
    """Upper 95 % limit of a share (Clopper & Pearson, one-sided)."""
    return float(beta.ppf(0.95, wrong + 1, decided - wrong)) if wrong < decided else 1.0


def counts(made: Sequence[Made], rows: Sequence[Row]) -> str:
    """The table of verdicts against the truth, a line for each kind and one for all."""
    lines = [
        "| kind | dots | single | not single | undecided | wrong: the dot | wrong: what was seen | used, s | saved |",
        "| --- |" + " --- |" * 8,
    ]
    for kind in (*KINDS, "all"):
        some = [(one, row) for one, row in zip(made, rows, strict=True) if kind in (one.kind, "all")]
        if not some:
            continue
        told = [row.verdict for _, row in some]
        decided, wrong, unseen = judged(some)
        used, planned = sum(row.used_s for _, row in some), EXPOSURE_S * len(some)
        cells = (
            kind, len(some), *(told.count(one) for one in DECIDED), len(some) - decided, wrong, unseen, f"{used:.0f}",
            f"{100 * (1 - used / planned):.1f} %",
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    decided, wrong, unseen = judged(list(zip(made, rows, strict=True)))
    lines.append(
        f"\nWrong among the {decided} decided: {unseen} ({100 * unseen / decided:.1f} %, at 95 % confidence below "
        f"{100 * upper(unseen, decided):.1f} %; promised: {100 * PROMISED:g} %) of what was seen until the stop, "
        f"{wrong} ({100 * wrong / decided:.1f} %) of the dot as it is."
    )
    return "\n".join(lines) + "\n"


def judged(some: Sequence[tuple[Made, Row]]) -> tuple[int, int, int]:
    """(decided, of them wrong about the dot, wrong about what was seen)."""
    decided = [(one, row) for one, row in some if row.verdict in DECIDED]
    wrong = sum(one.verdict != row.verdict for one, row in decided)
    return len(decided), wrong, sum(verdict_of(as_seen(one, row)) != row.verdict for one, row in decided)


def after_all(made: Sequence[Made], found: Sequence[str], soon: Sequence[Row]) -> str:
    """What the fixed exposure finds out."""
    decided = [(one, told) for one, told in zip(made, found, strict=True) if told in DECIDED]
    wrong = sum(one.verdict != told for one, told in decided)
    early, used = sum(row.verdict in DECIDED for row in soon), sum(row.used_s for row in soon)
    return (
        f"The fixed exposure, {EXPOSURE_S:g} s for each dot, {EXPOSURE_S * len(made):g} s together, decides "
        f"{len(decided)} dots, {wrong} of them wrongly, by the 95 % interval that every summary prints. "
        f"Stopped as soon as there is a verdict, {early} are decided, for {100 * used / EXPOSURE_S / len(made):.0f} % "
        "of the exposure.\n"
    )


HEAD = """# Many dots: `streamer survey`

Every recording, or every source, is a dot. Each is counted until its [stop rules](stopping.md) end it, and
leaves a row: verdict, reason, exposure used and saved, photons, and the limits of g2(0) that hold at every moment. A
dot that cannot be read, or of which the question cannot be asked (one detector), is a row with the verdict `refused`;
the rest goes on, and the status is then 2.

```console
$ streamer survey replay_data/dot.ptu --out OUT
$ streamer survey simulate:single simulate:poisson simulate: --workers 2 --rules 'rule="g2"' --budget 30 --json
$ streamer survey simulate:steady --set duration=12 --set next_dot=1:3 --next-dot 1 --rules 'rule="g2"' --out OUT
```

| option | meaning |
| --- | --- |
| `--rules` | a TOML file or TOML on one line; else `stop` of `--config`; else the default, see below |
| `--out` | folder for `survey.csv`, `survey.h5` and the picture `survey.png` |
| `--exposure` | that a dot would get without rules, in s, which savings are counted against; else as the source says |
| `--budget` | exposure of the whole survey, in s: [below](#a-budget-for-the-whole-survey) |
| `--workers` | processes. The table is the same for any number |
| `--next-dot` | input of the card, from 1: each of its markers begins a new dot of the same stream |
| `--serve` | be a daemon at this address: each stream that is sent to it is a dot |
| `--dots` | end after so many, with `--next-dot` or `--serve` |
| `--set`, `--config`, `--json` | as everywhere |

The default is a g2 verdict on the brightest state that has stood for 5 s (why: [below](#{dots}-simulated-dots)),
within 60 s, given up when the chance of one falls below 5 %; with `--exposure` within that, standing for a twelfth of
it. Table and output say which rules were used.

The table is replaced, whole, after every dot, so an interrupted survey has every dot up to there; Ctrl-C ends with
table and picture. `survey.h5` explains itself: each column has its unit and what it is, and the file its rules,
totals and versions. The picture needs matplotlib (`pip install 'photon-streamer[figures]'`); without it one line says
so, and the numbers are there all the same.

| verdict | meaning |
| --- | --- |
| `single`, `not single`, `undecidable`, ... | of the rules |
| `stopped` | by a rule that gives no verdict; `stopped_on` and the reason say which |
| `undecided` | the stream, or the share of the budget, was over before any rule was met |
| `refused` | see above |

## A source that announces the next dot

**By a marker** in its stream: the scanning program pulses an input of the card when it has moved on. The stream is
parted there. Photons after the verdict are passed over until the next marker, and the exposure used is the time until
the verdict: what a shutter would have let through. `on_stop` in the settings is a command that is started at that
moment (shut, move the stage). Each dot's clock begins at its marker, so it stops at the same photon as it would in a
recording of its own. What comes before the first marker is no dot.

**By a new stream**: a survey that serves takes one stream after the other. The source is told to stop when the rules
are met; the next `streamer send` is the next dot. `streamer view` shows the present one.

```
streamer survey --serve tcp://127.0.0.1:7310 --dots 40 --out OUT
streamer send picoquant:hydraharp --to tcp://127.0.0.1:7310      # once for each dot
```

Each leaves a folder `dot_0001`, ... with its results besides its row.

## A budget for the whole survey

`--budget 1800` shares half an hour of exposure. A dot may use twice its even share of what is left: hard ones use
what easy ones have saved. Half of an even share is kept for every dot to come, however hard the earlier ones were.
Rules with a `budget_s` are told of the share, never more than what they were given, so a dot without hope is given up
early by the rule's own forecast. Dots are dealt with in rounds of up to eight under one share, whatever the number of
workers. With `--next-dot` and `--serve` the number of dots must be said.

## {dots} simulated dots

What follows is written by `python docs/make_survey.py`: a seeded mix of {dots} simulated dots before a laser of 5
MHz, {exposure:g} s planned for each.

| kind | what it is |
| --- | --- |
{kinds}

Two verdicts can be right. *The dot*: g2(0) of its brightest state. *What was seen*: g2(0) of the brightest state that
it had shown up to the stop, worked out from the simulated sequence of states; of two emitters of which one is dark for
the first seconds there is only one to be seen. A rule can answer for the second only, and that is what its
{promised:g} % are promised of. *Undecided* is a dot that was given up, or whose {exposure:g} s were over.

![The survey: exposure by dot, limits of g2(0), verdicts](images/survey.png)

### As soon as there is a verdict

`rule = "g2"`, `budget_s = {exposure:g}`, `give_up = 0.05`:

"""

PATIENT = """
### When the verdict has stood for {held:g} s

The same with `for_s = {held:g}`, for emitters that may hide one another:

"""

SHARED = """
### With a budget of {budget:g} s

As soon as there is a verdict, with `--budget {budget:g}` for all of them:

"""

REST = """
### All of the exposure

{after_all}
### The first {listed}

| dot | kind | g2(0), truth | verdict | used, s | photons | g2(0), seen |
| --- | --- | --- | --- | --- | --- | --- |
{lines}
"""


def write(count: int = DOTS) -> None:
    """The page and its picture."""
    made = [make(number) for number in range(1, count + 1)]
    soon, patient = (measured(made, WORKERS, held_s) for held_s in (0.0, HELD_S))
    shared = measured(made, WORKERS, budget_s=BUDGET_S)
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(fixed, made))
    kinds = "\n".join(f"| {kind} | {what} |" for kind, (_, what) in KINDS.items())
    text = HEAD.format(exposure=EXPOSURE_S, dots=count, kinds=kinds, promised=100 * PROMISED)
    text += counts(made, soon) + PATIENT.format(held=HELD_S) + counts(made, patient)
    text += SHARED.format(budget=BUDGET_S) + counts(made, shared)
    lines = "\n".join(line(one, row) for one, row in zip(made[:LISTED], soon, strict=False))
    text += REST.format(after_all=after_all(made, found, soon), listed=LISTED, lines=lines)
    (HERE / "survey.md").write_text(text, encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        (path,) = load_sink("survey_figure")(Path(folder), [picture(values_of(soon, RULES, "this page", None))])
        copyfile(path, HERE / "images/survey.png")


if __name__ == "__main__":
    write()
