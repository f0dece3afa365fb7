"""TimeHarp 200 files: the real recording against its reference figures, made ones of both versions, faulty headers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sources.layouts.t3r_records import WRAP
from sources.t3r import open_source, recognise
from streamer.errors import InputError
from tests.sources.picoquant_files import REFERENCE, SHARED, check_reference, fuzz, ht, pt, read, real_files, same, t3r

VALID, OVERFLOW = 1 << 30, 0x0800FFFF


@pytest.fixture
def opened(tmp_path):
    numbers = itertools.count()

    def make(content, **options):
        path = tmp_path / f"run{next(numbers)}"
        path.write_bytes(content)
        return open_source(str(path), options)

    return make


def photon(tag, channel=1000, route=0):
    return VALID | route << 28 | channel << 16 | tag


# ---- the real recording


@real_files(".t3r")
def test_real_file_has_its_reference_figures(name):
    source = open_source(str(SHARED / name), {})
    *_, marker_time, marker = check_reference(name, source, WRAP)
    info = source.info
    assert (info.mode, info.tick_s, info.pulse_known) == ("T3", 1e-7, True)
    assert info.pulse_s == 1 / 4999168
    assert info.sync_rate_hz == 4999168
    assert info.resolution_s == pytest.approx(70.237e-12, rel=1e-5)
    assert info.duration_s == 9.344
    assert (info.doubts, source.end().warnings) == ({}, ())
    assert (info.hardware, info.format) == ("TimeHarp 200 2.4", "T3R TimeHarp200 5.0")
    assert (marker_time.tolist(), marker.tolist()) == ([4], [7])  # the special record at the start


@real_files(".t3r")
def test_stray_byte_behind_the_last_record_is_left_out_with_a_warning(name):
    (line,) = open_source(str(SHARED / name), {}).info.warnings
    assert line == "the file ends within a record: its last 1 byte is left out"


@real_files(".t3r")
def test_nanotimes_run_forward_within_one_period(name):
    source = open_source(str(SHARED / name), {})
    (times, nanotime, channel, _, _), _ = read(source)
    words = np.fromfile(SHARED / name, "<u4", offset=592)
    valid = (words >> 30) & 1 == 1
    stopwatch = ((words[valid] >> 16) & 4095).astype(np.int64)
    assert [stopwatch.min(), stopwatch.max()] == REFERENCE[name]["dtime_min_max"]
    whole = 4095 - stopwatch - nanotime
    assert set(whole) == {0, 2848}  # none or one laser period of 2847.97 channels
    assert nanotime.max() <= source.info.period
    overflows = np.cumsum(~valid & (words >> 27 & 1 == 1))[valid]
    np.testing.assert_array_equal(times, overflows * 65536 + (words[valid] & 0xFFFF))
    assert not channel.any()
    decay = np.bincount(nanotime, minlength=2848)  # rises at once, falls slowly: time runs forward
    peak = int(decay.argmax())
    assert decay[peak : peak + 300].sum() > 5 * np.roll(decay, 300)[peak : peak + 300].sum()


@real_files(".t3r")
def test_chunking_does_not_matter(name):
    path = str(SHARED / name)
    same(read(open_source(path, {"chunk_records": "1009"})), read(open_source(path, {"chunk_records": "1000000"})))


def test_histogram_of_the_same_card_is_refused():
    path = SHARED / "hist/th200_v50.thd"
    if not path.exists():
        pytest.skip("the shared recordings are not here")
    assert recognise(path, path.read_bytes()[:4096])
    with pytest.raises(InputError, match="histogram file, which holds no time tags; record in TTTR mode") as caught:
        open_source(str(path), {})
    assert "\n" not in str(caught.value)


# ---- records of a made file


def test_photons_routes_markers_and_overflows(opened):
    words = [photon(5, 4095), photon(9, 4000, route=3), OVERFLOW, 0x00030007, photon(8, 0, route=1), OVERFLOW]
    source = opened(t3r(words, rate=100))  # a slow laser: nothing to fold
    (times, nanotime, channel, marker_time, marker), stop = read(source)
    assert (times.tolist(), channel.tolist()) == ([5, 9, WRAP + 8], [0, 3, 1])
    assert nanotime.tolist() == [0, 95, 4095]  # 4095 - channel
    assert (marker_time.tolist(), marker.tolist(), stop) == ([WRAP + 7], [3], 2 * WRAP)


def test_version_6(opened):
    words = [photon(5), photon(9, route=2)]
    five, six = opened(t3r(words)), opened(t3r(words, version=b"6.0"))
    same(read(five), read(six))
    assert (six.info.format, six.info.hardware) == ("T3R TimeHarp200 6.0", "TimeHarp 200 2.5")
    assert six.info.resolution_s == five.info.resolution_s
    assert len(t3r(version=b"6.0")) == 640
    assert len(t3r()) == 592


@pytest.mark.parametrize("version", [b"5.0", b"6.0"])
def test_records_begin_behind_the_special_header(opened, version):
    words = [photon(5), photon(9)]
    plain = read(opened(t3r(words)))
    for size in (1, 35, 1000):
        source = opened(t3r(words, version=version, special=b"\x11" * 4 * size))
        same(read(source), plain)
        assert source.info.warnings == ()


def test_unknown_records_are_counted(opened):
    source = opened(t3r([photon(5), 0, 0x00100000]))
    assert len(read(source)[0][0]) == 1
    assert source.end().warnings == ("2 records are neither photon, marker nor overflow and were left out",)


# ---- header against data


def test_without_a_sync_rate_the_laser_period_is_not_known(opened):
    for rate in (0, -1):
        source = opened(t3r([photon(5, 0)], rate=rate))
        info = source.info
        assert (info.pulse_known, info.sync_rate_hz) == (False, None)
        assert info.pulse_s == pytest.approx(4096 * 70e-12)
        assert read(source)[0][1].tolist() == [4095]
        assert f"SyncRate says {rate}" in info.warnings[0]


def test_sync_rate_of_another_run_makes_nanotimes_doubtful(opened):
    rng = np.random.default_rng(1)
    words = [photon(k, int(c)) for k, c in enumerate(rng.integers(300, 3000, 1000))]
    assert opened(t3r(words)).info.warnings == ()  # 2857 channels
    info = opened(t3r(words, rate=10_000_000)).info
    assert info.doubts["nanotimes"] in info.warnings
    assert "of the first 1000 photons lie outside" in info.doubts["nanotimes"]
    few = [photon(k, 1000) for k in range(995)] + [photon(k, 3900) for k in range(995, 1000)]
    info = opened(t3r(few, rate=10_000_000)).info
    assert (len(info.warnings), info.doubts) == (1, {})


def test_another_macro_clock_makes_times_doubtful(opened):
    info = opened(t3r([photon(5)], clock=50)).info
    assert info.tick_s == 5e-8
    assert info.doubts["times"] in info.warnings


@pytest.mark.parametrize("says", [0, -1, 2, 4, 2**31 - 1])
def test_wrong_record_count(opened, says):
    source = opened(t3r([photon(k) for k in range(3)], count=says))
    assert len(read(source)[0][0]) == 3
    (line,) = source.info.warnings
    assert f"NumberOfRecords says {says}" in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"HydraHarp\0" * 100, "must begin with 'TimeHarp 200'"),
        (t3r(mode=0), "no time tags"),
        (t3r(mode=1), "no time tags"),
        (t3r(mode=3), "MeasurementMode: must be 2 .TTTR., got 3"),
        (t3r(version=b"3.0"), "FormatVersion: must be 5.0 or 6.0, got '3.0'"),
        (t3r(bits=16), "BitsPerRecord"),
        (t3r(boards=2), "NumberOfBoards: must be 1, got 2"),
        (t3r(clock=0), "TTTRGlobclock: must be above 0 ns"),
        (t3r(resolution=0.0), "Resolution"),
        (t3r(resolution=float("inf")), "Resolution"),
        (t3r(resolution=float("inf"), rate=0), "Resolution.*macro clock"),
        (t3r(resolution=300.0), "Resolution: must be 0.1 ps to the sync period of 200 ns"),
        (t3r(words_special=-1), "special header"),
        (t3r(words_special=9), "header is cut"),
    ],
)
def test_refused_in_one_line(opened, content, said):
    with pytest.raises(InputError, match=said) as caught:
        opened(content)
    assert "\n" not in str(caught.value)
    assert "run0" in str(caught.value)


@pytest.mark.parametrize("version", [b"5.0", b"6.0"])
def test_every_cut_header_is_refused(opened, version):
    content = t3r([], version=version)
    for length in [*range(1, len(content), 13), len(content) - 1]:
        with pytest.raises(InputError, match=r"header is cut|must begin with|must be 5\.0"):
            opened(content[:length])


def test_times_that_go_back_are_refused_with_their_place(opened):
    with pytest.raises(InputError, match="record 3 of 4"):
        list(opened(t3r([photon(tag) for tag in (5, 9, 7, 10)])).chunks())


def test_recognise():
    assert recognise(None, t3r()[:4096])
    assert recognise(None, t3r(version=b"6.0")[:4096])
    for other in (b"", b"TimeHarp 200", b"TimeHarp 260 P\0\0", pt(), ht()):
        assert not recognise(None, other[:4096])


@pytest.mark.parametrize("version", [b"5.0", b"6.0"])
def test_damage_gives_the_true_beginning_or_one_line(tmp_path, version):
    rng = np.random.default_rng(5)
    words, before = [], 0
    for tag in np.cumsum(rng.integers(0, 20_000, 400)):
        words += [OVERFLOW] * (tag // WRAP - before)
        before = tag // WRAP
        words.append(photon(int(tag % WRAP), int(rng.integers(300, 3000))))
    content = t3r(words, version=version)
    assert 50 < fuzz(open_source, tmp_path, content, seed=5) < 300
