"""Pulses from a sync channel: simulated trains of known truth, gaps, strays, refusals, and the real quTAG recording."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sources import qutag
from sources.reading.pulses import PulsedSource, with_pulses
from streamer.batch import analyse
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.config import Settings
from streamer.errors import InputError

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "qutag" / "qutag_hbt_80MHz_sync.qutag"
real = pytest.mark.skipif(not REAL.exists(), reason="the shared recordings are not here")
PERIOD = 12345.6789  # ticks of 1 ps
SYNC = 5


class Given:
    """A T2 source of given chunks."""

    def __init__(self, chunks, **info):
        self.given = chunks
        self.info = StreamInfo(**{"mode": "T2", "tick_s": 1e-12, "source": "given"} | info)
        self.stopped = ""

    def chunks(self):
        yield from self.given

    def stop(self, reason):
        self.stopped = reason

    def end(self):
        return StreamEnd("end", records=7, sync_records=1, warnings=("theirs",))


class Train:
    """A laser, its sync and photons, with their truth.

    Attributes:
        time, channel: of all tags, sorted.
        phase: float64[n], of each photon: laser periods since the first pulse, by the clock of the sync tags.
    """

    def __init__(
        self, pulses, *, photons=4000, divider=1, filtered=False, jitter=20.0, drift=0.0, missing=0.0, delay=0.0,
        seed=1, start=50_000, without=(), lifetime=2000.0, period=PERIOD,
    ):  # fmt: skip
        rng = np.random.default_rng(seed)
        self._period, self._pulses, self._drift, self._start, self._delay = period, pulses, drift, start, delay
        pulse = np.sort(rng.integers(0, pulses, photons))
        time = np.rint(self.place(pulse) + rng.exponential(lifetime, photons) % period).astype(np.int64)
        channel = rng.integers(1, 3, photons).astype(np.uint8)
        tags = np.unique(pulse[channel == 1]) if filtered else np.arange(pulses)
        tags = tags[tags % divider == 0] if not filtered else np.unique(tags // divider * divider)
        tags = tags[rng.random(len(tags)) >= missing]
        sync = np.rint(self.place(tags) + delay + rng.normal(0, jitter, len(tags))).astype(np.int64)
        for low, high in without:
            sync = sync[(sync < low) | (sync >= high)]
        self.tags = len(sync)
        time, channel = (
            np.concatenate((time, np.sort(sync))),
            np.concatenate((channel, np.full(len(sync), SYNC, np.uint8))),
        )
        order = np.argsort(time, kind="stable")
        self.time, self.channel = time[order], channel[order]
        self.stop = int(self.time[-1]) + 1000

    def place(self, pulse):
        """Ticks of the pulses; the period grows linearly by `drift` over the run."""
        pulse = np.asarray(pulse, float)
        return self._start + self._period * (pulse + self._drift * pulse**2 / (2 * self._pulses))

    def phase(self, time):
        """Laser periods since the first pulse's sync."""
        x = (time - self._start - self._delay) / self._period
        for _ in range(3):
            x -= (self.place(x) + self._delay - time) / self._period
        return x

    def chunks(self, borders=(), gaps=(), markers=()):
        """Chunks of the train from tick 0 on, cut at the borders; `gaps` are not in them."""
        edges = sorted({0, *borders, self.stop, *(edge for gap in gaps for edge in gap)})
        chunks = []
        for low, high in itertools.pairwise(edges):
            if any(a <= low and high <= b for a, b in gaps):
                continue
            i, j = np.searchsorted(self.time, (low, high))
            here = [(time, bits) for time, bits in markers if low <= time < high]
            marker_time, marker = np.array([t for t, _ in here], np.int64), np.array([b for _, b in here], np.uint8)
            chunks.append(
                Chunk(low, high, self.time[i:j], channel=self.channel[i:j], marker_time=marker_time, marker=marker)
            )
        return chunks


def pulsed(chunks, *, live=False, **options):
    """Read with a first pass of its own, or from the first tags held."""
    return PulsedSource(Given(chunks, live=live), SYNC, look=None if live else lambda: Given(chunks), **options)


def read(source):
    """Chunks, and time, nanotime, channel joined; what chunks promise is checked."""
    chunks = list(source.chunks())
    now = 0
    for chunk in chunks:
        assert now <= chunk.start <= chunk.stop
        now = chunk.stop
        assert not (np.diff(chunk.time) < 0).any()
        assert not len(chunk.time) or (chunk.start <= chunk.time[0] and chunk.time[-1] < chunk.stop)
        assert len(chunk.time) == len(chunk.nanotime) == len(chunk.channel)
        assert (chunk.marker_time < max(chunk.stop, 1)).all()
    return chunks, *(np.concatenate([getattr(c, name) for c in chunks]) for name in ("time", "nanotime", "channel"))


