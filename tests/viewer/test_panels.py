"""Panels: each draws what it should, says a sentence where there is nothing, and stands odd data."""

from __future__ import annotations

import math
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from streamer.result import Axis, Result
from viewer import style
from viewer.qt import QtCore, QtGui, QtWidgets
from viewer.values import items
from viewer.window import Window

PLOTS = ("trace.plot", "trace.levels", "decay.plot", "g2.peaks", "g2.tau", "gate.plot", "flid.plot")


def part(window: Window, path: str) -> Any:
    found: Any = window
    for name in path.split("."):
        found = getattr(found, name)
    return found


def pixels(widget: Any) -> np.ndarray:
    """Colours of a widget as it looks now, (height, width, 3)."""
    image = widget.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB32)
    raw = image.constBits()
    raw.setsize(image.sizeInBytes())
    return (
        np.frombuffer(raw, np.uint8)
        .reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width(), 2::-1]
        .copy()
    )


def shows(widget: Any, color: str) -> int:
    """Number of pixels of (nearly) this colour."""
    want = np.array(QtGui.QColor(color).getRgb()[:3])
    return int((np.abs(pixels(widget).astype(int) - want).max(axis=2) < 24).sum())


# -- what is drawn -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("states", [1, 2, 3, 4])
def test_every_panel_draws(window: Window, tell: Any, results: ModuleType, states: int) -> None:
    tell(results.make(states=states))
    assert window.status.faults == ()
    for path in PLOTS:
        plot = part(window, path)
        assert plot.sentence == ""
        assert plot.isVisible()
        view = pixels(plot)
        ground = np.array(QtGui.QColor(style.PANEL).getRgb()[:3])
        assert (np.abs(view.astype(int) - ground).max(axis=2) > 40).sum() > 400, path
    for name in style.state_names(states):
        for path in ("trace.levels", "decay.plot", "gate.plot"):
            assert shows(part(window, path), style.state_color(name)) > 5, (path, name)
    assert shows(window.trace.plot, style.TEXT) > 500


def test_cw_in_t2_says_what_it_cannot_have(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(mode="T2", pulsed=False, states=2))
    assert window.status.faults == ()
    assert window.decay.plot.sentence == "no nanotime in T2: no decay"
    assert window.gate.plot.sentence == "no nanotime in T2: no lifetime gate"
    assert window.flid.plot.sentence == "no nanotime in T2: no lifetime per segment"
    assert window.g2.tau.sentence == ""
    assert window.g2.peaks.isHidden()
    assert window.g2.table.text[0][:2] == ["all", "0.23"]


def test_before_the_first_photon_every_plot_says_so(window: Window, tell: Any, results: ModuleType) -> None:
    for path in PLOTS:
        if path != "g2.peaks":
            assert part(window, path).sentence != ""
    status = results.make()["status"]
    status = replace(status, values=status.values | {"photons": 0, "state": "waiting", "mode": None})
    tell({"status": status})
    assert window.decay.plot.sentence == "no photons yet: no decay"
    assert window.trace.plot.sentence == "no photons yet: no trace"
    status = replace(status, values=status.values | {"photons": 12})
    tell({"status": status})
    assert window.decay.plot.sentence == "waiting for the first decay"
    assert window.status.faults == ()


def test_one_detector_says_why_there_is_no_g2(window: Window, tell: Any, results: ModuleType) -> None:
    frame = results.make(warnings=("header: odd", "g2: needs two detectors, only channel 0 has photons"))
    for name in ("g2", "g2_peaks", "gate"):
        del frame[name]
    tell(frame)
    assert window.g2.tau.sentence == "g2: needs two detectors, only channel 0 has photons"
    assert window.gate.plot.sentence == window.g2.tau.sentence


def test_table_has_figure_interval_verdict_or_reason(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(states=3))
    rows = {row[0]: row[1:] for row in window.g2.table.text}
    assert list(rows) == ["all", "dark", "grey", "bright"]
    assert rows["dark"] == ["–", "7 side pairs, at least 20 needed for a g2(0)"]
    assert rows["bright"][:3] == ["0.035", "0.028 … 0.054", "0.036"]
    assert "single" in rows["bright"][3]
    assert style.GOOD in rows["bright"][3]


