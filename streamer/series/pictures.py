"""What of a series can be drawn: points, curves with bands and histograms as Results that the sink `figures` knows.

Each is a "trace" over one axis; its `values` say in which figure it belongs (`figure`) and as what (`role`): "points"
(value, low, high, x_error), "curve" (value, low, high) or "histogram" (counts, with `edges` in `values`).
"""

from __future__ import annotations

import numpy as np

from streamer.result import Axis, Result
from streamer.series.batches import StatisticsFound
from streamer.series.fits import FitFound, name_unit
from streamer.series.reading import Series
from streamer.series.units import unit_of
from streamer.series.wording import label, told

SPREAD = 20.0  # ratio of the largest to the least value from which an axis is logarithmic


def fit_pictures(series: Series, one: FitFound) -> list[Result]:
    """Points and curve of a fit."""
    if one.points is None or series.table.scan is None:
        return []
    scan, fit, points = series.table.scan, one.fit, one.points
    positive = (points.x > 0).all()
    y = points.value
    wide_y = (y > 0).all() and y.max() > SPREAD * y.min()
    units = {name: name_unit(unit, scan.unit, unit_of(fit.of or "")) for name, unit in one.found.units.items()}
    text = [told(name, estimate, units[name]) for name, estimate in one.found.parameters.items()]
    text += [told(name.rsplit("_", 1)[0], estimate, unit) for name, (estimate, unit) in one.derived.items()]
    if one.found.p_value is not None:
        text.append(f"p = {one.found.p_value:.2g}" + (" (does not fit)" if one.found.p_value < 0.01 else ""))
    values = {
        "figure": fit.title, "title": series.table.title or fit.title,
        "x_label": scan.variable + (f" ({scan.unit})" if scan.unit else ""), "y_label": label(fit.of or "", fit.state),
        "x_scale": "log" if positive and points.x.max() > SPREAD * points.x.min() else "linear",
        "y_scale": "log" if wide_y else "linear", "text": text,
    }  # fmt: skip
    order = np.argsort(points.x, kind="stable")
    data = {
        "value": y[order], "low": (y - points.below)[order], "high": (y + points.above)[order],
        "x_error": points.x_error[order],
    }  # fmt: skip
    results = [
        Result(f"{fit.title}: points", "trace", (Axis(scan.variable, scan.unit, points.x[order]),), data,
               values=values | {"role": "points"})
    ]  # fmt: skip
    curve = one.found.curve
    if curve is not None:
        data = {"value": curve.value, "low": curve.low, "high": curve.high}
        results.append(
            Result(f"{fit.title}: curve", "trace", (Axis(scan.variable, scan.unit, curve.x),), data,
                   values=values | {"role": "curve"})
        )  # fmt: skip
    return results


def statistics_pictures(series: Series, one: StatisticsFound) -> list[Result]:
    """Histogram of a quantity over recordings."""
    found = one.found
    if found is None:
        return []
    unit = unit_of(one.asked.of)
    text = [f"{found.n} emitters" + (f", {len(one.refused)} without" if one.refused else "")]
    text += [told("mean", found.mean, unit), told("SD", found.sd, unit)]
    if found.intrinsic_sd.value is not None or found.intrinsic_sd.high is not None:
        text.append(told("intrinsic SD", found.intrinsic_sd, unit))
    centres = (found.edges[:-1] + found.edges[1:]) / 2
    values = {
        "figure": one.asked.title, "role": "histogram", "title": series.table.title or one.asked.title,
        "x_label": label(one.asked.of, one.asked.state), "y_label": "emitters", "x_scale": "linear",
        "y_scale": "linear", "text": text, "edges": found.edges.tolist(), "mean": found.mean.value,
        "sd": found.sd.value,
    }  # fmt: skip
    return [
        Result(f"{one.asked.title}: histogram", "trace", (Axis(one.asked.of, unit, centres),),
               {"counts": found.counts.astype(float)}, values=values)
    ]  # fmt: skip
