"""Every real recording of every format through the program's own sources: reference figures, or one line that refuses.

The traps are those that the readers of other programs fell into, each under its own name.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from streamer.batch import analyse
from streamer.config import Settings
from streamer.errors import InputError
from streamer.registry import open_source, split_address

SHARED = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
REFERENCE = json.loads((SHARED / "reference.json").read_text()) if SHARED.is_dir() else {}
# What the file itself does not say.
OPTIONS = {"spc/bh_spc630_256.spc": {"tick_ns": "50"}, "h5/luebeck_2ch.h5": {"tick_ns": "10"}}
HEAD = {"spc/bh_spc630_256.spc": 1}  # the reference counts the first word, which says the clock
FILLER = {"spc/bh_fcs_point_000.spc": 1}  # its last record is all bits 0: a filler, which the reference counts
REFUSED = {
    "hist/th200_v50.thd": "histogram.*no time tags",
    "sstt/QD02_r_1.sstt": r"QD02_r_1.sstt.c2, QD02_r_1.sstt.c3, QD02_r_1.sstt.c4.*missing=skip",
    "sstt/QD02_r_1.sstt.c1": "one channel of an SSTT.*index",
    "sstt/QD02_r_1.sstt.c100": "one channel of an SSTT.*index",
    "spc/bh_noise.set": "setup file; give the .spc",
    "spc/bh_spc630_256.spc": "macro clock is not known.*tick_ns",
    "h5/luebeck_2ch.h5": "timestamps_unit.*tick_ns",
    "refs/bh_noise.asc": "not a recording",
    "refs/eta_qutag_hbt_80MHz_g2.npz": "no column of times",
}
WITH_PHOTONS = [name for name, one in REFERENCE.items() if one.get("photons_per_raw_channel") or one.get("photons")]


def collected(name, **options):
    """(info, end, photons and markers of all chunks by name)."""
    source = open_source(str(SHARED / name), OPTIONS.get(name, {}) | options)
    chunks = list(source.chunks())
    keys = ("time", "nanotime", "channel", "marker_time", "marker")
    return source.info, source.end(), {key: np.concatenate([getattr(one, key) for one in chunks]) for key in keys}


@pytest.mark.parametrize("name", WITH_PHOTONS)
def test_photons_ticks_markers_and_records_are_those_of_the_reference(name):
    figures = REFERENCE[name]
    info, end, found = collected(name)
    counts = {str(channel): int(n) for channel, n in zip(*np.unique(found["channel"], return_counts=True), strict=True)}
    expected = dict(figures.get("photons_per_raw_channel") or {"0": figures["photons"]})
    filler = FILLER.get(name, 0)
    if filler:
        expected["0"] -= filler
    assert counts == expected
    if not filler:
        assert (found["time"][0], found["time"][-1]) == (figures["first_tick"], figures["last_tick"])
    assert len(found["marker"]) == (figures.get("markers") or 0)
    if figures.get("records"):
        assert end.records == figures["records"] - filler - HEAD.get(name, 0)
    if figures.get("tick_s"):
        assert info.tick_s == pytest.approx(figures["tick_s"], rel=1e-12)
        if figures.get("span_s") and not filler:
            since = found["time"][0] if name.startswith("qutag") else 0
            assert (found["time"][-1] - since) * info.tick_s == pytest.approx(figures["span_s"], abs=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_truly_is_refused_in_one_line(name):
    with pytest.raises(InputError, match=REFUSED[name]) as error:
        open_source(str(SHARED / name))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", WITH_PHOTONS)
def test_formats_are_known_by_content_not_by_name(name, tmp_path):
    copy = tmp_path / "run.dat"
    copy.write_bytes((SHARED / name).read_bytes())
    assert split_address(str(copy))[0] == split_address(str(SHARED / name))[0]


# ---- traps that other readers fell into


def test_version_2_overflows_count_more_than_one():
    """trattoria unwraps HydraHarp v2 T2 with the constant of version 1; the quantum dot's run lasts 120 s."""
    info, _, found = collected("ht/hh_v2_t2_qd_run0.ht2")
    assert found["time"][-1] * info.tick_s == pytest.approx(119.999802, abs=1e-6)
    info, _, found = collected("ht/hh_v2_t3_4ch.ht3")
    assert found["time"][-1] * info.tick_s == pytest.approx(9.999938, abs=1e-3)


