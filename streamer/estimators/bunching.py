"""Bunching: what an interval of g2(0) says beside "single": antibunched, bunched, superbunched."""

from __future__ import annotations

from streamer.estimators.intervals import UNDECIDED

THERMAL = 2.0  # g2(0) of one thermal mode; more is correlated emission (superradiance, cascades)


def bunching(low: float | None, high: float | None) -> str:
    """Say where the whole 95 % interval lies.

    Returns:
        "superbunched" above 2, "bunched" above 1, "antibunched" below 1, "undecided" where it holds 1 or is missing.
    """
    if low is not None and low > THERMAL:
        return "superbunched"
    if low is not None and low > 1.0:
        return "bunched"
    if high is not None and high < 1.0:
        return "antibunched"
    return UNDECIDED
