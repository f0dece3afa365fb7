"""tttrlib: decodes into its TTTR object in memory, which its histograms and its correlator then read."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import tttrlib

from benchmarks.question import Question

Array = Any


def versions() -> dict[str, str]:
    """Of the packages raced."""
    return {"tttrlib": version("tttrlib")}


def prepare(task: str, question: Question) -> Callable[[], dict[str, int]]:
    """See `benchmarks.contenders`."""
    path = question.t2 if task in ("decode T2", "g2 cw") else question.t3
    if task.startswith("decode"):
        return lambda: {"photons": tttrlib.TTTR(path, "PTU").n_valid_events}
    tttr = tttrlib.TTTR(path, "PTU")
    if task == "g2 cw":
        # The device ticks of the file are picoseconds.
        return lambda: _correlate(tttr, 1, round(question.cw_width_s * 1e12), question.cw_half)
    runs = {"g2 pulsed": _pulsed, "lifetime": _decays, "trace": _trace, "states": _states}
    return lambda: runs[task](tttr, question)


def _correlate(tttr: Any, period: int, width: int, half: int) -> dict[str, int]:
    """Both signs of tau; its correlator has one bin for each unit of time, so times are divided by the bin first."""
    time = np.asarray(tttr.macro_times).astype(np.uint64)
    if period > 1:
        time = time * np.uint64(period) + np.asarray(tttr.micro_times)
    time //= np.uint64(width)
    channel = np.asarray(tttr.routing_channels)
    pairs = []
    for first, second in ((time[channel == 0], time[channel == 1]), (time[channel == 1], time[channel == 0])):
        # It reads weights and times after the call, so they must live on; set after the times, weights make it abort.
        weights = np.ones(len(first)), np.ones(len(second))
        curve = tttrlib.Correlator(
            method="felekyan", n_bins=half, n_casc=1, macro_times=(first, second), weights=weights
        )
        pairs.append(np.array(curve.get_corr()))
    return {"pairs": int(pairs[0].sum() + pairs[1][1:].sum())}  # both have tau = 0


def _pulsed(tttr: Any, question: Question) -> dict[str, int]:
    return _correlate(tttr, question.period, question.width, question.half)


def _decays(tttr: Any, question: Question) -> dict[str, int]:
    return {"decays": sum(int(tttr.get_microtime_histogram(1, [channel])[0].sum()) for channel in (0, 1))}


def _trace(tttr: Any, question: Question) -> dict[str, int]:
    return {"photons": int(tttr.get_intensity_trace(question.trace_s).sum())}


def _states(tttr: Any, question: Question) -> dict[str, int]:
    """By its intensity trace: photon numbers of each state, a TTTR of them, and the histograms of that."""
    counts = tttr.get_intensity_trace(question.trace_s)
    state = np.digitize(counts / question.trace_s, question.thresholds_cps)
    of_photon = np.repeat(state, counts)[: tttr.n_valid_events]
    found = {"pairs": 0, "decays": 0}
    for each in range(3):
        chosen = tttrlib.TTTR(tttr, np.flatnonzero(of_photon == each).astype(np.int32))
        for part in (_pulsed(chosen, question), _decays(chosen, question)):
            for key, value in part.items():
                found[key] += value
    return found
