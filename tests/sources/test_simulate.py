"""The simulated source as a source: chunks that join, one stream per seed, options, live pacing, card and cables."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from sources.simulate import SimulateSource, open_source, state_sequence, time_shares
from sources.simulation import kernels
from sources.simulation.parts import Dwell, State
from sources.simulation.presets import PRESETS
from sources.simulation.settings import Settings
from streamer.chunk import Chunk, StreamInfo

# everything that could be drawn in another order: darks, early jitter, late cables, fast switching, many photons
BUSY = Settings(
    states=(
        State(0.3, 40.0, 0.2, 5.0, Dwell(mean_s=0.002)),
        State(0.9, 150.0, 0.2, 5.0, Dwell("power", exponent=1.5, min_s=1e-5, max_s=0.01)),
    ),
    nbar=0.5,
    eta_c=0.4,
    t0_ns=0.0,
    jitter_ps=(50.0, 900.0),
    dark_cps=(20000.0, 5000.0),
    dead_ns=(80.0, 430.0),
    delay_ns=(0.0, 323.9),
    duration_s=0.05,
)


def joined(chunks: list[Chunk]) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint8]]:
    return (
        np.concatenate([chunk.time for chunk in chunks]),
        np.concatenate([chunk.nanotime for chunk in chunks]),
        np.concatenate([chunk.channel for chunk in chunks]),
    )


@pytest.mark.parametrize("mode", ["T3", "T2"])
@pytest.mark.parametrize("rate_hz", [10e6, 12.3456789e6])
def test_chunks_join_and_the_stream_does_not_depend_on_them(mode: str, rate_hz: float) -> None:
    busy = replace(BUSY, mode=mode, rate_hz=rate_hz)
    whole = joined(list(SimulateSource(replace(busy, chunk_s=10.0)).chunks()))
    assert len(whole[0]) > 20_000
    for chunk_s in (7e-6, 1.37e-4, 0.011):
        source = SimulateSource(replace(busy, chunk_s=chunk_s))
        chunks = list(source.chunks())
        assert chunks[0].start == 0
        assert all(a.stop == b.start for a, b in pairwise(chunks))
        assert chunks[-1].stop == round(source.info.duration_s / source.info.tick_s)
        for got, expected in zip(joined(chunks), whole, strict=True):
            np.testing.assert_array_equal(got, expected)
    for chunk in chunks:
        assert chunk.time.dtype == np.int64
        assert chunk.nanotime.dtype == np.uint16
        assert chunk.channel.dtype == np.uint8
        assert np.all((chunk.time >= chunk.start) & (chunk.time < chunk.stop))
        assert len(chunk.channel) == len(chunk.time)
        assert len(chunk.nanotime) == (len(chunk.time) if mode == "T3" else 0)
    assert np.all(np.diff(whole[0]) >= 0)
    if mode == "T3":
        assert whole[1].max() <= source.info.period
        same = np.diff(whole[0]) == 0
        assert np.all(np.diff(whole[1].astype(np.int64))[same] >= 0)


def test_a_seed_is_a_stream() -> None:
    first, again, other = (joined(list(SimulateSource(replace(BUSY, seed=seed)).chunks())) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert len(other[0]) != len(first[0]) or np.any(other[0] != first[0])


@pytest.mark.parametrize("rate_hz", [10e6, 80e6])
def test_t2_is_the_same_stream_in_picoseconds(rate_hz: float) -> None:
    busy = replace(BUSY, rate_hz=rate_hz, eta_c=0.05)
    pulse, nanotime, channel = joined(list(SimulateSource(busy).chunks()))
    source = SimulateSource(replace(busy, mode="T2"))
    tick, none, channel_2 = joined(list(source.chunks()))
    period_ps = round(1e12 / rate_hz)
    assert len(none) == 0
    assert source.info.tick_s == 1e-12
    np.testing.assert_array_equal(tick // period_ps, pulse)
    np.testing.assert_array_equal(tick % period_ps // 64, nanotime)
    np.testing.assert_array_equal(channel, channel_2)


def test_a_cable_delays_its_channel_alone() -> None:
    plain = replace(BUSY, mode="T2", dark_cps=(0.0, 0.0), dead_ns=(0.0, 0.0), delay_ns=(0.0, 0.0))
    near, _, near_channel = joined(list(SimulateSource(plain).chunks()))
    source = SimulateSource(replace(plain, delay_ns=(0.0, 223.9)))
    far, _, far_channel = joined(list(source.chunks()))
    np.testing.assert_array_equal(near[near_channel == 0], far[far_channel == 0])
    kept = near[near_channel == 1] + 223_900
    # jitter may put a photon before the first tick, which only the delayed channel can then see
    np.testing.assert_array_equal(kept[kept < 5e10], far[(far_channel == 1) & (far >= kept[0])])
    t3 = SimulateSource(replace(plain, mode="T3", t0_ns=2.0, delay_ns=(0.0, 223.9)))
    assert t3.info.t0_ns == pytest.approx({0: 2.0, 1: 25.9})
    assert source.info.t0_ns == {}


def naive_release(events: list[tuple[int, int, int]], dead: tuple[int, int], period: int) -> list[tuple[int, int, int]]:
    """Non-extending dead time on exact instants, as Python integers."""
    last: dict[int, int] = {}
    kept = []
    for pulse, offset, channel in events:
        instant = pulse * period + offset
        if channel not in last or instant - last[channel] >= dead[channel]:
            last[channel] = instant
            kept.append((pulse, offset, channel))
    return kept


@pytest.mark.parametrize("resolution", [64_000, 0])
def test_release_against_naive_dead_time(resolution: int) -> None:
    rng = np.random.default_rng(4)
    period, dead = 12_345_678, (80_000_000, 5_000_000)
    base = 3_000_000_000_000  # so late that femtoseconds would not fit an integer of 64 bits
    instants = np.sort(rng.integers(0, 2000 * period, 5000))
    pulse, offset, channel = instants // period + base, instants % period, rng.integers(0, 2, 5000)
    pending = np.column_stack([pulse, offset, channel]).astype(np.int64)
    events = [tuple(map(int, row)) for row in pending]
    cursor = np.zeros(kernels.CURSOR, np.int64)
    cursor[kernels.HELD] = 5000
    cursor[[kernels.LAST_0, kernels.LAST_1]] = -kernels.NEVER
    stop = base + 1500 if resolution else (base + 1500) * period // 1000
    card = np.array([period, resolution, *dead, stop], np.int64)
    time, nanotime, out = np.empty(5000, np.int64), np.empty(5000, np.uint16), np.empty(5000, np.uint8)
    written = kernels.release(pending, cursor, card, time, nanotime, out)
    before = [one for one in events if (one[0] if resolution else (one[0] * period + one[1]) // 1000) < stop]
    expected = naive_release(before, dead, period)
    assert 100 < written == len(expected) < len(before)
    if resolution:
        assert time[:written].tolist() == [pulse for pulse, _, _ in expected]
        assert nanotime[:written].tolist() == [offset // resolution for _, offset, _ in expected]
    else:
        assert time[:written].tolist() == [(pulse * period + offset) // 1000 for pulse, offset, _ in expected]
    assert out[:written].tolist() == [channel for _, _, channel in expected]
    left = events[len(before) :]
    assert cursor[kernels.HELD] == len(left)
    np.testing.assert_array_equal(pending[: len(left)], left)


def test_dead_time_in_the_stream_is_kept_per_channel() -> None:
    tick, _, channel = joined(list(SimulateSource(replace(BUSY, mode="T2")).chunks()))
    for at, dead_ps in ((0, 80_000), (1, 430_000)):
        assert np.diff(tick[channel == at]).min() >= dead_ps - 1


def test_memory_is_flat_and_late_pulses_stay_exact() -> None:
    endless = SimulateSource(replace(BUSY, duration_s=math.inf, chunk_s=0.001))
    assert endless.info.duration_s is None
    chunks = endless.chunks()
    for _ in range(50):
        next(chunks)
    capacity = endless._machine._pending.shape
    for _ in range(500):
        next(chunks)
    assert endless._machine._pending.shape == capacity


def test_an_emitter_that_never_shines_still_moves_time() -> None:
    black = Settings(states=(State(0.0, 1.0, 0.0, 1.0),), dark_cps=(0.0, 0.0), duration_s=0.5)
    chunks = list(SimulateSource(black).chunks())
    assert sum(len(chunk.time) for chunk in chunks) == 0
    assert chunks[-1].stop == 5_000_000


class FakeTime:
    """A clock that moves only when someone waits or is made to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waited: list[float] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


