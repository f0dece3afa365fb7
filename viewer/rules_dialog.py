"""Rules dialog: choose or write the rules that may end a run; the daemon judges, and its line is shown here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from viewer import style
from viewer.qt import QtGui, QtWidgets, pyqtSignal
from viewer.rules_form import RulesForm
from viewer.rules_text import fits, from_toml, ready, to_toml
from viewer.values import mapping

FORM, TEXT = 0, 1
NONE = "no rules"


class RulesDialog(QtWidgets.QDialog):
    """`chosen(tree or None, armed)` is what the user wants; it closes when `accept` says that the daemon took it."""

    chosen = pyqtSignal(object, bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        """Empty until `fill`, and not to be used before."""
        super().__init__(parent)
        self.setWindowTitle("stop rules")
        self.resize(560, 560)
        self._known: Mapping[str, Any] = {}
        self.waiting = False
        column = QtWidgets.QVBoxLayout(self)
        row = QtWidgets.QHBoxLayout()
        self.ready = QtWidgets.QComboBox()
        self.ready.activated.connect(self._choose_ready)
        label = QtWidgets.QLabel("&begin with")
        label.setBuddy(self.ready)
        row.addWidget(label)
        row.addWidget(self.ready, 1)
        self.tabs = QtWidgets.QTabWidget()
        self.form, self.text = RulesForm(), QtWidgets.QPlainTextEdit()
        self.text.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self.text.setPlaceholderText(
            'no rules: the run ends with its source\n\nrule = "g2"\n\nor\n\nany = [{rule = "g2"}, {rule = …}]'
        )
        self.text.setAccessibleName("rules as TOML")
        self.text.setTabChangesFocus(True)
        self.tabs.addTab(self.form, "one &rule")
        self.tabs.addTab(self.text, "&TOML: any, all, not")
        self._tab = FORM
        self.tabs.currentChanged.connect(self._change_tab)
        self.armed = QtWidgets.QCheckBox("&armed: may end the run")
        self.armed.setChecked(True)
        self.armed.setToolTip("not armed, the evidence is shown and the run goes on")
        self._error = QtWidgets.QLabel()
        self._error.setWordWrap(True)
        self._error.setStyleSheet(f"color: {style.WARN};")
        self.buttons = QtWidgets.QDialogButtonBox()
        self.set_button = QtWidgets.QPushButton("&set these rules")
        self.buttons.addButton(self.set_button, QtWidgets.QDialogButtonBox.ButtonRole.AcceptRole)
        self.set_button.setDefault(True)
        self.buttons.addButton(QtWidgets.QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self._set)
        self.buttons.rejected.connect(self.reject)
        column.addLayout(row)
        column.addWidget(self.tabs, 1)
        column.addWidget(self.armed)
        column.addWidget(self._error)
        column.addWidget(self.buttons)
        self._wait("asking the daemon for its rules …")

    @property
    def error(self) -> str:
        """The line that says what is wrong, or ""."""
        return "" if self.waiting else self._error.text()

    def fill(self, reply: Mapping[str, Any]) -> None:
        """Show what the daemon told: its rules, and those that are set."""
        self._known = mapping(reply.get("known"))
        self.form.know(self._known)
        self.ready.clear()
        tree = reply.get("rules")
        for name, one in [("as it is", tree), (NONE, None), *ready(self._known)]:
            self.ready.addItem(name, one)
        self.armed.setChecked(bool(reply.get("armed")) or tree is None)
        first = next(iter(ready(self._known)), (NONE, None))[1]
        self.show_tree(first if tree is None else tree)
        self.go_on("")
        self.ready.setFocus()

    def go_on(self, error: str) -> None:
        """Let the user go on, with what the daemon found wrong."""
        self.waiting = False
        for widget in (self.ready, self.tabs, self.armed, self.set_button):
            widget.setEnabled(True)
        self._error.setText(error)
        if self._tab == FORM and not self._known:  # a daemon that did not tell its rules can still be given some
            self.show_tree(None)

    def show_tree(self, tree: Mapping[str, Any] | None) -> None:
        """Show a tree: in the form where it is one rule, else as text."""
        self.text.setPlainText(to_toml(tree))
        one = tree is not None and fits(tree, self._known)
        if one:
            self.form.show_tree(tree or {})
        self._tab = FORM if one else TEXT
        self.tabs.setCurrentIndex(self._tab)

    def tree(self) -> dict[str, Any] | None:
        """What stands in the tab that is shown; ValueError where that is not TOML."""
        return self.form.tree() if self._tab == FORM else from_toml(self.text.toPlainText())

    def _choose_ready(self, index: int) -> None:
        self.show_tree(self.ready.itemData(index))
        self._error.setText("")

    def _change_tab(self, index: int) -> None:
        """Carry what was written over to the other tab; what a form cannot hold stays text."""
        if index == self._tab:
            return
        try:
            tree = self.tree()
        except ValueError as error:
            self._stay(str(error))
            return
        if index == FORM and not (tree is None or fits(tree, self._known)):
            self._stay("this is not one known rule with known parameters, so it has no form")
            return
        if index == FORM:
            self.form.show_tree(tree or {"rule": self.form.rule.currentData()})
        else:
            self.text.setPlainText(to_toml(tree))
        self._tab = index
        self._error.setText("")

    def _stay(self, why: str) -> None:
        self._error.setText(why)
        self.tabs.setCurrentIndex(self._tab)

    def _set(self) -> None:
        try:
            tree = self.tree()
        except ValueError as error:
            self._error.setText(str(error))
            return
        self._wait("setting …")
        self.chosen.emit(tree, self.armed.isChecked())

    def _wait(self, why: str) -> None:
        self.waiting = True
        for widget in (self.ready, self.tabs, self.armed, self.set_button):
            widget.setEnabled(False)
        self._error.setText(why)
