"""Cuts: rows of states, and requests that are checked."""

import numpy as np
import pytest

from streamer.cuts import Cut, state_rows, sum_rows
from streamer.levels import LevelScale

SCALE = LevelScale(25_000, 400e-9)


def test_states_part_all_levels_and_leave_mixed_out():
    rows = state_rows(SCALE, (1000.0, 5000.0, 20e3))
    covered = np.concatenate([np.arange(SCALE.n)[one] for one in rows])
    assert covered.tolist() == list(range(SCALE.n))


def test_a_threshold_parts_the_counts_it_says():
    dark, bright = state_rows(SCALE, (1000.0,))  # 10 photons per 10 ms
    level = SCALE.levels(np.array([8, 9, 10, 11, 12]), np.full(5, SCALE.ticks))
    first = SCALE.edges[dark.stop]
    assert first >= 10
    assert all(
        (one in range(*bright.indices(SCALE.n))) == (n >= first)
        for one, n in zip(level, [8, 9, 10, 11, 12], strict=True)
    )


def test_sums_are_of_all_rows_then_of_each_state():
    table = np.arange(SCALE.rows * 3).reshape(SCALE.rows, 3)
    rows = state_rows(SCALE, (3000.0,))
    total, dark, bright = sum_rows(table, rows)
    assert np.array_equal(total, table.sum(axis=0))
    assert np.array_equal(dark + bright + table[-1], total)


def test_a_request_changes_what_it_names_and_nothing_else():
    cut = Cut((100.0,), None, 2.0)
    assert cut.changed({"do": "cut", "gate_ns": 5}) == Cut((100.0,), None, 5.0)
    assert cut.changed({"thresholds_cps": None}) == Cut(None, None, 2.0)
    assert cut.changed({"states": 3}).states == 3


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ({"thresholds_cps": [3.0, 2.0]}, "thresholds_cps"),
        ({"thresholds_cps": [-1.0]}, "thresholds_cps"),
        ({"thresholds_cps": "high"}, "thresholds_cps"),
        ({"thresholds_cps": [float("nan")]}, "thresholds_cps"),
        ({"states": 9}, "states"),
        ({"states": True}, "states"),
        ({"gate_ns": -1}, "gate_ns"),
        ({"gate_ns": float("inf")}, "gate_ns"),
        ({"gate_ns": "2"}, "gate_ns"),
        ({"threshold_cps": [3.0]}, "threshold_cps"),
    ],
)
def test_a_wrong_request_is_one_line_that_names_the_key(request_, word):
    with pytest.raises(ValueError, match=word) as error:
        Cut().changed(request_)
    assert "\n" not in str(error.value)
