"""Channel delays taken out of a stream before anything is counted: each channel is moved to when its light came."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from streamer.chunk import Chunk
from streamer.group import NONE, Photons, joined
from streamer.kernels import CHANNELS, FLOAT, INT, INTS, NANOTIMES, TIMES, kernel, types

_OUT_TIMES = types.Array(types.int64, 1, "C")
_OUT_NANOTIMES = types.Array(types.uint16, 1, "C")
_OUT_CHANNELS = types.Array(types.uint8, 1, "C")


class Delays:
    """Moves photons later by a whole number of fine units per channel, and keeps the stream in time order.

    Only shifts of 0 or more are taken: delaying the early channel is the same as advancing the late one, and needs no
    look ahead. A photon moved
    over the end of its stretch (at a gap or at the end of the stream) is where the other channels were not watched: it
    is left out and counted in `outside`.

    Args:
        shifts: raw channel -> fine units to move later by, >= 0; channels left out stay.
        period: laser period in nanotime units in T3, 0.0 in T2.
    """

    def __init__(self, shifts: Mapping[int, int], period: float) -> None:
        if any(shift < 0 for shift in shifts.values()):
            raise ValueError(f"shifts: must be 0 or more, got {dict(shifts)}")
        self.period = period
        self.shift = np.zeros(256, np.int64)
        for channel, shift in shifts.items():
            self.shift[channel] = shift
        self.position: int | None = None
        self.held = NONE
        self.outside = 0

    def feed(self, chunk: Chunk) -> Chunk:
        """The same span with its photons moved; what moved beyond it comes with the next chunk."""
        if not self.shift.any():
            return chunk
        if self.position is not None and chunk.start != self.position:
            self.flush()
        n = len(chunk.time)
        moved = Photons(np.empty(n, np.int64), np.empty(len(chunk.nanotime), np.uint16), np.empty(n, np.uint8))
        if self.period:
            _move_t3(chunk.time, chunk.nanotime, chunk.channel, self.shift, self.period, moved.time, moved.nanotime)
        else:
            np.add(chunk.time, self.shift[chunk.channel], out=moved.time)
        moved.channel[:] = chunk.channel
        both = joined([self.held, moved])
        if both is self.held or both is NONE:
            both = both.owned()  # sorting is done in place, which neither of these may be
        _sort(*both)
        cut = int(np.searchsorted(both.time, chunk.stop))
        self.held, self.position = both.part(cut).owned(), chunk.stop
        now = both.part(0, cut)
        return Chunk(chunk.start, chunk.stop, *now, chunk.marker_time, chunk.marker, chunk.lost)

    def flush(self) -> None:
        """The stretch is over: what was moved beyond its end is left out, and counted."""
        self.outside += len(self.held.time)
        self.held = NONE


@kernel(INT, TIMES, NANOTIMES, CHANNELS, INTS, FLOAT, _OUT_TIMES, _OUT_NANOTIMES)
def _move_t3(time, nanotime, channel, shift, period, out_time, out_nanotime):  # type: ignore[no-untyped-def]
    """Nanotime plus shift; whole periods in it become pulses. Whole periods are rounded to nanotime units once each."""
    for i in range(len(time)):
        late = np.int64(nanotime[i]) + shift[channel[i]]
        pulses = np.int64(late / period)
        out_time[i] = time[i] + pulses
        out_nanotime[i] = late - np.int64(np.rint(pulses * period))
    return 0


@kernel(INT, _OUT_TIMES, _OUT_NANOTIMES, _OUT_CHANNELS)
def _sort(time, nanotime, channel):  # type: ignore[no-untyped-def]
    """Stable insertion sort: photons are out of order by a cable's length at most, so each passes very few others."""
    pulsed = len(nanotime) > 0
    for i in range(1, len(time)):
        t = time[i]
        if time[i - 1] <= t:
            continue
        c = channel[i]
        n = nanotime[i] if pulsed else np.uint16(0)
        j = i
        while j > 0 and time[j - 1] > t:
            time[j], channel[j] = time[j - 1], channel[j - 1]
            if pulsed:
                nanotime[j] = nanotime[j - 1]
            j -= 1
        time[j], channel[j] = t, c
        if pulsed:
            nanotime[j] = n
    return 0
