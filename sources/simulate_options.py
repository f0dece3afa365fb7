"""Options of the simulated emitter given as text: read, checked, put onto a preset."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from sources.simulate_settings import EXPONENTIAL, POWER_LAW, PRESETS, Dwell, Settings, State, need
from streamer.errors import InputError

LIVE_CHUNK_S = 0.005


def _number(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    need(not math.isnan(value), key, "a number", repr(text.strip()), f"write such as {key}=0.1")
    return value


def _numbers(key: str, text: str) -> tuple[float, ...]:
    return tuple(_number(key, part) for part in text.split(","))


def _pair(key: str, text: str) -> tuple[float, ...]:
    values = _numbers(key, text)
    return values * 2 if len(values) == 1 else values


def _whole(key: str, text: str) -> int:
    need(text.strip().isdecimal(), key, "a whole number from 0", repr(text.strip()), f"write {key}=1")
    return int(text)


def _truth(key: str, text: str) -> bool:
    word = text.strip().lower()
    need(word in ("true", "false", "yes", "no", "1", "0"), key, "true or false", repr(word), f"write {key}=true")
    return word in ("true", "yes", "1")


def _word(key: str, text: str) -> str:
    return text.strip()


def _upper(key: str, text: str) -> str:
    return text.strip().upper()


def _dwells(key: str, text: str) -> tuple[Dwell, ...]:
    """Read `exp:MEAN_S` and `power:EXPONENT:MIN_S:MAX_S`, one per state, separated by commas."""
    found = []
    for part in text.split(","):
        law, *rest = part.strip().split(":")
        numbers = [_number(key, one) for one in rest]
        if law == EXPONENTIAL and len(numbers) == 1:
            found.append(Dwell(EXPONENTIAL, mean_s=numbers[0]))
        elif law == POWER_LAW and len(numbers) == 3:
            found.append(Dwell(POWER_LAW, exponent=numbers[0], min_s=numbers[1], max_s=numbers[2]))
        else:
            rule = "exp:MEAN_S or power:EXPONENT:MIN_S:MAX_S for each state"
            need(False, key, rule, repr(part.strip()), "write such as dwell=exp:0.2,exp:0.5")
    return tuple(found)


def _rows(key: str, text: str) -> tuple[tuple[float, ...], ...]:
    return tuple(_numbers(key, row) for row in text.split(";"))


_READERS: dict[str, Callable[[str, str], Any]] = {
    "mode": _upper,
    "model": _word,
    "seed": _whole,
    "live": _truth,
    "transition": _rows,
    "rate": _number,
    "duration": _number,
    "chunk_ms": _number,
    "jitter_ps": _pair,
    "dark_cps": _pair,
    "dead_ns": _pair,
    "delay_ns": _pair,
}  # the others are numbers
_PER_STATE: dict[str, Callable[[str, str], tuple[Any, ...]]] = {
    "eta_x": _numbers,
    "tau_x_ns": _numbers,
    "eta_bx": _numbers,
    "tau_bx_ns": _numbers,
    "dwell": _dwells,
}
OPTIONS: tuple[str, ...] = tuple(
    sorted(
        ({field.name for field in fields(Settings)} - {"states", "duration_s", "chunk_s"}) | {*_READERS, *_PER_STATE}
    )
)


def _states(preset: tuple[State, ...], lists: dict[str, tuple[Any, ...]]) -> tuple[State, ...]:
    """The preset's states with the given values; a single value holds for every state."""
    lengths = {key: len(values) for key, values in lists.items() if len(values) > 1}
    n = next(iter(lengths.values()), len(preset))
    wrong = {key: length for key, length in lengths.items() if length != n}
    if n != len(preset):
        wrong |= dict.fromkeys((key for key in _PER_STATE if key not in lists and len(preset) > 1), len(preset))
    if wrong:
        key, length = next(iter(wrong.items()))
        rule = f"one value, or {n} as {next(iter(lengths))} has"
        need(False, key, rule, f"{length} values", f"write {key}=" + ",".join(["VALUE"] * n))
    states = (preset * n)[:n] if len(preset) == 1 else preset
    given = {key: values * n if len(values) == 1 else values for key, values in lists.items()}
    return tuple(
        replace(state, **{key: values[at] for key, values in given.items()}) for at, state in enumerate(states)
    )


def read_settings(where: str, options: Mapping[str, str]) -> tuple[Settings, float | None]:
    """Settings of a preset with options given as text, and the photon rate asked for, if any.

    Args:
        where: name of a preset; "" is the blinking three-state dot.
        options: option to text; lists are comma-separated, one value per state or per channel.

    Raises:
        InputError: unknown preset or option, or a value that breaks its rule; one line.
    """
    if where not in PRESETS:
        known = ", ".join(name or "(nothing)" for name in PRESETS)
        raise InputError(f"simulate: preset must be one of {known}, got {where!r}; write such as simulate:steady")
    for key in options:
        if key not in OPTIONS:
            close = difflib.get_close_matches(key, OPTIONS, 1, 0.5)
            remedy = f"did you mean {close[0]}?" if close else "leave it out."
            raise InputError(f"simulate: option {key!r} is not known; {remedy} There are {', '.join(OPTIONS)}")
    preset = PRESETS[where]
    lists = {key: _PER_STATE[key](key, text) for key, text in options.items() if key in _PER_STATE}
    values = {key: _READERS.get(key, _number)(key, text) for key, text in options.items() if key not in _PER_STATE}
    rate = values.pop("rate", None)
    if rate is not None and {"nbar", "eta_c"} <= values.keys():
        raise InputError(
            f"simulate: rate={rate:g} is to solve for nbar or eta_c, but both were given; leave one of the three out"
        )
    if "duration" in values:
        values["duration_s"] = values.pop("duration")
    if "chunk_ms" in values:
        values["chunk_s"] = values.pop("chunk_ms") * 1e-3
    elif values.get("live"):
        values["chunk_s"] = LIVE_CHUNK_S
    return replace(preset, states=_states(preset.states, lists), **values), rate
