"""The SPC source: real recordings against their reference figures, units, gaps, loss, faulty files."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest

from sources.spc import open_source
from streamer.errors import InputError

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
REFERENCE = json.loads((SHARED / "reference.json").read_text()) if (SHARED / "reference.json").exists() else {}
NOISE, FCS = "spc/bh_noise.spc", "spc/bh_fcs_point_000.spc"
SMFRET, OLD = "spc/bh_spc132_smfret_m000.spc", "spc/bh_spc630_256.spc"
OPTIONS = {NOISE: {}, FCS: {}, SMFRET: {}, OLD: {"tick_ns": "50"}}
real = pytest.mark.skipif(not REFERENCE, reason="the shared recordings are not here")
real_files = [pytest.mark.parametrize("name", OPTIONS), real]

SETUP = {"SP_TAC_R": 5e-8, "SP_TAC_G": 4, "SP_ADC_RE": 4096, "SP_SYN_FD": 1, "SP_MTCLK": 0}


def setup(module="SPC-150", **parameters):
    lines = "".join(f"  #SP [{key},F,{value}]\r\n" for key, value in (SETUP | parameters).items() if value is not None)
    head = f"*IDENTIFICATION\r\n  ID : \x04SPC Setup Script File\x04\r\n with module {module}\r\n*SETUP\r\n"
    return (head + lines).encode()


def words(*records, clock=250):
    """A file of the 130 family."""
    return np.array([0x80000000 | clock, *records], "<u4").tobytes()


def photons(times, adc=9, routing=0):
    """Records of the 130 family with photons at these ticks."""
    records, turns = [], 0
    for when, value, channel in np.broadcast(times, adc, routing):
        more, turns = int(when) // 4096 - turns, int(when) // 4096
        records += [0xC0000000 | more] * (more > 1)
        records.append((more == 1) << 30 | int(value) << 16 | int(channel) << 12 | int(when) % 4096)
    return records


ADC = np.tile([9, 480, 33, 3000, 170], 400)  # in another layout, where they are part of the time, that runs back
BUSY = photons(np.arange(20) * 100, ADC[:20])  # enough to know the layout by


@pytest.fixture
def opened(tmp_path):
    """Writes a recording, and a setup beside it if there is one, and opens it as a source."""
    numbers = itertools.count()

    def make(content, beside=None, **options):
        path = tmp_path / f"run{next(numbers)}.spc"
        path.write_bytes(content)
        if beside is not None:
            path.with_suffix(".set").write_bytes(beside)
        return open_source(str(path), {key: str(value) for key, value in options.items()})

    return make


def read(source):
    """All columns and the spans; and that the chunks keep their promises."""
    chunks, now = list(source.chunks()), 0
    for chunk in chunks:
        assert now <= chunk.start <= chunk.stop
        now = chunk.stop
        assert (chunk.time.dtype, chunk.channel.dtype, chunk.nanotime.dtype) == (np.int64, np.uint8, np.uint16)
        assert len(chunk.nanotime) == (len(chunk.time) if source.info.mode == "T3" else 0)
        assert len(chunk.channel) == len(chunk.time)
        assert ((chunk.time >= chunk.start) & (chunk.time < chunk.stop)).all()
        assert not (np.diff(chunk.time) < 0).any()
    columns = ("time", "nanotime", "channel", "marker_time", "marker")
    return [np.concatenate([getattr(c, name) for c in chunks]) if chunks else np.empty(0) for name in columns], now


def same(one, other):
    assert one[1] == other[1]
    for left, right in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(left, right)


def real_source(name, **options):
    return open_source(str(SHARED / name), OPTIONS[name] | {key: str(value) for key, value in options.items()})


# ---- real recordings


@real
@pytest.mark.parametrize("name", OPTIONS)
def test_real_file_has_its_reference_figures(name):
    """The reference decoder took the empty last record of the FCS file for a photon; it is filler, see below."""
    figures, source = REFERENCE[name], real_source(name)
    (times, _, channel, _, marker), stop = read(source)
    filler = int(name == FCS)
    counted, counts = np.unique(channel, return_counts=True)
    expected = figures["photons_per_raw_channel"] | ({"0": figures["photons"] - 1} if filler else {})
    assert dict(zip(map(str, counted), counts, strict=True)) == expected
    assert len(times) == figures["photons"] - filler
    assert times[0] == figures["first_tick"]
    assert times[-1] == (119987027 if filler else figures["last_tick"])
    assert len(marker) == figures["markers"]
    wrap = 131072 if name == OLD else 4096
    assert stop - 1 >= figures["overflow_total"] * wrap - 1
    assert stop <= max(figures["overflow_total"] * wrap, times[-1] + 1)
    header = int(name == OLD)  # there the reference counts the first record as one
    assert source.end().records == figures["records"] - header - filler
    if figures["tick_s"]:
        assert source.info.tick_s == pytest.approx(figures["tick_s"], rel=1e-12)
    if "invalid_other" in figures:
        assert f"{figures['invalid_other']} records are marked invalid" in source.end().warnings[0]


@real
@pytest.mark.parametrize("name", OPTIONS)
def test_real_nanotimes_have_their_reference_range(name):
    source = real_source(name, resolution_ps=2.4) if name != NOISE else real_source(name)
    (_, nanotime, *_), _ = read(source)
    low, high = REFERENCE[name]["dtime_min_max"]
    assert nanotime.min() == low
    assert nanotime.max() == (high if name != FCS else 3951)  # 4095 is that of the filler


@real
def test_noise_equals_the_export_of_another_program_line_by_line():
    (times, nanotime, *_), _ = read(real_source(NOISE))
    lines = np.loadtxt(SHARED / "refs" / "bh_noise.asc", np.int64)
    np.testing.assert_array_equal(np.column_stack((times, nanotime)), lines)


@real
def test_noise_with_its_setup():
    info = real_source(NOISE).info
    assert (info.mode, info.pulse_s, info.pulse_known) == ("T3", None, True)  # the macro clock is the sync
    assert info.resolution_s == pytest.approx(2.4430455e-12, rel=1e-6)
    assert info.hardware == "SPC-150 3F0022"
    assert info.sync_rate_hz == pytest.approx(1 / 9.5e-9)
    (line,) = info.warnings
    assert "rounded to 0.1 ns" in line
    assert real_source(NOISE, period_ns=9.512).info.tick_s == pytest.approx(9.512e-9)


@real
def test_without_a_setup_nanotimes_are_left_out_and_the_remedy_is_said():
    info = real_source(SMFRET).info
    assert (info.mode, info.resolution_s, info.pulse_s) == ("T2", 0.0, None)
    (line,) = [line for line in info.warnings if "nanotimes" in line]
    assert "resolution_ps=" in line
    assert ".set" in line


@real
def test_spc600_macro_times_do_not_run_backwards():
    """As those of tttrlib 0.26.2 do. The clock has 17 bits, so an overflow is 131072 ticks."""
    (times, *_), _ = read(real_source(OLD))
    assert not (np.diff(times) < 0).any()
    raw = np.fromfile(SHARED / OLD, "<u4")[1:].astype(np.int64)
    overflows = np.cumsum(raw >> 30 & 1)
    valid = raw >> 28 & 9 == 0
    np.testing.assert_array_equal(times, (overflows * 131072 + (raw >> 8 & 0x1FFFF))[valid])


@real
def test_the_macro_clock_of_the_spc630_file_is_asked_for():
    with pytest.raises(
        InputError, match=r"macro clock is not known: .* 50 ns, the first record says 11\.8 ns; .*tick_ns="
    ):
        open_source(str(SHARED / OLD), {})


@real
def test_the_back_step_of_the_fcs_file_is_filler():
    """Its last record has all bits 0: a photon 2899 ticks before the one ahead of it, without an overflow."""
    source = real_source(FCS)
    assert len(read(source)[0][0]) == 3504
    (line,) = [line for line in source.info.warnings if "filler" in line]
    assert "1 with all bits 0" in line
    assert source.end().lost_records == 0


@real
def test_two_detectors_behind_one_router_leave_g2_in_doubt():
    """SPC-132: routing 0 and 1 are one card, 8 and 9 the other; pairs within the dead time are only across cards."""
    source = real_source(SMFRET)
    read(source)
    assert "share one card" in source.end().doubts["pairs"]
    steps = source._reader._format.decoder.steps
    both = steps + steps.transpose(0, 2, 1)
    assert both[1, 0, 1] == both[1, 8, 9] == 0 < min(both[0, 0, 1], both[0, 8, 9])
    assert min(both[1, a, b] for a in (0, 1) for b in (8, 9)) >= 10


@real
@pytest.mark.parametrize("name", OPTIONS)
def test_chunking_does_not_matter_on_a_real_file(name):
    whole = read(real_source(name, chunk_records=1_000_000))
    same(read(real_source(name, chunk_records=1009)), whole)


@real
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("size", [1, 7])
def test_chunking_does_not_matter_on_a_piece_of_a_real_file(name, size, opened):
    with (SHARED / name).open("rb") as file:
        piece = file.read(4 * 3000)
    key = "spc600_256" if name == OLD else "spc130"
    options = OPTIONS[name] | {"format": key}
    same(read(opened(piece, **options, chunk_records=size)), read(opened(piece, **options)))


# ---- units


def test_the_clock_is_the_laser_by_setup(opened):
    info = opened(words(*BUSY, clock=125), setup(SP_MTCLK=1)).info
    assert (info.mode, info.tick_s, info.pulse_s) == ("T3", pytest.approx(12.5e-9), None)
    assert info.resolution_s == pytest.approx(5e-8 / 4 / 4096)


def test_the_clock_is_a_fraction_of_the_laser_by_setup(opened):
    info = opened(words(*BUSY, clock=500), setup(SP_MTCLK=3)).info
    assert (info.tick_s, info.pulse_s) == (pytest.approx(50e-9), pytest.approx(12.5e-9))
    info = opened(words(*BUSY, clock=500), setup(SP_MTCLK=3), period_ns=12.51).info
    assert (info.tick_s, info.pulse_s) == (pytest.approx(50.04e-9), pytest.approx(12.51e-9))


def test_the_clock_is_the_card_s_own(opened):
    info = opened(words(*BUSY), setup(SP_MTCLK=0), period_ns=12.5).info
    assert (info.tick_s, info.pulse_s, info.pulse_known) == (pytest.approx(25e-9), pytest.approx(12.5e-9), True)
    assert (info.warnings, info.doubts) == ((), {})


def test_an_unknown_laser_period_is_said(opened):
    info = opened(words(*BUSY), setup(SP_MTCLK=0)).info
    assert (info.mode, info.pulse_known) == ("T3", False)
    assert info.pulse_s == pytest.approx(12.5e-9)  # the range of the TAC
    assert any("period_ns=" in line for line in info.warnings)


def test_with_a_divided_sync_the_clock_s_relation_to_the_laser_is_not_known(opened):
    info = opened(words(*BUSY, clock=125), setup(SP_MTCLK=1, SP_SYN_FD=4)).info
    assert (info.pulse_known, info.sync_rate_hz) == (False, None)
    assert opened(words(*BUSY, clock=125), setup(SP_MTCLK=1, SP_SYN_FD=4), macro_clock="sync").info.pulse_s is None


def test_options_instead_of_a_setup(opened):
    info = opened(words(*BUSY, clock=125), resolution_ps=4, macro_clock="sync").info
    assert (info.mode, info.resolution_s, info.pulse_s, info.hardware) == ("T3", 4e-12, None, "Becker & Hickl")
    info = opened(words(*BUSY), resolution_ps=4, period_ns=12.5).info
    assert (info.pulse_s, info.sync_rate_hz) == (pytest.approx(12.5e-9), pytest.approx(80e6))


def test_a_setup_of_another_place(opened, tmp_path):
    path = tmp_path / "other.set"
    path.write_bytes(setup(SP_MTCLK=1))
    assert opened(words(*BUSY, clock=125), set=path).info.mode == "T3"


def test_a_setup_that_contradicts_the_recording_is_doubted(opened):
    info = opened(words(*BUSY, clock=135), setup(SP_MTCLK=0), period_ns=13.5).info
    assert "13.5 ns" in info.doubts["nanotimes"]
    assert info.doubts["nanotimes"] in info.warnings


def test_a_damaged_setup_beside_the_recording_is_named_and_not_used(opened):
    info = opened(words(*BUSY), b"nothing").info
    assert info.mode == "T2"
    assert "is not a setup file" in info.warnings[0]
    info = opened(words(*BUSY), setup(SP_ADC_RE=1024)).info
    assert (info.mode, info.resolution_s) == ("T2", 0.0)
    assert any("1024 ADC channels" in line for line in info.warnings)


def test_resolution_beside_a_setup(opened):
    info = opened(words(*BUSY), setup(), resolution_ps=5, period_ns=12.5).info
    assert info.resolution_s == 5e-12
    assert any("the setup says" in line for line in info.warnings)


def test_duration_and_hardware_of_the_setup(opened):
    info = opened(words(*BUSY), setup("SPC-160 (Ser.No. 3X1)", SP_STOPT=1, SP_COL_T=60)).info
    assert (info.hardware, info.duration_s) == ("SPC-160 3X1", 60)


def test_a_tac_range_of_several_laser_periods(opened):
    adc = np.tile([0, 1023, 100], 10)
    source = opened(words(*photons(np.arange(30) * 50, adc)), setup(SP_TAC_G=1), period_ns=12.5)
    (_, nanotime, *_), _ = read(source)
    assert nanotime[:3].tolist() == [1023, 0, 923]  # a period is 1024 channels
    assert source.end().warnings == ()


def test_photons_that_no_such_laser_period_allows(opened):
    source = opened(words(*photons(np.arange(30) * 50, ADC[:30] % 300 + 2000)), setup(SP_TAC_G=1), period_ns=12.5)
    (_, nanotime, *_), _ = read(source)
    assert (nanotime >= source.info.period).all()


def test_spc600_files_say_50_ns(opened):
    first = (0x1000 | 500 << 16).to_bytes(6, "little")
    records = b"".join((9 | (k * 40 & 0xFFFF) << 32).to_bytes(6, "little") for k in range(40))
    info = opened(first + records).info
    assert (info.tick_s, info.format) == (pytest.approx(50e-9), "SPC SPC-600/630 4096 channels")
    assert len(read(opened(first + records))[0][0]) == 40
    words_256 = np.array([0x80000000 | 500, *(k * 40 << 8 for k in range(40))], "<u4").tobytes()
    info = opened(words_256, resolution_ps=50, period_ns=12.5).info
    assert (info.tick_s, info.mode, info.pulse_s) == (pytest.approx(50e-9), "T3", pytest.approx(12.5e-9))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tick_ns": 26}, "tick_ns: must give a macro clock of 25.0 ns"),
        (
            {"resolution_ps": 4, "macro_clock": "sync", "period_ns": 12.5},
            "period_ns: must give a macro clock of 25.0 ns",
        ),
        ({"macro_clock": "sync", "period_ns": 25.01, "tick_ns": 25}, "tick_ns: the macro clock is the laser's"),
        ({"macro_clock": "laser"}, "macro_clock: must be sync or internal, got 'laser'"),
        ({"resolution_ps": 0}, "resolution_ps: must be a number"),
        ({"period_ns": "x"}, "period_ns: must be a number"),
        ({"resolution_ps": 30000, "period_ns": 12.5}, "wider than the laser period of 12.5 ns"),
        ({"format": "spc150"}, "format: must be spc130 or"),
        ({"format": "spc600_4096"}, "record 0: must say the macro clock as spc600_4096"),
        ({"set": "nowhere.set"}, "nowhere.set: the setup file cannot be read"),
        ({"periods": 3}, "did you mean period_ns"),
    ],
)
def test_options_that_cannot_be(opened, options, said):
    with pytest.raises(InputError) as caught:
        opened(words(*BUSY), **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_clock_option_that_contradicts_the_setup(opened):
    with pytest.raises(InputError, match="macro_clock: must agree with SP_MTCLK"):
        opened(words(*BUSY), setup(SP_MTCLK=0), macro_clock="sync")


# ---- layout


def test_a_layout_in_doubt_is_asked_for(opened):
    sparse = words(*itertools.chain.from_iterable((0xC0000003, 0x00090000 | k) for k in range(50)))
    with pytest.raises(InputError, match=r"too few records .* format=spc130 or format=spc600_256"):
        opened(sparse)
    assert opened(sparse, format="spc130").info.format == "SPC SPC-130/140/150/160/830"
    assert opened(sparse, setup("SPC-150")).info.format == "SPC SPC-130/140/150/160/830"
    assert opened(sparse, setup("SPC-630", SP_ADC_RE=256), tick_ns=50).info.format == "SPC SPC-600/630 256 channels"


def test_a_setup_of_another_card_is_refused(opened):
    for module in ("SPC-630", "DPC-230", "SPC-QC-104"):
        with pytest.raises(InputError, match=f"look like spc130, but .* names the module {module}"):
            opened(words(*BUSY), setup(module))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x01", "is not an SPC file"),
        (b"PQTTTR\0\0" * 100, "is not an SPC file"),
        (words(), "too few records"),
        (b"time,channel\n1,2\n" * 100, "is not an SPC file"),
    ],
)
def test_files_that_are_none(opened, content, said):
    with pytest.raises(InputError) as caught:
        opened(content)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_or_nothing(tmp_path):
    for path in (tmp_path, tmp_path / "none.spc"):
        with pytest.raises(InputError, match="cannot be read"):
            open_source(str(path), {})


def test_no_records(opened):
    source = opened(words(), format="spc130")
    assert list(source.chunks()) == []
    assert source.end().records == 0


# ---- loss, disorder, damage


def test_a_gap_is_no_live_time(opened):
    records = [*BUSY, 0x20000000 | 3000, *photons([3100, 5000], routing=1)]
    source = opened(words(*records))
    chunks = list(source.chunks())
    assert [(chunk.start, chunk.stop) for chunk in chunks] == [(0, 1901), (3000, 5001)]
    assert chunks[1].time.tolist() == [3000, 3100, 5000]
    assert "FIFO was full 1 times" in source.end().warnings[0]


def test_a_gap_that_hides_an_overflow_does_not_turn_time_back(opened):
    source = opened(words(*BUSY, 0x20000000 | 5, 100))
    chunks = list(source.chunks())
    assert [(chunk.start, chunk.stop) for chunk in chunks] == [(0, 1901), (4101, 4197)]
    assert "at least 1 overflows of the clock" in source.end().warnings[0]


def test_gaps_in_any_chunking(opened):
    rng = np.random.default_rng(8)
    records = photons(np.cumsum(rng.integers(1, 3000, 2000)), ADC)
    records = [record | (rng.random() < 0.05) << 29 for record in records]
    whole = opened(words(*records))
    expected = [(c.start, c.stop) for c in whole.chunks()]
    starts = [start for (_, stop), (start, _) in itertools.pairwise(expected) if start != stop]
    for size in (1, 7, 100):
        spans = [(c.start, c.stop) for c in opened(words(*records), chunk_records=size).chunks()]
        assert [start for (_, stop), (start, _) in itertools.pairwise(spans) if start != stop] == starts
    assert len(starts) > 50


def test_markers(opened):
    source = opened(words(*BUSY, 0x90000000 | 3 << 12 | 2000, 0xD0000000 | 8 << 12 | 1, 200, clock=250 | 0x22 << 24))
    (times, _, _, marker_time, marker), stop = read(source)
    assert list(zip(marker_time.tolist(), marker.tolist(), strict=True)) == [(2000, 3), (4097, 8)]
    assert (times[-1], stop) == (4296, 4297)


def test_a_back_step_is_refused_with_its_record_or_dropped(opened):
    content = words(*BUSY, 0x00090010, 2000)
    with pytest.raises(
        InputError, match=r"record 21 of 22: times must not go back, got tick 16 after 1900; .*late=drop"
    ):
        read(opened(content))
    source = opened(content, late="drop")
    assert read(source)[0][0].tolist() == [*range(0, 2000, 100), 2000]
    assert source.end().lost_records == 1


def test_invalid_records_are_counted_and_left_out(opened):
    source = opened(words(*BUSY, 0x80090000 | 1, 2000))
    assert len(read(source)[0][0]) == 21
    assert "1 records are marked invalid" in source.end().warnings[0]


@pytest.mark.parametrize("left", [1, 2, 3])
def test_cut_within_a_record(opened, left):
    source = opened(words(*BUSY) + bytes(left))
    assert len(read(source)[0][0]) == 20
    assert any(f"its last {left} bytes" in line for line in source.info.warnings)


def test_absurd_overflows_are_refused(opened):
    content = words(*BUSY, *[0xCFFFFFFF] * 3_000_000)
    with pytest.raises(InputError, match=r"record \d+ of 3000020: the overflows add up"):
        read(opened(content))


def test_one_router_is_doubted_only_with_many_close_pairs(opened):
    rng = np.random.default_rng(9)
    times, routing = np.cumsum(rng.integers(5, 40, 3000)), rng.integers(0, 2, 3000)  # 125 ns dead time
    source = opened(words(*photons(times, rng.integers(0, 4096, 3000), routing)))
    read(source)
    assert "channels 0 and 1" in source.end().doubts["pairs"]
    for other, some in (
        (times, 8 * routing),
        (np.cumsum(rng.integers(0, 40, 3000)), routing),
        (times[:50], routing[:50]),
    ):
        source = opened(words(*photons(other, rng.integers(0, 4096, len(other)), some)))
        read(source)
        assert source.end().doubts == {}


def piece(name, size):
    with (SHARED / name).open("rb") as file:
        return file.read(size)


def old_4096():
    rng = np.random.default_rng(6)
    first = (0x1000 | 500 << 16).to_bytes(6, "little")
    now, records = 0, []
    for step in rng.integers(1, 1 << 22, 1500).tolist():
        overflow, now = (now + step) >> 24, (now + step) & 0xFFFFFF
        records.append((9 | overflow << 13 | (now >> 16) << 16 | (now & 0xFFFF) << 32).to_bytes(6, "little"))
    return first + b"".join(records)


@real
@pytest.mark.parametrize("key", ["spc130", "spc600_256", "spc600_4096"])
def test_damaged_files_give_one_line_or_photons_in_order(key, opened):
    whole = {"spc130": piece(SMFRET, 8000), "spc600_256": piece(OLD, 8000), "spc600_4096": old_4096()}[key]
    truth = read(opened(whole, format=key, tick_ns=13.5 if key == "spc130" else 50))[0][0].tolist()
    rng, begun, kept = np.random.default_rng(11), time.monotonic(), 0
    for _ in range(300):
        damaged, cut = bytearray(whole), rng.random() < 0.4
        for place in rng.integers(0, len(damaged), 0 if cut else rng.integers(1, 8)).tolist():
            damaged[place] = int(rng.integers(0, 256))
        if cut:
            del damaged[int(rng.integers(0, len(damaged))) :]
        options = {"tick_ns": 50} if key == "spc600_256" else {}
        options |= {"format": key} if rng.random() < 0.5 else {}
        said = ""
        try:
            times = read(opened(bytes(damaged), **options, late=str(rng.choice(["refuse", "drop"]))))[0][0].tolist()
            if cut:
                assert times == truth[: len(times)]
                kept += 1
        except InputError as error:
            said = str(error)
        assert "\n" not in said
    assert kept > 50
    assert time.monotonic() - begun < 30
