"""Hong-Ou-Mandel: visibility by hand, patterns of an interferometer drawn photon by photon, corrections, refusals."""

import math

import numpy as np
import pytest

from streamer.errors import InputError
from streamer.estimators.hom import (
    PeakCounts,
    counts_of_summary,
    cw_counts,
    hom_values,
    hom_visibility,
    interferometer_pattern,
    pulsed_counts,
)

LAGS = np.arange(-4, 5)


def test_visibility_of_two_runs():
    found = hom_visibility(PeakCounts(100, 20_000, 20), PeakCounts(1000, 40_000, 20))
    assert (found.parallel, found.perpendicular) == (0.1, 0.5)
    assert found.raw.value == pytest.approx(0.8, abs=1e-3)
    assert found.raw.low < 0.8 < found.raw.high
    assert found.raw.error == pytest.approx(0.2 * math.sqrt(1 / 100 + 1 / 1000 + 1 / 20_000 + 1 / 40_000), rel=0.01)
    assert found.corrected == found.raw
    assert found.correction == 1.0


def test_runs_of_other_lengths_and_peaks_compare():
    short = hom_visibility(PeakCounts(100, 2000, 20), PeakCounts(500, 10_000, 20)).raw
    fewer = hom_visibility(PeakCounts(100, 1000, 10), PeakCounts(500, 10_000, 20)).raw
    assert short.value == pytest.approx(0.0, abs=0.005)
    assert fewer.value == pytest.approx(0.0, abs=0.005)


def test_no_coincidence_at_all_ends_at_one():
    found = hom_visibility(PeakCounts(0, 2000, 18), PeakCounts(60, 2000, 18)).raw
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.8 < found.low < 0.99


def test_too_few_pairs():
    assert "19 beside the centre" in hom_visibility(PeakCounts(5, 19, 20), PeakCounts(50, 900, 20)).raw.reason
    found = hom_visibility(PeakCounts(5, 900, 20), PeakCounts(9, 900, 20))
    assert found.raw.value is None
    assert found.raw.reason == "too few pairs: 9 in the perpendicular centre, 10 needed"
    assert found.corrected.reason == found.raw.reason


def simulated(overlap, g2, reflectance, scheme, contrast=1.0):
    """Centre over the far peaks of a run, by summing over the ways of each pair of photons through the interferometer.

    Photons of pulses i, j take the short way with T or the long one with R; of two that meet at the second splitter
    from different ways, a coincidence comes with R^2 + T^2 less 2 R T (contrast^2 overlap).
    """
    r, t = reflectance, 1 - reflectance
    pulses = {"double": [0, 1], "train": list(range(40))}[scheme]
    centre = 0.0
    for at, i in enumerate(pulses):
        same = g2 / 2  # pairs of one pulse, over those of two pulses
        centre += same * (r * r + t * t) * 2 * r * t
        for j in pulses[at + 1 :]:
            if j - i == 1:  # the earlier one goes the long way, the later one the short way
                centre += r * t * (r * r + t * t - 2 * r * t * contrast**2 * overlap)
    return centre / (len(pulses) if scheme == "train" else 1)


@pytest.mark.parametrize("scheme", ["train", "double"])
@pytest.mark.parametrize(("reflectance", "contrast", "g2"), [(0.5, 1.0, 0.0), (0.5, 1.0, 0.1), (0.6, 0.9, 0.05)])
def test_corrections_give_back_the_overlap(scheme, reflectance, contrast, g2):
    areas = [simulated(overlap, g2, reflectance, scheme, contrast) for overlap in (0.7, 0.0)]
    runs = [PeakCounts(1e9 * area, 1e12, 18) for area in areas]
    found = hom_visibility(runs[0], runs[1], g2, 0.0, reflectance, contrast, scheme)
    tolerance = 0.01 if scheme == "train" else 1e-6  # of the train's 40 pulses one has no successor
    assert found.corrected.value == pytest.approx(0.7, abs=tolerance)
    assert found.raw.value < found.corrected.value or g2 == 0


