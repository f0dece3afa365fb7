"""The bounded first pass over a recording: channels, excitation, laser period, and whether the centre is displaced."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.accumulators.coincidences import Coincidences
from streamer.accumulators.lifetime import Lifetime
from streamer.chunk import Chunk, StreamInfo
from streamer.config import Settings
from streamer.estimators.alignment import DelayOffer, find_delay, find_period
from streamer.estimators.excitation import Excitation, locate_excitation
from streamer.group import Group
from streamer.layout import Layout, no_pairs, with_period
from streamer.tally import channel_counts

SAMPLE = 100_000  # photons that show which channels there are
FINE_BINS = 8192  # tau bins on each side
NEIGHBOURS = 11  # periods beyond the farthest candidate, so that it too has neighbours to be held against
REACH_NS = 1000.0  # looked at in any case: the more side peaks, the better is known how much they vary by themselves


def first_look(chunks: Iterable[Chunk], info: StreamInfo, settings: Settings) -> dict[str, Any]:
    """What the first `settings.look_photons` photons tell, as plain JSON for `StreamInfo.look`.

    Keys: photons, channels {channel: photons}, t0_ns {channel: ns or None}, period_ns (a T2 comb, or None),
    pair [a, b] or None, delay {delay_ns: b later than a, error_ns, sigma, found, reason} or None.
    """
    chunks, info = iter(chunks), with_period(info, settings.period_ns)
    first, counts = _first_photons(chunks, min(SAMPLE, settings.look_photons))
    present = [int(channel) for channel in np.flatnonzero(counts)]
    unpaired = no_pairs(info, settings.period_ns)
    pair = None if unpaired else choose_pair(settings, {channel: int(counts[channel]) for channel in present})
    period_ns = info.laser_s * 1e9 if info.mode == "T3" else settings.period_ns
    group = _group(info, present, pair, period_ns, settings.max_delay_ns)
    counts[:] = 0
    for chunk in chain(first, chunks):
        counts += channel_counts(chunk.channel)
        group.feed(chunk)
        if counts.sum() >= settings.look_photons:
            break
    group.finish()
    tables, layout = {one.name: one.tables for one in group.accumulators}, group.layout
    places: dict[int, Excitation] = {}
    if "lifetime" in tables and info.pulse_known:
        bin_ns = info.resolution_s * 1e9 * (1 << layout.nanotime_shift)
        decays = tables["lifetime"]["decay"].sum(axis=0)
        places = {c: locate_excitation(decays[d], bin_ns, info.laser_s * 1e9) for d, c in enumerate(layout.detectors)}
    look: dict[str, Any] = {
        "photons": int(counts.sum()),
        "channels": {str(channel): int(counts[channel]) for channel in np.flatnonzero(counts)},
        "t0_ns": {str(channel): place.t0_ns for channel, place in places.items()},
        "period_ns": None,
        "pair": list(pair) if pair else None,
        "delay": None,
    }
    if "coincidences" not in tables:
        return look
    tau_ns, table = layout.tau_ns(), tables["coincidences"]["tau0"].sum(axis=0)
    if period_ns is None:
        comb = find_period(tau_ns, table)
        look["period_ns"] = period_ns = comb.period_ns if comb else None
    offer = find_delay(tau_ns, table, period_ns, max_delay_ns=settings.max_delay_ns)
    look["delay"] = {
        "delay_ns": _sharpened(offer, period_ns, *(places.get(channel) for channel in pair or ())),
        "error_ns": offer.error_ns,
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


def _first_photons(chunks: Iterator[Chunk], photons: int) -> tuple[list[Chunk], NDArray[np.int64]]:
    """(chunks with the first so many photons, photons per channel in them)."""
    first: list[Chunk] = []
    counts = np.zeros(256, np.int64)
    while counts.sum() < photons and (chunk := next(chunks, None)) is not None:
        first.append(chunk)
        counts += channel_counts(chunk.channel)
    return first, counts


def _group(
    info: StreamInfo, present: list[int], pair: tuple[int, int] | None, period_ns: float | None, max_delay_ns: float
) -> Group:
    """What counts decays, and pairs over every delay asked for and its neighbours, in at most FINE_BINS bins a side."""
    reach_ns = max(REACH_NS, max_delay_ns + NEIGHBOURS * period_ns if period_ns else 2 * max_delay_ns)
    fine_s = info.resolution_s if info.mode == "T3" else info.tick_s
    width = max(1, math.ceil(reach_ns * 1e-9 / fine_s / FINE_BINS)) | 1
    detectors = tuple(sorted({*present, *(pair or ())}))
    layout = Layout(
        info.mode, info.tick_s, info.resolution_s, detectors, (pair,) if pair else (), 1.0, info.period, 2,
        width, math.ceil(reach_ns * 1e-9 / fine_s / width), (0,) * len(detectors), info.pulse_known,
    )  # fmt: skip
    return Group(layout, [one(layout) for one in (Lifetime, Coincidences) if one.needs(layout)])
