"""Cuts: thresholds and gates as sums over rows of level tables, movable at any time over all photons counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.levels import LevelScale


@dataclass(frozen=True, slots=True)
class Cut:
    """A question put to the tables.

    Attributes:
        thresholds_cps: ascending count rates that part the states; None: found from the trace.
        states: how many states to find (1 to 4); None: as many as the data call for.
        gate_ns: pairs count in the gated g2(0) when both photons come later than this after the excitation.
    """

    thresholds_cps: tuple[float, ...] | None = None
    states: int | None = None
    gate_ns: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire."""
        thresholds = None if self.thresholds_cps is None else list(self.thresholds_cps)
        return {"thresholds_cps": thresholds, "states": self.states, "gate_ns": self.gate_ns}

    def changed(self, request: dict[str, Any]) -> Cut:
        """The cut with the keys that `request` names; ValueError with one line when a value is not allowed."""
        unknown = [key for key in request if key not in ("do", *Cut.__slots__)]
        if unknown:
            raise ValueError(f"cut: no such key {unknown[0]!r}; known are {', '.join(Cut.__slots__)}")
        thresholds, states, gate = self.thresholds_cps, self.states, self.gate_ns
        if "thresholds_cps" in request:
            thresholds = _thresholds(request["thresholds_cps"])
        if "states" in request:
            states = request["states"]
            if states is not None and (isinstance(states, bool) or states not in (1, 2, 3, 4)):
                raise ValueError(f"states: must be 1, 2, 3, 4 or nothing, got {states!r}")
        if "gate_ns" in request:
            gate = request["gate_ns"]
            if isinstance(gate, bool) or not isinstance(gate, int | float) or not 0 <= gate < float("inf"):
                raise ValueError(f"gate_ns: must be a number of ns, 0 or more, got {gate!r}")
        return Cut(thresholds, states, float(gate))


def _thresholds(value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    fine = isinstance(value, list | tuple) and all(
        isinstance(one, int | float) and not isinstance(one, bool) and 0 < one < float("inf") for one in value
    )
    if not fine or list(value) != sorted(set(value)) or len(value) > 16:
        raise ValueError(f"thresholds_cps: must be at most 16 ascending rates in counts/s above 0, got {value!r}")
    return tuple(float(one) for one in value)


def state_rows(scale: LevelScale, thresholds_cps: Sequence[float]) -> list[slice]:
    """Rows of each state, darkest first; the row `mixed` is in none of them."""
    borders = [0, *(scale.level_of_rate(rate) for rate in thresholds_cps), scale.n]
    return [slice(low, max(low, high)) for low, high in pairwise(borders)]


def sum_rows(table: NDArray[np.int64], states: Sequence[slice]) -> NDArray[np.int64]:
    """Sums over all rows with `mixed` (what any other program gives), then over each state's; (1 + states, ...)."""
    return np.stack([table.sum(axis=0), *(table[rows].sum(axis=0) for rows in states)])
