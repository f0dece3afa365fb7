"""Light under cw excitation against a dot followed transition by transition, and against the exact g2 of its rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sources.simulate import SimulateSource, open_source, state_sequence
from sources.simulation import cw
from sources.simulation.parts import POWER_LAW, Dwell, State
from sources.simulation.presets import PRESETS
from sources.simulation.rates import channels_cps, rate_cps
from sources.simulation.settings import COHERENT, CW, Settings

DOT = State(0.9, 20.0, 0.8, 5.0)
PLAIN = {"jitter_ps": (0.0, 0.0), "dead_ns": (0.0, 0.0)}
MARDER = Settings(
    excitation=CW, mode="T2", states=(DOT,), pump_per_us=30.0, eta_c=0.5, filters=((0.1, 1.0), (1.0, 0.05)),
    dark_cps=(20_000.0, 50_000.0), duration_s=0.08, seed=4, **PLAIN,
)  # fmt: skip
SHELF = replace(MARDER, shelve_per_us=6.0, return_per_us=2.0, dark_cps=(0.0, 0.0))
TWO = replace(MARDER, levels=2, filters=(), dark_cps=(0.0, 0.0))
CASES = {
    "three levels in bands": MARDER,
    "and a shelf": SHELF,
    "two levels": TWO,
    "two levels and a shelf": replace(TWO, shelve_per_us=5.0, return_per_us=1.0),
    "weak": replace(MARDER, pump_per_us=2.0, eta_c=1.0, duration_s=0.3),
    "coherent": replace(TWO, model=COHERENT, pump_per_us=3.0),
}


def run(settings: Settings) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Time in ps and channel of the whole stream."""
    chunks = list(SimulateSource(settings).chunks())
    return np.concatenate([chunk.time for chunk in chunks]), np.concatenate([chunk.channel for chunk in chunks])


