"""PicoHarp 300 files from before PTU: real recordings against their reference figures, both modes, faulty headers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sources.layouts.ptu_records import RECORD_TYPES
from sources.pt3 import open_source, recognise
from streamer.errors import InputError
from tests.sources.picoquant_files import (
    REFERENCE,
    SHARED,
    check_reference,
    fuzz,
    ht,
    pt,
    read,
    real_files,
    records,
    same,
    t3r,
)

T2_WRAP, T3_WRAP = RECORD_TYPES[0x00010203].wrap, RECORD_TYPES[0x00010303].wrap


@pytest.fixture
def opened(tmp_path):
    numbers = itertools.count()

    def make(content, **options):
        path = tmp_path / f"run{next(numbers)}"
        path.write_bytes(content)
        return open_source(str(path), options)

    return make


def t3_word(channel, nanotime, tag):
    return channel << 28 | nanotime << 16 | tag


# ---- real recordings


@real_files(".pt3")
def test_real_file_has_its_reference_figures(name):
    source = open_source(str(SHARED / name), {})
    header = REFERENCE[name]["header"]
    _, nanotime, *_ = check_reference(name, source, T3_WRAP)
    assert [nanotime.min(), nanotime.max()] == REFERENCE[name]["dtime_min_max"]
    info = source.info
    assert (info.warnings, info.doubts, source.end().warnings) == ((), {}, ())
    assert info.sync_rate_hz == header["sync_rate_Hz"]
    assert info.tick_s == 1 / header["sync_rate_Hz"]
    assert info.resolution_s == pytest.approx(header["resolution_s"], rel=1e-6)
    assert info.resolution_s == pytest.approx(4e-12, rel=1e-12)  # what the 32-bit number was written from
    assert info.duration_s == header["acq_ms"] / 1000
    assert (info.mode, info.format, info.channels) == ("T3", "PT3 PicoHarpT3", ())
    assert info.source == f"pt3:{info.file}"


@real_files(".pt3")
def test_real_file_equals_a_plain_decoding(name):
    (times, nanotime, channel, _, _), _ = read(open_source(str(SHARED / name), {}))
    words = np.fromfile(SHARED / name, "<u4", offset=728)
    photon = words >> 28 != 15
    wraps = np.cumsum(~photon)[photon]
    np.testing.assert_array_equal(times, wraps * 65536 + (words[photon] & 0xFFFF))
    np.testing.assert_array_equal(nanotime, (words[photon] >> 16) & 0xFFF)
    np.testing.assert_array_equal(channel, words[photon] >> 28)


@real_files(".pt3")
def test_chunking_does_not_matter(name):
    path = str(SHARED / name)
    same(read(open_source(path, {"chunk_records": "1009"})), read(open_source(path, {"chunk_records": "1000000"})))


# ---- records


def test_padded_strings_as_labview_writes_them(opened):
    info = opened(pt([t3_word(2, 5, 7)], pad=b" ")).info
    assert (info.warnings, info.hardware) == ((), "PicoHarp 300 2.0")


def test_t3_records(opened):
    words = [t3_word(1, 7, 5), 0xF0000000, t3_word(2, 9, 3), 0xF0030000 | 9, t3_word(4, 0xFFF, 65535)]
    source = opened(pt(words, rate=1_000_000))
    (times, nanotime, channel, marker_time, marker), stop = read(source)
    assert times.tolist() == [5, T3_WRAP + 3, T3_WRAP + 65535]
    assert (nanotime.tolist(), channel.tolist()) == ([7, 9, 0xFFF], [1, 2, 4])  # channels as in the record
    assert (marker_time.tolist(), marker.tolist()) == ([T3_WRAP + 9], [3])
    assert stop == 2 * T3_WRAP
    assert source.info.duration_s == 2.5


def test_t2_records(opened):
    words = [5, 1 << 28 | 100, 0xF0000000, 3, 0xF0000000 | 160 | 2, 4 << 28 | 200]
    source = opened(pt(words, mode=2, rate=55970))
    (times, nanotime, channel, marker_time, marker), _ = read(source)
    assert times.tolist() == [5, 100, T2_WRAP + 3, T2_WRAP + 200]
    assert (len(nanotime), channel.tolist()) == (0, [0, 1, 0, 4])
    assert (marker_time.tolist(), marker.tolist()) == ([T2_WRAP + 162], [2])
    info = source.info
    assert (info.mode, info.tick_s, info.resolution_s, info.format) == ("T2", 4e-12, 0.0, "PT2 PicoHarpT2")
    assert info.sync_rate_hz is None  # input 0 is a detector in T2


def test_records_begin_behind_the_special_header(opened):
    words = [t3_word(1, 7, 5), t3_word(2, 9, 6)]
    plain = read(opened(pt(words)))
    for size in (1, 12, 40, 1000):
        source = opened(pt(words, special=b"\x11" * 4 * size))
        same(read(source), plain)
        assert source.info.warnings == ()


def test_unknown_records_are_counted(opened):
    source = opened(pt([t3_word(1, 7, 5), 0xF0100000]))
    assert len(read(source)[0][0]) == 1
    assert "1 records" in source.end().warnings[0]


# ---- faults that leave the photons sure


@pytest.mark.parametrize("says", [0, -1, 2, 4, 2**31 - 1])
def test_wrong_record_count(opened, says):
    source = opened(pt([1 << 28 | k for k in range(3)], count=says))
    assert len(read(source)[0][0]) == 3
    (line,) = source.info.warnings
    assert f"NumberOfRecords says {says}" in line
    assert "3 records" in line
    assert ("may be cut" in line) == (says > 3)


@pytest.mark.parametrize("left", [1, 2, 3])
def test_partial_last_record(opened, left):
    source = opened(pt([1 << 28 | 5], tail=b"\1" * left))
    assert len(read(source)[0][0]) == 1
    (line,) = source.info.warnings
    assert f"{left} byte" in line


def test_no_records(opened):
    source = opened(pt([]))
    assert list(source.chunks()) == []
    assert source.end().records == 0


def test_header_of_another_run_makes_t3_doubtful_and_t2_not(opened):
    info = opened(pt([1 << 28], tacq=0, stopped=0)).info
    assert set(info.doubts) == {"times", "nanotimes"}
    assert "another measurement" in info.warnings[0]
    info = opened(pt([1 << 28], mode=2, tacq=0, stopped=0)).info
    assert info.doubts == {}
    assert "another measurement" in info.warnings[0]
    assert info.duration_s is None
    assert opened(pt([1 << 28], tacq=0)).info.doubts == {}  # it was stopped, so it was a measurement


# ---- what is refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PQTTTR\0\0" * 100, "must begin with 'PicoHarp 300'"),
        (pt(mode=0), "histogram file, which holds no time tags"),
        (pt(mode=7), "MeasurementMode: must be 2 .T2. or 3 .T3., got 7"),
        (pt(version=b"1.0"), "FormatVersion: must be 2.0, got '1.0'"),
        (pt(bits=64), "BitsPerRecord: must be 32"),
        (pt(rate=0), "InputRate0: must be above 0 Hz, got 0"),
        (pt(rate=-5), "InputRate0"),
        (pt(resolution=0.0), "Resolution: must be 0.1 ps to the sync period of 100 ns"),
        (pt(resolution=200.0), "Resolution"),
        (pt(resolution=float("nan")), "Resolution"),
        (pt(resolution=1e-30), "Resolution"),
        (pt(words_special=-1), "special header"),
        (pt(words_special=5000), "special header"),
        (pt(words_special=100), "header is cut"),
    ],
)
def test_refused_in_one_line(opened, content, said):
    with pytest.raises(InputError, match=said) as caught:
        opened(content)
    assert "\n" not in str(caught.value)
    assert "run0" in str(caught.value)


def test_histograms_are_refused_as_such(opened):
    content = pt(mode=0)
    assert recognise(None, content[:4096])
    with pytest.raises(InputError, match="no time tags"):
        opened(content)


def test_every_cut_header_is_refused(opened):
    content = pt([])
    for length in [*range(1, 728, 13), 727]:
        with pytest.raises(InputError, match=r"header is cut|must begin with|must be 2\.0"):
            opened(content[:length])


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "none"), {})
    with pytest.raises(InputError, match="is a directory"):
        open_source(str(tmp_path), {})


def test_times_that_go_back_are_refused_with_their_place(opened):
    with pytest.raises(InputError, match="record 3 of 4"):
        list(opened(pt([t3_word(1, 0, tag) for tag in (5, 9, 7, 10)])).chunks())


def test_there_are_no_sync_events_to_ask_for(opened):
    with pytest.raises(InputError, match="sync_channel: unknown option"):
        opened(pt([5], mode=2), sync_channel="1")


def test_recognise():
    assert recognise(None, pt()[:4096])
    assert recognise(None, pt(pad=b" ")[:4096])
    for other in (b"", b"PicoHarp", b"PicoHarp 300 and more text", ht(), t3r(), b"PQTTTR\0\0" + bytes(100)):
        assert not recognise(None, other[:4096])


@pytest.mark.parametrize("mode", [2, 3])
def test_damage_gives_the_true_beginning_or_one_line(tmp_path, mode):
    rng = np.random.default_rng(mode)
    gaps = np.cumsum(rng.integers(0, 20_000, 400))
    words = [0x10000000 | int(tag) for tag in gaps % 65536] if mode == 3 else [int(tag) for tag in gaps]
    if mode == 3:
        for at in reversed(np.flatnonzero(np.diff(gaps // 65536)) + 1):
            words.insert(int(at), 0xF0000000)
    content = pt([], mode=mode, count=len(words)) + records(words, b"")
    assert 50 < fuzz(open_source, tmp_path, content, seed=mode) < 300