def test_live_keeps_stream_time_equal_to_wall_time() -> None:
    fake = FakeTime()
    settings = replace(PRESETS["steady"], live=True, chunk_s=0.005, duration_s=1.0)
    source = SimulateSource(settings, clock=fake.clock, wait=fake.wait)
    assert source.info.live
    for at, chunk in enumerate(source.chunks()):
        stream_s = chunk.stop * source.info.tick_s
        assert fake.now - 100.0 >= stream_s - 1e-9
        if at == 50:
            fake.now += 0.2  # a slow consumer
            behind = fake.now
        elif 51 <= at <= 85:
            assert fake.now == behind  # late chunks come without waiting, none is skipped
        elif at > 95:
            assert fake.now - 100.0 == pytest.approx(stream_s, abs=1e-6)
    assert fake.now == pytest.approx(101.0, abs=1e-6)


def test_live_photons_are_those_of_a_run_as_fast_as_possible() -> None:
    fake = FakeTime()
    live = SimulateSource(replace(BUSY, live=True, chunk_s=0.005), clock=fake.clock, wait=fake.wait)
    np.testing.assert_array_equal(joined(list(live.chunks()))[0], joined(list(SimulateSource(BUSY).chunks()))[0])


def test_stop_ends_at_the_next_chunk_and_gives_its_reason() -> None:
    source = open_source("", {"duration": "inf"})
    chunks = source.chunks()
    next(chunks)
    source.stop("enough pairs")
    source.stop("a later reason")
    assert list(chunks) == []
    assert source.end().reason == "enough pairs"
    done = open_source("", {"duration": "0.1"})
    assert len(list(done.chunks())) == 2
    done.stop("too late")
    assert done.end().reason == "duration reached"