def check_truth(train, source, time, nanotime, channel, *, within=120.0, kept=None):
    """Pulse plus nanotime of every photon is its true phase, but for one constant number of pulses."""
    photons = train.channel != SYNC
    assert len(time) == (photons.sum() if kept is None else kept.sum())
    true = train.phase(train.time[photons] if kept is None else train.time[kept])
    np.testing.assert_array_equal(channel, train.channel[photons] if kept is None else train.channel[kept])
    units = source.info.resolution_s / 1e-12
    apart = time + (nanotime + 0.5) * units / PERIOD - true
    offset = np.round(np.median(apart))
    assert np.abs(apart - offset).max() * PERIOD < within + units
    assert np.abs(np.median(apart) - offset) * PERIOD < 10 + units


CASES = {
    "full": (60_000, {}),
    "divided": (400_000, {"divider": 8}),
    "filtered": (4_000_000, {"filtered": True}),
    "filtered and divided": (4_000_000, {"filtered": True, "divider": 8}),
    "drifting": (100_000_000, {"filtered": True, "drift": 1e-6, "photons": 60_000}),
    "drifting, full": (300_000, {"drift": 1e-6}),
    "missing": (60_000, {"missing": 0.3}),
    "early sync": (60_000, {"delay": -30_000.0}),
    "late sync": (60_000, {"delay": 30_000.0}),
    "late filtered sync": (4_000_000, {"filtered": True, "delay": 30_000.0}),
    "late divided sync": (400_000, {"divider": 8, "delay": 30_000.0}),
}


@pytest.mark.parametrize("name", CASES)
def test_every_photon_has_its_true_pulse_and_nanotime(name):
    pulses, how = CASES[name]
    train = Train(pulses, **how)
    source = pulsed(train.chunks(), divider=how.get("divider", 1))
    chunks, time, nanotime, channel = read(source)
    assert len(chunks) <= 3
    assert sum(chunk.lost for chunk in chunks) == 0
    check_truth(train, source, time, nanotime, channel)
    end = source.end()
    assert (end.sync_records, end.warnings) == (train.tags + 1, ("theirs",))
    info = source.info
    assert info.tick_s == pytest.approx(PERIOD * 1e-12, rel=1.1e-6 if "drift" in how else 3e-8)
    assert info.tick_s != round(info.tick_s, 14)
    assert (info.mode, info.resolution_s, info.sync_rate_hz) == ("T3", 1e-12, 1 / info.tick_s)


@pytest.mark.parametrize("name", ["full", "filtered", "missing", "late divided sync"])
@pytest.mark.parametrize("pieces", [7, 500])
@pytest.mark.parametrize("live", [False, True])
def test_chunking_does_not_matter(name, pieces, live):
    pulses, how = CASES[name]
    train = Train(pulses, without=[(300_000_000, 350_000_000)], **how)
    gaps = [(200_000_000, 230_000_001)]
    divider = how.get("divider", 1)
    _, *whole = read(pulsed(train.chunks(gaps=gaps), divider=divider))
    borders = np.random.default_rng(2).integers(0, train.stop, pieces)
    source = pulsed(train.chunks(borders.tolist(), gaps), divider=divider, live=live)
    chunks, *cut = read(source)
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one, other)
    spans = sum(chunk.stop - chunk.start for chunk in chunks)
    assert spans == pytest.approx((train.stop - 30_000_001) / PERIOD, abs=5 if name != "full" else 5000)


def test_gap_of_the_stream_is_kept():
    train = Train(60_000)
    low, high = 300_000_000, 300_050_000
    source = pulsed(train.chunks(gaps=[(low, high)]))
    chunks, time, nanotime, channel = read(source)
    (gap,) = [(a.stop, b.start) for a, b in itertools.pairwise(chunks) if a.stop != b.start]
    assert gap[1] - gap[0] in (3, 4)
    assert gap[0] == pytest.approx(low / PERIOD, abs=1.5)
    inside = (train.time >= low) & (train.time < high)
    check_truth(train, source, time, nanotime, channel, kept=(train.channel != SYNC) & ~inside)


def test_gap_shorter_than_a_period_stays_a_gap():
    train = Train(60_000)
    chunks, *_ = read(pulsed(train.chunks(gaps=[(300_000_000, 300_000_100)])))
    assert sum(a.stop != b.start for a, b in itertools.pairwise(chunks)) == 1


