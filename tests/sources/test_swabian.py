"""The Swabian source against a stand-in of the vendor's package: set-up, losses, a device that is gone, recordings."""

from __future__ import annotations

import importlib
import itertools
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sources.devices.tag_acquisition
import sources.devices.tag_source
import sources.devices.tag_spool
from sources.devices.swabian_losses import BROKEN, FULL, OVERFLOW, UNPLACED, Sorter
from sources.devices.tag_passage import Passage
from sources.devices.tag_spool import encoded
from sources.qutag import MAGIC
from sources.qutag import open_source as open_recorded
from sources.reading.events import Gap
from sources.swabian import open_source
from streamer.config import Settings
from streamer.errors import InputError
from streamer.pipeline import Pipeline

STANDIN = Path(__file__).parent / "standin"
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "qutag" / "qutag_hbt_80MHz_sync.qutag"
DEADLINE_S = 20.0
MS = 1_000_000_000  # ps
BEGIN, END, MISSED = 2, 3, 4


def forget():
    for name in [one for one in sys.modules if one.split(".")[0] in ("Swabian", "TimeTagger")]:
        del sys.modules[name]


@pytest.fixture
def package(monkeypatch):
    """The stand-in, with a plan of its own; nothing is open at the end."""
    forget()
    monkeypatch.syspath_prepend(str(STANDIN))
    module = importlib.import_module("Swabian.TimeTagger")
    yield module
    assert module.plan.open == 0
    assert module.plan.logger is None
    forget()


@pytest.fixture
def measure(package, tmp_path):
    """Opens the stand-in."""
    numbers = itertools.count()

    def make(where="", **options):
        spool = tmp_path / f"run{next(numbers)}.qutag"
        return open_source(where, {"channels": "1,2", "spool": str(spool), "duration": "0.1", **options})

    return make


def taken(source):
    """Time and channel of all photons, and the spans that were not watched; the chunks' promises are checked."""
    chunks = list(source.chunks())
    gaps, now = [], chunks[0].start if chunks else 0
    for chunk in chunks:
        if chunk.start != now:
            gaps.append((now, chunk.start))
        now = chunk.stop
        assert not (np.diff(chunk.time) < 0).any()
        if len(chunk.time):
            assert chunk.start <= chunk.time[0]
            assert chunk.time[-1] < chunk.stop
    times = np.concatenate([chunk.time for chunk in chunks]) if chunks else np.empty(0)
    channels = np.concatenate([chunk.channel for chunk in chunks]) if chunks else np.empty(0)
    return times, channels, gaps, sum(chunk.lost for chunk in chunks)


def reads(package, times, channels, size):
    return [package.Read(times[k : k + size], channels[k : k + size]) for k in range(0, len(times), size)]


def tags(count, seed=1, step=100_000):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.integers(1, 2 * step, count)), rng.integers(1, 3, count)


# ---- a measurement


def test_photons_arrive_and_the_recording_has_the_same(package, measure):
    time, channel = tags(20_000)
    package.plan.reads = reads(package, time, channel, 777)
    source = measure()
    info = source.info
    assert (info.mode, info.tick_s, info.live, info.channels, info.duration_s) == ("T2", 1e-12, True, (1, 2), 0.1)
    assert info.hardware == "Time Tagger Ultra 2.17.4.0 1740000ABC"
    live = taken(source)
    np.testing.assert_array_equal(live[0], time)
    np.testing.assert_array_equal(live[1], channel)
    assert live[2:] == ([], 0)
    end = source.end()
    assert (end.reason, end.warnings, end.lost_records) == ("duration reached", (), 0)
    assert Path(info.file).read_bytes()[:40] == MAGIC + bytes(36)
    replayed = taken(open_recorded(info.file, {}))
    np.testing.assert_array_equal(replayed[0], time)
    np.testing.assert_array_equal(replayed[1], channel)
    assert not Path(f"{info.file}.events.txt").exists()


