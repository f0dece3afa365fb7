"""Studies as such: found by being in the folder, chosen by name, in doubt or broken without harm to the rest."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from streamer import studies
from streamer.config import Settings
from streamer.errors import InputError
from streamer.result import Result


@pytest.fixture
def view(counted_dot):
    return counted_dot.view()


@pytest.fixture
def only(monkeypatch):
    """Make the folder hold just this study."""

    def put(study, needs=("pairs",)):
        module = SimpleNamespace(NAME="mine", NEEDS=needs, study=study, lines=lambda values: [f"mine: {values}"])
        monkeypatch.setattr(studies, "names", lambda: ("mine",))
        monkeypatch.setattr(studies, "load", {"mine": module}.__getitem__)

    return put


def test_every_study_of_the_folder_answers_and_can_be_read(view):
    results = studies.run(view)
    assert {one.name for one in results} >= set(studies.names()) - {"cascade"}
    values = {one.name: one.values for one in results if one.name in studies.names()}
    lines = studies.lines(values)
    assert lines
    assert all(isinstance(line, str) and "\n" not in line for line in lines)
    assert not [one for one in values.values() if str(one.get("reason")).startswith("failed")]


def test_a_study_is_chosen_by_name(view, only):
    only(lambda view: [Result("mine", "summary", values={"answer": 42})])
    (result,) = studies.run(view)
    assert result.values == {"answer": 42}
    assert result.provenance == {"stream_s": view.stream_s, "cut": view.cut, "final": True}
    assert studies.lines({"mine": result.values}) == ["mine: {'answer': 42}"]
    assert studies.run(replace(view, settings=Settings(studies=()))) == []
    with pytest.raises(InputError, match="studies: must be out of mine, got 'other'"):
        studies.run(replace(view, settings=Settings(studies=("other",))))


def test_a_doubt_takes_its_place(view, only):
    only(lambda view: [Result("mine", "summary", values={"answer": 42})])
    doubted = replace(view, answers=replace(view.answers, doubts={"pairs": "two detectors behind one router"}))
    (result,) = studies.run(doubted)
    assert result.values == {"reason": "two detectors behind one router"}
    assert studies.lines({"mine": result.values}) == ["mine: two detectors behind one router"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, AssertionError, RuntimeError])
def test_a_broken_study_breaks_nothing_else(view, only, error):
    def broken(view):
        raise error("by nothing")

    only(broken)
    (result,) = studies.run(view)
    assert result.values["reason"].startswith(f"failed: {error.__name__}: ")


def test_a_study_is_called_as_its_file():
    assert all(name == studies.load(name).NAME for name in studies.names())
