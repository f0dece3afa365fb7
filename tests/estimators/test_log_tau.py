"""Log-tau curves: against plain sums over all pairs of moments, and of emitters whose correlation is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.accumulators.log_tau import LogTau, block_ticks, correlated, lag_bins
from streamer.accumulators.sequence import Sequence
from streamer.chunk import Chunk
from streamer.estimators import trace_tau
from streamer.estimators.log_tau import FEWEST_PAIRS, all_curve, state_curve
from streamer.estimators.multi_tau import (
    Lags,
    Segments,
    Sums,
    by_octave,
    joined,
    photon_sums,
    stretches_of,
)
from streamer.estimators.relaxation import SLOW, relaxation, slow
from streamer.estimators.trace_tau import trace_sums
from streamer.group import Group
from streamer.layout import Layout

TICK_S = 1e-8
TWO = Layout("T2", TICK_S, 0.0, (0, 1), ((0, 1),), 0.01, 0.0, 10, 5, 100, (0, 0))
ONE = replace(TWO, detectors=(0,), pairs=(), zero=(0,))


def telegraph(
    rng: np.random.Generator, seconds: float, rates: tuple[float, float], dwell_s: tuple[float, float]
) -> Chunk:
    """Photons of two detectors; steady where both rates are the same."""
    n = int(seconds / min(dwell_s)) + 100
    edges = np.concatenate([[0.0], np.cumsum(rng.exponential(np.resize(dwell_s, n)))])
    edges = np.minimum(edges, seconds)
    counts = rng.poisson(np.diff(edges) * np.resize(rates, n))
    time = np.repeat(edges[:-1], counts) + rng.random(int(counts.sum())) * np.repeat(np.diff(edges), counts)
    ticks = np.sort((time / TICK_S).astype(np.int64))
    return Chunk(0, round(seconds / TICK_S), ticks, channel=rng.integers(0, 2, len(ticks)).astype(np.uint8))


def counted(layout: Layout, chunks: list[Chunk], longest_s: float = 1.0) -> tuple[Sums, Segments, LogTau, Sequence]:
    pairs, sequence = LogTau(layout), Sequence(layout)
    group = Group(layout, [pairs, sequence])
    for chunk in chunks:
        group.feed(chunk)
    group.finish()
    lines, bins, alone = sequence.tables["segments"], lag_bins(layout), not layout.pairs
    a, b = (3 + int(layout.detector_of[channel]) for channel in correlated(layout)[0])
    segments = Segments(lines[:, 0], lines[:, 1] - lines[:, 0], lines[:, a], lines[:, b])
    block = block_ticks(layout)
    lags = Lags(bins.octave, bins.width, bins.first, bins.lags)
    short = photon_sums(segments, lags, pairs.tables["blocks"], alone=alone, block_ticks=block)
    long = trace_sums(segments, layout.scale.ticks, longest_s / TICK_S, alone=alone, block_ticks=block)
    return joined(short, long), segments, pairs, sequence


def torn(chunk: Chunk) -> list[Chunk]:
    """Two gaps, one of them inside a segment."""
    parts = []
    for start, stop in ((0, 0.731), (0.734, 1.5), (2.5, 7.0)):
        inside = (chunk.time >= start / TICK_S) & (chunk.time < stop / TICK_S)
        parts.append(
            Chunk(round(start / TICK_S), round(stop / TICK_S), chunk.time[inside], channel=chunk.channel[inside])
        )
    return parts


@pytest.mark.parametrize("layout", [TWO, ONE], ids=["pair", "alone"])
def test_the_trace_equals_two_plain_loops_and_gaps_are_missing(layout: Layout) -> None:
    sums, segments, _, _ = counted(layout, torn(telegraph(np.random.default_rng(1), 7.0, (3e3, 3e3), (1.0, 1.0))), 0.4)
    cell, n = layout.scale.ticks, 700
    w, a, b = (np.zeros(n) for _ in range(3))
    for start, length, on_a, on_b in zip(segments.start, segments.length, segments.a, segments.b, strict=True):
        w[start // cell] += length
        a[start // cell] += on_a
        b[start // cell] += on_b
    trace = np.flatnonzero(sums.lags.width >= cell)
    assert len(trace) > 12
    for k in trace:
        fold = int(sums.lags.width[k]) // cell
        x, y, z = (one[: n // fold * fold].reshape(-1, fold).sum(axis=1) for one in (w, a, b))
        expected = np.zeros(6)
        for m in range(int(sums.lags.first[k]), int(sums.lags.first[k] + sums.lags.lags[k])):
            for i in range(len(x) - m):
                j = i + m
                both = y[i] * z[j] + (z[i] * y[j] if layout.pairs else 0)
                expected += [both, x[i] * x[j], y[i] * x[j], x[i] * y[j], z[i] * x[j], x[i] * z[j]]
        np.testing.assert_allclose(sums.counted[:6, :, k].sum(axis=1), expected, rtol=1e-9)


def test_photons_spread_over_cells_are_not_paired_with_themselves() -> None:
    """Alone, n photons of a long segment make n (n - 1) ordered pairs and not n**2."""
    cells, n = 64, 10
    one = Segments(np.array([0]), np.array([cells * 100]), np.array([n]), np.array([n]))
    sums = trace_sums(one, 100, 1e4, alone=True, block_ticks=10**6)
    fold = sums.lags.width // 100
    lags = [np.arange(first, first + many) for first, many in zip(sums.lags.first, sums.lags.lags, strict=True)]
    places = np.array([np.sum(cells // f - m) for m, f in zip(lags, fold, strict=True)])
    assert len(places) > 15
    np.testing.assert_allclose(sums.pairs[0], n * (n - 1) * (fold / cells) ** 2 * places, rtol=1e-9)

    rng = np.random.default_rng(4)
    length, gap = rng.integers(1, 900, 400), rng.integers(0, 300, 400) * (rng.random(400) < 0.2)
    photons = rng.poisson(length * 0.02)
    segments = Segments(np.cumsum(gap + length) - length, length, photons, photons)
    sums = trace_sums(segments, 100, 2e4, alone=True, block_ticks=10**4)
    edges = np.arange(segments.start[-1] // 100 + length[-1] // 100 + 3) * 100
    low = np.maximum(edges[:-1], segments.start[:, None])
    part = np.maximum(np.minimum(edges[1:], (segments.start + length)[:, None]) - low, 0) / length[:, None]
    cells = int(segments.start[-1] + length[-1] - 1) // 100 + 1
    for k in range(len(sums.lags.first)):
        fold, expected = int(sums.lags.width[k]) // 100, 0.0
        share = part[:, : cells // fold * fold].reshape(len(length), -1, fold).sum(axis=2)
        on = photons @ share
        for m in range(int(sums.lags.first[k]), int(sums.lags.first[k] + sums.lags.lags[k])):
            expected += on[:-m] @ on[m:] - photons @ np.sum(share[:, :-m] * share[:, m:], axis=1)
        assert sums.pairs[:, k].sum() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("alone", [False, True])
def test_neither_long_gaps_nor_pieces_change_the_trace(alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first lags are those of the cells, whatever the gaps; a gap of the longest lag tells all that there is."""
    rng, cell, longest = np.random.default_rng(12), 100, 2e4
    length = rng.integers(1, 500, 3000)
    photons = rng.poisson(length * 0.05), rng.poisson(length * 0.05)
    photons = (photons[0], photons[0]) if alone else photons

    def sums(gap: int) -> Sums:
        """Two gaps, in whole blocks of 5000 ticks."""
        start = 37 + np.cumsum(length) - length
        start[1000:] += gap
        start[1700:] += gap + 5000
        return trace_sums(Segments(start, length, *photons), cell, longest, alone=alone, block_ticks=5000)

    near, far = sums(640_000), sums(640_000 * 10**7)
    assert near.lags.ticks[0] == far.lags.ticks[0] == cell
    assert near.lags.ticks[-1] == pytest.approx(longest, rel=0.1)
    for key in ("octave", "width", "first", "lags"):
        np.testing.assert_array_equal(getattr(near.lags, key), getattr(far.lags, key))
    np.testing.assert_allclose(near.counted, far.counted, rtol=1e-9)
    np.testing.assert_array_equal(near.time, far.time)
    monkeypatch.setattr(trace_tau, "PIECE", 1000)
    np.testing.assert_allclose(near.counted, sums(640_000).counted, rtol=1e-9)


