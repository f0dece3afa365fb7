"""Figures of a series as PNG and SVG: points with their intervals, fitted curve with its band, histograms.

Draws the Results whose `values` name a `figure` and a `role` (see `streamer.series.pictures`); needs matplotlib, which
the extra `figures` installs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import InputError
from streamer.result import Result

INK, BAND = "#1f4e79", "#7aa6d1"
SIZE_INCH, DPI = (5.6, 4.0), 160


def write(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Draw every figure twice, PNG and SVG, and return the paths; [] where there is nothing to draw.

    Raises:
        InputError: matplotlib is not installed, or the folder cannot be written to.
    """
    figures: dict[str, list[Result]] = {}
    for result in results:
        if "role" in result.values and "figure" in result.values:
            figures.setdefault(result.values["figure"], []).append(result)
    if not figures:
        return []
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "figures: matplotlib is not installed; install it with: pip install 'photon-streamer[figures]'"
        ) from None
    paths: list[Path] = []
    names: set[str] = set()
    for title, parts in figures.items():
        figure = Figure(figsize=SIZE_INCH, dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.add_subplot(), parts)
        stem = _stem(title, names)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for ending in ("png", "svg"):
                path = folder / f"{stem}.{ending}"
                # No date and no random names inside: the same numbers make the same file.
                with rc_context({"svg.hashsalt": "streamer"}):
                    figure.savefig(path, metadata={"Date": None} if ending == "svg" else None)
                paths.append(path)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{folder}: figures cannot be written ({reason}); choose another --out folder") from None
    return paths


def draw(axes: Any, parts: Sequence[Result]) -> None:
    """Draw the parts of one figure into matplotlib axes."""
    values = parts[0].values
    axes.set_xscale(values["x_scale"])  # before anything is drawn: a scale brings its own ticks
    axes.set_yscale(values["y_scale"])
    for part in parts:
        {"points": _points, "curve": _curve, "histogram": _histogram}[part.values["role"]](axes, part)
    axes.set_xlabel(values["x_label"])
    axes.set_ylabel(values["y_label"])
    axes.set_title("\n".join([values["title"], *_lines(values["text"])]), fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    if values["y_scale"] == "linear" and _near_zero(parts):
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]) if _below_zero(parts) else 0.0)


def _points(axes: Any, part: Result) -> None:
    x, data = part.axes[0].values, part.data
    reach = np.stack([data["value"] - data["low"], data["high"] - data["value"]])
    axes.errorbar(
        x, data["value"], yerr=np.maximum(reach, 0.0), xerr=data["x_error"] if data["x_error"].any() else None, fmt="o",
        ms=4.5, color=INK, ecolor=INK, elinewidth=1, capsize=2.5, zorder=3,
    )  # fmt: skip


def _curve(axes: Any, part: Result) -> None:
    x, data = part.axes[0].values, part.data
    axes.fill_between(x, data["low"], data["high"], color=BAND, alpha=0.4, lw=0, zorder=1)
    axes.plot(x, data["value"], color=INK, lw=1.4, zorder=2)


def _histogram(axes: Any, part: Result) -> None:
    edges = np.array(part.values["edges"])
    counts = part.data["counts"]
    axes.stairs(counts, edges, fill=True, color=BAND, ec=INK, lw=1)
    mean, sd = part.values["mean"], part.values["sd"]
    if mean is not None and sd:
        width = float(np.mean(np.diff(edges)))
        x = np.linspace(edges[0] - width, edges[-1] + width, 200)
        normal = np.exp(-((x - mean) ** 2) / (2 * sd**2)) / (sd * np.sqrt(2 * np.pi))
        axes.plot(x, counts.sum() * width * normal, color=INK, lw=1.2)
    axes.yaxis.get_major_locator().set_params(integer=True)


def _lines(text: Sequence[str], width: int = 78) -> list[str]:
    """Short texts gathered into lines."""
    lines: list[str] = []
    for one in text:
        if lines and len(lines[-1]) + len(one) + 3 <= width:
            lines[-1] += f"   {one}"
        else:
            lines.append(one)
    return lines


def _values(parts: Sequence[Result]) -> np.ndarray:
    return np.concatenate([part.data["value"] for part in parts if "value" in part.data] or [np.ones(1)])


def _near_zero(parts: Sequence[Result]) -> bool:
    """Whether the values are spread enough for the axis to begin at 0."""
    values = _values(parts)
    return bool(values.min() < 0.6 * values.max())


def _below_zero(parts: Sequence[Result]) -> bool:
    return bool(_values(parts).min() < 0)


def _stem(title: str, taken: set[str]) -> str:
    """File name of a figure, different for each."""
    stem = "_".join("".join(sign if sign.isalnum() or sign in "-." else " " for sign in title).split()) or "figure"
    unique, at = stem, 2
    while unique in taken:
        unique, at = f"{stem}_{at}", at + 1
    taken.add(unique)
    return unique
