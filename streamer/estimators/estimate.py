"""Estimate: a number with its error and its interval, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

Z95 = 1.959963984540054  # standard errors to an end of a 95 % interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number that was found.

    Attributes:
        value: None when it cannot be told; `reason` says why.
        error: standard error; None where only an interval is known.
        low, high: 95 % interval; None where it has no end on that side.
        reason: why there is no value, or no interval; else None.
    """

    value: float | None
    error: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    def plain(self) -> dict[str, Any]:
        """As plain JSON: numbers that are not finite become None."""
        numbers = {key: getattr(self, key) for key in ("value", "error", "low", "high")}
        return {key: float(one) if one is not None and math.isfinite(one) else None for key, one in numbers.items()} | {
            "reason": self.reason
        }


def unknown(reason: str) -> Estimate:
    """No number, and why."""
    return Estimate(None, reason=reason)