def test_states_can_be_hidden_and_stay_hidden(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(states=3))
    row = next(row for row in window.g2.table._rows if row._name == "grey")
    row._button.click()
    assert not window.g2._curves["grey"].isVisible()
    assert not window.g2._bars["grey"][0].isVisible()
    tell(results.make(states=2, seq=2))  # the row now belongs to another state
    assert window.g2._curves["bright"].isVisible()
    tell(results.make(states=3, seq=3))
    assert not window.g2._curves["grey"].isVisible()
    assert shows(window.g2.tau, style.state_color("grey")) == 0


def test_offered_delay_is_a_question(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make())
    assert window.g2.offer.isHidden()
    tell(results.make(offered=23.94, seq=2))
    assert window.g2.offer.text() == "channel 1 later by 23.9 ns? put it in the settings"
    assert window.g2.offer.isVisible()
    tell(results.make(offered=-2.0, seq=3))
    assert window.g2.offer.text().startswith("channel 0 later by 2.00 ns?")


def test_legends_carry_lifetimes_and_gated_g2(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(states=3))
    assert "26.08 ± 0.03 ns" in window.decay.plot.legend_text
    assert "several states" in window.decay.plot.legend_text
    assert "bright" in window.gate.plot.legend_text
    assert window.gate.handle.isVisible()
    assert window.gate.handle.value() == 2.0


def test_loss_is_shaded_and_breaks_the_line(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(lost=True))
    assert len(window.trace.loss.spans) == 2
    assert shows(window.trace.plot, "#84471D") > 50  # the loss colour over the bands
    time = np.array([0.5, 1.5, 2.5, 7.5, 8.5])
    cps = np.full(5, 1e4)
    data = {"cps": cps, "cps_min": cps, "cps_max": cps, "lost": np.array([0, 0, 0, 1, 0.0])}
    trace = Result("trace", "trace", (Axis("time", "s", time),), data, values={"bin_s": 1.0}, provenance={"run": "gap"})
    tell({"trace": trace})
    assert window.trace.loss.spans == [(3.0, 8.0)]
    assert window.trace._mean.opts["connect"].tolist() == [True, True, False, True, True]
    tell(results.make(lost=False))
    assert window.trace.loss.spans == []


def test_decay_is_binned_by_what_is_in_view(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make())
    whole = window.decay._curves["all"].getData()[0].size
    assert 195 <= whole <= 400
    window.decay.plot.view.setXRange(0, 20, padding=0)
    assert np.diff(window.decay._curves["all"].getData()[0]).max() == pytest.approx(0.128)


def test_flid_puts_the_spot_where_it_belongs(window: Window, tell: Any) -> None:
    rate = np.array([0.0, 100.0, 300.0, 700.0, 1500.0, 3100.0])  # levels widen
    segments = np.zeros((6, 10), np.int64)
    segments[4, 7] = 50
    nanotime = np.arange(10) + 0.5
    axes = (Axis("rate", "counts/s", rate), Axis("mean nanotime", "ns", nanotime))
    tell({"flid": Result("flid", "map", axes, {"segments": segments}, provenance={"run": "x"})})
    image, rect = window.flid.image.image, window.flid.image.mapRectToParent(window.flid.image.boundingRect())
    rows, columns = np.nonzero(image)
    height = rect.height() / image.shape[0]
    assert set(columns) == {7}
    assert (rows[0] + 0.5) * height == pytest.approx(1100, abs=height)  # the level's lower edge
    assert (rows[-1] + 0.5) * height == pytest.approx(2300, abs=height)  # and its upper
    assert window.status.faults == ()


def test_without_nanotimes_the_correlation_gets_the_room(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(states=2))
    before = window.g2.width()
    tell(results.make(states=2, mode="T2", pulsed=False, run="run-2"))
    assert window.g2.width() > 1.5 * before
    tell(results.make(states=2, run="run-3"))
    assert window.g2.width() == before


