"""Withhold: a constructed stream that contradicts itself keeps its counts and loses what hangs on the contradiction."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.pipeline import Pipeline
from streamer.show import print_summary

PERIOD_NS, RESOLUTION_NS, TAU_NS, T0_NS, SECONDS = 100.0, 0.1, 8.0, 12.0, 3.0
LOOK = {"t0_ns": {"0": T0_NS, "1": T0_NS}}
T3 = StreamInfo("T3", 100e-9, 0.1e-9, channels=(0, 1), sync_rate_hz=10e6, duration_s=SECONDS, look=LOOK)
PULSES = round(SECONDS / T3.tick_s)
T2 = StreamInfo("T2", 1e-9, channels=(0, 1), duration_s=SECONDS)
SETTINGS = Settings(delays_ns={})
GIVEN = ("g2_0", "low", "high", "central", "side_mean", "g2_0_segments", "verdict")


def light(cps=120e3, *, background=0.02, beyond=0.0, until=1.0, seed=1, ticks=PULSES):
    """Photons of a coherent source: chunks of 0.1 s of pulses, decays on a background, a share beyond the period.

    `until` is the share of the period that the card's nanotimes reach.
    """
    rng = np.random.default_rng(seed)
    n = rng.poisson(cps * SECONDS)
    time = np.sort(rng.integers(0, ticks, n))
    nanotime = np.where(
        rng.random(n) < background, rng.uniform(0, PERIOD_NS, n), (T0_NS + rng.exponential(TAU_NS, n)) % PERIOD_NS
    )
    nanotime = np.where(rng.random(n) < beyond, PERIOD_NS + rng.uniform(0, 50, n), nanotime) / RESOLUTION_NS
    keep = nanotime < until * PERIOD_NS / RESOLUTION_NS + 500 * (beyond > 0)
    time, nanotime = time[keep], nanotime[keep].astype(np.uint16)
    channel = rng.integers(0, 2, len(time)).astype(np.uint8)
    edges = np.linspace(0, ticks, 31).astype(int)
    cut = np.searchsorted(time, edges)
    return [
        Chunk(int(edges[i]), int(edges[i + 1]), *(array[cut[i] : cut[i + 1]] for array in (time, nanotime, channel)))
        for i in range(30)
    ]


def as_t2(chunks):
    """The same photons as absolute times in ns."""
    ns = round(T3.tick_s / T2.tick_s)
    return [replace(c, start=c.start * ns, stop=c.stop * ns, time=c.time * ns, nanotime=c.nanotime[:0]) for c in chunks]


def run(info, chunks, settings=SETTINGS, end=None):
    pipeline = Pipeline(info, settings)
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(end or StreamEnd("end of file"))
    return pipeline


def published(pipeline):
    """Results by name; whatever was withheld, they are plain JSON and arrays."""
    results = {result.name: result for result in pipeline.results()}
    for result in results.values():
        json.dumps(result.values, allow_nan=False)
    return results


@pytest.fixture(scope="module")
def chunks():
    return light()


@pytest.fixture(scope="module")
def clean(chunks):
    """Results of a stream that agrees with itself."""
    return published(run(T3, chunks))


@pytest.fixture(scope="module")
def clean_t2(chunks):
    return published(run(T2, as_t2(chunks)))


def no_g2(results):
    summary = results["summary"].values
    for values in (summary["g2"], *summary["states"], *results["g2_peaks"].values["per_row"]):
        assert all(values[key] is None for key in GIVEN if key in values)
    assert all(row["reason"] == summary["doubts"]["pairs"] for row in results["g2_peaks"].values["per_row"])
    assert summary["g2"]["offered_delay"] is None
    for name in ("g2", "g2_peaks", "gate"):
        assert results[name].values["reason"] == summary["doubts"]["pairs"]
        assert all(np.isnan(array).all() for array in results[name].data.values())


def no_lifetimes(results):
    reason = results["summary"].values["doubts"]["nanotimes"]
    for state in results["summary"].values["states"]:
        assert state["lifetime_ns"] is state["lifetime_error_ns"] is state["one_over_e_ns"] is None
    values = results["decay"].values
    assert [row["lifetime_ns"] for row in values["lifetimes"]] == [None] * len(values["lifetimes"])
    assert all(row["reason"] == reason for row in values["lifetimes"])
    assert set(values["t0_ns"].values()) == {None}
    assert not results["flid"].data["segments"].any()
    assert results["flid"].values["reason"] == reason
    assert all(np.isnan(array).all() for array in results["gate"].data.values())
    assert all(row["g2_0"] is row["central"] is None for row in results["gate"].values["per_row"])


def no_times(results):
    summary = results["summary"].values
    assert summary["duration_s"] is summary["live_s"] is summary["thresholds_cps"] is None
    for state in summary["states"]:
        assert state["rate_cps"] is state["time_s"] is state["low_cps"] is state["high_cps"] is None
    assert summary["g2"]["delay_ns"] is summary["g2"]["period_ns"] is None
    for state in results["levels"].values["states"]:
        assert state["rate_cps"] is None
    assert np.isnan(results["g2"].data["g2"]).all()
    assert np.isnan(results["g2"].data["counts"]).all()
    for name in ("trace", "levels", "g2"):
        assert results[name].values["reason"] == summary["doubts"]["times"]


def same_counts(results, clean):
    """What was counted is there whatever is doubted."""
    one, other = results["summary"].values, clean["summary"].values
    for key in ("photons", "photons_per_channel", "markers", "records", "account", "first_tick", "last_tick", "mode"):
        assert one[key] == other[key]
    assert [s["photons"] for s in one["states"]] == [s["photons"] for s in other["states"]]
    for name in ("trace", "levels", "decay"):
        for key, array in results[name].data.items() if name in clean else ():
            assert np.array_equal(array, clean[name].data[key]), (name, key)


def test_a_stream_that_agrees_with_itself_has_every_number(clean):
    summary = clean["summary"].values
    (state,) = summary["states"]
    assert summary["doubts"] == {}
    assert summary["warnings"] == []
    assert state["lifetime_ns"] == pytest.approx(TAU_NS, abs=5 * state["lifetime_error_ns"])
    assert summary["g2"]["low"] < 1 < summary["g2"]["high"]
    assert summary["duration_s"] == pytest.approx(SECONDS)
    assert all(clean[name].values["reason"] is None for name in ("trace", "levels", "decay", "flid", "g2", "gate"))


def test_a_laser_rate_that_contradicts_the_period(chunks, clean):
    results = published(run(replace(T3, sync_rate_hz=10.5e6), chunks))
    summary, usual = results["summary"].values, clean["summary"].values
    assert set(summary["doubts"]) == {"times", "nanotimes"}
    no_times(results)
    no_lifetimes(results)
    same_counts(results, clean)
    # Pulses were counted, whatever their rate: g2(0) is right, but whether pulses overlap is not known.
    for key in ("g2_0", "low", "high", "central", "side_mean", "g2_0_segments"):
        assert summary["g2"][key] == usual["g2"][key]
    assert summary["g2"]["verdict"] is None
    assert np.array_equal(results["g2_peaks"].data["counts"], clean["g2_peaks"].data["counts"])
    assert summary["warnings"][0].startswith("times, nanotimes: the stream says a laser rate of 1.05e+07 Hz")


def test_a_delay_put_in_by_hand_needs_the_clock(chunks):
    results = published(run(replace(T3, sync_rate_hz=10.5e6), chunks, Settings(delays_ns={1: 230.0})))
    assert set(results["summary"].values["doubts"]) == {"times", "nanotimes", "pairs"}
    no_g2(results)


def test_a_rounded_laser_rate_changes_no_number(chunks, clean):
    results = published(run(replace(T3, sync_rate_hz=10.05e6), chunks))
    assert results["summary"].values == clean["summary"].values | {"sync_rate_hz": 10.05e6}


def test_nanotimes_beyond_the_period_spoil_lifetimes_and_pairs(clean):
    results = published(run(T3, light(beyond=0.03)))
    summary = results["summary"].values
    assert set(summary["doubts"]) == {"nanotimes", "pairs"}
    no_lifetimes(results)
    no_g2(results)
    (line,) = (line for line in summary["warnings"] if "beyond the laser period" in line)
    assert line.startswith("nanotimes, pairs: ")
    assert summary["duration_s"] == clean["summary"].values["duration_s"]
    assert summary["states"][0]["rate_cps"] == pytest.approx(120e3, rel=0.02)
    assert np.array_equal(np.isfinite(results["trace"].data["cps"]), np.isfinite(clean["trace"].data["cps"]))


def test_some_nanotimes_beyond_the_period_are_said_and_harm_little():
    pipeline = run(T3, light(beyond=0.005))
    summary = published(pipeline)["summary"].values
    (state,) = summary["states"]
    assert summary["doubts"] == {}
    assert [line for line in summary["warnings"] if line.startswith("nanotimes: ")]
    assert state["lifetime_ns"] == pytest.approx(TAU_NS, abs=5 * state["lifetime_error_ns"])
    assert summary["g2"]["g2_0"] is not None


def test_a_delay_does_not_hide_nanotimes_beyond_the_period():
    """Taking out a delay turns whole periods into pulses, so they have to be seen before."""
    results = published(run(T3, light(beyond=0.03), Settings(delays_ns={1: 30.0})))
    assert set(results["summary"].values["doubts"]) == {"nanotimes", "pairs"}


def test_a_doubt_holds_as_long_as_its_reason():
    pipeline = Pipeline(T3, SETTINGS)
    bad, good = light(beyond=0.5)[:1], light()[1:]
    pipeline.feed(bad[0])
    assert set(pipeline.answers().doubts) == {"nanotimes", "pairs"}
    assert pipeline.answers().decays.lifetimes[0].value_ns is None
    for chunk in good:
        pipeline.feed(chunk)
    assert set(pipeline.answers(fresh=False).doubts) == {"nanotimes", "pairs"}
    for chunk in light(seed=2):
        pipeline.feed(replace(chunk, start=chunk.start + PULSES, stop=chunk.stop + PULSES, time=chunk.time + PULSES))
    pipeline.finish(StreamEnd("end of file"))
    assert pipeline.answers().doubts == {"times": pipeline.found.doubts["times"]}  # twice as long as it said
    assert pipeline.answers().decays.lifetimes[0].value_ns is not None


def test_more_data_than_said_puts_every_time_in_doubt(chunks, clean):
    results = published(run(replace(T3, duration_s=1.5), chunks))
    summary, usual = results["summary"].values, clean["summary"].values
    assert set(summary["doubts"]) == {"times"}
    no_times(results)
    same_counts(results, clean)
    for key in ("g2_0", "verdict"):
        assert summary["g2"][key] == usual["g2"][key]
    assert summary["states"][0]["lifetime_ns"] == usual["states"][0]["lifetime_ns"]
    assert np.array_equal(results["flid"].data["segments"], clean["flid"].data["segments"])


def test_in_t2_a_doubtful_time_is_a_doubtful_delay(chunks, clean_t2):
    results = published(run(replace(T2, doubts={"times": "the clock was not calibrated"}), as_t2(chunks)))
    summary = results["summary"].values
    assert clean_t2["summary"].values["g2"]["g2_0"] is not None
    assert set(summary["doubts"]) == {"times", "pairs"}
    no_times(results)
    assert all(summary["g2"][key] is None for key in GIVEN)
    assert all(row["reason"] == summary["doubts"]["times"] for row in results["g2"].values["per_row"])
    same_counts(results, clean_t2)


def test_less_data_than_said_is_a_remark_and_changes_no_number(chunks, clean):
    summary = published(run(replace(T3, duration_s=60.0), chunks))["summary"].values
    assert [line for line in summary["warnings"] if line.startswith("duration: ")] == summary["warnings"]
    assert summary | {"warnings": []} == clean["summary"].values


@pytest.mark.parametrize(
    ("what", "check"), [("times", no_times), ("nanotimes", no_lifetimes), ("pairs", no_g2)], ids=lambda v: str(v)[:9]
)
@pytest.mark.parametrize("at_end", [False, True])
def test_what_a_source_doubts_is_withheld(chunks, clean, what, check, at_end):
    doubts = {what: "the header is that of another run"}
    info = T3 if at_end else replace(T3, doubts=doubts)
    results = published(run(info, chunks, end=StreamEnd("end of file", doubts=doubts if at_end else {})))
    check(results)
    same_counts(results, clean)
    summary = results["summary"].values
    assert summary["doubts"] == doubts
    assert summary["warnings"][0].startswith(f"{what}: the header is that of another run; ")
    others = {"times": "duration_s", "nanotimes": None, "pairs": None} | {what: None}
    assert all(summary[key] is not None for key in others.values() if key)


def test_a_doubt_is_told_before_the_first_photon():
    pipeline = Pipeline(replace(T3, doubts={"times": "template"}), SETTINGS)
    assert pipeline.warnings == ["times: template; rates, durations and delays are withheld"]


def test_everything_doubted_is_still_shown(chunks, capsys):
    doubts = dict.fromkeys(("times", "nanotimes", "pairs"), "nothing is sure")
    print_summary(run(replace(T3, doubts=doubts), chunks).results()[-1].values)
    shown = capsys.readouterr().out
    assert "nothing is sure" in shown
    assert "None" not in shown
    assert "nan" not in shown.lower().replace("nanotimes", "")


@pytest.mark.parametrize(("cps", "given", "said"), [(0.6e6, True, False), (1.4e6, True, True), (4.4e6, False, True)])
def test_pile_up(cps, given, said):
    """Two detectors at 10 MHz: 3, 7 and 22 % of the pulses."""
    ticks = PULSES // 10
    chunks = light(cps / 10, ticks=ticks)
    results = published(run(replace(T3, duration_s=SECONDS / 10), chunks))
    summary = results["summary"].values
    (state,) = summary["states"]
    assert (state["lifetime_ns"] is not None) == given == (state["one_over_e_ns"] is not None)
    assert (results["decay"].values["lifetimes"][0]["lifetime_ns"] is not None) == given
    assert any("pile-up" in line for line in summary["warnings"]) == said
    assert summary["g2"]["g2_0"] is not None


@pytest.mark.parametrize("delays", [{}, {1: 30.0}])
@pytest.mark.parametrize(("until", "said"), [(0.5, 2), (0.95, 2), (1.0, 0)])
def test_nanotimes_that_end_before_the_period_are_said_and_no_darkness(delays, until, said):
    results = published(run(T3, light(until=until, background=0.2), Settings(delays_ns=delays)))
    (state,) = results["summary"].values["states"]
    assert state["lifetime_ns"] == pytest.approx(TAU_NS, abs=5 * state["lifetime_error_ns"])
    assert state["one_over_e_ns"] == pytest.approx(TAU_NS, rel=0.1)
    told = [line for line in results["summary"].values["warnings"] if line.startswith("lifetime: in ")]
    assert len(told) == said  # one per channel


def test_a_lifetime_longer_than_what_is_recorded_has_no_one_over_e_time():
    """The nanotimes end 13 ns after the excitation."""
    results = published(run(T3, light(until=0.25, background=0.0)))
    (state,) = results["summary"].values["states"]
    assert state["one_over_e_ns"] is None
    assert [line for line in results["summary"].values["warnings"] if "nanotimes end within the decay" in line]


def test_a_gate_beyond_the_period_gives_no_gated_g2(chunks):
    results = published(run(T3, chunks, Settings(delays_ns={}, gate_ns=120.0)))
    assert [row["g2_0"] for row in results["gate"].values["per_row"]] == [None, None]
    assert results["gate"].values["gate_used_ns"] is None
    assert [line for line in results["summary"].values["warnings"] if line.startswith("gate_ns: 120 ns")]


@pytest.mark.parametrize(("bin_ms", "says"), [(500.0, "6 segments"), (0.005, "0.6 photons")])
def test_segments_that_are_too_few_or_too_short_are_named(chunks, bin_ms, says):
    (line,) = (line for line in run(T3, chunks, Settings(bin_ms=bin_ms)).warnings if line.startswith("bin_ms"))
    assert says in line


def test_gates_are_withheld_where_the_excitation_was_not_known_when_counting_began(chunks, clean):
    """A live card does not say it: a gate would be counted from nanotime 0. What was found since is named."""
    results = published(run(replace(T3, look={}), chunks))
    reason = results["gate"].values["reason"]
    assert "not known when counting began" in reason
    told = {int(c): float(v) for c, v in re.findall(r"(\d) = ([\d.]+)", reason)}
    assert told == pytest.approx({0: T0_NS, 1: T0_NS}, abs=0.3)
    assert np.isnan(results["gate"].data["g2_0"]).all()
    assert all(row["g2_0"] is None for row in results["gate"].values["per_row"])
    assert any(line.startswith("gate: ") for line in results["summary"].values["warnings"])
    again = published(run(replace(T3, look={}), chunks, SETTINGS.model_copy(update={"t0_ns": told})))
    assert again["gate"].values["reason"] is None
    assert np.isfinite(again["gate"].data["g2_0"]).any()


def test_the_excitation_that_is_offered_is_the_card_s_whatever_delays_were_taken_out(chunks):
    settings = Settings(delays_ns={1: 5.0})
    reason = published(run(replace(T3, look={}), chunks, settings))["gate"].values["reason"]
    told = {int(c): float(v) for c, v in re.findall(r"(\d) = ([\d.]+)", reason)}
    assert told == pytest.approx({0: T0_NS, 1: T0_NS}, abs=0.3)