def test_loss_of_the_stream_is_passed_on():
    train = Train(60_000)
    chunks = train.chunks([100_000_000, 400_000_000])
    chunks[1] = replace(chunks[1], lost=5)
    assert sum(chunk.lost for chunk in read(pulsed(chunks))[0]) == 5


# ---- where pulses cannot be counted


def test_photons_far_from_any_tag_have_no_pulse():
    """A full sync fails for 30 ms, too long to count over; photons within reach of a tag are still placed."""
    low, high = 1_000_000_000, 31_000_000_000
    train = Train(2_600_000, photons=20_000, without=[(low, high)])
    source = pulsed(train.chunks())
    chunks, time, _, _ = read(source)
    (gap,) = [(a.stop, b.start) for a, b in itertools.pairwise(chunks) if a.stop != b.start]
    photons = train.time[train.channel != SYNC]
    inside = int(((photons >= low) & (photons < high)).sum())
    lost = len(photons) - len(time)
    assert 0.9 * inside < lost < inside
    assert sum(chunk.lost for chunk in chunks) == lost
    assert (gap[1] - gap[0]) * PERIOD == pytest.approx(lost / inside * (high - low), rel=0.02)
    (_, line) = source.end().warnings
    assert f"{lost} photons" in line
    assert "1 gaps" in line


def test_end_of_the_sync_is_a_gap_to_the_end():
    train = Train(2_600_000, photons=20_000, without=[(1_000_000_000, 10**12)])
    chunks, time, _, _ = read(pulsed(train.chunks()))
    lost = int((train.channel != SYNC).sum()) - len(time)
    assert chunks[-1].lost == lost > 15_000
    assert chunks[-1].start * PERIOD == pytest.approx(train.stop, rel=1e-4)


def test_sync_that_begins_late():
    train = Train(2_600_000, photons=20_000, without=[(0, 20_000_000_000)])
    chunks, time, _, _ = read(pulsed(train.chunks()))
    lost = int((train.channel != SYNC).sum()) - len(time)
    assert lost > 10_000
    assert chunks[0].start * PERIOD == pytest.approx(20_000_000_000, rel=0.05)
    assert chunks[0].lost == lost


def test_dark_time_of_a_filtered_sync_was_watched():
    """Where only pulses near photons are recorded, a long time without tags and photons is darkness, not a gap."""
    early, late = Train(2_000_000, filtered=True), Train(2_000_000, filtered=True, start=10**12, seed=3)
    late.time = np.concatenate((early.time, late.time))
    late.channel = np.concatenate((early.channel, late.channel))
    source = pulsed(late.chunks())
    chunks, time, _, _ = read(source)
    assert all(a.stop == b.start for a, b in itertools.pairwise(chunks))
    ends = late.time[late.channel != SYNC]
    assert len(time) == len(ends)
    assert source.end().warnings == ("theirs",)


def test_memory_stays_bounded_while_the_sync_is_gone():
    train = Train(100_000, without=[])
    n = 200_000
    late = np.sort(np.random.default_rng(1).integers(train.stop, train.stop + 2 * 10**12, n))
    train.time = np.concatenate((train.time, late))
    train.channel = np.concatenate((train.channel, np.ones(n, np.uint8)))
    train.stop = int(late[-1]) + 1
    source = pulsed(train.chunks(range(train.stop - 2 * 10**12, train.stop, 10**10)))
    most = 0
    for _ in source._made(iter(train.chunks(range(train.stop - 2 * 10**12, train.stop, 10**10)))):
        most = max(most, len(source._when))
    assert most < n // 20
    assert source.end().warnings[1].startswith("sync channel 5")


def test_strays_are_left_out_and_counted():
    train = Train(200_000)
    rng = np.random.default_rng(4)
    stray = np.sort(rng.integers(0, train.stop, 300))
    time = np.concatenate((train.time, stray))
    order = np.argsort(time, kind="stable")
    train.time = time[order]
    train.channel = np.concatenate((train.channel, np.full(300, SYNC, np.uint8)))[order]
    source = pulsed(train.chunks())
    _, got, nanotime, channel = read(source)
    # A stray that falls beside a pulse's place by chance takes its part, and shifts photons by no more than that.
    check_truth(train, source, got, nanotime, channel, within=500.0)
    (_, line) = source.end().warnings
    strays = int(line.split()[3])
    assert 270 <= strays <= 320


