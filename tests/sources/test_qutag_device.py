"""The quTAG device against a stand-in of the vendor's library compiled from C: calls, losses, a device that is gone."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import sources.devices.tag_acquisition
from benchmarks.standin import compiler
from sources.qutag import open_source as open_recorded
from sources.qutag_device import LOST, OVERWRITTEN, open_source, survey
from streamer.config import Settings
from streamer.errors import InputError
from streamer.pipeline import Pipeline

SOURCE = Path(__file__).parent / "standin" / "tdcbase.c"
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "qutag" / "qutag_hbt_80MHz_sync.qutag"
KIND = np.dtype([("time", "<i8"), ("channel", "<i2")])
MS = 1_000_000_000  # ps
pytestmark = [
    pytest.mark.skipif(compiler() is None, reason="no C compiler for the stand-in"),
    pytest.mark.skipif(os.name == "nt", reason="the stand-in uses the POSIX clock"),
]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Compiles the stand-in, each kind once."""
    folder = tmp_path_factory.mktemp("tdcbase")

    def make(*flags):
        path = folder / f"tdcbase{''.join(flags).lower()}.so"
        if not path.exists():
            command = [str(compiler()), "-O2", "-shared", "-fPIC", *flags, "-o", str(path), str(SOURCE)]
            subprocess.run(command, check=True)
        return path

    return make


@pytest.fixture
def log(libraries):
    """The calls that set something, of the library compiled with these flags."""

    def read(*flags):
        loaded = ctypes.CDLL(str(libraries(*flags)))
        loaded.standin_log.restype = ctypes.c_char_p
        return loaded.standin_log().decode().splitlines()

    return read


@pytest.fixture
def measure(libraries, tmp_path, monkeypatch):
    """Opens the stand-in with these tags and this script."""
    numbers = itertools.count()
    for name in [one for one in os.environ if one.startswith("STANDIN_")]:
        monkeypatch.delenv(name)

    def make(times=(), inputs=(), where="", flags=(), script=None, **options):
        here = tmp_path / f"tags{next(numbers)}.bin"
        here.write_bytes(np.array(list(zip(times, inputs, strict=True)), KIND).tobytes())
        monkeypatch.setenv("STANDIN_TAGS", str(here))
        for name, value in (script or {}).items():
            monkeypatch.setenv(f"STANDIN_{name}", str(value))
        given = {
            "channels": "1,2", "spool": str(here.with_suffix(".qutag")), "duration": "0.1",
            "library": str(libraries(*flags)), **options,
        }  # fmt: skip
        return open_source(where, given)

    return make


def taken(source):
    """Time and channel of all photons, the spans that were not watched, and the chunks."""
    chunks = list(source.chunks())
    gaps, now = [], chunks[0].start if chunks else 0
    for chunk in chunks:
        if chunk.start != now:
            gaps.append((now, chunk.start))
        now = chunk.stop
        assert not (np.diff(chunk.time) < 0).any()
    times = np.concatenate([chunk.time for chunk in chunks]) if chunks else np.empty(0)
    channels = np.concatenate([chunk.channel for chunk in chunks]) if chunks else np.empty(0)
    return times, channels, gaps, chunks


def real_tags():
    tags = np.frombuffer(REAL.read_bytes()[40:], KIND)
    return tags["time"], tags["channel"]


def tags(count, seed=1, step=1_000_000):
    rng = np.random.default_rng(seed)
    return 10**15 + np.cumsum(rng.integers(1, 2 * step, count)), rng.integers(1, 3, count)


# ---- a measurement


@pytest.mark.skipif(not REAL.exists(), reason="the shared recordings are not here")
def test_real_tags_are_sorted_and_give_the_tables_of_the_file(measure):
    source = measure(*real_tags(), channels="1,2,5", duration="0.6", script={"BLOCK": 5000})
    info = source.info
    assert (info.mode, info.tick_s, info.live, info.channels) == ("T2", 1e-12, True, (1, 2, 5))
    assert info.hardware == "quTAG 1.52 T 02 000"
    settings = Settings(channels=(1, 2), pairs=((1, 2),), delays_ns={}, look_photons=0)
    live = Pipeline(info, settings)
    for chunk in source.chunks():
        live.feed(chunk)
    end = source.end()
    live.finish(end)
    assert end.reason == "duration reached"
    late, hint = end.warnings
    assert late == "173 photons came late by less than 1000 ns and were sorted into place"
    assert hint.startswith("channel 5 looks like the laser's sync")
    assert live.received[[1, 2, 5]].tolist() == [79314, 94287, 94200]
    for where in (str(REAL), info.file):
        recording = open_recorded(where, {})
        replayed = Pipeline(recording.info, settings)
        for chunk in recording.chunks():
            replayed.feed(chunk)
        replayed.finish(recording.end())
        assert replayed.received.tolist() == live.received.tolist()
        for name, tables in replayed.tables.items():
            for key, table in tables.items():
                if where == info.file or name.startswith("g2"):  # the file itself ends with its last tag
                    np.testing.assert_array_equal(live.tables[name][key], table, err_msg=f"{name}.{key}")


