"""The PicoQuant driver against stand-in vendor libraries compiled from C: every model, every fault they can report."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from errno import ENOSPC
from io import FileIO
from pathlib import Path

import numpy as np
import ptufile
import pytest

from benchmarks import device as device_benchmark
from benchmarks.standin import KINDS, compiler, library, piece, steady
from sources.devices.picoquant_models import MODELS
from sources.layouts.ptu_header import read_header
from sources.picoquant import open_source
from sources.ptu import open_source as open_ptu
from streamer.errors import InputError

pytestmark = pytest.mark.skipif(
    compiler() is None or sys.platform == "win32", reason="no C compiler for the stand-in libraries"
)
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "ptu"


@pytest.fixture(scope="session")
def libraries(tmp_path_factory):
    """A folder with every stand-in; the same model is compiled once."""
    folder = tmp_path_factory.mktemp("standins")
    for model in KINDS:
        library(model, folder)
    return folder


def harp_records(model, mode, wraps=40, photons=500, seed=3):
    """Records as this model sends them; each wrap ends with an overflow."""
    if model != "PH300" and mode == "T3":
        return piece(photons, 780, seed)[: wraps * (photons + 1)]
    rng = np.random.default_rng(seed)
    wrap, channel, overflow = {
        "PH300T3": (65536, 28, 0xF0000000),
        "PH300T2": (210698240, 28, 0xF0000000),
    }.get(model + mode, (1 << 25, 25, 0xFE000001))
    words = np.empty((wraps, photons + 1), np.uint32)
    words[:, :photons] = np.sort(rng.integers(0, wrap, (wraps, photons)), axis=1) | 1 << channel
    if mode == "T3":
        words[:, :photons] |= rng.integers(1, 3000, (wraps, photons), np.uint32) << np.uint32(16)
    words[:, photons] = overflow
    return words.ravel()


class StandIn:
    """One copy of a stand-in library, so of its state, with its script and the records that it plays."""

    def __init__(self, monkeypatch, libraries, folder, model, mode, words, script):
        self.model, self.mode, self.words = model, mode, words
        self.path = folder / f"{model}.so"
        shutil.copy(library(model, libraries), self.path)
        (folder / "words.bin").write_bytes(words.tobytes())
        for name in [key for key in os.environ if key.startswith("STANDIN_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("STANDIN_RECORDS", str(folder / "words.bin"))
        for key, value in script.items():
            monkeypatch.setenv(f"STANDIN_{key.upper()}", str(value))
        if "wait_ms" not in script:
            monkeypatch.setenv("STANDIN_WAIT_MS", "0")
            monkeypatch.setattr("sources.devices.picoquant_device.sleep", lambda seconds: None)
        self.spool = folder / "run.ptu"

    def open(self, where="", **options):
        known = {"library": str(self.path), "spool": str(self.spool), "mode": self.mode}
        return open_source(where or self.model, known | options)

    def number(self, name):
        loaded = ctypes.CDLL(str(self.path))
        loaded.standin_number.restype = ctypes.c_longlong
        loaded.standin_first_error.restype = ctypes.c_char_p
        if name == "errors" and loaded.standin_number(b"errors"):
            raise AssertionError(loaded.standin_first_error().decode())
        return loaded.standin_number(name.encode())


@pytest.fixture
def stand_in(monkeypatch, libraries, tmp_path):
    numbers = itertools.count()

    def make(model="HH400", mode="T3", words=None, **script):
        words = harp_records(model, mode) if words is None else words
        folder = tmp_path / str(next(numbers))  # a loaded library must not be written over
        folder.mkdir()
        return StandIn(monkeypatch, libraries, folder, model, mode, words, script)

    return make


def read(source):
    """Time, nanotime, channel; gaps as (start, stop, records lost); and that chunks keep their promises."""
    chunks, gaps, now = [], [], 0
    for chunk in source.chunks():
        assert now <= chunk.start <= chunk.stop
        if chunk.start > now:
            gaps.append((now, chunk.start, chunk.lost))
        else:
            assert chunk.lost == 0
        now = chunk.stop
        if len(chunk.time):
            assert chunk.start <= chunk.time[0]
            assert chunk.time[-1] < chunk.stop
            assert not (np.diff(chunk.time) < 0).any()
        chunks.append(chunk)
    columns = ("time", "nanotime", "channel")
    return tuple(np.concatenate([getattr(c, name) for c in chunks]) for name in columns), gaps


def replayed(*paths):
    """The same of the spool's files, by our own reader."""
    parts = [read(open_ptu(str(path), {}))[0] for path in paths]
    return tuple(np.concatenate([part[at] for part in parts]) for at in range(3))


