"""Simulated dots under pulsed light, photon by photon: their pairs, counted one by one, at every look.

Pulse by pulse an emitter gives no, one or two photons, its background any number. With m photons in the mean and
p2 = r m**2 / 2 its g2(0) is r whatever m is, so blinking and drift leave the truth alone. Empty pulses are skipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

LAGS = 10  # on either side
RARER = 100  # looks are at most this share of the time gone by apart, as in streamer.stopping
MOST_EXTRA = 50  # background photons in a pulse: where rounding would never end
MOST_NEAR = 64  # events within LAGS pulses that can be remembered: at most one a pulse
CENTRAL, SIDE, PHOTONS_A, PHOTONS_B, PRODUCT, PULSES = range(6)


@dataclass(frozen=True, slots=True)
class Dot:
    """A dot and how it is measured.

    Attributes:
        rate: signal photons per pulse and detector of the bright state, at the start.
        background: photons per pulse and detector.
        dim: rate of the dark state over that of the bright one.
        dwells: mean segments in the bright and in the dark state; None: it is bright all the time.
        power: exponent of the probability density of dwells, of one to 1000 segments; None: exponential dwells.
        drift: factor on the rate by the end of the budget; it falls exponentially.
        segment: pulses; five of them make the shortest time between looks.
        threshold: photons above which a segment is bright.
    """

    rate: float = 0.03
    background: float = 0.0
    dim: float = 0.1
    dwells: tuple[float, float] | None = None
    power: float | None = None
    drift: float = 1.0
    segment: int = 100
    threshold: float = -1.0

    def segments(self, accidental: float) -> int:
        """In which so many accidental pairs are to be expected at every lag, drift and dwells left aside."""
        return math.ceil(accidental / ((self.rate + self.background) ** 2 * self.segment))


def look_ends(segments: int) -> NDArray[np.int64]:
    """Segments gone by at every look of the grid of `streamer.stopping`, the last at the budget."""
    ends, now, total = [], 0, max(segments // 5, 1)
    while now < total:
        now = min(now + max(1, now // RARER), total)
        ends.append(now)
    return 5 * np.array(ends)


def draw(dot: Dot, r: float, ends: NDArray[np.int64], dots: int, seed: int) -> NDArray[np.float64]:
    """Counts between looks, float64[dots, looks, 2, 6]: of all photons and of bright segments; columns as above."""
    on, off = dot.dwells or (math.inf, 1.0)
    counts = np.zeros((dots, len(ends), 2, 6))
    rng = np.random.default_rng(seed)
    power = 0.0 if dot.power is None else dot.power
    signal = 2 * dot.rate
    fall = dot.drift ** (1 / ends[-1])
    _draw(
        counts, ends, rng, r, signal, dot.dim, 2 * dot.background, on, off, power, fall, dot.segment, dot.threshold
    )  # fmt: skip
    return counts


@njit(cache=False)
def _dwell(rng, mean, power, segment):  # type: ignore[no-untyped-def]
    """Pulses until the next switch, at least one; for ever where the mean is infinite."""
    if math.isinf(mean):
        return 1 << 60
    if power > 0:  # the law of a power between 1 and 1000 segments, drawn by its inverse
        rise = 1.0 - power
        return max(1, int(segment * (1 + rng.random() * (1000.0**rise - 1)) ** (1 / rise)))
    return max(1, math.ceil(rng.exponential(mean * segment)))


@njit(cache=False)
def _photons(rng, lit, some, two, background, empty):  # type: ignore[no-untyped-def]
    """Photons on a and b of a pulse that is not empty; chances of signal or background, of signal, of two of it."""
    which = rng.random() * lit
    photons = 0 if which >= some else 2 if which < two else 1
    a = 0
    for _ in range(photons):
        a += rng.random() < 0.5
    b = photons - a
    if background > 0:
        # Poisson by inversion; not none where the pulse would be empty.
        level = rng.random()
        if photons == 0:
            level = empty + level * (1 - empty)
        term = total = empty
        extra = 0
        while level > total and extra < MOST_EXTRA:
            extra += 1
            term *= background / extra
            total += term
            if rng.random() < 0.5:
                a += 1
            else:
                b += 1
    return a, b


@njit(cache=False)
def _draw(counts, ends, rng, r, signal, dim, background, on, off, power, fall, segment, threshold):  # type: ignore[no-untyped-def]
    """Fill `counts` in place. `signal` and `background` are photons per pulse of both detectors together."""
    at_pulse = np.zeros(MOST_NEAR, np.int64)
    near_a, near_b = np.zeros(MOST_NEAR, np.int64), np.zeros(MOST_NEAR, np.int64)
    empty_background = math.exp(-background)
    for dot in range(counts.shape[0]):
        first = 0  # of the events within reach, in the ring
        last = 0  # behind them
        share_on = 1.0 if math.isinf(on) else 0.5 if power > 0 else on / (on + off)
        bright = rng.random() < share_on
        switch = _dwell(rng, on if bright else off, power, segment)
        level, look = 1.0, 0
        for number in range(ends[-1]):
            start, stop = number * segment, (number + 1) * segment
            now, a_sum, b_sum = start, 0, 0
            all_central, all_side, own_side = 0, 0, 0
            while True:
                until = min(stop, switch)
                m = signal * level * (1.0 if bright else dim)
                two = r * m * m / 2
                one = m - 2 * two
                some = one + two
                lit = some + (1 - some) * (1 - empty_background)
                pulse = until if lit <= 0 else now + int(math.log(1 - rng.random()) / math.log1p(-lit))
                if pulse >= until:  # no event before something changes: begin anew there, pulses have no memory
                    now = until
                    if until == switch:
                        bright = not bright
                        switch = until + _dwell(rng, on if bright else off, power, segment)
                    if until == stop:
                        break
                    continue
                now = pulse + 1
                a, b = _photons(rng, lit, some, two, background, empty_background)
                while first < last and at_pulse[first % MOST_NEAR] < pulse - LAGS:
                    first += 1
                for at in range(first, last):
                    pairs = a * near_b[at % MOST_NEAR] + b * near_a[at % MOST_NEAR]
                    all_side += pairs
                    own_side += pairs * (at_pulse[at % MOST_NEAR] >= start)
                at_pulse[last % MOST_NEAR], near_a[last % MOST_NEAR], near_b[last % MOST_NEAR] = pulse, a, b
                last += 1
                all_central += a * b
                a_sum, b_sum = a_sum + a, b_sum + b
            level *= fall
            for state in range(1 + (a_sum + b_sum > threshold)):
                row = counts[dot, look, state]
                row[CENTRAL] += all_central
                row[SIDE] += own_side if state else all_side
                row[PHOTONS_A] += a_sum
                row[PHOTONS_B] += b_sum
                row[PRODUCT] += a_sum * b_sum / segment
                row[PULSES] += segment
            if number + 1 == ends[look]:
                look += 1
