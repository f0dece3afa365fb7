"""Pacing: a recording's chunks at the speed of the measurement, or a multiple of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np

from streamer.chunk import Chunk

_PACED_S = 0.010  # stream time of a paced chunk: a viewer is smooth
_PACED_WALL_S = 0.0005  # but a fast replay must not be cut into more chunks than can be sent


def paced(
    chunks: Generator[Chunk, None, None], speed: float, tick_s: float, stopping: threading.Event
) -> Iterator[Chunk]:
    """Each chunk when its span has passed on a monotonic clock that runs `speed` times faster; ends when told to."""
    step = max(1, round(max(_PACED_S, speed * _PACED_WALL_S) / tick_s))
    begin, origin = time.monotonic(), None
    with closing(chunks):
        for chunk in chunks:
            origin = chunk.start if origin is None else origin
            for piece in pieces(chunk, step):
                due = begin + (piece.stop - origin) * tick_s / speed
                while (wait := due - time.monotonic()) > 0:
                    if stopping.wait(min(wait, threading.TIMEOUT_MAX)):
                        return
                if stopping.is_set():
                    return
                yield piece


def pieces(chunk: Chunk, step: int) -> Iterator[Chunk]:
    """The chunk cut at the multiples of `step` ticks; a marker that is late goes with the first piece."""
    if chunk.start == chunk.stop:
        yield chunk  # markers or loss at the very end
        return
    marker_time = np.maximum(chunk.marker_time, chunk.start)
    start, first, lost = chunk.start, 0, chunk.lost
    while start < chunk.stop:
        stop = min((start // step + 1) * step, chunk.stop)
        last = int(np.searchsorted(chunk.time, stop))
        marked = (marker_time >= start) & (marker_time < stop)
        photons = slice(first, last)
        yield replace(
            chunk,
            start=start,
            stop=stop,
            time=chunk.time[photons],
            nanotime=chunk.nanotime[photons],
            channel=chunk.channel[photons],
            marker_time=chunk.marker_time[marked],
            marker=chunk.marker[marked],
            lost=lost,
        )
        start, first, lost = stop, last, 0
