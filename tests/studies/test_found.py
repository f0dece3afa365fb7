"""Studies as such: found by being in the folder, chosen by name, in doubt or broken without harm to the rest."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from streamer import studies
from streamer.config import Settings
from streamer.errors import InputError
from streamer.pipeline import Pipeline
from streamer.result import Result


@pytest.fixture
def view(dot):
    info, chunks, end = dot
    pipeline = Pipeline(info, Settings())
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(end)
    return pipeline.view()


@pytest.fixture
def only(monkeypatch):
    """Make the folder hold just this study."""

    def put(study, needs=("pairs",)):
        module = SimpleNamespace(NAME="mine", NEEDS=needs, study=study, lines=lambda values: [f"mine: {values}"])
        monkeypatch.setattr(studies, "found", lambda: {"mine": module})

    return put


def test_every_study_of_the_folder_answers_and_can_be_read(view):
    results = studies.run(view)
    assert {one.name for one in results} >= set(studies.found()) - {"cascade"}
    values = {one.name: one.values for one in results if one.name in studies.found()}
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


def test_a_broken_study_breaks_nothing_else(view, only):
    def broken(view):
        raise ZeroDivisionError("by nothing")

    only(broken)
    (result,) = studies.run(view)
    assert result.values == {"reason": "failed: ZeroDivisionError: by nothing"}