def test_peaks_and_curve_stand_over_each_other(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make())
    peaks, tau = window.g2.peaks, window.g2.tau
    tau.view.setXRange(-10.6 * 400, 10.6 * 400, padding=0)
    for lag in (-10, 0, 10):
        places = [plot.view.mapViewToScene(QtCore.QPointF(x, 0)).x() for plot, x in ((peaks, lag), (tau, lag * 400))]
        assert places[0] == pytest.approx(places[1], abs=1.5)


def test_no_text_is_cut_off_in_the_usual_window(app: Any, window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(states=4, seconds=125, warnings=("a warning that is far too long for its line " * 5,)))
    window.settle()
    for label in window.findChildren(QtWidgets.QLabel):
        if label.isVisible() and label.text() and not label.wordWrap():
            assert label.width() >= label.sizeHint().width() - 1, label.text()
    assert window.status._warning.text().endswith("…")
    assert window.size() == QtCore.QSize(1400, 900)


# -- odd data --------------------------------------------------------------------------------------------------------


def spoiled(frame: dict[str, Result], how: str) -> dict[str, Result]:
    """The same Results, spoiled."""

    return {name: _spoil(result, how) for name, result in frame.items()}


NUMBERS = {
    "nan": lambda v: np.full(v.shape, np.nan),
    "inf": lambda v: np.full(v.shape, np.inf),
    "negative": lambda v: -abs(v) - 1,
    "zero": lambda v: v * 0,
    "huge": lambda v: v * 1e12,
}
VALUES = {"no values": None, "None values": None, "wrong values": "what?", "NaN values": math.nan}


def _spoil(result: Result, how: str) -> Result:
    axes, data, rows, values = result.axes, result.data, result.rows, result.values
    if how in NUMBERS:
        data = {k: NUMBERS[how](v) if v.dtype.kind == "f" else v * 0 for k, v in data.items()}
    elif how in ("no points", "one point"):
        n = int(how == "one point")
        axes = tuple(Axis(a.name, a.unit, a.values[:n]) for a in axes)
        cut = (slice(None), slice(n)) if result.kind == "curves" else tuple(slice(n) for _ in axes)
        data = {k: v[cut] for k, v in data.items()}
    elif how in ("one row", "no rows") and result.kind == "curves":
        n = int(how == "one row")
        rows, data = rows[:n], {k: v[:n] for k, v in data.items()}
    elif how == "other rows" and result.kind == "curves":
        rows = tuple(f"row <{i}> & co" for i in range(len(rows)))
    elif how in VALUES:
        values = {} if how == "no values" else dict.fromkeys(values, VALUES[how])
    elif how == "None inside":
        inside = {k: [dict.fromkeys(e) if isinstance(e, dict) else None for e in items(v)] for k, v in values.items()}
        values = {k: inside[k] if isinstance(v, list) else v for k, v in values.items()}
    return Result(result.name, result.kind, axes, data, rows, values, result.provenance)


ODD = (
    "nan", "inf", "negative", "zero", "huge", "no points", "one point", "one row", "no rows", "other rows", "no values",
    "None values", "wrong values", "NaN values", "None inside",
)  # fmt: skip


@pytest.mark.parametrize("pulsed", [True, False])
def test_odd_data_is_stood(window: Window, tell: Any, results: ModuleType, pulsed: bool) -> None:
    good = results.make(seconds=10, states=3, pulsed=pulsed)
    for seq, how in enumerate(ODD):
        tell(spoiled(good, how))
        assert window.status.faults == (), how
        tell(results.make(seconds=10, states=2 + seq % 3, pulsed=pulsed, seq=seq))
        assert window.status.faults == (), f"after {how}"
        assert window.trace.plot.sentence == window.g2.tau.sentence == ""