@pytest.mark.skipif(not REAL.exists(), reason="the shared recordings are not here")
def test_real_tags_give_the_tables_of_their_replay(package, measure):
    recorded = taken(open_recorded(str(REAL), {}))
    package.plan.reads = reads(package, recorded[0], recorded[1].astype(np.int32), 5000)
    package.plan.channels = (1, 2, 5)
    package.plan.start = int(recorded[0][0])
    source = measure(channels="1,2,5", duration="0.6")
    settings = Settings(channels=(1, 2), pairs=((1, 2),), delays_ns={}, look_photons=0)
    live = Pipeline(source.info, settings)
    for chunk in source.chunks():
        live.feed(chunk)
    live.finish(source.end())
    recording = open_recorded(source.info.file, {})
    replayed = Pipeline(recording.info, settings)
    for chunk in recording.chunks():
        replayed.feed(chunk)
    replayed.finish(recording.end())
    assert live.received[[1, 2, 5]].tolist() == [79314, 94287, 94200] == replayed.received[[1, 2, 5]].tolist()
    for name, tables in replayed.tables.items():
        for key, table in tables.items():
            np.testing.assert_array_equal(live.tables[name][key], table, err_msg=f"{name}.{key}")


def test_an_idle_device_moves_time(measure):
    source = measure(channels="1", duration="inf")
    chunks = source.chunks()
    begun = time.monotonic()
    now = 0
    while now < 50 * MS:  # nothing comes, but time, and whoever asked is answered
        chunk = next(chunks)
        assert (chunk.start, len(chunk.time)) == (now, 0)
        now = chunk.stop
    assert time.monotonic() < begun + 1
    source.stop("done")
    assert list(chunks) == []
    assert source.end().reason == "done"


def test_silence_after_a_tag_is_watched(package, measure):
    package.plan.reads = [package.Read([5], [1])]
    source = measure(duration="0.3")
    chunks = list(source.chunks())
    assert sum(len(chunk.time) for chunk in chunks) == 1
    assert chunks[0].start == 0
    assert 0.2 < chunks[-1].stop * 1e-12 < 0.4
    assert max(chunk.stop - chunk.start for chunk in chunks[1:]) < 100 * MS


