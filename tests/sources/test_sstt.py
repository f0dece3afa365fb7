"""The SSTT source: built recordings of both versions merged in time, the real channels, cut and damaged files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from sources.layouts.sstt_channels import decode, merge
from sources.sstt import open_source, recognise
from streamer.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "sstt"
real = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared recordings are not here")
HEADINGS = (
    "ChannelID", "Filename", "NumPhotons", "NumOverflows", "Filesize", "HardwareSyncDivider", "AdditionalSyncDivider",
    "TotalSyncDivider", "IsPulsesChannel", "HasPulsesChannel", "CorrespondingPulsesChannel",
)  # fmt: skip


def encoded(times, version=2, extra=()):
    """The bytes of a channel; `extra` are (index, record) to be put in between."""
    bits, size = (46, 6) if version == 2 else (28, 8)
    records, overflows = [], 0
    for time in times:
        if time >> bits > overflows:
            records.append((time >> bits) - overflows << 2 | 1)
            overflows = time >> bits
        rest = time & (1 << bits) - 1
        records.append(rest << 2 if version == 2 else rest << 36 | (rest % 1000) << 2)
    for index, record in sorted(extra, reverse=True):
        records.insert(index, record)
    head = b"SSTT2\0" + b"\xff" * 12 if version == 2 else b""
    return head + b"".join(record.to_bytes(size, "little") for record in records)


def index_text(rows, version=2, unit="1.000000000000000e-012", device="qutag", end="\r\n"):
    """The text of an index with these rows of the channel table."""
    lines = ["Simple Small Time Tagged" + (" (V2)" if version == 2 else ""), "# made by a test", ""]
    if unit is not None:
        lines += ["EXPERIMENT_HEADER", "Time_unit_seconds\tdevice_type\texperiment_start_timestamp_UTC"]
        lines += [f"{unit}\t{device}\t2019-09-02T13:39:24Z", "", ""]
    lines += ["CHANNEL_HEADER", "\t".join(HEADINGS)] + ["\t".join(map(str, row)) + "\t" for row in rows]
    return (end.join(lines) + end).encode()


def written(folder, channels, version=2, promised=None, pulses=(), cut=0, extra=None, **index):
    """A recording in `folder`; `channels` maps numbers to times. Returns the path of its index."""
    rows = []
    for number, times in channels.items():
        content = encoded(times, version, (extra or {}).get(number, ()))
        (folder / f"run.sstt.c{number}").write_bytes(content[: len(content) - cut] if cut else content)
        count = (promised or {}).get(number, len(times))
        divider = 1000 if number in pulses else 1
        rows.append(
            (number, f'"run.sstt.c{number}"', count, 0, len(content), 1, divider, divider, int(number in pulses), 0, 0)
        )
    (folder / "run.sstt").write_bytes(index_text(rows, version, **index))
    return folder / "run.sstt"


def read(source):
    """Time, channel, marker time, marker, joined; and the first chunk's start."""
    chunks = list(source.chunks())
    now = chunks[0].start if chunks else 0
    for chunk in chunks:
        assert chunk.start == now <= chunk.stop
        now = chunk.stop
        assert not len(chunk.time) or (chunk.start <= chunk.time[0] and chunk.time[-1] < chunk.stop)
    columns = ("time", "channel", "marker_time", "marker")
    joined = [np.concatenate([getattr(c, name) for c in chunks]) if chunks else np.empty(0) for name in columns]
    return joined, chunks


def recorded(seed=1, version=2, size=2000):
    """Times of four channels, with many ties, long pauses, overflows of the clock, and one empty channel."""
    rng = np.random.default_rng(seed)
    start = 281 << 46 if version == 2 else 5 << 28
    channels = {}
    for number, share in ((1, 0.01), (3, 1.0), (4, 0.7), (9, 0.0)):
        steps = rng.integers(0, 6, int(size * share))
        steps[rng.random(len(steps)) < 0.002] = (1 << 46 if version == 2 else 1 << 28) * 2 + 5
        channels[number] = (start + np.cumsum(steps)).tolist()
    return channels


def merged(channels):
    """(time, channel) in order of time, ties in the order of the channels."""
    order = {number: place for place, number in enumerate(channels)}
    tags = sorted(((t, order[c], c) for c, times in channels.items() for t in times), key=lambda tag: tag[:2])
    return [tag[0] for tag in tags], [tag[2] for tag in tags]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("size", ["1", "7", "1000", "262144"])
