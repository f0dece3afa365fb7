"""Study: the contract of everything that takes long to find: fits, dwell times, lists of segments gone through.

A study is one file in `streamer/studies/`: a function from a View to Results, and the lines that a person reads.

    NAME = "mine"                    # of the file, and of the first Result
    NEEDS = ("nanotimes",)           # doubts (see StreamInfo) that make it pointless: "times", "nanotimes", "pairs"

    def study(view: View) -> list[Result]: ...       # [] where there is nothing to be asked (no pairs, no nanotime)
    def lines(values: dict[str, Any]) -> list[str]: ...   # of the first Result's `values`, for the terminal

Studies are pure functions of what was counted: the same live, in a replay and in a batch. Live they run in a process of
their own at a slower pace, over what had been counted when they began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.answers import Answers
from streamer.config import Settings
from streamer.estimators.response import Response
from streamer.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a study sees: everything that one cut says, and the tables that are lists of segments or curves.

    Attributes:
        answers: of the present cut; what is in doubt is withheld already.
        plan: how it was counted.
        settings: of the run.
        tables: accumulator name -> table name -> int64 array, of the accumulators that studies ask for (WANTED).
        origin: tick from which stream time counts.
        stream_s: stream time up to which everything is in the tables.
        cut: the question, plain.
        ended: the stream is over.
        response: of the instrument, measured; None where no recording of it was given.
    """

    answers: Answers
    plan: Plan
    settings: Settings
    tables: Mapping[str, Mapping[str, NDArray[np.int64]]]
    origin: int = 0
    stream_s: float = 0.0
    cut: Mapping[str, Any] = field(default_factory=dict)
    ended: bool = True
    response: Response | None = None

    @property
    def segments(self) -> NDArray[np.int64]:
        """int64[n, 3 + detectors], in time order: start, stop, level, photons of each analysed detector."""
        return self.tables["sequence"]["segments"]

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows: all, then each state."""
        return self.answers.rows


WANTED = ("sequence", "arrivals", "log_tau")

Values = dict[str, Any]