def test_silence_is_watched_by_the_ticks_of_the_device(measure):
    source = measure([10**15], [1], duration="0.3")
    times, _, gaps, chunks = taken(source)
    assert times.tolist() == [10**15]
    assert gaps == []
    assert 0.2 < (chunks[-1].stop - chunks[0].start) * 1e-12 < 0.4
    assert max(chunk.stop - chunk.start for chunk in chunks) < 100 * MS


def test_stop_is_obeyed_at_once_and_the_recording_is_whole(measure):
    source = measure(*tags(1000), channels="1,2", duration="inf", script={"RATE": 1e5})
    chunks = source.chunks()
    got = 0
    while got < 3000:
        got += len(next(chunks).time)
    begun = time.monotonic()
    source.stop("enough")
    got += sum(len(chunk.time) for chunk in chunks)
    assert time.monotonic() - begun < 0.5
    end = source.end()
    assert end.reason == "enough"
    recorded = taken(open_recorded(source.info.file, {}))[0]
    assert len(recorded) >= got


def test_settings_reach_the_device_before_it_measures(measure, log):
    source = measure(
        *tags(100), channels="1,3,5", trigger_v="0.1,0.2,-0.3", edge="rising,rising,falling", dead_time_ps="10000",
        delay_ps="0,-250,7", buffer="5000",
    )  # fmt: skip
    taken(source)
    calls = log()
    assert calls[: calls.index("freezeBuffers 0") + 1] == [
        "configureSignalConditioning 1 3 1 0.100", "setDeadTime 1 10000", "configureSignalConditioning 3 3 1 0.200",
        "setDeadTime 3 10000", "configureSignalConditioning 0 3 0 -0.300", "setDeadTime 0 10000",
        "setChannelDelays 7 0 0 -250 0", "enableTdcInput 1", "setFiveChannelMode 1", "enableChannels 42",
        "enableMarkers 16", "setTimestampBufferSize 5000", "freezeBuffers 0",
    ]  # fmt: skip
    assert calls[-3:] == ["freezeBuffers 1", "disconnect", "deInit"]


def test_the_library_of_mc_and_hr_numbers_its_inputs_from_zero(measure, log):
    times, channels = tags(500)
    source = measure(times, channels, flags=("-DMANY",), delay_ps="10,20", trigger_v="0.5")
    assert source.info.hardware == "quTAG MC or HR 1.52 T 02 000"
    got = taken(source)
    np.testing.assert_array_equal(got[0], times)
    np.testing.assert_array_equal(got[1], channels)
    calls = log("-DMANY")
    assert {"enableChannels 0 3", "setChannelDelay 1 10", "setChannelDelay 2 20"} <= set(calls)
    assert "configureSignalConditioning 2 3 1 0.500" in calls
    with pytest.raises(InputError, match="dead_time_ps: this device's library has none to set; leave it out"):
        measure(flags=("-DMANY",), dead_time_ps="1")
    with pytest.raises(
        InputError, match=r"TDC_setChannelDelay: Parameter in function call is out of range \(10\); check"
    ):
        measure(flags=("-DMANY",), delay_ps="90000")


def test_tags_of_another_channel_are_told(measure, libraries):
    source = measure(*tags(10), channels="1,2")
    source._reader._acquisition._device.channels = (1,)  # as if the device numbered its channels otherwise
    assert len(taken(source)[0]) == 10
    count = int((tags(10)[1] == 2).sum())
    assert f"{count} tags came on channel 2, which is not one of `channels`" in source.end().warnings


