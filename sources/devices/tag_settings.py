"""Tagger settings: options of a live time tagger given as text, checked before any device is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sources.reading import options as read_option
from sources.reading.recording import DROP, PULSE_OPTIONS, REFUSE
from streamer.errors import InputError

_MOST_RECORDS = 1 << 24
_LONGEST_S = 1e7
_MOST_DIVIDER = 1_000_000
_LONGEST_HORIZON_NS = 1e9
_LAST_CHANNEL = 20  # that the spool's format knows (see `sources.qutag`)
EDGES = {"rising": 1, "falling": 0}
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one kind of device takes.

    Attributes:
        name: of the source.
        falling: a negative channel is the falling edge of an input; else the edge is an option.
        filter: it has a conditional filter.
        library: it is reached through a library whose path can be given.
        trigger_v, dead_time_ps, delay_ps: lowest and highest.
        buffer: fewest, most and default number of tags that wait for being read.
        horizon_ns: by which tags are known to come late.
        late: what is done with later ones, if nothing is said.
    """

    name: str
    falling: bool
    filter: bool
    library: bool
    trigger_v: tuple[float, float]
    dead_time_ps: tuple[int, int]
    delay_ps: tuple[int, int]
    buffer: tuple[int, int, int]
    horizon_ns: float
    late: str


@dataclass(frozen=True, slots=True)
class Pulses:
    """A channel that is the laser's sync; see `sources.reading.pulses.PulsedSource`."""

    channel: int
    divider: int | None
    period_ns: float | None


@dataclass(frozen=True, slots=True)
class TagSettings:
    """What one measurement is made with; None leaves the device's default.

    Attributes:
        channels: inputs whose tags are wanted; negative: the falling edge.
        spool: path of the recording.
        duration_s: None for as long as nobody stops it.
        trigger_v, edge, dead_time_ps, delay_ps: by channel.
        trigger, filtered: of the conditional filter: behind a tag on the first, one tag on each of the others passes.
        buffer: tags that wait for being read.
        library: path of the vendor's library.
        chunk_records: most records of one chunk.
        horizon_ns: tags late by less are sorted.
        late: "refuse" or "drop" what comes later than that.
        pulses: the laser's sync, if the stream is to be T3.
    """

    channels: tuple[int, ...]
    spool: Path
    duration_s: float | None
    trigger_v: dict[int, float]
    edge: dict[int, str]
    dead_time_ps: dict[int, int]
    delay_ps: dict[int, int]
    trigger: tuple[int, ...]
    filtered: tuple[int, ...]
    buffer: int
    library: Path | None
    chunk_records: int
    horizon_ns: float
    late: str
    pulses: Pulses | None


