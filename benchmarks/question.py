"""Question: what every contender is asked about the same recordings, in the same units."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# Task -> what is asked, for the table.
TASKS = {
    "decode T3": "photons of the T3 recording as arrays",
    "decode T2": "photons of the T2 recording as arrays",
    "g2 pulsed": "pairs of the two detectors against tau, T3",
    "g2 cw": "pairs of the two detectors against tau, T2",
    "lifetime": "decay histogram of each detector, T3",
    "trace": "photons per 10 ms, T3",
    "states": "per state of the trace: decay of each detector and g2, T3",
}


class NotOffered(Exception):
    """A contender cannot do a task; the text says why."""


@dataclass(frozen=True)
class Question:
    """The recordings and the sizes of every histogram.

    Attributes:
        t3, t2: paths of the PTU files.
        tick_s: laser period of the T3 file.
        resolution_s: unit of its nanotime.
        width: width of a tau bin of the pulsed g2 in nanotime units.
        half: tau bins on each side.
        cw_width_s, cw_half: the same for the T2 file.
        trace_s: length of a bin of the trace.
        thresholds_cps: count rates that part the three states, for those who do not find them by themselves.
    """

    t3: str
    t2: str
    tick_s: float
    resolution_s: float
    width: int
    half: int
    cw_width_s: float
    cw_half: int
    trace_s: float
    thresholds_cps: tuple[float, float]

    @property
    def period(self) -> int:
        """Laser period in nanotime units."""
        return round(self.tick_s / self.resolution_s)

    @property
    def width_s(self) -> float:
        """Width of a tau bin of the pulsed g2."""
        return self.width * self.resolution_s

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Question:
        """Inverse of `to_dict`."""
        return cls(**data | {"thresholds_cps": tuple(data["thresholds_cps"])})
