"""Plan: streams whose macro clock is not the laser's, or too coarse for its pulses, and settings that are overruled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.errors import InputError
from streamer.first_look import first_look
from streamer.pipeline import Pipeline
from streamer.plan import make_plan

TAU_NS, T0_NS = 9.0, 7.0
CLOCK = StreamInfo("T3", 100e-9, 0.07e-9, channels=(0, 1), pulse_s=200.07e-9, sync_rate_hz=4.998e6)
COARSE = StreamInfo("T2", 13.5e-9, channels=(0, 1))
SECONDS = 2.0


def clocked(info, cps=60e3, seed=3, late_ns=0.0):
    """Photons of a laser of `pulse_s` in a stream that counts its own ticks; channel 1 comes `late_ns` late."""
    rng = np.random.default_rng(seed)
    laser_ns, tick_ns = CLOCK.laser_s * 1e9, info.tick_s * 1e9
    n = rng.poisson(cps * SECONDS)
    channel = rng.integers(0, 2, n).astype(np.uint8)
    delay = T0_NS + np.where(rng.random(n) < 0.03, rng.uniform(0, laser_ns, n), rng.exponential(TAU_NS, n))
    delay = (delay + late_ns * channel) % laser_ns
    time = ((rng.integers(0, round(SECONDS * 1e9 / laser_ns), n) * laser_ns + delay) / tick_ns).astype(np.int64)
    order = np.argsort(time, kind="stable")
    nanotime = (delay / (info.resolution_s * 1e9)).astype(np.uint16) if info.mode == "T3" else np.empty(0, np.uint16)
    stop = round(SECONDS / info.tick_s) + 1
    return [Chunk(0, stop, time[order], nanotime[order] if len(nanotime) else nanotime, channel[order])]


def analysed(info, chunks, settings, *, look=True):
    if look:
        info = replace(info, look=first_look(iter(chunks), info, settings))
    pipeline = Pipeline(info, settings)
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(StreamEnd("end of file"))
    return pipeline, pipeline.results()[-1].values


def has_lifetime(summary):
    (state,) = summary["states"]
    return state["lifetime_ns"] == pytest.approx(TAU_NS, abs=5 * state["lifetime_error_ns"])


@pytest.mark.parametrize("look", [True, False])
@pytest.mark.parametrize("tick_s", [100e-9, 13.5e-9, 1e-9, 1e-6])
def test_a_clock_of_its_own_gives_lifetimes_and_no_g2(tick_s, look):
    info = replace(CLOCK, tick_s=tick_s)
    pipeline, summary = analysed(info, clocked(info), Settings(), look=look)
    assert summary["doubts"] == {}
    assert has_lifetime(summary)
    assert summary["duration_s"] == pytest.approx(SECONDS, rel=1e-5)
    assert summary["states"][0]["rate_cps"] == pytest.approx(60e3, rel=0.02)
    assert summary["g2"]["pair"] is summary["g2"]["g2_0"] is None
    assert [line for line in summary["warnings"] if line.startswith("g2: the macro clock")] == summary["warnings"]
    assert {result.name for result in pipeline.results()} == {"trace", "levels", "decay", "flid", "summary"}
    decay = next(result for result in pipeline.results() if result.name == "decay")
    assert decay.axes[0].values[-1] == pytest.approx(200, abs=0.2)
    if look:
        assert (pipeline.info.look["pair"], pipeline.info.look["delay"]) == (None, None)
        assert pipeline.info.look["t0_ns"]["0"] == pytest.approx(T0_NS, abs=0.1)


def test_pairs_and_delays_asked_for_are_named_and_left_alone():
    settings = Settings(pairs=((0, 1),), delays_ns={1: 30.0})
    pipeline, summary = analysed(CLOCK, clocked(CLOCK, late_ns=30.0), settings)
    assert has_lifetime(summary)  # each detector has an excitation of its own
    assert pipeline.plan.shifts == pipeline.plan.delays_ns == {}
    assert summary["account"]["outside"] == 0
    assert [line for line in summary["warnings"] if "`pairs` is left alone" in line]
    assert [line for line in summary["warnings"] if line.startswith("delays_ns: left alone")]


def test_without_a_laser_period_nothing_is_fitted_and_the_photons_are_there():
    unknown = replace(CLOCK, pulse_s=4096 * CLOCK.resolution_s, pulse_known=False, sync_rate_hz=None)
    chunks = clocked(CLOCK)
    pipeline, summary = analysed(unknown, chunks, Settings())
    (state,) = summary["states"]
    assert state["lifetime_ns"] is state["one_over_e_ns"] is None
    assert "steady: the laser period is not known; set period_ns" in summary["warnings"]
    results = {result.name: result for result in pipeline.results()}
    assert results["decay"].data["counts"][0].sum() == len(chunks[0].time)
    decay = results["decay"]
    assert decay.axes[0].values[np.argmax(decay.data["counts"][0])] == pytest.approx(T0_NS, abs=0.5)
    # The plain mean nanotime of the segments: nothing before it is taken for the pulse before.
    axis, segments = results["flid"].axes[1].values, results["flid"].data["segments"].sum(axis=0)
    mean = (axis * segments).sum() / segments.sum()
    assert mean == pytest.approx(chunks[0].nanotime.mean() * 0.07, abs=0.3)


def test_flid_without_a_laser_period_wraps_nothing():
    unknown = StreamInfo("T3", 1e-6, 1e-9, channels=(0,), pulse_s=100e-9, pulse_known=False)
    time = np.arange(0, 10_000, 10)
    chunks = [Chunk(0, 10_000, time, np.full(1000, 99, np.uint16), np.zeros(1000, np.uint8))]
    pipeline, _ = analysed(unknown, chunks, Settings(t0_ns={0: 50.0}))
    flid = next(result for result in pipeline.results() if result.name == "flid")
    assert flid.axes[1].values == pytest.approx([99.5])
    assert flid.data["segments"].sum() == 1


def test_the_settings_may_say_the_laser_period():
    unknown = replace(CLOCK, pulse_s=4096 * CLOCK.resolution_s, pulse_known=False, sync_rate_hz=None)
    pipeline, summary = analysed(unknown, clocked(CLOCK), Settings(period_ns=200.07))
    assert has_lifetime(summary)
    assert pipeline.info.pulse_known
    assert [line for line in summary["warnings"] if line.startswith("g2: the macro clock")] == summary["warnings"]
    _, wrong = analysed(unknown, clocked(CLOCK), Settings(period_ns=100.0))
    assert "nanotimes" in wrong["doubts"]  # 2 % lie beyond it
    with pytest.raises(InputError, match=r"period_ns: must be at least the nanotime's resolution of 0.07 ns, got 0.01"):
        Pipeline(unknown, Settings(period_ns=0.01))


@pytest.mark.parametrize(("period_ns", "named"), [(55.0, True), (203.0, True), (200.0, False), (None, False)])
def test_a_laser_period_that_the_stream_contradicts_is_named_and_not_used(period_ns, named):
    info = StreamInfo("T3", 200e-9, 0.1e-9, channels=(0, 1))
    plan = make_plan(info, Settings(period_ns=period_ns))
    assert any(line.startswith("period_ns: ") for line in plan.warnings) == named
    assert plan.layout.period == pytest.approx(2000)


@pytest.mark.parametrize("look", [True, False])
def test_coarse_ticks_give_g2_in_whole_ticks(look):
    """Light without correlation in ticks of 13.5 ns: no bin and no window is shorter than a tick, and it is said."""
    rng = np.random.default_rng(5)
    n = 400_000
    time = np.sort(rng.integers(0, 148_148_148, n))
    chunks = [Chunk(0, 148_148_148, time, channel=rng.integers(0, 2, n).astype(np.uint8))]
    pipeline, summary = analysed(COARSE, chunks, Settings(), look=look)
    assert pipeline.plan.layout.tau_width == 1
    assert summary["g2"]["kind"] == "cw"
    assert summary["g2"]["low"] < 1 < summary["g2"]["high"]
    assert [line for line in summary["warnings"] if line.startswith("cw_window_ns: 1 ns is less")]
    a, b = (time[chunks[0].channel == c] for c in (0, 1))
    same = sum(int(np.count_nonzero(b == tick)) for tick in np.intersect1d(a, b) for _ in range((a == tick).sum()))
    assert summary["g2"]["central"] == same


def test_pulses_that_a_tick_cannot_part_give_no_g2():
    chunks = clocked(COARSE)
    for period_ns, paired in ((53.0, False), (200.07, True)):
        pipeline, summary = analysed(COARSE, chunks, Settings(period_ns=period_ns))
        assert bool(pipeline.plan.layout.pairs) == paired
        told = [line for line in summary["warnings"] if line.startswith("g2: the laser period of 53 ns is shorter")]
        assert len(told) == (0 if paired else 1)
    assert summary["g2"]["kind"] == "pulsed"
    assert summary["g2"]["g2_0"] == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({"tau_bin_ns": 5.0}, {"tau_bin_ns", "cw_window_ns"}),
        ({"cw_window_ns": 20.0}, set()),
        ({"cw_window_ns": 20.0, "tau_bin_ns": 13.5}, set()),
        ({"period_ns": 200.0}, set()),
    ],
)
def test_widths_below_a_tick_are_named(settings, keys):
    warnings = make_plan(COARSE, Settings(**settings)).warnings
    assert {line.split(":")[0] for line in warnings if "less than a time can tell" in line} == keys


@pytest.mark.parametrize(("error_ns", "taken"), [(0.1, True), (0.9, False), (None, True)])
def test_a_centre_whose_place_is_not_known_well_enough_is_not_moved(error_ns, taken):
    """The dip of cw light can be proven at 7 sigma, and its centre be known to 0.9 ns only."""
    look = {
        "photons": 10, "channels": {"0": 5, "1": 5}, "pair": [0, 1], "period_ns": None, "t0_ns": {},
        "delay": {"delay_ns": 0.6, "error_ns": error_ns, "sigma": 7.0, "found": True},
    }  # fmt: skip
    plan = make_plan(StreamInfo("T2", 1e-12, look=look), Settings())
    assert plan.delays_ns == ({1: 0.6} if taken else {})
    assert plan.offer is None
