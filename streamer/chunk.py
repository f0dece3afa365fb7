"""Chunk and StreamInfo: what a source says of a photon stream, with loss and silence as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_NANOTIME: NDArray[np.uint16] = np.empty(0, np.uint16)
NO_TIME: NDArray[np.int64] = np.empty(0, np.int64)
NO_CHANNEL: NDArray[np.uint8] = np.empty(0, np.uint8)

DOUBTFUL = ("times", "nanotimes", "pairs")  # what a stream may cast doubt on: see `StreamInfo.doubts`


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Photons, in time order, of the half-open span of macro ticks `[start, stop)`.

    A chunk without photons still moves time. A chunk whose `start` is not the last one's `stop` says that the
    ticks between were not watched: a gap, out of which nothing is counted and which is no live time.

    Attributes:
        start, stop: macro ticks (T3: laser pulses, unless the info has `pulse_s`; T2: device ticks).
        time: int64[n], macro ticks, never decreasing, each in `[start, stop)`.
        nanotime: uint16[n], units of `StreamInfo.resolution_s` after the laser pulse (T3); empty in T2.
        channel: uint8[n], the channel number of the raw record.
        marker_time, marker: int64[m] and uint8[m]; marker times may be slightly out of order, as devices give them.
        lost: records that the source knows to be missing from this span or from the gap before it.
    """

    start: int
    stop: int
    time: NDArray[np.int64] = field(default_factory=lambda: NO_TIME)
    nanotime: NDArray[np.uint16] = field(default_factory=lambda: NO_NANOTIME)
    channel: NDArray[np.uint8] = field(default_factory=lambda: NO_CHANNEL)
    marker_time: NDArray[np.int64] = field(default_factory=lambda: NO_TIME)
    marker: NDArray[np.uint8] = field(default_factory=lambda: NO_CHANNEL)
    lost: int = 0

    def cut(self, tick: int) -> tuple[Chunk, Chunk]:
        """The parts before and from `tick` on, which lies within the span; late markers are the first's.

        Where in the span records were lost is not known: they are the last's, so that none is told before it was lost.
        """
        at, marked = int(np.searchsorted(self.time, tick)), self.marker_time < tick
        pulsed = len(self.nanotime) > 0
        parts = []
        for photons, keep, start, stop, lost in (
            (slice(0, at), marked, self.start, tick, 0), (slice(at, None), ~marked, tick, self.stop, self.lost),
        ):  # fmt: skip
            parts.append(Chunk(
                start, stop, self.time[photons], self.nanotime[photons] if pulsed else self.nanotime,
                self.channel[photons], self.marker_time[keep], self.marker[keep], lost,
            ))  # fmt: skip
        return parts[0], parts[1]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What holds for a whole stream; everything a consumer needs to give ticks and nanotimes their units.

    Attributes:
        mode: "T3" (photons have a nanotime; `time` counts laser pulses unless `pulse_s` is given) or "T2" (`time`
            counts device ticks).
        tick_s: length of a macro tick in seconds, unrounded: the sync period in T3, unless `pulse_s` is given.
        resolution_s: unit of the nanotime in seconds (T3); 0.0 in T2.
        source: the address that made the stream, such as "ptu:run.ptu" or "simulate".
        file: path of the recording, or "" when there is none.
        format: such as "PTU HydraHarp2T3" or "simulated T3".
        hardware: device name and version as the source gives it.
        sync_rate_hz: laser rate, or None where the stream does not know it.
        channels: channel numbers that may occur, when the source knows them beforehand; else ().
        live: the source follows the wall clock, so what is not taken in time is lost.
        duration_s: how long the source expects to last, or None.
        warnings: contradictions that the source found before the first record, one line each.
        truth: what a simulated stream was made from, as plain JSON; {} for a real one.
        t0_ns: nanotime of the excitation per channel in ns where the source knows it, {} elsewhere.
        look: what a bounded first pass over a recording found (see streamer.first_look), plain JSON; {} without one.
        doubts: what cannot be trusted -> why, one line each: "times" (rates, durations, delays), "nanotimes"
            (lifetimes, FLID, gates), "pairs" (g2). What is doubted is counted all the same, but its numbers are
            withheld.
        pulse_s: T3 whose macro tick is *not* the laser pulse (a clock of the card's own): laser period in seconds.
            None: a macro tick is a laser pulse. Without the pulse number of a photon no g2 is counted.
        pulse_known: False where nobody said the laser period: `pulse_s` is then the whole range of the nanotime, and
            nothing that needs the period is computed.
    """

    mode: str
    tick_s: float
    resolution_s: float = 0.0
    source: str = ""
    file: str = ""
    format: str = ""
    hardware: str = ""
    sync_rate_hz: float | None = None
    channels: tuple[int, ...] = ()
    live: bool = False
    duration_s: float | None = None
    warnings: tuple[str, ...] = ()
    truth: dict[str, Any] = field(default_factory=dict)
    t0_ns: dict[int, float] = field(default_factory=dict)
    look: dict[str, Any] = field(default_factory=dict)
    # Not in the repr, which makes the identity of recordings: those without them keep the one they have.
    doubts: dict[str, str] = field(default_factory=dict, repr=False)
    pulse_s: float | None = field(default=None, repr=False)
    pulse_known: bool = field(default=True, repr=False)

    def __post_init__(self) -> None:
        """Refuse units that would make every later number wrong."""
        if self.mode not in ("T2", "T3"):
            raise ValueError(f"mode: must be 'T2' or 'T3', got {self.mode!r}")
        if not 0 < self.tick_s < float("inf"):
            raise ValueError(f"tick_s: must be a positive number of seconds, got {self.tick_s!r}")
        if self.pulse_s is not None and (self.mode != "T3" or not 0 < self.pulse_s < float("inf")):
            raise ValueError(f"pulse_s: must be a positive number of seconds, and is for T3, got {self.pulse_s!r}")
        if self.pulse_s is None and not self.pulse_known:
            raise ValueError(
                "pulse_known: may be False only with pulse_s, the range of the nanotime; else a tick is it"
            )
        if self.mode == "T3" and not 0 < self.resolution_s <= self.laser_s:
            raise ValueError(
                f"resolution_s: must be above 0 and at most the laser period {self.laser_s!r} s in T3, "
                f"got {self.resolution_s!r}"
            )
        _check_doubts(self.doubts)

    @property
    def laser_s(self) -> float:
        """Laser period in seconds (T3); where it is not known, the range of the nanotime."""
        return self.tick_s if self.pulse_s is None else self.pulse_s

    @property
    def period(self) -> float:
        """Laser period in units of the nanotime (T3), not rounded; 0.0 in T2."""
        return self.laser_s / self.resolution_s if self.mode == "T3" else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire and for files."""
        data = asdict(self)
        data["channels"], data["warnings"] = list(self.channels), list(self.warnings)
        data["t0_ns"] = {str(channel): value for channel, value in self.t0_ns.items()}
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> StreamInfo:
        """Inverse of `to_dict`; keys of a later version are left alone, missing ones take their default."""
        known = {key: data[key] for key in cls.__dataclass_fields__ if key in data}
        known["channels"] = tuple(int(channel) for channel in known.get("channels", ()))
        known["warnings"] = tuple(str(line) for line in known.get("warnings", ()))
        known["t0_ns"] = {int(channel): float(value) for channel, value in known.get("t0_ns", {}).items()}
        return cls(**known)


def _check_doubts(doubts: dict[str, str]) -> None:
    for what, reason in doubts.items():
        if what not in DOUBTFUL or not isinstance(reason, str) or not reason:
            raise ValueError(f"doubts: must map {', '.join(DOUBTFUL)} to a line of text, got {what!r}: {reason!r}")


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The last thing a source says: why it ended and what only the end can know.

    Attributes:
        reason: "end of file", "duration reached", or the reason of the Stop that it obeyed.
        records: vendor records read, or None where there are none (a simulation).
        lost_records: records known to be missing.
        sync_records: sync events that were not taken as photons (T2).
        warnings: contradictions found while reading, one line each.
        doubts: as in StreamInfo, found while reading.
    """

    reason: str
    records: int | None = None
    lost_records: int = 0
    sync_records: int = 0
    warnings: tuple[str, ...] = ()
    doubts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse doubts that would withhold nothing."""
        _check_doubts(self.doubts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the wire."""
        return asdict(self) | {"warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> StreamEnd:
        """Inverse of `to_dict`."""
        known = {key: data[key] for key in cls.__dataclass_fields__ if key in data}
        known["warnings"] = tuple(str(line) for line in known.get("warnings", ()))
        return cls(**known)
