"""The source papers' numbers on shorter runs than those of docs/papers.md: none may be far from what was put in."""

import pytest

from streamer.estimators.estimate import Estimate, unknown
from tests.papers.row import Row
from tests.papers.table import PAPERS, page


@pytest.mark.slow
@pytest.mark.parametrize("paper", PAPERS)
def test_every_number_is_recovered(paper):
    rows = list(PAPERS[paper](0.5))
    assert rows
    far = [f"{row.setting}: {row.number}: {row.truth} -> {row.found}" for row in rows if not row.near]
    assert far == []
    missed = [row for row in rows if not row.holds]
    assert len(missed) <= 2 + 0.2 * len(rows)


def test_a_wrong_number_is_seen():
    right, wrong = (Row("s", "n", "ns", "", truth, Estimate(1.0, 0.1, 0.8, 1.2)) for truth in (1.1, 2.0))
    silent = Row("s", "n", "ns", "", 1.0, unknown("too few"))
    assert right.holds
    assert right.near
    assert not wrong.holds
    assert not wrong.near
    assert not silent.holds
    assert not silent.near
    text = page({"A": [right, wrong, silent]})
    assert "2 of 3" in text
    assert text.count("**no**") == 2
    assert "too few" in text
