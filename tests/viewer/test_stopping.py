"""Stopping panel: evidence, verdict and outlook are drawn from whatever comes; its buttons ask for what they say."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from streamer import stop_rules
from streamer.result import Axis, Result
from viewer import style
from viewer.feed import Answer
from viewer.panels.stopping import CLIP, COLORS, TOP
from viewer.qt import QtCore, QtGui
from viewer.stopping_words import outlook, standing
from viewer.window import Window

G2 = {"rule": "g2"}
UNDECIDED = "undecided: g2(0) above 0.1 and below 0.6, each 95 % at any moment: 7 pairs where 20 were accidental"
SINGLE = "single: g2(0) below 0.5 (95 % at any moment; 9 pairs where 40 were accidental)"


def stopping(
    *, shares: Any = ((0.1, 0.4, 0.7), (0.0, 0.0, 0.0)), rows: Any = ("single", "not single"),
    time: Any = (1.0, 2.0, 3.0), run: str = "run-1", seq: int = 1, final: bool = False, **record: Any,
) -> dict[str, Result]:  # fmt: skip
    """The Result by its name; the record is that of an undecided g2 where nothing else is said."""
    values = {
        "rules": G2, "armed": True, "stopped": False, "words": UNDECIDED, "verdict": None, "met": False, "met_s": None,
        "left_s": 12.34, "evidence": {}, "tracks": {}, "since_s": 0.0, "looks": 3, "tick": None, "photons": None,
        "used_s": None, "planned_s": 60.0, "saved_s": None,
    } | record  # fmt: skip
    axes = (Axis("time", "s", np.array(time, float)),)
    provenance = {"run": run, "seq": seq, "final": final}
    return {
        "stopping": Result("stopping", "curves", axes, {"share": np.array(shares, float)}, rows, values, provenance)
    }


def plain(label: Any) -> str:
    document = QtGui.QTextDocument()
    document.setHtml(label.text())
    return document.toPlainText()


def drawn(window: Window) -> dict[str, list[float]]:
    return {name: curve.getData()[1].tolist() for name, curve in window.stopping._curves.items()}


# -- room in the window ------------------------------------------------------------------------------------------------


def test_without_rules_the_panel_takes_no_room_and_one_sentence_says_how_to_set_some(
    window: Window, tell: Any, results: ModuleType
) -> None:
    before = window.trace.width()
    tell(results.make())
    assert not window.stopping.isVisible()
    assert window.trace.width() == before > 0.95 * window.width()
    assert window.stopping.offer.isVisible()
    assert "no stop rules; set some with" in plain(window.stopping._offered)
    tell(results.make(seq=2) | stopping(seq=2))
    assert window.stopping.isVisible()
    assert not window.stopping.offer.isVisible()
    assert 0.6 * before < window.trace.width() < 0.8 * before
    assert window.status.faults == ()


def test_rules_that_were_taken_away_give_the_room_back(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(seq=1) | stopping(seq=1))
    tell({"status": results.make(seq=9)["status"]})  # an idle daemon tells its status only
    assert window.stopping.isVisible()
    tell(results.make(seq=2))  # no "stopping" among these
    assert not window.stopping.isVisible()
    tell(results.make(seq=3) | stopping(seq=3))
    assert window.stopping.isVisible()
    tell(results.make(run="run-2"))
    assert not window.stopping.isVisible()


def test_every_panel_has_room_at_1400_by_900(window: Window, tell: Any, app: Any, results: ModuleType) -> None:
    long = "; ".join(f"part {i}: {UNDECIDED}" for i in range(6))
    rows = tuple(f"part {i} single" for i in range(8))
    tell(results.make() | stopping(words=long, rules={"any": [G2] * 6}, rows=rows, shares=np.full((8, 3), 0.5)))
    assert (window.width(), window.height()) == (1400, 900)
    for panel in window.panels[:-1]:
        assert panel.isVisible()
        assert panel.height() > 300, panel.title
        assert panel.width() > 250, panel.title
    assert window.stopping.plot.height() >= 90
    assert window.stopping.words.toolTip().count("part") == 6
    assert window.status.faults == ()


# -- what is drawn -----------------------------------------------------------------------------------------------------


def test_evidence_grows_to_a_threshold_and_is_clipped_above_it(window: Window, tell: Any) -> None:
    tell(stopping(shares=((0.1, math.nan, 7.0), (-1.0, 0.0, 0.2))))
    curves = drawn(window)
    assert curves["single"][::2] == [0.1, CLIP]
    assert math.isnan(curves["single"][1])
    assert curves["not single"] == [0.0, 0.0, 0.2]
    assert window.stopping.plot.view.viewRange()[1] == [0.0, TOP]
    assert plain(window.stopping._key).split() == ["■", "single", "reached", "■", "not", "single", "20", "%"]
    assert window.stopping.plot.sentence == ""


def test_the_time_axis_begins_with_the_run_or_with_rules_that_came_late(window: Window, tell: Any) -> None:
    tell(stopping(final=True))
    assert window.stopping.plot.view.viewRange()[0] == pytest.approx([0.0, 3.03])
    tell(stopping(final=True, since_s=0.9, seq=2))
    assert window.stopping.plot.view.viewRange()[0] == pytest.approx([0.9, 3.021])


def test_a_track_keeps_its_colour_while_others_come_and_go(window: Window, tell: Any) -> None:
    def colours() -> dict[str, str]:
        return {name: curve.opts["pen"].color().name().upper() for name, curve in window.stopping._curves.items()}

    tell(stopping(rows=("a", "b", "c"), shares=np.zeros((3, 3))))
    assert colours() == dict(zip("abc", COLORS, strict=False))
    tell(stopping(rows=("c", "d"), shares=np.zeros((2, 3)), seq=2))
    assert colours() == {"c": COLORS[2], "d": COLORS[0]}
    many = tuple(f"track {i}" for i in range(9))
    tell(stopping(rows=many, shares=np.zeros((9, 3)), seq=3))
    pens = {(curve.opts["pen"].color().name(), curve.opts["pen"].style()) for curve in window.stopping._curves.values()}
    assert len(pens) == 9
    tell(stopping(rows=(), shares=np.zeros((0, 3)), seq=4))
    assert window.stopping.plot.sentence == "these rules have no evidence that could be drawn"


def test_it_says_how_it_stands_in_plain_words(window: Window, tell: Any) -> None:
    tell(stopping())
    assert plain(window.stopping.verdict) == "undecided"
    assert plain(window.stopping.words) == UNDECIDED.removeprefix("undecided: ")
    assert plain(window.stopping.outlook) == "decision expected in about 12 s"
    assert window.stopping.arm.text() == "● armed"
    tell(
        stopping(
            seq=2, final=True, words=SINGLE, verdict="single", met=True, met_s=3.0, stopped=True, left_s=None,
            used_s=3.0, saved_s=57.0, photons=45_000, tick=9,
        )
    )  # fmt: skip
    assert plain(window.stopping.verdict) == "stopped: single"
    assert style.GOOD in window.stopping.verdict.text()
    assert plain(window.stopping.outlook) == "after 3.0 s, 45 000 photons; saved 57.0 s of 60.0 s (95 %)"
    assert window.stopping.arm.text() == "■ stopped"
    assert not window.stopping.arm.isEnabled()


@pytest.mark.parametrize(
    ("record", "head"),
    [
        ({"rules": G2, "words": UNDECIDED}, "undecided"),
        ({"rules": G2, "words": SINGLE, "verdict": "single", "met": True, "met_s": 12.3},
         "would have stopped at 12.3 s: single"),
        ({"rules": {"rule": "exposure"}, "words": "12 of 60 s"}, "12 of 60 s"),
        ({"rules": {"rule": "exposure"}, "words": "60 of 60 s", "met": True, "stopped": True}, "stopped: 60 of 60 s"),
        ({"rules": {"any": []}, "words": "g2: undecided: x; exposure: 3 s"}, "no threshold reached"),
        ({"rules": {"any": []}, "words": "g2: single: x", "verdict": "single", "stopped": True}, "stopped: single"),
        ({"rules": {"any": []}, "words": "exposure: 60 s", "stopped": True}, "stopped"),
        ({"rules": {"any": []}, "words": "exposure: 60 s", "met": True}, "would have stopped"),
        ({"words": None}, "waiting for the first look"),
        ({}, "waiting for the first look"),
        ({"rules": 5, "words": 7, "verdict": 3, "met_s": "x"}, "no threshold reached"),
    ],
)  # fmt: skip
def test_what_stands_in_large_type(record: Any, head: str) -> None:
    found, rest = standing(record)
    assert found == head
    assert not record.get("words") or rest or found.endswith(str(record["words"]))


@pytest.mark.parametrize(
    ("record", "now", "over", "said"),
    [
        ({"left_s": None}, 3.0, False, []),
        ({"left_s": math.inf}, 3.0, False, []),
        ({"left_s": 0.034}, 3.0, False, ["decision expected in about 0.034 s"]),
        ({"left_s": 3725.0}, 3.0, False, ["decision expected in about 1:02:05 h"]),
        ({"left_s": 12.0, "rules": {"budget_s": 10.0}, "evidence": {"chance": 0.27}}, 3.0, False,
         ["decision not expected within the budget of 10.0 s (chance within the budget 27 %)"]),
        ({"left_s": 12.0}, 3.0, True, ["the run ended by itself"]),
        ({"met": True, "left_s": 1.0, "since_s": 2.0}, 3.0, False, ["evidence counts from 2.0 s on"]),
        ({"stopped": True, "used_s": 3.0, "photons": 5}, 3.0, True, ["after 3.0 s, 5 photons"]),
        ({"stopped": True}, None, True, ["after ?, ? photons"]),
    ],
)  # fmt: skip
def test_the_outlook_is_said_only_where_it_is_known(record: Any, now: Any, over: bool, said: Any) -> None:
    assert outlook(record, now, over) == said


def test_odd_data_are_stood(window: Window, tell: Any, results: ModuleType) -> None:
    whole = stopping()["stopping"]
    bare = replace(whole, values={})
    odd = [
        stopping(time=(), shares=np.zeros((2, 0))),
        stopping(time=(), shares=np.zeros((0, 0)), rows=()),
        stopping(time=(0.05,), shares=((1.5,), (math.nan,))),
        stopping(time=(math.nan,) * 3),
        stopping(shares=np.full((2, 3), math.nan)),
        stopping(tracks={"single": math.nan, "not single": "much"}, evidence=None, left_s="soon", since_s=math.nan),
        stopping(tracks=None, rules=None, words=None, armed=None, met=None, verdict=7),
        stopping(rows=("<b>odd</b> & name",), shares=np.zeros((1, 3))),
    ]
    odd += [
        {"stopping": one}
        for one in (
            bare,
            replace(bare, data={}),
            replace(bare, axes=(), data={}),
            replace(bare, axes=(), data={"share": np.zeros(2)}),
            replace(whole, data={}, rows=()),
            replace(whole, axes=(*whole.axes, *whole.axes), data={"share": np.zeros((2, 3, 3))}),
        )
    ]
    for seq, frame in enumerate(odd):
        tell(results.make(seconds=1, seq=seq) | {"stopping": frame["stopping"]})
        assert window.status.faults == (), seq
    tell(stopping(rows=("<b>odd</b> & name",), shares=np.zeros((1, 3)), seq=99))
    assert "<b>odd</b> & name" in plain(window.stopping._key)


def test_a_new_run_clears_it(window: Window, tell: Any, results: ModuleType) -> None:
    tell(stopping())
    tell({"status": results.make(run="run-2")["status"]})
    assert window.stopping._curves == {}
    assert window.stopping.plot.sentence == "waiting for a run"
    assert plain(window.stopping.verdict) == ""
    assert not window.stopping.arm.isEnabled()


# -- the hand ----------------------------------------------------------------------------------------------------------


def test_arm_and_disarm_are_asked_for_and_wait_for_their_echo(window: Window, tell: Any, asked: Any, app: Any) -> None:
    tell(stopping())
    window.stopping.arm.click()
    assert asked == [{"do": "disarm"}]
    assert window.stopping.arm.text() == "○ disarmed"
    tell(stopping(seq=2))  # made before the daemon heard of it
    assert window.stopping.arm.text() == "○ disarmed"
    tell(stopping(seq=3, armed=False))
    tell(stopping(seq=4, armed=True))  # another viewer's
    assert window.stopping.arm.text() == "● armed"
    tell(stopping(seq=5, armed=False))
    window.stopping.arm.setFocus()
    space = [QtGui.QKeyEvent(kind, QtCore.Qt.Key.Key_Space, QtCore.Qt.KeyboardModifier.NoModifier)
             for kind in (QtCore.QEvent.Type.KeyPress, QtCore.QEvent.Type.KeyRelease)]  # fmt: skip
    for event in space:
        app.sendEvent(window.stopping.arm, event)
    assert asked[-1] == {"do": "arm"}
    tell({}, answers=(Answer(asked[-1], {"ok": False, "error": "arm: there are no rules"}),))
    assert window.stopping.arm.text() == "○ disarmed"
    assert "arm: there are no rules" in window.status.text


def test_disarmed_it_tells_when_it_would_have_stopped(window: Window, tell: Any) -> None:
    tell(stopping(armed=False, words=SINGLE, verdict="single", met=True, met_s=2.05, left_s=None))
    assert plain(window.stopping.verdict) == "would have stopped at 2.0 s: single"
    assert window.stopping.arm.text() == "○ disarmed"
    assert window.stopping.arm.isEnabled()


@pytest.mark.parametrize("opener", ["edit", "offer_button"])
def test_rules_are_asked_for_shown_and_set(
    window: Window, tell: Any, asked: Any, results: ModuleType, opener: str
) -> None:
    tell(results.make())
    getattr(window.stopping, opener).click()
    dialog = window.stopping.dialog
    assert dialog is not None
    assert dialog.waiting
    assert asked == [{"do": "rules"}]
    getattr(window.stopping, opener).click()  # not a second one
    assert window.stopping.dialog is dialog
    assert asked == [{"do": "rules"}]
    told = {"ok": True, "rules": None, "armed": False, "known": stop_rules.described()}
    tell({}, answers=(Answer(asked[-1], told),))
    dialog.form.fields["budget_s"].setText("0")
    dialog.set_button.click()
    assert asked[-1] == {"do": "rules", "rules": {"rule": "g2", "budget_s": 0}, "armed": True}
    refusal = {"ok": False, "error": "rules.budget_s: Input should be greater than 0, got 0"}
    tell({}, answers=(Answer(asked[-1], refusal),))
    assert window.stopping.dialog is dialog
    assert dialog.error == refusal["error"]
    assert not window.stopping.isVisible()
    dialog.form.fields["budget_s"].setText("60")
    dialog.armed.setChecked(False)
    dialog.set_button.click()
    assert asked[-1] == {"do": "rules", "rules": {"rule": "g2", "budget_s": 60}, "armed": False}
    tell({}, answers=(Answer(asked[-1], told | {"rules": {"rule": "g2", "budget_s": 60}}),))
    assert window.stopping.dialog is None
    assert window.stopping.isVisible()  # before the first look
    tell(results.make(seq=2))
    assert window.stopping.isVisible()
    assert window.stopping.plot.sentence == "waiting for the first look"
    tell(results.make(seq=3) | stopping(seq=3))
    assert plain(window.stopping.verdict) == "undecided"


def test_rules_set_after_the_end_are_said_to_be_for_the_next_run(
    window: Window, tell: Any, results: ModuleType
) -> None:
    tell(results.make(final=True))
    request = {"do": "rules", "rules": G2, "armed": True}
    tell({}, answers=(Answer(request, {"ok": True, "rules": G2}),))
    assert "from the next run on" in plain(window.stopping.outlook)
    tell({}, answers=(Answer(request | {"rules": None}, {"ok": True, "rules": None}),))
    assert not window.stopping.isVisible()


def test_a_silent_daemon_is_said_in_the_dialog(window: Window, tell: Any, asked: Any, results: ModuleType) -> None:
    tell(results.make())
    window.stopping.edit.click()
    tell({}, answers=(Answer({"do": "rules"}, {"ok": False, "error": "the daemon did not answer"}),))
    assert window.stopping.dialog is not None
    assert window.stopping.dialog.error == "the daemon did not answer"
    window.stopping.dialog.reject()
    assert window.stopping.dialog is None
