"""Extended pulsed light against a naive emitter, every exciton and photon drawn, and against its expected values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sources.simulate import SimulateSource, open_source
from sources.simulation import cascade, pulsed
from sources.simulation.parts import State
from sources.simulation.presets import PRESETS
from sources.simulation.settings import COHERENT, DOT, THERMAL, Settings

DOT_OF_FOUR = State(0.8, 20.0, 0.6, 5.0, eta_mx=(0.4, 0.3), tau_mx_ns=(2.0, 2.0))
FILTERS = ((0.1, 1.0, 0.7), (1.0, 0.05, 0.3), (1.0, 1.0, 1.0))
STRONG = Settings(
    states=(DOT_OF_FOUR,), rate_hz=1e6, nbar=1.5, eta_c=0.8, split=(0.4, 0.3, 0.3), filters=FILTERS, duration_s=1.0,
    t0_ns=5.0, dark_cps=(0.0,) * 3, dead_ns=(0.0,) * 3, jitter_ps=(0.0,) * 3, delay_ns=(0.0,) * 3, seed=5,
)  # fmt: skip
TWO = {"split": 0.5, "filters": (), "dark_cps": (0.0, 0.0), "dead_ns": (0.0, 0.0), "jitter_ps": (0.0, 0.0)} | {
    "delay_ns": (0.0, 0.0)
}
MANY = replace(DOT_OF_FOUR, eta_mx=(0.07,), tau_mx_ns=(0.5,))


def naive(settings: Settings, pulses: int, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    """Delay in ns, pulse of origin and detector of every photon seen, with nothing conditioned or skipped."""
    rng = np.random.default_rng(seed)
    (state,) = settings.states
    orders = settings.highest_order
    if settings.model == DOT:
        number = np.minimum(rng.poisson(settings.nbar, pulses), orders)
        at, delays, origins, bands = np.zeros(pulses), [], [], []
        for order in range(orders, 0, -1):
            having = number >= order
            at[having] += rng.exponential(state.lifetimes_ns(orders)[order - 1], having.sum())
            emits = having & (rng.random(pulses) < state.yields(orders)[order - 1])
            delays.append(at[emits].copy())
            origins.append(np.flatnonzero(emits))
            bands.append(np.full(emits.sum(), min(order, 3) - 1))
        delay, origin, band = (np.concatenate(part) for part in (delays, origins, bands))
    else:
        mean = settings.nbar
        if settings.model == THERMAL:
            mean = rng.gamma(settings.modes, settings.nbar / settings.modes, pulses)  # the intensity of a pulse
        origin = np.repeat(np.arange(pulses), rng.poisson(mean, pulses))
        origin = origin[rng.random(len(origin)) < state.eta_x]
        delay, band = rng.exponential(state.tau_x_ns, len(origin)), np.zeros(len(origin), np.int64)
    seen = rng.random(len(origin)) < settings.eta_c
    delay, origin, band = delay[seen], origin[seen], band[seen]
    detector = rng.choice(settings.detectors, len(origin), p=settings.shares)
    if settings.filters:
        passed = rng.random(len(origin)) < np.array(settings.filters)[detector, band]
        delay, origin, detector = delay[passed], origin[passed], detector[passed]
    return delay, origin, detector


def run(settings: Settings) -> tuple[NDArray, NDArray, NDArray]:
    """Whole stream as three arrays."""
    chunks = list(SimulateSource(settings).chunks())
    return tuple(np.concatenate([getattr(chunk, key) for chunk in chunks]) for key in ("time", "nanotime", "channel"))


def pairs_of_a_pulse(pulse: NDArray, channel: NDArray, pulses: int, a: int, b: int) -> NDArray:
    """Pairs (a, b) of the same pulse, per pulse; a photon is no pair with itself."""
    first, second = (np.bincount(pulse[channel == at], minlength=pulses) for at in (a, b))
    return first * second if a != b else first * (first - 1)


def close(a: NDArray, b: NDArray) -> bool:
    """Two samples of per-pulse numbers have one mean, within 4 standard errors."""
    return abs(a.mean() - b.mean()) <= 4 * np.sqrt(a.var() / len(a) + b.var() / len(b))


def same_law(a: NDArray, b: NDArray) -> float:
    """p of the chi-square test that two histograms have one law, sparse bins pooled."""
    if not a.any() and not b.any():
        return 1.0
    table = np.array([a, b], np.int64)
    sparse = table.sum(0) < 20
    table = np.column_stack([table[:, ~sparse], table[:, sparse].sum(1)])
    return float(stats.chi2_contingency(table[:, table.sum(0) > 0])[1])


CASES = {
    "cascade of four in bands": STRONG,
    "cascade of two": replace(STRONG, states=(State(0.8, 20.0, 0.3, 4.0),), filters=(), nbar=0.3),
    "up to 50": replace(STRONG, states=(MANY,), nbar=6.0, orders=50),
    "thermal": replace(STRONG, model=THERMAL, nbar=0.8, filters=()),
    "superradiant": replace(STRONG, model=THERMAL, modes=0.4, nbar=0.5, filters=()),
    "coherent": replace(STRONG, model=COHERENT, filters=((1.0,), (0.5,), (0.0,))),
}


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_kernel_against_naive_emitter(settings: Settings) -> None:
    pulses = 1_000_000
    time, nanotime, channel = run(settings)
    delay, origin, naive_channel = naive(settings, pulses, 11)
    instant = origin * 1000.0 + 5.0 + delay
    naive_pulse = (instant // 1000).astype(np.int64)
    naive_nano = ((instant - naive_pulse * 1000.0) / 0.064).astype(np.int64)
    kept = naive_pulse < pulses
    naive_pulse, naive_nano, naive_channel = naive_pulse[kept], naive_nano[kept], naive_channel[kept]
    for a in range(3):
        mine, other = nanotime[channel == a], naive_nano[naive_channel == a]
        bins = np.arange(0, 15626, 8)
        assert same_law(np.histogram(mine, bins)[0], np.histogram(other, bins)[0]) > 1e-3
        for b in range(3):
            assert close(
                pairs_of_a_pulse(time, channel, pulses, a, b),
                pairs_of_a_pulse(naive_pulse, naive_channel, pulses, a, b),
            )
    per_pulse = [np.bincount(np.bincount(pulse, minlength=pulses), minlength=60) for pulse in (time, naive_pulse)]
    assert same_law(per_pulse[0][:60], per_pulse[1][:60]) > 1e-3


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES)
def test_expected_values_against_naive_emitter(settings: Settings) -> None:
    pulses = 1_000_000
    (state,) = settings.states
    delay, origin, channel = naive(settings, pulses, 3)
    for gate in (0.0, 3.0):
        late = delay > gate
        mean, pairs = cascade.counts(settings, state, gate), cascade.pairs(settings, state, gate)
        for a in range(3):
            number = np.bincount(origin[late & (channel == a)], minlength=pulses)
            assert abs(number.mean() - mean[a]) <= 4 * number.std() / np.sqrt(pulses)
            for b in range(3):
                both = pairs_of_a_pulse(origin[late], channel[late], pulses, a, b)
                assert abs(both.mean() - pairs[a, b]) <= 4 * both.std() / np.sqrt(pulses)
    for a, expected in enumerate(cascade.mean_delays_ns(settings, state)):
        mine = delay[channel == a]
        assert len(mine) == 0 or abs(mine.mean() - expected) < 4.5 * mine.std() / np.sqrt(len(mine))


def test_the_biexciton_comes_first_in_its_band() -> None:
    """Mean of (X - BX) over the pairs of one pulse: the exciton's lifetime where the bands are pure."""
    pure = replace(STRONG, filters=((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    assert cascade.mean_difference_ns(pure, DOT_OF_FOUR, 0, 1) == pytest.approx(20.0)
    assert cascade.mean_difference_ns(pure, DOT_OF_FOUR, 1, 0) == pytest.approx(-20.0)
    expected = cascade.mean_difference_ns(STRONG, DOT_OF_FOUR, 0, 1)
    assert expected is not None
    time, nanotime, channel = run(STRONG)
    found = []
    counts = [np.bincount(time[channel == at], minlength=1_000_000) for at in (0, 1)]
    single = (counts[0] == 1) & (counts[1] >= 1)
    sums = [np.bincount(time[channel == at], nanotime[channel == at] * 0.064, 1_000_000) for at in (0, 1)]
    found = (sums[1] - counts[1] * sums[0])[single]
    weight = counts[1][single]
    # pulses with two photons in detector 0 are rare, for it sees the exciton hardly
    both = counts[0] * counts[1]
    assert single.sum() / np.count_nonzero(both) > 0.75
    other = (counts[0] > 1) & (counts[1] >= 1)
    total = found.sum() + (counts[0] * sums[1] - counts[1] * sums[0])[other].sum()
    per_pair = found / weight
    mean = total / both.sum()
    assert abs(mean - expected) < 4 * per_pair.std() / np.sqrt(len(per_pair))


@pytest.mark.parametrize("model", [DOT, COHERENT])
def test_two_orders_and_two_detectors_are_the_plain_model(model: str) -> None:
    state = State(0.7, 18.0, 0.3, 4.0)
    plain = Settings(model=model, states=(state,), nbar=0.4, split=0.3, eta_c=0.2, dark_cps=(2000.0, 700.0))
    assert not plain.extended
    assert cascade.counts(plain, state).sum() == pytest.approx(pulsed.emitted(plain, state)[0] * 0.2)
    assert cascade.g2_zero(plain, state, 0, 1) == pytest.approx(pulsed.g2_zero(plain, state))
    assert cascade.g2_zero(plain, state, 0, 1, 2.5) == pytest.approx(pulsed.g2_zero_gated(plain, state, 2.5))
    assert cascade.g2_zero_with_background(plain, state, 0, 1) == pytest.approx(
        pulsed.g2_zero_with_background(plain, state)
    )
    assert cascade.g2_zero_observed(plain, state, 0, 1) == pytest.approx(
        pulsed.g2_zero_observed(plain, state), rel=1e-4
    )
    assert cascade.mean_delays_ns(plain, state) == pytest.approx(pulsed.mean_delay_ns(plain, state))


def test_overlapping_peaks_have_the_observed_g2() -> None:
    slow = replace(STRONG, rate_hz=10e6, nbar=0.6, eta_c=0.5, duration_s=0.5)
    time, nanotime, channel = run(slow)
    instant = time * 100.0 + nanotime * 0.064
    a, b = instant[channel == 0], instant[channel == 1]
    peaks = np.zeros(21, np.int64)
    low = np.searchsorted(b, a - 1050.0)
    for ahead in range(60):
        with_one = low + ahead < len(b)
        peaks += np.histogram((b[low[with_one] + ahead] - a[with_one]) / 100.0, np.arange(-10.5, 11))[0]
    expected = cascade.g2_zero_observed(slow, DOT_OF_FOUR, 0, 1)
    plain = cascade.g2_zero(slow, DOT_OF_FOUR, 0, 1)
    assert expected is not None
    assert plain is not None
    assert abs(expected - plain) > 0.02
    side = np.delete(peaks, 10).mean()
    assert abs(peaks[10] - expected * side) < 4 * np.sqrt(2 * peaks[10] + expected**2 * side / 10)


def test_zhu_monte_carlo() -> None:
    """Paper C: <N> = 0.1 with all yields 1: g2(0) = 1; <N> = 1: weak antibunching; without multi-excitons: strong."""
    cold = PRESETS["perovskite"]
    (state,) = cold.states
    assert cascade.g2_zero(cold, state, 0, 1) == pytest.approx(1.0, abs=1e-3)
    strong = cascade.g2_zero(replace(cold, nbar=1.0), state, 0, 1)
    assert strong is not None
    assert 0.9 < strong < 0.99
    single = replace(state, eta_bx=0.0, eta_mx=(0.0, 0.0))
    assert cascade.g2_zero(replace(cold, nbar=1.0), single, 0, 1) == 0.0


def test_dhawan_gates_and_rates() -> None:
    """Paper A: a gate of 2.5 ns takes g2(0) from 0.8 to 0.3, at high power from 1.0 to 0.6; and phi_1 + phi_2."""
    for where, plain, gated in (("dhawan-gate", 0.8, 0.3), ("dhawan-high", 1.0, 0.6)):
        settings = PRESETS[where]
        (state,) = settings.states
        assert cascade.g2_zero(settings, state, 0, 1) == pytest.approx(plain, abs=0.03)
        assert cascade.g2_zero(settings, state, 0, 1, 2.5) == pytest.approx(gated, abs=0.02)
    p = stats.poisson(settings.nbar).pmf(np.arange(51))
    phi_1 = state.eta_x * p[1] + (state.eta_x + state.eta_bx) * p[2:].sum()
    phi_2 = sum(p[m] * (m - 2) * 0.07 for m in range(3, 51))
    assert cascade.counts(settings, state).sum() / settings.eta_c == pytest.approx(phi_1 + phi_2, rel=1e-6)


def test_marder_pulsed_gate() -> None:
    """Paper B: g2(0) = 0.85, below 0.5 gated at 15 ns."""
    settings = PRESETS["shells"]
    assert cascade.g2_zero(settings, settings.states[0], 0, 1) == pytest.approx(0.85, abs=0.02)
    gated = cascade.g2_zero(settings, settings.states[0], 0, 1, 15.0)
    assert gated is not None
    assert gated < 0.5


def test_thermal_light_is_bunched_by_its_modes() -> None:
    for modes, expected in ((1.0, 2.0), (0.5, 3.0), (4.0, 1.25)):
        source = open_source("thermal", {"modes": str(modes), "duration": "2", "nbar": "0.5", "eta_c": "0.5"})
        assert source.info.truth["states"][0]["g2_0"] == pytest.approx(expected)
        assert source.info.truth["modes"] == modes


@pytest.mark.slow
def test_thirty_emitters_agree_with_the_expected_g2() -> None:
    """Pulls of independent runs have mean 0 and standard deviation 1, for each pair of detectors."""
    expected = cascade.pairs(STRONG, DOT_OF_FOUR)
    pulls = []
    for seed in range(30):
        time, _, channel = run(replace(STRONG, seed=seed, duration_s=0.5))
        for a, b in ((0, 1), (0, 2), (1, 2)):
            both = pairs_of_a_pulse(time, channel, 500_000, a, b)
            pulls.append((both.mean() - expected[a, b]) / (both.std() / np.sqrt(500_000)))
    assert abs(np.mean(pulls)) < 4 / np.sqrt(90)
    assert 0.7 < np.std(pulls) < 1.3