@pytest.mark.parametrize("how", ["nan", "no points", "no rows", "None values", "inf"])
def test_odd_data_may_come_first(window: Window, tell: Any, results: ModuleType, how: str) -> None:
    tell(spoiled(results.make(seconds=10), how))
    window.grab()
    assert window.status.faults == ()


def test_rows_may_change_from_frame_to_frame(window: Window, tell: Any, results: ModuleType) -> None:
    for seq, states in enumerate((1, 4, 2, 3, 1, 3)):
        tell(results.make(seconds=5, states=states, seq=seq))
        assert len(window.trace.handles) == states - 1
        assert set(window.decay._curves) == set(window.g2._curves) == {"all", *style.state_names(states)}
        assert len(window.g2.table.text) == states + 1
    assert window.status.faults == ()


def test_a_panel_that_fails_is_a_line_and_the_others_go_on(window: Window, tell: Any, results: ModuleType) -> None:
    frame = results.make()
    frame["decay"] = replace(frame["decay"], data={})
    tell(frame)
    tell(frame)
    assert window.status.faults == ("decay: KeyError: 'counts'",)
    assert "viewer: decay: KeyError: 'counts'" in window.status.text
    assert window.trace.plot.sentence == ""


# -- range and hand --------------------------------------------------------------------------------------------------


def wheel(app: Any, plot: Any) -> None:
    at = QtCore.QPointF(plot.view.mapViewToScene(plot.view.viewRect().center()))
    event = QtGui.QWheelEvent(
        at, QtCore.QPointF(plot.mapToGlobal(at.toPoint())), QtCore.QPoint(0, 0), QtCore.QPoint(0, 240),
        QtCore.Qt.MouseButton.NoButton, QtCore.Qt.KeyboardModifier.NoModifier, QtCore.Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    app.sendEvent(plot.viewport(), event)
    app.processEvents()


@pytest.mark.parametrize("path", [path for path in PLOTS if path != "trace.levels"])
def test_the_range_follows_the_data_until_the_user_zooms(
    app: Any, window: Window, tell: Any, results: ModuleType, path: str
) -> None:
    tell(results.make(seconds=20))
    plot = part(window, path)
    wheel(app, plot)
    zoomed = plot.view.viewRange()
    assert plot.touched == [True, True]
    assert plot._fit_button.isVisible()
    tell(results.make(seconds=200, seq=2, states=4))
    assert plot.view.viewRange() == zoomed
    plot._fit_button.click()
    assert plot.touched == [False, False]
    assert plot.view.viewRange() != zoomed
    if path == "trace.plot":
        assert plot.view.viewRange()[0] == pytest.approx([0, 200], abs=13)


def test_histogram_and_trace_share_the_rate_axis(app: Any, window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make())
    assert window.trace.levels.view.viewRange()[1] == pytest.approx(window.trace.plot.view.viewRange()[1])
    wheel(app, window.trace.levels)
    assert window.trace.plot.touched == [False, True]  # zoomed in rate, still following the run in time
    assert window.trace.levels.view.viewRange()[1] == pytest.approx(window.trace.plot.view.viewRange()[1])


def test_status_line_tells_all(window: Window, tell: Any, results: ModuleType) -> None:
    tell(results.make(seconds=125, warnings=("first <thing>", "second")))
    text = window.status.text.replace("\u2009", " ")
    for words in (
        "LIVE", "dot_07.ptu", "PTU HydraHarp2T3", "2:05 min", "ch 0: 14.7 kcps, ch 1: 13.9 kcps", "31.2 M photons/s",
        "lag 12.0 ms", "lost 1 200 records", "2 gaps", "memory 312 MB", "received =", "320 open", "0 outside",
        "⚠ 1 of 2: first <thing>",
    ):  # fmt: skip
        assert words in text
    assert "second" in window.status._warning.toolTip()
    tell(results.make(final=True, seq=2))
    assert "ENDED" in window.status.text
    assert "stopped by end of file" in window.status.text
    tell({}, link="silent", silent_s=7.3)
    assert "DAEMON NOT ANSWERING for 7 s" in window.status.text