def test_version_1_t2_ticks_are_half_a_picosecond():
    info, _, found = collected("ht/hh_v1_t2_head.ht2")
    assert info.tick_s == 0.5e-12
    assert found["time"][-1] == 194123668


def test_picoharp_t3_markers_are_no_photons_and_channels_keep_their_number():
    """tttrlib takes most markers for photons on channel 15; ptufile moves the channel from 1 to 0."""
    _, _, found = collected("ptu/ph300_t3_image_markers.ptu")
    assert set(found["channel"]) == {1}
    assert len(found["marker"]) == 2565


def test_a_chunked_decode_carries_its_overflows():
    """ptufile restarts the overflow at zero in every chunk."""
    _, _, whole = collected("ptu/hh2_t3_hbt_80MHz.ptu")
    _, _, parts = collected("ptu/hh2_t3_hbt_80MHz.ptu", chunk_records="1000")
    assert np.array_equal(whole["time"], parts["time"])


def test_the_last_partial_block_of_records_is_read():
    """An earlier trattoria left out the last 16 k records."""
    assert collected("ptu/hh2_t3_hbt_80MHz.ptu", chunk_records="100000")[1].records == 561879


def test_spc600_times_do_not_run_backwards():
    """tttrlib's macro times of this file do."""
    _, _, found = collected("spc/bh_spc630_256.spc")
    assert (np.diff(found["time"]) >= 0).all()
    assert found["time"][-1] == 8029059


def test_spc_times_and_adc_equal_another_programs_export():
    info, _, found = collected("spc/bh_noise.spc")
    other = np.loadtxt(SHARED / "refs/bh_noise.asc", dtype=np.int64)
    assert np.array_equal(found["time"], other[:, 0])
    assert np.array_equal(found["nanotime"], other[:, 1] % round(info.period) if info.pulse_known else other[:, 1])


def test_a_stray_byte_behind_the_last_record_is_left_out_and_said():
    info, end, _ = collected("t3r/th200_v5.t3r")
    assert any("1 byte" in line for line in (*info.warnings, *end.warnings))


@pytest.mark.parametrize("run", [0, 1])
def test_a_template_header_does_not_spoil_the_photons(run):
    """The record count (1597208), the rates and the date are those of another run."""
    info, end, _ = collected(f"ht/hh_v2_t2_qd_run{run}.ht2")
    assert any("1597208" in line for line in info.warnings)
    assert any("not written for these records" in line for line in info.warnings)
    assert end.records == REFERENCE[f"ht/hh_v2_t2_qd_run{run}.ht2"]["records"]
    assert info.sync_rate_hz is None


def test_too_few_pairs_give_no_verdict():
    pipeline = analyse(str(SHARED / "ht/hh_v2_t2_qd_run0.ht2"), Settings())
    summary = pipeline.summary(pipeline.answers())
    assert summary["g2"]["g2_0"] is None
    assert summary["g2"]["verdict"] is None
    assert any("too few pairs" in line for line in summary["warnings"])


def test_full_sms_micro_times_are_nanoseconds_whatever_the_dataset_says():
    info, _, found = collected("h5/full_sms_irf.h5")
    low, high = REFERENCE["h5/full_sms_irf.h5"]["micro_min_max"]
    nano = found["nanotime"] * info.resolution_s * 1e9
    assert (nano.min(), nano.max()) == pytest.approx((low, high), abs=info.resolution_s * 1e9)


def test_a_background_recording_is_not_called_blinking():
    pipeline = analyse(str(SHARED / "pt3/emitter_trace07.pt3"), Settings())
    assert [state["name"] for state in pipeline.summary(pipeline.answers())["states"]] == ["steady"]


@pytest.mark.parametrize("trace", ["01", "04", "10"])
def test_a_switching_emitter_has_states(trace):
    pipeline = analyse(str(SHARED / f"pt3/emitter_trace{trace}.pt3"), Settings())
    assert len(pipeline.summary(pipeline.answers())["states"]) >= 2


# ---- quTAG: late tags, and the sync as a channel

QUTAG = "qutag/qutag_hbt_80MHz_sync.qutag"


