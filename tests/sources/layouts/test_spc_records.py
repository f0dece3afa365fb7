"""The SPC kernel against a naive decoder, record by record, in any blocks; gaps; the nanotime table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sources.layouts.spc_decoder import SpcDecoder, nanotimes
from sources.layouts.spc_records import FAMILIES, GAPS, INVALID, SLIPPED
from sources.reading.record_state import BACKSTEPS, LATEST, LONGEST, MARKERS, PHOTONS, TICKS, UNKNOWN, new_state
from streamer.errors import InputError

KEYS = sorted(FAMILIES)


def fields(record, key):
    """invalid, overflow, gap, mark, count, macro time, routing, ADC of one record given as a whole number."""
    if key == "spc600_4096":
        flags = record & 0xFFFF
        macro = (record >> 16 & 0xFF) << 16 | record >> 32 & 0xFFFF
        return (
            flags >> 12 & 1,
            flags >> 13 & 1,
            flags >> 14 & 1,
            flags >> 15,
            1,
            macro,
            record >> 24 & 0xFF,
            flags & 0xFFF,
        )
    top = record >> 31, record >> 30 & 1, record >> 29 & 1, record >> 28 & 1, record & 0xFFFFFFF
    if key == "spc130":
        return *top, record & 0xFFF, record >> 12 & 15, record >> 16 & 0xFFF
    return *top, record >> 8 & 0x1FFFF, record >> 25 & 7, record & 0xFF


def naive(records, key):
    """One record at a time, as the vendor describes it."""
    family = FAMILIES[key]
    ticks, latest, newest = 0, -1, 0
    photons, markers, gaps, invalid, unknown, slipped = [], [], [], 0, 0, 0
    for record in records:
        is_invalid, overflow, gap, mark, count, macro, routing, adc = fields(record, key)
        entry = is_invalid and overflow and not mark
        known = max(newest, latest, ticks)
        ticks += family.wrap * (count if entry else overflow)
        now = ticks + macro
        is_photon = not is_invalid and not mark
        is_marker = family.markers and is_invalid and mark
        if gap:
            while (is_photon or is_marker) and now < known:
                ticks, now, slipped = ticks + family.wrap, now + family.wrap, slipped + 1
            stop = now if is_photon or is_marker else max(ticks, known)
            gaps.append((min(known + 1, stop), stop))
        if is_photon:
            photons.append((now, family.bins - 1 - adc, routing))
            newest = now
        elif is_marker and routing:
            markers.append((now, routing))
            latest = max(latest, now)
        elif mark:
            unknown += 1
        elif is_invalid and not entry:
            invalid += 1
    backsteps = sum(b[0] < a[0] for a, b in zip([(0,), *photons], photons, strict=False))
    return photons, markers, gaps, ticks, invalid, unknown, slipped, backsteps


def raw(records, key):
    """The records as bytes."""
    size = FAMILIES[key].record_bytes
    return np.frombuffer(b"".join(int(one).to_bytes(size, "little") for one in records), np.uint8)


def decoder(key, period=np.inf, reach=np.inf, near=3, far=40, **more):
    return SpcDecoder(Path("x.spc"), FAMILIES[key], period, reach, near, far, **more)


def fast(records, key, blocks=(), one=None, mode="T3"):
    """The same from the kernel, called once for each block."""
    block, size, n = raw(records, key), FAMILIES[key].record_bytes, len(records)
    time, channel, nanotime = (
        np.empty(n, np.int64),
        np.empty(n, np.uint8),
        np.empty(n if mode == "T3" else 0, np.uint16),
    )
    marker_time, marker, state, gaps = np.empty(n, np.int64), np.empty(n, np.uint8), new_state(), []
    one = one or decoder(key)
    for part in np.split(block, [size * cut for cut in blocks]):
        gaps += one.decode(part, time, nanotime, channel, marker_time, marker, state)
    p, m = state[PHOTONS], state[MARKERS]
    columns = time[:p].tolist(), nanotime[:p].tolist(), channel[:p].tolist()
    photons = (
        list(zip(*columns, strict=True))
        if mode == "T3"
        else [(t, c) for t, c in zip(columns[0], columns[2], strict=True)]
    )
    markers = list(zip(marker_time[:m].tolist(), marker[:m].tolist(), strict=True))
    assert state[GAPS] == len(gaps)
    return (
        photons, markers, [(gap.start, gap.stop) for gap in gaps],
        *(int(state[column]) for column in (TICKS, INVALID, UNKNOWN, SLIPPED, BACKSTEPS)),
    )  # fmt: skip


def random_records(key, seed, size, share):
    """Records with all fields random; `share` of them with flags."""
    rng = np.random.default_rng(seed)
    if key == "spc600_4096":
        records = rng.integers(0, 1 << 48, size) & ~0xF000
        flags = rng.integers(0, 16, size) << 12
    else:
        records = rng.integers(0, 1 << 28, size)
        flags = rng.integers(0, 16, size) << 28
        records = np.where(flags >> 28 & 13 == 12, records & 0xFFF, records)
    return np.where(rng.random(size) < share, records | flags, records).tolist()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_kernel_equals_naive(key, share):
    records = random_records(key, 7, 5000, share)
    assert fast(records, key) == naive(records, key)
    without = fast(records, key, mode="T2")
    assert without[0] == [(time, channel) for time, _, channel in naive(records, key)[0]]


@pytest.mark.parametrize("key", KEYS)
def test_blocks_do_not_matter(key):
    records = random_records(key, 3, 3000, 0.4)
    whole, one = decoder(key), decoder(key)
    expected = fast(records, key, one=whole)
    assert fast(records, key, range(1, 3000), one) == expected
    np.testing.assert_array_equal(one.steps, whole.steps)
    assert fast(records, key, range(7, 3000, 7)) == expected


def test_a_marker_is_no_photon_and_keeps_its_bits_and_its_overflow():
    records = [0xD0003005, 0x00071009, 0x9000F00A, 0x90000001, 0x10000001]
    photons, markers, _, ticks, _, unknown, *_ = fast(records, "spc130")
    assert photons == [(4096 + 9, 4095 - 7, 1)]
    assert markers == [(4096 + 5, 3), (4096 + 10, 15)]
    assert (ticks, unknown) == (4096, 2)  # no marker bits; mark without invalid


def test_an_overflow_entry_counts_and_an_overflow_bit_adds_one():
    photons, *_ = fast([0xC0000003, 0x00010005, 0x40010006, 0x80010007], "spc130")
    assert [time for time, *_ in photons] == [3 * 4096 + 5, 4 * 4096 + 6]
    photons, *_ = fast([0xC0000002, 0x00000501, 0x40000601], "spc600_256")
    assert [time for time, *_ in photons] == [2 * 131072 + 5, 3 * 131072 + 6]


def test_600_4096_words_are_in_the_vendor_s_order():
    record = int.from_bytes(bytes([0x34, 0x02, 0xAB, 0x07, 0xCD, 0xEF]), "little")
    assert fast([record], "spc600_4096")[0] == [(0xABEFCD, 4095 - 0x234, 7)]
    overflow = int.from_bytes(bytes([0, 0x30, 0, 0, 0, 0]), "little")
    assert fast([overflow, record], "spc600_4096")[0] == [((1 << 24) + 0xABEFCD, 4095 - 0x234, 7)]


def test_a_gap_reaches_from_the_record_before_to_this_one():
    photons, _, gaps, *_ = fast([0x00010010, 0x20010020, 0x00010030], "spc130")
    assert ([time for time, *_ in photons], gaps) == ([16, 32, 48], [(17, 32)])


def test_a_clock_that_overflowed_unseen_in_a_gap_goes_on():
    """Photons were lost, and with them an overflow: time behind the gap must not go back."""
    photons, _, gaps, ticks, _, _, slipped, backsteps = fast([0x00010800, 0x20010020, 0x00010030], "spc130")
    assert [time for time, *_ in photons] == [0x800, 4096 + 0x20, 4096 + 0x30]
    assert (gaps, ticks, slipped, backsteps) == ([(0x801, 4096 + 0x20)], 4096, 1, 0)


def test_a_gap_before_an_overflow_entry_or_an_invalid_record():
    assert fast([0x00010010, 0xE0000002, 0xA0010000], "spc130")[2] == [(17, 8192), (8192, 8192)]


def test_latest_is_the_last_marker():
    state = new_state()
    arrays = (
        np.empty(1, np.int64),
        np.empty(0, np.uint16),
        np.empty(1, np.uint8),
        np.empty(1, np.int64),
        np.empty(1, np.uint8),
    )
    decoder("spc130").decode(raw([0x90001123], "spc130"), *arrays, state)
    assert state[LATEST] == 0x123


def test_photons_that_go_back_are_counted_also_across_blocks():
    records = [0x00010010, 0x00010005, 0x00010004]
    assert fast(records, "spc130")[-1] == fast(records, "spc130", [1, 2])[-1] == 2


def test_absurd_overflows_end_the_decoding_before_int64_does():
    n = 1 << 18
    state, block = new_state(), np.full(n, 0xCFFFFFFF, np.uint32).view(np.uint8)
    arrays = (
        np.empty(n, np.int64),
        np.empty(0, np.uint16),
        np.empty(n, np.uint8),
        np.empty(n, np.int64),
        np.empty(n, np.uint8),
    )
    decoder("spc600_256").decode(block, *arrays, state)
    assert LONGEST < state[TICKS] < np.iinfo(np.int64).max


def test_raw_data_is_read_only_where_both_readings_agree():
    assert fast([0xC0000001, 0x00010005], "spc130", one=decoder("spc130", raw=True))[0] == [(4096 + 5, 4094, 0)]
    with pytest.raises(InputError, match=r"x\.spc: the first record says raw data"):
        fast([0xC0000002], "spc130", one=decoder("spc130", raw=True))


def test_close_photons_of_two_channels_are_counted():
    one = decoder("spc130", near=3, far=40)
    fast([0x00010000, 0x00011003, 0x00011004, 0x00018010, 0x0001001F, 0x00011FFF], "spc130", one=one)
    assert one.steps[1, 0, 1] == 1  # within near
    assert one.steps[0, 1, 8] == one.steps[0, 8, 0] == 1  # within far; the last is beyond
    assert one.steps.sum() == 3


# ---- nanotimes


def test_nanotime_runs_forward():
    assert nanotimes(4096, np.inf, np.inf).tolist() == list(range(4095, -1, -1))
    assert nanotimes(256, np.inf, np.inf).tolist() == list(range(255, -1, -1))


def test_a_tac_range_longer_than_the_laser_period_is_brought_into_it():
    period = 1024.4  # 50 ns range, 80 MHz
    table = nanotimes(4096, period, period)
    adc = np.arange(1024)
    assert (table[:1025] < period).all()
    phase = np.angle(np.exp(2j * np.pi * (table[adc] + adc - 4095) / period)) * period / (2 * np.pi)
    assert np.abs(phase).max() < 1.01  # the same time after the pulse, to one channel
    assert (table[1025:] >= period).all()  # no such time: the next pulse would have come


def test_a_divided_sync_leaves_several_periods_in_the_range():
    table = nanotimes(4096, 1000.0, 4000.0)
    assert table[0] == table[1000] == table[3000] == 95
    assert (table[4000:] >= 1000).all()
