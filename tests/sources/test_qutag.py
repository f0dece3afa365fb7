"""The quTAG source: the real recording against its reference figures, late tags, markers, faulty files."""

from __future__ import annotations

import itertools
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from sources.qutag import MAGIC, MARKER_BITS, decode, open_source, recognise
from sources.reading.record_state import BACKSTEPS, LATEST, LONGEST, MARKERS, PHOTONS, TICKS, UNKNOWN, new_state
from streamer.batch import analyse
from streamer.config import Settings
from streamer.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
REAL = SHARED / "qutag" / "qutag_hbt_80MHz_sync.qutag"
real = pytest.mark.skipif(not REAL.exists(), reason="the shared recordings are not here")
HEADER = MAGIC + b"\x22\xdd\x28\0" + struct.pack("<IIQ", 8, 0x73, 0) + bytes(range(16))


def records(*tags):
    """Bytes of (time, channel) records."""
    return b"".join(struct.pack("<qh", time, channel) for time, channel in tags)


@pytest.fixture
def opened(tmp_path):
    """Writes bytes to a file and opens it as a source."""
    numbers = itertools.count()

    def make(content, **options):
        path = tmp_path / f"run{next(numbers)}.bin"
        path.write_bytes(content)
        return open_source(str(path), options)

    return make


def read(source):
    """Time, channel, marker time, marker, all joined; and the chunks, whose promises are checked."""
    chunks = list(source.chunks())
    now = chunks[0].start if chunks else 0
    for chunk in chunks:
        assert chunk.start == now <= chunk.stop
        now = chunk.stop
        assert not (np.diff(chunk.time) < 0).any()
        if len(chunk.time):
            assert chunk.start <= chunk.time[0]
            assert chunk.time[-1] < chunk.stop
        assert (chunk.time.dtype, chunk.channel.dtype) == (np.int64, np.uint8)
    columns = ("time", "channel", "marker_time", "marker")
    return tuple(np.concatenate([getattr(c, name) for c in chunks]) if chunks else [] for name in columns), chunks


# ---- the real recording


@real
def test_real_file_has_its_reference_figures():
    figures = json.loads((SHARED / "reference.json").read_text())["qutag/qutag_hbt_80MHz_sync.qutag"]
    source = open_source(str(REAL), {})
    (time, channel, _, marker), chunks = read(source)
    assert (time[0], time[-1]) == (figures["first_tick"], figures["last_tick"])
    values, counts = np.unique(channel, return_counts=True)
    assert dict(zip(map(str, values), counts, strict=True)) == figures["photons_per_raw_channel"]
    assert len(marker) == figures["markers"]
    assert (source.info.mode, source.info.tick_s, source.info.format) == ("T2", 1e-12, "quTAG binary")
    end = source.end()
    assert (end.records, end.lost_records) == (figures["records"], 0)
    late, hint = end.warnings
    assert late == f"{figures['backsteps']} photons came late by less than 1000 ns and were sorted into place"
    assert hint.startswith("channel 5 looks like the laser's sync")

    assert (
        chunks[0].start == figures["first_tick"]
    )  # the three days that the device's clock ran before were not watched


@real
@pytest.mark.parametrize("size", ["1000", "26777"])
def test_late_tags_are_sorted_in_any_chunking(size):
    raw = np.fromfile(REAL, np.dtype([("time", "<i8"), ("channel", "<i2")]), offset=40)
    assert (np.diff(raw["time"]) < 0).sum() == 173
    order = np.argsort(raw["time"], kind="stable")
    (time, channel, _, _), _ = read(open_source(str(REAL), {"chunk_records": size}))
    np.testing.assert_array_equal(time, raw["time"][order])
    np.testing.assert_array_equal(channel, raw["channel"][order])