def assert_same(one, other):
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


# ---- every model


@pytest.mark.parametrize("mode", ["T2", "T3"])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_from_open_to_spool(model, mode, stand_in):
    device = stand_in(model, mode, wait_ms=100)
    source = device.open()
    photons, gaps = read(source)
    end = source.end()
    assert device.number("errors") == 0
    assert (device.number("open"), device.number("stops")) == (0, device.number("starts"))
    assert (end.reason, end.records, end.lost_records, gaps) == ("duration reached", len(device.words), 0, [])
    assert len(photons[0]) == 40 * 500
    info = source.info
    assert (info.live, info.mode, info.file, info.source) == (True, mode, str(device.spool), f"picoquant:{model}")
    assert set(np.unique(photons[2])) <= set(info.channels)
    # the spool: valid, whole, the same photons by our reader and by another
    header = read_header(device.spool)
    assert (header.warnings, header.records) == ((), len(device.words))
    assert (header.tick_s, header.layout.name) == (info.tick_s, info.format.removeprefix("PTU "))
    assert header.resolution_s == info.resolution_s
    assert_same(photons, replayed(device.spool))
    with ptufile.PtuFile(device.spool) as other:
        records = other.decode_records()
        assert other.tags["HW_SerialNo"] == "1012345"
        assert other.tags["TTResult_NumberOfRecords"] == len(device.words)
    np.testing.assert_array_equal(records["time"][records["channel"] >= 0], photons[0])


@pytest.mark.parametrize(
    ("model", "mode", "name", "script"),
    [
        ("HH400", "T3", "hh2_t3_hbt_80MHz", {}),
        ("HH400", "T2", "hh2_t2_hbt_320MHz", {}),
        ("MH150", "T3", "hh2_t3_image_markers", {"sync_hz": 40e6}),
        ("PH300", "T2", "ph300_t2_2ch_80MHz", {}),
        ("PH300", "T3", "ph300_t3_image_markers", {"sync_hz": 78020000}),
        ("TH260", "T2", "th260n_t2_1ch_bursts", {"hardware": "TimeHarp 260 N"}),
    ],
)
def test_real_records_come_through_unchanged(model, mode, name, script, stand_in):
    path = SHARED / f"{name}.ptu"
    if not path.exists():
        pytest.skip("the shared recordings are not here")
    words = np.fromfile(path, "<u4", offset=read_header(path).offset)
    device = stand_in(model, mode, words, **script)
    source = device.open()
    photons, _ = read(source)
    assert_same(photons, replayed(path))
    assert device.spool.read_bytes().endswith(path.read_bytes()[read_header(path).offset :])
    assert source.end().records == len(words)
    assert device.number("errors") == 0


def test_timeharp_asks_the_hardware_which_triggers_it_has(stand_in):
    source = stand_in("TH260", hardware="TimeHarp 260 N").open(sync_edge="rising", input_level_mv="-100,120")
    assert source.info.format == "PTU TimeHarp260NT3"
    read(source)
    with pytest.raises(InputError, match="edge triggers, and no zero crossings"):
        stand_in("TH260", hardware="TimeHarp 260 N").open(sync_zero_cross_mv="-10")
    with pytest.raises(InputError, match="P or N, got 'TimeHarp 270'"):
        stand_in("TH260", hardware="TimeHarp 270").open()