def histogram(a: NDArray[np.float64], b: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pairs by delay b - a; the edges rise."""
    counts = np.zeros(len(edges) - 1, np.int64)
    low = np.searchsorted(b, a + edges[0])
    high = np.searchsorted(b, a + edges[-1])
    for ahead in range(int((high - low).max())):
        with_one = low + ahead < high
        counts += np.histogram(b[low[with_one] + ahead] - a[with_one], edges)[0]
    return counts


def naive(settings: Settings, duration_ns: float, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Times in ns and detectors of the photons seen of a dot followed through each of its transitions."""
    rng = np.random.default_rng(seed)
    (state,) = settings.states
    rates = cw.rate_matrix(settings, state)
    ways = []
    for level in range(4):
        out = np.clip(rates[:, level], 0, None)
        ways.append((out.sum(), np.cumsum(out) / out.sum()))
    through = np.array(settings.filters or ((1.0, 1.0), (1.0, 1.0))) * settings.eta_c * 0.5
    yields = {(1, 0): (0, state.eta_x), (2, 1): (1, state.eta_bx)}
    draws, used = rng.random((200_000, 4)), 0
    now, level, times, detectors = 0.0, 0, [], []
    while now < duration_ns:
        if used == len(draws):
            draws, used = rng.random((200_000, 4)), 0
        draw = draws[used]
        used += 1
        total, cumulative = ways[level]
        now -= np.log1p(-draw[0]) / total
        after = int(np.searchsorted(cumulative, draw[1], side="right"))
        band, eta = yields.get((level, after), (0, 0.0))
        level = after
        if draw[2] < eta:
            detector = int(np.searchsorted(np.cumsum(through[:, band]), draw[3], side="right"))
            if detector < 2:
                times.append(now)
                detectors.append(detector)
    return np.array(times), np.array(detectors)


@pytest.mark.parametrize("settings", [MARDER, SHELF], ids=["three levels", "and a shelf"])
def test_kernel_against_every_transition(settings: Settings) -> None:
    settings = replace(settings, dark_cps=(0.0, 0.0), duration_s=0.02)
    time, channel = run(settings)
    naive_time, naive_channel = naive(settings, 4e6, 7)
    intervals = np.diff(time / 1e3), np.diff(naive_time)
    for first in (0, 1):
        for second in (0, 1):
            mine, other = (
                gaps[(at[:-1] == first) & (at[1:] == second)]
                for gaps, at in zip(intervals, (channel, naive_channel), strict=True)
            )
            assert len(other) > 200
            assert stats.ks_2samp(mine, other).pvalue > 1e-3
    kinds = [np.bincount(2 * at[:-1] + at[1:], minlength=4) for at in (channel.astype(int), naive_channel)]
    assert stats.chi2_contingency(np.array(kinds))[1] > 1e-3


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_g2_of_the_stream_is_that_of_the_rate_matrix(settings: Settings) -> None:
    (state,) = settings.states
    time, channel = run(settings)
    duration_ns = settings.duration_s * 1e9
    rates = channels_cps(settings, state)
    for at in (0, 1):
        number = (channel == at).sum()
        fano = 1 + 2 * abs(cw.g2_curve(settings, state, at, at, np.arange(0, 4000.0, 5)) - 1).sum() * 5e-9 * rates[at]
        assert abs(number - rates[at] * settings.duration_s) < 4 * np.sqrt(number * fano)
    a, b = (time[channel == at] / 1e3 for at in (0, 1))
    edges = np.arange(-300.0, 301.0, 4.0)
    counted = histogram(a, b, edges)
    fine = np.arange(-300.0, 300.0, 0.5) + 0.25
    curve = cw.g2_curve(settings, state, 0, 1, fine).reshape(-1, 8).mean(axis=1)
    expected = curve * len(a) * len(b) / duration_ns * 4.0
    # pairs of neighbouring photons share photons, so a bin varies a little more than Poisson
    pulls = (counted - expected) / np.sqrt(np.maximum(expected, 1) * 1.1)
    assert np.abs(pulls).max() < 5
    assert 0.7 < np.sqrt(np.mean(pulls**2)) < 1.35
    assert abs(pulls.mean()) < 4 * 2 / np.sqrt(len(pulls))


def test_closed_forms() -> None:
    """Two levels: 1 - exp(-(G + k1) tau); the stop of a cascade finds the exciton full, the start finds none."""
    tau = np.linspace(0, 200, 41)
    curve = cw.g2_curve(TWO, DOT, 0, 1, tau)
    np.testing.assert_allclose(curve, -np.expm1(-(0.03 + 0.05) * tau), atol=1e-9)
    assert cw.time_constants_ns(TWO, DOT) == pytest.approx([1 / 0.08])
    steady = cw.populations(TWO, DOT)
    assert steady[1] == pytest.approx(0.03 / 0.08)
    bands = cw.g2_bands(MARDER, DOT, 0.0)[:, :, 0]
    exciton = cw.populations(MARDER, DOT)[1]
    np.testing.assert_allclose(bands, [[0, 0], [1 / exciton, 0]], atol=1e-9)
    # n0 : n1 : n2 = 1 : G / k1 : G^2 / (k1 k2)
    np.testing.assert_allclose(cw.populations(MARDER, DOT)[:3], np.array([1, 0.6, 0.09]) / 1.69, atol=1e-9)
    weaker = cw.g2_bands(replace(MARDER, pump_per_us=3.0), DOT, 0.0)[1, 0, 0]
    assert weaker > bands[1, 0]  # the amplitude falls as the pump grows
    shelved = replace(TWO, shelve_per_us=5.0, return_per_us=1.0)
    slow, fast = cw.time_constants_ns(shelved, DOT)
    curve = cw.g2_curve(shelved, DOT, 0, 1, tau)
    long, short = np.exp(-tau / slow), np.exp(-tau / fast)
    c = (curve[20] - 1 + short[20]) / (long[20] - short[20])
    np.testing.assert_allclose(curve, 1 - (1 + c) * short + c * long, atol=1e-9)
    assert c > 0.5  # a shoulder of bunching
    mixed = cw.g2_curve(replace(MARDER, filters=(), dark_cps=(0.0, 0.0)), DOT, 0, 1, np.array([-7.0, 7.0]))
    assert mixed[0] == pytest.approx(mixed[1])  # a spike, not a butterfly, where bands are not told apart


def test_truth_of_the_papers() -> None:
    """Paper D: g0 0.03, 1/(gamma + w_p) 19.3 ns, on for 99 % of the time. Paper B: bunched on one side alone."""
    told = open_source("cw", {"duration": "20"}).info
    assert (told.mode, told.sync_rate_hz, told.t0_ns) == ("T2", None, {})
    states = {state["name"]: state for state in told.truth["states"]}
    assert states["bright"]["time_constants_ns"] == pytest.approx([19.3], abs=0.05)
    assert states["bright"]["g2_0_with_background"] == pytest.approx(0.03, abs=0.001)
    assert states["bright"]["time_share_expected"] == pytest.approx(0.99, abs=0.004)
    (state,) = open_source("cascade", {"duration": "1"}).info.truth["states"]
    (pair,) = state["pairs"]
    assert pair["g2_0_above"] > 5
    assert pair["g2_0_below"] < 0.1
    assert pair["g2_0"] == pytest.approx((pair["g2_0_above"] + pair["g2_0_below"]) / 2)
    times = [open_source("cw", {"pump_per_us": pump}).info.truth["states"][1]["time_constants_ns"][0] for pump in "19"]
    assert 1e3 / times[1] - 1e3 / times[0] == pytest.approx(8.0)  # gamma + w_p is linear in the pump


def test_blinking_on_top_of_the_levels() -> None:
    states = (
        replace(DOT, eta_x=0.1, eta_bx=0.0, dwell=Dwell(mean_s=0.01)),
        replace(DOT, dwell=Dwell(POWER_LAW, exponent=1.4, min_s=0.003, max_s=0.1)),
    )
    settings = replace(MARDER, states=states, eta_c=0.05, duration_s=1.0)
    time, _ = run(settings)
    dwells = np.array(list(state_sequence(settings, 1_000_000)))
    state_of = dwells[np.searchsorted(dwells[:, 2], time / 1e6, side="right"), 0]
    for at, state in enumerate(states):
        expected = rate_cps(settings, state) * (dwells[:, 2] - dwells[:, 1])[dwells[:, 0] == at].sum() * 1e-6
        assert abs((state_of == at).sum() - expected) < 4 * np.sqrt(1.3 * expected)


def test_two_lifetimes_are_tied_where_one_is_given() -> None:
    (state,) = open_source("cascade", {"tau_x_ns": "12"}).settings.states
    assert state.tau_bx_ns == 3.0
    (state,) = open_source("cascade", {"tau_x_ns": "12", "tau_bx_ns": "5"}).settings.states
    assert state.tau_bx_ns == 5.0


def test_rate_is_solved_for_by_eta_c() -> None:
    source = open_source("cascade", {"rate": "20000"})
    assert source.info.truth["all"]["rate_cps"] == pytest.approx(20_000)
    assert source.settings.eta_c < PRESETS["cascade"].eta_c


@pytest.mark.slow
def test_forty_emitters_agree_with_the_exact_centre() -> None:
    """Pulls of the pairs within 4 ns after zero delay, over independent runs, have mean 0 and standard deviation 1."""
    settings = replace(MARDER, duration_s=0.05)
    expected = cw.g2_curve(settings, DOT, 0, 1, np.arange(0.05, 4, 0.1)).mean()
    rates = channels_cps(settings, DOT)
    pulls = []
    for seed in range(40):
        time, channel = run(replace(settings, seed=seed))
        pairs = histogram(time[channel == 0] / 1e3, time[channel == 1] / 1e3, np.array([0.0, 4.0]))[0]
        mean = expected * rates[0] * rates[1] * 0.05 * 4e-9
        pulls.append((pairs - mean) / np.sqrt(mean))
    assert abs(np.mean(pulls)) < 4 / np.sqrt(40)
    assert 0.7 < np.std(pulls) < 1.5


def test_extremes_stay_in_range() -> None:
    """One photon in 1e14 transitions, and light that a drift has put out: time moves on, nothing overflows."""
    dim = open_source("shelving", {"eta_c": "1e-13", "dark_cps": "0", "duration": "100", "chunk_ms": "10000"})
    assert sum(len(chunk.time) for chunk in dim.chunks()) == 0
    out = open_source("cascade", {"drift_excitation": "linear:-10", "dark_cps": "0", "duration": "1"})
    time = np.concatenate([chunk.time for chunk in out.chunks()]) / 1e12
    assert len(time) > 100
    assert time.max() < 0.101
