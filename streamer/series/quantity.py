"""Quantities by name: what a fit or a statistic of a series is of, found in what a recording gave."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from streamer.estimators.estimate import Estimate, unknown
from streamer.series.counted import BRIGHTEST, Counted
from streamer.series.units import ENDINGS, UNITS


def find(counted: Counted, name: str, state: str = "all") -> Estimate:
    """A quantity of a recording, or the reason why there is none.

    Args:
        counted: the recording.
        name: rate_cps, lifetime_ns, one_over_e_ns, g2_0, photons, time_s; or a path into the run's JSON object such as
            studies.g2_fit.rows.all.t1, in which {state} stands for the state.
        state: "all", a state's name, or "brightest".
    """
    if counted.refused is not None:
        return unknown(counted.refused)
    if state == BRIGHTEST:
        state = list(counted.rows)[-1]
    if "." in name:
        return _walk(counted.summary, name.replace("{state}", state).split("."))
    row = counted.row(state)
    if row is None:
        return unknown(f"no state {state!r}, only {', '.join(counted.rows)}")
    return _of_row(row, name)


def _of_row(row: Mapping[str, Any], name: str) -> Estimate:
    """A quantity that every recording may have."""
    if name == "rate_cps":
        ends = row.get("rate_low_cps"), row.get("rate_high_cps")
        return _number(row.get(name), row.get("rate_error_cps"), *ends, "in doubt")
    if name == "lifetime_ns":
        ends = (row.get("lifetime_low_ns"), row.get("lifetime_high_ns"))
        why = row.get("lifetime_reason") or "T2 has no nanotime"
        return _number(row.get(name), row.get("lifetime_error_ns"), *ends, why)
    if name == "g2_0":
        why = row.get("g2_reason")
        if why is not None and row.get(name) is not None:  # a number that is not the emitter's (overlapping peaks)
            return unknown(why)
        return _number(row.get(name), None, row.get("g2_low"), row.get("g2_high"), why or "no pairs were counted")
    if name in row:
        return _number(row[name], None, None, None, "not known")
    return unknown(f"no quantity {name!r}; known are {', '.join(UNITS)} and paths such as studies.NAME.KEY")


def _walk(at: Any, path: list[str]) -> Estimate:
    """Follow a path through mappings, through lists by index or by the `name` of their items."""
    above: Any = None
    for depth, key in enumerate(path):
        above = at
        if isinstance(at, Mapping) and key in at:
            at = at[key]
        elif isinstance(at, list) and key.isdigit() and int(key) < len(at):
            at = at[int(key)]
        elif isinstance(at, list) and any(isinstance(one, Mapping) and one.get("name") == key for one in at):
            at = next(one for one in at if isinstance(one, Mapping) and one.get("name") == key)
        else:
            known = list(at) if isinstance(at, Mapping) else []
            if isinstance(at, list):
                known = [one["name"] for one in at if isinstance(one, Mapping) and "name" in one]
            reason = at.get("reason") if isinstance(at, Mapping) else None
            there = f"there is {', '.join(map(str, known[:20])) or 'nothing'}"
            return unknown(reason or f"{'.'.join(path[: depth + 1])}: not found, {there}")
    if isinstance(at, Mapping) and "value" in at:
        return _number(at["value"], at.get("error"), at.get("low"), at.get("high"), at.get("reason") or "not known")
    if at is None or (isinstance(at, int | float) and not isinstance(at, bool)):
        beside = above if isinstance(above, Mapping) else {}
        low, high = (beside.get("low"), beside.get("high")) if path[-1] == "g2_0" else (None, None)
        return _number(at, beside.get(_error_key(path[-1])), low, high, beside.get("reason") or "not known")
    return unknown(f"{'.'.join(path)}: is no number")


def _error_key(key: str) -> str:
    """lifetime_ns -> lifetime_error_ns, value -> value_error."""
    ending = next((one for one in ENDINGS if key.endswith(one)), "")
    return f"{key.removesuffix(ending)}_error{ending}"


def _number(value: Any, error: Any, low: Any, high: Any, reason: str) -> Estimate:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        return unknown("is no number")
    if value is None or not math.isfinite(value):
        return unknown(reason)
    return Estimate(float(value), error, low, high)
