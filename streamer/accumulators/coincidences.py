"""Photon pairs of two detectors, per level: by pulse lag x gate and by tau; one search for both, as it costs most."""

from __future__ import annotations

import numpy as np

from streamer.accumulator import Accumulator, Block
from streamer.kernels import (
    CHANNELS,
    FLOAT,
    INT,
    INTS,
    LEVELS,
    NANOTIMES,
    PLACES,
    TABLE2,
    TABLE3,
    TIMES,
    UINT,
    kernel,
    types,
)
from streamer.layout import Layout


class Coincidences(Accumulator):
    """All pairs of one photon on a and one on b; lag and tau are b minus a.

    A pair within one segment is filed under that segment's level, one across segments in the row `mixed`.

    Tables, for the p-th pair of the layout:
        lags{p}[rows, 2*lags + 1, gate bins]: pulsed only. The gate bin is that of the earlier of the two nanotimes,
            counted from each detector's excitation and wrapped into one period that begins `guard` before it (one
            single bin in T2).
        tau{p}[rows, 2*tau_half + 1]: bins half-open [left, right) in whole fine units, tau = 0 inside the middle one.
    """

    name = "coincidences"
    pairs = True

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._sizes = [np.array(self._sizes_of(a, b), np.int64) for a, b in layout.pairs]

    def _sizes_of(self, a: int, b: int) -> list[int]:
        """`sizes` of the kernels below."""
        layout = self.layout
        if layout.mode != "T3":
            return [a, b, layout.window, layout.tau_width]
        zero = [layout.zero[layout.detector_of[channel]] - layout.guard for channel in (a, b)]
        return [a, b, layout.window, layout.tau_width, layout.gate_width, round(layout.period), *zero]

    @staticmethod
    def needs(layout: Layout) -> bool:
        """With one detector there is no pair."""
        return bool(layout.pairs)

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """See the class."""
        rows, lags = layout.scale.rows, 2 * layout.lags + 1 if layout.pulsed else 1
        tables: dict[str, tuple[int, ...]] = {}
        for p in range(len(layout.pairs)):
            tables[f"lags{p}"] = (rows, lags, layout.gate_bins if layout.pulsed else 1)
            tables[f"tau{p}"] = (rows, 2 * layout.tau_half + 1)
        return tables

    def count(self, block: Block) -> None:
        """Add every pair whose later photon is new."""
        layout = self.layout
        for p, sizes in enumerate(self._sizes):
            lags, tau = self.tables[f"lags{p}"], self.tables[f"tau{p}"]
            if layout.mode == "T3":
                _add_t3(
                    block.time, block.nanotime, block.channel, block.offsets, block.level, layout.pulse_offsets,
                    sizes, lags, tau,
                )  # fmt: skip
            else:
                _add_t2(block.time, block.channel, block.offsets, block.level, layout.period, sizes, lags, tau)


# The search has no branch that depends on the photons, which would be guessed wrong every few photons: per run of
# photons, one list of those that have a neighbour 1, 2, 3 ... photons back within the window, of these one list of
# real pairs, and of these the places in the tables, each filled by writing always and advancing by 0 or 1. Adding comes
# last, in a loop so short that the processor fetches many places at once: they seldom lie in its fastest memory.
# Dividing by a bin width w is multiplying (n + 1/2) by 1/w, exact for integers n below 2**50.
RUN = 4096


@kernel(UINT, TIMES, INT, INT, INT, PLACES)
def _with_neighbour(time, begin, stop, window, near):  # type: ignore[no-untyped-def]
    """Fill `near` with the photons of `begin:stop` whose predecessor lies in the window; how many."""
    n = np.uint64(0)
    for i in range(np.uint64(begin), np.uint64(stop)):
        near[n] = i
        n += np.uint64(time[i] - time[i - np.uint64(1)] <= window)
    return n


@kernel(types.UniTuple(UINT, 2), TIMES, CHANNELS, INTS, UINT, UINT, PLACES, PLACES)
def _one_back(time, channel, sizes, back, n, near, pair):  # type: ignore[no-untyped-def]
    """Of the first n in `near`, keep those that reach further than `back` photons; put the pairs of them into `pair`.

    Returns how many of each.
    """
    a, b, window = np.uint8(sizes[0]), np.uint8(sizes[1]), sizes[2]
    n_near, n_pairs = np.uint64(0), np.uint64(0)
    for q in range(n):
        i = near[q]
        j = i - back
        ci, cj = channel[i], channel[j]
        pair[n_pairs] = i
        n_pairs += np.uint64(((ci == a) & (cj == b)) | ((ci == b) & (cj == a)))
        near[n_near] = i
        if j > 0:
            n_near += np.uint64(time[i] - time[j - np.uint64(1)] <= window)
    return n_near, n_pairs


