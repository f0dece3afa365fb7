"""The record decoder against a plain Python one written from the vendor's layouts, for all twelve record types."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sources.layouts.ptu_records import (
    BACKSTEPS,
    LATEST,
    LONGEST,
    MARKERS,
    PHOTONS,
    RECORD_TYPES,
    SYNCS,
    TICKS,
    UNKNOWN,
    decode,
)

PICO_T2, PICO_T3 = 0x00010203, 0x00010303
HYDRA1_T2, HYDRA1_T3 = 0x00010204, 0x00010304
GENERIC_T2 = (0x01010204, 0x00010205, 0x00010206, 0x00010207)
GENERIC_T3 = (0x01010304, 0x00010305, 0x00010306, 0x00010307)
ALL = (PICO_T2, PICO_T3, HYDRA1_T2, HYDRA1_T3, *GENERIC_T2, *GENERIC_T3)


def naive_pico(word, code):
    """What a PicoHarp word is: photon (time, nanotime, channel), marker (time, bits), overflow (ticks), unknown."""
    channel, time = word >> 28, word & (0x0FFFFFFF if code == PICO_T2 else 0xFFFF)
    nanotime = 0 if code == PICO_T2 else (word >> 16) & 0xFFF
    bits = time & 15 if code == PICO_T2 else nanotime
    if channel == 15 and bits == 0:
        return "overflow", 210698240 if code == PICO_T2 else 65536
    if channel == 15 and bits <= 15:
        return "marker", time, bits
    if channel == 15 or (channel > 4 and code == PICO_T2):
        return ("unknown",)
    return "photon", time, nanotime, channel


def naive_hydra(word, code):
    """The same for all other devices."""
    pulsed = RECORD_TYPES[code].mode == "T3"
    special, channel, time = word >> 31, (word >> 25) & 63, word & (1023 if pulsed else 33554431)
    if not special:
        return "photon", time, (word >> 10) & 32767 if pulsed else 0, channel
    if channel == 63:
        wrap = 1024 if pulsed else 33552000 if code == HYDRA1_T2 else 33554432
        return "overflow", wrap * (1 if code in (HYDRA1_T2, HYDRA1_T3) else max(time, 1))
    if 1 <= channel <= 15:
        return "marker", time, channel
    return ("sync", time) if channel == 0 and not pulsed else ("unknown",)


def naive(words, code, sync_channel=None):
    """Photons [(time, nanotime, channel)], markers [(time, bits)], overflow ticks, sync events, unknown records."""
    photons, markers, base, syncs, unknown = [], [], 0, 0, 0
    for word in words:
        kind, *fields = (naive_pico if code in (PICO_T2, PICO_T3) else naive_hydra)(int(word), code)
        if kind == "overflow":
            base += fields[0]
        elif kind == "photon":
            photons.append((base + fields[0], *fields[1:]))
        elif kind == "sync" and sync_channel is not None:
            photons.append((base + fields[0], 0, sync_channel))
        elif kind == "marker":
            markers.append((base + fields[0], fields[1]))
        syncs += kind == "sync" and sync_channel is None
        unknown += kind == "unknown"
    backsteps = sum(later[0] < earlier[0] for earlier, later in itertools.pairwise(photons))
    return photons, markers, base, syncs, unknown, backsteps


def fast(words, code, blocks=(), sync_channel=None):
    """The same from the kernel, called once for each block."""
    layout = RECORD_TYPES[code]
    rules = layout.rules(sync_channel)
    n = len(words)
    time, channel = np.empty(n, np.int64), np.empty(n, np.uint8)
    nanotime = np.empty(n if layout.mode == "T3" else 0, np.uint16)
    marker_time, marker = np.empty(n, np.int64), np.empty(n, np.uint8)
    state = np.zeros(8, np.int64)
    for part in np.split(words, blocks):
        assert decode(part, rules, time, nanotime, channel, marker_time, marker, state) == len(part)
    p, m = state[PHOTONS], state[MARKERS]
    photons = np.column_stack((time[:p], nanotime[:p] if len(nanotime) else np.zeros(p), channel[:p]))
    markers = np.column_stack((marker_time[:m], marker[:m]))
    return (
        [tuple(row) for row in photons.astype(np.int64).tolist()],
        [tuple(row) for row in markers.tolist()],
        *(int(state[key]) for key in (TICKS, SYNCS, UNKNOWN, BACKSTEPS)),
    )


def random_words(rng, size, share):
    """Words of every kind; `share` of them special in one layout or the other."""
    words = rng.integers(0, 1 << 31, size, np.uint64)
    words[rng.random(size) < 0.5] &= 0x4FFFFFFF  # channels that PicoHarp T2 has too
    kinds = np.array([0xFE000000, 0xFE000003, 0xF0000000, 0x80000000, 0x82000000, 0x9E000000, 0xA0000000, 0xF0010000])
    special = rng.random(size) < share
    words[special] = rng.choice(kinds, special.sum()) | rng.choice([0, 1, 7, 1000, 0x123456], special.sum())
    return words.astype(np.uint32)


@pytest.mark.parametrize("code", ALL, ids=lambda code: RECORD_TYPES[code].name)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_kernel_equals_naive(code, share):
    words = random_words(np.random.default_rng(code), 5000, share)
    assert fast(words, code) == naive(words, code)


@pytest.mark.parametrize("code", ALL, ids=lambda code: RECORD_TYPES[code].name)
def test_blocks_do_not_matter(code):
    rng = np.random.default_rng(code)
    words = random_words(rng, 3000, 0.2)
    whole = fast(words, code)
    assert fast(words, code, blocks=range(1, 3000)) == whole
    assert fast(words, code, blocks=range(7, 3000, 7)) == whole
    assert fast(words, code, blocks=np.sort(rng.integers(0, 3000, 20))) == whole


@pytest.mark.parametrize("code", [HYDRA1_T2, *GENERIC_T2])
def test_sync_events_become_photons(code):
    words = random_words(np.random.default_rng(1), 4000, 0.3)
    assert fast(words, code, sync_channel=40) == naive(words, code, sync_channel=40)
    assert any(channel == 40 for _, _, channel in fast(words, code, sync_channel=40)[0])


def test_all_codes_are_covered():
    assert sorted(ALL) == sorted(RECORD_TYPES)
    assert {layout.mode for code, layout in RECORD_TYPES.items() if (code >> 8) & 15 == 2} == {"T2"}
    assert {layout.mode for code, layout in RECORD_TYPES.items() if (code >> 8) & 15 == 3} == {"T3"}


def words(*values):
    return np.array(values, np.uint32)


def test_version_2_wraps_at_its_own_constant_and_counts():
    two = fast(words(0xFE000001, 5, 0xFE000003, 6, 0xFE000000, 7), 0x01010204)[0]
    assert [time for time, _, _ in two] == [33554432 + 5, 4 * 33554432 + 6, 5 * 33554432 + 7]  # a count of 0 means 1
    one = fast(words(0xFE000001, 5, 0xFE000003, 6), HYDRA1_T2)[0]
    assert [time for time, _, _ in one] == [33552000 + 5, 2 * 33552000 + 6]  # version 1 has no counts


def test_multiharp_t3_decodes():
    photons, _, ticks, *_ = fast(words(0xFE000002, (1 << 25) | (77 << 10) | 9), 0x00010307)
    assert photons == [(2057, 77, 1)]  # and neither the overflow is a photon nor the file empty
    assert ticks == 2048


def test_picoharp_t3_markers_and_channels():
    photons, markers, *_ = fast(words((1 << 28) | (7 << 16) | 5, 0xF0030000 | 77, 0xF00F0000 | 78, 0xF0000000), PICO_T3)
    assert photons == [(5, 7, 1)]  # the channel as in the record, not shifted by one
    assert markers == [(77, 3), (78, 15)]


def test_latest_is_the_last_event_left_out():
    state = np.zeros(8, np.int64)
    empty = (np.empty(3, np.int64), np.empty(0, np.uint16), np.empty(3, np.uint8), np.empty(3, np.int64))
    stream = words(0xFE000001, 0x82000009, 0x80000007)
    decode(stream, RECORD_TYPES[0x01010204].rules(), *empty, np.empty(3, np.uint8), state)
    assert state[LATEST] == 33554432 + 9
    assert (state[MARKERS], state[SYNCS], state[UNKNOWN], state[BACKSTEPS]) == (1, 1, 0, 0)


def test_absurd_overflows_end_the_decoding_before_int64_does():
    n = 100_000
    state = np.zeros(8, np.int64)
    arrays = (np.empty(n, np.int64), np.empty(0, np.uint16), np.empty(n, np.uint8), np.empty(n, np.int64))
    stream = np.full(n, 0xFFFFFFFF, np.uint32)  # each stands for 33554431 wraps
    done = decode(stream, RECORD_TYPES[0x01010204].rules(), *arrays, np.empty(n, np.uint8), state)
    assert done < n
    assert LONGEST < state[TICKS] < np.iinfo(np.int64).max
