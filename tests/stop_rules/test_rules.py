"""The folder of rules: each is found, described and documented; trees that cannot be are refused in one line."""

import re
from pathlib import Path

import pytest

from streamer import stop_rules
from streamer.config import load_rules
from streamer.errors import InputError


@pytest.mark.parametrize("name", stop_rules.names())
def test_every_rule_says_what_it_is_and_what_its_parameters_mean(name):
    told = stop_rules.described()[name]
    assert told["told"]
    assert told["about"]
    for key, field in told["parameters"].items():
        assert field.get("description"), f"{name}.{key}"


def test_every_rule_stands_in_the_documentation_with_its_parameters():
    page = (Path(__file__).parents[2] / "docs/stopping.md").read_text(encoding="utf-8")
    for name, told in stop_rules.described().items():
        line = re.search(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
        assert line, name
        for key in told["parameters"]:
            assert key == "for_s" or f"`{key}`" in line.group(), f"{name}.{key}"


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        ([], "stop: must be a rule such as"),
        ({}, "got nothing; rules are "),
        ({"rule": "g3"}, "stop.rule: must be one of "),
        ({"rule": ["g2"]}, "stop.rule: must be one of "),
        ({"rule": "g2", "error": 0.7}, "stop.error: Input should be less than 0.5, got 0.7"),
        ({"rule": "g2", "sate": "all"}, "stop.sate: rule g2 has no such parameter (did you mean state?); known are "),
        ({"rule": "g2", "state": "brigt"}, "stop.state: "),
        ({"rule": "photons"}, "stop.photons: rule photons needs it: How many"),
        ({"rule": "lifetime"}, "give `ns` or `percent`"),
        ({"any": []}, "stop.any: must be a list of rules with at least one"),
        ({"any": {"rule": "g2"}}, "stop.any: must be a list"),
        ({"any": [{"rule": "g2"}], "all": []}, "one of any, all, not"),
        ({"any": [{"rule": "g2"}], "rule": "g2"}, "nest one in the other"),
        ({"any": [{"rule": "g2"}, {"rule": "photons", "photons": -1}]}, "stop.any[1].photons: "),
        ({"not": {"rule": "g2"}, "for_s": -1}, "stop.for_s: must be a number of seconds"),
        ({"rule": "exposure", "seconds": float("nan")}, "stop.seconds: "),
        ({"rule": "exposure", "seconds": 1e308}, "stop.seconds: "),
        ({"rule": "exposure", "seconds": True}, "stop.seconds: "),
        ({"rule": "photons", "photons": True}, "stop.photons: "),
        ({"rule": "photons", "photons": "100"}, "stop.photons: "),
        ({"rule": "g2", "for_s": float("inf")}, "stop.for_s: "),
    ],
)
def test_a_tree_that_cannot_be_is_one_line_with_its_place(tree, line):
    with pytest.raises(InputError) as error:
        stop_rules.check(tree)
    assert line in str(error.value)
    assert "\n" not in str(error.value)


def test_a_tree_of_any_depth_ends():
    tree = {"rule": "g2"}
    for _ in range(40):
        tree = {"not": tree}
    with pytest.raises(InputError, match="nested more than"):
        stop_rules.check(tree)


def test_names_of_parts():
    parts = [{"rule": "g2"}, {"rule": "photons"}, {"rule": "g2"}, {"any": []}]
    assert stop_rules.labelled(parts) == ["g2 1", "photons", "g2 2", "any"]


def test_rules_of_the_command_line(tmp_path):
    assert load_rules('rule="g2"') == {"rule": "g2"}
    assert load_rules("any=[{rule='g2', error=0.01}]") == {"any": [{"rule": "g2", "error": 0.01}]}
    file = tmp_path / "rules.toml"
    file.write_text('[stop]\nrule = "photons"\nphotons = 5\n')
    assert load_rules(str(file)) == {"rule": "photons", "photons": 5}
    file.write_text('rule = "photons"\nphotons = 5\n')
    assert load_rules(str(file)) == {"rule": "photons", "photons": 5}
    assert load_rules('rule="g2", error=0.01') == load_rules('{rule="g2", error=0.01}') == {"rule": "g2", "error": 0.01}
    for wrong in ("no/such/rules.toml", 'rule="g2', "rule=g2"):
        with pytest.raises(InputError, match="--rules"):
            load_rules(wrong)
