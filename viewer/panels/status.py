"""Status panel: whether the daemon lives, what it reads, how fast, what was lost, and every warning."""

from __future__ import annotations

import html
from collections import deque
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from streamer.result import Result
from viewer import style
from viewer.feed import News
from viewer.panel import Panel
from viewer.qt import QtCore, QtGui, QtWidgets
from viewer.values import items, known, mapping

CHIPS = {
    "waiting": style.FAINT,
    "running": style.GOOD,
    "paused": style.WARN,
    "finishing": style.GOOD,
    "ended": style.STATE_COLORS["dark"],
    "source lost": style.BAD,
    "silent": style.BAD,
}
NOTE_S = 15.0


class StatusPanel(Panel):
    """Two lines at the foot of the window: the run, and its health; faults of the viewer itself show here too."""

    wants = ("status",)

    def __init__(self) -> None:
        """Nothing known yet."""
        super().__init__("")
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Fixed)
        self._chip = QtWidgets.QLabel()
        self._run = Line()
        self._health = Line()
        self._warning = Elided(style.WARN)
        first, second = QtWidgets.QHBoxLayout(), QtWidgets.QHBoxLayout()
        for row in (first, second):
            row.setSpacing(10)
            self.body.addLayout(row)
        first.addWidget(self._chip)
        # The figures take what they need, warnings the rest; both are cut before the window grows.
        self._run.setSizePolicy(QtWidgets.QSizePolicy.Policy.Maximum, QtWidgets.QSizePolicy.Policy.Fixed)
        first.addWidget(self._run)
        first.addWidget(self._warning, 1)
        second.addWidget(self._health, 1)
        self.corner = second  # what other panels leave here stands at its end
        self._faults: deque[str] = deque(maxlen=8)
        self._note = ""
        self._note_timer = QtCore.QTimer(self)
        self._note_timer.setSingleShot(True)
        self._note_timer.timeout.connect(self._forget_note)
        self._warnings: list[str] = []
        self._state = "waiting"
        self._link, self._silent_s, self._address = "waiting", 0.0, ""
        self.link_text = ""
        self.clear()

    def clear(self) -> None:
        """Show nothing of the old run."""
        self._state = "waiting"
        self._warnings = []
        self._run.say("")
        self._health.say("")
        self._show_warnings()

    def draw(self, results: Mapping[str, Result]) -> None:
        """Show the newest status."""
        result = results.get("status")
        if result is None:
            return
        values = result.values
        self._state = str(values.get("state") or "running")
        self._run.say(run_line(values))
        self._health.say(health_line(values))
        self._warnings = [str(line) for line in items(values.get("warnings"))]
        self._show_warnings()
        self._show_chip()

    def show_link(self, news: News, address: str) -> None:
        """Show whether the daemon is there."""
        self._link, self._silent_s, self._address = news.link, news.silent_s, address
        self._show_chip()

    def _show_chip(self) -> None:
        if self._link == "waiting":
            shown, text = "waiting", f"WAITING for a daemon at {self._address}"
        elif self._link == "silent":
            shown, text = "silent", f"DAEMON NOT ANSWERING for {self._silent_s:.0f} s ({self._address})"
        else:
            shown, text = self._state, {"running": "LIVE"}.get(self._state, self._state.upper())
        if text != self.link_text:
            self.link_text = text
            self._chip.setText(
                f'<span style="color:{CHIPS.get(shown, style.TEXT)}">●</span> <b>{html.escape(text)}</b>'
            )

    def note(self, line: str) -> None:
        """Show a passing remark (a refused request, a message not understood) for a while."""
        self._note = line
        self._note_timer.start(int(NOTE_S * 1000))
        self._show_warnings()

    def fault(self, line: str) -> None:
        """Show a fault of the viewer itself; it stays, once per kind."""
        if line not in self._faults:
            self._faults.append(line)
            self._show_warnings()

    @property
    def text(self) -> str:
        """All that the status says, for tests and for a screen reader."""
        return " | ".join((self.link_text, self._run.plain, self._health.plain, self._warning.plain))

    @property
    def faults(self) -> tuple[str, ...]:
        """Faults of the viewer itself that were shown."""
        return tuple(self._faults)

    def _forget_note(self) -> None:
        self._note = ""
        self._show_warnings()

    def _show_warnings(self) -> None:
        lines = [*([self._note] if self._note else []), *(f"viewer: {line}" for line in self._faults), *self._warnings]
        if not lines:
            self._warning.say("", "")
            return
        more = f"1 of {len(lines)}: " if len(lines) > 1 else ""
        self._warning.say(f"⚠ {more}{lines[0]}", "<br>".join(f"• {html.escape(line)}" for line in lines))