@pytest.mark.parametrize("layout", [TWO, ONE], ids=["pair", "alone"])
def test_steady_light_is_one_at_every_lag(layout: Layout) -> None:
    sums, segments, pairs, _ = counted(
        layout, torn(telegraph(np.random.default_rng(2), 7.0, (6e4, 6e4), (1.0, 1.0))), 0.3
    )
    curve = all_curve(sums, TICK_S)
    state = state_curve(pairs.tables["pairs0"].sum(axis=0), segments, sums, TICK_S)
    inside = sums.lags.width < layout.scale.ticks
    for one, where in ((curve, np.isfinite(curve.g2)), (state, inside & np.isfinite(state.g2))):
        assert where.sum() > 50
        sigmas = (one.g2[where] - 1) / one.error[where]
        assert np.abs(sigmas).max() < 5
        assert 0.4 < np.std(sigmas) < 1.6
        assert np.all((one.low[where] < one.g2[where]) & (one.g2[where] < one.high[where]))
    assert curve.error[-1] < 1e-3
    assert np.isnan(state.g2[~inside]).all()
    assert relaxation(sums, TICK_S).blinks is False


def test_a_telegraph_signal_is_the_exponential_that_it_is() -> None:
    """Rates r and 0, dwells of 4 and 12 ms: g2 - 1 = 3 exp(-lag / 3 ms), averaged as the bins average."""
    sums, segments, pairs, _ = counted(TWO, [telegraph(np.random.default_rng(3), 40.0, (2e4, 0.0), (4e-3, 12e-3))])
    curve, tau = all_curve(sums, TICK_S), 3e-3
    expected = 1 + 3 * sums.lags.exponential(np.array([tau / TICK_S]))[0]
    known = np.isfinite(curve.g2)
    assert known.sum() > 60
    assert np.abs((curve.g2 - expected)[known] / curve.error[known]).max() < 5
    found = relaxation(sums, TICK_S)
    assert found.blinks
    assert found.tau.low is not None
    assert found.tau.low < tau < found.tau.high
    assert found.tau.error < 0.1 * tau
    assert found.half_s.value == pytest.approx(tau * np.log(2), rel=0.3)
    assert abs(found.contrast.value - 3) < 4 * found.contrast.error
    assert found.slope.value is None
    # Segment by segment much of it is gone.
    state = state_curve(pairs.tables["pairs0"].sum(axis=0), segments, sums, TICK_S)
    both = np.isfinite(state.g2) & known
    assert np.mean(state.g2[both] - 1) < 0.5 * np.mean(curve.g2[both] - 1)


