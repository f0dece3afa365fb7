"""Table: what was measured, as plain text with units, ratios and targets; nothing is left out silently."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.question import TASKS
from benchmarks.race import Runs, ratio

OURS = "streamer"
# Contender -> what a reader must know to read its rows.
REMARKS = {
    "streamer": "from the file; every row but decode is the whole count at once: trace, and per level decays, "
    "g2 by tau, lag and gate, FLID",
    "ptufile": "decodes only",
    "phconvert": "decodes only",
    "tttrlib": "photons in memory beforehand but for decode; its correlator rounds both times to bins, then subtracts",
    "trattoria": "from the file for every question; W/w - 1 bins a side; its trace counts T3 overflows as photons",
    "eta": "from the file, event by event; keeps 100 starts, so it misses some pairs",
    "masks": "NumPy script, photons in memory beforehand",
}
Row = Sequence[str]


def machine() -> str:
    """Processor, cores, Python and the load at this moment."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}{load}"


def verdict(value: float, target: float, *, below: bool = False) -> str:
    """Whether a target was met."""
    met = value < target if below else value >= target
    return f"{'PASS' if met else 'SHORT'} (target {'<' if below else '>='} {target:g})"


def aligned(rows: Sequence[Row]) -> str:
    """Columns of text, the first two to the left, numbers to the right, the last to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < 2 or i == len(row) - 1 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def race_rows(task: str, runs: Mapping[str, Runs], events: int, target: float | None) -> list[Row]:
    """One task: M/s, processor time, how many times faster this program is, and what was found beside what it found."""
    ours = runs[OURS]
    rows: list[Row] = []
    for name, one in runs.items():
        label = task if name == OURS else ""
        if one.reason is not None:
            rows.append((label, name, "-", "-", "-", one.reason))
            continue
        rate = events / one.median_s / 1e6
        remark = verdict(rate, target) if name == OURS and target else ""
        if name != OURS:
            remark = "; ".join(
                f"{key} {100 * (one.found[key] / ours.found[key] - 1):+.2f} %"
                for key in ("photons", "records", "pairs", "decays")
                if one.found.get(key) and ours.found.get(key) and one.found[key] != ours.found[key]
            )
        times = "" if name == OURS or ours.reason else f"{ratio(ours, one):.1f}"
        rows.append((label, name, f"{rate:.0f}", f"{min(one.cpu_s) / events * 1e9:.1f}", times, remark))
    return rows


HEAD: Row = ("question", "program", "M/s", "CPU ns", "x slower", "")


def questions() -> str:
    """What the tasks ask."""
    return "\n".join(f"  {task:10} {text}" for task, text in TASKS.items())
