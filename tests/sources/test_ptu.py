"""The PTU source: real recordings against their reference figures, every record type, faulty files, pacing, memory."""

from __future__ import annotations

import itertools
import json
import logging
import struct
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import ptufile
import pytest

from sources.layouts.ptu_records import RECORD_TYPES
from sources.ptu import open_source
from sources.reading.record_state import TICKS
from sources.reading.recording import CHUNK_RECORDS
from streamer.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
REFERENCE = json.loads((SHARED / "reference.json").read_text()) if (SHARED / "reference.json").exists() else {}
FILES = sorted(name for name in REFERENCE if name.startswith("ptu/"))
real_files = pytest.mark.parametrize(
    "name", FILES or [pytest.param("", marks=pytest.mark.skip("the shared recordings are not here"))]
)

INT, FLOAT, TEXT = 0x10000008, 0x20000008, 0x4001FFFF


def tag(name, value, kind=None, index=-1):
    kind = kind or {int: INT, float: FLOAT, str: TEXT}[type(value)]
    head = struct.pack("<32siI", name.encode(), index, kind)
    if kind == TEXT:
        data = value.encode() + b"\0" * (8 - len(value.encode()) % 8)
        return head + struct.pack("<q", len(data)) + data
    return head + struct.pack("<d" if kind == FLOAT else "<q", value)


def ptu(words=(), code=0x01010304, extra=b"", tail=b"", **tags):
    """A whole PTU file; a tag given as None is left out."""
    known = {
        "Measurement_Mode": int(RECORD_TYPES[code].mode[1]) if code in RECORD_TYPES else 3,
        "HW_Type": "Harp",
        "HW_Version": "9.9",
        "MeasDesc_GlobalResolution": 1e-8,
        "MeasDesc_Resolution": 1e-11,
        "TTResult_SyncRate": 100_000_000,
        "TTResult_NumberOfRecords": len(words),
        "TTResultFormat_TTTRRecType": code,
        "TTResultFormat_BitsPerRecord": 32,
    } | tags
    body = b"".join(tag(name, value) for name, value in known.items() if value is not None)
    end = tag("Header_End", 0, 0xFFFF0008)
    return b"PQTTTR\0\x001.0.00\0\0" + body + extra + end + np.asarray(words, "<u4").tobytes() + tail


@pytest.fixture
def opened(tmp_path):
    """Writes bytes to a file and opens it as a source."""
    numbers = itertools.count()

    def make(content, **options):
        path = tmp_path / f"run{next(numbers)}.ptu"
        path.write_bytes(content)
        return open_source(str(path), options)

    return make


def read(source):
    """Time, nanotime, channel, marker time, marker; and that the chunks keep their promises."""
    chunks = list(source.chunks())
    now = 0
    for chunk in chunks:
        assert chunk.start == now < chunk.stop
        now = chunk.stop
        assert (chunk.time.dtype, chunk.channel.dtype, chunk.nanotime.dtype) == (np.int64, np.uint8, np.uint16)
        assert len(chunk.channel) == len(chunk.time)
        assert len(chunk.nanotime) == (len(chunk.time) if source.info.mode == "T3" else 0)
        if len(chunk.time):
            assert chunk.start <= chunk.time[0]
            assert chunk.time[-1] < chunk.stop
            assert not (np.diff(chunk.time) < 0).any()
        assert (chunk.marker_time < chunk.stop).all()
    columns = ("time", "nanotime", "channel", "marker_time", "marker")
    return tuple(np.concatenate([getattr(c, name) for c in chunks]) if chunks else [] for name in columns), now


def same(one, other):
    assert one[1] == other[1]
    for left, right in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(left, right)


# ---- real recordings


