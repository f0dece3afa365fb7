"""Grid: a line at each labelled tick; pyqtgraph's own, see-through and at every small tick, costs ten times as much."""

from __future__ import annotations

from viewer.qt import QtCore, QtGui, pg

COLOR = "#343B47"


class Grid(pg.GraphicsObject):
    """Lines at the labelled ticks of both axes, opaque and behind everything."""

    def __init__(self, bottom: pg.AxisItem, left: pg.AxisItem) -> None:
        """The axes whose ticks it follows."""
        super().__init__()
        self._axes = (bottom, left)
        self._pen = pg.mkPen(COLOR, width=1)
        self._place: tuple[float, ...] = ()
        self._lines: list[QtCore.QLineF] = []
        self.setZValue(-25)

    def boundingRect(self) -> QtCore.QRectF:
        """The view."""
        return QtCore.QRectF(self.viewRect() or QtCore.QRectF())

    def viewRangeChanged(self) -> None:
        """Follow the view."""
        self.prepareGeometryChange()

    def dataBounds(self, axis: int, frac: float = 1.0, orthoRange: object = None) -> tuple[None, None]:
        """Have no say in the range of the plot."""
        return None, None

    def paint(self, painter: QtGui.QPainter, *_: object) -> None:
        """Draw the lines; where they lie is found anew only when the view or its size has changed."""
        view, (bottom, left) = self.boundingRect(), self._axes
        place = (view.left(), view.right(), view.top(), view.bottom(), bottom.width(), left.height())
        if place != self._place:
            self._place = place
            across = _ticks(bottom, view.left(), view.right(), bottom.width())
            up = _ticks(left, view.top(), view.bottom(), left.height())
            self._lines = [QtCore.QLineF(x, view.top(), x, view.bottom()) for x in across]
            self._lines += [QtCore.QLineF(view.left(), y, view.right(), y) for y in up]
        painter.setPen(self._pen)
        if self._lines:
            painter.drawLines(*self._lines)


def _ticks(axis: pg.AxisItem, low: float, high: float, pixels: float) -> list[float]:
    if not low < high or pixels <= 0:
        return []
    levels = [[float(value) for value in values] for _, values in axis.tickValues(low, high, pixels)[:2]]
    return levels[0] if levels and len(levels[0]) > 2 else [value for values in levels for value in values]
