"""Values: what a Result may hold beside its arrays, read so that nothing missing or odd stops a panel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def known(value: Any) -> float | None:
    """`value` as a finite float, or None when it is missing, not a number, NaN or infinite."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def numbers(value: Any) -> list[float]:
    """The finite numbers of a list; what is not a list gives none."""
    return [number for number in map(known, items(value)) if number is not None]


def records(value: Any) -> list[dict[str, Any]]:
    """The dicts of a list; what is not a list gives none."""
    return [item for item in items(value) if isinstance(item, dict)]


def items(value: Any) -> list[Any]:
    """`value` when it is a list or tuple, else nothing."""
    return list(value) if isinstance(value, list | tuple) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` when it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}