def test_channels_are_merged_in_order_of_time_in_any_chunking(tmp_path, version, size):
    channels = recorded(version=version, size=300 if size == "1" else 2000)
    path = written(tmp_path, channels, version)
    source = open_source(str(path), {"chunk_records": size})
    (time, channel, _, _), chunks = read(source)
    assert (time.tolist(), channel.tolist()) == merged(channels)
    assert chunks[0].start == time[0]
    end = source.end()
    assert (end.reason, end.warnings) == ("end of file", ())
    assert source.info.format == f"SSTT version {version}"
    assert (source.info.tick_s, source.info.hardware, source.info.mode) == (1e-12, "qutag", "T2")


def test_version_1_without_a_unit_takes_that_of_its_library(tmp_path):
    source = open_source(str(written(tmp_path, {1: [5, 900_000_000]}, 1, unit=None)), {})
    assert source.info.tick_s == 81e-12
    (line,) = source.info.warnings
    assert "81 ps" in line
    assert read(source)[0][0].tolist() == [5, 900_000_000]


def test_kernels_equal_plain_loops():
    rng = np.random.default_rng(1)
    for version, per_record, shift, bits in ((2, 3, 2, 46), (1, 4, 36, 28)):
        words = rng.integers(0, 1 << (46 if version == 2 else 61), 5000) << 2
        kinds = rng.random(5000)
        kinds[:2100] = 1.0  # whole blocks without anything but events
        words = np.where(kinds < 0.05, rng.integers(0, 3, 5000) << 2 | 1, np.where(kinds < 0.08, words | 2, words))
        data = b"".join(int(word).to_bytes(2 * per_record, "little") for word in words)
        times, overflows, unknown = [], 0, 0
        for word in words.tolist():
            if word & 3 == 1:
                overflows += word >> 2
            elif word & 3:
                unknown += 1
            else:
                times.append((overflows << bits) + (word >> shift & (1 << bits) - 1))
        newest = np.maximum.accumulate(times)
        backsteps = int((np.array(times[1:]) < newest[:-1]).sum())
        out, state = np.empty(5000, np.int64), np.zeros(5, np.int64)
        n = decode(np.frombuffer(data, np.uint16), per_record, shift, bits, out, state)
        assert out[:n].tolist() == times
        assert state.tolist() == [n, overflows, unknown, max(*times, overflows << bits), backsteps]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 64])
def test_merge_equals_a_sort(channels):
    rng = np.random.default_rng(1)
    time = np.concatenate([np.sort(rng.integers(0, 300, 200)) for _ in range(channels)])
    at, stop = np.arange(0, 200 * channels, 200), np.arange(200, 200 * channels + 1, 200)
    at[-1] += 150
    starts, before = at.copy(), np.where(np.arange(channels) < 2, 251, 250)
    numbers = rng.permutation(256)[:channels].astype(np.uint8)
    expected = sorted((int(t), c) for c in range(channels) for t in time[starts[c] : stop[c]] if t < before[c])
    out, channel, work = np.empty(len(time), np.int64), np.empty(len(time), np.uint8), np.empty(len(time), np.int64)
    n = merge(time, at, stop, before, numbers, out, channel, work)
    assert out[:n].tolist() == [t for t, _ in expected]
    assert channel[:n].tolist() == [numbers[c] for _, c in expected]
    assert all((time[at[c] : stop[c]] >= before[c]).all() for c in range(channels))


def test_events_too_far_apart_are_refused(tmp_path):
    path = written(tmp_path, {1: [5, 1 << 58], 2: [7]})
    with pytest.raises(InputError, match="ticks apart"):
        list(open_source(str(path), {}).chunks())


# ---- the real channels


@real
def test_real_recording_lacks_channels_and_says_which():
    with pytest.raises(InputError, match=r"QD02_r_1\.sstt\.c2, QD02_r_1\.sstt\.c3, QD02_r_1\.sstt\.c4, not there"):
        open_source(str(SHARED / "QD02_r_1.sstt"), {})


@real
@pytest.mark.parametrize("size", ["1", "100", "262144"])
def test_real_channels_that_are_there(size):
    source = open_source(str(SHARED / "QD02_r_1.sstt"), {"missing": "skip", "chunk_records": size})
    (time, channel, _, marker), chunks = read(source)
    assert (len(time), set(channel.tolist()), len(marker)) == (737, {1}, 0)
    assert (time[0], time[-1]) == (19793787996674839, 20094533986176083)  # 300.7 s
    assert chunks[0].start == time[0]
    (line,) = source.info.warnings
    assert "without channel 2, 3, 4" in line
    assert (source.end().records, source.end().warnings) == (737 + 5, ())  # 285 overflows in 5 records


# ---- what the index tells