def test_stop_is_obeyed_within_one_read_and_the_recording_is_whole(package, measure):
    counts = []

    def endless(elapsed):
        time = np.arange(len(counts) * MS, (len(counts) + 1) * MS, MS // 100)
        counts.append(len(time))
        return package.Read(time, np.ones(len(time)), now=int(time[-1]) + 1)

    package.plan.source = endless
    source = measure(duration="inf")
    chunks = source.chunks()
    got = 0
    while got < 1000:
        got += len(next(chunks).time)
    read = len(counts)
    source.stop("enough")
    got += sum(len(chunk.time) for chunk in chunks)
    assert len(counts) <= read + 2
    end = source.end()
    assert end.reason == "enough"
    recorded = taken(open_recorded(source.info.file, {}))[0]
    assert len(recorded) == sum(counts) >= got
    assert len(recorded) == got or any("can be replayed" in line for line in end.warnings)


def test_a_slow_consumer_loses_nothing(package, measure):
    time_, channel = tags(300_000, step=1000)
    package.plan.reads = reads(package, time_, channel, 30_000)
    source = measure(duration="0.2")
    chunks = source.chunks()
    first = next(chunks)
    source.acquisition._reader.join(DEADLINE_S)
    source.acquisition._writer.join(DEADLINE_S)
    rest = list(chunks)
    np.testing.assert_array_equal(np.concatenate([chunk.time for chunk in [first, *rest]]), time_)


def test_falling_edges_have_the_number_of_their_input(package, measure):
    package.plan.reads = [package.Read([10, 20, 30], [-2, 1, -2])]
    source = measure(channels="1,-2")
    assert source.info.channels == (1, 2)
    assert any("falling edges are tagged on the inputs 2" in line for line in source.info.warnings)
    assert taken(source)[1].tolist() == [2, 1, 2]


def test_settings_reach_the_device_before_it_measures(package, measure):
    source = measure(
        channels="1,2,-4", trigger_v="0.1,0.2,-0.3", dead_time_ps="12000", delay_ps="0,-250,7", filter="1,2->-4",
        buffer="5000",
    )  # fmt: skip
    package.plan.reads = [package.Read([1], [1])]
    taken(source)
    calls = package.plan.calls
    assert calls == [
        ("setTriggerLevel", 1, 0.1), ("setTriggerLevel", 2, 0.2), ("setTriggerLevel", -4, -0.3),
        ("setDeadtime", 1, 12000), ("setDeadtime", 2, 12000), ("setDeadtime", -4, 12000),
        ("setInputDelay", 1, 0), ("setInputDelay", 2, -250), ("setInputDelay", -4, 7),
        ("setConditionalFilter", [1, 2], [-4]), ("setStreamBlockSize", 131072, 10), ("sync",),
        ("TimeTagStream", 5000, [1, 2, -4]),
    ]  # fmt: skip


def test_a_dead_time_that_the_device_rounds_is_said(measure):
    source = measure(dead_time_ps="10000")
    assert source.info.warnings[0] == "dead_time_ps: the device makes 12000 ps of 10000 ps on channel 1"
    source.close()


def test_the_log_of_the_device_is_told(package, measure):
    package.plan.reads = [
        package.Read([1], [1], log=(30, "calibration\n is old")), package.Read([2], [1], log=(10, "hello")),
        package.Read([3], [1], log=(30, "calibration is old")),
    ]  # fmt: skip
    source = measure()
    taken(source)
    assert source.end().warnings == ("the device warns: calibration is old (2 times)",)


# ---- laser pulses


@pytest.mark.skipif(not REAL.exists(), reason="the shared recordings are not here")
def test_a_live_sync_makes_pulses(package, measure):
    recorded = taken(open_recorded(str(REAL), {}))
    package.plan.reads = reads(package, recorded[0], recorded[1].astype(np.int32), 5000)
    package.plan.channels, package.plan.start = (1, 2, 5), int(recorded[0][0])
    options = {"pulses": "5", "pulse_divider": "8"}
    source = measure(channels="1,2,5", duration="0.6", **options)
    replayed = open_recorded(str(REAL), options)
    assert source.info.mode == "T3"
    assert source.info.channels == (1, 2)
    assert source.info.tick_s == pytest.approx(replayed.info.tick_s, rel=1e-6)
    live, file = list(source.chunks()), list(replayed.chunks())
    np.testing.assert_array_equal(*(np.concatenate([chunk.time for chunk in one]) for one in (live, file)))
    late, early = (np.concatenate([chunk.nanotime for chunk in one]).astype(int) for one in (live, file))
    assert np.abs(late - early).max() <= 2
    assert source.end().reason == "duration reached"


def test_a_silent_sync_is_refused(package, measure, monkeypatch):
    monkeypatch.setattr(sources.devices.tag_source, "SYNC_S", 0.1)
    package.plan.reads = [package.Read([1], [1])]
    with pytest.raises(InputError, match=r"pulses: no tag came on channel 2 within 0.1 s; check laser"):
        measure(pulses="2", duration="inf")


# ---- what is lost


def test_an_overflow_is_a_gap_with_its_missed_tags(package, measure):
    time = [10, 20, 30, 40, 50, 60, 70, 80]
    kind = [0, BEGIN, 0, MISSED, MISSED, END, 0, 0]
    package.plan.reads = [package.Read(time, [1, 0, 1, 1, 2, 0, 2, 1], kind, [0, 0, 0, 7, 5, 0, 0, 0])]
    source = measure()
    photons, _, gaps, lost = taken(source)
    assert photons.tolist() == [10, 70, 80]
    assert gaps == [(20, 60)]
    assert lost == 12
    end = source.end()
    assert f"{OVERFLOW}: 1 gaps, 4e-11 s in all, 12 tags known to be missing" in end.warnings
    assert "1 photons lay in a gap of the recording and were left out" in end.warnings
    assert end.lost_records == 1
    events = Path(f"{source.info.file}.events.txt")
    assert events.read_text().splitlines()[1:] == [f"20 60 12 {OVERFLOW}"]
    assert taken(open_recorded(source.info.file, {}))[0].tolist() == [10, 30, 70, 80]


def test_an_overflow_over_several_reads_is_one_gap(package, measure):
    package.plan.reads = [
        package.Read([10, 20], [1, 0], [0, BEGIN]),
        package.Read([30, 40], [1, 1]),
        package.Read([50, 60], [2, 1], [MISSED, 0], [9, 0]),
        package.Read([70, 80], [0, 1], [END, 0]),
    ]
    photons, _, gaps, lost = taken(measure())
    assert photons.tolist() == [10, 80]
    assert (gaps, lost) == ([(20, 70)], 9)


def spans(losses):
    """Ticks that lie in any gap."""
    return set(itertools.chain.from_iterable(range(loss.gap.start, loss.gap.stop) for loss in losses))


def test_where_the_reads_are_cut_changes_no_loss(package):
    rng = np.random.default_rng(5)
    size = 400
    time = np.cumsum(rng.integers(1, 4, size))
    kind, lossy = np.zeros(size, int), False
    for k in range(size):  # an overflow begins and ends now and then, and counts in between
        draw = rng.random()
        if not lossy and draw < 0.05:
            kind[k], lossy = BEGIN, True
        elif lossy and draw < 0.1:
            kind[k], lossy = END, False
        elif lossy and draw < 0.4:
            kind[k] = MISSED
    missed = np.where(kind == MISSED, rng.integers(1, 9, size), 0)

    def sorted_in(cuts):
        sorter, blocks = Sorter(10_000), []
        for first, last in itertools.pairwise([0, *cuts, size]):
            part = slice(first, last)
            now = int(time[last - 1]) + 1 if last else 0
            read = package.Read(time[part], np.ones(last - first), kind[part], missed[part])
            blocks.append(sorter.sort(package._Buffer(read, now, 10_000), 0))
        return np.concatenate([one.time for one in blocks]), [loss for one in blocks for loss in one.losses]

    whole_time, whole = sorted_in([])
    assert {loss.reason for loss in whole} == {OVERFLOW}
    ends = time[kind == END]
    assert sum(loss.gap.lost for loss in whole) == missed.sum()
    assert [loss.gap.stop for loss in whole][: len(ends)] == ends.tolist()
    for cuts in (range(1, size), sorted(rng.choice(size, 20, replace=False).tolist())):
        cut_time, cut = sorted_in(cuts)
        np.testing.assert_array_equal(cut_time, whole_time)
        assert spans(cut) == spans(whole)
        assert sum(loss.gap.lost for loss in cut) == missed.sum()


@pytest.mark.parametrize("how", [{"overflows": 3}, {"has_overflows": True}])
def test_an_overflow_that_no_tag_tells_of_takes_the_whole_block(package, measure, how):
    package.plan.reads = [
        package.Read([10, 20], [1, 1]), package.Read([30, 40], [1, 1], **how), package.Read([50, 60], [1, 1])
    ]  # fmt: skip
    source = measure()
    photons, _, gaps, _ = taken(source)
    assert photons.tolist() == [10, 20, 50, 60]
    assert gaps == [(21, 41)]
    assert any(line.startswith(f"{UNPLACED}: 1 gaps") for line in source.end().warnings)


def test_a_full_buffer_is_a_gap_up_to_its_read(package, measure):
    time = np.arange(10, 3010)
    package.plan.reads = [
        package.Read(time[:1500], np.ones(1500), now=2500), package.Read(time[2500:], np.ones(500), now=3010)
    ]  # fmt: skip
    source = measure(buffer="1000")
    photons, _, gaps, _ = taken(source)
    assert photons.tolist() == [*range(10, 1010), *range(2510, 3010)]
    assert gaps == [(1010, 2500)]
    assert any(line.startswith(FULL) for line in source.end().warnings)


def test_an_error_of_the_clock_is_a_gap(package, measure):
    package.plan.reads = [package.Read([10, 20, 30], [1, 0, 1], [0, 1, 0])]
    source = measure()
    photons, _, gaps, _ = taken(source)
    assert photons.tolist() == [10, 30]
    assert gaps == [(11, 21)]
    assert any(line.startswith(BROKEN) for line in source.end().warnings)


# ---- tags out of order


def test_a_step_back_is_refused_and_can_be_sorted(package, measure):
    def back():
        package.plan.reads = [package.Read([1000, 5000, 4000, 6000], [1, 2, 1, 2])]

    back()
    source = measure()
    with pytest.raises(InputError, match=r"run0.qutag: record 4 of \d+: times must not go back, got tick 4000 after"):
        taken(source)
    assert "times" not in str(source.end().warnings)
    back()
    assert taken(measure(horizon_ns="10"))[0].tolist() == [1000, 4000, 5000, 6000]
    back()
    source = measure(late="drop")
    assert taken(source)[0].tolist() == [1000, 5000, 6000]
    assert source.end().lost_records == 1


# ---- the device


def test_a_device_that_vanishes_ends_the_stream_with_all_its_tags(package, measure):
    package.plan.reads = [package.Read([10, 20], [1, 1]), package.Read(error="USB connection\nlost")]
    source = measure(duration="inf")
    assert taken(source)[0].tolist() == [10, 20]
    end = source.end()
    assert end.reason == "device: getData: USB connection lost"
    assert "the device failed: getData: USB connection lost; everything it sent before is there" in end.warnings
    assert taken(open_recorded(source.info.file, {}))[0].tolist() == [10, 20]


def test_a_clock_that_stands_still_is_a_device_that_is_gone(package, measure, monkeypatch):
    monkeypatch.setattr(sources.devices.tag_acquisition, "STALL_S", 0.2)
    package.plan.reads = [package.Read([10 * MS, 20 * MS], [1, 1]), package.Read(log=(40, "USB error"), now=21 * MS)]
    package.plan.stalls = True
    source = measure(duration="inf")
    assert taken(source)[0].tolist() == [10 * MS, 20 * MS]
    end = source.end()
    assert end.reason == "device: its clock has stood still for 0.2 s; check power and cable"
    assert "the device warns: USB error" in end.warnings


def test_a_clock_beyond_what_can_be_held_is_said(package, measure):
    package.plan.reads = [package.Read([(1 << 61) + 5], [1])]
    source = measure()
    assert len(taken(source)[0]) == 0
    assert "beyond 27 days; switch it off and on" in source.end().reason


# ---- the recording


class _FullDisk(sources.devices.tag_spool.io.FileIO):
    """A file on a disk that takes 10 kB."""

    def write(self, data):
        room = 10_003 - self.tell()
        if self.mode.startswith("r") or room >= len(data):
            return super().write(data)
        if room > 0:
            return super().write(bytes(data)[:room])
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_and_the_analysis_goes_on(package, measure, monkeypatch):
    monkeypatch.setattr(sources.devices.tag_spool.io, "FileIO", _FullDisk)
    time, channel = tags(30_000, step=1000)
    package.plan.reads = reads(package, time, channel, 500)
    source = measure(duration="0.4")
    np.testing.assert_array_equal(taken(source)[0], time)
    warnings = source.end().warnings
    assert any("the recording is incomplete" in line and "No space left on device" in line for line in warnings)
    recorded = taken(open_recorded(source.info.file, {}))[0]
    np.testing.assert_array_equal(recorded, time[: len(recorded)])
    assert 900 < len(recorded) < 1000


def test_a_spool_that_cannot_be_begun_is_one_line(measure, tmp_path):
    source = measure()
    Path(source.info.file).write_bytes(b"")  # between opening and measuring
    with pytest.raises(InputError, match=r"swabian:: spool: cannot be written .*run0.qutag: File exists"):
        next(source.chunks())


def test_a_spool_that_is_removed_and_cut_is_one_line(package, tmp_path):
    path = tmp_path / "gone.qutag"
    passage = Passage(path, lambda: None, lambda: None)
    passage.extend(3)
    passage.finish()
    with pytest.raises(InputError, match="the spool cannot be read back"):
        passage.fill(memoryview(bytearray(30)))
    path.write_bytes(bytes(50))
    with pytest.raises(InputError, match="became shorter"):
        passage.fill(memoryview(bytearray(30)))
    passage.close()


def test_gaps_come_with_the_records_behind_them(tmp_path):
    path = tmp_path / "some.qutag"
    path.write_bytes(bytes(40) + bytes(range(60)))
    passage = Passage(path, lambda: None, lambda: None)
    room = memoryview(bytearray(30))
    passage.extend(2)
    passage.lose(Gap(1, 2))
    assert (passage.fill(room), passage.gaps) == (20, [])
    passage.extend(4)
    passage.finish()
    assert (passage.fill(room), passage.gaps) == (30, [Gap(1, 2)])
    assert (passage.fill(room), passage.gaps, passage.ended()) == (10, [], True)
    assert passage.fill(room) is None
    passage.close()


def test_records_are_those_of_the_naive_encoder():
    rng = np.random.default_rng(2)
    time, channel = rng.integers(0, 1 << 62, 500), rng.integers(0, 256, 500).astype(np.uint8)
    into = memoryview(bytearray(6000))
    assert encoded(time, channel, into) == 5000
    kind = np.dtype([("time", "<i8"), ("channel", "<i2")])
    np.testing.assert_array_equal(
        np.frombuffer(into[:5000], kind), np.array(list(zip(time, channel.astype(np.int16), strict=True)), kind)
    )
    assert bytes(into[5000:]) == bytes(1000)


# ---- wrong usage


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"channels": ""}, "swabian: channels: must be given, such as channels=1,2; they are the inputs that are read"),
        ({"channels": "1,x"}, "swabian: channels: must be a whole number from -20 to 20, got 'x'"),
        ({"channels": "21"}, "swabian: channels: must be a whole number from -20 to 20, got '21'"),
        (
            {"channels": "1,-1"},
            "swabian: channels: each input may be named once, got 1 twice (both edges of an input would have the same "
            "channel number)",
        ),
        ({"trigger_v": "9"}, "swabian: trigger_v: must be a number from -2.5 to 2.5, got '9'"),
        (
            {"trigger_v": "1,1,1"},
            "swabian: trigger_v: must be one value, or one for each of the 2 channels, got 3",
        ),
        ({"dead_time_ps": "-1"}, "swabian: dead_time_ps: must be a whole number from 0 to 1000000000, got '-1'"),
        ({"buffer": "10"}, "swabian: buffer: must be a whole number from 1000 to 268435455, got '10'"),
        ({"duration": "0"}, "swabian: duration: must be a number from 0.001 to 1e+07, got '0'"),
        ({"late": "keep"}, "swabian: late: must be refuse or drop, got 'keep'"),
        (
            {"filter": "1,2"},
            "swabian: filter: must be the detectors, a colon and the laser, such as filter=1,2:5, got '1,2'",
        ),
        ({"pulses": "3"}, "swabian: pulses: must be one of the channels [1, 2], got 3; add it to channels"),
        (
            {"pulse_divider": "8"},
            "swabian: pulse_divider: needs the channel of the laser sync; give pulses=CHANNEL too",
        ),
        (
            {"spool": "nowhere/run"},
            "swabian: spool: must lie in a folder that exists, got 'nowhere/run'; make the folder",
        ),
    ],
)
def test_wrong_settings_are_one_line_before_the_package_is_loaded(monkeypatch, tmp_path, options, line):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail("the package was loaded"))
    line = line.replace("nowhere/run", str(Path("nowhere/run")))
    with pytest.raises(InputError) as told:
        open_source("", {"channels": "1,2", **options})
    assert str(told.value) == line


