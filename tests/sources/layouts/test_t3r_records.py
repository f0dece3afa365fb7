"""The TimeHarp 200 kernel against a plain one, and what is made of the stopwatch's channels."""

from __future__ import annotations

import numpy as np
import pytest

from sources.layouts.t3r_records import beyond, decode, folded
from sources.reading.record_state import BACKSTEPS, LATEST, MARKERS, PHOTONS, TICKS, UNKNOWN, new_state

VALID, OVERFLOW = 1 << 30, 0x0800FFFF


def photon(tag, channel):
    return VALID | channel << 16 | tag


def naive(words, fold, state=(0, -1)):
    """(photons, markers, ticks, latest, unknown) record by record."""
    ticks, latest = state
    photons, markers, unknown = [], [], 0
    for word in map(int, words):
        tag, bits = word & 0xFFFF, word >> 16 & 0xFFF
        if word >> 30 & 1:
            photons.append((ticks + tag, int(fold[bits]), word >> 28 & 3))
        elif bits & 0x800:
            ticks += 65536
        elif 0 < bits < 8:
            markers.append((ticks + tag, bits))
            latest = max(latest, ticks + tag)
        else:
            unknown += 1
    return photons, markers, ticks, latest, unknown


def fast(words, fold, blocks=()):
    n, state = len(words), new_state()
    time, nanotime, channel = np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint8)
    marker_time, marker = np.empty(n, np.int64), np.empty(n, np.uint8)
    for part in np.split(np.asarray(words, np.uint32), list(blocks)):
        decode(part, fold, time, nanotime, channel, marker_time, marker, state)
    p, m = state[PHOTONS], state[MARKERS]
    assert state[BACKSTEPS] == (np.diff(time[:p]) < 0).sum()
    photons = list(zip(time[:p].tolist(), nanotime[:p].tolist(), channel[:p].tolist(), strict=True))
    markers = list(zip(marker_time[:m].tolist(), marker[:m].tolist(), strict=True))
    return photons, markers, state[TICKS], state[LATEST], state[UNKNOWN]


def random_words(seed, size, share):
    """Words of every kind, `share` of them special, any bit elsewhere."""
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << 32, size, np.uint64) | VALID
    special = rng.random(size) < share
    kinds = rng.choice([OVERFLOW, 0x08000000, 0x00010000, 0x00070000, 0x00000000, 0x00080000, 0x07FF0000], size)
    words[special] = kinds[special] | rng.integers(0, 65536, special.sum())
    return words.astype(np.uint32)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("period", [177.7, 2847.97, float("inf")])
def test_kernel_equals_naive(share, period):
    words, fold = random_words(int(period) if period < 1e9 else 1, 5000, share), folded(period)
    assert fast(words, fold) == naive(words, fold)


@pytest.mark.parametrize("share", [0.001, 0.3])
def test_blocks_do_not_matter(share):
    words, fold = random_words(7, 3000, share), folded(2000.0)
    whole = fast(words, fold)
    assert fast(words, fold, range(1, 3000)) == whole
    assert fast(words, fold, range(7, 3000, 7)) == whole


def test_folded():
    assert folded(float("inf")).tolist() == list(range(4095, -1, -1))
    assert folded(4096.0).tolist() == list(range(4095, -1, -1))
    for period in (1.0, 12.3, 177.7, 2847.97, 4000.5):
        fold = folded(period).astype(np.int64)
        whole = np.arange(4095, -1, -1) - fold
        assert fold.min() >= 0
        assert fold.max() <= period + 0.5
        assert (np.abs(whole / period - np.rint(whole / period)) * period <= 0.5 + 1e-9).all()


def test_beyond():
    rng = np.random.default_rng(3)
    words = np.array([photon(0, c) for c in rng.integers(500, 1500, 2000)], np.uint32)
    assert beyond(words, 1000.0) == (0, 2000)
    assert beyond(np.append(words, np.uint32(photon(0, 4000))), 1000.0) == (1, 2001)
    assert beyond(words, 1e9) == (0, 2000)
    assert beyond(words[:0], 10.0) == (0, 0)
    outside, photons = beyond(words, 499.0)
    assert 0.45 < outside / photons < 0.52
