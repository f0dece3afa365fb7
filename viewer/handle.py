"""Handle: a line in a plot that the hand moves; it says while it moves and when it is let go."""

from __future__ import annotations

from viewer import style
from viewer.qt import Qt, pg, pyqtSignal


class Handle(pg.InfiniteLine):
    """A draggable line with its value written at its end, in `unit` with an SI prefix.

    Signals: `dragged` while the mouse moves it, `dropped` when it is let go; never when the program moves it.
    """

    dragged = pyqtSignal(object)
    dropped = pyqtSignal(object)

    def __init__(self, *, vertical: bool, unit: str, scale: float = 1.0, labelled: bool = True) -> None:
        """`scale`: from the plot's numbers to `unit` (1e-9 for a gate in ns shown in s)."""
        self._unit, self._scale = unit, scale
        pen = pg.mkPen(style.HANDLE, width=1.5, style=Qt.PenStyle.DashLine)
        hover = pg.mkPen(style.HANDLE, width=3)
        anchors = [(0, 0.5), (1, 0.5)] if vertical else [(1, 0), (1, 1)]
        options = {
            "position": 0.92 if vertical else 1.0,
            "color": style.HANDLE,
            "anchors": anchors,
            "fill": (20, 23, 28, 190),
        }
        super().__init__(
            angle=90 if vertical else 0,
            movable=True,
            pen=pen,
            hoverPen=hover,
            label=" " if labelled else None,
            labelOpts=options,
        )
        self.setZValue(50)
        self.setCursor(Qt.CursorShape.SplitHCursor if vertical else Qt.CursorShape.SplitVCursor)
        self.sigPositionChanged.connect(self._write)
        self.sigDragged.connect(self.dragged)
        self.sigPositionChangeFinished.connect(self.dropped)
        self._write()

    def _write(self, *_: object) -> None:
        if getattr(self, "label", None) is not None:
            self.label.setFormat(style.si(float(self.value()) * self._scale, self._unit))
