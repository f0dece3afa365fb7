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
from streamer.estimators.alignment import DelayOffer, find_delay, find_period
from streamer.estimators.excitation import Excitation, locate_excitation
from streamer.group import Group
from streamer.layout import Layout

FINE_BINS = 8192  # tau bins on each side
NEIGHBOURS = 11  # periods beyond the farthest candidate, so that it too has neighbours to be held against
REACH_NS = 1000.0  # looked at in any case: the more side peaks, the better is known how much they vary by themselves


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
    places = {channel: _excitation(kept, channel, info) for channel in present} if info.mode == "T3" else {}
    look: dict[str, Any] = {
        "photons": photons,
        "channels": {str(channel): int(counts[channel]) for channel in present},
        "t0_ns": {str(channel): place.t0_ns for channel, place in places.items()},
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
        "delay_ns": _sharpened(offer, period_ns, *(places.get(channel) for channel in pair)),
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


def _excitation(chunks: list[Chunk], channel: int, info: StreamInfo) -> Excitation:
    """Where the channel's decay begins."""
    bins = math.ceil(info.period) + 1
    decay = np.zeros(bins, np.int64)
    for chunk in chunks:
        decay += np.bincount(np.minimum(chunk.nanotime[chunk.channel == channel], bins - 1), minlength=bins)
    resolution_ns = info.resolution_s * 1e9
    return locate_excitation(decay, resolution_ns, info.period * resolution_ns)


def _sharpened(offer: DelayOffer, period_ns: float | None, a: Excitation | None, b: Excitation | None) -> float | None:
    """The delay in ns, its part below a period from the decays' beginnings where these are known better than the
    comb's phase.

    Every photon tells where a decay begins, only pairs tell the phase of the comb.
    """
    if offer.delay_ns is None or period_ns is None or a is None or b is None:
        return offer.delay_ns
    if a.t0_ns is None or b.t0_ns is None or a.error_ns is None or b.error_ns is None:
        return offer.delay_ns
    if math.hypot(a.error_ns, b.error_ns) > (offer.error_ns or math.inf):
        return offer.delay_ns
    below = b.t0_ns - a.t0_ns
    return below + period_ns * round((offer.delay_ns - below) / period_ns)


def _correlation(
    chunks: list[Chunk], info: StreamInfo, pair: tuple[int, int], period_ns: float | None, max_delay_ns: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(tau in ns, pairs) over every delay that is asked for and its neighbours, in bins as fine as FINE_BINS allow."""
    reach_ns = max(REACH_NS, max_delay_ns + NEIGHBOURS * period_ns if period_ns else 2 * max_delay_ns)
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
