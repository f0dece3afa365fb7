"""State of a decoder of fixed-size records: an int64[16] that it carries from block to block.

PHOTONS and MARKERS: entries of the arrays in use. TICKS: time of all overflows so far. LATEST: greatest time of a
marker or of an event left out. BACKSTEPS: photons earlier than the one before them. SYNCS: sync events left out.
UNKNOWN: records that are none of these. From OWN on the columns are the decoder's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PHOTONS, MARKERS, TICKS, LATEST, BACKSTEPS, SYNCS, UNKNOWN, OWN = range(8)
COLUMNS = 16

LONGEST = 1 << 61  # ticks: 26 days of picoseconds, and far enough from the end of int64 for one block's overflows


def new_state() -> NDArray[np.int64]:
    """The state before the first record."""
    state = np.zeros(COLUMNS, np.int64)
    state[LATEST] = -1
    return state
