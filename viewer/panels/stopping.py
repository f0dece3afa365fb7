"""Stopping panel: the evidence of stop rules on its way to the threshold, the verdict, and the rules themselves."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import numpy as np

from streamer.result import Result
from viewer import style
from viewer.held import Held
from viewer.panel import Panel
from viewer.plot import Plot
from viewer.qt import QtWidgets, pg
from viewer.rules_dialog import RulesDialog
from viewer.stopping_words import color, outlook, standing
from viewer.values import known, mapping

TOP = 1.15  # of the plot; a threshold is at 1
CLIP = 1.12  # a share above is drawn here
LONGEST = 240  # characters of words that are shown; all of them when the mouse rests there
COLORS = ("#56B4E9", "#E69F00", "#CC79A7", "#F0E442", "#009E73", "#D0D4DA")  # Okabe & Ito; beyond six, dashed


class StoppingPanel(Panel):
    """Draws "stopping"; asks to arm, to disarm and for other rules. Without rules it takes no room.

    `offer` is what stands elsewhere in the window meanwhile: a sentence and the button that opens the rules.
    """

    wants = ("stopping", "trace")

    def __init__(self) -> None:
        """Hidden until there are rules."""
        super().__init__("Stop rules")
        self.arm = QtWidgets.QPushButton()
        self.arm.setObjectName("arm")
        self.arm.setCheckable(True)
        self.arm.setToolTip("armed: a rule that is met ends the run; disarmed: its evidence is only shown")
        self.arm.setAccessibleName("stop rules armed")
        self.arm.clicked.connect(self._choose_armed)
        self.edit = self._rules_button()
        self.header.addStretch(1)
        self.header.addWidget(self.arm)
        self.header.addWidget(self.edit)
        self.verdict, self.outlook, self.words = QtWidgets.QLabel(), QtWidgets.QLabel(), self.faint()
        self.verdict.setObjectName("verdict")
        self._key = QtWidgets.QLabel()
        for label in (self.verdict, self.outlook, self.words, self._key):
            label.setWordWrap(True)
            label.setMinimumWidth(1)
            self.body.addWidget(label)
        self.plot = Plot(("share of the threshold", "", 1.0), ("time", "", 1.0))
        self.plot.getPlotItem().getAxis("bottom").setLabel("time (s)", color=style.FAINT)
        self.body.addWidget(self.plot, 1)
        threshold = self.plot.level(1.0, "threshold")
        threshold.setPen(pg.mkPen(style.TEXT, width=1.5))
        threshold.label.setColor(style.TEXT)
        threshold.label.anchors = [(0, 1), (0, 1)]  # at the left, where the evidence begins low
        threshold.label.setPosition(0.01)
        self._tips = pg.ScatterPlotItem(size=7, pen=None)
        self.plot.addItem(self._tips)
        self.plot.fit(y=(0.0, TOP))

        self.offer = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(self.offer)
        row.setContentsMargins(0, 0, 0, 0)
        self._offered = self.faint()
        self.offer_button = self._rules_button()
        self.offer_button.setObjectName("slim")
        row.addWidget(self._offered)
        row.addWidget(self.offer_button)

        self.held = Held()
        self.dialog: RulesDialog | None = None
        self._curves: dict[str, pg.PlotCurveItem] = {}
        self._results: Mapping[str, Result] = {}
        self._told: Any = None  # rules that were set here and have brought no Result yet
        self.hide()
        self.clear()

    def _rules_button(self) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton("rules…")
        button.setToolTip("choose or write the rules that may end a run: a verdict, a precision, a limit")
        button.setAccessibleName("stop rules")
        button.clicked.connect(self._open)
        return button

    # -- drawing -------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Show nothing of the old run; whether there is anything to show is decided by the Results of the new one."""
        self._results, self._told = {}, None
        self.held.release()
        self._keep(())
        self._tips.setData([], [])
        self._say("", "", (), style.TEXT)
        self._key.setText("")
        self._offered.setText("stop rules:")  # whether there are any is not known before the first Results
        self._show_armed(False, enabled=False)
        self.plot.refit()
        self.plot.say("waiting for a run")

    def draw(self, results: Mapping[str, Result]) -> None:
        """Draw the newest evidence."""
        self._results = results
        result, trace = results.get("stopping"), results.get("trace")
        if result is not None and trace is not None and _sequence(trace) > _sequence(result):
            result = None  # the rules were taken away: what came later has none
        if result is None:
            self._draw_none(results)
            return
        self._told = None
        self._room(True)
        record = result.values
        final = bool(result.provenance.get("final"))
        time, shares = _tracks(result)
        head, rest = standing(record)
        now = float(time[-1]) if time.size else None
        self._say(head, rest, outlook(record, now, final), color(record))
        armed = bool(record.get("armed"))
        if self.held.settles((float(armed),)):
            stopped = bool(record.get("stopped"))
            self._show_armed(armed, enabled=not (stopped or final), stopped=stopped)
        self._draw_tracks(time, shares, mapping(record.get("tracks")), final, known(record.get("since_s")) or 0.0)
        if not time.size:
            self.plot.say("no evidence yet")
        else:
            self.plot.say("" if shares else "these rules have no evidence that could be drawn")

    def _draw_none(self, results: Mapping[str, Result]) -> None:
        """No rules in this run: give the room back, unless some were set a moment ago."""
        self._keep(())
        self._tips.setData([], [])
        self._key.setText("")
        self._show_armed(False, enabled=False)
        status = results.get("status")
        ended = status is not None and bool(status.provenance.get("final"))
        if self._told is not None:
            self._room(True)
            self._say("rules are set", "", ("they hold from the next run on",) if ended else (), style.TEXT)
            self.plot.say("waiting for the next run" if ended else "waiting for the first look")
        elif "trace" in results:
            self._offered.setText("no stop rules; set some with")
            self._room(False)

    def _room(self, wanted: bool) -> None:
        """Take or give back the place in the window."""
        self.offer.setVisible(not wanted)
        self.setVisible(wanted)

    def _draw_tracks(
        self, time: np.ndarray, shares: dict[str, np.ndarray], newest: Mapping[str, Any], final: bool, since: float
    ) -> None:
        self._keep(tuple(shares))
        tips = []
        lines = []
        for name, share in shares.items():
            curve = self._curves[name]
            drawn = np.clip(share, 0.0, CLIP)
            curve.setData(time, drawn)
            pen = curve.opts["pen"]
            last = known(newest.get(name, share[-1] if share.size else None))
            at = np.flatnonzero(np.isfinite(drawn))
            if at.size:
                tips.append({"pos": (time[at[-1]], drawn[at[-1]]), "brush": pg.mkBrush(pen.color())})
            said = "?" if last is None else "reached" if last >= 1 else f"{100 * last:.0f} %"
            key = f'<span style="color:{pen.color().name()}">■&nbsp;<b>{_whole(name)}</b></span>'
            lines.append(f"{key}&nbsp;{_whole(said)}")
        self._tips.setData(tips)
        self._key.setText(" &nbsp; ".join(lines))
        if time.size:
            end = float(time[-1])
            begin = since if 0.05 * end < since < end else 0.0  # of rules that were set late
            if not final:  # ahead of a growing run, or every frame has a new axis
                step = 2.0 ** np.floor(np.log2(max(end, 1e-9))) / 16
                end = float(np.ceil(end / step) * step)
            self.plot.fit(x=(begin, end + 0.01 * (end - begin)))

    def _keep(self, names: tuple[str, ...]) -> None:
        """Have a curve for each name; a track keeps its colour while it is there."""
        for name in [name for name in self._curves if name not in names]:
            self.plot.removeItem(self._curves.pop(name))
        taken = [curve.number for curve in self._curves.values()]
        for name in names:
            if name not in self._curves:
                number = next(n for n in range(len(taken) + 1) if n not in taken)
                taken.append(number)
                curve = self.plot.curve(COLORS[number % len(COLORS)], 2.0, dashed=number >= len(COLORS))
                curve.number = number
                self._curves[name] = curve

    def _say(self, head: str, rest: str, lines: list[str] | tuple[str, ...], shade: str) -> None:
        _set(self.verdict, f'<span style="color:{shade}">{html.escape(head)}</span>' if head else "")
        _set(self.words, html.escape(rest if len(rest) <= LONGEST else rest[: LONGEST - 1] + "…"))
        self.words.setToolTip(html.escape(rest))
        _set(self.outlook, "<br>".join(html.escape(line) for line in lines))

    # -- the hand ------------------------------------------------------------------------------------------------

    def _show_armed(self, armed: bool, *, enabled: bool, stopped: bool = False) -> None:
        self.arm.setChecked(armed)
        self.arm.setEnabled(enabled)
        self.arm.setText("■ stopped" if stopped else "● armed" if armed else "○ disarmed")

    def _choose_armed(self, armed: bool) -> None:
        self.held.drop((float(armed),))
        self._show_armed(armed, enabled=True)
        self.asked.emit({"do": "arm" if armed else "disarm"})

    def _open(self) -> None:
        """Open the rules, and ask the daemon what they are now and what it has."""
        if self.dialog is None:
            self.dialog = RulesDialog(self.window())
            self.dialog.chosen.connect(self._choose_rules)
            self.dialog.finished.connect(self._closed)
            self.dialog.show()
            self.asked.emit({"do": "rules"})
        else:
            self.dialog.raise_()
        self.dialog.activateWindow()

    def _choose_rules(self, tree: Any, armed: bool) -> None:
        self.asked.emit({"do": "rules", "rules": tree, "armed": armed})

    def _closed(self, *_: object) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None

    def answer(self, request: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Take the daemon's rules, or its refusal."""
        if request.get("do") in ("arm", "disarm") and not reply.get("ok"):
            self.held.release()
            self.draw(self._results)
        if request.get("do") != "rules":
            return
        asked, ok = "rules" in request, bool(reply.get("ok"))
        if self.dialog is not None and self.dialog.waiting:
            if not ok:
                self.dialog.go_on(str(reply.get("error") or "refused"))
            elif asked:
                self.dialog.accept()
            else:
                self.dialog.fill(reply)
        if asked and ok:
            self._told = reply.get("rules")
            self.draw(self._results)


def _tracks(result: Result) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(time, share of each track)."""
    time = np.asarray(result.axes[0].values if result.axes else (), float)
    share = result.data.get("share")
    if share is None or share.ndim != 2:
        return time, {}
    return time, dict(zip(result.rows, np.asarray(share, float), strict=True))


def _whole(text: str) -> str:
    """Rich text that is not broken between two lines."""
    return html.escape(text).replace(" ", "&nbsp;")


def _sequence(result: Result) -> float:
    return known(result.provenance.get("seq")) or 0.0


def _set(label: QtWidgets.QLabel, text: str) -> None:
    if label.text() != text:  # setting a text lays the panel out again
        label.setText(text)
        label.setVisible(bool(text))