@pytest.mark.parametrize(
    ("model", "mode", "options"),
    [
        ("HH400", "T2", {"sync_channel": "7", "inputs": "0,2", "input_offset_ps": "5,-5,100,0", "sync_divider": "8"}),
        ("HH400", "T3", {"reference": "external_10mhz", "binning": "4", "offset_ns": "100"}),
        ("MH150", "T2", {"sync_enable": "false", "input_edge": "rising", "input_dead_time_ps": "0,800,1000,0"}),
        ("MH160", "T3", {"hysteresis_mv": "35", "overflow_hold_ms": "0", "sync_dead_time_ps": "160000"}),
        ("PH330", "T3", {"trigger": "cfd", "sync_zero_cross_mv": "-50", "reference": "external_500mhz"}),
        ("PH330", "T2", {"trigger": "edge", "sync_edge": "rising", "input_level_mv": "1500"}),
        ("PH300", "T3", {"routing": "true", "sync_level_mv": "200", "offset_ns": "1000", "binning": "7"}),
        ("TH260", "T3", {"input_dead_time_code": "3", "input_level_mv": "-100", "input_zero_cross_mv": "-20"}),
    ],
)
def test_settings_reach_the_device(model, mode, options, stand_in):
    device = stand_in(model, mode, inputs=4, router=1)
    source = device.open(**options)
    assert device.number("errors") == 0
    if model == "PH300":
        assert source.info.channels == (1, 2, 3, 4)
    if "inputs" in options:
        assert source.info.channels == (0, 2, 7)
    if "binning" in options:
        base_s = 4e-12 if model == "PH300" else 1e-12
        assert source.info.resolution_s == pytest.approx(base_s * 2 ** int(options["binning"]))
    list(source.chunks())


# ---- what is refused


def refused(device, said, where="", **options):
    with pytest.raises(InputError) as caught:
        device.open(where, **options)
    line = str(caught.value)
    assert "\n" not in line
    for word in said.split("|"):
        assert word in line, line
    assert not device.spool.exists()


def test_wrong_library_version(stand_in):
    refused(stand_in(version="2.3"), "must be 3.0 or a later 3.x|'2.3'|install")
    refused(stand_in(version="4.0"), "must be 3.0 or a later 3.x|'4.0'")
    refused(stand_in(version="?"), "'?'")
    assert list(stand_in(version="3.4").open().chunks())


def test_library_that_is_not_there_or_not_the_right_one(stand_in, tmp_path, monkeypatch):
    device = stand_in()
    refused(device, "library|no such file|libhh400.so", library=str(tmp_path / "nothing.so"))
    (tmp_path / "text.so").write_text("no library")
    refused(device, "text.so|cannot be loaded", library=str(tmp_path / "text.so"))
    other = stand_in("MH150")
    refused(other, "has no function HH_GetLibraryVersion|not the library of a HydraHarp 400", where="HH400")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    with pytest.raises(InputError, match=r"looked for libhh400.so.*/usr/local/lib/hh400.*library=PATH"):
        open_source("HH400", {"spool": str(tmp_path / "x.ptu")})


def test_which_device(stand_in):
    device = stand_in(serial="0001")
    assert device.open("HH400/0001").device.serial == "0001"
    refused(stand_in(serial="0001"), "serial number 77|device 1 has serial number 0001|locked", where="hh400/77")
    device = stand_in()
    first = device.open()
    refused(device, "device is locked|close other programs")
    list(first.chunks())


def test_t3_without_a_sync(stand_in):
    device = stand_in(sync_hz=0)
    refused(device, "sync input sees none|mode=T2")
    assert device.number("open") == 0


def test_settings_that_only_the_device_can_refuse(stand_in):
    refused(stand_in(inputs=2), "inputs: must be 0 to 1 on this device, got 4", inputs="0,4")
    refused(stand_in(inputs=4), "input_offset_ps: must be one value or 4", input_offset_ps="1,2")
    refused(stand_in(), "binning|more than the sync period", binning="20")


def test_sync_period_that_the_library_does_not_know(stand_in):
    source = stand_in(no_period=1).open()
    assert source.info.tick_s == 1 / 80e6
    assert "1 / 80000000 Hz" in source.info.warnings[0]
    list(source.chunks())


def test_warnings_of_the_library_are_told_once(stand_in):
    device = stand_in(warnings=0x2000)
    source = device.open()
    assert source.info.warnings == ("the device warns: WARNING warning bits 0x2000 See the manual. (0x2000)",)
    list(source.chunks())
    assert source.end().warnings == ()


