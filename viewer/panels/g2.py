"""g2 panel: g2(0) of each state in plain figures, the pulsed peaks, and g2 against the delay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamer.result import Result
from viewer import style
from viewer.panel import Panel, missing, why
from viewer.panels.g2_table import G2Table
from viewer.plot import Plot, finite_max, nice_top
from viewer.qt import Qt, pg
from viewer.values import items, known, mapping, records

LAGS = 10
SIGN = "τ = t<sub>{b}</sub> − t<sub>{a}</sub>"


class G2Panel(Panel):
    """Draws "g2_peaks" (pulsed) and "g2"; a click on a state's name in the table hides or shows its curves."""

    wants = ("g2", "g2_peaks")

    def __init__(self) -> None:
        """An empty table over two empty plots."""
        super().__init__("Photon correlation g²")
        self._about = self.faint()
        self._about.setTextFormat(Qt.TextFormat.RichText)
        self.header.addStretch(1)
        self.header.addWidget(self._about)
        self.table = G2Table()
        self.table.toggled.connect(self._toggle)
        self.body.addWidget(self.table)
        self.offer = self.faint()
        self.offer.setObjectName("offer")
        self.offer.setWordWrap(True)
        self.body.addWidget(self.offer)
        self.peaks = Plot(("g² of peaks", "", 1.0), ("", "", 1.0))
        self.peaks.getPlotItem().getAxis("bottom").setLabel("delay in laser pulses", color=style.FAINT)
        self.tau = Plot(("g²", "", 1.0), ("delay τ", "s", 1e-9))
        for plot in (self.peaks, self.tau):
            plot.getPlotItem().getAxis("left").setWidth(46)  # the same for both, so that pulses stand over each other
            plot.level(1.0)
            self.body.addWidget(plot, 1)
        self.peaks.level(0.5)
        self._bars: dict[str, tuple[pg.BarGraphItem, pg.ErrorBarItem]] = {}
        self._curves: dict[str, pg.PlotCurveItem] = {}
        self.clear()

    def clear(self) -> None:
        """Show nothing of the old run."""
        self._keep_bars(())
        self._keep_curves(())
        self.table.show_rows([])
        self._about.setText("")
        self.offer.hide()
        self.peaks.hide()
        for plot in (self.peaks, self.tau):
            plot.refit()
        self.tau.say("waiting for a run")

    def draw(self, results: Mapping[str, Result]) -> None:
        """Draw the newest correlations."""
        curve, peaks = results.get("g2"), results.get("g2_peaks")
        entries = figures(results)
        self.table.show_rows(entries)
        if peaks is not None:
            self._draw_peaks(peaks)
        self.peaks.setVisible(peaks is not None)
        if curve is None or curve.axes[0].values.size == 0:
            self._keep_curves(())
            self.tau.say(missing(results, "g²(τ)", about="g2"))
        else:
            self._draw_curve(curve, entries)
        self._offer(curve)

    # -- pulsed peaks --------------------------------------------------------------------------------------------

    def _draw_peaks(self, result: Result) -> None:
        lag = np.asarray(result.axes[0].values, float)
        counts = np.asarray(result.data["counts"], float)
        entries = {str(entry.get("name")): entry for entry in _entries(result)}
        self._keep_bars(result.rows)
        width = 0.8 / max(len(result.rows), 1)
        central = np.flatnonzero(lag == 0)
        tallest = 0.0
        for index, name in enumerate(result.rows):
            entry = entries.get(name, {})
            low, value, high, side = (known(entry.get(part)) for part in ("low", "g2_0", "high", "side_mean"))
            # A state with too few pairs for a g2(0) has bars that say nothing either.
            height = np.nan_to_num(counts[index]) / side if side and value is not None else np.zeros(lag.size)
            middle = lag - 0.4 + (index + 0.5) * width
            bar, error = self._bars[name]
            bar.setOpts(x=middle, height=height, width=0.92 * width)
            if central.size and low is not None and value is not None and high is not None:
                at, height_at = middle[central], np.array([value])
                error.setData(x=at, y=height_at, bottom=height_at - low, top=high - height_at, beam=0.5 * width)
            else:
                error.setData(x=np.zeros(0), y=np.zeros(0), bottom=np.zeros(0), top=np.zeros(0))
            if name not in self.table.hidden:
                tallest = max(tallest, finite_max(height))
        reach = min(LAGS, finite_max(np.abs(lag), LAGS)) + 0.6
        self.peaks.fit(x=(-reach, reach), y=(0.0, nice_top(min(max(tallest, 1.0), 3.0) * 1.04)))
        self.peaks.say("" if tallest > 0 or self.table.hidden else why(result, "too few pairs for the peaks yet"))

    def _keep_bars(self, rows: tuple[str, ...]) -> None:
        for name in [name for name in self._bars if name not in rows]:
            for item in self._bars.pop(name):
                self.peaks.removeItem(item)
        for name in rows:
            if name not in self._bars:
                color = style.state_color(name)
                bar = pg.BarGraphItem(x=[], height=[], width=0.1, brush=pg.mkBrush(color), pen=None)
                error = pg.ErrorBarItem(x=np.zeros(0), y=np.zeros(0), pen=pg.mkPen(style.HANDLE, width=1.5))
                bar.setZValue(1)
                error.setZValue(5)
                self._bars[name] = bar, error
                for item in (bar, error):
                    item.setVisible(name not in self.table.hidden)
                    self.peaks.addItem(item)

    # -- curve ---------------------------------------------------------------------------------------------------

    def _draw_curve(self, result: Result, entries: list[dict[str, Any]]) -> None:
        tau = np.asarray(result.axes[0].values, float)
        values = np.asarray(result.data["g2"], float)
        self._keep_curves(result.rows)
        if not np.isfinite(values).any():
            self._keep_curves(())
            self.tau.say(why(result, "no pairs yet: no g²(τ)"))
            return
        # A state with too few pairs for a g2(0) would draw single pairs as spikes over all the others.
        told = {str(entry.get("name")) for entry in entries if known(entry.get("g2_0")) is not None}
        for index, name in enumerate(result.rows):
            self._curves[name].setData(*((tau, values[index]) if name in told or not told else ([], [])))
        # A state with few pairs has huge single bins; the sum over all states says how high the axis should be.
        leading = values[result.rows.index("all")] if "all" in result.rows else values
        top = finite_max(leading) or finite_max(values)
        if tau.size > 1:  # as many pulses as the peaks above show, so that they stand over each other
            period = known(result.values.get("period_ns")) if result.values.get("pulsed") is True else None
            reach = np.inf if period is None else (LAGS + 0.6) * period
            self.tau.fit(x=(max(float(tau[0]), -reach), min(float(tau[-1]), reach)))
        self.tau.fit(y=(0.0, nice_top(1.1 * max(top, 0.1))))
        pair = items(result.values.get("pair")) or ["a", "b"]
        text = SIGN.format(a=pair[0], b=pair[-1])
        delay = known(result.values.get("delay_ns"))
        if delay:
            text += f", {style.si(delay * 1e-9, 's')} taken out"
        self._about.setText(text)
        self.tau.say("")

    def _keep_curves(self, rows: tuple[str, ...]) -> None:
        for name in [name for name in self._curves if name not in rows]:
            self.tau.removeItem(self._curves.pop(name))
        for name in rows:
            if name not in self._curves:
                self._curves[name] = self.tau.curve(style.state_color(name), z=2 if name == "all" else 1)
                self._curves[name].setVisible(name not in self.table.hidden)

    # -- remarks -------------------------------------------------------------------------------------------------

    def _offer(self, curve: Result | None) -> None:
        offered = mapping(curve.values.get("offered_delay") if curve is not None else None)
        delay = known(offered.get("delay_ns"))
        if delay is None or curve is None:
            self.offer.hide()
            return
        pair = items(curve.values.get("pair")) or ["a", "b"]
        later = pair[-1] if delay > 0 else pair[0]
        self.offer.setText(f"channel {later} later by {style.si(abs(delay) * 1e-9, 's')}? put it in the settings")
        significance = known(offered.get("significance"))
        self.offer.setToolTip("" if significance is None else f"significance {significance:.3g}")
        self.offer.show()

    def _toggle(self, name: str, shown: bool) -> None:
        for item in (*self._bars.get(name, ()), *([self._curves[name]] if name in self._curves else [])):
            item.setVisible(shown)


def _entries(result: Result | None) -> list[dict[str, Any]]:
    return records(result.values.get("per_row")) if result is not None else []


def figures(results: Mapping[str, Result]) -> list[dict[str, Any]]:
    """One dict per row of the table: g2(0) from the pulsed peaks, from the curve where there are none."""
    curve, peaks = results.get("g2"), results.get("g2_peaks")
    entries = _entries(peaks) or _entries(curve)
    if entries or curve is None:
        return entries
    pulsed = bool(curve.values.get("pulsed"))
    reason = "no pairs yet" if pulsed else "cw: no peaks to compare; the dip of the curve is g²(0)"
    return [{"name": name, "reason": reason} for name in curve.rows]
