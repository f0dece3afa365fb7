"""Stopping: the same photon whatever the chunking and the way; what came late is no evidence; the record."""

import json
from dataclasses import replace

import numpy as np
import pytest

from streamer.batch import analyse
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.errors import InputError
from streamer.pipeline import Pipeline
from streamer.registry import open_source

G2 = {"rule": "g2", "error": 0.01}
EITHER = {"any": [G2, {"rule": "photons", "photons": 60_000, "state": "brightest"}, {"rule": "exposure", "seconds": 2}]}


def run(info, chunks, settings):
    pipeline = Pipeline(info, settings)
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(StreamEnd("end of file"))
    return pipeline


def recut(chunks, ticks):
    """The same stream, gaps included, cut at the multiples of `ticks`."""
    for chunk in chunks:
        rest = chunk
        while (border := (rest.start // ticks + 1) * ticks) < rest.stop:
            part, rest = rest.cut(border)
            yield part
        yield rest


def tables(pipeline):
    return {(name, key): table for name, group in pipeline.tables.items() for key, table in group.items()}


def assert_same(one, other):
    assert one.stopping.record(None) == other.stopping.record(None)
    assert replace(one.account, after=0) == replace(other.account, after=0)
    first, second = tables(one), tables(other)
    assert all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("ticks", [997, 25_000, 131_071, 3_333_333])
@pytest.mark.parametrize("segments", ["bins", "changes"])
@pytest.mark.parametrize("rules", [G2, EITHER])
def test_any_chunking_stops_at_the_same_photon(dot, ticks, segments, rules):
    info, chunks, _ = dot
    settings = Settings(delays_ns={1: 7.4}, segments=segments, stop=rules, studies=())
    whole = run(info, chunks, settings)
    assert whole.stopped is not None
    assert_same(whole, run(info, recut(chunks, ticks), settings))


def test_with_gaps_and_loss_too(dot):
    info, chunks, _ = dot
    holed = [replace(chunk, lost=at % 3) for at, chunk in enumerate(chunks) if at % 7]
    settings = Settings(delays_ns={1: 7.4}, stop={"any": [{"rule": "loss", "share": 0.1}, G2]}, studies=())
    whole = run(info, holed, settings)
    assert whole.stopped is not None
    assert_same(whole, run(info, recut(holed, 33_333), settings))


def test_a_rule_changes_no_number_of_what_was_counted(dot):
    """The tables at the stop are those of a stream that ends there by itself."""
    info, chunks, _ = dot
    settings = Settings(delays_ns={1: 7.4}, studies=())
    stopped = run(info, chunks, settings.model_copy(update={"stop": G2}))
    tick = stopped.stopping.stop_tick
    short = [chunk for chunk in recut(chunks, tick) if chunk.stop <= tick]
    alone = run(info, short, settings)
    first, second = tables(stopped), tables(alone)
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert stopped.stopping.stop_photons == sum(len(chunk.time) for chunk in short)


def test_what_comes_after_the_stop_is_no_part_of_the_run(dot):
    info, chunks, _ = dot
    pipeline = run(info, chunks, Settings(stop=G2, studies=()))
    account = pipeline.account
    total = sum(len(chunk.time) for chunk in chunks)
    assert account.after > 0
    assert account.received + account.after == total
    assert account.received == account.analysed + account.open + account.outside + account.excluded
    assert pipeline.end.reason == pipeline.stopped
    summary = next(one.values for one in pipeline.results() if one.name == "summary")
    assert summary["stopped_by"].startswith("rule: single")
    assert summary["stop"]["verdict"] == "single"
    assert summary["stop"]["saved_s"] == pytest.approx(2.0 - summary["stop"]["used_s"])


def test_batch_stops_where_a_fed_pipeline_does():
    options = {"duration": "3", "seed": "4", "rate_hz": "5e6", "dark_cps": "200"}
    settings = Settings(stop=G2, studies=())
    batch = analyse("simulate:", settings, options)
    source = open_source("simulate:", options | {"chunk_ms": "3"})
    source.info = batch.info
    fed = run(source.info, source.chunks(), settings)
    assert_same(batch, fed)
    assert batch.stopped is not None


def test_a_budget_in_seconds_is_met_on_its_tick():
    for seconds in (0.5, 7.35):
        pipeline = analyse(
            "simulate:steady", Settings(stop={"rule": "exposure", "seconds": seconds}, studies=()), {"duration": "9"}
        )
        assert pipeline.stream_s == pytest.approx(seconds, abs=1e-6)


def test_for_at_least_waits_and_is_met_on_its_tick():
    rules = {"rule": "count_rate", "cps": 10_000, "window_s": 0.1, "for_s": 1.5}
    pipeline = analyse("simulate:steady", Settings(stop=rules, studies=()), {"duration": "9", "rate": "60000"})
    assert pipeline.stream_s == pytest.approx(1.55, abs=1e-6)
    assert "for 1.5 s" in pipeline.stopped


def test_joins():
    source = {"duration": "6", "rate": "50000"}
    late, early = {"rule": "exposure", "seconds": 4}, {"rule": "photons", "photons": 50_000}
    for rules, when in (
        ({"any": [late, early]}, 1.0),
        ({"all": [late, early]}, 4.0),
        ({"not": {"not": late}}, 4.0),
        ({"all": [{"not": {"rule": "exposure", "seconds": 5}}, late]}, 4.0),
        ({"not": late}, 0.05),
    ):
        pipeline = analyse("simulate:steady", Settings(stop=rules, studies=()), source)
        assert pipeline.stream_s == pytest.approx(when, abs=0.1), rules


def test_disarmed_rules_look_on_but_do_not_stop(dot):
    info, chunks, _ = dot
    pipeline = Pipeline(info, Settings(stop=G2, studies=()))
    pipeline.stopping.armed = False
    for chunk in chunks:
        pipeline.feed(chunk)
    record = pipeline.stopping.record(None)
    assert pipeline.stopped is None
    assert record["met"]
    assert record["verdict"] == "single"
    armed = Pipeline(info, Settings(stop=G2, studies=()))
    for chunk in chunks:
        armed.feed(chunk)
    assert record["met_s"] == armed.stopping.record(None)["used_s"] < pipeline.stream_s  # when it would have stopped
    pipeline.finish(StreamEnd("end of file"))
    assert pipeline.end.reason == "end of file"


def test_evidence_of_rules_that_come_late_counts_from_then(dot):
    """Who has seen the numbers may ask because of them."""
    info, chunks, _ = dot
    half = len(chunks) // 2
    pipeline = Pipeline(info, Settings(studies=(), delays_ns={1: 7.4}))
    for chunk in chunks[:half]:
        pipeline.feed(chunk)
    before = pipeline.tables["coincidences"]["lags0"].sum(axis=(0, 2))
    pipeline.rule({"rule": "g2", "state": "all", "error": 1e-9}, armed=False)
    for chunk in chunks[half:]:
        pipeline.feed(chunk)
    record = pipeline.stopping.record(None)
    new = pipeline.tables["coincidences"]["lags0"].sum(axis=(0, 2)) - before
    assert record["since_s"] == pytest.approx(1.0, abs=0.06)
    assert before.sum() > 300
    # Between the request and the first look, and after the last look, a little is not credited.
    assert 0.9 * new.sum() < record["evidence"]["accidental"] * (len(new) - 1) < new.sum()
    assert record["evidence"]["central"] <= new[len(new) // 2]


def test_moving_the_thresholds_by_hand_begins_anew_and_the_gate_does_not(dot):
    info, chunks, _ = dot
    pipeline = Pipeline(info, Settings(stop={**G2, "error": 1e-9}, studies=(), delays_ns={1: 7.4}))
    for chunk in chunks[: len(chunks) // 2]:
        pipeline.feed(chunk)
    before = pipeline.stopping
    pipeline.recut(pipeline.cut.changed({"gate_ns": 2.0}))
    assert pipeline.stopping is before
    pipeline.recut(pipeline.cut.changed({"thresholds_cps": [20_000.0]}))
    assert pipeline.stopping is not before
    assert pipeline.stopping.tree == before.tree


def test_one_detector_is_refused_with_the_reason():
    info = StreamInfo("T3", 1e-7, 1e-10, channels=(0,))
    with pytest.raises(InputError, match="two detectors, only channel 0"):
        Pipeline(info, Settings(stop=G2))


def test_the_history_is_bounded_and_ends_with_the_last_look():
    rules = {"rule": "exposure", "seconds": 900}
    pipeline = analyse("simulate:steady", Settings(stop=rules, studies=()), {"duration": "400", "rate": "500"})
    result = pipeline.stopping.result(400.0)
    assert len(result.axes[0].values) <= 600
    assert result.data["share"].shape == (1, len(result.axes[0].values))
    assert result.data["share"][0, -1] == pytest.approx(400 / 900, rel=0.02)
    assert result.values["left_s"] == pytest.approx(500, rel=0.02)
    # Looks become rarer, a hundredth of the time gone by apart: far fewer than 400 / 0.05.
    assert 400 < result.values["looks"] < 900


def test_a_gap_over_several_looks_is_followed_by_one():
    info = StreamInfo("T3", 1e-7, 1e-10, channels=(0, 1))
    rules = {"rule": "exposure", "seconds": 4.0}
    pipeline = Pipeline(info, Settings(stop=rules, studies=()))
    pipeline.feed(Chunk(0, 10_000_000))
    looks = pipeline.stopping.looks
    pipeline.feed(Chunk(50_000_000, 50_000_001))
    assert pipeline.stopping.looks == looks
    pipeline.feed(Chunk(50_000_001, 51_000_000))
    assert pipeline.stopping.looks == looks + 1
    assert pipeline.stopping.record(None)["used_s"] == pytest.approx(5.05)


def test_a_rule_that_breaks_stops_nothing_is_said_and_leaves_the_others_alone(dot, monkeypatch):
    info, chunks, _ = dot
    rules = {"any": [{"rule": "photons", "photons": 10}, {"rule": "exposure", "seconds": 1.5}]}
    pipeline = Pipeline(info, Settings(stop=rules, studies=()))
    monkeypatch.setattr(pipeline.stopping._watch.parts[0][1], "inner", None)
    for chunk in chunks:
        pipeline.feed(chunk)
    assert pipeline.stream_s == pytest.approx(1.5)
    assert any(line.startswith("rule photons: failed, and looks no more") for line in pipeline.warnings)


@pytest.mark.parametrize(
    "rules",
    [
        {"rule": "exposure", "seconds": 1e9},
        {"rule": "g2", "budget_s": 1e9, "for_s": 1e9},
        {"rule": "dose", "power_uw": 1e-300, "dose_uj": 1e300},
        {"rule": "dose", "power_uw": 1e308, "dose_uj": 1},
        {"all": [{"rule": "dose", "power_uw": 1e308, "dose_uj": 1}, {"rule": "exposure", "seconds": 1}]},
        {"rule": "drifted", "window_s": 1e-310},
    ],
)
def test_odd_numbers_do_no_harm(dot, rules):
    info, chunks, _ = dot
    pipeline = run(info, chunks, Settings(stop=rules, studies=()))
    json.dumps(pipeline.stopping.record(None), allow_nan=False)
    assert pipeline.account.received + pipeline.account.after == sum(len(chunk.time) for chunk in chunks)


def test_what_the_source_says_beyond_the_stop_is_no_part_of_the_run(dot):
    info, chunks, _ = dot
    pipeline = Pipeline(info, Settings(stop=G2, studies=()))
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(StreamEnd("end of file", records=7, lost_records=3, doubts={"pairs": "found at the very end"}))
    assert pipeline.end == StreamEnd(pipeline.stopped)


def test_nothing_can_be_said_is_neither_met_nor_its_opposite():
    rules = {"not": {"rule": "lifetime", "percent": 1}}
    pipeline = analyse("simulate:steady", Settings(stop=rules, studies=()), {"duration": "1", "rate": "500"})
    assert pipeline.stopped is None
    assert "nothing can be said" in pipeline.stopping.record(None)["words"]