def test_laser_channel_is_pointed_out_and_its_divider_taken_from_the_index(tmp_path):
    rng = np.random.default_rng(1)
    period = 1_000_000.7
    pulses = np.rint(np.arange(2000) * 1000 * period).astype(int).tolist()
    photons = np.sort(np.rint(rng.integers(0, 1_990_000, 30_000) * period) + rng.integers(0, 100_000, 30_000))
    path = written(tmp_path, {2: pulses, 3: photons.astype(int).tolist()}, pulses=(2,))
    (line,) = open_source(str(path), {}).info.warnings
    assert "--set pulses=2 --set pulse_divider=1000" in line
    for options in ({"pulses": "2"}, {"pulses": "2", "pulse_divider": "1000"}):
        source = open_source(str(path), options)
        assert source.info.warnings == ()
        assert source.info.tick_s == pytest.approx(period * 1e-12, rel=1e-8)
    (time, channel, _, _), chunks = read(source)
    assert len(time) == 30_000
    assert set(channel.tolist()) == {3}
    assert max(chunk.nanotime.max() for chunk in chunks if len(chunk.time)) * source.info.resolution_s < 101e-9
    info = open_source(str(path), {"pulses": "2", "pulse_divider": "1"}).info
    assert "the index says 1000" in info.warnings[0]
    assert "1000 evenly spaced times" in info.doubts["pairs"]


def test_marker_channels_of_a_qutag_are_markers(tmp_path):
    channels = {1: [10, 20, 30], 100: [15], 203: [20, 31], 104: [12]}
    (time, channel, marker_time, marker), _ = read(
        open_source(str(written(tmp_path, channels)), {"chunk_records": "4"})
    )
    assert (time.tolist(), channel.tolist()) == ([10, 12, 20, 30], [1, 104, 1, 1])
    assert (marker_time.tolist(), marker.tolist()) == ([15, 20, 31], [1, 128, 128])
    (time, _, _, marker), _ = read(open_source(str(written(tmp_path, channels, device="other")), {}))
    assert (len(time), len(marker)) == (7, 0)


def test_unix_line_ends(tmp_path):
    assert read(open_source(str(written(tmp_path, {1: [5, 6]}, end="\n")), {}))[0][0].tolist() == [5, 6]


def test_more_events_than_promised_are_read_with_a_warning(tmp_path):
    source = open_source(str(written(tmp_path, {1: [5, 6, 7], 2: [6]}, promised={1: 2})), {})
    assert read(source)[0][0].tolist() == [5, 6, 6, 7]
    (line,) = source.end().warnings
    assert "3 events, though the index says 2" in line


def test_channel_cut_short_ends_the_stream_where_it_ends(tmp_path):
    """Behind the end of a channel that was cut, its silence would be taken for darkness."""
    channels = {1: list(range(0, 1000, 10)), 2: list(range(0, 100_000, 10))}
    path = written(tmp_path, channels, promised={1: 5000})
    for size in ("3", "100", "262144"):
        source = open_source(str(path), {"chunk_records": size})
        (time, _, _, _), chunks = read(source)
        assert len(time) == 200
        assert time[-1] == 990
        assert chunks[-1].stop == 991
        (line,) = source.end().warnings
        assert "has 100 of the 5000 events" in line


def test_cut_within_a_record(tmp_path):
    source = open_source(str(written(tmp_path, {1: [5, 6, 7]}, cut=2)), {})
    assert read(source)[0][0].tolist() == [5, 6]
    lines = source.end().warnings
    assert "last 4 bytes" in lines[0]
    assert "2 of the 3 events" in lines[1]


def test_reserved_records_are_left_out_and_counted(tmp_path):
    source = open_source(str(written(tmp_path, {1: [5, 6, 7]}, extra={1: [(1, 2), (2, 7)]})), {})
    assert read(source)[0][0].tolist() == [5, 6, 7]
    (line,) = source.end().warnings
    assert "2 records are neither" in line


def test_empty_recording(tmp_path):
    source = open_source(str(written(tmp_path, {1: [], 2: []})), {})
    assert sum(len(chunk.time) for chunk in source.chunks()) == 0


def test_time_that_goes_back_within_a_channel_is_refused_with_its_place(tmp_path):
    path = written(tmp_path, {1: [100, 300, 200, 400], 2: [150, 350]})
    with pytest.raises(InputError, match=r"event 3 of channel 1: times must not go back"):
        list(open_source(str(path), {}).chunks())
    (time, _, _, _), _ = read(open_source(str(path), {"horizon_ns": "1"}))
    assert time.tolist() == [100, 150, 200, 300, 350, 400]


