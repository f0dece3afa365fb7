"""Pipeline: the same answers whatever the chunking and whenever the cut; the account; wrong chunks."""

import json
from dataclasses import replace

import numpy as np
import pytest

from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.cuts import Cut
from streamer.errors import InputError, ProtocolError
from streamer.pipeline import Pipeline
from streamer.registry import open_source


def run(info, chunks, settings, end=None):
    pipeline = Pipeline(info, settings)
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(end or StreamEnd("end of file"))
    return pipeline


def rechunked(chunks, ticks):
    """The same stream in chunks of `ticks` ticks."""
    time_, nanotime, channel = (
        np.concatenate([getattr(c, k) for c in chunks]) for k in ("time", "nanotime", "channel")
    )
    for start in range(0, chunks[-1].stop, ticks):
        stop = min(start + ticks, chunks[-1].stop)
        part = slice(*np.searchsorted(time_, (start, stop)))
        yield Chunk(start, stop, time_[part], nanotime[part], channel[part])


def everything(pipeline):
    """Every array of every Result, by name."""
    results = pipeline.results()
    return {f"{r.name}.{key}": array for r in results for key, array in r.data.items()}, results[-1].values


def assert_same(one, other):
    (arrays, summary), (arrays_, summary_) = everything(one), everything(other)
    assert arrays.keys() == arrays_.keys()
    for key, array in arrays.items():
        assert np.array_equal(array, arrays_[key], equal_nan=True), key
    assert summary == summary_


SETTINGS = Settings(delays_ns={1: 7.4})


@pytest.mark.parametrize("ticks", [1_000, 25_000, 3_333_333])
def test_any_chunking_gives_the_same_answers(dot, ticks):
    info, chunks, _ = dot
    assert_same(run(info, chunks, SETTINGS), run(info, rechunked(chunks, ticks), SETTINGS))


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds_cps": [9_000.0, 40_000.0]},
        {"thresholds_cps": [30_000.0], "gate_ns": 2.5},
        {"gate_ns": 4.0},
        {"states": 2},
    ],
)
def test_a_moved_cut_gives_a_fresh_run_s_tables(dot, change):
    info, chunks, _ = dot
    moved = run(info, chunks, SETTINGS)
    moved.results()
    moved.cut = moved.cut.changed(change)
    fresh = run(info, chunks, Settings(delays_ns={1: 7.4}, **change))
    assert_same(moved, fresh)


def test_no_answer_depends_on_what_was_asked_before(dot):
    info, chunks, _ = dot
    asked = Pipeline(info, SETTINGS)
    for chunk in chunks:
        asked.feed(chunk)
        asked.results(fresh=False)
    asked.finish(StreamEnd("end of file"))
    assert_same(asked, run(info, chunks, SETTINGS))


def test_every_photon_has_its_place(dot):
    info, chunks, _ = dot
    pipeline = Pipeline(info, SETTINGS)
    for chunk in chunks:
        pipeline.feed(chunk)
        account = pipeline.account
        assert account.received == account.analysed + account.open + account.outside
    pipeline.finish(StreamEnd("end of file"))
    account = pipeline.account
    assert account.open == 0
    assert (
        account.analysed == pipeline.tables["exposure"]["photons"].sum() == pipeline.tables["lifetime"]["decay"].sum()
    )


def test_the_states_of_a_simulated_dot_are_found_with_their_truth(dot):
    info, chunks, _ = dot
    pipeline = run(info, chunks, Settings(delays_ns={1: 7.4}))
    summary = pipeline.summary(pipeline.answers())
    true = {state["name"]: state for state in info.truth["states"]}
    assert [state["name"] for state in summary["states"]] == ["dark", "grey", "bright"]
    for state in summary["states"]:
        assert state["rate_cps"] == pytest.approx(true[state["name"]]["rate_cps"], rel=0.1)
    bright = summary["states"][-1]
    assert bright["lifetime_ns"] == pytest.approx(
        true["bright"]["mean_arrival_ns"], abs=5 * bright["lifetime_error_ns"]
    )
    assert bright["low"] <= true["bright"]["g2_0_with_background"] <= bright["high"]


def test_the_summary_is_plain_json_with_a_reason_for_each_null(dot):
    info, chunks, _ = dot
    summary = everything(run(info, chunks[:1], Settings()))[1]
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    for state in summary["states"]:
        if state["g2_0"] is None or state["lifetime_ns"] is None:
            assert any(line.startswith(state["name"]) for line in summary["warnings"])


