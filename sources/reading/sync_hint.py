"""Sync hint: does a channel of absolute times look like the laser's sync, which nobody named?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sources.reading.pulse_period import find_pulse_period
from streamer.chunk import Chunk
from streamer.errors import InputError

_TAGS = 4096  # of each channel that are looked at
_EVENTS = 1 << 18  # of all channels, so that a busy one does not fill the memory
_FEWEST = 512  # tags, for a comb to be no chance
_MOST_JITTER = 0.003  # of the period: of a sync; the decay of a detector's photons blurs more than that, as a rule

LOOKS = "channel {} looks like the laser's sync"


class SyncHint:
    """Looks at the first tags of a T2 stream, channel by channel."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._times: list[NDArray[np.int64]] = []
        self._channels: list[NDArray[np.uint8]] = []
        self._seen = 0

    def add(self, chunk: Chunk) -> None:
        """Look at a chunk, until enough was seen."""
        if self._seen < _EVENTS and len(chunk.time):
            part = slice(_EVENTS - self._seen)
            self._times.append(chunk.time[part].copy())
            self._channels.append(chunk.channel[part].copy())
            self._seen += len(self._times[-1])

    def lines(self, tick_s: float) -> list[str]:
        """One line for each channel that looks like a sync."""
        if not self._seen:
            return []
        time, channel = np.concatenate(self._times), np.concatenate(self._channels)
        found = []
        for number in np.unique(channel).tolist():
            tags = time[channel == number][:_TAGS]
            if len(tags) < _FEWEST:
                continue
            try:
                comb = find_pulse_period(np.diff(tags), 1, None, "")
            except InputError:
                continue
            if comb.jitter <= _MOST_JITTER * comb.period:
                found.append(
                    f"{LOOKS.format(number)}: its tags lie {comb.period * tick_s * 1e9:.6g} ns "
                    f"apart or a multiple of it; set pulses={number} to count by its pulses, or leave it out with "
                    "`channels` in the settings"
                )
        return found
