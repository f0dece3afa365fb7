"""trattoria: a library in Rust that reads the PTU file anew for every question, so its figures include decoding."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import trattoria
from trattoria.core import G2Parameters

from benchmarks.question import NotOffered, Question

CHANNELS = 1, 2  # it counts channels from 1; 0 is sync


def versions() -> dict[str, str]:
    """Of the packages raced."""
    return {"trattoria": version("trattoria"), "trattoria-core": version("trattoria-core")}


def prepare(task: str, question: Question) -> Callable[[], dict[str, int]]:
    """See `benchmarks.contenders`."""
    if task.startswith("decode"):
        raise NotOffered("gives no photons, only results")
    file = trattoria.PTUFile(Path(question.t2 if task == "g2 cw" else question.t3))
    if task == "g2 cw":
        window = question.cw_half * question.cw_width_s
        return lambda: {"pairs": _pairs(file, window, question.cw_width_s)}
    runs = {"g2 pulsed": _pulsed, "lifetime": _decays, "trace": _trace, "states": _states}
    return lambda: runs[task](file, question)


def _pairs(file: Any, window_s: float, width_s: float, ranges: Any = None) -> int:
    return int(file.g2(G2Parameters(*CHANNELS, window_s, width_s, ranges)).g2.sum())


def _pulsed(file: Any, question: Question) -> dict[str, int]:
    return {"pairs": _pairs(file, question.half * question.width_s, question.width_s)}


def _decay(file: Any, question: Question, channel: int, start: int | None = None, stop: int | None = None) -> int:
    asked = trattoria.LifetimeParameters(
        channel_sync=0, channel_source=channel, resolution=question.resolution_s, start_record=start, stop_record=stop
    )
    return int(file.lifetime(asked).g2.sum())


def _decays(file: Any, question: Question) -> dict[str, int]:
    return {"decays": sum(_decay(file, question, channel) for channel in CHANNELS)}


def _counts(file: Any, question: Question) -> Any:
    return file.timetrace(trattoria.TimeTraceParameters(resolution=question.trace_s, channel=None))


def _trace(file: Any, question: Question) -> dict[str, int]:
    return {"photons": int(_counts(file, question).tt.sum())}


def _states(file: Any, question: Question) -> dict[str, int]:
    """By record ranges of its trace: a pass for each state's g2, one for each stretch's decay (it takes no list)."""
    trace = _counts(file, question)
    state = np.digitize(trace.tt / question.trace_s, question.thresholds_cps)
    ends = np.append(np.flatnonzero(np.diff(state)), len(state) - 1)
    stops = trace.recnum[ends].astype(int)
    starts = np.append(0, stops[:-1])
    found = {"pairs": 0, "decays": 0}
    for each in range(3):
        mine = np.flatnonzero(state[ends] == each)
        ranges = [(int(starts[i]), int(stops[i])) for i in mine]
        if ranges:
            found["pairs"] += _pairs(file, question.half * question.width_s, question.width_s, ranges)
        for start, stop in ranges:
            found["decays"] += sum(_decay(file, question, channel, start, stop) for channel in CHANNELS)
    return found