def test_a_gap_is_counted_and_no_live_time():
    info = StreamInfo("T2", 1e-9, channels=(0, 1))
    pipeline = Pipeline(info, Settings())
    pipeline.feed(Chunk(0, 20_000_000, lost=3))
    pipeline.feed(Chunk(50_000_000, 70_000_000))
    pipeline.finish(StreamEnd("end of file"))
    summary = pipeline.summary(pipeline.answers())
    assert (summary["gaps"], summary["lost_records"]) == (1, 3)
    assert summary["live_s"] == pytest.approx(0.04)
    assert summary["duration_s"] == pytest.approx(0.07)
    trace = next(result for result in pipeline.results() if result.name == "trace")
    assert trace.data["lost"].tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    "chunk",
    [
        Chunk(0, 10, np.array([4, 3]), channel=np.zeros(2, np.uint8)),
        Chunk(0, 10, np.array([4, 10]), channel=np.zeros(2, np.uint8)),
        Chunk(5, 10, np.array([4]), channel=np.zeros(1, np.uint8)),
    ],
)
def test_photons_out_of_order_or_span_are_refused_in_one_line(chunk):
    pipeline = Pipeline(StreamInfo("T2", 1e-9, channels=(0, 1)), Settings())
    with pytest.raises(ProtocolError, match="time order") as error:
        pipeline.feed(chunk)
    assert "\n" not in str(error.value)


def test_a_chunk_that_goes_back_is_refused_and_nothing_counted_is_lost():
    pipeline = Pipeline(StreamInfo("T2", 1e-9, channels=(0, 1)), Settings())
    pipeline.feed(Chunk(0, 100, np.array([5]), channel=np.zeros(1, np.uint8)))
    with pytest.raises(ProtocolError, match="begins before"):
        pipeline.feed(Chunk(50, 200))
    pipeline.finish(StreamEnd("refused"))
    assert pipeline.account.analysed == 1


def test_pairs_that_are_no_pairs_are_refused():
    with pytest.raises(InputError, match="pairs"):
        Pipeline(StreamInfo("T2", 1e-9, channels=(0, 1)), Settings(pairs=((0, 0),)))


def test_a_delay_that_was_only_offered_is_not_applied(dot):
    info, _, _ = dot
    found = {"delay_ns": 7.4, "sigma": 9.0, "found": True, "candidates": 1, "reason": None}
    look = {"channels": {"0": 1, "1": 1}, "pair": [0, 1], "delay": found}
    auto = Pipeline(replace(info, look=look), Settings())
    by_hand = Pipeline(replace(info, look=look), Settings(delays_ns={0: 0.0}))
    weak = Pipeline(replace(info, look=look | {"delay": found | {"found": False}}), Settings())
    assert auto.plan.delays_ns == {1: 7.4}
    assert any("centre found at +7.400 ns" in line for line in auto.plan.warnings)
    assert by_hand.plan.delays_ns == {}
    assert by_hand.plan.offer == {"delay_ns": 7.4, "significance": 9.0}
    assert (weak.plan.delays_ns, weak.plan.offer) == ({}, None)


def test_the_cut_travels_in_every_result(dot):
    info, chunks, _ = dot
    pipeline = run(info, chunks, SETTINGS)
    pipeline.cut = Cut((5e3,), None, 1.5)
    assert all(result.provenance["cut"] == pipeline.cut.to_dict() for result in pipeline.results())
    assert all(result.provenance["final"] for result in pipeline.results())


def test_a_live_stream_s_displaced_centre_is_offered_and_not_applied(dot):
    """Nobody could look at it beforehand, so it is looked for in what was counted."""
    info, chunks, _ = dot
    pipeline = run(info, chunks, Settings())
    summary = pipeline.summary(pipeline.answers())
    assert summary["g2"]["delay_ns"] == 0
    offer = pipeline.answers().offer
    assert offer is not None
    if offer.found:
        assert summary["g2"]["offered_delay"]["delay_ns"] == pytest.approx(7.4, abs=2)
        assert any("delays_ns" in line for line in summary["warnings"])
    else:
        assert summary["g2"]["offered_delay"] is None
    assert run(info, chunks, SETTINGS).answers().offer is None


def test_a_stream_whose_channels_nobody_knows_is_refused_with_the_remedy():
    with pytest.raises(InputError, match="look_photons"):
        Pipeline(StreamInfo("T2", 1e-9), Settings())


def test_a_look_that_found_no_photon_leaves_an_empty_run_not_an_error():
    pipeline = run(StreamInfo("T2", 1e-9, look={"channels": {}, "pair": None}), [Chunk(0, 10**9)], Settings())
    summary = pipeline.summary(pipeline.answers())
    assert (summary["photons"], summary["g2"]["g2_0"]) == (0, None)
    assert any("no photon" in line for line in summary["warnings"])


def test_a_channel_that_was_not_there_at_the_look_is_named():
    info = StreamInfo("T2", 1e-9, look={"channels": {"0": 5, "1": 5}, "pair": [0, 1]})
    chunk = Chunk(0, 10**8, np.array([5, 6]), channel=np.array([0, 7], np.uint8))
    pipeline = run(info, [chunk], Settings())
    assert any(line.startswith("channel 7: 1 photons are not analysed") for line in pipeline.warnings)


def test_a_centre_within_the_middle_bin_is_left_where_it_is(dot):
    info, _, _ = dot
    found = {"delay_ns": 0.4, "sigma": 9.0, "found": True, "candidates": 1, "reason": None}
    plan = Pipeline(replace(info, look={"channels": {"0": 1, "1": 1}, "pair": [0, 1], "delay": found}), Settings()).plan
    assert (plan.delays_ns, plan.shifts, plan.offer) == ({}, {}, None)


