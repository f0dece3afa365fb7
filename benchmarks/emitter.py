"""Emitter: how fast the simulator makes photons, in laser pulses and in photons per second."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sources.simulate import open_source

# Name -> options of the simulated emitter.
EMITTERS = {
    "blinking dot, 10 MHz (default)": {},
    "the same at 2.5 MHz, 116 kcps": {"rate_hz": "2.5e6", "rate": "116e3"},
    "the same at 80 MHz, 1 Mcps": {"rate_hz": "80e6", "rate": "1e6"},
}


@dataclass(frozen=True)
class Speed:
    """Of one run; per second."""

    pulses: float
    photons: float


def run(options: dict[str, str], photons: int) -> Speed:
    """Simulate until so many photons came out."""
    source = open_source("", options | {"duration": "inf"})
    made, began = 0, time.perf_counter()
    for chunk in source.chunks():
        made += len(chunk.time)
        if made >= photons:
            break
    seconds = time.perf_counter() - began
    return Speed(source.pulses / seconds, made / seconds)
