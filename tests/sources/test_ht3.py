"""HydraHarp 400 files from before PTU: real recordings, versions 1.0 and 2.0, faulty headers."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import pytest

from sources.ht3 import open_source, recognise
from sources.layouts.ptu_records import RECORD_TYPES
from streamer.errors import InputError
from tests.sources.picoquant_files import REFERENCE, SHARED, check_reference, fuzz, ht, pt, read, real_files, same, t3r

WRAPS = {layout.name: layout.wrap for layout in RECORD_TYPES.values()}
OVERFLOW = 0xFE000000
TEMPLATES = ("ht/hh_v2_t2_qd_run0.ht2", "ht/hh_v2_t2_qd_run1.ht2")


@pytest.fixture
def opened(tmp_path):
    numbers = itertools.count()

    def make(content, **options):
        path = tmp_path / f"run{next(numbers)}"
        path.write_bytes(content)
        return open_source(str(path), options)

    return make


def shared(name):
    if not (SHARED / name).exists():
        pytest.skip("the shared recordings are not here")
    return str(SHARED / name)


# ---- real recordings


@real_files(".ht2", ".ht3")
def test_real_file_has_its_reference_figures(name):
    source = open_source(str(SHARED / name), {})
    figures = REFERENCE[name]
    header = figures["header"]
    _, nanotime, *_ = check_reference(name, source, WRAPS[figures["record_type"]])
    info = source.info
    assert (info.mode, info.doubts) == (figures["mode"], {})
    assert info.sync_rate_hz == header["sync_rate_Hz"]
    assert info.format == f"H{figures['mode']} {figures['record_type']}"
    assert info.source == f"ht3:{info.file}"
    if figures["mode"] == "T3":
        assert info.resolution_s == header["resolution_s"]
        assert [nanotime.min(), nanotime.max()] == figures["dtime_min_max"]
        assert info.tick_s == 1 / header["sync_rate_Hz"]
    wrong_count = header["records"] != figures["records"]
    assert any("NumberOfRecords" in line for line in info.warnings) == wrong_count
    assert len(info.warnings) == wrong_count + (name in TEMPLATES)
    assert len(source.end().warnings) == (figures["sync_records"] > 0)


@real_files(".ht2", ".ht3")
def test_real_file_equals_a_plain_decoding(name):
    (times, nanotime, channel, _, _), _ = read(open_source(str(SHARED / name), {}))
    words = np.fromfile(SHARED / name, "<u4", offset=800).astype(np.int64)
    second, t3 = REFERENCE[name]["record_type"][9] == "2", REFERENCE[name]["mode"] == "T3"
    photon, overflow = words >> 31 == 0, words >> 25 == 127
    count = np.maximum(words & (0x3FF if t3 else 0x1FFFFFF), 1) if second else 1
    wrap = 1024 if t3 else 33554432 if second else 33552000
    base = np.cumsum(np.where(overflow, count * wrap, 0))[photon]
    np.testing.assert_array_equal(times, base + (words[photon] & (0x3FF if t3 else 0x1FFFFFF)))
    np.testing.assert_array_equal(channel, (words[photon] >> 25) & 63)
    if t3:
        np.testing.assert_array_equal(nanotime, (words[photon] >> 10) & 0x7FFF)


def test_version_1_t2_ticks_are_half_a_picosecond():
    source = open_source(shared("ht/hh_v1_t2_head.ht2"), {})
    assert source.info.tick_s == 0.5e-12
    assert read(source)[0][0][-1] * source.info.tick_s == pytest.approx(97.06e-6, rel=1e-3)


def test_sync_events_are_no_photons_unless_asked_for():
    figures = REFERENCE.get("ht/hh_v2_t2_head.ht2", {})
    path = shared("ht/hh_v2_t2_head.ht2")
    source = open_source(path, {})
    assert len(read(source)[0][0]) == 0
    assert source.end().sync_records == figures["sync_records"] == 25
    (times, _, channel, _, _), _ = read(open_source(path, {"sync_channel": "5"}))
    assert [times[0], times[-1]] == figures["sync_first_last_tick"]
    assert (len(times), set(channel)) == (25, {5})
    assert np.diff(times).mean() * 1e-12 == pytest.approx(1e-6, rel=0.01)  # the 1 MHz that the header says


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_header_is_said_and_nothing_taken_from_it(name):
    info = open_source(shared(name), {}).info
    first, second = info.warnings
    assert "another measurement" in first
    assert "NumberOfRecords says 1597208" in second
    assert "may be cut" not in second
    assert (info.sync_rate_hz, info.duration_s) == (None, None)


@pytest.mark.parametrize("name", ["ht/hh_v1_t3_head.ht3", "ht/hh_v1_t2_head.ht2", "ht/hh_v2_t2_head.ht2"])
def test_truncated_file_is_said(name):
    (line,) = open_source(shared(name), {}).info.warnings
    assert f"NumberOfRecords says {REFERENCE[name]['header']['records']}" in line
    assert line.endswith("it may be cut")


@real_files(".ht2", ".ht3")
def test_chunking_does_not_matter(name):
    path = str(SHARED / name)
    same(read(open_source(path, {"chunk_records": "1009"})), read(open_source(path, {"chunk_records": "1000000"})))


# ---- records


def test_overflows_of_both_versions(opened):
    words = [OVERFLOW | 3, 5, OVERFLOW, 6]
    for version, mode, wraps in ((b"1.0", 2, (1, 2)), (b"2.0", 2, (3, 4)), (b"1.0", 3, (1, 2)), (b"2.0", 3, (3, 4))):
        source = opened(ht(words, version=version, mode=mode))
        wrap = WRAPS[source.info.format.split()[1]]
        assert read(source)[0][0].tolist() == [wraps[0] * wrap + 5, wraps[1] * wrap + 6]
        assert source.info.warnings == ()


def test_t3_photons_and_markers(opened):
    words = [2 << 25 | 77 << 10 | 9, 1 << 31 | 5 << 25 | 11, 63 << 25 | 6249 << 10 | 1023]
    (times, nanotime, channel, marker_time, marker), _ = read(opened(ht(words)))
    assert (times.tolist(), nanotime.tolist(), channel.tolist()) == ([9, 1023], [77, 6249], [2, 63])
    assert (marker_time.tolist(), marker.tolist()) == ([11], [5])


@pytest.mark.parametrize("inputs", [1, 2, 4, 8])
def test_records_begin_behind_all_inputs_and_the_special_header(opened, inputs):
    words = [5, 1 << 25 | 77 << 10 | 9]
    plain = read(opened(ht(words)))
    for size in (0, 1, 40, 1000):
        content = ht(words, inputs=inputs, special=b"\x11" * 4 * size)
        assert len(content) == 720 + 20 * inputs + 4 * size + 8
        source = opened(content)
        same(read(source), plain)
        assert source.info.warnings == ()


def test_durations(opened):
    assert opened(ht([5])).info.duration_s == 2.5
    assert opened(ht([5], stopped=0)).info.duration_s == 5.0


# ---- faults that leave the photons sure, or make something doubtful


@pytest.mark.parametrize("says", [0, -1, 2, 4, 72_463_591, 2**62])
def test_wrong_record_count(opened, says):
    source = opened(ht([1, 2, 3], count=says))
    assert len(read(source)[0][0]) == 3
    (line,) = source.info.warnings
    assert f"NumberOfRecords says {says}" in line
    assert "3 records" in line


@pytest.mark.parametrize("left", [1, 2, 3])
def test_partial_last_record(opened, left):
    source = opened(ht([1, 2, 3], tail=b"\7" * left))
    assert len(read(source)[0][0]) == 3
    (line,) = source.info.warnings
    assert f"{left} byte" in line


def test_t2_without_a_sync(opened):
    info = opened(ht([5], mode=2, rate=0)).info
    assert (info.sync_rate_hz, info.warnings, info.doubts) == (None, (), {})


def test_resolution_that_contradicts_the_version_makes_times_doubtful(opened):
    for version, says in ((b"1.0", 1.0), (b"2.0", 0.5), (b"2.0", float("nan"))):
        info = opened(ht([5], mode=2, version=version, resolution=says)).info
        assert set(info.doubts) == {"times"}
        assert info.doubts["times"] in info.warnings
        assert f"Resolution says {says:g} ps" in info.doubts["times"]


def test_template_makes_t3_doubtful(opened):
    info = opened(ht([5], tacq=0, stopped=0)).info
    assert set(info.doubts) == {"times", "nanotimes"}


# ---- what is refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PicoHarp 300\0\0\0\0" * 100, "must begin with 'HydraHarp'"),
        (ht(mode=0), "histogram file, which holds no time tags"),
        (ht(mode=1), "no time tags"),
        (ht(mode=4), "MeasurementMode"),
        (ht(version=b"3.0"), "FormatVersion: must be 1.0 or 2.0, got '3.0'"),
        (ht(bits=16), "BitsPerRecord"),
        (ht(rate=0), "SyncRate: must be above 0 Hz, got 0"),
        (ht(resolution=-1.0), "Resolution"),
        (ht(resolution=1e6), "Resolution: must be 0.1 ps to the sync period of 100 ns"),
        (ht(resolution=float("inf")), "Resolution"),
        (ht(resolution=5e-324), "Resolution"),
        (ht(inputs=0), "InpChansPresent: must be 1 to 8, got 0"),
        (ht(inputs=9), "InpChansPresent"),
        (ht(words_special=-1), "special header"),
        (ht(words_special=2**31 - 1), "special header"),
        (ht(words_special=7), "header is cut"),
    ],
)
def test_refused_in_one_line(opened, content, said):
    with pytest.raises(InputError, match=said) as caught:
        opened(content)
    assert "\n" not in str(caught.value)
    assert "run0" in str(caught.value)


def test_every_cut_header_is_refused(opened):
    content = ht([])
    for length in [*range(1, 800, 13), 799]:
        with pytest.raises(InputError, match=r"header is cut|must begin with|must be 1\.0"):
            opened(content[:length])


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (ht([5], mode=2), {"sync_channel": "256"}, "sync_channel"),
        (ht([5]), {"sync_channel": "1"}, "HydraHarp2T3 records have no sync events"),
        (ht([5]), {"nothing": "1"}, "unknown option"),
    ],
)
def test_options(opened, content, options, said):
    with pytest.raises(InputError, match=said):
        opened(content, **options)


def test_absurd_overflows_are_refused_with_their_place(opened):
    content = ht(np.full(100_000, 0xFFFFFFFF), mode=2)
    with pytest.raises(InputError, match=r"record \d+ of 100000: the overflows add up"):
        list(opened(content).chunks())


def test_recognise():
    assert recognise(None, ht()[:4096])
    assert recognise(None, ht(mode=0)[:4096])
    for other in (b"", b"HydraHarp", b"HydraHarp 500 files", pt(), t3r(), struct.pack("<16s", b"HydraHarp2")):
        assert not recognise(None, other[:4096])


@pytest.mark.parametrize("mode", [2, 3])
@pytest.mark.parametrize("version", [b"1.0", b"2.0"])
def test_damage_gives_the_true_beginning_or_one_line(tmp_path, mode, version):
    rng = np.random.default_rng(mode)
    wrap = 1024 if mode == 3 else 33552000 if version == b"1.0" else 33554432
    words, before = [], 0
    for tag in np.cumsum(rng.integers(0, wrap, 400)):
        words += [OVERFLOW | 1] * (tag // wrap - before)
        before = tag // wrap
        words.append(int(rng.integers(0, 4)) << 25 | int(tag % wrap))
    content = ht(words, mode=mode, version=version)
    assert 50 < fuzz(open_source, tmp_path, content, seed=mode) < 300