def test_an_option_of_other_devices_is_not_known(monkeypatch):
    with pytest.raises(InputError, match="swabian: edge: unknown option"):
        open_source("", {"channels": "1", "edge": "rising"})


def test_an_existing_recording_is_not_written_over(tmp_path):
    there = tmp_path / "run.qutag"
    there.write_bytes(b"precious")
    with pytest.raises(InputError, match="exists already and is not written over"):
        open_source("", {"channels": "1", "spool": str(there)})


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"channels": "1,7"}, r"channels: this device has the channels \[-4, .*, 4\], got 7"),
        ({"filter": "1:9"}, r"filter: this device has the channels .*, got 9"),
        ({"filter": "1:1"}, r"setConditionalFilter: trigger and filtered channels overlap; check the setting"),
    ],
)
def test_what_the_device_does_not_take_is_one_line(package, measure, options, match):
    with pytest.raises(InputError, match=match):
        measure(**options)


def test_a_missing_package_names_the_remedy(monkeypatch, tmp_path):
    forget()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(p for p in sys.path if "standin" not in p)])
    with pytest.raises(InputError) as told:
        open_source("", {"channels": "1"})
    assert str(told.value).startswith(
        "swabian: the vendor's package is not installed; pip install Swabian-TimeTagger, or install"
    )


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            "raise OSError('libTimeTagger.so: cannot open')",
            "TimeTagger cannot be loaded .libTimeTagger.so: cannot open.; ",
        ),
        (
            "import not_there_at_all",
            "TimeTagger cannot be loaded .No module named 'not_there_at_all'.; install it again",
        ),
        ("x = 1", "the module TimeTagger has no createTimeTagger, so it is not the vendor's"),
    ],
)
def test_a_package_that_is_none_is_one_line(monkeypatch, tmp_path, text, match):
    forget()
    (tmp_path / "TimeTagger.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError, match=match):
        open_source("", {"channels": "1", "spool": str(tmp_path / "x")})
    forget()


@pytest.mark.parametrize("version", ["2.8.4", "3.0.0", "unknown"])
def test_a_wrong_version_is_refused(package, measure, version):
    package.plan.version = version
    with pytest.raises(InputError, match=rf"must be version 2.9 or a later 2.x, got '{version}'; install"):
        measure()


def test_no_device_is_one_line(package, measure):
    with pytest.raises(InputError, match=r"no Time Tagger with serial number 42 .*serial numbers found: 1740000ABC"):
        measure("42")
    package.plan.serials = ()
    with pytest.raises(InputError, match=r"no Time Tagger could be opened \(No Time Tagger found. Is it connected\?; "):
        measure()