def test_the_bins_average_an_exponential_as_their_triangles_do() -> None:
    lags = Lags(np.zeros(3, np.int64), np.array([8, 8, 64]), np.array([3, 8, 14]), np.array([1, 2, 2]))
    for tau in (5.0, 30.0, 1e3, 1e7):
        expected = []
        for width, first, n in zip(lags.width, lags.first, lags.lags, strict=True):
            step = (np.arange(-200_000, 200_000) + 0.5) / 200_000
            weight = 1 - np.abs(step)
            means = [np.average(np.exp(-(m + step) * width / tau), weights=weight) for m in range(first, first + n)]
            expected.append(np.mean(means))
        np.testing.assert_allclose(lags.exponential(np.array([tau]))[0], expected, rtol=1e-6)


def test_power_law_blinking_has_a_slope_and_no_relaxation_time() -> None:
    rng, seconds = np.random.default_rng(5), 60.0
    dwell = 2e-4 * rng.random(40_000) ** (-1 / 0.7)
    edges = np.minimum(np.concatenate([[0.0], np.cumsum(np.minimum(dwell, 0.3))]), seconds)
    counts = rng.poisson(np.diff(edges) * np.resize([2e4, 500.0], len(dwell)))
    time = np.sort(np.repeat(edges[:-1], counts) + rng.random(int(counts.sum())) * np.repeat(np.diff(edges), counts))
    channel = rng.integers(0, 2, len(time)).astype(np.uint8)
    chunk = Chunk(0, round(seconds / TICK_S), (time / TICK_S).astype(np.int64), channel=channel)
    found = relaxation(counted(TWO, [chunk])[0], TICK_S)
    assert found.blinks
    assert found.tau.value is None
    assert found.tau.reason
    assert found.slope.value is not None
    assert -1.5 < found.slope.value < 0


