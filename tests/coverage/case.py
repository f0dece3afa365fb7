"""Case: one printed interval, or those of one fit, and how to draw simulated emitters of known truth that test it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Trial:
    """One simulated emitter.

    Attributes:
        setting: which of the case's settings (rate, duration, state ...) it was drawn from; bias is judged by setting.
        truth: the number put in.
        value, low, high: what was found; all None where the estimator said that it cannot tell. An end that is None
            stands for no end on that side.
        number: which of the case's numbers this is; empty where it has one only.
    """

    setting: str
    truth: float
    value: float | None
    low: float | None
    high: float | None
    number: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One interval, or several that come of the same analysis.

    Attributes:
        name: such as "g2(0), pulsed, side peaks"; one line of the table.
        what: the settings in a few words: rates, durations, states.
        draw: (generator, how many) -> that many Trials of each of `numbers` (a few more or fewer are fine), dealt
            evenly over the settings.
        trials: at most so many, where a trial is dear; None for as many as asked for.
        numbers: what comes of each analysis, where that is more than one; each is judged by itself.
        times: where a trial is cheap, so many times the trials asked for: chance then decides less.
    """

    name: str
    what: str
    draw: Callable[[np.random.Generator, int], Iterable[Trial]]
    trials: int | None = None
    times: int = 1
    numbers: tuple[str, ...] = ("",)
