"""NumPy masks: what a script does with arrays in memory, which were decoded beforehand (by ptufile, not timed)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import ptufile

from benchmarks.question import NotOffered, Question

Array = Any


class Photons(NamedTuple):
    """Arrays of one recording, photons only."""

    time: Array
    nanotime: Array
    channel: Array


def versions() -> dict[str, str]:
    """Of the packages raced."""
    return {"numpy": np.__version__}


def load(path: str) -> Photons:
    """All photons of a PTU file; times are int64."""
    with ptufile.PtuFile(path) as file:
        records = file.decode_records()
    records = records[records["channel"] >= 0]
    nanotime = records["dtime"].astype(np.int64) if "dtime" in (records.dtype.names or ()) else np.empty(0, np.int64)
    return Photons(records["time"].astype(np.int64), nanotime, records["channel"].copy())


def prepare(task: str, question: Question) -> Callable[[], dict[str, int]]:
    """See `benchmarks.contenders`."""
    if task.startswith("decode"):
        raise NotOffered("has no decoder of its own")
    photons = load(question.t2 if task == "g2 cw" else question.t3)
    if task == "g2 cw":
        reach, bins = round(question.cw_width_s * 1e12) * question.cw_half, 2 * question.cw_half
        return lambda: {"pairs": int(correlate(photons.time, photons.channel, reach, bins).sum())}
    runs = {"g2 pulsed": _pulsed, "lifetime": _decays, "trace": _trace, "states": _states}
    return lambda: runs[task](photons, question)


def correlate(time: Array, channel: Array, reach: int, bins: int) -> Array:
    """Histogram of t(1) - t(0) within [-reach, reach)."""
    a, b = time[channel == 0], time[channel == 1]
    low, high = np.searchsorted(b, a - reach), np.searchsorted(b, a + reach)
    n = high - low
    first = np.repeat(low - np.cumsum(n) + n, n)
    tau = b[first + np.arange(len(first))] - np.repeat(a, n)
    return np.bincount((tau + reach) * bins // (2 * reach), minlength=bins)


def _pulsed(photons: Photons, question: Question) -> dict[str, int]:
    time = photons.time * question.period + photons.nanotime
    return {"pairs": int(correlate(time, photons.channel, question.half * question.width, 2 * question.half).sum())}


def _decays(photons: Photons, question: Question) -> dict[str, int]:
    decays = [np.bincount(photons.nanotime[photons.channel == channel]) for channel in (0, 1)]
    return {"decays": int(sum(decay.sum() for decay in decays))}


def _counts(photons: Photons, question: Question) -> tuple[Array, Array]:
    """(bin of each photon, photons of each bin)."""
    bins = photons.time // round(question.trace_s / question.tick_s)
    return bins, np.bincount(bins)


def _trace(photons: Photons, question: Question) -> dict[str, int]:
    return {"photons": int(_counts(photons, question)[1].sum())}


def _states(photons: Photons, question: Question) -> dict[str, int]:
    bins, counts = _counts(photons, question)
    state = np.digitize(counts / question.trace_s, question.thresholds_cps)[bins]
    found = {"pairs": 0, "decays": 0}
    for each in range(3):
        mine = state == each
        chosen = Photons(photons.time[mine], photons.nanotime[mine], photons.channel[mine])
        for part in (_pulsed(chosen, question), _decays(chosen, question)):
            for key, value in part.items():
                found[key] += value
    return found
