"""Level histogram: time spent at each count rate, measured and as the fitted mixture says, rate axis upwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.result import Result
from viewer import style
from viewer.plot import Plot, edges, finite_max, nice_top
from viewer.qt import pg

Floats = NDArray[np.float64]


class Levels(Plot):
    """Lies beside the trace and shares its rate axis; bars take the colour of the state they fall in."""

    def __init__(self) -> None:
        """An empty histogram."""
        super().__init__(("", "", 1.0), ("time per level", "s", 1.0))
        self.getPlotItem().getAxis("left").setStyle(showValues=False)
        self.getPlotItem().getAxis("left").setWidth(8)
        self.view.setMouseEnabled(x=False, y=True)
        self._bars: list[pg.BarGraphItem] = []
        self._mixture = self.curve(style.HANDLE, 1.5, z=10)
        self._rates: Floats = np.zeros(0)
        self._edges: Floats = np.zeros(0)
        self._seconds: Floats = np.zeros(0)

    def clear_data(self) -> None:
        """Show nothing."""
        self._rates = self._edges = self._seconds = np.zeros(0)
        self._mixture.setData([], [])
        self.paint_states(())

    def set_levels(self, result: Result) -> None:
        """Take rows "measured" and "mixture" of a "levels" Result; `paint_states` draws the bars."""
        self._rates = np.asarray(result.axes[0].values, float)
        self._edges = edges(self._rates)
        rows = dict(zip(result.rows, np.asarray(result.data["time_s"], float), strict=True))
        nothing = np.zeros(self._rates.size)
        self._seconds = np.nan_to_num(rows.get("measured", nothing), posinf=0.0, neginf=0.0)
        mixture = rows.get("mixture", nothing)
        self._mixture.setData(np.where(mixture >= 0, mixture, np.nan), self._rates)
        self.fit(x=(0.0, nice_top(1.04 * max(finite_max(self._seconds), finite_max(mixture)))))

    @property
    def highest_rate(self) -> float:
        """Upper edge of the highest level that was visited."""
        visited = np.flatnonzero(self._seconds > 0)
        return float(self._edges[visited[-1] + 1]) if visited.size else 0.0

    def paint_states(self, thresholds: tuple[float, ...]) -> None:
        """Draw the bars, coloured by the state that their rate falls in."""
        names = style.state_names(len(thresholds) + 1)
        while len(self._bars) < len(names):
            bar = pg.BarGraphItem(x0=[], x1=[], y0=[], y1=[], pen=None)
            bar.setZValue(1)
            self._bars.append(bar)
            self.addItem(bar)
        state = np.searchsorted(np.asarray(thresholds, float), self._rates, side="right")
        for index, bar in enumerate(self._bars):
            mine = np.flatnonzero((state == index) & (self._seconds > 0))
            color = style.state_color(names[index]) if index < len(names) else style.FAINT
            bar.setOpts(
                x0=np.zeros(mine.size),
                x1=self._seconds[mine],
                y0=self._edges[mine],
                y1=self._edges[mine + 1],
                brush=pg.mkBrush(color),
            )
