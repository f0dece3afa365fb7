"""Check: what a recording holds, read to its end without analysing it."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamer.registry import Source
from streamer.tally import channel_counts


def check_source(source: Source) -> dict[str, Any]:
    """Counts, span and contradictions of a stream, as plain JSON."""
    counts = np.zeros(256, np.int64)
    markers = stop = lost = gaps = 0
    position: int | None = None
    for chunk in source.chunks():
        counts += channel_counts(chunk.channel)
        markers += len(chunk.marker)
        lost += chunk.lost
        gaps += position is not None and chunk.start != position
        position = stop = chunk.stop
    info, end = source.info, source.end()
    return {
        "file": info.file or None,
        "format": info.format,
        "mode": info.mode,
        "hardware": info.hardware,
        "sync_rate_hz": info.sync_rate_hz,
        "tick_s": info.tick_s,
        "resolution_s": info.resolution_s or None,
        "duration_s": stop * info.tick_s,
        "records": end.records,
        "markers": markers,
        "photons": int(counts.sum()),
        "photons_per_channel": {str(channel): int(counts[channel]) for channel in np.flatnonzero(counts)},
        "sync_records": end.sync_records,
        "lost_records": lost + end.lost_records,
        "gaps": gaps,
        "warnings": [*info.warnings, *end.warnings],
    }
