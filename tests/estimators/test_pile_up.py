"""Pile-up: first photons of simulated pulses, corrected, and expected by the model."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.errors import InputError
from streamer.estimators.pile_up import coates, first_photons


def first_of(rng: np.random.Generator, light: np.ndarray, pulses: int) -> np.ndarray:
    """Counts of the first photon of each pulse, drawn pulse by pulse."""
    hit = rng.random((pulses, len(light))) < -np.expm1(-light)
    return np.bincount(hit.argmax(axis=1)[hit.any(axis=1)], minlength=len(light))


@pytest.mark.parametrize("photons", [0.01, 0.05, 0.2, 0.5])
def test_coates_gives_back_the_light_and_its_variance(photons):
    rng = np.random.default_rng(3)
    shape = np.exp(-np.arange(20) / 6) + 0.05
    light = photons * shape / shape.sum()
    pulses, trials = 20_000, 100
    found = [coates(first_of(rng, light, pulses), pulses) for _ in range(trials)]
    corrected, variance = (np.array([one[i] for one in found]) for i in (0, 1))
    error = np.sqrt(variance.mean(axis=0) / trials)
    assert np.all(np.abs(corrected.mean(axis=0) - pulses * light) < 4 * error)
    assert (corrected.var(axis=0).sum() / variance.mean(axis=0).sum()) == pytest.approx(1.0, abs=0.1)


def test_more_photons_than_pulses_are_refused():
    with pytest.raises(InputError, match="pile-up: 30 photons cannot be the first of 30 laser pulses"):
        coates(np.array([10, 20]), 30)


def test_first_photons_are_those_that_are_drawn():
    rng = np.random.default_rng(5)
    light = rng.random(8) / 4
    expected, _ = first_photons(light, np.zeros((0, 8)), 200_000)
    drawn = first_of(rng, light, 200_000)
    assert expected.sum() == pytest.approx(200_000)
    assert np.all(np.abs(drawn - expected[:-1]) < 4.5 * np.sqrt(expected[:-1]))
    # The correction undoes the model exactly.
    np.testing.assert_allclose(coates(expected[:-1], 200_000)[0], 200_000 * light)


def test_derivatives_are_those_of_differences():
    rng = np.random.default_rng(6)
    light, slopes = rng.random(6) / 3, rng.random((2, 6))
    _, found = first_photons(light, slopes, 1000.0)
    for slope, one in zip(slopes, found, strict=True):
        up, down = (first_photons(light + side * 1e-6 * slope, slopes, 1000.0)[0] for side in (1, -1))
        np.testing.assert_allclose(one, (up - down) / 2e-6, rtol=1e-5)
