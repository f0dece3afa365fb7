"""Real recordings through the whole engine: reference counts, g2 against an oracle and another program's result."""

import json
from pathlib import Path

import numpy as np
import pytest

from streamer.batch import analyse
from streamer.config import Settings
from streamer.registry import open_source

SHARED = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
FILES = sorted(path.name for path in (SHARED / "ptu").glob("*.ptu")) if SHARED.is_dir() else []


def photons(name):
    """All photons of a file, by the project's own reader: (info, time, nanotime, channel)."""
    source = open_source(str(SHARED / "ptu" / name))
    chunks = list(source.chunks())
    return (
        source.info,
        *(np.concatenate([getattr(c, key) for c in chunks]) for key in ("time", "nanotime", "channel")),
    )


def naive_differences(fine, reach):
    """All differences b - a within +-reach: for every a the slice of b's that can be near, nothing else."""
    a, b = fine
    low = np.searchsorted(b, a - reach)
    high = np.searchsorted(b, a + reach, side="right")
    return np.concatenate([b[i:j] - x for x, i, j in zip(a, low, high, strict=True) if j > i])


@pytest.mark.parametrize("name", FILES)
def test_counts_are_those_of_three_other_decoders(name):
    reference = json.loads((SHARED / "reference.json").read_text())["ptu/" + name]
    pipeline = analyse(str(SHARED / "ptu" / name), Settings())
    summary = pipeline.summary(pipeline.answers())
    assert summary["photons_per_channel"] == reference["photons_per_raw_channel"]
    assert summary["markers"] == reference["markers"]
    assert (summary["first_tick"], summary["last_tick"]) == (reference["first_tick"], reference["last_tick"])
    assert summary["records"] == reference["records"]
    account = pipeline.account
    assert account.received == account.analysed + account.outside == summary["photons"]
    assert account.open == 0


@pytest.mark.parametrize("name", FILES)
def test_no_recording_is_doubted_without_a_reason(name):
    pipeline = analyse(str(SHARED / "ptu" / name), Settings())
    summary = pipeline.summary(pipeline.answers())
    assert summary["doubts"] == {}
    assert not [
        line for line in summary["warnings"] if line.split(":")[0] in ("duration", "bin_ms", "gate_ns", "nanotimes")
    ]


def test_pulsed_centre_displaced_by_a_cable_is_found():
    pipeline = analyse(str(SHARED / "ptu/hh2_t3_hbt_80MHz.ptu"), Settings())
    g2 = pipeline.summary(pipeline.answers())["g2"]
    assert g2["delay_ns"] == pytest.approx(23.94, abs=0.05)
    assert g2["g2_0"] == pytest.approx(0.003, abs=0.003)
    assert g2["central"] <= 3
    assert g2["side_mean"] == pytest.approx(375.6, rel=0.02)
    assert g2["verdict"] == "single"


def test_t2_comb_and_displaced_centre_are_found():
    pipeline = analyse(str(SHARED / "ptu/hh2_t2_hbt_320MHz.ptu"), Settings())
    g2 = pipeline.summary(pipeline.answers())["g2"]
    assert g2["period_ns"] == pytest.approx(3.128, abs=0.001)
    assert g2["delay_ns"] == pytest.approx(23.94, abs=0.05)
    assert (g2["central"], g2["verdict"]) == (2, "single")
    assert g2["side_mean"] == pytest.approx(513.5, rel=0.02)


def test_blinking_dot_has_states_and_a_small_g2():
    pipeline = analyse(str(SHARED / "ptu/hh1_t3_hbt_2p5MHz_blinking.ptu"), Settings())
    summary = pipeline.summary(pipeline.answers())
    assert summary["g2"]["g2_0"] == pytest.approx(0.28, abs=0.08)
    assert summary["g2"]["central"] == 11
    assert len(summary["states"]) >= 2


def test_an_ordinary_source_is_not_called_antibunched():
    pipeline = analyse(str(SHARED / "ptu/ph300_t2_2ch_80MHz.ptu"), Settings())
    g2 = pipeline.summary(pipeline.answers())["g2"]
    assert g2["delay_ns"] == 0
    assert g2["verdict"] != "single"
    assert g2["g2_0"] > 1


