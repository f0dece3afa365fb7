"""streamer: this program; what it is asked about a recording it answers all at once, from the file.

Whatever the question, `streamer.batch.analyse` counts trace, decays per level, pairs by tau, by lag and by gate per
level, FLID and exposure: so its figure for a single histogram is the figure for everything. What fits and every Result
take beyond that is a row of its own, and so is the first look at a recording.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from benchmarks.question import TASKS, NotOffered, Question
from streamer.batch import analyse
from streamer.config import Settings
from streamer.pipeline import Pipeline
from streamer.registry import open_source

# Tasks that only this program has; the same analysis otherwise.
ONE_THREAD, WITH_RESULTS, WITH_LOOK = "states, one thread", "states, and every Result", "states, Results, first look"
OURS_ONLY = (ONE_THREAD, WITH_RESULTS, WITH_LOOK)
DECODED_AT_A_TIME = 1 << 17  # records: what suits a decoder alone best; the default suits counting


def versions() -> dict[str, str]:
    """Of the packages raced."""
    return {"streamer": version("photon-streamer"), "numba": version("numba")}


def settings(question: Question, *, pulsed: bool, look: bool = False) -> Settings:
    """The same tau range and bins as everyone, and the pulse lags that fit into it."""
    width_s, half = (question.width_s, question.half) if pulsed else (question.cw_width_s, question.cw_half)
    lags = max(2, int(half * width_s / question.tick_s))
    return Settings(
        channels=(0, 1), pairs=((0, 1),), bin_ms=question.trace_s * 1e3, lags=lags, tau_bin_ns=width_s * 1e9,
        tau_window_ns=half * width_s * 1e9, look_photons=Settings().look_photons if look else 0,
    )  # fmt: skip


def prepare(task: str, question: Question) -> Callable[[], dict[str, int]]:
    """See `benchmarks.contenders`."""
    path = question.t2 if task in ("decode T2", "g2 cw") else question.t3
    if task.startswith("decode"):
        return lambda: _decode(path)
    chosen = settings(question, pulsed=task != "g2 cw", look=task == WITH_LOOK)
    if task == ONE_THREAD:
        return lambda: _found(_one_thread(path, chosen))
    if task in (WITH_RESULTS, WITH_LOOK):
        return lambda: _found_with_results(analyse(path, chosen))
    if task not in TASKS:
        raise NotOffered("no such task")
    return lambda: _found(analyse(path, chosen))


def _decode(path: str) -> dict[str, int]:
    source = open_source(path, {"chunk_records": str(DECODED_AT_A_TIME)})
    photons = sum(len(chunk.time) for chunk in source.chunks())
    return {"photons": photons, "records": source.end().records or 0}


def _one_thread(path: str, chosen: Settings) -> Pipeline:
    """As `analyse`, but the file is decoded in the thread that counts."""
    source = open_source(path)
    pipeline = Pipeline(source.info, chosen)
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(source.end())
    return pipeline


def _found(pipeline: Pipeline) -> dict[str, int]:
    """What others give too, added up over all levels."""
    tables = pipeline.tables
    found = {"photons": int(pipeline.received.sum()), "pairs": int(tables["coincidences"]["tau0"].sum())}
    if "lifetime" in tables:
        found["decays"] = int(tables["lifetime"]["decay"].sum())
    return found


def _found_with_results(pipeline: Pipeline) -> dict[str, int]:
    """The same, after states were found and every fit was made."""
    results = {result.name: result for result in pipeline.results()}
    return _found(pipeline) | {"states": len(results["summary"].values["states"])}
