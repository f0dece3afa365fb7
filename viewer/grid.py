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
        """Draw the lines."""
        view = self.boundingRect()
        painter.setPen(self._pen)
        lines = [
            QtCore.QLineF(x, view.top(), x, view.bottom())
            for x in _ticks(self._axes[0], view.left(), view.right(), self._axes[0].width())
        ]
        lines += [
            QtCore.QLineF(view.left(), y, view.right(), y)
            for y in _ticks(self._axes[1], view.top(), view.bottom(), self._axes[1].height())
        ]
        if lines:
            painter.drawLines(*lines)


def _ticks(axis: pg.AxisItem, low: float, high: float, pixels: float) -> list[float]:
    if not low < high or pixels <= 0:
        return []
    levels = [[float(value) for value in values] for _, values in axis.tickValues(low, high, pixels)[:2]]
    return levels[0] if levels and len(levels[0]) > 2 else [value for values in levels for value in values]
