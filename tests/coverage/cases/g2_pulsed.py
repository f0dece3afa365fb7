"""Intervals of g2(0): side peaks, segments, gates, and the window about zero delay of cw light.

Drawn as a blinking emitter counts: photons per segment, then the pairs per lag, which for given photons are Poisson
about Na*Nb/n*(1 - |k|/n), at lag 0 times g2(0).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from streamer.estimators.g2 import cw_g2, cw_zero, expected_pairs, gated_g2, pulsed_g2
from tests.coverage.case import Case, Trial

LAGS = np.arange(-10, 11)
PULSES = 25_000  # of a 10 ms segment at 2.5 MHz
SHORT = 50  # pulses of a segment in which the fall-off over ten lags is a fifth
PURITY = (0.0, 0.03, 0.1, 0.3, 0.5, 0.9, 1.0, 2.0)
SIDE_PAIRS = (30, 100, 400, 2000, 10_000)


def blinking(rng: np.random.Generator, side_pairs: float, pulses: int) -> tuple[float, float]:
    """(s1, s2) of the rows of one state, or of a blinking emitter: sums of Na*Nb/n and Na*Nb/n**2 over 200 segments.

    Emission follows the emitter, bright for half of the segments; `side_pairs` are expected in twenty peaks.
    """
    bright = rng.random(200) < 0.5
    rates = np.where(bright, 1.0, 0.1)
    rates *= np.sqrt(side_pairs / 20 * pulses / np.sum(rates**2))
    a, b = rng.poisson(rates), rng.poisson(rates)
    return float(np.sum(a * b) / pulses), float(np.sum(a * b) / pulses**2)


def settings(trials: int) -> Iterator[tuple[float, int, int]]:
    """(g2(0), side pairs, pulses of a segment), dealt evenly."""
    every = [(*one, PULSES) for one in product(PURITY, SIDE_PAIRS)] + [(0.3, 400, SHORT), (1.0, 2000, SHORT)]
    for _ in range(max(1, round(trials / len(every)))):
        yield from every


def pulsed(rng: np.random.Generator, trials: int, segments: bool) -> Iterator[Trial]:
    """By side peaks, or by the pairs expected segment by segment."""
    for truth, side, pulses in settings(trials):
        expected = expected_pairs(LAGS, *blinking(rng, side, pulses))
        counts = rng.poisson(expected * np.where(LAGS == 0, truth, 1.0))
        told = pulsed_g2(LAGS, counts, expected)
        name = f"g2(0) {truth:g}, {side} side pairs" + (", short segments" if pulses == SHORT else "")
        if segments:
            yield Trial(name, truth, told.g2_0_segments, told.segments_low, told.segments_high)
        else:
            yield Trial(name, truth, told.g2_0, told.low, told.high)


def gated(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """By side peaks behind a gate: an exciton of 20 ns, a biexciton of 2 ns before it, gates in steps of 1 ns."""
    gates, slow, fast = np.arange(0, 60), 20.0, 2.0
    late = np.exp(-gates / slow)
    # Both photons of a side pair are excitons: the earlier lives half as long. In the centre it is the biexciton.
    side_shape, central_shape = np.append(late**2, 0.0), np.append(np.exp(-gates / fast) * late, 0.0)
    every = list(product((0.2, 0.8), (0, 1, 3, 6), (300, 3000)))
    for _ in range(max(1, round(trials / len(every)))):
        for ungated, gate, side in every:
            s1, s2 = blinking(rng, side, PULSES)
            expected = expected_pairs(LAGS, s1, s2)
            means = expected[:, None] * -np.diff(side_shape)
            means[10] = expected[10] * ungated * -np.diff(central_shape)
            told = gated_g2(LAGS, rng.poisson(means), expected)
            truth = ungated * float(central_shape[gate] / side_shape[gate])
            numbers = (float(each[gate]) for each in (told.g2_0, told.low, told.high))
            value, low, high = (None if np.isnan(each) else each for each in numbers)
            yield Trial(f"g2(0) {ungated:g} ungated, {side} side pairs, gate {gate} ns", truth, value, low, high)


def cw(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Window about zero delay over the pairs expected: a dip of known depth and width, or bunching."""
    bin_ns = 0.5
    tau = np.asarray(np.arange(-200, 201) * bin_ns, np.float64)
    inside = (np.arange(50) + 0.5) / 50 - 0.5
    every = list(product(((0.0, 20.0), (0.1, 5.0), (0.5, 20.0), (2.0, 10.0)), (30, 300, 5000), (1.0, 5.0)))
    for _ in range(max(1, round(trials / len(every)))):
        for (zero, dip_ns), pairs, window_ns in every:
            near = np.abs(tau) <= window_ns / 2
            # The photons of each segment of 10 ms say what to expect in a bin.
            length, segments = 1e7, 300
            mean = np.sqrt(pairs / (near.sum() * bin_ns) * length / segments)
            a, b = rng.poisson(mean, segments), rng.poisson(mean, segments)
            s1, s2 = float(np.sum(a * b)) / length, float(np.sum(a * b)) / length**2
            g2 = 1 - (1 - zero) * np.exp(-np.abs(tau[:, None] + bin_ns * inside) / dip_ns).mean(axis=1)
            curve = cw_g2(tau, rng.poisson(expected_pairs(tau, s1, s2, bin_ns) * g2), s1, s2, bin_ns)
            counts = np.rint(np.nan_to_num(curve.g2) * curve.expected).astype(np.int64)
            told = cw_zero(tau, counts, curve.expected, window_ns)
            name = f"g2(0) {zero:g}, dip {dip_ns:g} ns, window {window_ns:g} ns, {pairs} expected"
            yield Trial(name, float(g2[near].mean()), told.value, told.low, told.high)


CASES = [
    Case(
        "g2(0), pulsed, side peaks",
        "one state and blinking emitters, g2(0) 0 to 2, 30 to 10 000 pairs in twenty side peaks",
        lambda rng, trials: pulsed(rng, trials, segments=False),
        times=10,
    ),
    Case(
        "g2(0), pulsed, by segments",
        "the same emitters",
        lambda rng, trials: pulsed(rng, trials, segments=True),
        times=10,
    ),
    Case(
        "g2(0), pulsed, gated",
        "exciton 20 ns, biexciton 2 ns, gates 0 to 6 ns, 300 and 3000 side pairs",
        gated,
        times=10,
    ),
    Case(
        "g2(0), cw, window",
        "g2(0) 0 to 2, dips of 5 to 20 ns, windows 1 and 5 ns, 30 to 5000 expected pairs",
        cw,
        times=10,
    ),
]
