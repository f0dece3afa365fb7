"""Change points: where the rate of a photon stream changes, by the likelihood ratio over every candidate, kept exact.

Photons are points (x, k): k of them have come when a time x has passed since the segment began. With n photons in a
time T, a change of the rate at a point has the statistic (generalised likelihood ratio, all rates unknown)

    S = k log(k / x) + (n - k) log((n - k) / (T - x)) - n log(n / T).

S is convex in (x, k), so that only corners of the convex hull of the points can be its maximum: some 2 log(n) of them,
kept at a constant cost per photon (functional pruning; Romano, Eckley, Fearnhead & Rigaill, JMLR 24, 2023; Ward,
Dilillo, Eckley & Fearnhead, 2024, who also check maxima adaptively).

Three bounds, each above S, leave few logarithms to take and few corners to look at:

* log(1 + u) <= u (6 + u) / (6 + 4 u) for u > -1 makes S a fraction;
* S of a corner at a later point is at most its S at an earlier one plus the S of that one at the later;
* no rates explain new points better than one of their own each: with r, the rate before, the largest S rises by at
  most the sum of  c log(c / (r e)) - c + r e  over the points, each of c photons after a time e.

While the last leaves S below the threshold, points only go to the hull.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from streamer.kernels import FLOAT, INT, INTS, TABLE1, TABLE2, TIMES, kernel

MOST_PHOTONS = 1 << 20  # of a segment: it then ends as on the grid
STEP = 8  # points that are bounded at once
SLACK = 1e-6  # of the statistic: more than rounding does to a bound
DONE, FULL_HULL, FULL_LIST = 0, 1, 2
START, NEXT, FIRST, LOWER, UPPER, FOUND = range(6)  # places in the state
FLOATS = types.Array(types.float64, 1, "C")
HULLS = types.Array(types.float64, 3, "C")


Kinds = NDArray[np.int64]
BORDER, FALL, RISE = 0, 1, 2  # what ends a segment


class ChangeDetector:
    """Follows one open segment after the other; see the module.

    Photons of the same `2**shift` ticks, on the grid of whole multiples, are one point at the end of that unit: pairs
    that belong together (afterpulses, cascades) are no burst then, and a point is final when its unit is over.

    Args:
        start: tick at which the first segment begins.
        kind: what ended the one before.
        longest: ticks; a segment ends at each whole multiple, whatever the photons say. A multiple of the unit.
        threshold: of S, at which a change is found.
        shift: see above.
    """

    def __init__(self, start: int, longest: int, threshold: float, shift: int = 0, kind: int = BORDER) -> None:
        if kind == RISE:  # the first photon's waiting time was of the segment before
            start = ((start >> shift) + 1) << shift
        self._begin = start
        self._longest, self._threshold, self._shift = longest, threshold, shift
        self._state = np.array([start, 0, 0, 0, 0, 0], np.int64)
        self._hull = np.empty((2, 2, 256))
        self._time, self._n = np.empty(1024, np.int64), 0

    def bounds(self, time: NDArray[np.int64], stop: int, *, ended: bool = False) -> tuple[NDArray[np.int64], Kinds]:
        """Ends of segments that can be told by now, in time order.

        Args:
            time: int64[n], new photons, behind those of earlier calls and before `stop`.
            stop: tick up to which time has passed.
            ended: nothing comes after `stop`; the segment that ends there is not told.

        Returns:
            (int64[m] ticks, int64[m]: BORDER where the longest segment ends, FALL or RISE of the rate).
        """
        self._keep(time[int(np.searchsorted(time, self._begin)) :] if len(time) and time[0] < self._begin else time)
        span = np.array([stop, ended, self._longest, self._shift], np.int64)
        parts, status = [np.empty((0, 2), np.int64)], FULL_LIST
        while status != DONE:
            lines = np.empty((256, 2), np.int64)
            self._state[FOUND] = 0
            status = _scan(self._time[: self._n], span, self._threshold, self._state, self._hull, lines)
            parts.append(lines[: self._state[FOUND]])
            if status == FULL_HULL:
                self._hull = np.concatenate((self._hull, np.empty_like(self._hull)), axis=2)
        lines = np.concatenate(parts)
        return lines[:, 0].copy(), lines[:, 1].copy()

    def _keep(self, time: NDArray[np.int64]) -> None:
        """Append to the photons of the open segment; those before it are dropped when memory is needed."""
        need = self._n + len(time)
        if need > len(self._time):
            first = int(self._state[FIRST])
            kept = self._time[first : self._n]
            memory = self._time
            if 2 * (len(kept) + len(time)) > len(memory):
                memory = np.empty(2 * (len(kept) + len(time)), np.int64)
            memory[: len(kept)] = kept.copy() if memory is self._time else kept
            self._time, self._n = memory, len(kept)
            self._state[NEXT] -= first
            self._state[FIRST] = 0
        self._time[self._n : self._n + len(time)] = time
        self._n += len(time)


@kernel(types.UniTuple(FLOAT, 3), HULLS, INT, INT, FLOAT, FLOAT, FLOAT)
def _largest(hull, lower, upper, end, n, threshold):  # type: ignore[no-untyped-def]
    """(S or a bound above it, x, k) of the corner with the largest; exact from `threshold` on."""
    most, at, below = 0.0, -1.0, -1.0
    rate = n / end
    for side in range(2):
        xs, ks = hull[side, 0], hull[side, 1]
        for i in range(np.uint64(1), np.uint64(upper if side else lower)):
            x, k = xs[i], ks[i]
            if x < end:
                mu = rate * x
                rest, nu, excess = n - k, n - mu, k - mu
                one, other = mu * (mu + 2.0 * k), nu * (nu + 2.0 * rest)
                value = 0.5 * excess * excess * ((2.0 * mu + k) * other + (2.0 * nu + rest) * one) / (one * other)
                if value > most and value >= threshold - SLACK:
                    value = k * math.log(k / mu) + (rest * math.log(rest / nu) if rest > 0.0 else 0.0)
                if value > most:
                    most, at, below = value, x, k
    return most, at, below


@kernel(INT, FLOATS, FLOATS, INT, FLOAT, FLOAT, FLOAT)
def _push(xs, ks, size, x, k, side):  # type: ignore[no-untyped-def]
    """Add a point to a hull, the lower one for side 1.0 and the upper one for -1.0; how many corners there are now."""
    while size > 1:
        i = np.uint64(size - 1)
        j = np.uint64(size - 2)
        turn = (xs[i] - xs[j]) * (k - ks[j]) - (ks[i] - ks[j]) * (x - xs[j])
        if side * turn > 0.0:
            break
        size -= 1
    xs[np.uint64(size)], ks[np.uint64(size)] = x, k
    return size + 1


@kernel(INT, TIMES, INTS, FLOAT, TABLE1, HULLS, TABLE2)
def _scan(time, span, threshold, state, hull, out):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    """Go on from `state` through the photons; bounds and whether found to `out`, how many to state[FOUND].

    span = (stop, ended, longest, shift). Returns DONE, or what is full and has to be made larger before going on.
    """
    stop, ended, longest, shift = span[0], span[1] != 0, span[2], span[3]
    lx, lk, ux, uk = hull[0, 0], hull[0, 1], hull[1, 0], hull[1, 1]
    px, pk = np.empty(STEP), np.empty(STEP)
    room = hull.shape[2] - STEP - 1
    total = np.uint64(len(time))
    while state[FOUND] < len(out):
        start, first, lower, upper = state[START], state[FIRST], state[LOWER], state[UPPER]
        border = (start // longest + 1) * longest
        closing = border <= stop
        end = border if closing else stop
        last = end if closing or ended else (end >> shift) << shift  # photons before it are of units that are over
        if lower == 0:
            lx[0] = lk[0] = ux[0] = uk[0] = 0.0
            lower = upper = 1
        i = np.uint64(state[NEXT])
        x, n = ux[np.uint64(upper - 1)], uk[np.uint64(upper - 1)]
        most, change, k_change, end_of_scan = np.inf, -1.0, -1.0, 1.0
        while change < 0.0 and n < MOST_PHOTONS and i < total and time[i] < last:
            if max(lower, upper) > room:
                state[NEXT], state[LOWER], state[UPPER] = i, lower, upper
                return FULL_HULL
            m, product, k, before = np.uint64(0), 1.0, n, x
            while m < STEP and k < MOST_PHOTONS and i < total and time[i] < last:
                tick = min(((time[i] >> shift) + 1) << shift, end)
                i += np.uint64(1)
                c = 1.0
                while i < total and time[i] < tick:
                    c += 1.0
                    i += np.uint64(1)
                at = np.float64(tick - start)
                each = at - before
                if c > 1.0:
                    each /= c
                    power = 1.0
                    for _ in range(np.int64(c)):
                        power *= each
                    each = power
                product *= each
                k += c
                px[m], pk[m], before = at, k, at
                m += np.uint64(1)
            rise = np.inf
            if n > 0.0 and 1e-250 < product < 1e250:
                rate = n / x
                rise = rate * (before - x) - (k - n) * (1.0 + math.log(rate)) - math.log(product)
                if most + rise >= threshold - SLACK:
                    most = _largest(hull, lower, upper, x, n, threshold)[0]
            if most + rise < threshold - SLACK:
                most += rise
                for p in range(m):
                    lower = _push(lx, lk, lower, px[p], pk[p], 1.0)
                    upper = _push(ux, uk, upper, px[p], pk[p], -1.0)
                x, n = before, k
            else:
                for p in range(m):
                    x, n = px[p], pk[p]
                    lower = _push(lx, lk, lower, x, n, 1.0)
                    upper = _push(ux, uk, upper, x, n, -1.0)
                    most, change, k_change = _largest(hull, lower, upper, x, n, threshold)
                    if most >= threshold:
                        end_of_scan = x
                        break
                    change = -1.0
        if change < 0.0 and n < MOST_PHOTONS:
            state[NEXT], state[LOWER], state[UPPER] = i, lower, upper
            if not (closing or ended):
                return DONE
            if n > 0.0:
                end_of_scan = np.float64(end - start)
                most, change, k_change = _largest(hull, lower, upper, end_of_scan, n, threshold)
                if most < threshold:
                    change = -1.0
            if change < 0.0 and not closing:
                return DONE
        place = np.uint64(state[FOUND])
        if change > 0.0:
            state[START] = bound = start + np.int64(change)
            kind = FALL
            state[FIRST] = first + np.int64(k_change)
            # After a rise the photon before belongs to what comes: nothing but it says that the dim time was over.
            unit = ((bound - 1) >> shift) << shift
            if k_change / change < n / end_of_scan and unit > start:
                bound, kind = unit, RISE
        else:
            kind = BORDER
            state[START] = bound = start + np.int64(x) if n >= MOST_PHOTONS else border
            state[FIRST] = first + np.int64(n)
        out[place, 0], out[place, 1] = bound, kind
        state[NEXT], state[LOWER], state[UPPER] = state[FIRST], 0, 0
        state[FOUND] += 1
    return FULL_LIST
