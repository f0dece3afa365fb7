"""Bands: shaded spans behind a plot, as wide or as high as the view: lost time, states between thresholds."""

from __future__ import annotations

from collections.abc import Sequence

from viewer import style
from viewer.qt import QtCore, QtGui, pg


class Bands(pg.GraphicsObject):
    """Spans along one axis of a plot, each in its colour, over the whole extent of the other axis."""

    def __init__(self, vertical: bool, opaque: bool = False) -> None:
        """`vertical`: spans are intervals of x, as high as the view, else of y. `opaque`: nothing lies behind."""
        super().__init__()
        self._vertical, self._opaque = vertical, opaque
        self._spans: list[tuple[float, float, QtGui.QBrush]] = []
        self.setZValue(-20)

    @property
    def spans(self) -> list[tuple[float, float]]:
        """The intervals drawn."""
        return [(low, high) for low, high, _ in self._spans]

    def set_spans(self, spans: Sequence[tuple[float, float, str, float]]) -> None:
        """Draw (low, high, colour, opacity) spans; infinite ends reach the edge of the view."""
        fresh = []
        for low, high, color, opacity in spans:
            shade = QtGui.QColor(color)
            if self._opaque:  # mixed with the ground once, here, and not at every pixel of every frame
                ground = QtGui.QColor(style.PANEL)
                parts = zip(shade.getRgbF()[:3], ground.getRgbF()[:3], strict=True)
                shade = QtGui.QColor.fromRgbF(*(opacity * a + (1 - opacity) * b for a, b in parts))
            else:
                shade.setAlphaF(opacity)
            fresh.append((float(low), float(high), QtGui.QBrush(shade)))
        if fresh != self._spans:
            self._spans = fresh
            self.update()

    def boundingRect(self) -> QtCore.QRectF:
        """The view: spans reach across it, and must never make it larger."""
        return QtCore.QRectF(self.viewRect() or QtCore.QRectF())

    def viewRangeChanged(self) -> None:
        """Follow the view."""
        self.prepareGeometryChange()

    def dataBounds(self, axis: int, frac: float = 1.0, orthoRange: object = None) -> tuple[None, None]:
        """Have no say in the range of the plot."""
        return None, None

    def paint(self, painter: QtGui.QPainter, *_: object) -> None:
        """Fill the part of each span that is in view, at least one pixel of it: a short loss must be seen."""
        view = self.boundingRect()
        near, far = (view.left(), view.right()) if self._vertical else (view.top(), view.bottom())
        pixel = (self.pixelWidth() if self._vertical else self.pixelHeight()) or 0.0
        for low, high, brush in self._spans:
            middle, half = (low + high) / 2, pixel / 2
            if high - low < pixel:
                low, high = middle - half, middle + half  # noqa: PLW2901
            start, stop = max(low, near), min(high, far)
            if start >= stop:
                continue
            if self._vertical:
                painter.fillRect(QtCore.QRectF(start, view.top(), stop - start, view.height()), brush)
            else:
                painter.fillRect(QtCore.QRectF(view.left(), start, view.width(), stop - start), brush)