class Line(QtWidgets.QLabel):
    """One line of rich text that never makes the window wider; what does not fit is in its tooltip."""

    def __init__(self) -> None:
        """An empty line."""
        super().__init__()
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(1)
        self.setTextFormat(QtCore.Qt.TextFormat.RichText)

    def say(self, rich: str) -> None:
        """Set the text; setting the same again costs nothing."""
        if rich != self.text():
            self.setText(rich)
            self.setToolTip(rich)

    @property
    def plain(self) -> str:
        """The text without its colours."""
        document = QtGui.QTextDocument()
        document.setHtml(self.text())
        return document.toPlainText()


class Elided(QtWidgets.QLabel):
    """One line of plain text that ends in "…" where there is no more room."""

    def __init__(self, color: str) -> None:
        """An empty line."""
        super().__init__()
        self.plain = ""
        self.setStyleSheet(f"color: {color};")
        self.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)

    def say(self, plain: str, tooltip: str) -> None:
        """Set text and tooltip."""
        self.plain = plain
        self.setToolTip(tooltip)
        self._cut()

    def resizeEvent(self, event: QtGui.QResizeEvent | None) -> None:
        """Cut anew."""
        super().resizeEvent(event)
        self._cut()

    def _cut(self) -> None:
        fitting = self.fontMetrics().elidedText(self.plain, QtCore.Qt.TextElideMode.ElideRight, self.width())
        if fitting != self.text():
            self.setText(fitting)


def run_line(values: Mapping[str, Any]) -> str:
    """What is read and how fast: file, format, stream time, photons, rates per channel."""
    where = str(values.get("file") or "")
    name = PurePath(where.replace("\\", "/")).name or str(values.get("source") or "")
    parts = [f"<b>{html.escape(name)}</b>"] if name else []
    parts += [html.escape(str(text)) for text in (values.get("format") or values.get("mode"),) if text]
    if known(values.get("stream_s")) is not None:
        parts.append(style.duration(values["stream_s"]))
    if known(values.get("photons")) is not None:
        parts.append(f"{style.count(values['photons'])} photons")
    rates = mapping(values.get("channel_rates"))
    if rates:
        parts.append(", ".join(f"ch {html.escape(str(c))}: {style.si(rate, 'cps')}" for c, rate in rates.items()))
    if known(values.get("photons_per_s")) is not None:
        parts.append(f"analysing {style.si(values['photons_per_s'])} photons/s")
    if values.get("stopped_by"):
        parts.append(f"stopped by {html.escape(str(values['stopped_by']))}")
    return _join(parts)


def health_line(values: Mapping[str, Any]) -> str:
    """How the run fares: lag, loss, gaps, live time, memory, and where every photon went."""
    parts = []
    lag = known(values.get("lag_s"))
    if lag is not None:
        parts.append(_warm(f"lag {style.si(lag, 's')}", lag > 1.0))
    lost, gaps = known(values.get("lost_records")), known(values.get("gaps"))
    if lost is not None:
        parts.append(_warm(f"lost {style.count(lost)} records" if lost else "nothing lost", lost > 0))
    if gaps is not None:
        parts.append(_warm(f"{gaps:.0f} gap{'' if gaps == 1 else 's'}", gaps > 0))
    live, stream = known(values.get("live_s")), known(values.get("span_s"))
    if live is not None:
        share = f" ({100 * live / stream:.1f} %)" if stream else ""
        parts.append(f"live time {style.duration(live)}{share}")
    memory = known(values.get("memory_bytes"))
    if memory is not None:
        parts.append(f"memory {style.si(memory, 'B')}")
    account = mapping(values.get("account"))
    if account:
        shares = {str(name): style.count(number) for name, number in account.items()}
        whole = shares.pop("received", "?")
        parts.append(
            f"{whole} received = " + " + ".join(f"{number} {html.escape(name)}" for name, number in shares.items())
        )
    speed = known(values.get("results_per_s"))
    if speed is not None and speed >= 0.5:
        parts.append(f"{speed:.0f} results/s")
    return _join(parts)


def _warm(text: str, alarming: bool) -> str:
    return f'<span style="color:{style.WARN}">{text}</span>' if alarming else text


def _join(parts: list[str]) -> str:
    return f' <span style="color:{style.FAINT}">·</span> '.join(parts)
