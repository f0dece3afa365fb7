"""Detectors of the extended emitter: any number, their responses, dead time, echoes and cables; in any chunking."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sources.simulate import SimulateSource, open_source
from sources.simulation import detector_kernels as counters
from sources.simulation import kernels as plain
from sources.simulation import photon_kernels as light
from sources.simulation.detectors import clicks_cps
from sources.simulation.parts import Bleach, Drift, Dwell, Marker, State
from sources.simulation.rates import channels_cps
from sources.simulation.settings import CW, THERMAL, Settings
from streamer.chunk import Chunk

# everything that could be drawn in another order
BUSY = Settings(
    states=(
        State(0.3, 40.0, 0.2, 5.0, Dwell(mean_s=0.002), (0.2, 0.1), (2.0, 1.0)),
        State(0.9, 150.0, 0.2, 5.0, Dwell("power", exponent=1.5, min_s=1e-5, max_s=0.01), (0.2, 0.1), (2.0, 1.0)),
    ),
    nbar=0.5, eta_c=0.4, t0_ns=0.0, split=(0.4, 0.35, 0.25),
    filters=((1.0, 0.2, 0.1), (0.1, 1.0, 1.0), (1.0, 1.0, 1.0)),
    jitter_ps=(50.0, 900.0, 3000.0), jitter_tail=(0.0, 0.3, 0.1), jitter_tail_ns=(1.0, 0.7, 20.0),
    dark_cps=(20000.0, 5000.0, 0.0), dead_ns=(80.0, 430.0, 20.0), delay_ns=(250.0, 0.0, 23_900.0),
    afterpulse=(0.1, 0.02, 0.0), afterpulse_ns=(30.0, 4000.0, 30.0), crosstalk=(0.05, 0.0, 0.02),
    crosstalk_ns=(10.0, 0.0, 150.0), crosstalk_sigma_ps=(500.0, 1.0, 2000.0),
    drift_excitation=Drift("walk", 0.8), drift_collection=Drift("sine", 0.5, 0.1),
    bleach=Bleach("photons", 8000), next_dot=Marker(4, 0.007), markers=(Marker(1, 0.0011), Marker(2, 0.0022)),
    duration_s=0.05,
)  # fmt: skip
CASES = {
    "cascade": BUSY,
    "thermal": replace(BUSY, model=THERMAL, filters=(), modes=0.5, bleach=Bleach("exp", 0.003)),
    "cw": replace(
        BUSY, excitation=CW, mode="T2", pump_per_us=3.0, shelve_per_us=1.0, return_per_us=0.3,
        filters=((1.0, 0.2), (0.1, 1.0), (1.0, 1.0)),
        states=tuple(replace(state, eta_mx=(), tau_mx_ns=()) for state in BUSY.states),
    ),
}  # fmt: skip
# a detector without echoes, dead time or cable under flat light
FLAT = Settings(
    states=(State(0.0, 1.0, 0.0, 1.0),), split=(0.5, 0.5), dark_cps=(2e5, 1e5), dead_ns=(0.0, 0.0), mode="T2",
    jitter_ps=(0.0, 0.0), duration_s=5.0, rate_hz=10e6,
)  # fmt: skip
KEYS = ("time", "nanotime", "channel", "marker_time", "marker")


def joined(chunks: list[Chunk]) -> list[NDArray]:
    return [np.concatenate([getattr(chunk, key) for chunk in chunks]) for key in KEYS]


def run(settings: Settings) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    time, _, channel, *_ = joined(list(SimulateSource(settings).chunks()))
    return time, channel


@pytest.mark.parametrize(
    ("case", "mode"), [("cascade", "T3"), ("cascade", "T2"), ("thermal", "T3"), ("thermal", "T2"), ("cw", "T2")]
)
def test_chunks_join_and_the_stream_does_not_depend_on_them(case: str, mode: str) -> None:
    busy = replace(CASES[case], mode=mode)
    whole = joined(list(SimulateSource(replace(busy, chunk_s=10.0)).chunks()))
    assert len(whole[0]) > 5000
    assert set(whole[2]) == {0, 1, 2}
    for chunk_s in (7e-6, 1.37e-4, 0.011):
        source = SimulateSource(replace(busy, chunk_s=chunk_s))
        chunks = list(source.chunks())
        assert all(a.stop == b.start for a, b in pairwise(chunks))
        for got, expected in zip(joined(chunks), whole, strict=True):
            np.testing.assert_array_equal(got, expected)
        for chunk in chunks:
            for time in (chunk.time, chunk.marker_time):
                assert np.all((time >= chunk.start) & (time < chunk.stop))
    assert np.all(np.diff(whole[0]) >= 0)
    if mode == "T3":
        same = np.diff(whole[0]) == 0
        assert np.all(np.diff(whole[1].astype(np.int64))[same] >= 0)
        assert whole[1].max() <= source.info.period
    other = joined(list(SimulateSource(replace(busy, seed=2)).chunks()))
    assert len(other[0]) != len(whole[0]) or np.any(other[0] != whole[0])


def test_t2_is_the_same_stream_in_picoseconds() -> None:
    pulse, nanotime, channel, *_ = joined(list(SimulateSource(BUSY).chunks()))
    tick, none, channel_2, *_ = joined(list(SimulateSource(replace(BUSY, mode="T2")).chunks()))
    assert len(none) == 0
    np.testing.assert_array_equal(tick // 100_000, pulse)
    np.testing.assert_array_equal(tick % 100_000 // 64, nanotime)
    np.testing.assert_array_equal(channel, channel_2)


def test_dead_time_is_kept_per_channel() -> None:
    tick, channel = run(replace(BUSY, mode="T2"))
    for at, dead_ps in enumerate((80_000, 430_000, 20_000)):
        assert np.diff(tick[channel == at]).min() >= dead_ps - 1


@pytest.mark.parametrize("number", [1, 4, 16])
def test_any_number_of_detectors(number: int) -> None:
    source = open_source("steady", {"detectors": str(number), "duration": "1", "dead_ns": "0", "rate": "200000"})
    assert source.info.channels == tuple(range(number))
    time, _, channel, *_ = joined(list(source.chunks()))
    (state,) = source.info.truth["states"]
    assert len(state["pairs"]) == number * (number - 1) // 2
    for told in state["channels"]:
        counted = (channel == told["channel"]).sum()
        assert abs(counted - told["rate_cps"]) < 4 * np.sqrt(1.05 * told["rate_cps"])
    assert len(time) == pytest.approx(200_000, rel=0.02)
    if number > 1:
        expected = open_source("steady", {"rate": "200000"}).info.truth["states"][0]["g2_0"]
        assert state["g2_0"] == pytest.approx(expected)


def test_unequal_shares() -> None:
    split = ",".join(f"{at / 10:g}" for at in (1, 2, 3, 4))
    source = open_source("steady", {"split": split, "duration": "1", "dead_ns": "0", "rate": "200000", "dark_cps": "0"})
    channel = np.concatenate([chunk.channel for chunk in source.chunks()])
    assert stats.chisquare(np.bincount(channel), len(channel) * np.array([0.1, 0.2, 0.3, 0.4])).pvalue > 1e-3
    assert [told["share"] for told in source.info.truth["detectors"]] == [0.1, 0.2, 0.3, 0.4]


def test_one_value_holds_for_all_detectors_and_presets_follow() -> None:
    source = open_source("cw", {"split": "0.25,0.25,0.25,0.25", "dead_ns": "50", "delay_ns": "0,1,2,3"})
    assert source.settings.dead_ns == (50.0,) * 4
    assert source.settings.dark_cps == (670.0,) * 4
    assert source.settings.delay_ns == (0.0, 1.0, 2.0, 3.0)


def naive_clicks(events: list[tuple[int, int, int]], dead: list[int], period: int) -> list[tuple[int, int, int]]:
    """Non-extending dead time on exact instants, as Python integers."""
    last: dict[int, int] = {}
    kept = []
    for pulse, offset, channel in events:
        instant = pulse * period + offset
        if channel not in last or instant - last[channel] >= dead[channel]:
            last[channel] = instant
            kept.append((pulse, offset, channel))
    return kept


def test_clicks_against_naive_dead_time_and_cables() -> None:
    rng = np.random.default_rng(4)
    period, dead, cable = 12_345_678, [80_000_000, 5_000_000, 0], [0, 20_000_000, 123]
    base = 3_000_000_000_000  # so late that femtoseconds would not fit an integer of 64 bits
    instants = np.sort(rng.integers(0, 2000 * period, 5000))
    pending = np.column_stack([instants // period + base, instants % period, rng.integers(0, 3, 5000)]).astype(np.int64)
    events = [tuple(map(int, row)) for row in pending]
    cursor, queues = np.zeros(light.CURSOR, np.int64), np.zeros(2, np.int64)
    cursor[plain.HELD] = 5000
    card = np.array([period, 64_000, base + 1500, base + 1500], np.int64)
    last = np.tile(np.array([-plain.NEVER, 0], np.int64), (3, 1))
    echoes, records = np.empty((4, 3), np.int64), np.empty((6000, 3), np.int64)
    said = counters.click(
        rng, np.zeros((3, 5)), np.array([dead, cable]), card, last, cursor, pending, queues, echoes, records
    )
    assert said == plain.DONE
    before = [one for one in events if one[0] < base + 1500]
    kept = naive_clicks(before, dead, period)
    late = sorted((pulse * period + offset + cable[channel], channel) for pulse, offset, channel in kept)
    got = [tuple(map(int, row)) for row in records[: queues[counters.RECORDS]]]
    assert [(pulse * period + offset, channel) for pulse, offset, channel in got] == late
    left = events[len(before) :]
    assert cursor[plain.HELD] == len(left)
    np.testing.assert_array_equal(pending[: len(left)], left)
    time, nanotime, channel = np.empty(6000, np.int64), np.empty(6000, np.uint16), np.empty(6000, np.uint8)
    written = counters.write(records, queues, card, time, nanotime, channel)
    in_time = [(instant, at) for instant, at in late if instant // period < base + 1500]
    assert written == len(in_time) < len(late)
    assert time[:written].tolist() == [instant // period for instant, _ in in_time]
    assert nanotime[:written].tolist() == [instant % period // 64_000 for instant, _ in in_time]
    assert channel[:written].tolist() == [at for _, at in in_time]
    assert queues[counters.RECORDS] == len(late) - written


def test_afterpulses_follow_the_dead_time_exponentially() -> None:
    settings = replace(FLAT, dark_cps=(1000.0, 0.0), dead_ns=(50.0, 50.0), afterpulse=(0.2, 0.2), duration_s=30.0)
    time, _ = run(replace(settings, afterpulse_ns=(40.0, 40.0)))
    gaps = np.diff(time) / 1e3
    soon = gaps[gaps < 1000.0] - 50.0
    assert soon.min() >= -0.001
    law = stats.truncexpon(950.0 / 40.0, scale=40.0)
    assert stats.kstest(soon, law.cdf).pvalue > 1e-3
    expected = 1000.0 * 30 / (1 - 0.2)
    assert abs(len(time) - expected) < 4 * np.sqrt(expected * (1 + 0.2) / (1 - 0.2))
    assert abs(len(soon) - 0.2 * expected) < 4 * np.sqrt(0.2 * expected * 2)


def test_crosstalk_comes_at_its_delay_on_the_other_detector() -> None:
    settings = replace(
        FLAT, dark_cps=(2000.0, 0.0), crosstalk=(0.3, 0.0), crosstalk_ns=(20.0, 0.0), crosstalk_sigma_ps=(500.0, 1.0),
        delay_ns=(100.0, 0.0), duration_s=20.0,
    )  # fmt: skip
    time, channel = run(settings)
    a, b = (time[channel == at] / 1e3 for at in (0, 1))
    assert abs(len(b) - 0.3 * len(a)) < 4 * np.sqrt(0.3 * 0.7 * len(a))
    lags = b - a[np.clip(np.searchsorted(a, b), 0, len(a) - 1)]  # its cause comes later, by the longer cable
    lags = lags[np.abs(lags + 80) < 10]
    assert len(lags) > 0.98 * len(b)
    assert stats.kstest((lags + 80) / 0.5, "norm").pvalue > 1e-3


def test_expected_clicks_with_all_echoes() -> None:
    settings = replace(
        FLAT, split=(0.3, 0.3, 0.4), dark_cps=(3e3, 1e4, 2e3), dead_ns=(0.0,) * 3, delay_ns=(0.0,) * 3,
        jitter_ps=(0.0,) * 3, afterpulse=(0.1, 0.3, 0.0), crosstalk=(0.2, 0.05, 0.4), duration_s=20.0,
    )  # fmt: skip
    _, channel = run(settings)
    expected = clicks_cps(settings, np.zeros(3))
    # afterpulses and crosstalk of n detectors by hand: one generation after another
    total, own = np.zeros(3), np.array([3e3, 1e4, 2e3])
    crossed = np.zeros(3)
    for _ in range(200):
        total += own + crossed
        spread = np.array([(own * settings.crosstalk / 2)[[at for at in range(3) if at != b]].sum() for b in range(3)])
        own, crossed = (own + crossed) * settings.afterpulse, spread
    np.testing.assert_allclose(expected, total, rtol=1e-9)
    for at in range(3):
        counted = (channel == at).sum()
        assert abs(counted - 20 * expected[at]) < 4 * np.sqrt(20 * expected[at] * 3)
    assert sum(channels_cps(settings, settings.states[0])) == pytest.approx(expected.sum())


def test_crosstalk_adds_what_truth_says_to_g2() -> None:
    options = {"crosstalk": "0.02", "dead_ns": "0", "duration": "2", "nbar": "0.3", "eta_c": "0.1"}
    source = open_source("single", options)
    pulse, _, channel, *_ = joined(list(source.chunks()))
    counts = [np.bincount(pulse[channel == at], minlength=20_000_000) for at in (0, 1)]
    central, side = (counts[0] * counts[1]).sum(), counts[0].mean() * counts[1].mean() * 20_000_000
    (state,) = source.info.truth["states"]
    assert state["g2_0"] == 0.0
    assert abs(central / side - state["pairs"][0]["g2_0_added_by_crosstalk"]) < 4 * np.sqrt(central) / side


def test_jitter_has_an_exponential_tail() -> None:
    sharp = replace(
        FLAT, states=(State(1.0, 1e-3, 0.0, 1e-3),), mode="T3", rate_hz=1e6, nbar=0.2, eta_c=1.0, t0_ns=20.0,
        resolution_ps=32.0, dark_cps=(0.0, 0.0), jitter_ps=(200.0, 100.0), jitter_tail=(0.0, 0.3),
        jitter_tail_ns=(1.0, 2.0), duration_s=0.3,
    )  # fmt: skip
    time, nanotime, channel, *_ = joined(list(SimulateSource(sharp).chunks()))
    rng = np.random.default_rng(1)
    delay = (nanotime + rng.uniform(0, 1, len(nanotime))) * 0.032 - 20.0 - 0.001
    assert stats.kstest(delay[channel == 0] / 0.2, "norm").pvalue > 1e-3

    def blurred(t: NDArray) -> NDArray:
        return 0.7 * stats.norm(0, 0.1).cdf(t) + 0.3 * stats.exponnorm(20.0, 0, 0.1).cdf(t)

    assert stats.kstest(delay[channel == 1], blurred).pvalue > 1e-3
    assert np.all(np.diff(time) >= 0)


def test_memory_is_flat() -> None:
    source = SimulateSource(replace(BUSY, duration_s=1e9, chunk_s=0.001, bleach=None))
    chunks = source.chunks()
    sizes = []
    for _ in range(600):
        next(chunks)
        sizes.append(sum(rows.nbytes for rows in (source._machine._pending, source._machine._records)))
    assert max(sizes) < 1e6
    assert sizes[300] == sizes[-1]
