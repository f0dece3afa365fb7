"""Order: tags that come late by less than a horizon are put where they belong, later ones are found.

A tag's lateness is the time of the latest tag before it in the file, less its own. It depends on the file alone, so
the same tags are sorted, refused or dropped in any chunking.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from sources.reading.events import Events

LATE, TOO_LATE = 1, 2

_TIMES = types.Array(types.int64, 1, "C", readonly=True)


@njit(types.int64(_TIMES, types.int64, types.int64, types.int64, types.int8[::1]), cache=True, nogil=True)
def mark_late(time, newest, horizon, border, late):  # type: ignore[no-untyped-def]
    """Mark the tags that come late, and those that come too late to be sorted.

    Args:
        time: int64[n], ticks in the order of the file.
        newest: time of the latest tag before them.
        horizon: a tag is too late when its lateness is above 0 and not below this.
        border: ticks below this were given out; a tag there is too late in any case.
        late: int8[n], written: 0 in order, LATE or TOO_LATE.

    Returns:
        The time of the latest tag that was not too late.
    """
    for k in range(time.size):
        lateness = newest - time[k]
        if (lateness > 0 and lateness >= horizon) or time[k] < border:
            late[k] = TOO_LATE
        else:
            late[k] = LATE if lateness > 0 else 0
            newest = max(newest, time[k])
    return newest


def in_order(events: Events, keep: NDArray[np.bool_] | None) -> Events:
    """The photons that are kept (all, if None), in order of time; equal times stay in the order of the file."""
    time = events.time if keep is None else events.time[keep]
    order = np.argsort(time, kind="stable")
    chosen = order if keep is None else np.flatnonzero(keep)[order]
    events.time, events.channel = events.time[chosen], events.channel[chosen]
    if len(events.nanotime):
        events.nanotime = events.nanotime[chosen]
    events.backsteps = 0
    return events
