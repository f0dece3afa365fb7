"""Options of the simulated emitter given as text: read, checked, put onto a preset."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from sources.simulation.parts import (
    AT,
    EXPONENTIAL,
    LINEAR,
    PHOTONS,
    POWER_LAW,
    SINE,
    WALK,
    Bleach,
    Drift,
    Dwell,
    Marker,
    State,
    need,
)
from sources.simulation.presets import PRESETS
from sources.simulation.settings import CW, MOST_DETECTORS, PER_DETECTOR, Settings
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


def _split(key: str, text: str) -> float | tuple[float, ...]:
    values = _numbers(key, text)
    return values if len(values) > 1 else values[0]


def _orders(key: str, text: str) -> tuple[tuple[float, ...], ...]:
    """Read `THIRD:FOURTH:...`, one per state, separated by commas."""
    return tuple(tuple(_number(key, one) for one in part.split(":")) for part in text.split(","))


def _law(key: str, text: str, laws: Mapping[str, int], rule: str) -> tuple[str, list[float]]:
    """Read `LAW:NUMBER:...` with as many numbers as the law has."""
    law, *rest = text.strip().split(":")
    need(laws.get(law) == len(rest), key, rule, repr(text.strip()), "leave it out, or write one of these")
    return law, [_number(key, one) for one in rest]


def _drift(key: str, text: str) -> Drift:
    rule = "linear:PER_S, sine:AMPLITUDE:PERIOD_S or walk:PER_ROOT_S"
    law, numbers = _law(key, text, {LINEAR: 1, SINE: 2, WALK: 1}, rule)
    return Drift(law, *numbers)


def _bleach(key: str, text: str) -> Bleach:
    law, (value,) = _law(key, text, {AT: 1, EXPONENTIAL: 1, PHOTONS: 1}, "at:SECONDS, exp:MEAN_S or photons:MEAN")
    return Bleach(law, value)


def _marker(key: str, text: str) -> Marker:
    number, colon, period = text.strip().partition(":")
    good = bool(colon) and number.isdecimal()
    need(good, key, "INPUT:PERIOD_S", repr(text.strip()), f"write such as {key}=1:0.01")
    return Marker(int(number), _number(key, period))


def _markers(key: str, text: str) -> tuple[Marker, ...]:
    return tuple(_marker(key, part) for part in text.split(","))


_READERS: dict[str, Callable[[str, str], Any]] = {
    "mode": _upper,
    "model": _word,
    "excitation": _word,
    "seed": _whole,
    "orders": _whole,
    "detectors": _whole,
    "levels": _whole,
    "live": _truth,
    "transition": _rows,
    "filters": _rows,
    "split": _split,
    "rate": _number,
    "duration": _number,
    "chunk_ms": _number,
    "bleach": _bleach,
    "drift_excitation": _drift,
    "drift_collection": _drift,
    "markers": _markers,
    "next_dot": _marker,
    **dict.fromkeys(PER_DETECTOR, _numbers),
}  # the others are numbers
_PER_STATE: dict[str, Callable[[str, str], tuple[Any, ...]]] = {
    "eta_x": _numbers,
    "tau_x_ns": _numbers,
    "eta_bx": _numbers,
    "tau_bx_ns": _numbers,
    "dwell": _dwells,
    "eta_mx": _orders,
    "tau_mx_ns": _orders,
}
# Of no meaning without pulses, or with them.
_PULSED_ONLY = ("rate_hz", "nbar", "t0_ns", "resolution_ps", "eta_mx", "tau_mx_ns", "orders", "modes")
_CW_ONLY = ("levels", "pump_per_us", "shelve_per_us", "return_per_us")
_BX_PER_X = 0.25  # lifetimes under cw light where only that of X is given: k2 = 4 k1 (Marder et al.)
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
        used = (key for key in _PER_STATE if any(getattr(state, key) != () for state in preset))
        wrong |= dict.fromkeys((key for key in used if key not in lists and len(preset) > 1), len(preset))
    if wrong:
        key, length = next(iter(wrong.items()))
        rule = f"one value, or {n} as {next(iter(lengths))} has"
        need(False, key, rule, f"{length} values", f"write {key}=" + ",".join(["VALUE"] * n))
    states = (preset * n)[:n]
    given = {key: values * n if len(values) == 1 else values for key, values in lists.items()}
    return tuple(
        replace(state, **{key: values[at] for key, values in given.items()}) for at, state in enumerate(states)
    )


def _spread(values: dict[str, Any], preset: Settings, options: Mapping[str, str]) -> None:
    """Put in `split` for a number of detectors, and one value for each where there is one for all."""
    if "detectors" in values:
        n = values.pop("detectors")
        need("split" not in values, "split", "left out beside detectors", options.get("split"), "leave one of them out")
        need(1 <= n <= MOST_DETECTORS, "detectors", f"from 1 to {MOST_DETECTORS}", n, "write detectors=4")
        values["split"] = 0.5 if n == 2 else (1 / n,) * n
    split = values.get("split", preset.split)
    n = len(split) if isinstance(split, tuple) else 2
    for key in PER_DETECTOR:
        each = values.get(key, getattr(preset, key))
        if len(set(each)) == 1 and (key not in values or len(each) == 1):
            values[key] = each[:1] * n


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
    is_cw = values.get("excitation", preset.excitation) == CW
    if rate is not None and ((is_cw and "eta_c" in values) or {"nbar", "eta_c"} <= values.keys()):
        named, number = ("eta_c", "two") if is_cw else ("nbar or eta_c", "three")
        both = "it was" if is_cw else "both were"
        raise InputError(
            f"simulate: rate={rate:g} is to solve for {named}, but {both} given; leave one of the {number} out"
        )
    for key in _PULSED_ONLY if is_cw else _CW_ONLY:
        light = "cw" if is_cw else "pulsed"
        need(key not in options, key, f"left out with excitation={light}", repr(options.get(key)), "leave it out")
    if is_cw:
        values.setdefault("mode", "T2")
        if "tau_x_ns" in lists and "tau_bx_ns" not in lists:
            lists["tau_bx_ns"] = tuple(tau * _BX_PER_X for tau in lists["tau_x_ns"])
    if "duration" in values:
        values["duration_s"] = values.pop("duration")
    if "chunk_ms" in values:
        values["chunk_s"] = values.pop("chunk_ms") * 1e-3
    elif values.get("live"):
        values["chunk_s"] = LIVE_CHUNK_S
    _spread(values, preset, options)
    return replace(preset, states=_states(preset.states, lists), **values), rate