def qutag_summary(**options):
    settings = Settings(channels=(1, 2), pairs=((1, 2),), period_ns=None if "pulses" in options else 12.496)
    pipeline = analyse(str(SHARED / QUTAG), settings, options)
    return pipeline, pipeline.summary(pipeline.answers())


def test_qutag_late_tags_are_sorted():
    raw = np.fromfile(SHARED / QUTAG, np.dtype([("time", "<i8"), ("channel", "<i2")]), offset=40)
    assert int((np.diff(raw["time"]) < 0).sum()) == REFERENCE[QUTAG]["backsteps"] == 173
    _, end, found = collected(QUTAG)
    order = np.argsort(raw["time"], kind="stable")
    assert np.array_equal(found["time"], raw["time"][order])
    assert np.array_equal(found["channel"], raw["channel"][order])
    assert any(line.startswith("173 photons came late") for line in end.warnings)


def test_qutag_tags_beyond_the_horizon_are_refused_or_dropped_never_used():
    with pytest.raises(InputError, match=r"record \d+ of 267801.*late=drop"):
        collected(QUTAG, horizon_ns="20")
    _, end, found = collected(QUTAG, horizon_ns="20", late="drop")
    assert (np.diff(found["time"]) >= 0).all()
    assert 0 < end.lost_records < 173
    assert len(found["time"]) == 267801 - end.lost_records


def test_qutag_g2_equals_the_reference():
    """All pairs over the whole file: 569 and 541; ETA's 565 and 536 lost those across its three cuts."""
    settings = Settings(
        channels=(1, 2), pairs=((1, 2),), delays_ns={}, tau_bin_ns=0.016, tau_window_ns=160.0, look_photons=0
    )
    pipeline = analyse(str(SHARED / QUTAG), settings)
    counts, half = pipeline.tables["coincidences"]["tau0"].sum(axis=0), pipeline.plan.layout.tau_half
    eta = np.load(SHARED / "refs/eta_qutag_hbt_80MHz_g2.npz")
    _, _, found = collected(QUTAG)
    a, b = (found["time"][found["channel"] == channel] for channel in (1, 2))
    low, high = np.searchsorted(b, a - 160_000), np.searchsorted(b, a + 160_000, side="right")
    tau = np.concatenate([b[i:j] - t for t, i, j in zip(a, low, high, strict=True)])
    forward = np.histogram(tau[tau >= 0], np.arange(10_001) * 16)[0]
    reverse = np.histogram(-tau[tau < 0], np.arange(10_001) * 16)[0]
    assert (forward.sum(), reverse.sum()) == (569, 541)
    assert (forward >= eta["hist1"]).all()
    assert (reverse >= eta["hist2"]).all()
    assert (forward - eta["hist1"]).sum() == 4
    assert (reverse - eta["hist2"]).sum() == 5
    # the engine's bins are odd numbers of ticks centred on zero
    width = pipeline.plan.layout.tau_width
    own = np.floor_divide(tau + width // 2, width)
    assert np.array_equal(np.bincount(own[np.abs(own) <= half] + half, minlength=2 * half + 1), counts)


def test_qutag_sync_recorded_every_eighth_pulse_is_noticed():
    """The laser's period is 12.496 ns; its tags lie on a grid of 100 ns."""
    with pytest.raises(InputError, match="set pulse_divider=8"):
        collected(QUTAG, pulses="5")


def test_qutag_sync_channel_makes_it_pulsed_with_the_same_g2():
    _, plain = qutag_summary()
    pipeline, pulsed = qutag_summary(pulses="5", pulse_divider="8")
    assert pipeline.info.mode == "T3"
    assert pipeline.info.tick_s * 1e9 == pytest.approx(12.496, abs=0.002)
    for summary in (plain, pulsed):
        assert summary["g2"]["central"] == 0
        assert summary["g2"]["g2_0"] == 0
        assert summary["g2"]["side_mean"] == pytest.approx(45.6, rel=0.06)
        assert summary["g2"]["verdict"] == "single"


def test_the_table_in_the_docs_is_what_is_read_here():
    docs = Path(__file__).parents[1] / "docs"
    spec = importlib.util.spec_from_file_location("make_recordings", docs / "make_recordings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (docs / "recordings.md").read_text(encoding="utf-8")
    assert page == module.page(SHARED), "run: python docs/make_recordings.py ../shared/data"
