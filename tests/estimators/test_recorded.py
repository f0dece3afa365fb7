"""Recorded: a card whose nanotimes end before the period is noticed, and the decay is right without what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.excitation import locate_excitation
from streamer.estimators.lifetime import mean_lifetime, state_lifetime
from streamer.estimators.recorded import bridged, unrecorded

BIN_NS, BINS = 0.1, 3000


def decay(rng, *, bins=3000, tau=200.0, signal=50_000, background=3000, until=1.0, t0=100, moved=0):
    """A decay of one detector: `until` is the share of the period that the card records."""
    nanotime = np.concatenate([t0 + rng.exponential(tau, signal), rng.uniform(0, bins, background)]) % bins
    nanotime = nanotime[nanotime < until * bins]
    return np.bincount((nanotime.astype(int) + moved) % bins, minlength=bins)


@pytest.mark.parametrize("moved", [0, 700, 2000])
@pytest.mark.parametrize(("tau", "background", "until"), [(200, 3000, 0.52), (200, 600, 0.6), (40, 50_000, 0.96)])
def test_a_decay_that_is_cut_is_found(tau, background, until, moved):
    for seed in range(5):
        counts = decay(np.random.default_rng(seed), tau=tau, background=background, until=until, moved=moved)
        hidden = unrecorded(counts)
        assert hidden.mean() == pytest.approx(1 - until, abs=0.05)
        assert not counts[hidden].any()


@pytest.mark.parametrize("tau", [0.2, 1.0, 5.0, 50.0, 400.0])
@pytest.mark.parametrize("background", [0, 5, 100, 5000])
@pytest.mark.parametrize("signal", [0, 60, 3000, 100_000])
def test_a_whole_decay_is_not_taken_for_cut(tau, background, signal):
    for seed in range(20):
        counts = decay(np.random.default_rng(seed), tau=tau, background=background, signal=signal)
        assert not unrecorded(counts).any()


def test_a_sharp_response_is_not_taken_for_cut():
    rng = np.random.default_rng(1)
    for sigma in (0.1, 0.3, 0.5, 1.0, 3.0, 20.0):
        for place in rng.uniform(500, 501, 50):
            counts = np.bincount(rng.normal(place, sigma, 5000).astype(int), minlength=3000)
            assert not unrecorded(counts).any()
    assert not unrecorded(np.zeros(100, np.int64)).any()


def test_the_bridge_goes_on_at_the_level_before():
    counts = np.array([9, 2, 3, 2, 3, 0, 0, 0, 0, 50, 30, 20])
    hidden = np.zeros(12, bool)
    hidden[5:9] = True
    assert bridged(counts, hidden)[5:9].sum() == 10  # four bins at the mean of the two before, 2.5
    turned = bridged(np.roll(counts, 5), np.roll(hidden, 5))
    assert np.array_equal(turned, np.roll(bridged(counts, hidden), 5))
    assert bridged(counts, np.zeros(12, bool)) is counts


@pytest.mark.parametrize("moved", [0, 700, 2000])
@pytest.mark.parametrize(
    ("tau", "signal", "background", "until"),
    [(200, 50_000, 30_000, 0.52), (200, 50_000, 3000, 0.96), (200, 3000, 3000, 0.52), (400, 20_000, 2000, 0.7)],
)
def test_a_lifetime_is_right_where_the_card_records_a_part_of_the_period(tau, signal, background, until, moved):
    """Over 25 decays the errors hold the truth; taking the rest for darkness is off by many of them."""
    scores, naive, places = [], [], []
    t0 = (100 + moved) % BINS * BIN_NS
    for seed in range(25):
        counts = decay(
            np.random.default_rng(seed), tau=tau, signal=signal, background=background, until=until, moved=moved
        )
        hidden = unrecorded(counts)
        place = locate_excitation(bridged(counts, hidden), BIN_NS, BINS * BIN_NS)
        places.append(abs(place.t0_ns - t0))
        found = state_lifetime(counts[None], BIN_NS, BINS * BIN_NS, [t0], hidden=hidden[None])
        scores.append((found.value_ns - tau * BIN_NS) / found.error_ns)
        dark = mean_lifetime(counts, BIN_NS, BINS * BIN_NS, t0)
        naive.append(99.0 if dark.value_ns is None else (dark.value_ns - tau * BIN_NS) / dark.error_ns)
    assert abs(np.mean(scores)) < 0.6
    assert np.std(scores) == pytest.approx(1, abs=0.35)
    assert np.mean(naive) > 1.0
    assert max(places) < 0.5


def test_nothing_hidden_is_nothing_changed():
    counts = decay(np.random.default_rng(1))
    none = np.zeros(BINS, bool)
    plain = mean_lifetime(counts, BIN_NS, 300.0, 10.0)
    assert state_lifetime(counts[None], BIN_NS, 300.0, [10.0], hidden=none[None]) == plain