@real_files
def test_real_file_has_its_reference_figures(name):
    figures = REFERENCE[name]
    source = open_source(str(SHARED / name), {})
    info = source.info
    (times, _, channel, _, marker), stop = read(source)
    assert info.warnings == ()
    assert info.format == f"PTU {figures['record_type']}"
    assert info.mode == figures["mode"]
    assert info.tick_s == figures["tick_s"]
    assert info.hardware == f"{figures['header']['HW']} {figures['header']['HW_version']}"
    assert info.sync_rate_hz == (figures["header"]["sync_rate_Hz"] or None)
    assert info.resolution_s == (figures["header"]["resolution_s"] if info.mode == "T3" else 0)
    assert info.channels == ()
    values, counts = np.unique(channel, return_counts=True)
    assert dict(zip(map(str, values), counts, strict=True)) == figures["photons_per_raw_channel"]
    assert (times[0], times[-1]) == (figures["first_tick"], figures["last_tick"])
    assert len(marker) == figures["markers"]
    wrap = next(one.wrap for one in RECORD_TYPES.values() if one.name == figures["record_type"])
    assert source._reader._state[TICKS] == figures["overflow_total"] * wrap
    assert stop >= max(times[-1] + 1, source._reader._state[TICKS])
    end = source.end()
    assert (end.reason, end.records, end.sync_records, end.warnings) == ("end of file", figures["records"], 0, ())


@real_files
def test_real_file_equals_another_reader(name):
    (times, nanotime, channel, marker_time, marker), _ = read(open_source(str(SHARED / name), {}))
    with ptufile.PtuFile(SHARED / name) as other:
        records = other.decode_records()
    photons, markers = records[records["channel"] >= 0], records[records["marker"] > 0]
    np.testing.assert_array_equal(times, photons["time"])
    shifted = 1 if name == "ptu/ph300_t3_image_markers.ptu" else 0  # ptufile numbers PicoHarp T3 channels from 0
    np.testing.assert_array_equal(channel, photons["channel"] + shifted)
    if len(nanotime):
        np.testing.assert_array_equal(nanotime, photons["dtime"])
    np.testing.assert_array_equal(marker_time, markers["time"])
    np.testing.assert_array_equal(marker, markers["marker"])


@real_files
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunking_does_not_matter_on_a_piece_of_a_real_file(name, size, tmp_path):
    with ptufile.PtuFile(SHARED / name) as other:
        length = other.record_offset + 4 * 3000
    piece = tmp_path / "piece.ptu"
    with (SHARED / name).open("rb") as file:
        piece.write_bytes(file.read(length))
    same(read(open_source(str(piece), {"chunk_records": str(size)})), read(open_source(str(piece), {})))


@real_files
def test_chunking_does_not_matter_on_a_whole_real_file(name):
    path = str(SHARED / name)
    same(read(open_source(path, {"chunk_records": "10007"})), read(open_source(path, {"chunk_records": "1000000"})))


# ---- every record type, built from a clock that wraps


