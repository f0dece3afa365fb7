"""The survey of docs/survey.md: its first dots come out as the page says, and its figures add up."""

import importlib
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
DOTS = 6  # of those that the page lists


@pytest.fixture(scope="module")
def demonstration():
    before = set(sys.modules)
    sys.path.insert(0, str(DOCS))  # as when it is run
    yield importlib.import_module("make_survey")
    sys.path.remove(str(DOCS))
    for name in {"make_survey", "survey_dots"} - before:
        del sys.modules[name]


@pytest.fixture(scope="module")
def page():
    return (DOCS / "survey.md").read_text(encoding="utf-8")


def test_the_first_dots_are_those_of_the_page(demonstration, page):
    made = [demonstration.make(number) for number in range(1, DOTS + 1)]
    for one, row in zip(made, demonstration.measured(made), strict=True):
        assert demonstration.line(one, row) in page


def test_the_page_keeps_the_promise_and_says_what_was_saved(demonstration, page):
    for table in re.findall(r"\| kind \| dots .*?\n\nWrong.*?\n", page, flags=re.S):
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:] if "|" in line]
        *kinds, whole = lines
        assert whole[0] == "all"
        assert {line[0] for line in kinds} == set(demonstration.KINDS)
        for column in range(1, 7):
            assert sum(int(line[column]) for line in kinds) == int(whole[column])
        decided = int(whole[2]) + int(whole[3])
        assert int(whole[6]) <= demonstration.PROMISED * decided
        assert int(whole[1]) == demonstration.DOTS
        assert float(whole[8].removesuffix(" %")) > 50
