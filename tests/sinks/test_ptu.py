"""The PTU writer: what it writes is read back by our source, by ptufile and by tttrlib, photon for photon."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import ptufile
import pytest

from sinks.ptu import PtuWriter, encode
from sources.ptu import open_source
from streamer.chunk import Chunk, StreamInfo
from streamer.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
T3 = StreamInfo(mode="T3", tick_s=12.5e-9 + 1e-24, resolution_s=16e-12, hardware="Harp 1.0", sync_rate_hz=80e6)
T2 = StreamInfo(mode="T2", tick_s=1e-12)
INFO = {"T2": T2, "T3": T3}
WRAP = {"T2": 1 << 25, "T3": 1 << 10}
modes = pytest.mark.parametrize("mode", ["T2", "T3"])


def stream(mode, seed, size=2000):
    """A random stream as one chunk: simultaneous photons, runs of overflows, long silence, markers."""
    rng, wrap = np.random.default_rng(seed), WRAP[mode]
    scale = rng.choice([0, 1, wrap // 50, wrap, 100 * wrap, 3000 * wrap], size, p=[0.2, 0.3, 0.4, 0.08, 0.015, 0.005])
    times = np.cumsum(rng.integers(0, scale + 1))
    last = int(times[-1]) if size else 0
    marked = rng.choice(max(last, 1), min(size // 20, max(last, 1)), replace=False) if last < 1 << 40 else times[::20]
    nanotime = rng.integers(0, 1 << 15, size).astype(np.uint16) if mode == "T3" else np.empty(0, np.uint16)
    channel = rng.integers(0, 63, size).astype(np.uint8)
    marks = rng.integers(1, 16, len(marked)).astype(np.uint8)
    return Chunk(0, last + 1, times.astype(np.int64), nanotime, channel, np.sort(marked).astype(np.int64), marks)


def cut(chunk, edges):
    """The same stream in chunks that stop at `edges` and at its end."""
    start = chunk.start
    for stop in [*edges, chunk.stop]:
        photons = slice(*np.searchsorted(chunk.time, (start, stop)))
        marks = slice(*np.searchsorted(chunk.marker_time, (start, stop)))
        yield Chunk(
            start,
            stop,
            chunk.time[photons],
            chunk.nanotime[photons],
            chunk.channel[photons],
            chunk.marker_time[marks],
            chunk.marker[marks],
        )
        start = stop


def write(path, info, chunks, **more):
    with PtuWriter(path, info, **more) as writer:
        for chunk in chunks:
            writer.write(chunk)
    return path


def read(path, **options):
    """All of it as one chunk, and the source."""
    source = open_source(str(path), options)
    chunks = list(source.chunks())
    columns = ("time", "nanotime", "channel", "marker_time", "marker")
    joined = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in columns)
    return Chunk(0, chunks[-1].stop, *joined), source


def assert_same(one, other):
    for name in ("time", "nanotime", "channel", "marker_time", "marker"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.stop == other.stop


def naive_encode(chunk, mode):
    """Records of a stream, one event after the other."""
    bits, wraps, words = (25 if mode == "T2" else 10), 0, []
    events = [(int(time), 0, k) for k, time in enumerate(chunk.marker_time)]
    events += [(int(time), 1, k) for k, time in enumerate(chunk.time)]
    for time, photon, k in sorted(events):
        while time >> bits > wraps:
            count = min((time >> bits) - wraps, 127 if mode == "T2" else 1023)
            words.append(0xFE000000 + count)
            wraps += count
        rest = time % (1 << bits)
        if not photon:
            words.append((1 << 31) + (int(chunk.marker[k]) << 25) + rest)
        elif mode == "T3":
            words.append((int(chunk.channel[k]) << 25) + (int(chunk.nanotime[k]) << 10) + rest)
        else:
            words.append((int(chunk.channel[k]) << 25) + rest)
    return words


@modes
@pytest.mark.parametrize("room", [1, 7, 100_000])
def test_kernel_equals_naive(mode, room):
    chunk, bits = stream(mode, 3, 500), 25 if mode == "T2" else 10
    state, records, words = np.zeros(4, np.int64), np.empty(room, np.uint32), []
    arrays = (chunk.time, chunk.nanotime, chunk.channel, chunk.marker_time, chunk.marker)
    while count := encode(*arrays, bits, records, state):
        words += records[:count].tolist()
    assert words == naive_encode(chunk, mode)
    assert state[:2].tolist() == [len(chunk.time), len(chunk.marker)]
    assert state[3] == 0


@modes
@pytest.mark.parametrize("seed", range(5))
def test_round_trip(mode, seed, tmp_path):
    chunk = stream(mode, seed)
    path = write(tmp_path / "a.ptu", INFO[mode], [chunk])
    for size in ("1", "7", "1000", "131072"):
        back, source = read(path, chunk_records=size)
        assert_same(back, chunk)
    assert source.info.warnings == ()
    assert source.end().warnings == () or mode == "T3"  # the random nanotimes go beyond the period


@modes
@pytest.mark.parametrize("seed", range(3))
def test_bytes_do_not_depend_on_chunking(mode, seed, tmp_path):
    chunk, rng, created = stream(mode, seed), np.random.default_rng(seed), datetime(2024, 2, 29, tzinfo=UTC)
    whole = write(tmp_path / "a.ptu", INFO[mode], [chunk], created=created).read_bytes()
    for pieces in (1, 10, 300):
        edges = np.sort(rng.integers(0, chunk.stop, pieces)).tolist()
        assert write(tmp_path / "b.ptu", INFO[mode], cut(chunk, edges), created=created).read_bytes() == whole


@pytest.mark.skipif(not (SHARED / "ptu").is_dir(), reason="the shared recordings are not here")
@pytest.mark.parametrize("path", sorted((SHARED / "ptu").glob("*.ptu")), ids=lambda path: path.stem)
def test_round_trip_of_a_real_recording(path, tmp_path):
    first, source = read(path, chunk_records="10000")
    copy = write(tmp_path / "a.ptu", source.info, open_source(str(path), {"chunk_records": "3333"}).chunks())
    second, copied = read(copy)
    assert_same(second, replace(first, stop=second.stop))
    last = max(int(first.time[-1]), int(first.marker_time[-1]) if len(first.marker) else 0) + 1
    assert second.stop == max(last, first.stop // WRAP[source.info.mode] * WRAP[source.info.mode])
    assert copied.info.tick_s == source.info.tick_s
    assert copied.info.resolution_s == source.info.resolution_s
    assert copied.info.hardware == source.info.hardware
    assert copied.info.sync_rate_hz == source.info.sync_rate_hz
    assert copied.info.warnings == ()


@modes
def test_opens_in_ptufile(mode, tmp_path):
    chunk = stream(mode, 11)
    with ptufile.PtuFile(write(tmp_path / "a.ptu", INFO[mode], [chunk], comment="Grüße")) as other:
        records = other.decode_records()
        assert other.comment == "Grüße"
        assert other.number_records == len(records)
        assert other.record_type.name == f"HydraHarp2{mode}"
        assert other.global_resolution == INFO[mode].tick_s
        assert str(other)
    photons, markers = records[records["channel"] >= 0], records[records["marker"] > 0]
    np.testing.assert_array_equal(photons["time"], chunk.time)
    np.testing.assert_array_equal(photons["channel"], chunk.channel)
    if mode == "T3":
        np.testing.assert_array_equal(photons["dtime"], chunk.nanotime)
    np.testing.assert_array_equal(markers["time"], chunk.marker_time)
    np.testing.assert_array_equal(markers["marker"], chunk.marker)


@modes
def test_opens_in_tttrlib(mode, tmp_path):
    tttrlib = pytest.importorskip("tttrlib")
    chunk = replace(stream(mode, 12), marker_time=np.empty(0, np.int64), marker=np.empty(0, np.uint8))
    other = tttrlib.TTTR(str(write(tmp_path / "a.ptu", INFO[mode], [chunk], comment="test")), "PTU")
    np.testing.assert_array_equal(other.macro_times, chunk.time)
    np.testing.assert_array_equal(other.routing_channels, chunk.channel)
    if mode == "T3":
        np.testing.assert_array_equal(other.micro_times, chunk.nanotime)
        assert other.header.macro_time_resolution == pytest.approx(T3.tick_s, rel=1e-12)
        assert other.header.micro_time_resolution == pytest.approx(T3.resolution_s, rel=1e-12)


@modes
def test_silence_at_the_end_is_kept(mode, tmp_path):
    wrap = WRAP[mode]
    for wraps in (1, 126, 127, 128, 1022, 1023, 1024, 3 * 1023 + 7):
        chunk = replace(stream(mode, 1, 3), marker_time=np.empty(0, np.int64), marker=np.empty(0, np.uint8))
        path = write(tmp_path / "a.ptu", INFO[mode], [replace(chunk, stop=(wraps + 300) * wrap)])
        assert read(path)[0].stop == (wraps + 300) * wrap
    path = write(tmp_path / "b.ptu", INFO[mode], [Chunk(0, 5 * wrap), Chunk(5 * wrap, 9 * wrap)])
    assert read(path)[0].stop == 9 * wrap


def test_very_long_silence_is_written_in_pieces(tmp_path):
    info = replace(T3, tick_s=1e-8, sync_rate_hz=1e8)
    stop = 200_000 * 1023 * 1024 + 5 * 1024  # more overflow records than the buffer holds
    photon = Chunk(stop, stop + 1, np.array([stop]), np.array([3], np.uint16), np.array([1], np.uint8))
    back, _ = read(write(tmp_path / "a.ptu", info, [Chunk(0, stop), photon]))
    assert (back.time.tolist(), back.nanotime.tolist()) == ([stop], [3])
    assert read(write(tmp_path / "b.ptu", info, [Chunk(0, stop)]))[0].stop == stop


def test_header_says_what_was_written(tmp_path):
    truth = {"emitter": "dot", "g2": [0.1, None], "µ": "λ"}
    info = replace(T3, truth=truth, duration_s=1000.0)
    chunk = Chunk(0, 80_000_000, np.array([5]), np.array([1], np.uint16), np.array([2], np.uint8))
    with PtuWriter(tmp_path / "a.ptu", info, comment="a run\nof two lines") as writer:
        writer.write(chunk)
        begun = ptufile.PtuFile(tmp_path / "a.ptu")
        begun.close()
        assert begun.tags["TTResult_NumberOfRecords"] == 0
        assert begun.tags["MeasDesc_AcquisitionTime"] == 1_000_000
    with ptufile.PtuFile(tmp_path / "a.ptu") as other:
        assert other.tags["TTResult_NumberOfRecords"] == writer.records > 1
        assert other.tags["MeasDesc_AcquisitionTime"] == other.tags["TTResult_StopAfter"] == 1000
        assert other.tags["File_Comment"].startswith("a run\nof two lines\n")
        assert json.loads(other.tags["File_Comment"].split("truth: ")[1]) == truth
        assert (datetime.now() - other.datetime).total_seconds() < 2 * 86400
    back = open_source(str(tmp_path / "a.ptu"), {}).info
    assert (back.truth, back.duration_s, back.hardware) == (truth, 1.0, "Harp 1.0")
    assert back.warnings == ()


def test_gaps_and_losses_are_said(tmp_path):
    chunks = [replace(stream("T3", 1, 10), lost=3)]
    chunks.append(Chunk(chunks[0].stop + 1000, chunks[0].stop + 2000, lost=4))
    (line,) = read(write(tmp_path / "a.ptu", T3, chunks))[1].info.warnings
    assert "7 records" in line
    assert "1000 ticks" in line


def test_markers_beyond_their_chunk_and_late_ones(tmp_path):
    def photon(start, stop, time, marker_time):
        mark = np.array([marker_time], np.int64), np.array([1], np.uint8)
        return Chunk(start, stop, np.array([time]), np.array([0], np.uint16), np.array([0], np.uint8), *mark)

    chunks = [photon(0, 2000, 1500, 5000), photon(2000, 4000, 3000, 2900), photon(4000, 9000, 8000, 2800)]
    with PtuWriter(tmp_path / "a.ptu", T3) as writer:
        for chunk in chunks:
            writer.write(chunk)
    back, _ = read(tmp_path / "a.ptu")
    assert back.time.tolist() == [1500, 3000, 8000]
    assert back.marker_time.tolist() == [2900, 2800, 5000]  # of one wrap, so both are kept as they are
    assert writer.late_markers == 0
    with PtuWriter(tmp_path / "b.ptu", T3) as writer:
        for chunk in [*chunks, photon(9000, 9999, 9500, 100)]:
            writer.write(chunk)
    back, _ = read(tmp_path / "b.ptu")
    assert back.marker_time.tolist() == [2900, 2800, 5000, 7 * 1024]
    assert writer.late_markers == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"channel": np.array([0, 63], np.uint8)}, "channel: a PTU record holds 0 to 62, got 63"),
        ({"nanotime": np.array([0, 32768], np.uint16)}, "nanotime: a PTU record holds 0 to 32767, got 32768"),
        ({"marker_time": np.array([1]), "marker": np.array([16], np.uint8)}, "marker: a PTU record holds 1 to 15"),
        ({"marker_time": np.array([1]), "marker": np.array([0], np.uint8)}, "got 0"),
        ({"marker_time": np.array([1])}, "1 marker times for 0 markers"),
        ({"time": np.array([6, 5])}, "sort the photons"),
        ({"time": np.array([5, 100])}, "got 5 to 100"),
        ({"nanotime": np.empty(0, np.uint16)}, "do not make T3 photons"),
        ({"start": -1}, "in order of time"),
        ({"stop": -1}, "in order of time"),
    ],
)
def test_what_a_record_cannot_hold_is_refused(change, said, tmp_path):
    good = Chunk(0, 100, np.array([5, 6]), np.array([1, 2], np.uint16), np.array([1, 62], np.uint8))
    with PtuWriter(tmp_path / "a.ptu", T3) as writer:
        with pytest.raises(InputError, match=said) as error:
            writer.write(replace(good, **change))
        assert "a.ptu" in str(error.value)
        assert "\n" not in str(error.value)
        writer.write(good)
        with pytest.raises(InputError, match="at or after tick 100"):
            writer.write(good)
    with pytest.raises(ValueError, match="closed"):
        writer.write(good)
    writer.close()
    assert read(tmp_path / "a.ptu")[0].time.tolist() == [5, 6]


def test_what_was_written_before_an_error_stays_readable(tmp_path):
    chunk = stream("T2", 5)

    def interrupted():
        yield chunk
        raise OSError("the other disk is full")

    with pytest.raises(OSError, match="other disk"):
        write(tmp_path / "a.ptu", T2, interrupted())
    back, source = read(tmp_path / "a.ptu")
    assert_same(back, chunk)
    assert source.info.warnings == ()


def test_no_place_to_write(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        PtuWriter(tmp_path / "none" / "a.ptu", T2)


def test_a_clock_that_is_not_the_laser_is_refused(tmp_path):
    info = StreamInfo("T3", 100e-9, 64e-12, pulse_s=200e-9)
    with pytest.raises(InputError, match="100 ns is not the laser"):
        PtuWriter(tmp_path / "run.ptu", info)
    assert not (tmp_path / "run.ptu").exists()
