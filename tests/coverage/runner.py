"""The coverage runner: draws every case's simulated emitters in two processes, and says which intervals hold the truth.

A case is drawn in parts of PART trials, each with a seed of its own from the case's name and the part's number: the
same trials whatever runs beside them.
"""

from __future__ import annotations

import importlib
import json
import math
import multiprocessing
import pkgutil
import traceback
import warnings
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from tests.coverage import cases
from tests.coverage.case import Case, Trial

PART = 250
LEAST, MOST, BIAS = 0.93, 0.97, 0.1  # share of the intervals that must hold the truth; standard errors of bias
SAME = 1e-9  # relative: values closer than this do not differ
SIGMAS = 1.959964  # standard errors of a 95 % interval


@dataclass(frozen=True, slots=True)
class Tally:
    """What some trials say of an interval.

    Attributes:
        trials: drawn.
        answered: of them, those with a number.
        low, high: intervals that lie wholly below, above the truth.
        endless: intervals without an end on one side or both.
        bias: mean over the answered trials of (value - truth) / standard deviation of their setting's values (where
            these are all alike, the half width of the interval stands for it); None without an answer.
    """

    trials: int
    answered: int
    low: int
    high: int
    endless: int
    bias: float | None

    @property
    def held(self) -> float:
        """Share of the answered trials whose interval holds the truth; NaN without one."""
        return 1 - (self.low + self.high) / self.answered if self.answered else math.nan

    @property
    def held_error(self) -> float:
        """Binomial standard error of `held`, as of a share of 95 %."""
        return math.sqrt(0.95 * 0.05 / self.answered) if self.answered else math.nan

    @property
    def bias_error(self) -> float:
        """Standard error of `bias`."""
        return 1 / math.sqrt(self.answered) if self.answered else math.nan

    @property
    def good(self) -> bool:
        """The interval keeps its promise."""
        return self.bias is not None and LEAST <= self.held <= MOST and abs(self.bias) < BIAS


@dataclass(frozen=True, slots=True)
class Report:
    """One number of a case: all settings together, each setting, or the error that its drawing ended in."""

    case: Case
    number: str
    whole: Tally
    settings: dict[str, Tally]
    error: str | None = None

    @property
    def name(self) -> str:
        """The line of the table."""
        return f"{self.case.name}, {self.number}" if self.number else self.case.name

    @property
    def good(self) -> bool:
        """Drawn, and the interval keeps its promise."""
        return self.error is None and self.whole.good

    @property
    def verdict(self) -> str:
        """One word or two for the table."""
        return "FAILED TO DRAW" if self.error else "holds" if self.good else "MISSED"


def modules(only: str | None = None) -> list[str]:
    """Names of the files in tests/coverage/cases; those with `only` in their name."""
    names = sorted(one.name for one in pkgutil.iter_modules(cases.__path__))
    return [name for name in names if only is None or only in name]


def cases_of(module: str) -> list[Case]:
    """The cases of a file in tests/coverage/cases."""
    return list(importlib.import_module(f"{cases.__name__}.{module}").CASES)


def draw(case: Case, trials: int, part: int) -> list[Trial]:
    """The trials of one part of a case."""
    seed = np.random.SeedSequence([zlib.crc32(case.name.encode()), part])
    return list(case.draw(np.random.default_rng(seed), trials))