def recorded(code, seed, size=400):
    """Words that a device of this type would send, and the photons and markers that they stand for."""
    rng = np.random.default_rng(seed)
    layout, generic = RECORD_TYPES[code], code not in (0x00010203, 0x00010303, 0x00010204, 0x00010304)
    wrap = {0x10203: 210698240, 0x10303: 65536, 0x10204: 33552000, 0x10304: 1024}.get(code)
    wrap = wrap or (33554432 if layout.mode == "T2" else 1024)
    pico = code in (0x00010203, 0x00010303)
    gaps = rng.choice([0, 0, 1, wrap // 7, wrap // 2, 3 * wrap, 40 * wrap], size)
    words, photons, markers, wraps = [], [], [], 0
    for clock in np.cumsum(gaps):
        now = int(clock)
        missing, wraps = now // wrap - wraps, now // wrap
        if generic and missing:
            words.append(0xFE000000 | missing)
        else:
            words += [0xF0000000 if pico else 0xFE000000] * missing
        rest, channel, nanotime = int(now % wrap), int(rng.integers(0, 5)), int(rng.integers(0, 1000))
        if rng.random() < 0.1:
            bits = int(rng.integers(1, 16))
            if code == 0x00010203:  # the marker bits are the last four of the time
                words.append(0xF0000000 | rest - rest % 16 + bits)
            else:
                words.append(0xF0000000 | bits << 16 | rest if pico else 1 << 31 | bits << 25 | rest)
            markers.append((wraps * wrap + (words[-1] & 0xFFFFFFF if code == 0x00010203 else rest), bits))
        else:
            fields = (28, 16) if pico else (25, 10)
            words.append(channel << fields[0] | (nanotime << fields[1] if layout.mode == "T3" else 0) | rest)
            photons.append((now, nanotime, channel))
    return words, photons, markers


@pytest.mark.parametrize("code", RECORD_TYPES, ids=lambda code: RECORD_TYPES[code].name)
def test_every_record_type_in_any_chunking(code, opened):
    words, photons, markers = recorded(code, seed=code)
    content = ptu(words, code)
    first = read(opened(content))
    (times, nanotime, channel, marker_time, marker), stop = first
    assert times.tolist() == [time for time, _, _ in photons]
    assert channel.tolist() == [channel for _, _, channel in photons]
    if RECORD_TYPES[code].mode == "T3":
        assert nanotime.tolist() == [nanotime for _, nanotime, _ in photons]
    assert list(zip(marker_time.tolist(), marker.tolist(), strict=True)) == markers
    assert stop == max(times[-1], marker_time[-1]) + 1
    for size in ("1", "7", "1000"):
        same(read(opened(content, chunk_records=size)), first)


def test_photons_of_one_tick_stay_in_one_chunk(opened):
    words = [5, 5 | 1 << 25, 5 | 2 << 25, 9, 9, 9, 9]
    spans = [(c.start, c.stop, c.time.tolist()) for c in opened(ptu(words), chunk_records="2").chunks()]
    assert spans == [(0, 5, []), (5, 9, [5, 5, 5]), (9, 10, [9, 9, 9, 9])]


def test_overflows_without_photons_move_time(opened):
    chunks = list(opened(ptu([7] + [0xFE000001] * 100), chunk_records="10").chunks())
    assert [c.stop for c in chunks] == [9 * 1024, *range(19 * 1024, 100 * 1024, 10 * 1024), 100 * 1024]
    assert sum(len(c.time) for c in chunks) == 1


def test_marker_may_be_earlier_than_the_photon_before_it(opened):
    (times, _, _, marker_time, _), stop = read(opened(ptu([500, 1 << 31 | 1 << 25 | 400, 600]), chunk_records="1"))
    assert (times.tolist(), marker_time.tolist(), stop) == ([500, 600], [400], 601)


def test_marker_ahead_of_the_photons_waits_for_them(opened):
    content = ptu([500, 1 << 31 | 1 << 25 | 700, 600, 800])
    for size in ("1", "2", "9"):
        (times, _, _, marker_time, _), stop = read(opened(content, chunk_records=size))
        assert (times.tolist(), marker_time.tolist(), stop) == ([500, 600, 800], [700], 801)


def test_chunks_are_not_overwritten_by_later_ones(opened):
    words = [k | (k % 5) << 25 for k in range(1000)]
    chunks = list(opened(ptu(words), chunk_records="100").chunks())
    assert np.concatenate([c.time for c in chunks]).tolist() == list(range(1000))


def test_the_first_photons_can_be_had_without_the_rest(opened):
    source = opened(ptu(range(1000)), chunk_records="100")
    first = list(itertools.islice(source.chunks(), 2))
    assert sum(len(chunk.time) for chunk in first) >= 198


def test_sync_events(opened):
    words = [10, 1 << 31 | 20, 1 << 31 | 30, 1 << 25 | 40]
    source = opened(ptu(words, 0x01010204))
    assert read(source)[0][0].tolist() == [10, 40]
    assert source.end().sync_records == 2
    assert [line for line in source.end().warnings if "sync_channel" in line] == list(source.end().warnings) != []
    source = opened(ptu(words, 0x01010204), sync_channel="5")
    (times, _, channel, _, _), _ = read(source)
    assert (times.tolist(), channel.tolist()) == ([10, 20, 30, 40], [0, 5, 5, 1])
    assert (source.end().sync_records, source.end().warnings) == (0, ())


def test_info(opened):
    info = opened(ptu([1], MeasDesc_AcquisitionTime=5000, TTResult_StopAfter=2500)).info
    assert (info.mode, info.tick_s, info.resolution_s, info.duration_s) == ("T3", 1e-8, 1e-11, 2.5)
    assert (info.hardware, info.sync_rate_hz, info.format) == ("Harp 9.9", 1e8, "PTU HydraHarp2T3")
    assert info.source == f"ptu:{info.file}"
    info = opened(ptu([1], 0x00010207, TTResult_SyncRate=0)).info
    assert (info.mode, info.resolution_s, info.sync_rate_hz, info.duration_s) == ("T2", 0.0, None, None)


# ---- faults that leave the photons sure: one warning, and on


@pytest.mark.parametrize("says", [0, -1, 2, 4, 72_463_591, None])
def test_wrong_record_count(opened, says):
    source = opened(ptu([1, 2, 3], TTResult_NumberOfRecords=says))
    assert len(read(source)[0][0]) == 3
    (line,) = source.info.warnings
    assert "TTResult_NumberOfRecords" in line
    assert "3 records" in line


@pytest.mark.parametrize("bytes_left", [1, 2, 3])
def test_cut_within_a_record(opened, bytes_left):
    source = opened(ptu([1, 2, 3], tail=b"\x07\0\0\0"[:bytes_left]))
    assert read(source)[0][0].tolist() == [1, 2, 3]
    (line,) = source.info.warnings
    assert f"{bytes_left} bytes" in line


def test_no_records(opened):
    source = opened(ptu([]))
    assert list(source.chunks()) == []
    assert source.end().records == 0


def test_file_that_becomes_shorter(opened):
    content = ptu(np.arange(100_000) // 100)
    source = opened(content, chunk_records="10000")
    stream = source.chunks()
    next(stream)
    with Path(source.info.file).open("r+b") as file:
        file.truncate(len(content) - 50_001 * 4 + 2)
    rest = list(stream)
    assert rest[-1].time[-1] == 499
    assert source.end().records == 49_999
    assert any("shorter" in line for line in source.end().warnings)


def test_records_of_no_known_kind(opened):
    source = opened(ptu([1, 1 << 31 | 20 << 25 | 2, 3]))
    assert read(source)[0][0].tolist() == [1, 3]
    (line,) = source.end().warnings
    assert line.startswith("1 records")


def test_odd_header_that_still_says_all(opened, caplog, capfd):
    """As in a real file: lists of tags that are out of order, which ptufile logs as errors."""
    odd = tag("UsrHeadName", "405 nm", index=1) + tag("UsrHeadName", "485 nm", index=3)
    odd += tag("File_Comment", "a") + tag("File_Comment", "b")
    source = opened(ptu([1, 2], extra=odd))
    assert len(read(source)[0][0]) == 2
    assert source.info.warnings == ()
    assert caplog.records == []
    assert capfd.readouterr().err == ""
    assert logging.getLogger("ptufile").propagate
    assert logging.getLogger("ptufile").handlers == []


def test_our_own_notes_are_read_back(opened):
    notes = {"CreatorSW_Name": "streamer", "File_Comment": 'first\ntruth: {"g2": 0.1}', "Streamer_LostRecords": 3}
    info = opened(ptu([1], **notes)).info
    assert info.truth == {"g2": 0.1}
    assert "3 records" in info.warnings[0]
    assert opened(ptu([1], **notes | {"File_Comment": "truth: {"})).info.truth == {}
    assert opened(ptu([1], **notes | {"CreatorSW_Name": "other"})).info.truth == {}


# ---- faults that do not: one line, and no photon


def refused(opened, content, *said, **options):
    with pytest.raises(InputError) as error:
        list(opened(content, **options).chunks())
    line = str(error.value)
    assert "\n" not in line
    assert "run0.ptu" in line
    for part in said:
        assert part in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"hello, world", "is not a PTU file"),
        (b"PQ", "is not a PTU file"),
        (b"PQHISTO\0" + bytes(1000), "histogram"),
        (b"PicoHarp 300\0\0\0\0" + bytes(1000), "export"),
        (b"PQTTTR\0\0", "first tag"),
        (ptu()[:60], "first tag"),
        (ptu()[:300], "cut or damaged"),
        (ptu()[:-48], "cut or damaged"),
        (ptu(extra=struct.pack("<32siIq", b"File_Comment", -1, TEXT, 1 << 62)), "damaged"),
        (ptu(extra=struct.pack("<32siIq", b"File_Comment", -1, TEXT, -1)), "damaged"),
        (ptu(extra=tag("Odd", 1, 0x12345678)), "to its end"),
    ],
)
def test_no_header(opened, content, said):
    refused(opened, content, said)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"TTResultFormat_TTTRRecType": None}, "TTResultFormat_TTTRRecType"),
        ({"TTResultFormat_TTTRRecType": "T3"}, "TTResultFormat_TTTRRecType"),
        ({"Measurement_Mode": 0}, "histogram"),
        ({"Measurement_Mode": 1}, "histogram"),
        ({"Measurement_Mode": 2}, "HydraHarp2T3"),
        ({"MeasDesc_GlobalResolution": None}, "nothing"),
        ({"MeasDesc_GlobalResolution": 0.0}, "positive"),
        ({"MeasDesc_GlobalResolution": -1.0}, "positive"),
        ({"MeasDesc_GlobalResolution": float("nan")}, "nan"),
        ({"MeasDesc_GlobalResolution": float("inf")}, "inf"),
        ({"MeasDesc_Resolution": None}, "MeasDesc_Resolution"),
        ({"MeasDesc_Resolution": 2e-8}, "sync period"),
        ({"MeasDesc_Resolution": 0.0}, "sync period"),
        ({"TTResultFormat_BitsPerRecord": 64}, "32"),
    ],
)
def test_header_that_leaves_photons_in_doubt(opened, tags, said):
    refused(opened, ptu([1], **tags), said)


