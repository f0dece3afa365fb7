"""The picture of a survey: exposure of each dot beside the fixed one, the limits of g2(0), and what it cost by verdict.

Draws the Result `survey`; needs matplotlib, which the extra `figures` installs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import InputError
from streamer.result import Result

# Okabe & Ito: told apart by colour-blind eyes too.
COLOURS = {
    "single": "#0072B2", "not single": "#D55E00", "undecidable": "#999999", "undecided": "#E69F00",
    "stopped": "#009E73", "refused": "#000000",
}  # fmt: skip
OTHERS = ("#CC79A7", "#56B4E9", "#F0E442")  # verdicts of other rules
SIZE_INCH, DPI = (9.0, 6.4), 130
HIGHEST_G2 = 2.0
MOST_BARS = 5000  # of more dots the first so many are drawn as bars; limits and totals are of all


def write(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Draw survey.png and return its path; [] where there is no survey, or no dot in it.

    Raises:
        InputError: matplotlib is not installed, or the folder cannot be written to.
    """
    found = next((one for one in results if one.name == "survey"), None)
    if found is None or not len(found.axes[0].values):
        return []
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "survey.png: matplotlib is not installed; install it with: pip install 'photon-streamer[figures]'"
        ) from None
    figure = Figure(figsize=SIZE_INCH, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic("TTTTT;LLLRR")
    colours = _colours(found.values["verdicts"])
    figure.suptitle(_told(found.values["totals"]), fontsize=11)
    _exposure(panels["T"], found, colours)
    _limits(panels["L"], found, colours)
    _costs(panels["R"], found, colours)
    path = folder / "survey.png"
    part = path.with_name("survey.png.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(part, format="png")
        os.replace(part, path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: the picture cannot be written ({reason}); choose another --out folder") from None
    return [path]


def _colours(verdicts: Sequence[str]) -> dict[str, str]:
    """Verdict -> colour, in the order of the legend."""
    present = dict.fromkeys([*(one for one in COLOURS if one in verdicts), *verdicts])
    others = [one for one in present if one not in COLOURS]
    return {one: COLOURS.get(one) or OTHERS[others.index(one) % len(OTHERS)] for one in present}


def _told(totals: dict[str, Any]) -> str:
    """What it cost, in one line."""
    told = f"{totals['dots']} dots: {totals['used_s']:,.1f} s of exposure used"
    if totals["saved_share"] is None:
        return told
    return f"{told}, {totals['saved_s']:,.1f} s saved ({100 * totals['saved_share']:.1f} % of what was planned)"


def _exposure(axes: Any, found: Result, colours: dict[str, str]) -> None:
    """A bar for each dot, before the grey of what was planned."""
    number, used = found.axes[0].values[:MOST_BARS], found.data["used_s"][:MOST_BARS]
    planned = found.data["planned_s"][:MOST_BARS]
    if np.isfinite(planned).any():
        axes.bar(number, np.nan_to_num(planned), width=1.0, color="0.92", label="planned")
    verdicts = np.array(found.values["verdicts"][:MOST_BARS], object)
    for verdict, colour in colours.items():
        here = verdicts == verdict
        if np.isfinite(used[here]).any():
            axes.bar(number[here], used[here], width=1.0 if len(number) > 100 else 0.8, color=colour, label=verdict)
    seen = used[np.isfinite(used) & (used > 0)]
    if len(seen) and max(seen.max(), np.nan_to_num(planned).max()) > 20 * np.median(seen):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7 * seen.min())
        axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="dot", ylabel="exposure, s", xlim=(number[0] - 0.6, number[-1] + 0.6))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, ncols=6, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)


def _limits(axes: Any, found: Result, colours: dict[str, str]) -> None:
    """Limits of g2(0), sorted by its value."""
    value, low, high = (found.data[name] for name in ("g2_0", "low", "high"))
    known = np.flatnonzero(np.isfinite(value))
    order = known[np.argsort(value[known], kind="stable")]
    verdicts = np.array(found.values["verdicts"], object)[order]
    place = 1 + np.arange(len(order))
    for verdict, colour in colours.items():
        here = verdicts == verdict
        some = order[here]
        ends = np.nan_to_num(high[some], nan=1e3)
        axes.vlines(place[here], low[some], ends, color=colour, lw=max(0.6, min(3.0, 150 / max(len(order), 1))))
    axes.plot(place, value[order], ".", color="k", ms=3 if len(order) > 60 else 5)
    axes.axhline(0.5, color="0.3", lw=0.8, ls="--")
    top = float(np.nanmax(np.append(np.clip(high[order], 0, HIGHEST_G2), 1.0)))
    axes.set(xlabel="dots by g2(0)", ylabel="g2(0), limits at the stop", ylim=(0, 1.05 * top))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    if not len(order):
        axes.text(0.5, 0.5, "no g2(0)", transform=axes.transAxes, ha="center", color="0.4")


def _costs(axes: Any, found: Result, colours: dict[str, str]) -> None:
    """Exposure by verdict, with the number of dots."""
    by_verdict = found.values["totals"]["verdicts"]
    names = [one for one in colours if one in by_verdict][::-1]
    used = [by_verdict[one]["used_s"] for one in names]
    axes.barh(range(len(names)), used, color=[colours[one] for one in names], height=0.7)
    for at, one in enumerate(names):
        dots = by_verdict[one]["dots"]
        axes.text(used[at], at, f" {dots} {'dot' if dots == 1 else 'dots'}, {used[at]:,.1f} s", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="exposure used, s", xlim=(0, 1.5 * max([*used, 1e-3])))
    axes.spines[["top", "right"]].set_visible(False)
