"""FLID panel: how often each pair of count rate and mean nanotime occurred, as an image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streamer.result import Result
from viewer import style
from viewer.panel import Panel, missing
from viewer.plot import Plot, edges, nice_top
from viewer.qt import Qt, QtCore, QtGui, QtWidgets, pg
from viewer.values import numbers

ROWS = 256


class FlidPanel(Panel):
    """Draws "flid" with logarithmic colour; the thresholds of the trace lie across it."""

    wants = ("flid", "levels")

    def __init__(self) -> None:
        """An empty image."""
        super().__init__("FLID")
        colors = pg.colormap.get("inferno").getLookupTable(0.18, 1.0, 255, alpha=False)
        self._table = np.vstack([np.array([[0, 0, 0, 0]]), np.column_stack([colors, np.full(255, 255)])]).astype(
            np.uint8
        )
        self._table[0, :3] = QtGui.QColor(style.PANEL).getRgb()[:3]
        self.setToolTip("fluorescence lifetime-intensity distribution: segments per count rate and mean nanotime")
        self._least, self._bar, self._most = self.faint("1"), QtWidgets.QLabel(), self.faint()
        self._bar.setPixmap(_gradient(self._table[1:, :3]))
        self.header.addStretch(1)
        for widget in (self._least, self._bar, self._most):
            self.header.addWidget(widget)
        self.plot = Plot(("count rate", "cps", 1.0), ("mean nanotime", "s", 1e-9))
        self.image = pg.ImageItem(axisOrder="row-major")
        self.image.setLookupTable(self._table)
        self.image.setZValue(-10)
        self.plot.addItem(self.image)
        self.body.addWidget(self.plot)
        self._lines: list[pg.InfiniteLine] = []
        self.clear()

    def clear(self) -> None:
        """Show nothing of the old run."""
        self._show_nothing()
        self._show_thresholds([])
        self.plot.refit()
        self.plot.say("waiting for a run")

    def draw(self, results: Mapping[str, Result]) -> None:
        """Draw the newest map."""
        result, levels = results.get("flid"), results.get("levels")
        segments = np.zeros((0, 0)) if result is None else np.asarray(result.data["segments"])
        if result is None or segments.size == 0 or not segments.max() > 0:
            self._show_nothing()
            self.plot.say(missing(results, "lifetimes per segment", "no nanotime in T2: no lifetime per segment"))
            return
        rate, nanotime = (np.asarray(axis.values, float) for axis in result.axes)
        used_rate = np.flatnonzero(segments.any(axis=1))
        rate_edges, time_edges = edges(rate), edges(nanotime)
        top = nice_top(1.04 * float(rate_edges[used_rate[-1] + 1]))
        # All but the 1 % at the ends: the mean nanotime of a segment with three photons may lie anywhere.
        share = np.cumsum(segments.sum(axis=0)) / segments.sum()
        first, last = np.searchsorted(share, (0.005, 0.995))
        margin = 0.15 * float(time_edges[last + 1] - time_edges[first])
        left = max(float(time_edges[first]) - margin, float(time_edges[0]))
        right = min(float(time_edges[last + 1]) + margin, float(time_edges[-1]))
        # Levels widen with the rate and an image has equal rows: each row shows the level that its middle lies in.
        rows = np.searchsorted(rate_edges, (np.arange(ROWS) + 0.5) * (top / ROWS)) - 1
        inside = (rows >= 0) & (rows < rate.size)
        shown = np.where(inside[:, None], segments[np.clip(rows, 0, rate.size - 1)], 0)
        most = int(segments.max())
        self.image.setImage(_index(shown, most), autoLevels=False, levels=(0, 255))
        self.image.setRect(QtCore.QRectF(time_edges[0], 0.0, time_edges[-1] - time_edges[0], top))
        self._most.setText(f"{style.count(most)} segments")
        for widget in (self._least, self._bar):
            widget.show()
        self.plot.fit(x=(left, right), y=(0.0, top))
        self._show_thresholds(numbers(levels.values.get("thresholds_cps")) if levels is not None else [])
        self.plot.say("")

    def _show_nothing(self) -> None:
        self.image.clear()
        self._most.setText("")
        for widget in (self._least, self._bar):
            widget.hide()

    def _show_thresholds(self, thresholds: list[float]) -> None:
        while len(self._lines) > len(thresholds):
            self.plot.removeItem(self._lines.pop())
        while len(self._lines) < len(thresholds):
            line = pg.InfiniteLine(0, angle=0, pen=pg.mkPen(style.FAINT, width=1, style=Qt.PenStyle.DashLine))
            self._lines.append(line)
            self.plot.addItem(line, ignoreBounds=True)
        for line, threshold in zip(self._lines, thresholds, strict=True):
            line.setValue(threshold)


def _index(segments: NDArray[np.int64], most: int) -> NDArray[np.uint8]:
    """Place in the colour table: 0 for none, 1..255 for 1..`most` by the logarithm."""
    if most <= 1:
        return np.where(segments > 0, 255, 0).astype(np.uint8)
    place = 1 + 254 * np.log(np.maximum(segments, 1)) / np.log(most)
    return np.where(segments > 0, np.rint(place), 0).astype(np.uint8)


def _gradient(colors: NDArray[np.uint8]) -> QtGui.QPixmap:
    picture = QtGui.QImage(64, 9, QtGui.QImage.Format.Format_RGB32)
    for column in range(64):
        red, green, blue = (int(value) for value in colors[round(column / 63 * (len(colors) - 1))])
        for row in range(9):
            picture.setPixelColor(column, row, QtGui.QColor(red, green, blue))
    return QtGui.QPixmap.fromImage(picture)
