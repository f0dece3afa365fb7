"""Options of a source given as text: read and checked, each fault one line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping

from streamer.errors import InputError


def check_known(name: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """Raise InputError for an option that source `name` does not have."""
    known = sorted(known)
    for key in options:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1, 0.6)
            meant = f"did you mean {close[0]}? " if close else ""
            raise InputError(f"{name}: {key}: unknown option; {meant}known are {', '.join(known)}")


def whole(name: str, key: str, text: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise InputError(f"{name}: {key}: must be a whole number from {low} to {high}, got {text!r}")
    return value


def number(name: str, key: str, text: str, low: float, high: float) -> float:
    """A number from `low` to `high`, not infinite."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (low <= value <= high and math.isfinite(value)):
        raise InputError(f"{name}: {key}: must be a number from {low:g} to {high:g}, got {text!r}")
    return value


def choice(name: str, key: str, text: str, known: Iterable[str]) -> str:
    """One of a few words."""
    known = list(known)
    if text not in known:
        raise InputError(f"{name}: {key}: must be {' or '.join(known)}, got {text!r}")
    return text


def speed(name: str, text: str) -> float | None:
    """A multiple of real time; None for "max"."""
    if text == "max":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(f"{name}: speed: must be 'max' or a positive number, got {text!r}")
    return value
