"""PicoQuant settings: options given as text, checked against the model's table before any library is loaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sources.devices.picoquant_models import (
    CFD,
    DEAD_TIME_CODE,
    DEAD_TIME_PS,
    EDGE,
    EDGES,
    HYSTERESIS_MV,
    LONGEST_MS,
    MEASURED,
    MODELS,
    MODES,
    OVERFLOW_HOLD_MS,
    SYNC_OFFSET_PS,
    Model,
)
from sources.reading import options as read_option
from streamer.errors import InputError

SMALLEST_FILE = 1 << 16  # bytes; rotation into smaller files is a mistake
_LARGEST_FILE = 1 << 50
_MOST_RECORDS = 1 << 24
HOLD_MS = 2  # a dark stream stays current to within this and the FIFO's 16 records


@dataclass(frozen=True, slots=True)
class Settings:
    """What one measurement is made with; None leaves the default of the model or of the library.

    Attributes:
        mode: "T2" or "T3".
        duration_ms: at most `LONGEST_MS`.
        trigger: "cfd" or "edge" where it is a setting.
        input_*: one value for all inputs, or one for each.
        inputs: channels that are enabled; None for all.
        sync_channel: T2: sync events become photons of this channel.
        overflow_hold_ms: longest time that empty overflows are held back by the device.
        spool: path of the first PTU file.
        library: path of the vendor's library.
        rotate: bytes after which another file is begun.
        chunk_records: most records of one chunk.
        horizon_ns: photons late by less are sorted.
    """

    mode: str
    spool: Path
    duration_ms: int = LONGEST_MS
    sync_divider: int = 1
    trigger: str | None = None
    sync_level_mv: int | None = None
    sync_zero_cross_mv: int | None = None
    sync_edge: str | None = None
    sync_offset_ps: int = 0
    sync_dead_time_ps: int = 0
    sync_enable: bool = True
    sync_channel: int | None = None
    inputs: tuple[int, ...] | None = None
    input_level_mv: tuple[int, ...] | None = None
    input_zero_cross_mv: tuple[int, ...] | None = None
    input_edge: tuple[str, ...] | None = None
    input_offset_ps: tuple[int, ...] = (0,)
    input_dead_time_ps: tuple[int, ...] = (0,)
    input_dead_time_code: tuple[int, ...] | None = None
    hysteresis_mv: str | None = None
    binning: int = 0
    offset_ns: int = 0
    overflow_hold_ms: int = HOLD_MS
    reference: str = "internal"
    routing: bool = False
    library: Path | None = None
    rotate: int | None = None
    chunk_records: int = 1 << 18
    horizon_ns: float = 0.0


def known_options(model: Model) -> set[str]:
    """The options that this model has."""
    kinds = model.triggers
    edge, cfd = EDGE in kinds, CFD in kinds
    has = {
        "trigger": model.trigger != MEASURED and len(kinds) > 1,
        "sync_zero_cross_mv": cfd,
        "sync_edge": edge,
        "sync_dead_time_ps": model.dead_time == "ps",
        "sync_enable": model.sync_enable,
        "sync_channel": not model.sync_input,
        "inputs": model.input_enable,
        "input_zero_cross_mv": cfd,
        "input_edge": edge,
        "input_offset_ps": model.input_offset,
        "input_dead_time_ps": model.dead_time == "ps",
        "input_dead_time_code": model.dead_time == "code",
        "hysteresis_mv": model.hysteresis,
        "overflow_hold_ms": model.overflow_hold,
        "reference": bool(model.references),
        "routing": model.routing,
    }
    every = {
        "mode",
        "duration",
        "sync_divider",
        "sync_level_mv",
        "sync_offset_ps",
        "input_level_mv",
        "binning",
        "offset_ns",
    }
    files = {"spool", "library", "rotate", "chunk_records", "horizon_ns"}
    return every | files | {key for key, there in has.items() if there}


def read_address(where: str) -> tuple[Model, str]:
    """Model and serial number ("" for the first device that opens) of `MODEL` or `MODEL/SERIAL`.

    Raises:
        InputError: no such model.
    """
    key, _, serial = where.partition("/")
    if key.upper() not in MODELS:
        raise InputError(
            f"picoquant: model must be one of {', '.join(MODELS)}, got {key!r}; write such as picoquant:HH400"
        )
    return MODELS[key.upper()], serial.strip()


def read_settings(model: Model, options: Mapping[str, str]) -> Settings:
    """The settings that the options ask for.

    Raises:
        InputError: an option that this model does not have, or a value that it does not take.
    """
    name = f"picoquant:{model.key}"
    read_option.check_known(name, options, known_options(model))
    values = {key: _READERS[key](_Asked(name, model, key, text)) for key, text in options.items() if key != "spool"}
    values["duration_ms"] = values.pop("duration", LONGEST_MS)
    mode = values.setdefault("mode", "T3")
    for key in ("binning", "offset_ns"):
        if mode == "T2" and values.get(key):
            raise InputError(f"{name}: {key}: must be 0 in T2, which has no nanotimes; leave it out or set mode=T3")
    for key in ("sync_channel", "sync_enable"):
        if mode == "T3" and key in values:
            raise InputError(f"{name}: {key}: T3 records have no sync events; leave it out or set mode=T2")
    if "trigger" in values:
        for key in ("sync_edge", "input_edge", "sync_zero_cross_mv", "input_zero_cross_mv"):
            if key in values and (EDGE if key.endswith("edge") else CFD) != values["trigger"]:
                raise InputError(f"{name}: {key}: does not go with trigger={values['trigger']}; leave one of them out")
    return Settings(spool=_spool(name, model, options.get("spool", "")), **values)


def triggers(name: str, model: Model, settings: Settings, kind: str) -> tuple[tuple[int, int], list[tuple[int, int]]]:
    """Both arguments of the trigger functions, for the sync and for each given input.

    Args:
        name: for messages.
        model, settings: of the device.
        kind: of trigger, which of a TimeHarp 260 is known only once it is open.

    Raises:
        InputError: a setting that does not go with this kind.
    """
    limits = model.triggers[kind]
    low, high, level = limits.level_mv
    other = (
        [settings.sync_edge, settings.input_edge]
        if kind == CFD
        else [settings.sync_zero_cross_mv, settings.input_zero_cross_mv]
    )
    if any(value is not None for value in other):
        wrong = "edges" if kind == CFD else "zero crossings"
        raise InputError(f"{name}: this device has {kind} triggers, and no {wrong} to set; leave them out")
    levels = [settings.sync_level_mv if settings.sync_level_mv is not None else level]
    levels += settings.input_level_mv or (level,)
    for value in levels:
        if not low <= value <= high:
            raise InputError(f"{name}: level_mv: must be a whole number from {low} to {high} for {kind}, got {value}")
    if limits.zero_cross_mv is not None:
        default = limits.zero_cross_mv[2]
        seconds = [settings.sync_zero_cross_mv if settings.sync_zero_cross_mv is not None else default]
        seconds += settings.input_zero_cross_mv or (default,)
    else:
        seconds = [EDGES[settings.sync_edge or "falling"]]
        seconds += [EDGES[edge] for edge in settings.input_edge or ("falling",)]
    count = max(len(levels), len(seconds)) - 1
    return (levels[0], seconds[0]), list(zip(each(levels[1:], count), each(seconds[1:], count), strict=True))


def each(values: Any, count: int) -> list[Any]:
    """One value for every input."""
    return list(values) * count if len(values) == 1 else list(values)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One option's text, and whom it is for."""

    name: str
    model: Model
    key: str
    text: str

    def whole(self, low: int, high: int) -> int:
        return read_option.whole(self.name, self.key, self.text.strip(), low, high)

    def word(self, known: Any) -> str:
        return read_option.choice(self.name, self.key, self.text.strip().lower(), known)

    def list_of(self, read: Callable[[_Asked], Any]) -> tuple[Any, ...]:
        """One value, or one for each input: how many there are is known once the device is open."""
        parts = self.text.split(",")
        if len(parts) > self.model.inputs:
            raise InputError(
                f"{self.name}: {self.key}: must be one value or one for each of at most {self.model.inputs} inputs, "
                f"got {len(parts)}"
            )
        return tuple(read(_Asked(self.name, self.model, self.key, part)) for part in parts)

    def level(self) -> int:
        limits = [trigger.level_mv for trigger in self.model.triggers.values()]
        return self.whole(min(low for low, _, _ in limits), max(high for _, high, _ in limits))

    def zero_cross(self) -> int:
        low, high, _ = self.model.triggers[CFD].zero_cross_mv or (0, 0, 0)
        return self.whole(low, high)

    def dead_time(self) -> int:
        return 0 if self.text.strip() == "0" else self.whole(*DEAD_TIME_PS)

    def yes(self) -> bool:
        return self.word(("true", "false")) == "true"

    def divider(self) -> int:
        value = self.whole(1, self.model.divider)
        if value & (value - 1):
            raise InputError(f"{self.name}: {self.key}: must be 1, 2, 4 ... {self.model.divider}, got {value}")
        return value

    def milliseconds(self) -> int:
        if self.text.strip() == "inf":
            return LONGEST_MS
        return math.ceil(1e3 * read_option.number(self.name, self.key, self.text, 1e-3, LONGEST_MS / 1e3))

    def channels(self) -> tuple[int, ...]:
        found = tuple(sorted(set(self.list_of(lambda part: part.whole(0, self.model.inputs - 1)))))
        return found