@real
def test_tags_later_than_the_horizon_are_refused_or_dropped():
    with pytest.raises(InputError, match=r"record .* of 267801.* late"):
        list(open_source(str(REAL), {"horizon_ns": "50"}).chunks())
    list(open_source(str(REAL), {"horizon_ns": "85.919"}).chunks())
    source = open_source(str(REAL), {"horizon_ns": "50", "late": "drop"})
    (time, _, _, _), _ = read(source)
    dropped = 267801 - len(time)
    assert 0 < dropped == source.end().lost_records


@real
def test_pairs_are_those_of_another_program():
    """ETA drops a few pairs; the shared data's README gives our counts and the summed differences between bins."""
    (time, channel, _, _), _ = read(open_source(str(REAL), {}))
    one, two = time[channel == 1], time[channel == 2]
    with np.load(SHARED / "refs" / "eta_qutag_hbt_80MHz_g2.npz") as reference:
        for (a, b), name, total, apart in (((one, two), "hist1", 569, 4), ((two, one), "hist2", 541, 5)):
            low, high = np.searchsorted(b, a, side="right"), np.searchsorted(b, a + 160_000)
            tau = np.concatenate([b[i:j] - t for t, i, j in zip(a, low, high, strict=True) if j > i])
            histogram = np.bincount(tau // 16, minlength=10_000)
            assert histogram.sum() == total
            assert np.abs(histogram - reference[name]).sum() == apart


@real
def test_g2_of_the_real_file_is_that_of_the_reference():
    pipeline = analyse(f"qutag:{REAL}", Settings(channels=(1, 2)))
    g2 = pipeline.summary(pipeline.answers())["g2"]
    assert (g2["central"], g2["verdict"]) == (0, "single")
    assert g2["side_mean"] == pytest.approx(45.6, abs=0.1)
    assert g2["delay_ns"] == pytest.approx(-1.25, abs=0.05)
    assert g2["period_ns"] == pytest.approx(12.4956, abs=0.001)


# ---- records


def naive(data, state):
    photons, markers, last = [], [], None
    for time, channel in struct.iter_unpack("<qh", data):
        if not 0 <= time <= LONGEST or channel < 0:
            state[UNKNOWN] += 1
        elif channel <= 20:
            state[BACKSTEPS] += last is not None and time < last
            photons.append((time, channel))
            last = time
        elif channel == 104:
            state[TICKS] = max(state[TICKS], time)
        elif channel in (100, 101, 102, 103, 200, 201, 202, 203):
            markers.append((time, 1 << (channel % 100) << (4 if channel >= 200 else 0)))
            state[LATEST] = max(state[LATEST], time)
        else:
            state[UNKNOWN] += 1
    state[PHOTONS], state[MARKERS] = len(photons), len(markers)
    return photons, markers


@pytest.mark.parametrize("odd", [0.0, 0.001, 0.5])
def test_kernel_equals_a_plain_loop(odd):
    rng = np.random.default_rng(5)
    n = 6000
    time = np.cumsum(rng.integers(-50, 1000, n))
    time[rng.random(n) < odd / 4] = rng.choice([-1, LONGEST + 1, np.iinfo(np.int64).min])
    channel = rng.integers(0, 21, n)
    strange = rng.random(n) < odd
    channel[strange] = rng.choice(
        [21, 99, 100, 101, 102, 103, 104, 105, 200, 203, 204, 255, 256, -1, -32768, 32767], strange.sum()
    )
    data = records(*zip(time.tolist(), channel.tolist(), strict=True))
    expected = new_state()
    photons, markers = naive(data, expected)
    state = new_state()
    out = np.empty(n, np.int64), np.empty(n, np.uint8), np.empty(n, np.int64), np.empty(n, np.uint8)
    assert decode(np.frombuffer(data, np.uint16), MARKER_BITS, *out, state) == n
    np.testing.assert_array_equal(state, expected)
    assert list(zip(out[0][: len(photons)], out[1][: len(photons)], strict=True)) == photons
    assert list(zip(out[2][: len(markers)], out[3][: len(markers)], strict=True)) == markers


def test_markers_are_kept_and_timer_ticks_move_time(opened):
    content = HEADER + records(
        (5000, 1), (6000, 100), (7000, 203), (8000, 2), (9_000_000_000, 104), (10_000_000_000, 104)
    )
    (time, channel, marker_time, marker), chunks = read(opened(content))
    assert (time.tolist(), channel.tolist()) == ([5000, 8000], [1, 2])
    assert (marker_time.tolist(), marker.tolist()) == ([6000, 7000], [1, 128])
    assert chunks[-1].stop >= 10_000_000_000


def test_channels_that_no_qutag_has_are_left_out_and_counted(opened):
    tags = [(1000 * k, 1 + k % 2) for k in range(1, 1000)]
    source = opened(HEADER + records(*tags, (10**6, -3), (10**6, 300), (10**6, 99), (-5, 1), (10**6 + 1, 1)))
    (time, channel, _, _), _ = read(source)
    assert len(time) == 1000
    assert set(channel.tolist()) == {1, 2}
    (line,) = source.end().warnings
    assert line.startswith("4 records were left out")


def test_raw_file_without_header(opened):
    source = opened(records((5, 0), (7, 4), (9, 20)))
    assert read(source)[0][0].tolist() == [5, 7, 9]
    assert source.info.format == "quTAG raw"


def test_time_base_of_the_older_device(opened):
    assert opened(records((5, 0), (7, 4)), tick_ps="80.955").info.tick_s == pytest.approx(80.955e-12)
    with pytest.raises(InputError, match="tick_ps"):
        opened(records((5, 0)), tick_ps="none")


def test_cut_within_a_record(opened):
    source = opened(HEADER + records((5, 1), (7, 2)) + b"\x01\x02\x03")
    assert read(source)[0][0].tolist() == [5, 7]
    (line,) = source.info.warnings
    assert "3 bytes" in line


def test_no_records(opened):
    source = opened(HEADER)
    assert read(source)[0][0] == []
    assert source.end().records == 0


# ---- recognising, and what is refused


def test_recognised_by_content(tmp_path):
    path = tmp_path / "x"
    many = records(*((10**12 + 1000 * k, k % 5) for k in range(400)))
    assert recognise(path, (HEADER + many)[:4096])
    assert recognise(path, (bytes(40) + many)[:4096])
    assert recognise(path, many[:4096])
    assert not recognise(path, b"")
    assert not recognise(path, bytes(4096))
    assert not recognise(path, np.random.default_rng(1).bytes(4096))
    assert not recognise(path, b"text, of a table\n" * 200)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recordings are not here")
def test_no_other_recording_is_taken_for_a_qutag():
    for path in sorted(SHARED.glob("*/*")):
        with path.open("rb") as file:
            assert recognise(path, file.read(4096)) == (path == REAL), path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (HEADER[:20], "20 of 40 bytes"),
        (HEADER + bytes(range(200)), "5-byte compressed"),
        (b"hello, world, this is no tag at all", "are not quTAG tags"),
    ],
)
def test_refused_in_one_line(opened, content, said):
    with pytest.raises(InputError, match=said) as error:
        opened(content)
    assert "\n" not in str(error.value)


def test_no_such_file_and_directory(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "none"), {})
    with pytest.raises(InputError, match="cannot be read"):
        open_source(str(tmp_path), {})


def test_damaged_files_are_one_line_or_a_stream(opened):
    rng = np.random.default_rng(7)
    whole = bytearray(HEADER + records(*((10**9 + 700 * k, k % 3) for k in range(300))))
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(rng.integers(1, 6)):
            content[rng.integers(len(content))] = rng.integers(256)
        if rng.random() < 0.5:
            del content[int(rng.integers(len(content))) :]
        lines = []
        try:
            source = opened(bytes(content))
            assert sum(len(chunk.time) for chunk in source.chunks()) <= 300
        except InputError as error:
            lines = str(error).splitlines()
        assert len(lines) <= 1
