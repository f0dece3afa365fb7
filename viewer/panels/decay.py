"""Decay panel: photons per nanotime for each state on a logarithmic axis, with the lifetimes in the legend."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streamer.result import Result
from viewer import style
from viewer.panel import Panel, key, missing
from viewer.plot import Plot
from viewer.qt import pg
from viewer.values import known, records

Floats = NDArray[np.float64]
POINTS = 200


class DecayPanel(Panel):
    """Draws "decay": where there are more bins in view than points, the mean of neighbouring bins."""

    wants = ("decay",)

    def __init__(self) -> None:
        """An empty plot."""
        super().__init__("Decay")
        self._about = self.faint()
        self.header.addStretch(1)
        self.header.addWidget(self._about)
        self.plot = Plot(("photons per bin", "", 1.0), ("nanotime", "s", 1e-9))
        self.plot.getPlotItem().getAxis("left").setLogMode(False, True)
        self.plot.view.sigXRangeChanged.connect(self._zoomed)
        self.body.addWidget(self.plot)
        self._curves: dict[str, pg.PlotCurveItem] = {}
        self._time: Floats = np.zeros(0)
        self._counts: dict[str, Floats] = {}
        self._step = 0
        self.clear()

    def clear(self) -> None:
        """Show nothing of the old run."""
        self._time, self._counts, self._step = np.zeros(0), {}, 0
        self._paint()
        self._about.setText("")
        self.plot.legend("")
        self.plot.refit()
        self.plot.say("waiting for a run")

    def draw(self, results: Mapping[str, Result]) -> None:
        """Draw the newest decays."""
        result = results.get("decay")
        counts = (
            np.zeros((0, 0))
            if result is None
            else np.nan_to_num(np.asarray(result.data["counts"], float), posinf=0.0, neginf=0.0)
        )
        if result is None or counts.size == 0 or not counts.sum() > 0:
            self._counts = {}
            self._paint()
            self.plot.legend("")
            self.plot.say(missing(results, "decay", "no nanotime in T2: no decay"))
            return
        self._time = np.asarray(result.axes[0].values, float)
        self._counts = dict(zip(result.rows, counts, strict=True))
        filled = np.flatnonzero(counts.sum(axis=0) > 0)
        part = max(self._time.size // 32, 1)  # in steps, so that a single late photon does not move the axis
        first, last = filled[0] // part * part, min((filled[-1] // part + 1) * part, self._time.size - 1)
        self.plot.fit(x=(float(self._time[first]), float(self._time[last])))
        self._step = self._step_in_view()
        self._paint()
        self.plot.fit(y=self._decades())
        self.plot.legend(_legend(result))
        if self._time.size > 1:
            width = style.si((self._time[-1] - self._time[0]) / (self._time.size - 1) * 1e-9, "s")
            self._about.setText(f"{width} bins")
        self.plot.say("")

    def _decades(self) -> tuple[float, float]:
        """From below the rarest bin of the total that is worth seeing to above its peak, in powers of ten."""
        top = max(float(counts.max()) for counts in self._counts.values())
        floor = 0.5 / max(self._step, 1)
        return max(np.log10(floor), np.log10(top) - 6.0), float(np.ceil(10 * np.log10(top) + 2) / 10)

    def _step_in_view(self) -> int:
        """Bins per point: a power of two, so that zooming changes it in few steps."""
        if self._time.size < 2:
            return 1
        low, high = self.plot.view.viewRange()[0]
        in_view = np.searchsorted(self._time, high) - np.searchsorted(self._time, low)
        return 1 << max(int(in_view) // POINTS, 1).bit_length() - 1

    def _zoomed(self, *_: object) -> None:
        step = self._step_in_view()
        if self._counts and step != self._step:
            self._step = step
            self._paint()

    def _paint(self) -> None:
        for name in list(self._curves):
            if name not in self._counts:
                self.plot.removeItem(self._curves.pop(name))
        step = max(self._step, 1)
        whole = self._time.size // step * step
        time = self._time[:whole].reshape(-1, step).mean(axis=1)
        for name, counts in self._counts.items():
            if name not in self._curves:
                self._curves[name] = self.plot.curve(style.state_color(name), z=-1 if name == "all" else 1)
            mean = counts[:whole].reshape(-1, step).mean(axis=1)
            # A bin without photons has no logarithm: the line leaves through the floor of the plot.
            self._curves[name].setData(time, np.log10(np.maximum(mean, 1e-3)))


def _legend(result: Result) -> str:
    lifetimes = {str(entry.get("name")): entry for entry in records(result.values.get("lifetimes"))}
    lines = []
    for name in result.rows:
        entry = lifetimes.get(name, {})
        lifetime, error = known(entry.get("lifetime_ns")), known(entry.get("lifetime_error_ns"))
        folded = known(entry.get("one_over_e_ns"))
        if lifetime is not None:
            text = _with_error(lifetime, error)
            if folded is not None:
                text += f' <span style="color:{style.FAINT}">1/e {folded:.3g}</span>'
        else:
            reason = str(entry.get("reason") or ("" if name == "all" else "no lifetime yet"))
            text = f'<span style="color:{style.FAINT}">{reason[:44]}</span>'
        lines.append(key(name, text))
    return "<br>".join(lines)


def _with_error(value: float, error: float | None) -> str:
    """ "24.31 ± 0.12 ns": the error to two digits when they begin with 1 or 2, else to one."""
    if error is None or not error > 0:
        return f"{value:.3g} ns"
    power = int(np.floor(np.log10(error)))
    digits = min(max(-power + (error / 10.0**power < 2.95), 0), 4)
    return f"{value:.{digits}f} ± {error:.{digits}f} ns"
