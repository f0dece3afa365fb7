"""Array columns: which column of a table is time, pulse, channel, nanotime or marker, and in which unit.

A column says both by its name: `time_ps`, `Macro time [s]`, `detector`, `nanotime (ns)`; options name the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from sources.reading.photon_table import CHANNEL, MARKER, NANOTIME, TIME, Scale, is_numbers
from streamer.errors import InputError

PULSE = "pulse"
_PS = {"ps": 1, "ns": 10**3, "us": 10**6, "µs": 10**6, "μs": 10**6, "ms": 10**9, "s": 10**12}  # micro sign and mu
_UNIT = re.compile(r"(?P<base>.+?)(?:[\s_\-]+(?P<bare>[pnuµμm]?s)|[\s_\-]*[\[(]\s*(?P<inside>[pnuµμm]?s)\s*[\])])")
_NAMES = {
    TIME: "time times t timestamp timestamps timetag timetags time_tag time_tags macrotime macrotimes macro_time "
    "macro_times abstime abstimes abs_time absolute_time absolute_times arrival_time arrival_times",
    PULSE: "pulse pulses pulse_number sync syncs nsync n_sync sync_number",
    CHANNEL: "channel channels ch detector detectors det",
    NANOTIME: "nanotime nanotimes nano_time nano_times microtime microtimes micro_time micro_times dtime dtimes",
    MARKER: "marker markers",
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split()}
_OPTION_UNITS = ("ps", "ns", "us", "ms", "s")
COLUMN_OPTIONS = {
    **{role: (role, None) for role in (TIME, PULSE, CHANNEL, NANOTIME, MARKER)},
    **{f"{role}_{unit}": (role, _PS[unit]) for role in (TIME, NANOTIME) for unit in _OPTION_UNITS},
}
UNIT_OPTIONS = ("tick_ps", "resolution_ps", "period_ns")
_SAME_PERIOD = Fraction(1, 10**9)


@dataclass(frozen=True)
class Chosen:
    """One column: its name in the file, and its unit in ps when the name or the option says one."""

    name: str
    unit_ps: int | None = None


@dataclass
class Meaning:
    """What the columns of a table are to a stream.

    Attributes:
        columns: role -> name of its column; TIME may be a column of pulse numbers.
        scales: role -> how its entries become ticks, nanotimes, channels or markers.
        timing: mode, tick_s, resolution_s, pulse_s and sync_rate_hz, as keywords of StreamInfo.
        warnings: what was assumed or left aside, one line each.
    """

    columns: dict[str, str] = field(default_factory=dict)
    scales: dict[str, Scale] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def role_of(name: str) -> tuple[str | None, int | None]:
    """(role, unit in ps) that a column's name says; None for what it does not say."""
    text = name.strip().lower()
    unit = None
    if match := _UNIT.fullmatch(text):
        text, unit = match["base"], _PS[match["bare"] or match["inside"]]
    return _ROLES.get(re.sub(r"[\s_\-.]+", "_", text).strip("_")), unit


def choose_columns(origin: str, names: Iterable[str], options: Mapping[str, str]) -> dict[str, Chosen]:
    """Role -> column, by the options and else by the names.

    Raises:
        InputError: an option that names no column, or two columns that may both be meant.
    """
    names = list(names)
    listed = ", ".join(names[:20]) or "none"
    chosen: dict[str, Chosen] = {}
    for key, (role, unit) in COLUMN_OPTIONS.items():
        if key not in options:
            continue
        if role in chosen:
            raise InputError(f"{origin}: {key}: the column of {role} is given twice; leave one out")
        if options[key] not in names:
            raise InputError(f"{origin}: {key}: must be a column of the file ({listed}), got {options[key]!r}")
        said = role_of(options[key])[1]
        if unit is not None and said is not None and unit != said:
            raise InputError(f"{origin}: {key}: contradicts the unit in the name of column {options[key]!r}")
        chosen[role] = Chosen(options[key], unit or said)
    taken = {column.name for column in chosen.values()}
    for role in (TIME, PULSE, CHANNEL, NANOTIME, MARKER):
        found = [name for name in names if name not in taken and role_of(name)[0] == role]
        if role in chosen or not found:
            continue
        if len(found) > 1:
            raise InputError(f"{origin}: columns {', '.join(found)} may all be the {role}; set {role} to one of them")
        chosen[role] = Chosen(found[0], role_of(found[0])[1])
    if TIME not in chosen and PULSE not in chosen:
        raise InputError(
            f"{origin}: has no column of times; its columns are {listed}; name one time_ps, or set time_ps=COLUMN"
        )
    return chosen