def test_another_time_base_is_said(measure):
    source = measure(*tags(10), script={"TIMEBASE": 80.955e-12})
    assert source.info.tick_s == pytest.approx(80.955e-12)
    assert source.info.warnings == ("the time base is 80.955 ps; replay with tick_ps=80.955",)
    source.close()


def test_a_device_without_ticks_is_said(measure):
    times, channels = tags(50)
    source = measure(times, channels, script={"NO_MARKERS": 1})
    assert "no millisecond ticks, so time moves on with tags only" in source.info.warnings[0]
    np.testing.assert_array_equal(taken(source)[0], times)


@pytest.mark.skipif(not REAL.exists(), reason="the shared recordings are not here")
def test_a_live_sync_makes_pulses(measure):
    options = {"pulses": "5", "pulse_divider": "8"}
    source = measure(*real_tags(), channels="1,2,5", duration="0.6", script={"BLOCK": 5000}, **options)
    recording = open_recorded(str(REAL), options)
    assert (source.info.mode, source.info.channels) == ("T3", (1, 2))
    live, file = (np.concatenate([chunk.time for chunk in one.chunks()]) for one in (source, recording))
    np.testing.assert_array_equal(live, file)


@pytest.mark.parametrize("add", [0, 1])
def test_the_survey_is_that_of_the_naive_one(add):
    rng = np.random.default_rng(3)
    times, channels = rng.integers(0, 1 << 60, 3000), rng.choice([0, 1, 5, 19, 100, 104, 203], 3000).astype(np.uint8)
    renumbered = [int(one) + add if one < 100 else int(one) for one in channels]
    counts = np.zeros(256, np.int64)
    assert survey(times, channels, np.uint8(add), counts) == (times.min(), times.max())
    assert channels.tolist() == renumbered
    assert {one: int(counts[one]) for one in np.flatnonzero(counts)} == {
        one: renumbered.count(one) for one in set(renumbered) if one < 100
    }


# ---- what is lost


def test_lost_data_is_a_gap_over_both_blocks_it_may_lie_in(measure):
    times, channels = tags(100)
    source = measure(times, channels, horizon_ns="0", script={"BLOCK": 10, "LOST_AT": 3, "NO_MARKERS": 1})
    photons, _, gaps, _ = taken(source)
    assert photons.tolist() == [*times[:30], *times[50:]]
    assert gaps == [(times[29] + 1, times[49] + 1)]
    end = source.end()
    assert any(line.startswith(f"{LOST}: 2 gaps") for line in end.warnings)
    events = Path(f"{source.info.file}.events.txt").read_text().splitlines()
    assert events[1] == f"{times[29] + 1} {times[39] + 1} 0 {LOST}"
    assert taken(open_recorded(source.info.file, {}))[0].tolist() == times.tolist()


def test_lost_data_behind_the_last_tag_is_said(measure):
    times, channels = tags(20)
    source = measure(times, channels, horizon_ns="0", script={"BLOCK": 20, "LOST_AT": 1, "NO_MARKERS": 1})
    assert taken(source)[0].tolist() == times.tolist()
    assert source.end().warnings == (f"{LOST}, behind the last tag",)


def test_overwritten_tags_are_a_gap_before_the_block(measure):
    times, channels = tags(5000)
    script = {"BLOCK": 500, "SKIP_AT": 2, "SKIP": 700, "NO_MARKERS": 1}
    source = measure(times, channels, horizon_ns="0", buffer="1000", script=script)
    photons, _, gaps, _ = taken(source)
    assert photons.tolist() == [*times[:1000], *times[1700:]]
    assert gaps == [(times[999] + 1, times[1700])]
    assert any(line.startswith(f"{OVERWRITTEN}: 1 gaps") for line in source.end().warnings)


# ---- the device


def test_a_device_that_vanishes_ends_the_stream_with_all_its_tags(measure):
    times, channels = tags(100)
    source = measure(times, channels, duration="inf", script={"BLOCK": 10, "VANISH_AT": 5})
    assert taken(source)[0].tolist() == times[:50].tolist()
    end = source.end()
    assert end.reason == "device: TDC_getDataLost: No connection was established (2)"
    assert any("everything it sent before is there" in line for line in end.warnings)
    assert taken(open_recorded(source.info.file, {}))[0].tolist() == times[:50].tolist()


