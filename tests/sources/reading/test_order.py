"""Lateness kernel against an oracle that looks at one tag after the other."""

import numpy as np
import pytest

from sources.reading.events import Events
from sources.reading.order import LATE, TOO_LATE, in_order, mark_late


@pytest.mark.parametrize("seed", range(10))
def test_marks_are_those_of_a_naive_loop(seed):
    rng = np.random.default_rng(seed)
    time = np.cumsum(rng.integers(-3, 6, 300))
    horizon, border, newest = int(rng.integers(0, 12)), int(rng.integers(-10, 40)), int(rng.integers(0, 20))
    late = np.zeros(300, np.int8)
    reached = mark_late(time, newest, horizon, border, late)
    for t, said in zip(time.tolist(), late.tolist(), strict=True):
        lateness = newest - t
        too_late = t < border or (lateness > 0 and lateness >= horizon)
        assert said == (TOO_LATE if too_late else LATE if lateness > 0 else 0)
        if not too_late:
            newest = max(newest, t)
    assert reached == newest


def test_equal_times_stay_in_the_order_of_the_file():
    events = Events(np.array([5, 3, 5, 3]), np.array([1, 2, 3, 4], np.uint16), np.array([1, 2, 3, 4], np.uint8))
    events = in_order(events, None)
    assert events.channel.tolist() == [2, 4, 1, 3]
    assert events.nanotime.tolist() == [2, 4, 1, 3]


def test_what_is_not_kept_goes():
    events = Events(np.array([5, 3, 4]), channel=np.array([1, 2, 3], np.uint8))
    assert in_order(events, np.array([True, False, True])).channel.tolist() == [3, 1]