# ---- refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"some text\n", "is not an SSTT index"),
        (encoded([1, 2]), "is one channel"),
        (index_text([]), "at least one channel"),
        (index_text([(1, '"a"', 1)]), "must have 11 columns"),
        (index_text([(300, '"a"', *[0] * 9)]), "ChannelID: must be from 0 to 255"),
        (index_text([("x", '"a"', *[0] * 9)]), "ChannelID: must be a whole number"),
        (index_text([(1, '"../a"', *[0] * 9)]), "in the folder of the index"),
        (index_text([(1, '"c:\\a"', *[0] * 9)]), "in the folder of the index"),
        (index_text([(1, '""', *[0] * 9)]), "in the folder of the index"),
        (index_text([(1, '"a"', *[0] * 9), (1, '"b"', *[0] * 9)]), "each channel and file once"),
        (index_text([(1, '"a"', *[0] * 9)], unit=None), "Time_unit_seconds: must be there"),
        (index_text([(1, '"a"', *[0] * 9)], unit="-1"), "Time_unit_seconds: must be a number"),
        (index_text([(1, '"a"', *[0] * 9)], unit="nan"), "Time_unit_seconds: must be a number"),
    ],
)
def test_index_that_leaves_doubt_is_refused(tmp_path, content, said):
    path = tmp_path / "run.sstt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        open_source(str(path), {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"SSTT2\0", b"SSTT1\0" + bytes(12)])
def test_channel_file_without_its_header_is_refused(tmp_path, content):
    path = written(tmp_path, {1: [5, 6]})
    (tmp_path / "run.sstt.c1").write_bytes(content)
    with pytest.raises(InputError, match="must begin with the 18 bytes"):
        open_source(str(path), {})


def test_overflows_beyond_64_bits_are_refused(tmp_path):
    path = written(tmp_path, {1: [5, 6]}, extra={1: [(1, (1 << 46) - 1 << 2 | 1)]})
    with pytest.raises(InputError, match="overflows add up"):
        list(open_source(str(path), {}).chunks())


def test_wrong_options_and_places_are_refused(tmp_path):
    with pytest.raises(InputError, match="missing: must be refuse or skip"):
        open_source(str(written(tmp_path, {1: [5]})), {"missing": "yes"})
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "none.sstt"), {})
    with pytest.raises(InputError, match="cannot be read"):
        open_source(str(tmp_path), {})
    (tmp_path / "run.sstt.c1").unlink()
    with pytest.raises(InputError, match=r"c1, not there; put the channel files beside the index$"):
        open_source(str(tmp_path / "run.sstt"), {"missing": "skip"})


def test_recognised_by_content(tmp_path):
    assert recognise(tmp_path, index_text([]))
    assert recognise(tmp_path, index_text([], 1))
    assert recognise(tmp_path, encoded([1]))
    assert not recognise(tmp_path, b"")
    assert not recognise(tmp_path, b"SSTT")


def test_damaged_files_are_one_line_or_a_stream(tmp_path):
    rng = np.random.default_rng(7)
    channels = {number: times[:60] for number, times in recorded(size=200).items()}
    written(tmp_path, channels)
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for _ in range(300):
        name = rng.choice(sorted(whole))
        content = bytearray(whole[name])
        for _ in range(rng.integers(1, 6)):
            content[rng.integers(len(content))] = rng.integers(256)
        if rng.random() < 0.4:
            del content[int(rng.integers(len(content))) :]
        (tmp_path / name).write_bytes(content)
        lines = []
        try:
            assert sum(len(chunk.time) for chunk in open_source(str(tmp_path / "run.sstt"), {}).chunks()) <= 200
        except InputError as error:
            lines = str(error).splitlines()
        assert len(lines) <= 1
        (tmp_path / name).write_bytes(whole[name])


@real
def test_copy_of_the_real_channel_cut_anywhere_gives_its_true_prefix(tmp_path):
    for name in ("QD02_r_1.sstt", "QD02_r_1.sstt.c1", "QD02_r_1.sstt.c100"):
        shutil.copy(SHARED / name, tmp_path / name)
    whole = (SHARED / "QD02_r_1.sstt.c1").read_bytes()
    (time, _, _, _), _ = read(open_source(str(tmp_path / "QD02_r_1.sstt"), {"missing": "skip"}))
    for size in (18, 23, 24, 30, 1001, 4469):
        (tmp_path / "QD02_r_1.sstt.c1").write_bytes(whole[:size])
        source = open_source(str(tmp_path / "QD02_r_1.sstt"), {"missing": "skip"})
        (cut, _, _, _), _ = read(source)
        np.testing.assert_array_equal(cut, time[: len(cut)])
        assert any("of the 737 events" in line for line in source.end().warnings)
