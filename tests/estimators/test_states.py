"""States of simulated and real emitters: how many, where, and whether they explain the trace."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import poisson

from streamer.errors import InputError
from streamer.estimators.states import LEAST_SEGMENTS, fit_mixture, goodness, names, states_from_thresholds
from streamer.levels import LevelScale, level_edges
from streamer.registry import open_source

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
EDGES = level_edges(400_000)
BIN_S = 0.01


def levels(counts):
    """Segments per level."""
    return np.bincount(np.searchsorted(EDGES, counts, side="right") - 1, minlength=len(EDGES) - 1)


def fit(counts, **options):
    """The mixture of segments of 10 ms."""
    return fit_mixture(levels(counts), EDGES, BIN_S, **options)


def how_many(make, repeats):
    """Counter of the number of states over repeated simulations."""
    return Counter(len(fit(make()).rates_cps) for _ in range(repeats))


# -- how many ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.2, 1, 5, 30, 300, 5000])
@pytest.mark.parametrize("segments", [100, 6000])
def test_a_steady_emitter_has_one_state(mean, segments):
    rng = np.random.default_rng(1)
    assert how_many(lambda: rng.poisson(mean, segments), 30) == {1: 30}


@pytest.mark.parametrize("dwell", [100.0, 10.0, 2.0])
def test_switching_between_two_states_gives_two(switching, dwell):
    # Naively, the segments in which it switched would be taken for states between.
    rng = np.random.default_rng(2)
    assert how_many(lambda: switching(rng, [5.0, 50.0], dwell, 6000), 15) == {2: 15}


@pytest.mark.parametrize("means", [[2.0, 8.0], [30.0, 60.0], [300.0, 1000.0], [50_000.0, 90_000.0]])
def test_two_states_at_any_rate(switching, means):
    rng = np.random.default_rng(3)
    mixture = fit(switching(rng, means, 100.0, 6000))
    assert mixture.rates_cps == pytest.approx(np.array(means) / BIN_S, rel=0.04)
    assert mixture.fits
    assert mixture.reason is None


@pytest.mark.parametrize("means", [[5.0, 25.0, 80.0], [5.0, 25.0, 60.0, 120.0]])
def test_three_and_four_states(switching, means):
    rng = np.random.default_rng(4)
    for _ in range(5):
        mixture = fit(switching(rng, means, 30.0, 6000))
        assert mixture.rates_cps == pytest.approx(np.array(means) / BIN_S, rel=0.04)
        assert (np.diff(mixture.thresholds_cps) > 0).all()


@pytest.mark.slow
def test_how_many_over_many_emitters(switching):
    rng = np.random.default_rng(5)
    assert how_many(lambda: rng.poisson(20, 6000), 1000)[1] >= 990
    assert how_many(lambda: switching(rng, [5.0, 50.0], 100.0, 6000), 300)[2] >= 290
    assert how_many(lambda: switching(rng, [5.0, 25.0, 80.0], 100.0, 6000), 300)[3] >= 290


def test_noise_and_drift_of_the_rate_are_not_states():
    rng = np.random.default_rng(6)
    traces = {
        "drift": rng.poisson(800 * np.linspace(1, 0.8, 6000)),
        "wave": rng.poisson(800 * (1 + 0.1 * np.sin(np.linspace(0, 7, 6000)))),
        **{f"noise {s}": rng.poisson(800 * (1 + s * rng.standard_normal(5000)).clip(0)) for s in (0.03, 0.08, 0.2)},
    }
    for name, counts in traces.items():
        mixture = fit(counts)
        assert len(mixture.rates_cps) == 1, name
        assert not mixture.fits, name
        assert mixture.reason.startswith("one state does not explain the trace"), name
        assert mixture.rates_cps[0] == pytest.approx(counts.mean() / BIN_S, rel=0.002), name


def test_a_few_odd_segments_do_not_make_or_move_a_state(switching):
    rng = np.random.default_rng(7)
    counts = switching(rng, [5.0, 50.0], 100.0, 6000)
    plain = fit(counts)
    counts[::400] = 300
    burst = fit(counts)
    assert burst.rates_cps == pytest.approx(plain.rates_cps, rel=0.01)
    assert 1 / 400 <= burst.stray < 0.007  # some of the segments in which it switched are odd, too


def test_states_closer_than_shot_noise_are_refused_with_a_remedy():
    rng = np.random.default_rng(8)
    mixture = fit(np.concatenate([rng.poisson(1.0, 3000), rng.poisson(4.0, 3000)]))
    assert len(mixture.rates_cps) == 1
    assert "longer bins" in mixture.reason


# -- what it says ------------------------------------------------------------------------------------------------------


def test_rates_weights_and_thresholds_of_two_states(switching):
    rng = np.random.default_rng(9)
    counts = np.concatenate([switching(rng, [5.0], 1e9, 2000), switching(rng, [50.0], 1e9, 6000)])
    mixture = fit(counts)
    assert mixture.rates_cps == pytest.approx([500, 5000], rel=0.02)
    assert mixture.weights == pytest.approx([0.25, 0.75], abs=0.005)
    n = mixture.thresholds_cps[0] * BIN_S
    low, high = mixture.rates_cps * BIN_S

    def log_density(mean, weight):
        return np.log(weight) + n * np.log(mean) - mean

    assert log_density(low, 0.25) == pytest.approx(log_density(high, 0.75), abs=0.02)


def test_expected_segments_are_the_poisson_ones():
    rng = np.random.default_rng(10)
    counts = rng.poisson(30, 5000)
    mixture = fit(counts)
    cdf = poisson.cdf(EDGES[1:] - 1, mixture.rates_cps[0] * BIN_S)
    np.testing.assert_allclose(mixture.expected, 5000 * np.diff(cdf, prepend=0), atol=0.3)
    assert mixture.expected.sum() == pytest.approx(5000)


def test_the_p_value_is_uniform_when_the_mixture_is_true(switching):
    rng = np.random.default_rng(11)
    values = np.array([fit(switching(rng, [5.0, 50.0], 50.0, 3000)).p_value for _ in range(200)])
    assert np.mean(values < 0.1) == pytest.approx(0.1, abs=0.06)
    assert np.mean(values < 0.5) == pytest.approx(0.5, abs=0.1)


def test_goodness_against_plain_sums():
    observed, expected = np.array([8, 3, 1, 30, 2, 1]), np.array([6.0, 2.0, 4.0, 25.0, 3.0, 5.0])
    # cells: {6}, {2, 4}, {25}, {3, 5}
    o, e = np.array([8, 4, 30, 3]), np.array([6, 6, 25, 8])
    p_value, misfit = goodness(observed, expected, 1)
    assert p_value == pytest.approx(np.exp(-((o - e) ** 2 / e).sum() / 2))  # two degrees of freedom
    chance = np.sqrt(2 / np.pi * e * (1 - e / 45)).sum()
    assert misfit == pytest.approx(max(0, (np.abs(o - e).sum() - chance) / 90))
    assert goodness(observed, expected, 3)[0] is None


def test_the_same_input_gives_the_same_output(switching):
    table = levels(switching(np.random.default_rng(12), [5.0, 20.0, 50.0], 30.0, 3000))
    before = table.copy()
    first, second = fit_mixture(table, EDGES, BIN_S), fit_mixture(table, EDGES, BIN_S)
    np.testing.assert_array_equal(first.rates_cps, second.rates_cps)
    np.testing.assert_array_equal(table, before)


# -- asked for, and degenerate -----------------------------------------------------------------------------------------


def test_a_number_asked_for_is_given_with_the_objection():
    rng = np.random.default_rng(13)
    mixture = fit(rng.poisson(20, 3000), n_states=2)
    assert len(mixture.rates_cps) == 2
    assert "differ by less than the shot noise" in mixture.reason


def test_one_state_asked_of_a_blinking_emitter_is_the_mean_and_does_not_fit(switching):
    counts = switching(np.random.default_rng(14), [5.0, 50.0], 50.0, 3000)
    mixture = fit(counts, n_states=1)
    assert mixture.rates_cps == pytest.approx([counts.mean() / BIN_S], rel=0.01)
    assert not mixture.fits


@pytest.mark.parametrize(
    ("counts", "rates", "reason"),
    [
        ([], [], "no segment yet"),
        ([30], [3000], "cannot tell"),
        ([0] * 500, [0], None),
        ([7] * 500, [700], "does not explain"),  # steadier than light can be
        ([10**9] * 50, None, None),  # all in the open last level
    ],
)
def test_degenerate_traces(counts, rates, reason):
    mixture = fit(np.array(counts, np.int64))
    assert len(mixture.thresholds_cps) == 0
    if rates is not None:
        assert mixture.rates_cps == pytest.approx(rates, abs=1, rel=0.1)
    assert (mixture.reason is None) if reason is None else (reason in mixture.reason)


def test_more_states_than_levels_are_not_made_up():
    mixture = fit(np.zeros(500, np.int64), n_states=3)
    assert len(mixture.rates_cps) == 1
    assert "only 1 of the levels" in mixture.reason


def test_fewer_segments_than_the_least_are_one_state():
    counts = np.array([1, 60] * (LEAST_SEGMENTS // 2 - 1))
    assert len(fit(counts).rates_cps) == 1


def test_no_states_is_refused():
    with pytest.raises(InputError, match="at least 1, got 0"):
        fit(np.arange(50), n_states=0)


def test_totally_dark_state():
    rng = np.random.default_rng(15)
    mixture = fit(np.concatenate([np.zeros(1000, np.int64), rng.poisson(20, 1000)]))
    assert mixture.rates_cps == pytest.approx([0, 2000], abs=40)
    assert 0 < mixture.thresholds_cps[0] < 2000


# -- names and ranges --------------------------------------------------------------------------------------------------


def test_names():
    assert [names(n) for n in (1, 2, 3)] == [("steady",), ("dark", "bright"), ("dark", "grey", "bright")]
    assert names(4) == ("dark", "grey 1", "grey 2", "bright")
    assert names(6)[0] == "state 1"
    assert len(names(6)) == 6


def test_ranges_from_thresholds():
    states = states_from_thresholds([1000.0, 4000.0])
    assert [(s.name, s.low_cps, s.high_cps) for s in states] == [
        ("dark", 0, 1000),
        ("grey", 1000, 4000),
        ("bright", 4000, None),
    ]
    assert states_from_thresholds([])[0].name == "steady"


def test_rates_and_shares_of_ranges_follow_the_rows_of_the_level_scale():
    rng = np.random.default_rng(16)
    scale = LevelScale(ticks=10_000, tick_s=1e-6)
    counts = np.concatenate([rng.poisson(700, 500), rng.poisson(2000, 1500)])
    table = np.bincount(np.searchsorted(scale.edges, counts, side="right") - 1, minlength=scale.n)
    threshold = 71_234.0
    dark, bright = states_from_thresholds([threshold], table, scale.edges, scale.seconds)
    assert dark.weight == table[: scale.level_of_rate(threshold)].sum() / 2000
    assert bright.weight == pytest.approx(1 - dark.weight)
    above = counts[counts >= scale.edges[scale.level_of_rate(threshold)]]
    assert bright.rate_cps * scale.seconds == pytest.approx(above.mean(), rel=0.002)


def test_an_empty_range_has_no_rate():
    table = levels(np.full(100, 3))
    dark, bright = states_from_thresholds([1000.0], table, EDGES, BIN_S)
    assert (dark.weight, bright.weight) == (1.0, 0.0)
    assert bright.rate_cps is None


@pytest.mark.parametrize("bad", [[0.0], [-1.0], [5.0, 5.0], [5.0, 4.0], [float("nan")], [float("inf")]])
def test_thresholds_that_are_none(bad):
    with pytest.raises(InputError, match="thresholds_cps: must be above 0 and ascending"):
        states_from_thresholds(bad)


# -- real recordings ---------------------------------------------------------------------------------------------------


def recorded(name):
    """Counts per whole 10 ms of a T3 recording."""
    source = open_source(str(SHARED / "ptu" / name))
    times = np.concatenate([chunk.time for chunk in source.chunks()])
    return np.bincount((times * (source.info.tick_s / BIN_S)).astype(np.int64))[:-1]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
def test_a_real_blinking_emitter_has_dark_and_bright():
    mixture = fit(recorded("hh1_t3_hbt_2p5MHz_blinking.ptu"))
    assert len(mixture.rates_cps) == 2
    assert mixture.rates_cps == pytest.approx([370, 4780], rel=0.05)
    assert mixture.switching > 0.5  # it blinks faster than 10 ms as well
    assert not mixture.fits


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
def test_a_real_emitter_whose_rate_only_fluctuates_is_one_state_that_does_not_fit():
    mixture = fit(recorded("hh2_t3_hbt_80MHz.ptu"))
    assert mixture.rates_cps == pytest.approx([79_300], rel=0.005)
    assert not mixture.fits
    assert "wanders" in mixture.reason
