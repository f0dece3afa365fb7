"""Photon pairs against two plain loops over all pairs, and every edge: window, lags, tau bins, gates, borders, gaps."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.accumulators.coincidences import RUN, Coincidences
from streamer.chunk import Chunk
from streamer.group import Group
from streamer.layout import Layout
from streamer.testing import layouts, random_stream, segments

PAIRED = {name: layout for name, layout in layouts().items() if layout.pairs}
T3, T2, PULSED = layouts()["T3"], layouts()["T2"], layouts()["T2, pulsed"]
Tables = dict[str, NDArray[np.int64]]


def tau_edges(layout: Layout) -> list[int]:
    """Left edges of the tau bins and the right edge of the last: whole fine units, zero inside the middle bin."""
    width, half = layout.tau_width, layout.tau_half
    return [k * width - width // 2 for k in range(-half, half + 2)]


def late(layout: Layout, nanotime: int, channel: int) -> int:
    """Nanotime units after the beginning of the detector's period, `guard` before its excitation; wrapped once."""
    after = nanotime - layout.zero[layout.detectors.index(channel)] + layout.guard
    period = round(layout.period)
    if after < 0:
        return max(after + period, 0)
    return after - period if after >= period else after


def naive(layout: Layout, chunks: list[Chunk]) -> Tables:
    """All pairs of a photon on a and one on b in one stretch, one by one."""
    tables = {key: np.zeros(shape, int) for key, shape in Coincidences.shapes(layout).items()}
    found = list(segments(chunks, layout))
    photons = [
        (segment.stretch, n, segment.level, int(time), int(nano), int(channel))
        for n, segment in enumerate(found)
        for time, nano, channel in zip(
            segment.time, segment.nanotime if layout.mode == "T3" else segment.time * 0, segment.channel, strict=True
        )
    ]
    edges = tau_edges(layout)
    for p, (a, b) in enumerate(layout.pairs):
        lags, tau = tables[f"lags{p}"], tables[f"tau{p}"]
        on_b = [photon for photon in photons if photon[5] == b]
        for stretch, segment, level, time, nano, channel in photons:
            if channel != a:
                continue
            for stretch_b, segment_b, _, time_b, nano_b, _ in on_b:
                apart = time_b - time
                if stretch_b != stretch or abs(apart) > layout.window:
                    continue
                row = level if segment_b == segment else layout.scale.n
                if layout.mode == "T3":
                    delay, lag = round(apart * layout.period) + nano_b - nano, apart
                    gate = min(late(layout, nano, a), late(layout, nano_b, b)) // layout.gate_width
                else:
                    delay, gate = apart, 0
                    lag = int(np.floor(apart / layout.period + 0.5)) if layout.pulsed else layout.lags + 1
                if edges[0] <= delay < edges[-1]:
                    tau[row, bisect_right(edges, delay) - 1] += 1
                if abs(lag) <= layout.lags:
                    lags[row, lag + layout.lags, min(gate, lags.shape[2] - 1)] += 1
    return tables


def counted(layout: Layout, chunks: list[Chunk]) -> Tables:
    coincidences = Coincidences(layout)
    group = Group(layout, [coincidences])
    for chunk in chunks:
        group.feed(chunk)
    group.finish()
    return coincidences.tables


def same(got: Tables, expected: Tables) -> None:
    assert got.keys() == expected.keys()
    for key, table in expected.items():
        np.testing.assert_array_equal(got[key], table, err_msg=key)


@pytest.mark.parametrize("layout", PAIRED.values(), ids=PAIRED)
def test_equals_two_plain_loops(layout: Layout) -> None:
    rng = np.random.default_rng(51)
    for _ in range(4):
        stream = random_stream(rng, layout, segments=15)
        expected = naive(layout, stream)
        same(counted(layout, stream), expected)
        assert expected["tau0"][:-1].any()
        assert expected["tau0"][-1].any() or not layout.fixed  # few segments end at changes of the rate


@pytest.mark.parametrize("layout", PAIRED.values(), ids=PAIRED)
@pytest.mark.parametrize("width", [1, 2, 7, 8])
@pytest.mark.parametrize("half", [1, 3])
def test_odd_and_even_tau_widths(layout: Layout, width: int, half: int) -> None:
    layout = replace(layout, tau_width=width, tau_half=half)
    stream = random_stream(np.random.default_rng(52), layout, segments=8)
    same(counted(layout, stream), naive(layout, stream))


