"""Markers of a simulated stream: periodic signals on the card's inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sources.simulation.parts import Marker
from sources.simulation.settings import Settings


def markers(
    settings: Settings, start: int, stop: int, ticks_per_s: float
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Times (ticks, in order) and bits of the markers in [start, stop); those of one tick are one marker.

    A function of the span alone, so no chunk can change it: marker k of a signal stands at the first tick from k
    periods on.
    """
    signals: tuple[Marker, ...] = settings.markers + ((settings.next_dot,) if settings.next_dot else ())
    times, bits = [np.empty(0, np.int64)], [np.empty(0, np.uint8)]
    for signal in signals:
        period = signal.period_s * ticks_per_s
        number = np.arange(max(0, int(start / period) - 1), int(stop / period) + 2)
        time = np.ceil(number * period).astype(np.int64)
        time = time[(time >= start) & (time < stop)]
        times.append(time)
        bits.append(np.full(len(time), signal.bit, np.uint8))
    time, place = np.unique(np.concatenate(times), return_inverse=True)
    together = np.zeros(len(time), np.uint8)
    np.bitwise_or.at(together, place, np.concatenate(bits))
    return time, together