def test_a_library_that_says_nothing_of_a_device_that_is_gone(measure, monkeypatch):
    monkeypatch.setattr(sources.devices.tag_acquisition, "STALL_S", 0.2)
    times, channels = tags(100)
    source = measure(times, channels, duration="inf", script={"BLOCK": 10, "SILENT_AT": 5})
    assert taken(source)[0].tolist() == times[:50].tolist()
    assert source.end().reason == "device: its clock has stood still for 0.2 s; check power and cable"


@pytest.mark.parametrize(
    ("where", "line"), [("1", "no device 1; the library sees 1"), ("", "no device 0; the library")]
)
def test_no_device_is_one_line(measure, where, line):
    with pytest.raises(InputError, match=f"there is {line}"):
        measure(where=where, script={"DEVICES": 1 if where else 0})


def test_the_second_device_is_taken_by_its_number(measure):
    source = measure(where="1", script={"DEVICES": 2})
    assert source.info.hardware.endswith("T 02 001")
    source.close()


def test_a_wrong_version_is_refused(measure):
    with pytest.raises(InputError, match=r"library version must be 1 or later, got 0.9; install the latest"):
        measure(script={"VERSION": 0.9})


def test_a_library_that_returns_its_time_base_is_too_old(measure):
    with pytest.raises(InputError, match=r"TDC_getTimebase"):
        measure(flags=("-DOLD",))


def test_a_library_that_is_none_is_one_line(tmp_path):
    other = tmp_path / "libtdcbase.so"
    options = {"channels": "1", "library": str(other), "spool": str(tmp_path / "x.qutag")}
    with pytest.raises(InputError, match=r"libtdcbase.so: no such file; give the path of"):
        open_source("", options)
    other.write_bytes(b"none")
    with pytest.raises(InputError, match=r"libtdcbase.so: cannot be loaded"):
        open_source("", options)
    (tmp_path / "empty.c").write_text("int nothing(void) { return 0; }\n")
    command = [str(compiler()), "-shared", "-fPIC", "-o", str(tmp_path / "empty.so"), str(tmp_path / "empty.c")]
    subprocess.run(command, check=True)
    with pytest.raises(InputError, match="has no function TDC_perror; it is not the library of a quTAG, or too old"):
        open_source("", {**options, "library": str(tmp_path / "empty.so")})


def test_no_library_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(InputError, match=r"not found or not loadable; looked for .*tdcbase.* --set library=PATH"):
        open_source("", {"channels": "1", "spool": str(tmp_path / "x.qutag")})


# ---- wrong usage


@pytest.mark.parametrize(
    ("where", "options", "line"),
    [
        ("x", {}, "qutag_device: device: must be a whole number from 0 to 31, got 'x'"),
        ("", {"channels": "0"}, "qutag_device: channels: must be a whole number from 1 to 20, got '0'"),
        ("", {"channels": "1,1"}, "qutag_device: channels: each input may be named once, got 1 twice"),
        ("", {"edge": "up"}, "qutag_device: edge: must be rising or falling, got 'up'"),
        ("", {"trigger_v": "-3"}, "qutag_device: trigger_v: must be a number from -2 to 3, got '-3'"),
        ("", {"delay_ps": "1e5"}, "qutag_device: delay_ps: must be a whole number from -100000 to 100000, got '1e5'"),
        ("", {"buffer": "2000000"}, "qutag_device: buffer: must be a whole number from 1000 to 1000000, got '2000000'"),
    ],
)
def test_wrong_settings_are_one_line_before_the_library_is_loaded(monkeypatch, tmp_path, where, options, line):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the library was loaded"))
    with pytest.raises(InputError) as told:
        open_source(where, {"channels": "1,2", **options})
    assert str(told.value) == line


def test_a_filter_is_not_known():
    with pytest.raises(InputError, match="qutag_device: filter: unknown option"):
        open_source("", {"channels": "1", "filter": "1:2"})


# ---- rate


def test_two_million_tags_per_second_are_kept_up_with(measure):
    times, channels = tags(100_000, step=500_000)
    source = measure(times, channels, duration="1", script={"RATE": 2e6})
    begun = time.monotonic()
    photons, _, gaps, _ = taken(source)
    assert time.monotonic() - begun < 3
    assert gaps == []
    assert len(photons) > 1_500_000
    assert not any("overwritten" in line for line in source.end().warnings)
    size = Path(source.info.file).stat().st_size - 40
    assert size // 10 >= len(photons)
