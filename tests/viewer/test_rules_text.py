"""Rules as text: what is written is read back, whatever is in it; what is not TOML is one line."""

from __future__ import annotations

import math

import pytest

from streamer import stop_rules
from viewer.rules_text import fits, from_toml, parts, ready, to_toml

TREES = [
    {"rule": "g2"},
    {"rule": "g2", "error": 1e-05, "pair": [0, 3], "state": "grey 1", "budget_s": 60.0},
    {"any": [{"rule": "g2"}, {"rule": "exposure", "seconds": 60}], "for_s": 0.5},
    {"not": {"all": [{"rule": "g2", "gate_ns": 2.5}, {"any": [{"rule": "photons", "photons": 10**12}] * 3}]}},
    {"odd key": 'quote " back \\ tab \t new\nline \x7f é', "truth": [True, False, [], {}], "far": [math.inf, -1e300]},
]


@pytest.mark.parametrize("tree", TREES)
def test_a_tree_is_read_back_as_it_was_written(tree: dict) -> None:
    assert from_toml(to_toml(tree)) == tree


def test_none_is_left_out_and_no_rules_are_no_text() -> None:
    assert to_toml({"rule": "g2", "budget_s": None}) == 'rule = "g2"\n'
    assert to_toml(None) == ""
    assert from_toml("# nothing\n") is None


def test_long_joins_have_a_line_for_each_part() -> None:
    text = to_toml({"any": [{"rule": "g2", "error": 0.01, "budget_s": 60.0}, {"rule": "exposure", "seconds": 600.0}]})
    assert text.splitlines() == [
        "any = [",
        '    {rule = "g2", error = 0.01, budget_s = 60.0},',
        '    {rule = "exposure", seconds = 600.0},',
        "]",
    ]


def test_a_table_of_the_settings_is_taken_for_its_content() -> None:
    assert from_toml('results_per_s = 5\n[stop]\nrule = "g2"\n') == {"rule": "g2"}


@pytest.mark.parametrize("text", ["rule = g2", "rule", '{"rule": "g2"}', "stop = 5", "a = 1\na = 2"])
def test_what_is_not_toml_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"not TOML|must be a table") as told:
        from_toml(text)
    assert "\n" not in str(told.value)


def test_ready_trees_are_rules_that_the_daemon_takes() -> None:
    known = stop_rules.described()
    offered = ready(known)
    assert offered[0] == ("g² verdict", {"rule": "g2"})
    assert len({name for name, _ in offered}) == len(offered) > 2
    for _, tree in offered:
        stop_rules.check(tree)
    assert ready({}) == []
    assert [name for name, _ in ready({"g2": {"parameters": {}}})] == ["g² verdict"]


def test_a_form_holds_one_known_rule_with_known_parameters() -> None:
    known = {"g2": {"parameters": {"error": {}}}}
    assert fits({"rule": "g2", "error": 0.1}, known)
    for odd in ({"rule": "g2", "else": 1}, {"rule": "other"}, {"any": [{"rule": "g2"}]}, {}, None, 5):
        assert not fits(odd, known)
    assert parts({"any": [{"rule": "a"}, {"not": {"rule": "b"}}]}) == [{"rule": "a"}, {"rule": "b"}]