def parts(case: Case, trials: int) -> list[tuple[int, int]]:
    """(trials, number) of each part of a case."""
    total = min(trials * case.times, case.trials or trials * case.times)
    count = -(-total // PART)
    return [(total // count + (part < total % count), part) for part in range(count)]


def judge(case: Case, trials: Sequence[Trial], error: str | None = None) -> list[Report]:
    """Sum up the trials of a case: a report for each of its numbers."""
    return [
        _judge(case, number, [trial for trial in trials if trial.number == number], error) for number in case.numbers
    ]


def _judge(case: Case, number: str, trials: Sequence[Trial], error: str | None) -> Report:
    by_setting: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_setting[trial.setting].append(trial)
    settings = {name: _tally(some) for name, some in by_setting.items()}
    answered = sum(one.answered for one in settings.values())
    biases = [one.bias * one.answered for one in settings.values() if one.bias is not None]
    whole = Tally(
        trials=len(trials),
        answered=answered,
        low=sum(one.low for one in settings.values()),
        high=sum(one.high for one in settings.values()),
        endless=sum(one.endless for one in settings.values()),
        bias=sum(biases) / answered if answered else None,
    )
    return Report(case, number, whole, settings, error)


def _tally(trials: Sequence[Trial]) -> Tally:
    """Sum up the trials of one setting."""
    answered = [trial for trial in trials if trial.value is not None]
    values = np.array([trial.value for trial in answered], float)
    truths = np.array([trial.truth for trial in answered], float)
    bias = None
    if answered:
        spread = float(values.std(ddof=1)) if len(answered) > 1 else 0.0
        scale, off = SAME * float(np.abs(truths).max() + np.abs(values).max()), float(np.mean(values - truths))
        if spread <= scale:
            # Few counts may all be alike (no pair in any trial): then the interval says how well they are known.
            widths = [one.high - one.low for one in answered if one.low is not None and one.high is not None]
            spread = float(np.mean(widths)) / (2 * SIGMAS) if widths else 0.0
        bias = 0.0 if abs(off) <= scale else off / spread if spread > scale else math.copysign(math.inf, off)
    return Tally(
        trials=len(trials),
        answered=len(answered),
        low=sum(trial.high is not None and not trial.high >= trial.truth for trial in answered),
        high=sum(trial.low is not None and not trial.low <= trial.truth for trial in answered),
        endless=sum(trial.low is None or trial.high is None for trial in answered),
        bias=bias,
    )


def work(module: str, index: int, trials: int, part: int) -> tuple[list[Trial], str | None]:
    """One part, in a process of its own: its trials, or the error they ended in."""
    warnings.simplefilter("error")
    try:
        return draw(cases_of(module)[index], trials, part), None
    except Exception:  # whatever it is, it is told in the report
        return [], traceback.format_exc(limit=-3)


def run(
    names: Iterable[str],
    trials: int,
    processes: int = 2,
    progress: Callable[[str], None] = lambda line: None,
    kept: Path | None = None,
) -> tuple[list[Report], dict[str, str]]:
    """Draw every case of these files.

    Args:
        names: of files in tests/coverage/cases.
        trials: per case, over all its settings.
        processes: that draw at a time.
        progress: is told a line for every case that is done.
        kept: file that trials of cases are put into, and are taken from where it has them: a long run that was
            interrupted goes on. It knows nothing of the code that drew them.

    Returns:
        A report per number of each case, in order; and per file that could not even be imported, why.
    """
    found: list[tuple[str, int, Case]] = []
    broken: dict[str, str] = {}
    for name in names:
        try:
            found += [(name, index, case) for index, case in enumerate(cases_of(name))]
        except Exception:
            broken[name] = traceback.format_exc(limit=-3)
    had = _had(kept, trials)
    reports: dict[int, list[Report]] = {}

    def done(at: int, drawn: Sequence[Trial], error: str | None, how: str = "") -> None:
        reports[at] = judge(found[at][2], drawn, error)
        for report in reports[at]:
            progress(f"{len(reports)} of {len(found)}{how}: {report.name}: {report.verdict}")

    for at, (_, _, case) in enumerate(found):
        if case.name in had:
            done(at, had[case.name], None, ", kept")
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {
            pool.submit(work, name, index, some, part): (at, part)
            for at, (name, index, case) in enumerate(found)
            for some, part in parts(case, trials)
            if at not in reports
        }
        drawn: dict[int, dict[int, list[Trial]]] = defaultdict(dict)
        errors: dict[int, str] = {}
        for ready in as_completed(waiting):
            at, part = waiting[ready]
            drawn[at][part], error = ready.result()
            if error:
                errors[at] = error
            if len(drawn[at]) == len(parts(found[at][2], trials)):
                every = [one for _, some in sorted(drawn.pop(at).items()) for one in some]
                if kept is not None and at not in errors:
                    _keep(kept, found[at][2].name, trials, every)
                done(at, every, errors.get(at))
    return [report for at in range(len(found)) for report in reports[at]], broken


def _keep(kept: Path, name: str, trials: int, drawn: Sequence[Trial]) -> None:
    """One line for a case."""
    line = json.dumps({"case": name, "trials": trials, "drawn": [astuple(one) for one in drawn]}, default=float)
    with kept.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _had(kept: Path | None, trials: int) -> dict[str, list[Trial]]:
    """Name of a case -> its trials, of so many asked for. A line that was cut off is cut away."""
    had: dict[str, list[Trial]] = {}
    if kept is None or not kept.exists():
        return had
    whole = []
    for line in kept.read_text(encoding="utf-8").splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        whole.append(line + "\n")
        if one["trials"] == trials:
            had[one["case"]] = [Trial(*each) for each in one["drawn"]]
    kept.write_text("".join(whole), encoding="utf-8")
    return had