def test_what_cannot_be_known_is_not_told() -> None:
    rng = np.random.default_rng(6)
    short = counted(TWO, [telegraph(rng, 3.0, (2e4, 2e4), (1.0, 1.0))])[0]
    assert np.isnan(all_curve(short, TICK_S).g2).all()
    found = relaxation(short, TICK_S)
    assert found.blinks is None
    assert "shorter" in found.contrast.reason
    dim = counted(TWO, [telegraph(rng, 6.0, (100.0, 100.0), (1.0, 1.0))])[0]
    curve, pairs = all_curve(dim, TICK_S), dim.pairs.sum(axis=0)
    assert np.isnan(curve.g2[pairs < FEWEST_PAIRS / 3]).all()
    none = counted(TWO, [Chunk(0, round(6 / TICK_S))])[0]
    assert np.isnan(all_curve(none, TICK_S).g2).all()
    assert relaxation(none, TICK_S).blinks is None
    slow = counted(TWO, [telegraph(rng, 8.0, (2e4, 1e3), (0.4, 0.4))])[0]
    assert relaxation(slow, TICK_S).tau.value is None


@pytest.mark.parametrize(
    ("dwell_s", "dark", "without"), [(5.0, 0.1, True), (20.0, 0.1, True), (0.1, 0.1, False), (5.0, 1.0, False)]
)
def test_slow_blinking_has_no_limits(dwell_s: float, dark: float, without: bool) -> None:
    """Runs of 100 s: 95 % intervals would hold 79 % of true contrasts at dwells of 5 s, 14 % at 20 s."""
    rng, cell, tick_s, found = np.random.default_rng(11), 10_000, 1e-6, []
    for _ in range(8):
        edges = np.cumsum(rng.exponential(dwell_s, int(300 / dwell_s) + 200)) - 5 * dwell_s
        lit = np.concatenate([[0.0], np.cumsum(np.diff(edges) * np.resize([1e4, 1e4 * dark], len(edges) - 1))])
        mean = np.diff(np.interp(np.arange(10_001) * 0.01, edges, lit))
        segments = Segments(np.arange(10_000) * cell, np.full(10_000, cell), rng.poisson(mean), rng.poisson(mean))
        sums = trace_sums(segments, cell, 10 / tick_s, alone=False, block_ticks=50 * cell)
        octaves, contrast = by_octave(sums), relaxation(sums, tick_s).contrast
        found.append(slow(octaves, all_curve(octaves, tick_s), tick_s))
        if contrast.value is not None:
            assert (contrast.low is None) == (contrast.reason == SLOW) == without
    assert found == [without] * 8


def test_lags_from_the_shortest_on_are_judged() -> None:
    """Afterpulses of a lone detector within 5 us are no blinking when they are not looked at."""
    rng = np.random.default_rng(7)
    chunk = telegraph(rng, 8.0, (2e4, 2e4), (1.0, 1.0))
    after = chunk.time[::20] + rng.integers(50, 300, len(chunk.time[::20]))
    time = np.sort(np.concatenate([chunk.time, after[after < chunk.stop]]))
    sums = counted(ONE, [Chunk(0, chunk.stop, time, channel=np.zeros(len(time), np.uint8))])[0]
    assert relaxation(sums, TICK_S).blinks
    assert not relaxation(sums, TICK_S, 10e-6).blinks


def test_stretches_have_equal_live_time_in_order() -> None:
    start = np.concatenate([np.arange(100), np.arange(1000, 1060)]) * 10
    segments = Segments(start, np.full(160, 10), np.ones(160, np.int64), np.ones(160, np.int64))
    blocks, stretch = stretches_of(segments, 20, 8)
    assert len(blocks) == 80
    assert np.bincount(stretch).tolist() == [10] * 8
    assert np.all(np.diff(stretch) >= 0)
    assert stretches_of(segments, 20, 500)[1].tolist() == list(range(80))


def test_octaves_add_their_bins() -> None:
    sums = counted(TWO, [telegraph(np.random.default_rng(8), 5.0, (1e4, 1e4), (1.0, 1.0))])[0]
    octaves = by_octave(sums)
    assert np.all(np.diff(octaves.lags.ticks) > 0)
    np.testing.assert_allclose(octaves.counted.sum(axis=2), sums.counted.sum(axis=2))
    assert octaves.lags.lags.sum() == sums.lags.lags.sum()
