"""The bounded first pass over a recording: channels, excitation, laser period, and whether the centre is displaced."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.accumulators.coincidences import Coincidences
from streamer.chunk import Chunk, StreamInfo
from streamer.config import Settings
from streamer.estimators.alignment import find_delay, find_period
from streamer.estimators.excitation import find_t0
from streamer.group import Group
from streamer.layout import Layout

FINE_BINS = 8192  # tau bins on each side
NEIGHBOURS = 11  # periods beyond the farthest candidate, so that it too has neighbours to be held against
CW_WINDOW_NS = 500.0


def first_look(chunks: Iterable[Chunk], info: StreamInfo, settings: Settings) -> dict[str, Any]:
    """What the first `settings.look_photons` photons tell, as plain JSON for `StreamInfo.look`.

    Keys: photons, channels {channel: photons}, t0_ns {channel: ns or None}, period_ns (a T2 comb, or None),
    pair [a, b] or None, delay {delay_ns: b later than a, sigma, found, reason} or None.
    """
    kept: list[Chunk] = []
    photons = 0
    for chunk in chunks:
        kept.append(chunk)
        photons += len(chunk.time)
        if photons >= settings.look_photons:
            break
    counts = sum((np.bincount(chunk.channel, minlength=256) for chunk in kept), np.zeros(256, np.int64))
    present = [int(channel) for channel in np.flatnonzero(counts)]
    pair = choose_pair(settings, {channel: int(counts[channel]) for channel in present})
    look: dict[str, Any] = {
        "photons": photons,
        "channels": {str(channel): int(counts[channel]) for channel in present},
        "t0_ns": {str(channel): _t0(kept, channel, info) for channel in present} if info.mode == "T3" else {},
        "period_ns": None,
        "pair": list(pair) if pair else None,
        "delay": None,
    }
    if pair is None or photons == 0:
        return look
    period_ns = info.tick_s * 1e9 if info.mode == "T3" else settings.period_ns
    tau_ns, table = _correlation(kept, info, pair, period_ns, settings.max_delay_ns)
    if period_ns is None:
        comb = find_period(tau_ns, table)
        look["period_ns"] = period_ns = comb.period_ns if comb else None
    offer = find_delay(tau_ns, table, period_ns, max_delay_ns=settings.max_delay_ns)
    look["delay"] = {
        "delay_ns": offer.delay_ns,
        "sigma": offer.sigma,
        "found": offer.found,
        "candidates": offer.candidates,
        "reason": offer.reason,
    }
    return look


def choose_pair(settings: Settings, counts: dict[int, int]) -> tuple[int, int] | None:
    """The first pair of the settings, or else the two busiest channels in the order of their numbers."""
    if settings.pairs is not None:
        return settings.pairs[0] if settings.pairs else None
    allowed = [channel for channel in counts if settings.channels is None or channel in settings.channels]
    busiest = sorted(sorted(allowed, key=lambda channel: (-counts[channel], channel))[:2])
    return (busiest[0], busiest[1]) if len(busiest) == 2 else None


def _t0(chunks: list[Chunk], channel: int, info: StreamInfo) -> float | None:
    """Nanotime of the excitation in ns from the channel's decay."""
    bins = math.ceil(info.period) + 1
    decay = np.zeros(bins, np.int64)
    for chunk in chunks:
        decay += np.bincount(np.minimum(chunk.nanotime[chunk.channel == channel], bins - 1), minlength=bins)
    resolution_ns = info.resolution_s * 1e9
    return find_t0(decay, resolution_ns, info.period * resolution_ns)


def _correlation(
    chunks: list[Chunk], info: StreamInfo, pair: tuple[int, int], period_ns: float | None, max_delay_ns: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(tau in ns, pairs) over every delay that is asked for and its neighbours, in bins as fine as FINE_BINS allow."""
    reach_ns = max_delay_ns + NEIGHBOURS * period_ns if period_ns else max(CW_WINDOW_NS, 2 * max_delay_ns)
    fine_s = info.resolution_s if info.mode == "T3" else info.tick_s
    width = max(1, math.ceil(reach_ns * 1e-9 / fine_s / FINE_BINS)) | 1
    layout = Layout(
        info.mode, info.tick_s, info.resolution_s, pair, (pair,), 1.0, info.period, 2,
        width, math.ceil(reach_ns * 1e-9 / fine_s / width), (0, 0),
    )  # fmt: skip
    group = Group(layout, [Coincidences(layout)])
    for chunk in chunks:
        group.feed(chunk)
    group.finish()
    return layout.tau_ns(), group.accumulators[0].tables["tau0"].sum(axis=0)
