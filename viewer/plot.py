"""Plot: axes with units, a sentence where there is nothing to draw, and a range that gives way to the hand."""

from __future__ import annotations

import math

import numpy as np

from viewer import style
from viewer.grid import Grid
from viewer.qt import Qt, QtCore, QtGui, QtWidgets, pg

Range = tuple[float, float]


class Plot(pg.PlotWidget):
    """A plot whose range follows the data until the user pans or zooms; "fit" or a double click gives it back.

    Each axis is given up on its own: who zooms in rate still sees the run grow in time.
    """

    def __init__(self, left: tuple[str, str, float], bottom: tuple[str, str, float]) -> None:
        """`left`, `bottom`: (what, SI unit or "", factor from data to that unit); a unit gets a fitting SI prefix."""
        axes = {"left": _axis("left", *left), "bottom": _axis("bottom", *bottom)}
        super().__init__(background=style.PANEL, axisItems=axes)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setMinimumSize(120, 90)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Ignored)
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        self.addItem(Grid(axes["bottom"], axes["left"]), ignoreBounds=True)
        item.layout.setContentsMargins(0, 8, 12, 0)
        self.view: pg.ViewBox = item.getViewBox()
        self.view.disableAutoRange()
        self.view.setDefaultPadding(0.0)
        self.view.sigRangeChangedManually.connect(self.by_hand)
        self._wanted: list[Range | None] = [None, None]
        self.touched = [False, False]
        self._sentence = QtWidgets.QLabel("", self)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._sentence.setWordWrap(True)
        self._sentence.setStyleSheet(f"background: {style.PANEL}; color: {style.FAINT}; font-size: 13px;")
        self._legend = QtWidgets.QLabel("", self)
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._legend.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._legend.setStyleSheet("background: rgba(27, 31, 38, 200); padding: 2px 4px;")
        self._fit_button = QtWidgets.QPushButton("fit", self)
        self._fit_button.setToolTip("follow the data again (or double-click)")
        self._fit_button.clicked.connect(self.refit)
        self._fit_button.hide()
        self._legend.hide()
        self._sentence.hide()

    # -- what is said ------------------------------------------------------------------------------------------

    @property
    def sentence(self) -> str:
        """What stands in place of the plot, or ""."""
        return self._sentence.text() if not self._sentence.isHidden() else ""

    def say(self, sentence: str) -> None:
        """Show a plain sentence instead of the plot; "" shows the plot."""
        self._sentence.setText(sentence)
        self._sentence.setVisible(bool(sentence))

    @property
    def legend_text(self) -> str:
        """The legend as it was set."""
        return self._legend.text()

    def legend(self, html: str) -> None:
        """Show a legend in the upper right corner of the plot; "" hides it."""
        if html != self._legend.text():
            self._legend.setText(html)
            self._legend.setVisible(bool(html))
            self._place()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Keep what lies over the plot in its place."""
        super().resizeEvent(event)
        if hasattr(self, "_fit_button"):  # Qt resizes once before the labels exist
            self._place()

    def _place(self) -> None:
        self._sentence.setGeometry(self.rect())
        self._legend.adjustSize()
        self._legend.move(self.width() - self._legend.width() - 10, 8)
        self._fit_button.adjustSize()
        self._fit_button.move(self.width() - self._fit_button.width() - 8, self.height() - 62)

    # -- range ---------------------------------------------------------------------------------------------------

    def fit(self, x: Range | None = None, y: Range | None = None) -> None:
        """Show `x` by `y`, on each axis that the user has not taken over; None or an empty range changes nothing."""
        for axis, wanted in ((0, x), (1, y)):
            if wanted is None or not all(map(math.isfinite, wanted)) or wanted[1] <= wanted[0]:
                continue
            if wanted == self._wanted[axis]:
                continue
            self._wanted[axis] = wanted
            if not self.touched[axis]:
                self._apply(axis)

    def refit(self) -> None:
        """Forget what the user did to the range."""
        self.touched = [False, False]
        self._fit_button.hide()
        for axis in (0, 1):
            self._apply(axis)

    def _apply(self, axis: int) -> None:
        wanted = self._wanted[axis]
        if wanted is not None:
            (self.view.setXRange if axis == 0 else self.view.setYRange)(*wanted, padding=0)

    def by_hand(self, *_: object) -> None:
        """The user has panned or zoomed: give up the axes that differ from what was wanted."""
        for axis, (low, high) in enumerate(self.view.viewRange()):
            wanted = self._wanted[axis]
            if wanted is not None and max(abs(low - wanted[0]), abs(high - wanted[1])) > 1e-6 * (wanted[1] - wanted[0]):
                self.touched[axis] = True
        self._fit_button.setVisible(any(self.touched))

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent) -> None:
        """Follow the data again."""
        self.refit()
        event.accept()

    # -- what is drawn -------------------------------------------------------------------------------------------

    def curve(self, color: str, width: float = 1.0, dashed: bool = False, z: float = 0.0) -> pg.PlotCurveItem:
        """A line in this plot; NaN breaks it."""
        line = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        item = pg.PlotCurveItem(pen=pg.mkPen(color, width=width, style=line), connect="finite", skipFiniteCheck=False)
        item.setZValue(z)
        self.addItem(item)
        return item

    def level(self, value: float, label: str = "") -> pg.InfiniteLine:
        """A fixed horizontal line of reference."""
        pen = pg.mkPen(style.FAINT, width=1, style=Qt.PenStyle.DotLine)
        options = {"position": 0.98, "color": style.FAINT, "anchors": [(1, 1), (1, 1)]}
        line = pg.InfiniteLine(value, angle=0, pen=pen, label=label or None, labelOpts=options)
        line.setZValue(-5)
        self.addItem(line)
        return line


def _axis(side: str, text: str, unit: str, scale: float) -> pg.AxisItem:
    axis = pg.AxisItem(side)
    axis.setPen(pg.mkPen("#5A6472"))
    axis.setTextPen(style.TEXT)
    axis.setScale(scale)
    axis.setLabel(text, units=unit or None, color=style.FAINT)
    axis.enableAutoSIPrefix(bool(unit))
    axis.setStyle(
        tickLength=-4, hideOverlappingLabels=12
    )  # pixels beyond the end, so that a zero in the corner is shown
    return axis


def nice_top(value: float, steps: tuple[float, ...] = (1, 1.25, 1.6, 2, 2.5, 3, 4, 5, 6, 8, 10)) -> float:
    """The next round number above `value`: an axis that ends there does not twitch with every count."""
    if not value > 0 or math.isinf(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in steps if step * power >= value), 10 * power)


def finite_max(values: np.ndarray, default: float = 0.0) -> float:
    """Largest finite value; `default` where there is none."""
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else default


def edges(centres: np.ndarray) -> np.ndarray:
    """Edges between bin centres (n + 1 of n), half a bin beyond the first and the last."""
    if centres.size == 0:
        return np.zeros(0)
    if centres.size == 1:
        return centres[0] + np.array([-0.5, 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = centres[0] - (middle[0] - centres[0]), centres[-1] + (centres[-1] - middle[-1])
    return np.concatenate(([first], middle, [last]))


__all__ = ["Plot", "QtCore", "edges", "finite_max", "nice_top"]
