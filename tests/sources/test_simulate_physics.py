"""The simulated emitter against a naive one: one pulse after another, every excitation, photon and loss drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sources.simulate import SimulateSource, state_sequence
from sources.simulation.parts import POWER_LAW, Dwell, State
from sources.simulation.pulsed import (
    all_g2_zero,
    emitted,
    g2_zero,
    g2_zero_gated,
    g2_zero_observed,
    g2_zero_with_background,
    late_share,
    mean_delay_ns,
)
from sources.simulation.rates import rate_cps
from sources.simulation.settings import COHERENT, Settings
from sources.simulation.truth import state_names, truth

Photons = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.uint8]]  # delay ns, pulse of origin, channel

QUIET = {"dark_cps": (0.0, 0.0), "dead_ns": (0.0, 0.0), "jitter_ps": (0.0, 0.0)}
BRIGHT = State(eta_x=0.8, tau_x_ns=20.0, eta_bx=0.3, tau_bx_ns=4.0)
STRONG = Settings(
    states=(BRIGHT,), rate_hz=1e6, nbar=0.8, eta_c=0.6, split=0.4, duration_s=1.0, t0_ns=5.0, **QUIET, seed=5
)


def naive(settings: Settings, pulses: int, seed: int) -> Photons:
    """Detected signal photons of a one-state emitter, drawn pulse by pulse with nothing conditioned or skipped."""
    rng = np.random.default_rng(seed)
    (state,) = settings.states
    delays, origins = [], []
    if settings.model == COHERENT:
        number = rng.poisson(settings.nbar, pulses)
        origin = np.repeat(np.arange(pulses), number)
        keep = rng.random(len(origin)) < state.eta_x
        origins.append(origin[keep])
        delays.append(rng.exponential(state.tau_x_ns, keep.sum()))
    else:
        number = np.minimum(rng.poisson(settings.nbar, pulses), 2)
        biexciton = np.where(number == 2, rng.exponential(state.tau_bx_ns, pulses), 0.0)
        from_bx = (number == 2) & (rng.random(pulses) < state.eta_bx)
        from_x = (number >= 1) & (rng.random(pulses) < state.eta_x)
        exciton = biexciton + rng.exponential(state.tau_x_ns, pulses)
        for emits, delay in ((from_bx, biexciton), (from_x, exciton)):
            origins.append(np.flatnonzero(emits))
            delays.append(delay[emits])
    origin, delay = np.concatenate(origins), np.concatenate(delays)
    seen = rng.random(len(origin)) < settings.eta_c
    origin, delay = origin[seen], delay[seen]
    return delay, origin, (rng.random(len(origin)) >= settings.split).astype(np.uint8)


def run(settings: Settings) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint8]]:
    """Whole stream as three arrays."""
    chunks = list(SimulateSource(settings).chunks())
    return (
        np.concatenate([chunk.time for chunk in chunks]),
        np.concatenate([chunk.nanotime for chunk in chunks]),
        np.concatenate([chunk.channel for chunk in chunks]),
    )


def same_law(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """p of the chi-square test that two histograms have one law, sparse bins pooled."""
    table = np.array([a, b], np.int64)
    sparse = table.sum(0) < 20
    table = np.column_stack([table[:, ~sparse], table[:, sparse].sum(1)])
    return float(stats.chi2_contingency(table[:, table.sum(0) > 0])[1])


def pulse_pairs(pulse: NDArray[np.int64], channel: NDArray[np.uint8], pulses: int, lag: int) -> int:
    """Pairs of channel 0 with a channel 1 photon `lag` pulses later."""
    counts = [np.bincount(pulse[channel == at], minlength=pulses) for at in (0, 1)]
    return int((counts[0][: pulses - lag] * counts[1][lag:]).sum()) if lag >= 0 else 0


@pytest.mark.parametrize(
    "settings",
    [
        STRONG,
        replace(STRONG, nbar=0.1, eta_c=1.0, split=0.5),
        replace(STRONG, model=COHERENT, nbar=1.5, eta_c=0.7),
        replace(STRONG, states=(replace(BRIGHT, eta_x=0.2, eta_bx=0.9),), nbar=3.0),
        replace(STRONG, states=(replace(BRIGHT, tau_x_ns=400.0, tau_bx_ns=600.0),)),  # many wrap into later pulses
    ],
    ids=["strong pump", "all detected", "coherent", "biexciton wins", "slow"],
)
def test_kernel_against_naive_emitter(settings: Settings) -> None:
    pulses = 1_000_000
    time, nanotime, channel = run(settings)
    delay, origin, naive_channel = naive(settings, pulses, 11)
    instant = origin * 1000.0 + settings.t0_ns + delay
    naive_pulse = (instant // 1000.0).astype(np.int64)
    naive_nano = ((instant - naive_pulse * 1000.0) / 0.064).astype(np.int64)
    kept = naive_pulse < pulses
    naive_pulse, naive_nano, naive_channel = naive_pulse[kept], naive_nano[kept], naive_channel[kept]
    for at in (0, 1):
        mine, other = nanotime[channel == at], naive_nano[naive_channel == at]
        # photons come in pulses of several, so their number varies by a little more than Poisson
        assert abs(len(mine) - len(other)) < 4 * np.sqrt(1.5 * (len(mine) + len(other)))
        bins = np.arange(0, 15626 + 64, 64)
        assert same_law(np.histogram(mine, bins)[0], np.histogram(other, bins)[0]) > 1e-3
    for lag in (0, 1, 2):
        mine_pairs = pulse_pairs(time, channel, pulses, lag)
        naive_pairs = pulse_pairs(naive_pulse, naive_channel, pulses, lag)
        assert abs(mine_pairs - naive_pairs) < 4 * np.sqrt(3 * (mine_pairs + naive_pairs))
    per_pulse = [np.bincount(np.bincount(pulse, minlength=pulses), minlength=12) for pulse in (time, naive_pulse)]
    assert same_law(per_pulse[0][:12], per_pulse[1][:12]) > 1e-3


@pytest.mark.parametrize("model", ["dot", COHERENT])
def test_expected_values_against_naive_emitter(model: str) -> None:
    settings = replace(STRONG, model=model, nbar=0.6, eta_c=0.9, split=0.5)
    (state,), pulses = settings.states, 2_000_000
    delay, origin, channel = naive(settings, pulses, 3)
    mean, _ = emitted(settings, state)
    assert len(delay) / pulses == pytest.approx(mean * settings.eta_c, rel=4e-3)
    assert rate_cps(settings, state) == pytest.approx(mean * settings.eta_c * 1e6)
    assert delay.mean() == pytest.approx(mean_delay_ns(settings, state), rel=4e-3)
    for cut in (1.0, 5.0, 40.0):
        assert (delay > cut).mean() == pytest.approx(late_share(settings, state, cut), rel=8e-3)
    counts = [np.bincount(origin[channel == at], minlength=pulses) for at in (0, 1)]
    central, side = int((counts[0] * counts[1]).sum()), counts[0].mean() * counts[1].mean() * pulses
    g2 = g2_zero(settings, state)
    assert g2 is not None
    assert abs(central - g2 * side) < 4 * np.sqrt(central)
    late = delay > 5.0
    counts = [np.bincount(origin[late & (channel == at)], minlength=pulses) for at in (0, 1)]
    central, side = int((counts[0] * counts[1]).sum()), counts[0].mean() * counts[1].mean() * pulses
    gated = g2_zero_gated(settings, state, 5.0)
    assert gated is not None
    assert abs(central - gated * side) < 4 * np.sqrt(central)


def test_g2_of_the_stream_with_dark_counts_is_the_expected_one() -> None:
    settings = replace(STRONG, nbar=0.3, eta_c=0.2, duration_s=4.0, dark_cps=(20000.0, 4000.0), split=0.3)
    time, _, channel = run(settings)
    pulses = 4_000_000
    central = pulse_pairs(time, channel, pulses, 0)
    side = sum(pulse_pairs(time, channel, pulses, lag) for lag in range(2, 22)) / 20
    expected = g2_zero_with_background(settings, BRIGHT)
    assert expected is not None
    assert abs(central - expected * side) < 4 * np.sqrt(central + expected**2 * side / 20)
    assert len(time) / 4 == pytest.approx(rate_cps(settings, BRIGHT), rel=6e-3)


@pytest.mark.parametrize("model", ["dot", COHERENT])
def test_g2_with_overlapping_peaks_is_the_observed_one(model: str) -> None:
    """At half a period of 2.5 lifetimes, pairs sorted to the nearest lag give g2_0_observed and not g2_0."""
    slow = replace(STRONG, model=model, rate_hz=10e6, nbar=0.3, eta_c=0.5, delay_ns=(0.0, 23.9), dark_cps=(1e5, 1e5))
    time, nanotime, channel = run(replace(slow, duration_s=0.6))
    instant = time * 100.0 + nanotime * 0.064 - 23.9 * (channel == 1)
    a, b = np.sort(instant[channel == 0]), np.sort(instant[channel == 1])
    low = np.searchsorted(b, a - 1050.0)
    peaks = np.zeros(21, np.int64)
    for start in range(80):  # the start-th photon of b inside the window of each photon of a
        with_one = low + start < len(b)
        lag = (b[low[with_one] + start] - a[with_one]) / 100.0
        peaks += np.histogram(lag, np.arange(-10.5, 11))[0]
    (state,) = slow.states
    expected, plain = g2_zero_observed(slow, state), g2_zero_with_background(slow, state)
    assert expected is not None
    assert plain is not None
    side = np.delete(peaks, 10).mean()
    sigma = np.sqrt(2 * peaks[10] + expected**2 * side / 10)  # pairs of one pulse come together
    assert abs(peaks[10] - expected * side) < 4 * sigma
    if model == "dot":
        assert expected > plain + 0.02


def test_blinking_emitter_has_the_rates_of_its_states() -> None:
    states = (
        State(0.1, 5.0, 0.05, 1.0, Dwell(mean_s=0.02)),
        State(0.4, 10.0, 0.1, 2.0, Dwell(POWER_LAW, exponent=1.4, min_s=0.003, max_s=0.3)),
        State(0.9, 20.0, 0.1, 4.0, Dwell(mean_s=0.03)),
    )
    settings = replace(STRONG, states=states, nbar=0.2, eta_c=0.3, duration_s=5.0, dark_cps=(200.0, 300.0))
    time, nanotime, channel = run(settings)
    dwells = np.array(list(state_sequence(settings, 5_000_000)))
    assert dwells[0, 1] == 0
    assert dwells[-1, 2] == 5_000_000
    np.testing.assert_array_equal(dwells[1:, 1], dwells[:-1, 2])
    state_of = dwells[np.searchsorted(dwells[:, 2], time, side="right"), 0]
    pairs = sides = 0.0
    for at, state in enumerate(states):
        mine = state_of == at
        spent = (dwells[:, 2] - dwells[:, 1])[dwells[:, 0] == at].sum() * 1e-6
        expected = rate_cps(settings, state) * spent
        assert abs(mine.sum() - expected) < 4 * np.sqrt(1.2 * expected)
        signal = nanotime[mine] * 0.064 - 5.0 + 0.032
        late = signal > 0  # dark counts are flat over 1000 ns
        share = 500 / rate_cps(settings, state)
        mean = (1 - share) * mean_delay_ns(settings, state) + share * 0.995 * 995 / 2
        assert signal[late].mean() == pytest.approx(mean, abs=4 * signal[late].std() / np.sqrt(late.sum()) + 0.05)
        counts = [np.bincount(time[mine & (channel == one)], minlength=5_000_000) for one in (0, 1)]
        pairs += (counts[0] * counts[1]).sum()
        sides += counts[0].sum() * counts[1].sum() / (spent * 1e6)
    shares = [float((dwells[:, 2] - dwells[:, 1])[dwells[:, 0] == at].sum() / 5e6) for at in range(3)]
    expected_all = all_g2_zero(settings, shares)
    assert expected_all is not None
    assert abs(pairs - expected_all * sides) < 4 * np.sqrt(pairs)


def test_switching_faster_than_photons_come_keeps_the_rates_of_the_states() -> None:
    """Dwells of some 30 pulses: what was drawn for one state must not reach into the next."""
    dim = replace(BRIGHT, eta_x=0.02, eta_bx=0.0, dwell=Dwell(mean_s=30e-6))
    settings = replace(STRONG, states=(dim, replace(BRIGHT, dwell=Dwell(mean_s=20e-6))), nbar=0.3, eta_c=0.5)
    time, _, _ = run(settings)
    dwells = np.array(list(state_sequence(settings, 1_000_000)))
    state_of = dwells[np.searchsorted(dwells[:, 2], time, side="right"), 0]
    for at, state in enumerate(settings.states):
        expected = rate_cps(settings, state) * (dwells[:, 2] - dwells[:, 1])[dwells[:, 0] == at].sum() * 1e-6
        assert abs((state_of == at).sum() - expected) < 4 * np.sqrt(1.2 * expected)


def test_dwell_laws() -> None:
    exponential = State(dwell=Dwell(mean_s=0.01))
    power = State(dwell=Dwell(POWER_LAW, exponent=1.7, min_s=0.002, max_s=0.5))
    settings = replace(STRONG, states=(exponential, power, power))
    dwells = np.array(list(state_sequence(settings, 300_000_000)))[:-1]
    lengths = (dwells[:, 2] - dwells[:, 1]) * 1e-6
    assert len(dwells) > 5000
    assert stats.kstest(lengths[dwells[:, 0] == 0], stats.expon(scale=0.01).cdf).pvalue > 1e-3

    def power_cdf(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return (t**-0.7 - 0.002**-0.7) / (0.5**-0.7 - 0.002**-0.7)

    found = lengths[dwells[:, 0] == 1]
    assert stats.kstest(found, power_cdf).pvalue > 1e-3
    assert found.mean() == pytest.approx(power.dwell.mean(), abs=4 * found.std() / np.sqrt(len(found)))
    after = dwells[1:, 0][dwells[:-1, 0] == 0]
    assert stats.binomtest(int((after == 1).sum()), len(after), 0.5).pvalue > 1e-3
    flat = replace(power, dwell=Dwell(POWER_LAW, exponent=1.0, min_s=0.002, max_s=0.05))
    dwells = np.array(list(state_sequence(replace(settings, states=(flat, exponential)), 100_000_000)))[:-1]
    lengths = ((dwells[:, 2] - dwells[:, 1]) * 1e-6)[dwells[:, 0] == 0]
    assert stats.kstest(lengths, lambda t: np.log(t / 0.002) / np.log(25)).pvalue > 1e-3
    assert lengths.mean() == pytest.approx(flat.dwell.mean(), rel=0.05)


def test_given_transitions_are_followed() -> None:
    states = tuple(State(dwell=Dwell(mean_s=0.01 * (1 + at))) for at in range(3))
    moves = ((0.0, 0.9, 0.1), (1.0, 0.0, 0.0), (0.5, 0.5, 0.0))
    settings = replace(STRONG, states=states, transition=moves)
    dwells = np.array(list(state_sequence(settings, 200_000_000)))
    before, after = dwells[:-1, 0], dwells[1:, 0]
    for at, row in enumerate(moves):
        counts = np.bincount(after[before == at], minlength=3)
        assert counts[np.array(row) == 0].sum() == 0
        used = np.array(row) > 0
        expected = np.array(row)[used] * counts.sum()
        assert used.sum() == 1 or stats.chisquare(counts[used], expected).pvalue > 1e-3
    told = truth(settings, None)["states"]
    shares = [(dwells[:, 2] - dwells[:, 1])[dwells[:, 0] == at].sum() / 2e8 for at in range(3)]
    np.testing.assert_allclose([state["time_share_expected"] for state in told], shares, atol=0.02)


def test_dark_counts_are_a_flat_poisson_process() -> None:
    dark = replace(STRONG, states=(replace(BRIGHT, eta_x=0.0, eta_bx=0.0),), rate_hz=2.5e6, duration_s=20.0)
    time, nanotime, channel = run(replace(dark, dark_cps=(3000.0, 1000.0)))
    for at, rate in ((0, 3000.0), (1, 1000.0)):
        assert stats.poisson.sf((channel == at).sum() - 1, rate * 20) > 1e-3
        assert stats.poisson.cdf((channel == at).sum(), rate * 20) > 1e-3
        gaps = np.diff(time[channel == at] * 400e-9 + nanotime[channel == at] * 64e-12)
        assert stats.kstest(gaps, stats.expon(scale=1 / rate).cdf).pvalue > 1e-3
    assert stats.kstest((nanotime + 0.5) / 6250, "uniform").pvalue > 1e-3


def test_jitter_is_gaussian_per_detector_and_may_reach_the_pulse_before() -> None:
    sharp = replace(STRONG, states=(State(1.0, 1e-3, 0.0, 1e-3),), nbar=0.2, resolution_ps=32.0)
    time, nanotime, channel = run(replace(sharp, t0_ns=0.0, jitter_ps=(300.0, 1000.0), duration_s=0.3))
    for at, sigma in ((0, 0.3), (1, 1.0)):
        position = (nanotime[channel == at] * 0.032 + 500) % 1000 - 500 + 0.016
        rng = np.random.default_rng(1)  # undoes the 32 ps steps
        position = position + rng.uniform(-0.016, 0.016, len(position))
        assert stats.kstest(position / sigma, "norm").pvalue > 1e-3
    assert np.all(np.diff(time * 31250 + nanotime) >= 0)
    assert time[0] >= 0


def test_names_follow_the_rates() -> None:
    assert state_names([5.0]) == ["steady"]
    assert state_names([5.0, 2.0]) == ["bright", "dark"]
    assert state_names([5.0, 7.0, 2.0]) == ["grey", "bright", "dark"]
    assert state_names([5.0, 7.0, 2.0, 6.0]) == ["grey 1", "bright", "dark", "grey 2"]


def test_weak_pump_tends_to_the_ratio_of_yields() -> None:
    """Paper A: g2(0) of a weakly pumped dot is eta_bx / eta_x."""
    weak = replace(STRONG, nbar=1e-4, states=(replace(BRIGHT, eta_x=1.0, eta_bx=0.21),))
    assert g2_zero(weak, weak.states[0]) == pytest.approx(0.21, rel=1e-3)
    assert g2_zero_observed(weak, weak.states[0]) == pytest.approx(0.21, rel=1e-3)


@pytest.mark.slow
def test_fifty_long_emitters_agree_with_the_expected_rate_and_g2() -> None:
    """Pulls of 50 independent runs have mean 0 and standard deviation 1."""
    settings = replace(STRONG, nbar=0.3, eta_c=0.2, duration_s=2.0, dark_cps=(2000.0, 4000.0))
    expected = g2_zero_with_background(settings, BRIGHT)
    assert expected is not None
    rates, ratios = [], []
    for seed in range(50):
        time, _, channel = run(replace(settings, seed=seed))
        side = sum(pulse_pairs(time, channel, 2_000_000, lag) for lag in range(2, 22)) / 20
        central = pulse_pairs(time, channel, 2_000_000, 0)
        ratios.append((central - expected * side) / np.sqrt(central + expected**2 * side / 20))
        rates.append((len(time) / 2 - rate_cps(settings, BRIGHT)) / np.sqrt(len(time) / 4))
    for pulls in (np.array(rates), np.array(ratios)):
        assert abs(pulls.mean()) < 4 / np.sqrt(50)
        assert 0.65 < pulls.std() < 1.4
