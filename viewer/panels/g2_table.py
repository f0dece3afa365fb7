"""Table of g2(0): one row per state with the figure, its interval, and the verdict or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from viewer import style
from viewer.qt import Qt, QtWidgets, pyqtSignal
from viewer.values import known

VERDICT_COLORS = {"single": style.GOOD, "not single": style.BAD}


class G2Table(QtWidgets.QWidget):
    """Rows are reused from frame to frame; `toggled(name, shown)` tells that a state's name was clicked."""

    toggled = pyqtSignal(str, bool)

    def __init__(self) -> None:
        """A header without rows."""
        super().__init__()
        self._grid = QtWidgets.QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(4, 1)
        self._rows: list[_Row] = []
        self.hidden: set[str] = set()  # states whose curves were clicked away, whichever row they are in
        self._heading: list[QtWidgets.QLabel] = []
        for column, text in enumerate(("", "g²(0)", "95 % interval", "by segments", "verdict")):
            label = QtWidgets.QLabel(text)
            label.setObjectName("faint")
            self._heading.append(label)
            self._grid.addWidget(label, 0, column)

    def show_rows(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Show per-row figures as "g2_peaks" gives them (name, g2_0, low, high, g2_0_segments, verdict, reason)."""
        while len(self._rows) < len(entries):
            self._rows.append(_Row(self, self._grid, len(self._rows) + 1))
        segments = any(known(entry.get("g2_0_segments")) is not None for entry in entries)
        for column, label in enumerate(self._heading):
            label.setVisible(bool(entries) and (column != 3 or segments))
        for index, row in enumerate(self._rows):
            row.show(entries[index] if index < len(entries) else None)

    @property
    def text(self) -> list[list[str]]:
        """What the visible rows say, column by column."""
        return [row.text() for row in self._rows if row.visible]


class _Row:
    def __init__(self, table: G2Table, grid: QtWidgets.QGridLayout, line: int) -> None:
        self._table = table
        self.visible = False
        self._name = ""
        self._button = QtWidgets.QPushButton()
        self._button.setObjectName("state")
        self._button.setCheckable(True)
        self._button.setChecked(True)
        self._button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._button.setToolTip("hide or show the curves of this state")
        self._button.clicked.connect(self._clicked)
        self._labels = [QtWidgets.QLabel() for _ in range(4)]
        self._labels[0].setObjectName("number")
        self._reason = QtWidgets.QLabel()
        self._reason.setObjectName("faint")
        self._reason.setWordWrap(True)
        for column, widget in enumerate((self._button, *self._labels)):
            grid.addWidget(widget, line, column)
        grid.addWidget(self._reason, line, 2, 1, 3)

    def show(self, entry: Mapping[str, Any] | None) -> None:
        self.visible = entry is not None
        value = None if entry is None else known(entry.get("g2_0"))
        for widget in (self._button, self._labels[0]):
            widget.setVisible(entry is not None)
        for widget in self._labels[1:]:
            widget.setVisible(value is not None)
        self._reason.setVisible(entry is not None and value is None)
        if entry is None:
            return
        name = str(entry.get("name", "?"))
        if name != self._name:
            self._name = name
            self._button.setChecked(name not in self._table.hidden)
            self._paint_name()
        low, high, segments = (known(entry.get(part)) for part in ("low", "high", "g2_0_segments"))
        verdict, reason = str(entry.get("verdict") or "undecided"), entry.get("reason")
        _set(self._reason, str(reason or "no g²(0) yet"))
        _set(self._labels[0], "–" if value is None else figure(value))
        _set(self._labels[1], "" if low is None or high is None else f"{figure(low)} … {figure(high)}")
        self._labels[2].setVisible(segments is not None)
        _set(self._labels[2], "" if segments is None else figure(segments))
        _set(self._labels[3], f'<span style="color:{VERDICT_COLORS.get(verdict, style.FAINT)}">{verdict}</span>')
        self._labels[3].setToolTip(str(reason or ""))

    def text(self) -> list[str]:
        last = [self._reason] if not self._reason.isHidden() else self._labels[1:]
        return [self._name, self._labels[0].text(), *(label.text() for label in last)]

    def _clicked(self, shown: bool) -> None:
        (self._table.hidden.discard if shown else self._table.hidden.add)(self._name)
        self._paint_name()
        self._table.toggled.emit(self._name, shown)

    def _paint_name(self) -> None:
        shown = self._button.isChecked()
        color = style.state_color(self._name) if shown else "#5A6472"
        self._button.setText(f"{'■' if shown else '□'} {self._name}")
        self._button.setStyleSheet(f"color: {color};")


def figure(value: float) -> str:
    """g2(0) to three decimals below 0.1, two above: nobody measures it better."""
    return f"{value:.3f}" if abs(value) < 0.0995 else f"{value:.2f}"


def _set(label: QtWidgets.QLabel, text: str) -> None:
    if label.text() != text:  # setting a text lays the whole table out again
        label.setText(text)
