"""Measured responses: background off, ends found, and why one cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.response import measured_response

PERIOD, WIDTH = 50.03, 0.016


def recording(rng, delays, dark, t0=5.0):
    times = np.concatenate([(t0 + delays) % PERIOD, PERIOD * rng.random(dark)])
    n = int(np.ceil(PERIOD / WIDTH)) + 1
    return np.bincount((times / WIDTH).astype(int), minlength=n)[:n]


@pytest.mark.parametrize("t0", [5.0, 0.02, 50.0])
def test_mean_width_and_background_are_found_wherever_it_lies(t0):
    rng = np.random.default_rng(1)
    delays = 0.1 * rng.standard_normal(50_000) + 0.6 * (rng.random(50_000) < 0.2)
    found = measured_response(recording(rng, delays, 10_000, t0), WIDTH, PERIOD)
    off = (found.centre_ns - t0 - 0.12 + PERIOD / 2) % PERIOD - PERIOD / 2
    assert abs(off) < 0.01
    assert found.sigma_ns == pytest.approx(0.26, abs=0.01)
    assert found.background_per_bin == pytest.approx(10_000 * WIDTH / PERIOD, rel=0.05)
    assert found.shares.sum() == pytest.approx(1.0)
    assert found.shares.min() >= 0
    assert len(found.shares) * WIDTH < 4.0


def test_a_narrow_response_is_not_lost():
    rng = np.random.default_rng(2)
    found = measured_response(recording(rng, 0.001 * rng.standard_normal(5_000), 0), WIDTH, PERIOD)
    assert found.photons == pytest.approx(5_000)


def test_why_a_response_cannot_be_used():
    rng = np.random.default_rng(3)
    assert "fewer than 1000" in measured_response(recording(rng, np.zeros(10), 100), WIDTH, PERIOD)
    assert "fewer than 1000" in measured_response(recording(rng, np.zeros(10), 100_000), WIDTH, PERIOD)
    slow = recording(rng, 10 * rng.standard_exponential(100_000), 0)
    assert "a fifth of the laser period" in measured_response(slow, WIDTH, PERIOD)