# ---- faults while it measures


def test_overrun_is_a_gap_and_another_file(stand_in):
    device = stand_in(full_at=5010, full_lost=2004, fifo=4008)
    source = device.open()
    photons, gaps = read(source)
    end = source.end()
    first, second = device.spool, device.spool.with_name("run_001.ptu")
    assert read_header(first).records == 5010
    np.testing.assert_array_equal(_words(first), device.words[:5010])
    discarded = gaps[0][2]
    assert (discarded, end.lost_records) == (4008, 0)
    # after the overrun: what was in the FIFO is discarded and counted, then 2004 were lost, the rest is a new clock
    np.testing.assert_array_equal(_words(second), device.words[5010 + discarded + 2004 :])
    assert device.number("made") == end.records + discarded + device.number("lost")
    before, after = replayed(first), replayed(second)
    assert len(gaps) == 1
    count = len(before[0])
    assert_same(tuple(column[:count] for column in photons), before)
    begins = gaps[0][1]
    np.testing.assert_array_equal(photons[0][count:] - begins, after[0])
    assert gaps[0][0] == photons[0][count - 1] + 1 or gaps[0][0] % 1024 == 0
    assert any("overran 1 times" in line for line in end.warnings)
    assert any("2 files" in line for line in end.warnings)
    assert device.number("errors") == 0
    with ptufile.PtuFile(second) as other:
        assert 0 < other.tags["Streamer_StartSeconds"] < 5


def test_overrun_by_the_clock_counts_every_record(stand_in, monkeypatch):
    """The FIFO holds 3 ms; somebody else has the processor for longer, here and there."""
    words, rate = steady(4e6, 80e6)
    device = stand_in(words=words, loop=1, rate=rate, fifo=12000)
    source = device.open(duration="0.6")
    original, calls = source.device.flags, [0]

    def slow():
        calls[0] += 1
        if calls[0] % 60 == 59:
            threading.Event().wait(0.02)
        return original()

    monkeypatch.setattr(source.device, "flags", slow)
    photons, gaps = read(source)
    end = source.end()
    spooled = sum(read_header(path).records for path in source.acquisition.spool.paths)
    assert source.acquisition.tally.overruns >= 2
    assert 2 <= len(gaps) <= source.acquisition.tally.overruns  # fewer where two came with no record between
    assert end.records == spooled
    assert device.number("made") == spooled + _discarded(gaps, end) + device.number("lost")
    assert device.number("lost") > 0
    # stream time follows the wall clock over the gaps
    assert photons[0][-1] * source.info.tick_s == pytest.approx(0.6, abs=0.1)


def test_sync_lost_in_t3_is_a_gap(stand_in):
    device = stand_in(sync_lost="5010:80")
    source = device.open()
    photons, gaps = read(source)
    whole = replayed(device.spool)
    before = int((device.words[:5010] < 0xFE000000).sum())
    ((start, stop, _),) = gaps
    np.testing.assert_array_equal(photons[0][:before], whole[0][:before])
    shift = photons[0][before:] - whole[0][before:]
    assert (shift == shift[0]).all()
    assert stop - start <= shift[0] <= stop - start + 1
    assert (stop - start) * source.info.tick_s == pytest.approx(0.08, abs=0.04)
    (line,) = [line for line in source.end().warnings if "sync was lost 1 times" in line]
    assert "gaps" in line
    assert read_header(device.spool).records == len(device.words)


def test_sync_flag_of_a_clock_that_runs_makes_no_gap(stand_in):
    device = stand_in(sync_lost="5010:5")
    source = device.open()
    photons, gaps = read(source)
    assert gaps == []
    assert_same(photons, replayed(device.spool))


def test_sync_lost_in_t2_is_a_warning(stand_in):
    device = stand_in(mode="T2", sync_lost="5010:30", rate=4e5)
    source = device.open(duration="0.1")
    _, gaps = read(source)
    assert gaps == []
    (line,) = source.end().warnings
    assert line.startswith("the sync was lost 1 times, for 0.0")