def test_stop_ends_a_live_wait_at_once() -> None:
    fake = FakeTime()
    source = open_source("", {"live": "true"})

    def stopped_meanwhile(seconds: float) -> None:
        source.stop("asked")

    source._clock, source._wait = fake.clock, stopped_meanwhile
    assert list(source.chunks()) == []
    assert source.end().reason == "asked"


@pytest.mark.parametrize("where", ["", "steady", "powerlaw", "single", "poisson"])
def test_presets_open_and_say_their_truth(where: str) -> None:
    source = open_source(where, {"duration": "2", "seed": "3"})
    info = source.info
    assert (info.mode, info.channels, info.source, info.live) == ("T3", (0, 1), f"simulate:{where}", False)
    assert info.sync_rate_hz == pytest.approx(10e6)
    told = json.loads(json.dumps(info.truth, allow_nan=False))
    assert StreamInfo.from_dict(json.loads(json.dumps(info.to_dict()))) == info
    assert told["seed"] == 3
    assert sum(state["time_share"] for state in told["states"]) == pytest.approx(1)
    photons = sum(len(chunk.time) for chunk in source.chunks())
    assert photons / 2 == pytest.approx(told["all"]["rate_cps"], rel=0.03)
    assert source.realised_time_shares() == pytest.approx([state["time_share"] for state in told["states"]])
    names = {1: ["steady"], 2: ["dark", "bright"], 3: ["dark", "grey", "bright"]}
    assert [state["name"] for state in told["states"]] == names[len(told["states"])]
    ratios = {"single": 0.0, "poisson": 1.0}
    if where in ratios:
        assert told["states"][0]["g2_0"] == pytest.approx(ratios[where])


@pytest.mark.parametrize("where", [where for where, settings in PRESETS.items() if settings.extended])
def test_presets_of_the_extended_emitter_open_and_say_their_truth(where: str) -> None:
    source = open_source(where, {"duration": "1", "seed": "3"})
    told = json.loads(json.dumps(source.info.truth, allow_nan=False))
    assert StreamInfo.from_dict(json.loads(json.dumps(source.info.to_dict()))) == source.info
    time, _, channel = joined(list(source.chunks()))
    expected = told["all"]["rate_cps"]
    assert (
        0.99 * expected - 5 * np.sqrt(expected) < len(time) < expected + 5 * np.sqrt(expected)
    )  # some are in dead time
    for at, one in enumerate(told["detectors"]):
        assert (one["channel"], one["dead_ns"]) == (at, 80.0)
        assert (channel == at).any()


def test_realised_state_sequence_is_cut_at_what_was_sent() -> None:
    source = open_source("", {"duration": "20"})
    chunks = source.chunks()
    for _ in range(40):
        next(chunks)
    assert source.pulses == 20_000_000
    assert list(state_sequence(source.settings, 20_000_000))[-1][2] == 20_000_000
    assert source.realised_time_shares() == time_shares(source.settings, 20_000_000)