def read_settings(limits: Limits, options: Mapping[str, str]) -> TagSettings:
    """The settings that the options ask for.

    Raises:
        InputError: an option that this device does not have, or a value that it does not take.
    """
    name = limits.name
    has = {"filter": limits.filter, "library": limits.library, "edge": not limits.falling}
    every = ("channels", "spool", "duration", "trigger_v", "dead_time_ps", "delay_ps", "buffer", "chunk_records")
    known = {*every, "horizon_ns", "late", *PULSE_OPTIONS, *(key for key, there in has.items() if there)}
    read_option.check_known(name, options, known)
    channels = _channels(limits, options.get("channels", ""))
    triggers, filtered = _filter(limits, options.get("filter"))

    def per_channel(key: str, read: Callable[[str], Value]) -> dict[int, Value]:
        if key not in options:
            return {}
        values = [read(part.strip()) for part in options[key].split(",")]
        if len(values) not in (1, len(channels)):
            raise InputError(
                f"{name}: {key}: must be one value, or one for each of the {len(channels)} channels, got {len(values)}"
            )
        return dict(zip(channels, values * (len(channels) // len(values)), strict=True))

    def whole(key: str, low: int, high: int) -> Callable[[str], int]:
        return lambda text: read_option.whole(name, key, text, low, high)

    def text_of(key: str, default: float | str) -> str:
        return options.get(key, str(default)).strip()

    duration = text_of("duration", "inf")
    fewest, most, buffer = limits.buffer
    return TagSettings(
        channels=channels,
        spool=_spool(name, options.get("spool", "")),
        duration_s=None if duration == "inf" else read_option.number(name, "duration", duration, 1e-3, _LONGEST_S),
        trigger_v=per_channel("trigger_v", lambda text: read_option.number(name, "trigger_v", text, *limits.trigger_v)),
        edge=per_channel("edge", lambda text: read_option.choice(name, "edge", text, EDGES)),
        dead_time_ps=per_channel("dead_time_ps", whole("dead_time_ps", *limits.dead_time_ps)),
        delay_ps=per_channel("delay_ps", whole("delay_ps", *limits.delay_ps)),
        trigger=triggers,
        filtered=filtered,
        buffer=read_option.whole(name, "buffer", text_of("buffer", buffer), fewest, most),
        library=Path(options["library"]) if "library" in options else None,
        chunk_records=read_option.whole(name, "chunk_records", text_of("chunk_records", 1 << 18), 1, _MOST_RECORDS),
        horizon_ns=read_option.number(
            name, "horizon_ns", text_of("horizon_ns", limits.horizon_ns), 0, _LONGEST_HORIZON_NS
        ),
        late=read_option.choice(name, "late", text_of("late", limits.late), (REFUSE, DROP)),
        pulses=_pulses(name, channels, options),
    )


def _numbers(limits: Limits, key: str, text: str) -> tuple[int, ...]:
    low = -_LAST_CHANNEL if limits.falling else 1
    return tuple(read_option.whole(limits.name, key, part.strip(), low, _LAST_CHANNEL) for part in text.split(","))


def _channels(limits: Limits, text: str) -> tuple[int, ...]:
    name = limits.name
    if not text.strip():
        raise InputError(f"{name}: channels: must be given, such as channels=1,2; they are the inputs that are read")
    channels = _numbers(limits, "channels", text)
    inputs = [abs(channel) for channel in channels]
    for at, one in enumerate(inputs):
        if one in inputs[:at]:
            raise InputError(
                f"{name}: channels: each input may be named once, got {one} twice"
                + (" (both edges of an input would have the same channel number)" if limits.falling else "")
            )
    return channels


def _filter(limits: Limits, text: str | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Channels that open the filter, and those that it lets through then."""
    if text is None:
        return (), ()
    first, arrow, second = text.replace("->", ":").partition(":")
    if not arrow:
        raise InputError(
            f"{limits.name}: filter: must be the detectors, a colon and the laser, such as filter=1,2:5, got {text!r}"
        )
    return _numbers(limits, "filter", first), _numbers(limits, "filter", second)


def _pulses(name: str, channels: tuple[int, ...], options: Mapping[str, str]) -> Pulses | None:
    if "pulses" not in options:
        for key in PULSE_OPTIONS:
            if key in options:
                raise InputError(f"{name}: {key}: needs the channel of the laser sync; give pulses=CHANNEL too")
        return None
    channel = read_option.whole(name, "pulses", options["pulses"], 0, 255)
    inputs = [abs(one) for one in channels]
    if channel not in inputs:
        raise InputError(f"{name}: pulses: must be one of the channels {inputs}, got {channel}; add it to channels")
    divider = period_ns = None
    if "pulse_divider" in options:
        divider = read_option.whole(name, "pulse_divider", options["pulse_divider"], 1, _MOST_DIVIDER)
    if "pulse_period_ns" in options:
        period_ns = read_option.number(name, "pulse_period_ns", options["pulse_period_ns"], 0.01, 1e9)
    return Pulses(channel, divider, period_ns)


def _spool(name: str, text: str) -> Path:
    """Where to record; a file that is there already is never written over."""
    path = Path(text or f"{name}-{datetime.now():%Y%m%d-%H%M%S}.qutag")
    if not path.parent.is_dir():
        raise InputError(f"{name}: spool: must lie in a folder that exists, got {str(path)!r}; make the folder")
    if path.exists():
        raise InputError(f"{name}: spool: {path} exists already and is not written over; give another name")
    return path
