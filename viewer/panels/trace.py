"""Trace panel: the whole run's count rate and its level histogram on one rate axis, with thresholds to drag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamer.result import Result
from viewer import style
from viewer.bands import Bands
from viewer.handle import Handle
from viewer.held import Held
from viewer.panel import Panel, key, missing
from viewer.panels.levels import Levels
from viewer.plot import Plot, edges, finite_max, nice_top
from viewer.qt import QtCore, QtWidgets
from viewer.values import known, mapping, numbers, records

THROTTLE_MS = 100
CHOICES = ("auto", "1", "2", "3", "4")


class TracePanel(Panel):
    """Draws "trace" and "levels"; asks for thresholds and for the number of states."""

    wants = ("trace", "levels")

    def __init__(self) -> None:
        """Trace, histogram and controls, all empty."""
        super().__init__("Count rate")
        self.plot = Plot(("count rate", "cps", 1.0), ("time", "", 1.0))
        self.plot.getPlotItem().getAxis("bottom").setLabel("time (s)", color=style.FAINT)
        self.levels = Levels()
        self.levels.setYLink(self.plot.getPlotItem())
        self.levels.view.sigRangeChangedManually.connect(self.plot.by_hand)
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self.plot, 6)
        row.addWidget(self.levels, 1)
        self.body.addLayout(row)
        self._build_header()

        self.loss = Bands(vertical=True)
        self.plot.addItem(self.loss)
        self._state_bands = [Bands(vertical=False, opaque=True), Bands(vertical=False, opaque=True)]
        for bands, plot in zip(self._state_bands, (self.plot, self.levels), strict=True):
            bands.setZValue(-30)
            plot.addItem(bands)
        # One opaque stroke per point: a filled outline with four thousand corners costs ten times as much to paint.
        self._range = self.plot.curve("#6B7685", z=-2)
        self._mean = self.plot.curve(style.TEXT)

        self.handles: list[tuple[Handle, Handle]] = []
        self.held = Held()
        self._states_held = Held()
        self._throttle = QtCore.QTimer(self)
        self._throttle.setSingleShot(True)
        self._throttle.timeout.connect(self._send_waiting)
        self._unsent: list[float] | None = None
        self.clear()

    def _build_header(self) -> None:
        self._about = self.faint()
        self._key = QtWidgets.QLabel("")
        self.auto = QtWidgets.QPushButton("auto thresholds")
        self.auto.setCheckable(True)
        self.auto.setToolTip("let the mixture of count rates place the thresholds; dragging a line places it by hand")
        self.auto.clicked.connect(self._choose_auto)
        self.states = QtWidgets.QComboBox()
        self.states.addItems([f"states: {choice}" for choice in CHOICES])
        self.states.setToolTip("how many states the mixture may have; auto: as many as the data pay for (BIC)")
        self.states.activated.connect(self._choose_states)
        self.header.addWidget(self._about)
        self.header.addStretch(1)
        for widget in (self._key, self.states, self.auto):
            self.header.addWidget(widget)

    # -- drawing -------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Show nothing of the old run."""
        for curve in (self._range, self._mean):
            curve.setData([], [])
        self.loss.set_spans(())
        self.levels.clear_data()
        self._throttle.stop()
        self._unsent = None
        self.held.release()
        self._states_held.release()
        self._show_thresholds(())
        self._about.setText("")
        self._key.setText("")
        self.plot.refit()
        self.plot.say("waiting for a run")
        self.levels.say("no levels yet")

    def draw(self, results: Mapping[str, Result]) -> None:
        """Draw the newest trace, histogram and thresholds."""
        trace, levels = results.get("trace"), results.get("levels")
        if levels is not None:
            self.levels.set_levels(levels)
        self.levels.say("" if levels is not None and self.levels.highest_rate > 0 else "no levels yet")
        if trace is not None:
            self._draw_trace(trace)
        newest = max((r for r in (trace, levels) if r is not None), key=_sequence, default=None)
        if newest is not None:
            self._draw_cut(newest, levels)
        self.plot.say("" if trace is not None and trace.axes[0].values.size else missing(results, "trace"))

    def _draw_trace(self, result: Result) -> None:
        time = np.asarray(result.axes[0].values, float)
        cps = np.asarray(result.data["cps"], float)
        low = np.asarray(result.data.get("cps_min", cps), float)
        high = np.asarray(result.data.get("cps_max", cps), float)
        lost = np.nan_to_num(np.asarray(result.data.get("lost", np.zeros(time.size)), float)) > 0
        spans, whole_line = _losses(time, lost)
        self._mean.setData(time, cps, connect=whole_line & np.isfinite(cps))
        decimated = bool(np.any(high > low))
        whole = np.isfinite(low) & np.isfinite(high) & decimated
        self._range.setData(
            np.repeat(time[whole], 2), np.column_stack([low[whole], high[whole]]).ravel(), connect="pairs"
        )
        self.loss.set_spans([(*span, style.LOSS, 0.45) for span in spans])
        bin_s = known(result.values.get("bin_s"))
        about = [] if bin_s is None else [f"{style.si(bin_s, 's')} bins"]
        if decimated:
            about.append("line: mean, shade: smallest to largest bin")
        if lost.any():
            about.append(f'<span style="color:{style.LOSS}">▮</span> photons lost or not watched')
        self._about.setText(" · ".join(about))
        top = max(finite_max(high), finite_max(cps), self.levels.highest_rate if not time.size else 0.0)
        if time.size:
            border = edges(time)
            begin, end = float(border[0]), float(border[-1])
            begin = min(begin, 0.0) if begin < 0.05 * end else begin  # a run that was reset does not begin at zero
            if not result.provenance.get("final"):  # ahead of a growing run by up to 6 %, or every frame has a new axis
                step = 2.0 ** np.floor(np.log2(max(end, 1e-9))) / 16
                end = float(np.ceil(end / step) * step)
            self.plot.fit(x=(begin, end), y=(0.0, nice_top(1.04 * top)))

    def _draw_cut(self, result: Result, levels: Result | None) -> None:
        """Thresholds, unless the hand holds them; how they were found; the states' rates."""
        cut = mapping(result.provenance.get("cut"))
        thresholds = sorted(numbers(result.values.get("thresholds_cps")))
        if self.held.settles(thresholds, numbers(cut.get("thresholds_cps"))):
            self._show_thresholds(thresholds)
        if levels is None:
            return
        self.auto.setChecked(bool(levels.values.get("auto")) and self.held.asked is None)
        chosen = known(cut.get("states")) or 0.0
        if self._states_held.settles((chosen,)):
            self.states.setCurrentIndex(int(chosen) if chosen < len(CHOICES) else 0)
        states = records(levels.values.get("states"))
        text = [key(str(s.get("name", "?")), style.si(s.get("rate_cps"), "cps")) for s in states]
        self._key.setText("&nbsp;&nbsp; ".join(text))

    def _show_thresholds(self, thresholds: list[float] | tuple[float, ...]) -> None:
        """Put the lines at `thresholds`, making or removing lines as their number asks."""
        while len(self.handles) > len(thresholds):
            for handle, plot in zip(self.handles.pop(), (self.plot, self.levels), strict=True):
                plot.removeItem(handle)
                handle.deleteLater()
        while len(self.handles) < len(thresholds):
            pair = (Handle(vertical=False, unit="cps", labelled=False), Handle(vertical=False, unit="cps"))
            for handle, plot in zip(pair, (self.plot, self.levels), strict=True):
                plot.addItem(handle, ignoreBounds=True)
                handle.dragged.connect(self._drag)
                handle.dropped.connect(self._drop)
            self.handles.append(pair)
        for pair, threshold in zip(self.handles, thresholds, strict=True):
            for handle in pair:
                if handle.value() != threshold:
                    handle.setValue(threshold)
        self._paint_states()

    @property
    def thresholds(self) -> list[float]:
        """Where the lines are, in counts/s."""
        return [float(pair[0].value()) for pair in self.handles]

    def _paint_states(self) -> None:
        thresholds = self.thresholds
        names = style.state_names(len(thresholds) + 1)
        ends = [-np.inf, *thresholds, np.inf]
        spans = [(ends[i], ends[i + 1], style.state_color(name), 0.15) for i, name in enumerate(names)]
        for bands in self._state_bands:
            bands.set_spans(spans)
        self.levels.paint_states(tuple(thresholds))

    # -- the hand ------------------------------------------------------------------------------------------------

    def _drag(self, handle: Handle) -> None:
        self.held.grip(self._follow(handle))
        self._unsent = self.thresholds
        self.auto.setChecked(False)
        if not self._throttle.isActive():
            self._send_waiting()

    def _drop(self, handle: Handle) -> None:
        self._throttle.stop()
        self._unsent = None
        self.held.drop(self._follow(handle))
        self.asked.emit({"do": "cut", "thresholds_cps": self.thresholds})

    def _follow(self, handle: Handle) -> list[float]:
        """Let both lines of a threshold follow the one in the hand, between their neighbours; all thresholds."""
        index = next((i for i, pair in enumerate(self.handles) if handle in pair), None)
        if index is not None:
            view_low, view_high = self.plot.view.viewRange()[1]
            apart = (view_high - view_low) / 500  # thresholds must ascend, and stay far enough apart to be seized
            below = self.thresholds[index - 1] + apart if index else apart
            above = self.thresholds[index + 1] - apart if index + 1 < len(self.handles) else np.inf
            value = float(min(max(handle.value(), below), above)) if below < above else (below + above) / 2
            for line in self.handles[index]:
                line.setValue(value)
            self._paint_states()
        return self.thresholds

    def _send_waiting(self) -> None:
        """Send where the lines are, at most once per THROTTLE_MS while they move."""
        if self._unsent is not None:
            self.asked.emit({"do": "cut", "thresholds_cps": self._unsent})
            self._unsent = None
            self._throttle.start(THROTTLE_MS)

    def _choose_auto(self) -> None:
        self.held.release()
        self.asked.emit({"do": "cut", "thresholds_cps": None})

    def _choose_states(self, index: int) -> None:
        """Another number of states needs other thresholds, so the hand's are given up."""
        self.held.release()
        self._states_held.drop((float(index),))
        self.asked.emit({"do": "cut", "thresholds_cps": None, "states": index or None})

    @property
    def gripped(self) -> bool:
        """Whether the hand is on a line."""
        return self.held.gripped

    def answer(self, request: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """A refused cut gives the lines back to the daemon."""
        if not reply.get("ok"):
            if "thresholds_cps" in request:
                self.held.release()
            if "states" in request:
                self._states_held.release()


def _sequence(result: Result) -> float:
    return known(result.provenance.get("seq")) or 0.0


def _losses(time: np.ndarray, lost: np.ndarray) -> tuple[list[tuple[float, float]], np.ndarray]:
    """(spans to shade, whether each point is joined to the next one), of points flagged where time is missing.

    A flag says that time is missing within a point or before it. So the shade covers the point, and what lies
    between it and the one before where that is more than the usual step.
    """
    joined = np.ones(time.size, bool)
    flagged = np.flatnonzero(lost)
    if not flagged.size:
        return [], joined
    step = float(np.median(np.diff(time))) if time.size > 1 else 1.0
    spans: list[tuple[float, float]] = []
    for i in flagged:
        low, high = float(time[i]) - step / 2, float(time[i]) + step / 2
        if i and time[i] - time[i - 1] > 1.5 * step:
            low = float(time[i - 1]) + step / 2
            joined[i - 1] = False
        if spans and low <= spans[-1][1] + step / 100:
            low = spans.pop()[0]
        spans.append((low, high))
    return spans, joined