def test_error_of_the_source_widens_the_interval():
    runs = PeakCounts(100, 20_000, 20), PeakCounts(1000, 40_000, 20)
    exact, unsure = hom_visibility(*runs, 0.1).corrected, hom_visibility(*runs, 0.1, 0.05).corrected
    assert exact.value == unsure.value == pytest.approx(0.88, abs=1e-3)
    assert unsure.high - unsure.value == pytest.approx(
        math.hypot(exact.high - exact.value, 1.96 * 0.05 * 0.8), rel=1e-3
    )


def test_pattern_of_an_interferometer():
    assert interferometer_pattern(LAGS, 1) == pytest.approx([1, 1, 1, 0.75, 0.5, 0.75, 1, 1, 1])
    assert interferometer_pattern(LAGS, 2, 1.0) == pytest.approx(np.ones(9))
    # Photons of a train, each delayed by a fair coin: pairs by lag.
    rng = np.random.default_rng(3)
    slots = np.arange(400_000) + rng.integers(0, 2, 400_000)
    port = rng.integers(0, 2, 400_000).astype(bool)
    keep = rng.random(400_000) < 0.3
    a, b = (np.bincount(slots[keep & side], minlength=400_001) for side in (port, ~port))
    counts = np.array([np.sum(a[4:-4] * np.roll(b, -lag)[4:-4]) for lag in LAGS])
    found = counts / counts[[0, 1, 7, 8]].mean()
    assert found == pytest.approx(interferometer_pattern(LAGS, 1), abs=0.05)


def test_peaks_at_the_path_difference_are_left_out():
    counts = np.array([10, 10, 10, 7, 5, 8, 10, 10, 10])
    assert pulsed_counts(LAGS, counts) == PeakCounts(5, 60, 6)
    assert pulsed_counts(LAGS, counts, path=0) == PeakCounts(5, 75, 8)
    expected = np.where(np.abs(LAGS) > 2, 5.0, 10.0)
    assert pulsed_counts(LAGS, counts, expected=expected) == PeakCounts(5, 60, 4)
    with pytest.raises(ValueError, match="lags: must hold 0 once"):
        pulsed_counts([-1, 0, 1], [1, 2, 3])


def test_cw_window():
    tau = np.arange(-10, 11) * 0.5
    found = cw_counts(tau, np.full(21, 30), np.full(21, 60.0), 2.0)
    assert found.central == 150
    assert found.ratio == pytest.approx(0.5)
    together = cw_counts(tau, np.full(21, 6), np.full(21, 60.0), 2.0)
    assert hom_visibility(together, found).raw.value == pytest.approx(0.8, abs=0.01)


def test_out_of_two_summaries():
    runs = [{"kind": "pulsed", "central": one, "side_mean": 1000.0, "lags": 10} for one in (50, 500)]
    values = hom_values(*runs, g2=0.02, scheme="double")
    assert values["kind"] == "hom"
    assert values["visibility"]["value"] == pytest.approx(0.9, abs=1e-3)
    assert values["corrected"]["value"] == pytest.approx(0.9 * 1.04, abs=1e-3)
    assert (values["parallel"], values["perpendicular"]) == pytest.approx((0.05, 0.5))
    cw = {"kind": "cw", "central": 30, "side_mean": 60.0, "lags": None}
    assert counts_of_summary(cw).ratio == pytest.approx(0.5)
    with pytest.raises(InputError, match="hom: one run is pulsed and the other is not"):
        hom_values(runs[0], cw)
    with pytest.raises(InputError, match="hom: a run of the two has no g2"):
        hom_values({"kind": "cw", "central": None}, cw)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"g2": -0.1}, "hom g2: must be 0 or more, got -0.1"),
        ({"reflectance": 1.0}, "hom reflectance: must be between 0 and 1"),
        ({"contrast": 1.1}, "hom contrast: must be above 0 and at most 1"),
        ({"scheme": "triple"}, "hom scheme: must be one of double, train, got 'triple'"),
    ],
)
def test_impossible_constants(wrong, rule):
    with pytest.raises(InputError, match=rule):
        hom_visibility(PeakCounts(5, 900, 20), PeakCounts(50, 900, 20), **wrong)