_READERS: dict[str, Callable[[_Asked], Any]] = {
    "mode": lambda asked: read_option.choice(asked.name, asked.key, asked.text.strip().upper(), MODES),
    "duration": _Asked.milliseconds,
    "sync_divider": _Asked.divider,
    "trigger": lambda asked: asked.word(asked.model.triggers),
    "sync_level_mv": _Asked.level,
    "sync_zero_cross_mv": _Asked.zero_cross,
    "sync_edge": lambda asked: asked.word(EDGES),
    "sync_offset_ps": lambda asked: asked.whole(*SYNC_OFFSET_PS),
    "sync_dead_time_ps": _Asked.dead_time,
    "sync_enable": _Asked.yes,
    "sync_channel": lambda asked: asked.whole(0, 255),
    "inputs": _Asked.channels,
    "input_level_mv": lambda asked: asked.list_of(_Asked.level),
    "input_zero_cross_mv": lambda asked: asked.list_of(_Asked.zero_cross),
    "input_edge": lambda asked: asked.list_of(lambda part: part.word(EDGES)),
    "input_offset_ps": lambda asked: asked.list_of(lambda part: part.whole(*SYNC_OFFSET_PS)),
    "input_dead_time_ps": lambda asked: asked.list_of(_Asked.dead_time),
    "input_dead_time_code": lambda asked: asked.list_of(lambda part: part.whole(*DEAD_TIME_CODE)),
    "hysteresis_mv": lambda asked: asked.word(HYSTERESIS_MV),
    "binning": lambda asked: asked.whole(0, asked.model.bins - 1),
    "offset_ns": lambda asked: asked.whole(0, asked.model.offset_max // asked.model.offset_per_ns),
    "overflow_hold_ms": lambda asked: asked.whole(*OVERFLOW_HOLD_MS),
    "reference": lambda asked: asked.word(asked.model.references),
    "routing": _Asked.yes,
    "library": lambda asked: Path(asked.text),
    "rotate": lambda asked: asked.whole(SMALLEST_FILE, _LARGEST_FILE),
    "chunk_records": lambda asked: asked.whole(1, _MOST_RECORDS),
    "horizon_ns": lambda asked: read_option.number(asked.name, asked.key, asked.text, 0, 1e9),
}


def _spool(name: str, model: Model, text: str) -> Path:
    """Where to record; a file that is there already is never written over."""
    path = Path(text or f"{model.key}-{datetime.now():%Y%m%d-%H%M%S}.ptu")
    if not path.parent.is_dir():
        raise InputError(f"{name}: spool: must lie in a folder that exists, got {str(path)!r}; make the folder")
    if path.exists():
        raise InputError(f"{name}: spool: {path} exists already and is not written over; give another name")
    return path