def test_new_phase_of_the_laser_is_found_again():
    train = Train(100_000)
    half = int(np.searchsorted(train.time, train.stop // 2))
    train.time[half:] += 5000
    train.stop += 5000
    source = pulsed(train.chunks())
    chunks, time, nanotime, _ = read(source)
    lost = int((train.channel != SYNC).sum()) - len(time)
    assert 0 <= lost <= 5
    units = np.histogram(nanotime, bins=10, range=(0, PERIOD))[0]
    assert units[0] > 3 * units[-1]  # the decay begins at 0 in both halves
    assert sum(a.stop != b.start for a, b in itertools.pairwise(chunks)) == 1


# ---- markers, slow lasers, coarse clocks, live


def test_markers_keep_their_time():
    train = Train(60_000)
    markers = [(10, 1), (5_000_000, 2), (600_000_001, 4), (train.stop - 1, 8)]
    chunks, *_ = read(pulsed(train.chunks([5_000_000, 5_000_001, 300_000_000], markers=markers)))
    marker_time = np.concatenate([c.marker_time for c in chunks])
    assert np.concatenate([c.marker for c in chunks]).tolist() == [1, 2, 4, 8]
    np.testing.assert_allclose(marker_time, [time / PERIOD for time, _ in markers], atol=1.5)


def test_nanotimes_of_a_slow_laser_fit_into_16_bits():
    train = Train(20_000, period=1e6, lifetime=100_000.0)
    source = pulsed(train.chunks())
    _, time, nanotime, _ = read(source)
    assert source.info.resolution_s == 32e-12
    assert len(time) == 4000
    assert nanotime.max() < 32768
    assert 32 * np.median(nanotime) == pytest.approx(100_000 * np.log(2), rel=0.1)


def test_coarse_clock():
    """The older quTAU counts in 81 ps: the period is 154 ticks."""
    train = Train(200_000, jitter=0.0)
    train.time //= 81
    train.stop //= 81
    source = PulsedSource(Given(train.chunks(), tick_s=81e-12), SYNC, look=lambda: Given(train.chunks(), tick_s=81e-12))
    assert source.info.tick_s == pytest.approx(PERIOD * 1e-12, rel=1e-6)
    _, time, nanotime, _ = read(source)
    assert len(time) == 4000
    assert np.median(nanotime) * 81 == pytest.approx(2000 * np.log(2), rel=0.1)


def test_live_stream_is_looked_at_once():
    train = Train(60_000)
    chunks = train.chunks(range(0, 700_000_000, 10_000_000))
    taken = []

    class Live(Given):
        def chunks(self):
            for chunk in self.given:
                taken.append(chunk)
                yield chunk

    source = PulsedSource(Live(chunks, live=True), SYNC)
    assert 1 <= len(taken) < len(chunks)
    _, time, nanotime, channel = read(source)
    assert len(taken) == len(chunks)
    check_truth(train, source, time, nanotime, channel)
    source.stop("enough")
    assert source._source.stopped == "enough"


def test_live_stream_without_tags_for_a_while_gives_empty_chunks():
    train = Train(60_000, without=[(400_000_000, 420_000_000)])
    chunks = train.chunks(range(0, 700_000_000, 1_000_000))
    assert sum(c.start == c.stop for c in PulsedSource(Given(chunks, live=True), SYNC).chunks()) >= 15


# ---- refused


def test_no_sync_is_refused():
    train = Train(60_000)
    dark = [replace(c, channel=np.where(c.channel == SYNC, 7, c.channel).astype(np.uint8)) for c in train.chunks()]
    with pytest.raises(InputError, match=r"at least 33 laser pulses.*got 0 tags"):
        pulsed(dark)


def test_channel_that_is_not_periodic_is_refused():
    rng = np.random.default_rng(1)
    time = np.sort(rng.integers(0, 10**12, 50_000))
    with pytest.raises(InputError, match="not periodic"):
        pulsed([Chunk(0, 10**12, time, channel=np.full(50_000, SYNC, np.uint8))])


def test_pulsed_stream_is_refused():
    train = Train(60_000)
    with pytest.raises(InputError, match="T3"):
        PulsedSource(Given(train.chunks(), mode="T3", tick_s=1e-8, resolution_s=1e-12), SYNC)


def test_divided_sync_that_is_not_said_to_be_is_refused():
    train = Train(400_000, divider=8)
    with pytest.raises(InputError, match=r"8 evenly spaced.*pulse_divider=8, or pulse_divider=1"):
        pulsed(train.chunks())
    assert pulsed(train.chunks(), divider=1).info.tick_s == pytest.approx(8 * PERIOD * 1e-12, rel=1e-6)


def test_divider_that_the_photons_contradict_is_a_doubt():
    doubts = pulsed(Train(60_000).chunks(), divider=4).info.doubts
    assert set(doubts) == {"nanotimes", "pairs"}
    assert "pulse_divider=4 may be wrong" in doubts["pairs"]


def test_given_period_is_used_and_made_exact():
    train = Train(4_000_000, filtered=True)
    source = pulsed(train.chunks(), period_ns=PERIOD * 1e-3 * 1.004)
    assert source.info.tick_s == pytest.approx(PERIOD * 1e-12, rel=1e-8)
    with pytest.raises(InputError, match="pulse_period_ns"):
        pulsed(train.chunks(), period_ns=11.1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pulse_divider": "8"}, "pulse_divider: needs"),
        ({"pulses": "300"}, "pulses: must be a whole number from 0 to 255"),
        ({"pulses": "5", "pulse_divider": "0"}, "pulse_divider"),
        ({"pulses": "5", "pulse_period_ns": "-1"}, "pulse_period_ns"),
    ],
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        with_pulses("qutag", lambda *, at_speed: Given([]), options)


# ---- the real recording


@real
def test_real_sync_gives_the_same_g2():
    """The sync of this file is divided by 8 and filtered; T2 gives centre 0 and 45.65 per side peak."""
    pipeline = analyse(f"qutag:{REAL}", Settings(), {"pulses": "5", "pulse_divider": "8"})
    summary = pipeline.summary(pipeline.answers())
    g2 = summary["g2"]
    assert (g2["kind"], g2["central"], g2["g2_0"], g2["verdict"]) == ("pulsed", 0, 0, "single")
    assert g2["side_mean"] == pytest.approx(45.6, abs=0.1)
    assert g2["delay_ns"] == pytest.approx(-1.25, abs=0.05)
    assert summary["photons_per_channel"] == {"1": 79314, "2": 94287}
    assert summary["duration_s"] == pytest.approx(5.043908, abs=1e-5)
    assert (summary["gaps"], summary["lost_records"], summary["sync_records"]) == (0, 0, 94200)


@real
def test_real_sync_is_not_mistaken_for_the_laser():
    with pytest.raises(InputError, match="pulse_divider=8"):
        qutag.open_source(str(REAL), {"pulses": "5"})


@real
def test_real_sync_in_any_chunking():
    options = {"pulses": "5", "pulse_divider": "8"}
    one, other = (qutag.open_source(str(REAL), options | {"chunk_records": size}) for size in ("262144", "997"))
    assert one.info == other.info
    for left, right in zip(read(one)[1:], read(other)[1:], strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_period_is_the_same_in_any_chunking():
    """The first pass looks at a number of tags, and counts none twice."""
    from sources.reading.pulse_look import look_at

    rng = np.random.default_rng(3)
    tags = np.arange(2000) * 12_500 + rng.integers(-20, 21, 2000)
    photons = np.sort(rng.integers(0, 2000 * 12_500, 3000))
    time = np.concatenate((tags, photons))
    channel = np.concatenate((np.full(2000, 5), np.zeros(3000))).astype(np.uint8)
    order = np.argsort(time, kind="stable")
    time, channel = np.maximum(time[order], 0), channel[order]
    looks = []
    for size in (1, 7, 100, 4999, 5000):
        edges = [0, *(int(time[at]) for at in range(size, 5000, size)), int(time[-1]) + 1]
        chunks = []
        for start, stop in itertools.pairwise(edges):
            part = slice(*np.searchsorted(time, [start, stop]))
            chunks.append(Chunk(start, stop, time[part], channel=channel[part]))
        looks.append(look_at(iter(chunks), 5, 1000, 10**6, held=False))
    assert len(looks[0].intervals) == 1000
    for look in looks[1:]:
        assert np.array_equal(look.intervals, looks[0].intervals)
        assert np.array_equal(look.since, looks[0].since)
        assert np.array_equal(look.channels, looks[0].channels)


REAL_FILE = pytest.mark.skipif(not REAL.exists(), reason="the real quTAG recording is not here")


@REAL_FILE
def test_a_detector_named_as_the_sync_gives_no_verdict():
    """Its tags are periodic to 0.17 ns, for the light is: enough to count pulses by, too little to measure."""
    pipeline = analyse(str(REAL), Settings(), {"pulses": "1"})
    summary = pipeline.summary(pipeline.answers())
    assert summary["g2"]["g2_0"] is None
    assert summary["g2"]["verdict"] in (None, "undecided")
    assert all(state["lifetime_ns"] is None for state in summary["states"])
    assert any("is it the laser sync?" in line for line in summary["warnings"])
