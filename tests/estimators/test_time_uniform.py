"""Standard errors that hold while watching, on random walks that are watched."""

import math

import numpy as np
import pytest

from streamer.estimators.time_uniform import half_width, sigmas


@pytest.mark.parametrize("error", [0.05, 0.2])
@pytest.mark.parametrize("aim", [50, 500])
def test_a_walk_leaves_its_boundary_at_any_moment_in_no_more_than_the_promised_share(error, aim):
    rng = np.random.default_rng(3)
    walks, steps = 2000, 4000
    n = np.arange(1, steps + 1)
    boundary = np.array([sigmas(one / aim, error) for one in n]) * np.sqrt(n)
    left = np.mean([(np.abs(rng.standard_normal(steps).cumsum()) > boundary).any() for _ in range(walks)])
    assert left <= error + 3 * math.sqrt(error * (1 - error) / walks)
    assert left > error / 4  # and it is not idly wide


def test_a_fixed_interval_that_is_watched_breaks_its_promise():
    rng = np.random.default_rng(4)
    n = np.arange(1, 4001)
    left = np.mean([(np.abs(rng.standard_normal(4000).cumsum()) > 1.96 * np.sqrt(n)).any() for _ in range(400)])
    assert left > 0.4


def test_it_is_narrowest_relative_to_a_fixed_one_where_it_is_aimed():
    shares = np.geomspace(0.05, 20, 41)
    widths = [sigmas(share, 0.05) for share in shares]
    assert shares[np.argmin(widths)] == pytest.approx(1.0, rel=0.2)
    assert 1.96 < min(widths) < 3.2


def test_the_half_width_is_the_target_when_the_target_is_reached():
    target = 0.2
    reached = target / sigmas(1.0, 0.05)
    assert half_width(reached, target, 0.05) == pytest.approx(target)
    assert half_width(2 * reached, target, 0.05) > 2 * target * 0.99
    assert half_width(reached / 2, target, 0.05) < target
    assert half_width(0.0, target, 0.05) == 0.0
    assert half_width(math.nan, target, 0.05) == math.inf
    assert sigmas(0.0, 0.05) == math.inf
