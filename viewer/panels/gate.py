"""Gate panel: g2(0) of what arrives after a lifetime gate, for every gate, with the gate itself to drag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamer.result import Result
from viewer import style
from viewer.handle import Handle
from viewer.held import Held
from viewer.panel import Panel, key, missing, why
from viewer.panels.g2_table import figure
from viewer.plot import Plot, finite_max, nice_top
from viewer.qt import QtCore, QtGui, pg
from viewer.values import known, mapping, records

THROTTLE_MS = 100


class GatePanel(Panel):
    """Draws "gate": a line and its interval for each state; asks for another gate when the line is dragged."""

    wants = ("gate",)

    def __init__(self) -> None:
        """An empty plot with a hidden gate line."""
        super().__init__("g²(0) after a gate")
        self.header.addStretch(1)
        self.setToolTip("g²(0) of the pairs whose earlier photon comes later than the gate; drag the line")
        self.plot = Plot(("g²(0)", "", 1.0), ("gate", "s", 1e-9))
        self.plot.level(0.5)
        self.body.addWidget(self.plot)
        self.handle = Handle(vertical=True, unit="s", scale=1e-9)
        self.handle.dragged.connect(self._drag)
        self.handle.dropped.connect(self._drop)
        self.plot.addItem(self.handle, ignoreBounds=True)
        self.held = Held()
        self._throttle = QtCore.QTimer(self)
        self._throttle.setSingleShot(True)
        self._throttle.timeout.connect(self._send_waiting)
        self._unsent: float | None = None
        self._curves: dict[str, _Row] = {}
        self.clear()

    def clear(self) -> None:
        """Show nothing of the old run."""
        self._throttle.stop()
        self._unsent = None
        self.held.release()
        self._keep(())
        self.handle.hide()
        self.plot.legend("")
        self.plot.refit()
        self.plot.say("waiting for a run")

    def draw(self, results: Mapping[str, Result]) -> None:
        """Draw the newest g2(0) against the gate."""
        result = results.get("gate")
        if result is None or result.axes[0].values.size == 0:
            self._keep(())
            self.plot.say(missing(results, "gated g²(0)", "no nanotime in T2: no lifetime gate", "g2"))
            return
        gate = np.asarray(result.axes[0].values, float)
        middle, low, high = (np.asarray(result.data[name], float) for name in ("g2_0", "low", "high"))
        if not np.isfinite(middle).any():
            self._keep(())
            self.plot.say(why(result, "too few pairs for a g²(0) at any gate"))
        else:
            self._keep(result.rows)
            for index, name in enumerate(result.rows):
                self._curves[name].set(gate, middle[index], low[index], high[index])
            self.plot.say("")
            most = finite_max(middle)
            self.plot.fit(y=(0.0, nice_top(max(min(finite_max(high, 1.0), 1.6 * most), most, 0.6) * 1.05)))
        self.plot.legend(_legend(result) if np.isfinite(middle).any() else "")
        asked = known(result.values.get("gate_ns"))
        cut = known(mapping(result.provenance.get("cut")).get("gate_ns"))
        if self.held.settles(*([value] for value in (asked, cut) if value is not None)):
            self.handle.setVisible(asked is not None)
            if asked is not None and asked != self.handle.value():
                self.handle.setValue(asked)
        answered = gate[np.isfinite(middle).any(axis=0)]
        last = max(
            float(answered[-1]) if answered.size else float(gate[-1]), self.handle.value() if asked is not None else 0.0
        )
        self.plot.fit(x=(min(float(gate[0]), 0.0), nice_top(1.05 * last)))

    def _keep(self, rows: tuple[str, ...]) -> None:
        for name in [name for name in self._curves if name not in rows]:
            self._curves.pop(name).remove(self.plot)
        for name in rows:
            if name not in self._curves:
                self._curves[name] = _Row(self.plot, name)

    # -- the hand ------------------------------------------------------------------------------------------------

    def _drag(self, *_: object) -> None:
        self._limit()
        self.held.grip([float(self.handle.value())])
        self._unsent = float(self.handle.value())
        if not self._throttle.isActive():
            self._send_waiting()

    def _drop(self, *_: object) -> None:
        self._throttle.stop()
        self._unsent = None
        self._limit()
        self.held.drop([float(self.handle.value())])
        self.asked.emit({"do": "cut", "gate_ns": float(self.handle.value())})

    def _limit(self) -> None:
        """A gate before the first nanotime is none."""
        if self.handle.value() < 0:
            self.handle.setValue(0.0)

    def _send_waiting(self) -> None:
        if self._unsent is not None:
            self.asked.emit({"do": "cut", "gate_ns": self._unsent})
            self._unsent = None
            self._throttle.start(THROTTLE_MS)

    @property
    def gripped(self) -> bool:
        """Whether the hand is on a line."""
        return self.held.gripped

    def answer(self, request: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """A refused gate gives the line back to the daemon."""
        if "gate_ns" in request and not reply.get("ok"):
            self.held.release()


def _legend(result: Result) -> str:
    """g2(0) of each state at the gate."""
    chosen = {str(row.get("name")): known(row.get("g2_0")) for row in records(result.values.get("per_row"))}
    lines = [key(name, figure(value) if (value := chosen.get(name)) is not None else "–") for name in result.rows]
    return "<br>".join(lines)


class _Row:
    """One state's line and interval."""

    def __init__(self, plot: Plot, name: str) -> None:
        color = style.state_color(name)
        self._low, self._high = plot.curve(color), plot.curve(color)
        for edge in (self._low, self._high):
            edge.setPen(pg.mkPen(None))
        shade = QtGui.QColor(color)
        shade.setAlphaF(0.22)
        self._band = pg.FillBetweenItem(self._low, self._high, brush=pg.mkBrush(shade))
        self._band.setZValue(-3)
        plot.addItem(self._band)
        self._line = plot.curve(color, 2.0, z=-1 if name == "all" else 1)

    def set(self, gate: np.ndarray, middle: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        both = np.isfinite(low) & np.isfinite(high)
        self._low.setData(gate[both], low[both])
        self._high.setData(gate[both], high[both])
        self._line.setData(gate, middle)

    def remove(self, plot: Plot) -> None:
        for item in (self._band, self._low, self._high, self._line):
            plot.removeItem(item)
