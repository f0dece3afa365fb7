"""Following: a writer process that is killed and begun again, partial records, ends, rotation; equal to a replay."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sinks.ptu import PtuWriter
from sources.follow import open_source
from sources.ptu import record_format
from sources.reading import follow_reader, growing_file
from streamer.chunk import Chunk, StreamInfo
from streamer.config import Settings
from streamer.daemon import Daemon
from streamer.errors import InputError
from streamer.pipeline import Pipeline
from streamer.registry import open_source as open_any
from streamer.send import send
from streamer.transport import Control, Hub

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
DEADLINE_S = 60.0
LAG_S = 0.200
SETTINGS = Settings(channels=(0, 1), pairs=((0, 1),), delays_ns={}, look_photons=0, results_per_s=20, studies=())
INFO = {
    "T3": StreamInfo("T3", 1e-7, 6.4e-11, sync_rate_hz=1e7),
    "T2": StreamInfo("T2", 1e-12),
}
STEP = {"T3": 40, "T2": 4_000_000}  # mean ticks between photons
WRITER = """
import json, random, sys, threading, time
content, end, target, log, seed = sys.argv[1:]
content, end, rng = open(content, "rb").read(), open(end, "rb").read(), random.Random(int(seed))
with open(target, "ab") as file, open(log, "a") as notes:
    while file.tell() < len(content):
        file.write(content[file.tell() : file.tell() + rng.choice((1, 3, 5, 997, 4001, 16385))])
        file.flush()
        notes.write(json.dumps([file.tell(), time.time()]) + "\\n")
        notes.flush()
        threading.Event().wait(rng.choice((0, 0, 0.001, 0.004, 0.03)))
with open(target, "r+b") as file:
    file.write(end)
