"""The Result that a survey's picture is drawn from."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamer.result import Axis, Result

DRAWN = ("used_s", "planned_s", "g2_0", "low", "high", "photons")


def picture(values: dict[str, Any]) -> Result:
    """Numbers of each dot over its number, NaN where there is none; its verdict in `values`."""
    dots = values["dots"]
    numbers = np.array([dot["number"] for dot in dots], np.float64)
    data = {name: np.array([np.nan if dot[name] is None else dot[name] for dot in dots], np.float64) for name in DRAWN}
    told = {"verdicts": [dot["verdict"] for dot in dots], "totals": values["totals"], "budget_s": values["budget_s"]}
    return Result("survey", "trace", (Axis("dot", "", numbers),), data, values=told)