def test_equals_numpy_where_runs_of_photons_are_many() -> None:
    """The kernel works in runs; more photons than two of them, counted by another plain way: all differences."""
    rng, n = np.random.default_rng(53), 3 * RUN + 17
    time = np.sort(rng.integers(0, 40 * n // 20, n))
    channel = rng.integers(0, 3, n).astype(np.uint8)
    tables = counted(T2, [Chunk(0, int(time[-1]) + 1, time, channel=channel)])
    on_a, on_b = time[channel == 0], time[channel == 1]
    differences = np.concatenate(
        [on_b[slice(*np.searchsorted(on_b, (t - T2.window, t + T2.window + 1)))] - t for t in on_a]
    )
    expected = np.histogram(differences, np.array(tau_edges(T2)) - 0.5)[0]
    np.testing.assert_array_equal(tables["tau0"].sum(axis=0), expected)


def pair_t2(layout: Layout, delay: int) -> Tables:
    a, b = layout.pairs[0]
    photons = sorted([(100, a), (100 + delay, b)])
    time, channel = np.array([t for t, _ in photons]), np.array([c for _, c in photons], np.uint8)
    return counted(layout, [Chunk(0, 400, time, channel=channel)])


@pytest.mark.parametrize(("width", "left", "right"), [(1, 0, 0), (2, -1, 0), (3, -1, 1), (4, -2, 1), (5, -2, 2)])
def test_zero_delay_lies_inside_the_middle_bin(width: int, left: int, right: int) -> None:
    layout = replace(T2, tau_width=width, tau_half=3)
    for delay in range(-5 * width, 5 * width + 1):
        tau = pair_t2(layout, delay)["tau0"].sum(axis=0)
        bin_ = (delay - left) // width + 3
        inside = 0 <= bin_ < 7
        assert tau.sum() == inside
        assert not inside or tau[bin_] == 1
        assert (left <= delay <= right) == (tau[3] == 1)
    assert layout.tau_ns()[3] == 0.0


@pytest.mark.parametrize("period", [12.5, 12.0])
def test_t2_lags_are_the_nearest_pulse_a_tie_to_the_later_one(period: float) -> None:
    layout = replace(PULSED, period=period)
    for delay in range(-70, 71):
        lags = pair_t2(layout, delay)["lags0"].sum(axis=(0, 2))
        lag = int((2 * delay / period + 1) // 2)
        assert lags.sum() == (abs(lag) <= 4)
        if abs(lag) <= 4:
            assert lags[lag + 4] == 1


def pair_t3(layout: Layout, lag: int, nano_a: int, nano_b: int) -> Tables:
    a, b = layout.pairs[0]
    photons = sorted([(100, nano_a, a), (100 + lag, nano_b, b)])
    time, nano, channel = (np.array(column) for column in zip(*photons, strict=True))
    return counted(layout, [Chunk(0, 200, time, nano.astype(np.uint16), channel.astype(np.uint8))])


def test_t3_lag_and_tau_are_b_minus_a() -> None:
    edges = tau_edges(T3)
    for lag in range(-T3.window - 1, T3.window + 2):
        tables = pair_t3(T3, lag, 10, 37)
        assert tables["lags0"].sum() == (abs(lag) <= T3.lags)
        delay = round(lag * 80.4) + 27
        assert tables["tau0"].sum() == (edges[0] <= delay < edges[-1] and abs(lag) <= T3.window)
        if abs(lag) <= T3.lags:
            assert np.argwhere(tables["lags0"])[0, 1] == lag + T3.lags
        if tables["tau0"].any():
            assert np.argwhere(tables["tau0"])[0, 1] == bisect_right(edges, delay) - 1


@pytest.mark.parametrize(
    ("zero", "nano_a", "nano_b", "gate"),
    [
        ((7, 12), 30, 40, 25),  # 30 - 7 + 2 before 40 - 12 + 2
        ((7, 12), 40, 30, 20),  # each from its own excitation: 40 - 7 + 2 after 30 - 12 + 2
        ((7, 12), 5, 40, 0),  # the guard begins here
        ((7, 12), 4, 60, 50),  # one unit earlier is the end of the period before: 4 - 7 + 2 + 80
        ((7, 12), 4, 9, 79),  # both
        ((0, 0), 79, 40, 1),  # an excitation at 0: the guard lies at the end of the window
        ((0, 0), 78, 40, 0),
        ((0, 0), 77, 40, 42),
        ((79, 79), 0, 1, 3),
        ((79, 79), 76, 76, 79),
        ((7, 12), 65535, 65535, 81),  # nonsense from a wrong header goes to the last gate
    ],
)
@pytest.mark.parametrize("lag", [-5, 0, 3])
def test_the_gate_is_that_of_the_earlier_nanotime(
    zero: tuple[int, int], nano_a: int, nano_b: int, gate: int, lag: int
) -> None:
    layout = replace(T3, zero=zero)
    assert (layout.guard, layout.gate_width, layout.gate_bins) == (2, 1, 82)
    assert np.argwhere(pair_t3(layout, lag, nano_a, nano_b)["lags0"])[0].tolist()[1:] == [lag + 5, gate]


def test_cw_light_has_no_lags() -> None:
    tables = pair_t2(T2, 3)
    assert tables["lags0"].shape == (T2.scale.rows, 1, 1)
    assert not tables["lags0"].any()


def test_a_pair_over_a_border_is_mixed_and_one_over_a_gap_is_none() -> None:
    ticks, channel = T2.scale.ticks, np.array([0, 1], np.uint8)
    time = np.array([ticks - 1, ticks])
    whole = counted(T2, [Chunk(0, 2 * ticks, time, channel=channel)])["tau0"]
    assert np.argwhere(whole)[:, 0].tolist() == [T2.scale.n]
    torn = [
        Chunk(0, ticks, time[:1], channel=channel[:1]),
        Chunk(ticks + 1, 2 * ticks, time[1:] + 1, channel=channel[1:]),
    ]
    assert not counted(T2, torn)["tau0"].any()


def test_the_window_reaches_over_many_segments() -> None:
    layout = replace(T2, tau_half=99, tau_width=3)
    ticks = layout.scale.ticks
    assert layout.window > 3 * ticks
    tau = counted(layout, [Chunk(0, 5 * ticks, np.array([1, 3 * ticks + 1]), channel=np.array([1, 0], np.uint8))])[
        "tau0"
    ]
    assert np.argwhere(tau).tolist() == [[layout.scale.n, 99 - 40]]


def test_needs_a_pair() -> None:
    assert not Coincidences.needs(layouts()["T3, one detector"])
    assert Coincidences.needs(T3)
