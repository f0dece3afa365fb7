"""Joining files: photons add up, clocks that go on or begin anew, gaps, what does not fit together."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sinks.ptu import PtuWriter
from sources.join import listed, open_source
from sources.reading import run_files
from streamer.batch import analyse, looked_at
from streamer.chunk import Chunk, StreamInfo
from streamer.config import Settings
from streamer.errors import InputError
from streamer.pipeline import Pipeline
from streamer.registry import open_source as open_any

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
T3 = StreamInfo("T3", 1e-7, 6.4e-11, sync_rate_hz=1e7)
T2 = StreamInfo("T2", 1e-12)


def shared(*names):
    paths = [SHARED / name for name in names]
    if not all(path.exists() for path in paths):
        pytest.skip("the shared recordings are not here")
    return paths


def write(path, info=T3, photons=500, seed=1, first=0, days=45000.0, seconds=1.0):
    """A PTU file with a date of its own; its times begin after `first` and its span ends after `seconds`."""
    rng = np.random.default_rng(seed)
    stop = round(seconds / info.tick_s)
    time = np.sort(rng.integers(first, stop, photons))
    nanotime = rng.integers(0, 1500, photons if info.mode == "T3" else 0).astype(np.uint16)
    channel = rng.integers(0, 2, photons).astype(np.uint8)
    with PtuWriter(path, info) as writer:
        writer.write(Chunk(0, stop, time, nanotime, channel, time[:3], np.ones(len(time[:3]), np.uint8)))
    content = path.read_bytes()
    at = content.index(b"File_CreatingTime".ljust(32, b"\0")) + 40
    path.write_bytes(content[:at] + np.array([days], "<f8").tobytes() + content[at + 8 :])
    return time


def collected(source):
    chunks = list(source.chunks())
    for before, after in itertools.pairwise(chunks):
        assert before.stop <= after.start
    for chunk in chunks:
        assert chunk.start <= chunk.stop
        assert not len(chunk.time) or chunk.start <= chunk.time[0] <= chunk.time[-1] < chunk.stop
    holes = [(a.stop, b.start) for a, b in itertools.pairwise(chunks) if a.stop != b.start]
    return np.concatenate([chunk.time for chunk in chunks]), holes, chunks


def address(*paths):
    return ",".join(str(path) for path in paths)


# ---- real files


def test_two_runs_with_one_date_add_up_and_the_warning_says_what_was_done():
    one, two = shared("ht/hh_v2_t2_qd_run0.ht2", "ht/hh_v2_t2_qd_run1.ht2")
    reference = json.loads((SHARED / "reference.json").read_text())
    figures = [reference[f"ht/{path.name}"] for path in (one, two)]
    source = open_source(address(one, two), {})
    assert all(line.startswith((f"{one.name}: ", f"{two.name}: ")) for line in source.info.warnings)
    times, holes, chunks = collected(source)
    counts = np.bincount(np.concatenate([chunk.channel for chunk in chunks]))
    for channel in (0, 1):
        assert counts[channel] == sum(one["photons_per_raw_channel"][str(channel)] for one in figures)
    split = figures[0]["photons_per_raw_channel"]["0"] + figures[0]["photons_per_raw_channel"]["1"]
    assert len(holes) == 1
    assert holes[0][1] - holes[0][0] == round(0.01e12)
    assert times[0] == figures[0]["first_tick"]
    assert times[split - 1] == figures[0]["last_tick"] < holes[0][0]
    assert times[split] - holes[0][1] == figures[1]["first_tick"]
    assert times[-1] - holes[0][1] == figures[1]["last_tick"]
    end = source.end()
    assert end.records == sum(one["records"] for one in figures)
    assert end.reason == "end of file"
    (said,) = [line for line in end.warnings if "follows" in line]
    assert "its clock begins anew, 0.01 s after that one's end" in said
    assert "both headers give the same date" in said
    pattern = open_source(str(one.parent / "hh_v2_t2_qd_run*.ht2"), {})
    np.testing.assert_array_equal(collected(pattern)[0], times)


def test_dates_of_old_headers_give_the_gap():
    """emitter_trace04 and 07 were written 5 minutes apart and last 60 s."""
    one, two = shared("pt3/emitter_trace04.pt3", "pt3/emitter_trace07.pt3")
    assert run_files.date_of(two) - run_files.date_of(one) == 300
    source = open_source(address(one, two), {})
    _, holes, _ = collected(source)
    assert (holes[0][1] - holes[0][0]) * source.info.tick_s == pytest.approx(240, abs=0.1)
    assert any("by the dates in their headers" in line for line in source.end().warnings)


def test_different_laser_rates_and_units_of_real_files_are_refused():
    one, two = shared("ptu/hh2_t3_hbt_80MHz.ptu", "ht/hh_v2_t3_4ch.ht3")
    with pytest.raises(InputError, match=r"hh_v2_t3_4ch.ht3: its ticks last") as error:
        open_source(address(one, two), {})
    assert "\n" not in str(error.value)


# ---- clocks


def test_a_clock_that_goes_on_is_kept_with_a_gap_at_the_seam(tmp_path):
    first = write(tmp_path / "run_2.ptu", seconds=1.0)
    second = write(tmp_path / "run_10.ptu", seed=2, first=10_000_000, seconds=2.0)
    third = write(tmp_path / "run_11.ptu", seed=3, first=20_000_000, seconds=3.0)
    source = open_source(str(tmp_path / "run_*.ptu"), {"chunk_records": "50"})
    times, holes, chunks = collected(source)
    np.testing.assert_array_equal(times, np.concatenate((first, second, third)))
    assert [after for _, after in holes] == [second[0], third[0]]
    assert chunks[0].start == 0
    said = source.end().warnings
    assert [line.split(":")[0] for line in said] == ["run_10.ptu follows run_2.ptu", "run_11.ptu follows run_10.ptu"]
    assert all("taken for the same" in line for line in said)


def test_a_clock_that_goes_on_at_the_very_tick_still_has_a_gap():
    assert run_files.goes_on(100, 0, 100) == (1, 101)
    assert run_files.goes_on(100, 0, 130) == (0, 130)
    assert run_files.goes_on(100, 50, 60) == (50, 110)
    assert run_files.goes_on(100, 0, 99) is None
    assert run_files.begins_anew(100, 7, 0) == (94, 101)


@pytest.mark.parametrize(
    ("options", "days", "gap_s", "words"),
    [
        ({}, 45000.0 + 61 / 86400, 60.0, "by the dates in their headers"),
        ({}, 45000.0, 0.01, "both headers give the same date"),
        ({}, 45000.0 + 0.5 / 86400, 0.01, "leave no time between them"),
        ({}, 44999.0, 0.01, "leave no time between them"),
        ({"gap_s": "3"}, 45009.0, 3.0, "(gap_s)"),
        ({"gap_s": "0"}, 45009.0, 1e-7, "(gap_s)"),
    ],
)
def test_a_clock_that_begins_anew(options, days, gap_s, words, tmp_path):
    first = write(tmp_path / "a.ptu")
    second = write(tmp_path / "b.ptu", seed=2, days=days)
    source = open_source(address(tmp_path / "a.ptu", tmp_path / "b.ptu"), options)
    times, holes, _ = collected(source)
    ((stop, start),) = holes
    np.testing.assert_array_equal(times, np.concatenate((first, second + start)))
    assert (start - stop) * 1e-7 == pytest.approx(
        gap_s, abs=2e-4 if words.startswith("by") else 2e-8
    )  # a span is read back to 0.1 ms
    assert words in source.end().warnings[0]


def test_the_clock_can_be_said(tmp_path):
    write(tmp_path / "a.ptu")
    second = write(tmp_path / "b.ptu", seed=2, first=10_000_000, seconds=2.0)
    where = address(tmp_path / "a.ptu", tmp_path / "b.ptu")
    times, holes, _ = collected(open_source(where, {"clock": "restart", "gap_s": "1"}))
    np.testing.assert_array_equal(times[500:], second + holes[0][1])
    assert collected(open_source(where, {"clock": "continue"}))[1][0][1] == second[0]
    back = open_source(address(tmp_path / "b.ptu", tmp_path / "a.ptu"), {"clock": "continue"})
    with pytest.raises(InputError, match=r"a.ptu: clock=continue: its first tick must not lie before"):
        list(back.chunks())


def test_a_file_without_photons_is_time_and_one_without_records_is_said(tmp_path):
    first = write(tmp_path / "a.ptu")
    write(tmp_path / "b.ptu", photons=0)
    write(tmp_path / "c.ptu", photons=0, seconds=0)
    last = write(tmp_path / "d.ptu", seed=4)
    source = open_source(str(tmp_path / "*.ptu"), {"gap_s": "0.5", "clock": "restart"})
    times, holes, _ = collected(source)
    assert len(holes) == 2
    np.testing.assert_array_equal(times, np.concatenate((first, last + holes[1][1])))
    assert "c.ptu: holds nothing" in source.end().warnings


def test_nothing_is_counted_across_and_live_time_leaves_the_gap_out(tmp_path):
    """A photon in the last tick of one file and one in the first of the next are no pair."""
    for name in ("a.ptu", "b.ptu"):
        with PtuWriter(tmp_path / name, T2) as writer:
            time = np.array([0, 500, 33554432], np.int64)
            writer.write(Chunk(0, 33554433, time, channel=np.array([1, 0, 0], np.uint8)))
    settings = Settings(channels=(0, 1), pairs=((0, 1),), delays_ns={}, look_photons=0)
    where = f"join:{address(tmp_path / 'a.ptu', tmp_path / 'b.ptu')}"
    pipeline = analyse(where, settings, {"gap_s": "0", "clock": "restart"})
    alone = analyse(str(tmp_path / "a.ptu"), settings)
    assert pipeline.gaps == 1
    assert pipeline.live_ticks == 2 * alone.live_ticks
    for name in ("coincidences",):
        for key, table in alone.tables[name].items():
            np.testing.assert_array_equal(pipeline.tables[name][key], 2 * table, err_msg=key)


# ---- one stream


def test_chunks_of_the_files_do_not_matter_and_speed_paces(tmp_path):
    for k in range(3):
        write(tmp_path / f"run{k}.ptu", seed=k, seconds=0.02)
    where = str(tmp_path / "run*.ptu")
    whole = collected(open_source(where, {}))
    small = collected(open_source(where, {"chunk_records": "7"}))
    paced = collected(open_source(where, {"speed": "2"}))
    for other in (small, paced):
        np.testing.assert_array_equal(other[0], whole[0])
        assert other[1] == whole[1]
        assert other[2][-1].stop == whole[2][-1].stop
    assert len(paced[2]) > len(whole[2])


def test_first_look_and_pipeline_work(tmp_path):
    for k in range(2):
        write(tmp_path / f"run{k}.ptu", seed=k)
    where, options = f"join:{tmp_path / 'run*.ptu'}", {"speed": "max"}
    settings = Settings()
    source = looked_at(open_any(where, options), where, options, settings)
    assert set(source.info.look["channels"]) == {"0", "1"}
    pipeline = Pipeline(source.info, settings)
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(source.end())
    account = pipeline.account
    assert account.received == 1000 == account.analysed + account.open + account.outside + account.excluded


def test_stop_ends_it_in_any_file(tmp_path):
    for k in range(3):
        write(tmp_path / f"run{k}.ptu", seed=k)
    source = open_source(str(tmp_path / "run*.ptu"), {"chunk_records": "100"})
    for k, _ in enumerate(source.chunks()):
        if k == 8:
            source.stop("enough")
    assert k <= 9
    end = source.end()
    assert end.reason == "enough"
    assert 0 < end.records < 3 * 500


def test_info_is_that_of_all_files(tmp_path):
    write(tmp_path / "a.ptu")
    other = replace(T3, tick_s=1e-7 * (1 + 2e-5))
    write(tmp_path / "b.ptu", other, seed=2)
    content = (tmp_path / "b.ptu").read_bytes()
    unknown = np.array([0x80000000 | 20 << 25], "<u4").tobytes()
    (tmp_path / "b.ptu").write_bytes(content + unknown + b"\1\2")
    source = open_source(address(tmp_path / "a.ptu", tmp_path / "b.ptu"), {})
    assert source.info.tick_s == 1e-7
    assert source.info.duration_s == pytest.approx(2.0, abs=0.002)
    assert source.info.format == "PTU HydraHarp2T3"
    assert [line.split(":")[0] for line in source.info.warnings] == ["b.ptu", "b.ptu"]
    collected(source)
    said = source.end().warnings
    assert any(line.startswith("b.ptu: its laser period is 20 ppm") for line in said)
    assert any(line.startswith("b.ptu: 1 records are neither photon, marker nor overflow") for line in said)


# ---- refused


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (T2, "its photons are T2, the first file's T3"),
        (replace(T3, tick_s=1.0002e-7), "its ticks last"),
        (replace(T3, resolution_s=3.2e-11), "its nanotimes are in units of"),
    ],
)
def test_files_that_do_not_agree_are_refused_by_name(other, words, tmp_path):
    write(tmp_path / "a.ptu")
    write(tmp_path / "b.ptu", other)
    with pytest.raises(InputError, match=f"b.ptu: {words}"):
        open_source(address(tmp_path / "a.ptu", tmp_path / "b.ptu"), {})


def test_two_kinds_of_clock_are_refused():
    one = replace(T3, pulse_s=1e-8, resolution_s=1e-11)
    assert "counts laser pulses" in run_files.unlike(T3, one)[0]
    assert "its laser period" in run_files.unlike(one, replace(one, pulse_s=1.1e-8))[0]
    assert "its ticks" in run_files.unlike(one, replace(one, tick_s=1e-7 * (1 + 1e-6)))[0]
    assert run_files.unlike(one, one) == ("", "")


@pytest.mark.parametrize(
    ("where", "options", "words"),
    [
        ("", {}, "files must be named"),
        ("{0}/none*.ptu", {}, "no file fits this pattern"),
        ("{0}/a.ptu,{0}/gone.ptu", {}, "gone.ptu: cannot be read"),
        ("{0}/a.ptu,{0}/text.txt", {}, "text.txt: not a recording"),
        ("{0}/a.ptu,{0}/a.ptu", {}, "is named twice"),
        ("{0}/a.ptu,{0}", {}, "is a folder"),
        ("{0}/a.ptu", {"clock": "maybe"}, "clock: must be auto or continue or restart"),
        ("{0}/a.ptu", {"gap_s": "-1"}, "gap_s: must be a number"),
        ("{0}/a.ptu", {"speed": "fast"}, "speed: must be"),
        ("{0}/a.ptu", {"nonsense": "1"}, "nonsense: unknown option"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_sent(where, options, words, tmp_path):
    write(tmp_path / "a.ptu")
    (tmp_path / "text.txt").write_text("no photons " * 100)
    with pytest.raises(InputError, match=words) as error:
        open_source(where.format(tmp_path), options)
    assert "\n" not in str(error.value)


def test_names_are_sorted_naturally_and_lists_keep_their_order(tmp_path):
    for name in ("run_10.ptu", "run_9.ptu", "b,1.ptu"):
        (tmp_path / name).touch()
    assert [Path(one).name for one in listed(f"{tmp_path}/run_*.ptu")] == ["run_9.ptu", "run_10.ptu"]
    assert listed("z.ptu, a.ptu") == ["z.ptu", "a.ptu"]
    assert listed(f"{tmp_path}/b,1.ptu") == [f"{tmp_path}/b,1.ptu"]


def test_a_list_longer_than_a_file_name_may_be(tmp_path):
    names = [f"{tmp_path}/recording_of_a_dot_{number:03d}.ptu" for number in range(20)]
    with pytest.raises(InputError, match="cannot be read"):
        open_source(",".join(names), {})
    assert len(",".join(f"recording_of_a_dot_{number:03d}.ptu" for number in range(20))) > 255