def simulated(**options):
    source = open_source("simulate:single", {key: str(value) for key, value in options.items()})
    chunks = list(source.chunks())
    return source.info, chunks, source.end()


def test_no_verdict_where_photons_come_after_the_next_pulse():
    """A perfect single emitter whose decay is twice the period: the centre fills with neighbours' photons."""
    info, chunks, end = simulated(rate_hz=80e6, tau_x_ns=25, nbar=0.05, t0_ns=1, duration=1, seed=2)
    summary = everything(run(info, chunks, Settings(delays_ns={}), end))[1]
    assert summary["g2"]["g2_0"] > 0.5
    assert summary["g2"]["verdict"] is None
    assert any("no verdict" in line for line in summary["warnings"])


def test_a_verdict_is_given_where_pulses_are_apart():
    info, chunks, end = simulated(rate_hz=5e6, tau_x_ns=10, nbar=0.3, duration=4, seed=2)
    summary = everything(run(info, chunks, Settings(delays_ns={}), end))[1]
    assert summary["g2"]["verdict"] == "single"


def test_no_one_over_e_time_behind_a_broad_response():
    info, chunks, end = simulated(tau_x_ns=2, jitter_ps=600, duration=2, seed=2)
    (state,) = everything(run(info, chunks, Settings(delays_ns={}), end))[1]["states"]
    true = info.truth["states"][0]["mean_arrival_ns"]
    assert state["lifetime_ns"] == pytest.approx(true, abs=5 * state["lifetime_error_ns"])
    assert state["one_over_e_ns"] is None


def test_switching_widens_the_errors_to_hold_the_truth(dot):
    info, chunks, end = dot
    pipeline = run(info, chunks, SETTINGS, end)
    answers = pipeline.answers()
    assert answers.mixture.switching > 0
    true = {state["name"]: state["mean_arrival_ns"] for state in info.truth["states"]}
    for name, lifetime in zip(answers.rows[1:], answers.decays.lifetimes[1:], strict=True):
        # One run: how often the intervals hold is what tests/coverage is for.
        assert abs(lifetime.value_ns - true[name]) < 3 * lifetime.error_ns


def test_photons_of_channels_that_are_not_analysed_are_excluded_not_analysed(dot):
    info, chunks, end = dot
    account = run(info, chunks, Settings(channels=(0,)), end).account
    of_zero = sum(int((chunk.channel == 0).sum()) for chunk in chunks)
    assert (account.analysed, account.excluded) == (of_zero, account.received - of_zero)


@pytest.mark.parametrize("mode", ["T2", "T3"])
def test_a_dark_stream_has_answers_without_numbers(mode):
    """A shutter that stayed closed must not end the daemon."""
    info = StreamInfo(mode, 1e-7, 64e-12 if mode == "T3" else 0.0, look={"channels": {}})
    pipeline = Pipeline(info, Settings())
    pipeline.feed(Chunk(0, 0))
    pipeline.feed(Chunk(0, 50_000_000))
    pipeline.finish(StreamEnd("end of file"))
    summary = pipeline.summary(pipeline.answers())
    assert (summary["photons"], summary["live_s"], summary["g2"]["g2_0"]) == (0, 5.0, None)
    assert len(pipeline.results()) > 0


def test_signs_of_life_before_the_stream_begins_are_no_beginning():
    """A tagger's clock may stand at days when its first photon comes."""
    pipeline = Pipeline(StreamInfo("T2", 1e-12, channels=(0, 1)), Settings())
    pipeline.feed(Chunk(0, 0))
    pipeline.feed(Chunk(10**17, 10**17 + 10**12))
    pipeline.finish(StreamEnd("end of file"))
    summary = pipeline.summary(pipeline.answers())
    assert (summary["duration_s"], summary["live_s"], summary["gaps"]) == (1.0, 1.0, 0)


def test_blinking_does_not_raise_the_cw_g2_of_all_photons():
    options = {
        "duration": "10", "eta_c": "0.03", "dwell": "exp:0.1,exp:0.2,exp:0.2", "dark_cps": "0,0", "pump_per_us": "10",
        "eta_x": "0.02,0.09,0.9", "eta_bx": "0,0,0", "tau_x_ns": "20,20,20", "tau_bx_ns": "1,1,1", "seed": "2",
    }  # fmt: skip
    source = open_source("simulate:cw", options)
    pipeline = run(source.info, source.chunks(), Settings(studies=(), bin_ms=3, cw_window_ns=26), None)
    correlation = pipeline.answers().correlations[0]
    zero = correlation.zero[0]
    rate, half = 1 / 20 + 10e-3, zero.window_ns / 2  # of the dip, and its mean over the window
    truth = 1 - (1 - np.exp(-rate * half)) / (rate * half)
    assert zero.low < truth < zero.high < 0.5
    # Over the mean rates of the whole run, as the curve is, it would be another verdict.
    plain = zero.pairs / correlation.tau_expected[0][correlation.tau_expected.shape[1] // 2]
    assert plain / round(zero.window_ns / (pipeline.plan.layout.tau_width * pipeline.plan.layout.fine_s * 1e9)) > 0.45