@kernel(INT, TIMES, NANOTIMES, CHANNELS, INTS, LEVELS, INTS, INTS, TABLE3, TABLE2)
def _add_t3(time, nanotime, channel, offsets, level, pulse_offsets, sizes, lags, tau):  # type: ignore[no-untyped-def]
    """Pairs of a pulsed stream; sizes = (a, b, window, tau width, gate width, period, zero of a, zero of b)."""
    b, window, width = np.uint8(sizes[1]), sizes[2], sizes[3]
    period, zero_a, zero_b = sizes[5], sizes[6], sizes[7]
    per_width, per_gate = 1.0 / width, 1.0 / sizes[4]
    k_max, low, span = lags.shape[1] // 2, -(tau.shape[1] // 2) * width - width // 2, tau.shape[1] * width
    mixed, last_gate = np.uint64(tau.shape[0] - 1), np.uint64(lags.shape[2] - 1)
    one, taus, gates = np.uint64(1), np.uint64(tau.shape[1]), last_gate + np.uint64(1)
    lag_gates = np.uint64(lags.shape[1]) * gates
    all_lags, all_taus = lags.ravel(), tau.ravel()
    near, pair = np.empty(RUN, np.uint64), np.empty(RUN, np.uint64)
    lag_at, tau_at = np.empty(RUN, np.uint64), np.empty(RUN, np.uint64)
    for s in range(len(level)):
        row, own = np.uint64(level[s]), np.uint64(offsets[s])
        for begin in range(max(offsets[s], 1), offsets[s + 1], RUN):
            n_near = _with_neighbour(time, begin, min(begin + RUN, offsets[s + 1]), window, near)
            back = one
            while n_near > 0:
                n_near, n_pairs = _one_back(time, channel, sizes, back, n_near, near, pair)
                n_lags, n_taus = np.uint64(0), np.uint64(0)
                for q in range(n_pairs):
                    i = pair[q]
                    j = i - back
                    forward = channel[i] == b
                    apart = time[i] - time[j]
                    ni, nj = np.int64(nanotime[i]), np.int64(nanotime[j])
                    k = apart if forward else -apart
                    na, nb = (nj, ni) if forward else (ni, nj)
                    r = row if j >= own else mixed
                    difference = pulse_offsets[np.uint64(k + window)] + nb - na - low
                    tau_at[n_taus] = r * taus + np.uint64(np.int64((difference + 0.5) * per_width))
                    n_taus += np.uint64((difference >= 0) & (difference < span))
                    na -= zero_a
                    nb -= zero_b
                    na = na + period if na < 0 else (na - period if na >= period else na)
                    nb = nb + period if nb < 0 else (nb - period if nb >= period else nb)
                    early = np.uint64((max(min(na, nb), 0) + 0.5) * per_gate)
                    lag_at[n_lags] = r * lag_gates + np.uint64(k + k_max) * gates + min(early, last_gate)
                    n_lags += np.uint64(apart <= k_max)
                for q in range(n_taus):
                    all_taus[tau_at[q]] += 1
                for q in range(n_lags):
                    all_lags[lag_at[q]] += 1
                back += one
    return 0


@kernel(INT, TIMES, CHANNELS, INTS, LEVELS, FLOAT, INTS, TABLE3, TABLE2)
def _add_t2(time, channel, offsets, level, period, sizes, lags, tau):  # type: ignore[no-untyped-def]
    """Pairs of absolute times; sizes = (a, b, window, tau width); period 0.0 is cw."""
    b, window, width = np.uint8(sizes[1]), sizes[2], sizes[3]
    per_width = 1.0 / width
    k_max, low, span = lags.shape[1] // 2, -(tau.shape[1] // 2) * width - width // 2, tau.shape[1] * width
    mixed, one = np.uint64(tau.shape[0] - 1), np.uint64(1)
    near, pair = np.empty(RUN, np.uint64), np.empty(RUN, np.uint64)
    for s in range(len(level)):
        row, own = np.uint64(level[s]), np.uint64(offsets[s])
        for begin in range(max(offsets[s], 1), offsets[s + 1], RUN):
            n_near = _with_neighbour(time, begin, min(begin + RUN, offsets[s + 1]), window, near)
            back = one
            while n_near > 0:
                n_near, n_pairs = _one_back(time, channel, sizes, back, n_near, near, pair)
                for q in range(n_pairs):
                    i = pair[q]
                    j = i - back
                    apart = time[i] - time[j]
                    difference = apart if channel[i] == b else -apart
                    r = row if j >= own else mixed
                    if 0 <= difference - low < span:
                        tau[r, np.uint64((difference - low + 0.5) * per_width)] += 1
                    if period > 0.0:
                        k = np.int64(np.floor(difference / period + 0.5))
                        if -k_max <= k <= k_max:
                            lags[r, np.uint64(k + k_max), 0] += 1
                back += one
    return 0
