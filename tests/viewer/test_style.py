"""Style: numbers as a physicist reads them, one colour per state."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from viewer import style, values


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (23_400.0, "cps", "23.4 kcps"),
        (999_960.0, "cps", "1.00 Mcps"),
        (0.0, "cps", "0 cps"),
        (2.5e-9, "s", "2.50 ns"),
        (-1.2e-5, "s", "-12.0 µs"),
        (123.0, "", "123"),
        (31.2e6, "", "31.2 M"),
        (1e17, "cps", "100000 Tcps"),
        (1e-20, "s", "0.00 fs"),
        (None, "cps", "?"),
        (math.nan, "cps", "?"),
        ("text", "cps", "?"),
        (True, "cps", "?"),
    ],
)
def test_si(value: object, unit: str, text: str) -> None:
    assert style.si(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0.0 s"), (12.34, "12.3 s"), (245, "4:05 min"), (3723, "1:02:03 h"), (None, "?")]
)
def test_duration(seconds: object, text: str) -> None:
    assert style.duration(seconds) == text


def test_count_and_numbers() -> None:
    assert style.count(1234567).replace("\u2009", " ") == "1 234 567"
    assert style.count(None) == "?"


def test_odd_values_are_read_as_nothing() -> None:
    assert values.numbers([1, "2", None, math.nan, "x"]) == [1.0, 2.0]
    assert values.numbers(None) == values.numbers("12") == values.numbers(3) == []
    assert values.records([{"a": 1}, None, 3]) == [{"a": 1}]
    assert values.mapping(math.nan) == {}


def test_states_have_colours_that_differ_within_a_picture() -> None:
    for count, names in style.STATE_NAMES.items():
        assert len(names) == count
        colors = [style.state_color(name) for name in ("all", *names)]
        for one, other in combinations(colors, 2):
            assert one != other
    assert style.state_color("unheard of") == style.state_color("unheard of")
    assert len(style.state_names(7)) == 7