def test_decisive_tag_said_twice(opened):
    refused(opened, ptu([1], extra=tag("MeasDesc_GlobalResolution", 2e-8)), "MeasDesc_GlobalResolution", "twice")


def test_unknown_record_type(opened):
    refused(opened, ptu([1], 0x00010308), "0x00010308", "0x01010304 HydraHarp2T3", "0x00010203 PicoHarpT2")


def test_no_such_file_and_directory(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "none.ptu"), {})
    with pytest.raises(InputError, match="directory"):
        open_source(str(tmp_path), {})
    with pytest.raises(InputError, match="must be named"):
        open_source("", {})
    with pytest.raises(InputError, match="cannot be read"):
        open_source("a\0b.ptu", {})


@pytest.mark.parametrize("size", ["1", "2", "3", "100", "131072"])
def test_time_that_goes_back_is_refused_with_its_place(opened, size):
    words = [*range(10, 300), 5, *range(300, 400)]
    refused(opened, ptu(words), "record 291 of 391", "got tick 5 after 299", chunk_records=size)


def test_damaged_overflows_are_refused_with_their_place(opened):
    words = [1, *[0xFFFFFFFF] * 5000]
    refused(opened, ptu(words, 0x01010204), "record 2050", "2305843009213693952", chunk_records="3000")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"speed": "fast"}, "speed"),
        ({"speed": "0"}, "speed"),
        ({"speed": "-1"}, "speed"),
        ({"speed": "inf"}, "speed"),
        ({"speed": "nan"}, "speed"),
        ({"chunk_records": "0"}, "chunk_records"),
        ({"chunk_records": "1e6"}, "chunk_records"),
        ({"sync_channel": "256"}, "sync_channel"),
        ({"sync_channel": "-1"}, "sync_channel"),
        ({"sync_channel": "1"}, "no sync events"),
        ({"Speed": "1"}, "did you mean speed.*speed, sync_channel"),
    ],
)
def test_options(opened, options, said):
    with pytest.raises(InputError, match=said):
        opened(ptu([1]), **options)