"""


class Recording:
    """A PTU file in parts: the header as at the beginning, the records, the header as at the end."""

    def __init__(self, folder, mode="T3", photons=4000, seed=1, first=0, name="whole.ptu"):
        rng = np.random.default_rng(seed)
        time = first + np.cumsum(rng.exponential(STEP[mode], photons).astype(np.int64) + 1)
        nanotime = rng.integers(0, 1500, photons if mode == "T3" else 0).astype(np.uint16)
        channel = rng.integers(0, 2, photons).astype(np.uint8)
        marks = time[photons // 3 :: 500]
        marker = np.ones(len(marks), np.uint8)
        self.path = folder / name
        with PtuWriter(self.path, INFO[mode]) as writer:
            self.begin = self.path.read_bytes()
            writer.write(Chunk(0, int(time[-1]) + 50, time, nanotime, channel, marks, marker))
        content = self.path.read_bytes()
        self.end, self.records = content[: len(self.begin)], content[len(self.begin) :]
        self.grown = self.begin + self.records
        self.time, self.channel = time, channel


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def patch(path, header):
    with path.open("r+b") as file:
        file.write(header)


def driven(source, steps=(), *, stop_after=None):
    """Every chunk; each time when nothing came, the next step is taken."""
    steps, chunks, deadline = list(steps), [], time.monotonic() + DEADLINE_S
    for chunk in source.chunks():
        assert time.monotonic() < deadline, "it does not end"
        if chunk.stop > chunk.start:
            chunks.append(chunk)
        elif steps:
            steps.pop(0)()
        elif stop_after is not None:
            source.stop(stop_after)
    assert not steps
    return chunks


def joined(chunks, *, gaps=0):
    """Columns over all chunks, whose spans join but for the gaps; and where they stop."""
    holes = [(a.stop, b.start) for a, b in itertools.pairwise(chunks) if a.stop != b.start]
    assert len(holes) == gaps, holes
    for chunk in chunks:
        assert (np.diff(chunk.time) >= 0).all()
        assert not len(chunk.time) or chunk.start <= chunk.time[0] <= chunk.time[-1] < chunk.stop
    names = ("time", "nanotime", "channel", "marker_time", "marker")
    return [np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names]


def same(one, other):
    assert (one[0].start, one[-1].stop) == (other[0].start, other[-1].stop)
    for mine, theirs in zip(joined(one), joined(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def replayed(path, **options):
    return list(open_any(str(path), options).chunks())


# ---- a writer of its own


class Writing:
    """The writer process: started, killed when the file has certain lengths, started again where it stopped."""

    def __init__(self, recording, folder, target, kills):
        self.target, self.log, self.kills, self.killed = target, folder / "log", list(kills), 0
        (folder / "content").write_bytes(recording.grown)
        (folder / "end").write_bytes(recording.end)
        self.files = [str(folder / "content"), str(folder / "end"), str(target), str(self.log)]
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        for seed in itertools.count():
            process = subprocess.Popen([sys.executable, "-c", WRITER, *self.files, str(seed)])
            until = self.kills.pop(0) if self.kills else None
            while process.poll() is None and not self.stopping.wait(0.002):
                if until is not None and self.target.exists() and self.target.stat().st_size >= until:
                    process.kill()
                    process.wait()
                    self.killed += 1
            if until is None or self.stopping.is_set():
                process.kill()
                process.wait()
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stopping.set()
        self.thread.join(DEADLINE_S)


@contextmanager
def serving():
    """A daemon in a thread of its own."""
    ready, box = threading.Event(), {}

    def serve():
        with Hub("tcp://127.0.0.1:0") as hub:
            box["daemon"], box["address"] = Daemon(hub, SETTINGS), hub.address
            ready.set()
            box["daemon"].serve()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(DEADLINE_S)
    try:
        yield box["daemon"], box["address"]
    finally:
        box["daemon"].stop("over")
        thread.join(DEADLINE_S)


@pytest.mark.parametrize("mode", ["T3", "T2"])
def test_tables_of_a_writer_killed_and_begun_again_equal_a_replay_at_low_lag(mode, tmp_path):
    recording = Recording(tmp_path, mode, photons=60_000)
    target, size = tmp_path / "growing.ptu", len(recording.grown)
    with serving() as (daemon, address):
        with Writing(recording, tmp_path, target, (size // 3, size // 3 + 1, 2 * size // 3)) as writing:
            totals, _ = send(f"follow:{target}", address, SETTINGS, {"idle_s": "20"}, DEADLINE_S)
        assert writing.killed == 3
        live = daemon.run.pipeline
    source = open_any(str(target))
    alone = Pipeline(source.info, SETTINGS)
    for chunk in source.chunks():
        alone.feed(chunk)
    alone.finish(source.end())
    assert target.read_bytes() == recording.path.read_bytes()
    assert totals["received"] == 60_000
    assert live.end.reason == "the recording was closed"
    assert live.end.warnings == live.info.warnings == ()
    assert live.position == alone.position
    assert live.tables.keys() == alone.tables.keys()
    for name, tables in alone.tables.items():
        for key, table in tables.items():
            np.testing.assert_array_equal(live.tables[name][key], table, err_msg=f"{name}.{key}")


def test_records_reach_the_chunks_within_200_ms(tmp_path):
    recording = Recording(tmp_path, photons=60_000)
    target = tmp_path / "growing.ptu"
    arrived = []
    with Writing(recording, tmp_path, target, ()) as writing:
        source = open_source(str(target), {"channels": "0,1"})
        for _ in source.chunks():
            arrived.append((len(recording.begin) + 4 * source.reader._part.supply.total, time.time()))
    notes = [json.loads(line) for line in writing.log.read_text().splitlines()]
    totals, when = (np.array(column) for column in zip(*arrived, strict=True))
    lags = []
    for size, at in notes:
        whole = size - (size - len(recording.begin)) % 4
        if at > when[0] and whole > len(recording.begin):
            lags.append(when[np.searchsorted(np.maximum.accumulate(totals), whole)] - at)
    assert len(lags) > 10
    assert np.median(lags) < LAG_S / 2
    assert np.percentile(lags, 90) < LAG_S


# ---- every format of fixed-size records


REAL = {
    "ptu/hh2_t2_hbt_320MHz.ptu": 4,
    "ptu/ph300_t3_image_markers.ptu": 4,
    "pt3/emitter_trace10.pt3": 4,
    "ht/hh_v2_t3_4ch.ht3": 4,
    "t3r/th200_v5.t3r": 4,
    "spc/bh_spc132_smfret_m000.spc": 4,
    "qutag/qutag_hbt_80MHz_sync.qutag": 10,
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_that_grows_equals_its_replay(name, tmp_path):
    if not (SHARED / name).exists():
        pytest.skip("the shared recordings are not here")
    content = (SHARED / name).read_bytes()[:60_000]
    whole, growing = tmp_path / f"whole{Path(name).suffix}", tmp_path / f"growing{Path(name).suffix}"
    whole.write_bytes(content)
    rng = np.random.default_rng(len(name))
    borders = [0, 20_000, *sorted(rng.integers(20_000, len(content), 4).tolist()), len(content)]
    parts = [content[a:b] for a, b in itertools.pairwise(borders)]
    growing.write_bytes(parts[0])
    source = open_source(str(growing), {"idle_s": "0.15"})
    assert source.info.live
    assert source.info.duration_s is None
    assert not any("the file" in line for line in source.info.warnings)
    chunks = driven(source, [lambda part=part: append(growing, part) for part in parts[1:]])
    reference = open_any(str(whole))
    same(chunks, list(reference.chunks()))
    mine, theirs = source.end(), reference.end()
    assert mine.reason == "no more data for 0.15 s"
    assert mine.records == theirs.records
    assert set(theirs.warnings) <= set(mine.warnings)
    partial = any("ends within a record" in line for line in mine.warnings)
    offset = source.reader._part.reader.format.offset
    assert partial == bool((len(content) - offset) % REAL[name])


def test_a_format_without_records_is_refused_at_once(tmp_path):
    path = tmp_path / "photons.npz"
    np.savez(path, time=np.arange(1000))
    with pytest.raises(InputError, match="it cannot be followed"):
        open_source(str(path), {"wait_s": "60"})


def test_options_of_the_format_pass_through(tmp_path):
    recording = Recording(tmp_path, "T2")
    source = open_source(str(recording.path), {"sync_channel": "7"})
    assert source.reader._part.reader.format.decoder._rules[13] == 7
    with pytest.raises(InputError, match="ptu: nonsense: unknown option"):
        open_source(str(recording.path), {"nonsense": "1", "wait_s": "0"})


# ---- beginning


def test_waits_for_the_file_its_header_and_its_first_photons_and_loses_none(tmp_path):
    recording, target = Recording(tmp_path, photons=300), tmp_path / "late.ptu"
    head, grown = recording.begin, recording.grown
    found = threading.Event()

    def write():
        pause = threading.Event()
        for part in (head[:3], head[3:200], head[200:-1], head[-1:], grown[len(head) : len(head) + 401]):
            pause.wait(0.12)
            append(target, part)
        assert found.wait(DEADLINE_S)
        append(target, grown[len(head) + 401 :])
        patch(target, recording.end)

    writer = threading.Thread(target=write)
    writer.start()
    source = open_source(str(target), {"idle_s": "inf"})
    found.set()
    chunks = driven(source)
    writer.join(DEADLINE_S)
    assert source.info.channels == (0, 1)
    assert source.info.warnings == ()
    same(chunks, replayed(recording.path))
    assert source.end().reason == "the recording was closed"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"", "has only 0 bytes"),
        (b"PQTTTR\0\0" + bytes(200), "header cannot be read to its end"),
        (b"PQHIST\0\0" + bytes(200), "holds no time tags"),
        (b"something else entirely, " * 9, "not a recording"),
    ],
)
def test_gives_up_with_the_readers_own_line(content, words, tmp_path):
    path = tmp_path / "run.ptu"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        open_source(str(path), {"wait_s": "0.1"})
    assert "waited 0.1 s" in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_photon_the_channels_are_not_known_and_that_is_said(tmp_path):
    recording, target = Recording(tmp_path), tmp_path / "dark.ptu"
    target.write_bytes(recording.begin)
    source = open_source(str(target), {"wait_s": "0.1", "idle_s": "0.2"})
    assert source.info.channels == ()
    assert "channels=0,1" in source.info.warnings[0]
    same(driven(source, [lambda: append(target, recording.records)]), replayed(recording.path))
    asked = open_source(str(target), {"channels": "4, 1", "idle_s": "0.2"})
    assert asked.info.channels == (1, 4)
    assert asked.info.warnings == ()


def test_from_now_begins_with_the_first_new_record_on_the_same_clock(tmp_path):
    recording, target = Recording(tmp_path), tmp_path / "run.ptu"
    cut = len(recording.begin) + 4 * 3001 + 2
    target.write_bytes(recording.grown[:cut])
    source = open_source(str(target), {"from": "now", "idle_s": "0.2"})
    chunks = driven(source, [lambda: append(target, recording.grown[cut:])])
    whole = replayed(recording.path)
    times, _, channels, *_ = joined(chunks)
    before = len(recording.time) - len(times)
    assert 0 < before < len(recording.time)
    np.testing.assert_array_equal(times, recording.time[before:])
    np.testing.assert_array_equal(channels, recording.channel[before:])
    assert recording.time[before - 1] <= chunks[0].start <= times[0]
    assert chunks[0].start >= recording.time[before - 1] // 1024 * 1024
    assert chunks[-1].stop == whole[-1].stop
    words = np.frombuffer(recording.records[: 4 * 3001], "<u4")
    assert before == np.count_nonzero(words < 1 << 31)
    end = source.end()
    assert end.records == len(recording.records) // 4 - 3001
    assert "begins behind record 3001" in end.warnings[0]


def test_from_now_drops_late_tags_of_before(tmp_path):
    kind = np.dtype([("time", "<i8"), ("channel", "<i2")])
    tags = np.zeros(400, kind)
    tags["time"] = 10**15 + np.arange(400) * 50_000
    tags["channel"] = np.arange(400) % 2 + 1
    tags["time"][300] = tags["time"][299] - 30_000  # the first new one is older than what was there
    tags["time"][350] = tags["time"][349] - 30_000
    path = tmp_path / "run.qutag"
    path.write_bytes(tags[:300].tobytes())
    source = open_source(str(path), {"from": "now", "idle_s": "0.2", "channels": "1,2"})
    chunks = driven(source, [lambda: append(path, tags[300:].tobytes())])
    times = joined(chunks)[0]
    np.testing.assert_array_equal(times, np.sort(tags["time"][301:]))
    assert chunks[0].start == tags["time"][299]


def test_laser_pulses_are_looked_for_in_what_is_there_until_that_is_enough(tmp_path):
    """Pulses every 12.5 ns, all recorded on channel 5; photons 3 ns after every fourth on channels 1 and 2."""
    kind = np.dtype([("time", "<i8"), ("channel", "<i2")])
    pulse = 10**12 + np.arange(20_000) * 12_500
    photon = pulse[::4] + 3000
    tags = np.zeros(len(pulse) + len(photon), kind)
    order = np.argsort(np.concatenate((pulse, photon)), kind="stable")
    tags["time"] = np.concatenate((pulse, photon))[order]
    tags["channel"] = np.concatenate((np.full(len(pulse), 5), np.arange(len(photon)) % 2 + 1))[order]
    path, whole = tmp_path / "run.qutag", tmp_path / "whole.qutag"
    whole.write_bytes(tags.tobytes())
    path.write_bytes(tags[:20].tobytes())
    timer = threading.Timer(0.3, lambda: append(path, tags[20:12_000].tobytes()))
    timer.start()
    source = open_source(str(path), {"pulses": "5", "idle_s": "0.3", "channels": "1,2,5"})
    timer.join()
    assert source.info.mode == "T3"
    assert source.info.live
    assert source.info.channels == (1, 2)
    mine = joined(driven(source, [lambda: append(path, tags[12_000:].tobytes())]))
    theirs = joined(replayed(whole, pulses="5"))
    np.testing.assert_array_equal(mine[0], theirs[0])
    np.testing.assert_array_equal(mine[2], theirs[2])
    assert np.abs(mine[1].astype(float) * source.info.resolution_s * 1e12 - 3000).max() < 20
    with pytest.raises(InputError, match="follow: pulses: must be a whole number"):
        open_source(str(path), {"pulses": "five", "wait_s": "60"})
    with pytest.raises(InputError, match="channel 9"):
        open_source(str(path), {"pulses": "9", "wait_s": "0.1"})


# ---- end


def test_idle_and_partial_record_are_said(tmp_path):
    recording, target = Recording(tmp_path), tmp_path / "run.ptu"
    target.write_bytes(recording.grown[:-3])
    source = open_source(str(target), {"idle_s": "0.2"})
    driven(source)
    end = source.end()
    assert end.reason == "no more data for 0.2 s"
    assert end.warnings == ("the file ends within a record: its last 1 bytes are left out",)


def test_a_stop_is_obeyed_at_once_while_nothing_comes(tmp_path):
    recording, target = Recording(tmp_path), tmp_path / "run.ptu"
    target.write_bytes(recording.grown)
    source = open_source(str(target), {"idle_s": "inf"})
    chunks = source.chunks()
    while next(chunks).stop > recording.time[-1]:
        pass
    while (idle := next(chunks)).stop > idle.start:
        pass
    begun = time.monotonic()
    assert len([next(chunks) for _ in range(3)]) == 3  # whoever sends them can look for a stop between
    assert time.monotonic() - begun < 3 * 0.2
    told = []
    timer = threading.Timer(0.02, lambda: (told.append(time.monotonic()), source.stop("enough")))
    timer.start()
    assert all(chunk.start == chunk.stop for chunk in chunks)
    assert time.monotonic() - told[0] < 0.2
    assert source.end().reason == "enough"
    timer.join()


def test_a_stop_of_the_daemon_is_heard_while_nothing_comes(tmp_path):
    recording, target = Recording(tmp_path), tmp_path / "run.ptu"
    target.write_bytes(recording.grown)
    took = []

    def stop(address):
        with Control(address) as control:
            while control.ask({"do": "status"})["status"].get("photons", 0) < len(recording.time) - 1:
                pass
            begun = time.monotonic()
            assert control.ask({"do": "stop", "reason": "enough pairs"})["ok"]
            sending.join(DEADLINE_S)
            took.append(time.monotonic() - begun)

    with serving() as (daemon, address):
        job = (f"follow:{target}", address, SETTINGS, {"idle_s": "inf"}, DEADLINE_S)
        sending = threading.Thread(target=send, args=job)
        sending.start()
        stop(address)
        assert daemon.run.pipeline.end.reason == "enough pairs"
    assert took[0] < 2


def test_a_header_written_while_the_file_grows_on_is_no_end(tmp_path, monkeypatch):
    monkeypatch.setattr(follow_reader, "CLOSED_S", 0.3)
    recording, target = Recording(tmp_path), tmp_path / "run.ptu"
    half = len(recording.begin) + 4 * 2000
    target.write_bytes(recording.grown[:half])
    source = open_source(str(target), {"idle_s": "0.5"})
    steps = [lambda: patch(target, recording.end), lambda: append(target, recording.grown[half:])]
    same(driven(source, steps), replayed(recording.path))
    assert source.end().reason == "the recording was closed"


def counted(header, records):
    """The header with this number of records."""
    at = header.index(b"TTResult_NumberOfRecords".ljust(32, b"\0")) + 40
    return header[:at] + np.array([records], "<i8").tobytes() + header[at + 8 :]


def test_a_writer_that_keeps_the_count_in_its_header_true_is_followed_on(tmp_path):
    recording, target = Recording(tmp_path), tmp_path / "run.ptu"
    size, parts = len(recording.begin), [1000, 2000, 3000, len(recording.records) // 4]
    target.write_bytes(recording.grown[: size + 4 * 900])
    source = open_source(str(target), {"idle_s": "0.6"})

    def grow(a, b):
        append(target, recording.grown[size + 4 * a : size + 4 * b])
        patch(target, counted(recording.begin, b))

    steps = [lambda a=a, b=b: grow(a, b) for a, b in itertools.pairwise([900, *parts])]
    same(driven(source, steps), replayed(recording.path))
    assert source.end().reason == "no more data for 0.6 s"


def test_sync_events_at_the_end_are_time_as_in_a_replay(tmp_path):
    recording = Recording(tmp_path, "T2")
    whole, growing = tmp_path / "synced.ptu", tmp_path / "growing.ptu"
    sync = np.array([0x80000000 | 0x1FFFFFF], "<u4").tobytes()  # the last tick before another overflow
    whole.write_bytes(recording.grown + sync)
    growing.write_bytes(recording.grown[:-2])
    source = open_source(str(growing), {"idle_s": "0.15"})
    chunks = driven(source, [lambda: append(growing, recording.grown[-2:] + sync)])
    assert chunks[-1].stop == ((int(recording.time[-1]) + 50 >> 25) + 1) << 25
    same(chunks, replayed(whole))
    assert source.end().sync_records == 1


def test_what_is_written_just_before_the_name_changes_is_read(tmp_path, monkeypatch):
    recording, path = Recording(tmp_path), tmp_path / "run.ptu"
    size = len(recording.begin)
    path.write_bytes(recording.grown[: size + 4000])
    fmt = record_format(path)
    supply = growing_file.GrowingFile(path, fmt, threading.Event())
    buffer = bytearray(1 << 20)
    assert supply.fill(memoryview(buffer)) == 4000

    def renamed():
        append(path, recording.grown[size + 4000 :])
        supply.replaced = True
        return True

    monkeypatch.setattr(supply, "_elsewhere", renamed)
    assert supply.fill(memoryview(buffer)) == len(recording.records) - 4000
    assert supply.finish()
    assert supply.fill(memoryview(buffer)) is None
    supply.close()


# ---- one file after the other


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(follow_reader, "NEXT_S", 0.05)
    monkeypatch.setattr(follow_reader, "_LOOK_S", 0.0)


def aged(path, seconds):
    """Set when it was written, so that tests need not wait for the clock of the file system."""
    os.utime(path, (seconds, seconds))


@pytest.mark.parametrize("pattern", [True, False])
@pytest.mark.parametrize("closed", [True, False])
def test_a_newer_file_that_goes_on_with_the_clock(pattern, closed, quick, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    one = Recording(tmp_path, photons=2000)
    two = Recording(tmp_path, photons=1500, seed=2, first=int(one.time[-1]) + 5000)
    (folder / "notes.txt").write_text("not a recording " * 20)
    (folder / "run_9.ptu").write_bytes((one.end if closed else one.begin) + one.records)
    aged(folder / "run_9.ptu", 1e9)
    aged(folder / "notes.txt", 1.1e9)
    source = open_source(str(folder / "run_*.ptu" if pattern else folder), {"idle_s": "0.4"})
    chunks = driven(source, [lambda: (folder / "run_10.ptu").write_bytes(two.begin + two.records)])
    times, _, channels, *_ = joined(chunks, gaps=1)
    np.testing.assert_array_equal(times, np.concatenate((one.time, two.time)))
    np.testing.assert_array_equal(channels, np.concatenate((one.channel, two.channel)))
    end = source.end()
    assert end.reason == "no more data for 0.4 s"
    assert end.records == (len(one.records) + len(two.records)) // 4
    assert end.warnings == (
        "run_10.ptu follows run_9.ptu: its times go on where that one ended, so its clock is taken for the same",
    )


def dated(header, days):
    """The header with a date of its own."""
    at = header.index(b"File_CreatingTime".ljust(32, b"\0")) + 40
    return header[:at] + np.array([days], "<f8").tobytes() + header[at + 8 :]


@pytest.mark.parametrize("dates", [True, False])
def test_a_newer_file_with_a_clock_of_its_own(dates, quick, tmp_path):
    one, two, three = (Recording(tmp_path, photons=n, seed=n) for n in (2000, 1500, 1000))
    (tmp_path / "whole.ptu").unlink()
    path = tmp_path / "run_1.ptu"
    path.write_bytes(dated(one.begin, 45000.0) + one.records)
    aged(path, 1e9)
    second = dated(two.begin, 45001.0 if dates else 45000.0) + two.records
    source = open_source(str(tmp_path / "run_*.ptu"), {"idle_s": "0.3"})
    steps = [
        lambda: (tmp_path / "run_2.ptu").write_bytes(second[:7000]),
        lambda: append(tmp_path / "run_2.ptu", second[7000:]),
        lambda: (tmp_path / "run_3.ptu").write_bytes(dated(three.end, 45000.0) + three.records),
    ]
    chunks = driven(source, steps)
    times = joined(chunks, gaps=2)[0]
    assert len(times) == 4500
    parts = np.split(times, [2000, 3500])
    for part, recording in zip(parts, (one, two, three), strict=True):
        np.testing.assert_array_equal(part - part[0], recording.time - recording.time[0])
    stops = [a.stop for a, b in itertools.pairwise(chunks) if a.stop != b.start]
    pause = 86400e7 - stops[0] if dates else 1
    assert parts[1][0] == stops[0] + round(pause) + two.time[0]
    assert parts[2][0] == stops[1] + 1 + three.time[0]
    said = source.end().warnings
    assert ("by the dates in their headers" in said[0]) == dates
    assert "by one tick" in said[1]


def test_another_kind_of_file_ends_the_stream_with_its_reason(quick, tmp_path):
    one, two = Recording(tmp_path), Recording(tmp_path, "T2")
    (tmp_path / "whole.ptu").unlink()
    (tmp_path / "run_1.ptu").write_bytes(one.grown)
    aged(tmp_path / "run_1.ptu", 1e9)
    source = open_source(str(tmp_path), {"idle_s": "5"})
    chunks = driven(source, [lambda: (tmp_path / "run_2.ptu").write_bytes(two.grown)])
    np.testing.assert_array_equal(joined(chunks)[0], one.time)
    assert source.end().reason == "run_2.ptu followed, but its photons are T2, the first file's T3"


@pytest.mark.parametrize("how", ["cut", "renamed"])
def test_a_file_written_anew_under_its_name_is_another_file(how, quick, tmp_path):
    if how == "renamed" and sys.platform == "win32":
        pytest.skip("Windows lets no file be replaced that another program reads")
    one, two = Recording(tmp_path, photons=2000), Recording(tmp_path, photons=1500, seed=2)
    path, other = tmp_path / "run.ptu", tmp_path / "other"
    path.write_bytes(one.grown)
    source = open_source(str(path), {"idle_s": "0.3"})

    def again():
        if how == "cut":
            path.write_bytes(two.grown)
        else:
            append(path, b"\x05\x00")
            other.write_bytes(two.grown)
            other.replace(path)

    chunks = driven(source, [again])
    times = joined(chunks, gaps=1)[0]
    np.testing.assert_array_equal(times[:2000], one.time)
    np.testing.assert_array_equal(np.diff(times[2000:]), np.diff(two.time))
    assert "run.ptu was replaced: its clock begins anew" in source.end().warnings[0]


def test_damage_is_refused_with_its_place(tmp_path):
    recording, target = Recording(tmp_path), tmp_path / "run.ptu"
    target.write_bytes(recording.grown)
    source = open_source(str(target), {"idle_s": "0.2"})
    last = np.array([recording.time[-1] % 1024 - 5 & 0x3FF], "<u4").tobytes()
    with pytest.raises(InputError, match=r"record \d+ of \d+: times must not go back"):
        driven(source, [lambda: append(target, recording.records[4:80] + last)])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speed": "1"}, "has its own speed"),
        ({"from": "end"}, "from: must be start or now"),
        ({"idle_s": "-1"}, "idle_s: must be a number of seconds"),
        ({"wait_s": "soon"}, "wait_s: must be"),
        ({"channels": "0;1"}, "channels: must be numbers"),
        ({"late": "sort"}, "late: must be"),
    ],
)
def test_wrong_options_are_one_line(options, words, tmp_path):
    path = Recording(tmp_path, photons=100).path
    with pytest.raises(InputError, match=words):
        open_source(str(path), options)


def test_a_count_that_its_writer_keeps_current_is_no_end(tmp_path, monkeypatch):
    """Some programs write the number of records again and again; only silence ends such a file."""
    monkeypatch.setattr(follow_reader, "CLOSED_S", 0.2)
    recording = Recording(tmp_path, "T2", photons=600)
    content, begin = recording.end + recording.records, len(recording.begin)
    at = recording.begin.index(b"TTResult_NumberOfRecords") + 40
    target, half, read = tmp_path / "kept.ptu", begin + 4 * 200, threading.Event()
    total = len(recording.records) // 4

    def stand(upto):
        """The file as it is after so many bytes, its header telling the records in it."""
        return content[:at] + ((upto - begin) // 4).to_bytes(8, "little") + content[at + 8 : upto]

    target.write_bytes(stand(half))

    def write():
        read.wait(DEADLINE_S)
        for upto in (half + 400, half + 800, len(content)):
            with target.open("r+b") as file:
                file.seek(0, 2)
                file.write(content[file.tell() : upto])
                file.seek(at)
                file.write(((upto - begin) // 4).to_bytes(8, "little"))
            threading.Event().wait(0.1 if upto == half + 400 else 0.6)

    writer = threading.Thread(target=write)
    writer.start()
    source = open_source(str(target), {"channels": "0,1", "idle_s": "1.5"})
    chunks = source.chunks()
    next(chunks)
    read.set()
    for _ in chunks:
        pass
    writer.join(DEADLINE_S)
    assert source.end().reason.startswith("no more data")
    assert source.end().records == total