def test_sync_that_never_comes_back_does_not_hold_up_the_end(stand_in):
    source = stand_in(sync_lost="5010:60000", rate=4e5).open(duration="0.1")
    photons, _ = read(source)
    assert len(photons[0]) >= 4000
    assert source.end().reason == "duration reached"
    assert any("sync was lost" in line for line in source.end().warnings)


def test_every_other_flag_is_told(stand_in):
    source = stand_in("MH150", fifo=3000, ref_lost="3000:9000", dropped="6000:12000").open()
    read(source)
    told = " ".join(source.end().warnings)
    assert "reference clock was lost" in told
    assert "dropped counts" in told


def test_hardware_error_ends_the_stream(stand_in):
    device = stand_in(system_at=4000, fifo=4000)
    source = device.open()
    photons, _ = read(source)
    assert source.end().reason.startswith("device: hardware error (flags 0x0030)")
    assert_same(photons, replayed(device.spool))
    assert read_header(device.spool).records == 4000


def test_device_that_vanishes(stand_in):
    device = stand_in(vanish_at=7777, fifo=1000)
    source = device.open()
    photons, gaps = read(source)
    end = source.end()
    assert end.reason == "device: HH_ReadFiFo: USB bulk read failed (-37)"
    assert (end.records, gaps) == (7777, [])
    np.testing.assert_array_equal(_words(device.spool), device.words[:7777])
    assert read_header(device.spool).warnings == ()
    assert_same(photons, replayed(device.spool))


def test_stop_is_obeyed_within_one_read(stand_in):
    device = stand_in(words=piece(499, 780), loop=1, rate=2e6)
    source = device.open()
    asked, read_photons = 0.0, 0
    for chunk in source.chunks():
        read_photons += len(chunk.time)
        if read_photons > 200_000 and not asked:
            asked = time.monotonic()
            source.stop("rule met")
    end = source.end()
    assert end.reason == "rule met"
    assert time.monotonic() - asked < 2
    assert device.number("waiting") == 0
    spooled = read_header(device.spool).records
    assert spooled == device.number("made")
    left = spooled - end.records
    assert left >= 0
    assert any(f"{left} records came before the stop" in line for line in end.warnings) == (left > 0)


def test_stop_wakes_an_idle_device(stand_in):
    source = stand_in(words=np.zeros(0, np.uint32), mode="T2", rate=1.0).open()
    got = []
    thread = threading.Thread(target=lambda: got.extend(source.chunks()))
    thread.start()
    source.stop("enough")
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert source.end().reason == "enough"


def test_device_that_nobody_listens_to_loses_nothing(stand_in):
    """Analysis slower than the device: it falls behind in the file, and the device does not notice."""
    # The FIFO holds 0.4 s, which a busy machine leaves the driver; waiting for the analysis would cost it 0.6 s.
    device = stand_in(words=piece(499, 780), loop=1, rate=1e6, fifo=400_000)
    source = device.open(duration="1", chunk_records="8192")
    photons = 0
    for chunk in source.chunks():
        photons += len(chunk.time)
        threading.Event().wait(0.02)
    end = source.end()
    assert (end.lost_records, end.records) == (0, device.number("made"))
    assert photons > 0.99 * end.records


def test_disk_that_is_too_slow_loses_nothing_uncounted(stand_in, monkeypatch):
    monkeypatch.setattr("sources.devices.acquisition.RING_BYTES", 1 << 20)  # room for one read and a half
    words, rate = steady(8e6, 80e6)
    device = stand_in(words=words, loop=1, rate=rate, fifo=200_000)
    source = device.open(duration="0.8")
    append = source.acquisition.spool.append

    def slow(block):
        threading.Event().wait(len(block) / 12e6)  # 3 million records per second
        return append(block)

    monkeypatch.setattr(source.acquisition.spool, "append", slow)
    photons, gaps = read(source)
    end = source.end()
    spooled = sum(read_header(path).records for path in source.acquisition.spool.paths)
    assert end.records == spooled
    assert source.acquisition.tally.overruns > 0
    assert device.number("made") == spooled + _discarded(gaps, end) + device.number("lost")
    assert len(photons[0]) > 0.99 * spooled
    assert device.number("errors") == 0