# ---- pacing, stopping, memory


def test_paced_replay_keeps_time(opened):
    times = np.arange(600) * 10_000
    words, wraps = [], 0
    for now in times:
        words += [0xFE000000 | int(now // 1024 - wraps)] * int(now // 1024 > wraps) + [int(now % 1024)]
        wraps = now // 1024
    words.append(0xFE000000 | 1023)
    words += [0xFE000000 | 1023] * 2  # 31 ms of silence
    content = ptu(words)
    chunks, seen, begin = [], [], time.monotonic()
    for chunk in opened(content, speed="2").chunks():
        seen.append(time.monotonic() - begin)
        chunks.append(chunk)
    np.testing.assert_array_equal(np.concatenate([c.time for c in chunks]), times)
    spans = [(c.stop - c.start) * 1e-8 for c in chunks]
    assert max(spans) <= 0.010 + 1e-8
    assert [c.start for c in chunks] == [0, *(c.stop for c in chunks[:-1])]
    assert all(at >= chunk.stop * 1e-8 / 2 for at, chunk in zip(seen, chunks, strict=True))
    same(read(opened(content, speed="1000")), read(opened(content)))


def test_paced_markers_are_all_there(opened):
    words = [500, 1 << 31 | 1 << 25 | 400, 600, 0xFE0003FF, 1 << 31 | 2 << 25 | 3, 5, 0xFE0003FF, 7]
    for size in ("1", "2", "100"):
        (_, _, _, marker_time, marker), _ = read(opened(ptu(words), speed="10", chunk_records=size))
        assert marker_time.tolist() == [400, 1023 * 1024 + 3]
        assert marker.tolist() == [1, 2]


def test_stop_wakes_a_paced_replay(opened):
    source = opened(ptu([1, 0xFE0003FF, 2]), speed="1e-9")
    got = []
    thread = threading.Thread(target=lambda: got.extend(source.chunks()))
    thread.start()
    source.stop("enough")
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert got == []
    assert source.end().reason == "enough"


def test_stop_ends_at_the_next_chunk(opened):
    source = opened(ptu(range(1000)), chunk_records="100")
    seen = 0
    for _ in source.chunks():
        seen += 1
        source.stop("rule met")
        source.stop("a later reason")
    assert seen == 1
    assert (source.end().reason, source.end().records) == ("rule met", 100)


def test_chunks_may_be_iterated_once(opened):
    source = opened(ptu([1]))
    list(source.chunks())
    with pytest.raises(RuntimeError, match="once"):
        source.chunks()


def test_memory_does_not_grow_with_the_file(opened):
    block = np.arange(1 << 20, dtype=np.uint32) >> 10 | np.uint32(1 << 25)  # in order: 1024 photons a pulse
    block = np.tile(np.append(block, np.uint32(0xFE000001)), 12)
    source = opened(ptu(block))
    del block
    bound = 9 << 20
    assert Path(source.info.file).stat().st_size > 5 * bound
    tracemalloc.start()
    try:
        photons = sum(len(chunk.time) for chunk in source.chunks())
        assert tracemalloc.get_traced_memory()[1] < bound
    finally:
        tracemalloc.stop()
    assert photons == 12 << 20
    assert CHUNK_RECORDS <= 1 << 20


# ---- records behind those that the header promises


@pytest.mark.parametrize("size", [1, 7, 1 << 18])
def test_a_surplus_that_runs_back_is_left_out_and_one_in_order_is_taken(opened, size):
    good = [(1 << 10) | pulse for pulse in range(10, 40)]  # pulses 10 to 39 of channel 0
    garbage = [(2 << 10) | pulse for pulse in (40, 50, 45, 60)]  # the first two would look like photons
    source = opened(ptu([*good, *garbage], TTResult_NumberOfRecords=30), chunk_records=str(size))
    (times, *_), _ = read(source)
    assert times.tolist() == list(range(10, 40))
    assert any("4 records behind the 30 that the header promises run back" in line for line in source.end().warnings)
    source = opened(ptu([*good, *sorted(garbage)], TTResult_NumberOfRecords=30), chunk_records=str(size))
    assert len(read(source)[0][0]) == 34
    assert source.end().records == 34


def test_a_file_that_goes_away_before_it_is_read_is_one_line(opened, tmp_path):
    source = opened(ptu([(1 << 10) | 5]))
    (tmp_path / "run0.ptu").unlink()
    with pytest.raises(InputError, match="cannot be read any more"):
        list(source.chunks())


@pytest.mark.parametrize("size", [1, 99, 100, 101, 1 << 18])
def test_a_late_tag_before_the_surplus_does_not_condemn_it(opened, size):
    words = [(1 << 10) | pulse for pulse in (*range(100, 198), 199, 198, *range(200, 300))]
    source = opened(ptu(words, TTResult_NumberOfRecords=100), chunk_records=str(size), horizon_ns="100")
    assert read(source)[0][0].tolist() == list(range(100, 300))
    assert not any("run back" in line for line in source.end().warnings)