def understand(
    origin: str, chosen: Mapping[str, Chosen], kinds: Mapping[str, np.dtype[Any]], units: Mapping[str, Fraction]
) -> Meaning:
    """What the chosen columns mean.

    Args:
        origin: the file, for messages.
        chosen: role -> column, from `choose_columns`.
        kinds: column -> dtype.
        units: those of UNIT_OPTIONS that are given.

    Raises:
        InputError: a unit that nobody says, one that would not be used, or a column that is no number.
    """
    for column in chosen.values():
        if not is_numbers(kinds[column.name]):
            raise InputError(f"{origin}: column {column.name}: must be numbers, got {kinds[column.name]}")
    meaning = Meaning()
    pulsed = NANOTIME in chosen and PULSE in chosen
    if PULSE in chosen and not pulsed and TIME not in chosen:
        raise InputError(
            f"{origin}: column {chosen[PULSE].name}: a pulse number alone is no time; add nanotimes, or absolute times"
        )
    aside = chosen.get(TIME if pulsed else PULSE)
    if aside is not None:
        meaning.warnings.append(
            f"column {aside.name} is not used: the time is that of column {chosen[PULSE if pulsed else TIME].name}"
        )
    period_ps = units["period_ns"] * 1000 if "period_ns" in units else None
    if NANOTIME in chosen and period_ps is None:
        raise InputError(f"{origin}: nanotimes need the laser period; set period_ns")
    tick_ps = _ticks(origin, meaning, chosen, kinds, units)
    meaning.timing = {"mode": "T2", "tick_s": float(tick_ps / 10**12)}
    if period_ps is not None:
        meaning.timing["sync_rate_hz"] = float(10**12 / period_ps)
    if NANOTIME in chosen:
        resolution_ps = _nanotimes(origin, meaning, chosen[NANOTIME], kinds, units)
        meaning.timing |= {"mode": "T3", "resolution_s": float(resolution_ps / 10**12)}
        if period_ps is not None and abs(tick_ps / period_ps - 1) > _SAME_PERIOD:
            meaning.timing["pulse_s"] = float(period_ps / 10**12)
    elif "resolution_ps" in units:
        raise InputError(f"{origin}: resolution_ps: there is no column of nanotimes; leave the option out")
    for role in (CHANNEL, MARKER):
        if role in chosen:
            meaning.columns[role] = chosen[role].name
            meaning.scales[role] = Scale(chosen[role].name, remedy=f"a {role} must be a number from 0 to 255")
    if CHANNEL not in chosen:
        meaning.warnings.append("there is no column of channels: all photons are of channel 0")
    return meaning


def _ticks(
    origin: str,
    meaning: Meaning,
    chosen: Mapping[str, Chosen],
    kinds: Mapping[str, np.dtype[Any]],
    units: Mapping[str, Fraction],
) -> Fraction:
    """Length of a tick in ps; notes what the column of times is."""
    if NANOTIME in chosen and PULSE in chosen:
        if "tick_ps" in units:
            raise InputError(f"{origin}: tick_ps: a tick is a laser pulse here; leave the option out")
        meaning.columns[TIME] = chosen[PULSE].name
        meaning.scales[TIME] = Scale(chosen[PULSE].name, remedy="a pulse number must be whole")
        return units["period_ns"] * 1000
    column = chosen[TIME]
    meaning.columns[TIME] = column.name
    tick_ps = units.get("tick_ps")
    if column.unit_ps is None:
        if tick_ps is None:
            raise InputError(
                f"{origin}: column {column.name}: its unit is not known; set tick_ps, or time_ns={column.name} "
                "where it is in ns"
            )
        meaning.scales[TIME] = Scale(
            column.name, remedy=f"say its unit as time_s={column.name} or the like; tick_ps then rounds it"
        )
        return tick_ps
    if tick_ps is None:
        tick_ps = Fraction(1 if kinds[column.name].kind == "f" else column.unit_ps)
    meaning.scales[TIME] = Scale(
        column.name, column.unit_ps / tick_ps, exact=False, remedy="a larger tick_ps covers more time"
    )
    return tick_ps


def _nanotimes(
    origin: str, meaning: Meaning, column: Chosen, kinds: Mapping[str, np.dtype[Any]], units: Mapping[str, Fraction]
) -> Fraction:
    """Unit of the nanotimes in ps; notes what their column is."""
    meaning.columns[NANOTIME] = column.name
    resolution_ps = units.get("resolution_ps")
    if resolution_ps is None and (column.unit_ps is None or kinds[column.name].kind == "f"):
        known = "has fractions, and is turned into bins of the card" if column.unit_ps else "has no known unit"
        raise InputError(
            f"{origin}: column {column.name}: a nanotime that {known}; set resolution_ps to the card's bin"
        )
    if resolution_ps is None:
        resolution_ps = Fraction(column.unit_ps or 1)
    factor = Fraction(1) if column.unit_ps is None else column.unit_ps / resolution_ps
    meaning.scales[NANOTIME] = Scale(
        column.name, factor, exact=column.unit_ps is None, remedy="a larger resolution_ps covers longer nanotimes"
    )
    return resolution_ps
