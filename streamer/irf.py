"""The response: a recording of scattered light, counted by channel and nanotime for the decay fits."""

from __future__ import annotations

import math
from contextlib import closing

import numpy as np

from streamer.config import Settings
from streamer.errors import InputError
from streamer.estimators.response import LEAST_PHOTONS, Response
from streamer.layout import NANOTIME_BINS, with_period
from streamer.registry import Source, open_source


def read_response(settings: Settings) -> Response | None:
    """The response that `settings.irf` names, read to its end; None where none is named.

    Raises:
        InputError: it cannot be read, has no nanotimes or laser period, or too few photons.
    """
    if settings.irf is None:
        return None
    try:
        return _counted(open_source(settings.irf, {k: str(v) for k, v in settings.irf_options.items()}), settings)
    except InputError as error:
        raise InputError(f"irf: {error}") from None


def _counted(source: Source, settings: Settings) -> Response:
    """Photons of a recording by channel and nanotime, in bins as a run's."""
    info, remedy = with_period(source.info, settings.period_ns), "give a recording of scattered light, or no `irf`"
    if "nanotimes" in info.doubts:
        raise InputError(f"{settings.irf}: {info.doubts['nanotimes']}; {remedy}")
    if info.mode != "T3" or not info.pulse_known:
        what = "no nanotimes (it is T2)" if info.mode != "T3" else "no known laser period (period_ns, or irf_options)"
        raise InputError(f"{settings.irf}: it has {what}; {remedy}")
    if info.live:
        raise InputError(f"{settings.irf}: it is a live source, which never ends; {remedy}")
    shift = max(0, math.ceil(math.log2((info.period + 1) / NANOTIME_BINS)))
    n = (math.ceil(info.period) >> shift) + 2
    counts = np.zeros((256, n), np.int64)
    with closing(source.chunks()) as chunks:  # type: ignore[type-var]
        for chunk in chunks:
            for channel in np.unique(chunk.channel):
                own = np.minimum(chunk.nanotime[chunk.channel == channel] >> shift, n - 1)
                counts[channel] += np.bincount(own, minlength=n)
    photons = counts.sum(axis=1)
    if photons.max() < LEAST_PHOTONS:
        raise InputError(
            f"{settings.irf}: at most {photons.max()} photons in a channel, must be {LEAST_PHOTONS}; {remedy}"
        )
    kept = {int(channel): counts[channel] for channel in np.flatnonzero(photons)}
    for own, other in settings.irf_channels.items():
        if not photons[other]:
            there = ", ".join(str(channel) for channel in np.flatnonzero(photons))
            raise InputError(f"irf_channels: {settings.irf} has no photons in channel {other}; it has {there}")
        kept[own] = counts[other]
    return Response(kept, info.resolution_s * 1e9 * (1 << shift), info.laser_s * 1e9)
