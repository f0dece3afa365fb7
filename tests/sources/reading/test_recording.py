"""RecordingSource over a reader of known photons: order, seams, gaps, what is refused and what is dropped."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sources.reading.events import Events, Gap
from sources.reading.recording import RecordingSource
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError


class Told:
    """A reader that tells given photons in blocks of given sizes."""

    def __init__(self, time, sizes, *, horizon=0, begins=0, gaps=None, markers=((), ()), flagged=True):
        self.info = StreamInfo("T2", 1e-12, file="told")
        self.horizon, self.begins = horizon, begins
        self.time = np.asarray(time, np.int64)
        self.channel = np.arange(len(self.time)).astype(np.uint8)  # tells photons of one tick apart
        self.sizes, self.gaps, self.markers, self.flagged = list(sizes), gaps or {}, markers, flagged
        self.at = self.block = 0
        self.closed = False

    def read(self, held):
        if self.at >= len(self.time) and self.block >= len(self.sizes):
            return None
        size = self.sizes[self.block] if self.block < len(self.sizes) else len(self.time) - self.at
        part = slice(self.at, self.at + size)
        time = np.concatenate((held.time, self.time[part]))
        marker_time, marker = (np.asarray(one) for one in self.markers) if self.block == 0 else ((), ())
        self.at, self.block = self.at + size, self.block + 1
        return Events(
            time,
            np.empty(0, np.uint16),
            np.concatenate((held.channel, self.channel[part])),
            np.concatenate((held.marker_time, marker_time)).astype(np.int64),
            np.concatenate((held.marker, marker)).astype(np.uint8),
            reached=int(time.max()) if len(time) else 0,
            gaps=self.gaps.get(self.block - 1, ()),
            backsteps=int((np.diff(time) < 0).sum()),
            last=self.flagged and self.at >= len(self.time) and self.block >= len(self.sizes),
        )

    def place(self, photon):
        return f"photon {photon} of block {self.block - 1}"

    def end(self):
        return StreamEnd("", len(self.time))

    def close(self):
        self.closed = True


def collected(source):
    chunks = list(source.chunks())
    for chunk in chunks:
        assert (np.diff(chunk.time) >= 0).all()
        assert not len(chunk.time) or (chunk.start <= chunk.time[0] and chunk.time[-1] < chunk.stop)
    for before, after in itertools.pairwise(chunks):
        assert before.stop <= after.start
    join = [np.concatenate([getattr(chunk, key) for chunk in chunks]) for key in ("time", "channel")]
    return chunks, *join


def naive(time, horizon):
    """(kept photons in order, sorted stably; how many came too late), one photon after the other."""
    newest, kept, late = 0, [], 0
    for k, t in enumerate(time):
        if newest > t and newest - t >= horizon:
            late += 1
            continue
        newest = max(newest, t)
        kept.append((int(t), k))
    return sorted(kept), late


def cut(rng, n):
    """Sizes of blocks that make n photons, some empty."""
    borders = np.sort(rng.integers(0, n + 1, 12))
    return np.diff(np.concatenate(([0], borders, [n]))).tolist()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("horizon", [0, 7, 40, 1000])
def test_late_tags_are_sorted_or_dropped_as_a_naive_reader_would(seed, horizon):
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.integers(0, 6, 400)) + np.where(rng.random(400) < 0.1, -rng.integers(0, 60, 400), 0)
    time = np.maximum(time, 0)
    kept, late = naive(time, horizon)
    reader = Told(time, cut(rng, 400), horizon=horizon, flagged=bool(seed % 2))
    source = RecordingSource(reader, late="drop")
    _, times, channels = collected(source)
    assert times.tolist() == [t for t, _ in kept]
    assert channels.tolist() == [k % 256 for _, k in kept]
    end = source.end()
    assert end.lost_records == late
    newest, moved = 0, 0
    for t, _ in sorted(kept, key=lambda one: one[1]):
        moved, newest = moved + (t < newest), max(newest, t)
    said = [line.split()[0] for line in end.warnings]
    assert said == [str(count) for count in (moved, late) if count]
    assert reader.closed


def test_the_same_photons_in_any_chunking():
    rng = np.random.default_rng(1)
    time = np.cumsum(rng.integers(0, 4, 1000)) - rng.integers(0, 30, 1000) + 40
    all_at_once = collected(RecordingSource(Told(time, [1000], horizon=50)))[1:]
    for seed in range(20):
        parts = collected(RecordingSource(Told(time, cut(np.random.default_rng(seed), 1000), horizon=50)))[1:]
        assert all(np.array_equal(a, b) for a, b in zip(all_at_once, parts, strict=True))


@pytest.mark.parametrize(
    ("horizon", "words"),
    [
        (0, ("photon 2 of block 0", "tick 50 after 100", "horizon_ns=0.1 ")),
        (20, ("photon 2", "0.05 ns late", "late=drop")),
    ],
)
def test_what_comes_too_late_is_refused_with_its_place(horizon, words):
    source = RecordingSource(Told([10, 100, 50, 120], [4], horizon=horizon))
    with pytest.raises(InputError) as error:
        list(source.chunks())
    assert all(word in str(error.value) for word in words)
    assert "\n" not in str(error.value)


def test_the_remedy_of_the_refusal_works():
    source = RecordingSource(Told([10, 100, 50, 120], [4]), horizon=100)
    assert collected(source)[1].tolist() == [10, 50, 100, 120]
    assert "1 photons came late by less than 0.1 ns" in source.end().warnings[0]


def test_a_jump_ahead_does_not_let_later_photons_through_in_the_wrong_order():
    source = RecordingSource(Told([10, 20, 10**15, 30, 40, 10**15 + 5], [2, 2, 2], horizon=100), late="drop")
    assert collected(source)[1].tolist() == [10, 20, 10**15, 10**15 + 5]
    assert source.end().lost_records == 2


@pytest.mark.parametrize("sizes", [[3], [1, 1, 1], [1, 0, 2]])
def test_a_clock_that_began_before_the_recording_claims_no_silence(sizes):
    told = [10**17 + 5, 10**17, 10**17 + 90]
    chunks, times, _ = collected(RecordingSource(Told(told, sizes, horizon=10, begins=None)))
    assert chunks[0].start == times[0] == 10**17
    assert times.tolist() == sorted(told)


@pytest.mark.parametrize("sizes", [[6], [1] * 6, [2, 0, 3, 1], [5, 1]])
def test_a_gap_parts_the_stream_and_keeps_its_loss(sizes):
    time = [5, 10, 20, 80, 90, 100]
    block = int(np.searchsorted(np.cumsum(sizes), 3, side="right"))  # the one with the photon at 80 tells of it
    chunks, times, _ = collected(RecordingSource(Told(time, sizes, gaps={block: (Gap(21, 80, 7),)})))
    assert times.tolist() == time
    holes = [(a.stop, b.start) for a, b in itertools.pairwise(chunks) if a.stop != b.start]
    assert holes == [(21, 80)]
    assert [chunk.lost for chunk in chunks if chunk.start == 80 or chunk.lost] == [7]
    assert chunks[-1].stop == 101


def test_photons_in_a_gap_are_left_out_and_counted():
    source = RecordingSource(Told([5, 30, 90], [3], gaps={0: (Gap(20, 80),)}))
    assert collected(source)[1].tolist() == [5, 90]
    assert source.end().lost_records == 1
    assert "1 photons lay in a gap" in source.end().warnings[0]


def test_a_gap_waits_for_photons_that_come_late():
    source = RecordingSource(Told([5, 90, 15, 95], [2, 2], horizon=100, gaps={0: (Gap(20, 80, 1),)}))
    chunks, times, _ = collected(source)
    assert times.tolist() == [5, 15, 90, 95]
    assert sum(chunk.lost for chunk in chunks) == 1


def test_markers_of_later_ticks_wait_for_their_chunk():
    markers = ([3, 50, 10], [1, 2, 4])
    chunks, _, _ = collected(RecordingSource(Told([5, 20, 60], [2, 1], markers=markers)))
    assert [chunk.marker.tolist() for chunk in chunks] == [[1, 4], [2]]


def test_stop_ends_at_the_next_chunk_with_the_first_reason():
    reader = Told(np.arange(100), [10] * 10)
    source = RecordingSource(reader)
    chunks = source.chunks()
    next(chunks)
    source.stop("enough")
    source.stop("again")
    assert list(chunks) == []
    assert source.end().reason == "enough"
    assert reader.closed


def test_chunks_can_be_had_once():
    source = RecordingSource(Told([1], [1]))
    list(source.chunks())
    with pytest.raises(RuntimeError, match="open the source again"):
        source.chunks()


def test_a_live_stream_in_a_long_gap_gives_signs_of_life():
    """Whoever sends the chunks hears a stop only when there is one to send."""
    reader = Told([5, 500, 600], [1, 0, 0, 2], gaps={1: (Gap(6, 500, 9),)})
    reader.info = StreamInfo("T2", 1e-12, file="told", live=True)
    chunks = [(chunk.start, chunk.stop, len(chunk.time), chunk.lost) for chunk in RecordingSource(reader).chunks()]
    assert chunks == [(0, 5, 0, 0), (5, 5, 0, 0), (5, 5, 0, 0), (5, 6, 1, 0), (500, 601, 2, 9)]


def test_paced_chunks_keep_what_an_empty_last_one_says():
    from sources.reading.pacing import pieces

    last = Chunk(5, 5, marker_time=np.array([5]), marker=np.array([1], np.uint8), lost=7)
    assert list(pieces(last, 10)) == [last]
