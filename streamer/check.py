"""Check: what a recording holds, read to its end without analysing it."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamer.consistency import Seen, beyond, compare, first_beyond, reach, unsaid
from streamer.registry import Source
from streamer.tally import channel_counts


def check_source(source: Source) -> dict[str, Any]:
    """Counts, span, contradictions and doubts (see StreamInfo) of a stream, as plain JSON.

    A duration in doubt is None.
    """
    counts = np.zeros(256, np.int64)
    markers = stop = lost = gaps = late = live = 0
    position = began = first = last = None
    for chunk in source.chunks():
        if position is None and chunk.start == chunk.stop and not len(chunk.marker) and not chunk.lost:
            continue  # a sign of life of a stream that has not begun
        began = chunk.start if began is None else began
        live += chunk.stop - chunk.start
        late += beyond(chunk.nanotime, first_beyond(source.info))
        counts += channel_counts(chunk.channel)
        markers += len(chunk.marker)
        lost += chunk.lost
        if len(chunk.time):
            first, last = int(chunk.time[0]) if first is None else first, int(chunk.time[-1])
        gaps += position is not None and chunk.start != position
        position = stop = chunk.stop
    info, end = source.info, source.end()
    span_s = (stop - (began or 0)) * info.tick_s
    seen = Seen(int(counts.sum()), late, live * info.tick_s, span_s)
    doubts, remarks = compare(info, seen, end)
    doubts = reach(doubts, info.mode, delays_by_hand=False)
    return {
        "file": info.file or None,
        "format": info.format,
        "mode": info.mode,
        "hardware": info.hardware,
        "sync_rate_hz": info.sync_rate_hz,
        "tick_s": info.tick_s,
        "resolution_s": info.resolution_s or None,
        "duration_s": None if "times" in doubts else span_s,
        "records": end.records,
        "markers": markers,
        "photons": int(counts.sum()),
        "photons_per_channel": {str(channel): int(counts[channel]) for channel in np.flatnonzero(counts)},
        "first_tick": first,
        "last_tick": last,
        "sync_records": end.sync_records,
        "lost_records": lost + end.lost_records,
        "gaps": gaps,
        "doubts": doubts,
        "warnings": [*unsaid(info), *remarks, *unsaid(end)],
    }