@pytest.mark.parametrize("name", ["ph300_t3_image_markers.ptu", "th260n_t2_1ch_bursts.ptu"])
def test_one_detector_has_no_g2_and_a_reason(name):
    pipeline = analyse(str(SHARED / "ptu" / name), Settings())
    summary = pipeline.summary(pipeline.answers())
    assert summary["g2"]["g2_0"] is None
    assert sum("two detectors" in line for line in summary["warnings"]) == 1


def tau_counts(name, width_ns, reach_ns, **delays):
    settings = Settings(
        delays_ns=delays.get("delays_ns", {}), tau_bin_ns=width_ns, tau_window_ns=reach_ns, period_ns=None
    )
    pipeline = analyse(str(SHARED / "ptu" / name), settings)
    return pipeline.plan.layout, pipeline.tables["coincidences"]["tau0"].sum(axis=0)


def test_t3_tau_histogram_equals_the_oracle_and_misses_only_what_eta_lost():
    """ETA cut the file into four pieces (about 1 % of the pairs lost) and rounds the sync period to whole ps."""
    name = "hh2_t3_hbt_80MHz.ptu"
    layout, counts = tau_counts(name, 0.016, 160.0)
    info, time, nanotime, channel = photons(name)
    # Oracle: pulse lag times the unrounded period, rounded once to the resolution, plus the difference of nanotimes.
    (ta, na), (tb, nb) = ((time[channel == c], nanotime[channel == c].astype(int)) for c in (0, 1))
    lags = []
    low = np.searchsorted(tb, ta - layout.window)
    high = np.searchsorted(tb, ta + layout.window, side="right")
    for t, n, i, j in zip(ta, na, low, high, strict=True):
        if j > i:
            lags.append(np.rint((tb[i:j] - t) * info.period).astype(int) + nb[i:j] - n)
    tau = np.concatenate(lags)
    half = layout.tau_half
    assert layout.tau_width == 1
    expected = np.bincount(tau[np.abs(tau) <= half] + half, minlength=2 * half + 1)
    assert np.array_equal(counts, expected)
    eta = np.load(SHARED / "refs/eta_hh2_t3_hbt_80MHz_g2.npz")
    forward, reverse = counts[half : half + 10_000], counts[half - 9_999 : half + 1][::-1]
    assert (int(eta["hist1"].sum()), int(eta["hist2"].sum())) == (4038, 4861)
    for ours, theirs, total, lost in ((forward, eta["hist1"], 4081, 43), (reverse, eta["hist2"], 4916, 55)):
        assert abs(int(ours.sum()) - total) <= 2  # their edge lies at 0, half a unit from ours
        # Bin by bin up to one bin of 16 ps: the sync period they rounded moves tau by less than that.
        smooth = np.convolve(ours, np.ones(3), "same")
        assert np.all(smooth >= theirs)
        assert int(ours.sum()) - int(theirs.sum()) == pytest.approx(lost, abs=2)


def test_t2_tau_histogram_equals_the_oracle_and_is_never_below_eta():
    name = "hh2_t2_hbt_320MHz.ptu"
    _, time, _, channel = photons(name)
    eta = np.load(SHARED / "refs/eta_hh2_t2_hbt_320MHz_g2.npz")
    a, b = time[channel == 0], time[channel == 1]
    tau = naive_differences((a, b), 161_000)
    # Their bins begin at 0, ours are centred on it: half a bin of channel delay lays one on the other.
    for shift, sign, theirs, lost in ((0.008, 1, eta["hist1"], 227), (-0.007, -1, eta["hist2"], 238)):
        layout, counts = tau_counts(name, 0.016, 160.2, delays_ns={1: shift})
        half = layout.tau_half
        moved = tau - round(shift * 1000)
        edges = (np.arange(-half, half + 2) * 16) - 8
        inside = moved[(moved >= edges[0]) & (moved < edges[-1])]
        oracle = np.bincount((inside - edges[0]) // 16, minlength=2 * half + 1)
        ours = counts[half : half + 10_000] if sign > 0 else counts[half - 9_999 : half + 1][::-1]
        expected = oracle[half : half + 10_000] if sign > 0 else oracle[half - 9_999 : half + 1][::-1]
        assert np.array_equal(ours, expected)
        assert np.all(ours >= theirs)
        assert int((ours - theirs).sum()) == lost
