"""The laser's period from sync tags of any density, and the number of pulses to a tag from the photons."""

from __future__ import annotations

import numpy as np
import pytest

from sources.reading.pulse_period import find_comb, find_pulse_period


@pytest.mark.parametrize("period", [154.2, 3125.0, 12495.6, 1e5, 1e6])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.01])
def test_period_is_found(period, share):
    rng = np.random.default_rng(1)
    pulse = np.flatnonzero(rng.random(int(20_000 / share)) < share)
    tags = np.rint(pulse * period + rng.normal(0, min(10, period / 500), len(pulse)))
    found = find_pulse_period(np.diff(tags).astype(np.int64), 1, None, "here")
    assert abs(found.period / period - 1) <= found.error
    assert found.error < 1e-6
    assert found.regular == (share == 1)


@pytest.mark.parametrize("pulses", [1, 2, 8, 20])
@pytest.mark.parametrize("lifetime", [0.02, 0.3])
def test_comb_of_photons_tells_the_divider(pulses, lifetime):
    rng = np.random.default_rng(1)
    since = 1e5 * (
        rng.integers(0, 400, 50_000) + (rng.integers(0, pulses, 50_000) + rng.exponential(lifetime, 50_000)) / pulses
    )
    assert find_comb(since.astype(np.int64), 1e5) == pulses


def test_comb_of_few_photons_tells_nothing():
    assert find_comb(np.arange(20), 1e5) is None
    assert find_comb(np.random.default_rng(1).integers(0, 10**7, 10_000), 1e5) is None