def test_chunks_come_every_few_milliseconds(stand_in):
    device = stand_in(words=piece(1, 780), loop=1, rate=1e5, sync_hz=50e6)
    source = device.open(duration="0.4")
    times = [time.monotonic() for chunk in source.chunks() if chunk.stop > chunk.start]
    assert np.median(np.diff(times)) < 0.03
    assert len(times) > 10


# ---- spool


def test_rotation(stand_in):
    device = stand_in(fifo=3000)
    source = device.open(rotate="65536")
    photons, gaps = read(source)
    files = source.acquisition.spool.paths
    assert len(files) == 2
    assert gaps == []
    np.testing.assert_array_equal(np.concatenate([_words(path) for path in files]), device.words)
    assert_same(photons, _decoded(device.words))
    with ptufile.PtuFile(files[1]) as second:
        assert second.tags["Streamer_StartRecord"] == read_header(files[0]).records


def test_disk_that_fills_up(stand_in, monkeypatch):
    """The stream goes on, and the end says what was not recorded."""

    class Small(FileIO):
        def write(self, data):
            if self.tell() >= 30_001:
                raise OSError(ENOSPC, "No space left on device")
            return super().write(data[: 30_001 - self.tell()])

    monkeypatch.setattr("sources.devices.spool.FileIO", Small)
    device = stand_in(fifo=3000)
    source = device.open()
    photons, gaps = read(source)
    end = source.end()
    assert gaps == []
    assert_same(photons, _decoded(device.words))
    header = read_header(device.spool)
    assert 0 < header.records < len(device.words)
    assert header.warnings == ()
    np.testing.assert_array_equal(_words(device.spool), device.words[: header.records])
    (line,) = end.warnings
    assert f"{len(device.words) - header.records} records were not spooled" in line
    assert "No space left" in line


def test_spool_that_cannot_be_begun(stand_in):
    device = stand_in()
    source = device.open()
    device.spool.write_text("somebody was faster")
    with pytest.raises(InputError, match="spool: cannot be written"):
        list(source.chunks())
    assert device.number("open") == 0
    assert device.spool.read_text() == "somebody was faster"


def test_a_killed_process_leaves_a_readable_file(stand_in):
    device = stand_in(words=piece(499, 780), loop=1, rate=2e6)
    code = (
        "import sys; from sources.picoquant import open_source\n"
        f"source = open_source('HH400', {{'library': {str(device.path)!r}, 'spool': {str(device.spool)!r}}})\n"
        "total = 0\n"
        "for chunk in source.chunks():\n"
        "    total += len(chunk.time)\n"
        "    if total > 300_000: print(total, flush=True); total = -10**12\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
    )
    said = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    photons = replayed(device.spool)
    assert len(photons[0]) >= said
    assert read_header(device.spool).records >= said


def test_through_the_daemon(libraries, tmp_path, monkeypatch):
    """A real `streamer send` process into a daemon; every record is accounted for."""
    for name in ("RECORDS", "LOOP", "RATE", "SYNC_HZ", "REPORT"):
        monkeypatch.setenv(f"STANDIN_{name}", "")
    shutil.copy(library("HH400", libraries), tmp_path / "standin_hh400.so")
    told = device_benchmark.run("HH400", 1e6, 1.5, tmp_path, sync_hz=80e6, stop=False)
    assert told.made == told.spooled + told.discarded + told.lost
    assert (told.errors, told.end["reason"]) == (0, "duration reached")
    assert told.received == told.analysed > 0.9 * told.spooled


def _discarded(gaps, end):
    """Records known to be lost: those of the gaps, and of an overrun after which nothing came."""
    return sum(lost for _, _, lost in gaps) + end.lost_records


def _words(path):
    header = read_header(path)
    return np.fromfile(path, "<u4", offset=header.offset)[: header.records]


def _decoded(words):
    """Time, nanotime, channel of HydraHarp T3 records, the plain way."""
    special = words >= 0xFE000000
    wraps = np.cumsum(np.where(special, words & 1023, 0))
    photons = ~special
    word = words[photons]
    return (
        (wraps[photons] * 1024 + (word & 1023)).astype(np.int64),
        (word >> 10 & 0x7FFF).astype(np.uint16),
        (word >> 25).astype(np.uint8),
    )
