"""Rules dialog: a form made from the schema, a tree as text, and whatever is wrong said in the dialog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from streamer import stop_rules
from viewer.qt import QtCore, QtWidgets
from viewer.rules_dialog import FORM, TEXT, RulesDialog

KNOWN = stop_rules.described()
JOIN = {"any": [{"rule": "g2", "error": 0.01}, {"not": {"rule": "g2", "gate_ns": 2.5}}], "for_s": 1.0}


@pytest.fixture
def dialog(app: QtWidgets.QApplication) -> Iterator[RulesDialog]:
    dialog = RulesDialog()
    dialog.show()
    yield dialog
    dialog.close()
    dialog.deleteLater()
    app.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)


@pytest.fixture
def chosen(dialog: RulesDialog) -> list[tuple[Any, bool]]:
    said: list[tuple[Any, bool]] = []
    dialog.chosen.connect(lambda tree, armed: said.append((tree, armed)))
    return said


def told(rules: Any, armed: bool = True) -> dict[str, Any]:
    return {"ok": True, "rules": rules, "armed": armed, "known": KNOWN}


def write(dialog: RulesDialog, text: str) -> None:
    dialog.tabs.setCurrentIndex(TEXT)
    dialog.text.setPlainText(text)


@pytest.mark.parametrize(
    "tree",
    [
        {"rule": "g2", "error": 0.001, "state": "grey 1", "pair": [0, 1], "budget_s": 60.0, "for_s": 2.0},
        {"rule": "g2"},
        JOIN,
    ],
)
def test_what_is_set_comes_back_unchanged(dialog: RulesDialog, chosen: Any, tree: Any) -> None:
    dialog.fill(told(tree, armed=False))
    assert dialog.tabs.currentIndex() == (FORM if "rule" in tree else TEXT)
    dialog.set_button.click()
    assert chosen == [(tree, False)]
    assert dialog.waiting
    assert dialog.isVisible()  # the daemon has not said yes yet


@pytest.mark.parametrize("name", list(KNOWN))
def test_every_rule_has_a_form_and_its_defaults_are_left_out(dialog: RulesDialog, name: str) -> None:
    needed = dict.fromkeys(KNOWN[name]["required"], 7)
    dialog.fill(told({"rule": name} | needed))
    assert list(dialog.form.fields)[: len(needed)] == list(needed)
    assert set(dialog.form.fields) == set(KNOWN[name]["parameters"])
    assert dialog.tree() == {"rule": name} | needed
    dialog.form.show_tree({"rule": name})
    assert dialog.form.tree() == {"rule": name}


def test_fields_are_numbers_lists_and_choices(dialog: RulesDialog, chosen: Any) -> None:
    dialog.fill(told(None))
    fields = dialog.form.fields
    fields["error"].setText("1e-3")
    fields["pair"].setText("[2, 0]")
    fields["budget_s"].setText(" a minute ")
    fields["state"].setCurrentText("dark")
    dialog.set_button.click()
    tree = {"rule": "g2", "error": 1e-3, "pair": [2, 0], "budget_s": "a minute", "state": "dark"}
    assert chosen == [(tree, True)]  # what is wrong in it is the daemon's to say


def test_without_rules_a_ready_set_is_shown_and_any_can_be_chosen(dialog: RulesDialog, chosen: Any) -> None:
    dialog.fill(told(None))
    assert dialog.tree() == {"rule": "g2"}
    names = [dialog.ready.itemText(i) for i in range(dialog.ready.count())]
    assert names[1:4] == ["no rules", "g² verdict", "g² verdict within a budget"]
    for index in range(2, dialog.ready.count()):
        dialog.ready.setCurrentIndex(index)
        dialog.ready.activated.emit(index)
        stop_rules.check(dialog.tree())
    dialog.ready.activated.emit(1)
    dialog.set_button.click()
    assert chosen == [(None, True)]


def test_what_is_written_is_carried_over_between_the_tabs(dialog: RulesDialog) -> None:
    dialog.fill(told({"rule": "g2", "error": 0.02}))
    dialog.tabs.setCurrentIndex(TEXT)
    assert dialog.text.toPlainText() == 'rule = "g2"\nerror = 0.02\n'
    dialog.text.setPlainText('rule = "g2"\nerror = 0.03\n')
    dialog.tabs.setCurrentIndex(FORM)
    assert dialog.form.fields["error"].text() == "0.03"
    write(dialog, 'any = [{rule = "g2"}]')
    dialog.tabs.setCurrentIndex(FORM)
    assert dialog.tabs.currentIndex() == TEXT
    assert "no form" in dialog.error
    assert dialog.tree() == {"any": [{"rule": "g2"}]}


def test_wrong_toml_is_said_and_asks_for_nothing(dialog: RulesDialog, chosen: Any) -> None:
    dialog.fill(told(JOIN))
    write(dialog, "rule = g2")
    dialog.set_button.click()
    assert chosen == []
    assert dialog.error.startswith("not TOML: ")
    assert "\n" not in dialog.error
    dialog.tabs.setCurrentIndex(FORM)
    assert dialog.tabs.currentIndex() == TEXT
    write(dialog, 'rule = "g2"')
    dialog.set_button.click()
    assert chosen == [({"rule": "g2"}, True)]


def test_the_daemon_s_refusal_leaves_the_dialog_open_with_what_was_written(dialog: RulesDialog, chosen: Any) -> None:
    dialog.fill(told(None))
    dialog.form.fields["budget_s"].setText("-3")
    dialog.set_button.click()
    assert not dialog.set_button.isEnabled()
    dialog.go_on("rules.budget_s: Input should be greater than 0, got -3")
    assert dialog.isVisible()
    assert dialog.error == "rules.budget_s: Input should be greater than 0, got -3"
    assert dialog.form.fields["budget_s"].text() == "-3"
    dialog.form.fields["budget_s"].setText("30")
    dialog.set_button.click()
    assert chosen[-1] == ({"rule": "g2", "budget_s": 30}, True)


@pytest.mark.parametrize("known", [None, {}, {"g2": None}, {"g2": {}}, {"g2": {"parameters": {"a": None}}}])
def test_odd_news_of_the_daemon_are_stood(dialog: RulesDialog, known: Any) -> None:
    dialog.fill({"ok": True, "known": known})
    dialog.fill({"ok": True, "known": known, "rules": {"rule": "g2", "a": 1}})
    assert dialog.tree() == {"rule": "g2", "a": 1}


def test_a_daemon_that_told_nothing_can_still_be_given_rules(dialog: RulesDialog, chosen: Any) -> None:
    dialog.go_on("the daemon did not answer")
    assert dialog.error == "the daemon did not answer"
    write(dialog, 'rule = "g2"')
    dialog.set_button.click()
    assert chosen == [({"rule": "g2"}, True)]


def test_the_keyboard_is_enough(dialog: RulesDialog, app: Any, chosen: Any) -> None:
    dialog.fill(told({"rule": "g2"}))
    field = dialog.form.fields["error"]
    field.setText("0.01")
    press = QtCore.QEvent.Type.KeyPress
    from viewer.qt import Qt, QtGui

    app.sendEvent(field, QtGui.QKeyEvent(press, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier))
    assert chosen == [({"rule": "g2", "error": 0.01}, True)]
    dialog.go_on("")
    app.sendEvent(dialog, QtGui.QKeyEvent(press, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier))
    assert not dialog.isVisible()
