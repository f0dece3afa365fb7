"""Plan: how a stream will be counted, from what it says of itself and what the settings ask."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from streamer.chunk import StreamInfo
from streamer.config import Settings
from streamer.consistency import APART
from streamer.errors import InputError
from streamer.estimators.change_alarms import threshold_of
from streamer.first_look import NEIGHBOURS, choose_pair
from streamer.layout import GUARD_S, Layout, check_pairs, no_pairs, units

PERIOD_PARTS = 64  # tau bins per laser period
CERTAIN = 3.0  # standard errors by which a centre must lie beside zero: the dip may be proven, and its place not
CW_BIN_NS, CW_WINDOW_NS = 0.5, 500.0
MOST_TAU_BINS = 200_000  # x 425 levels x 8 bytes = 680 MB


@dataclass(frozen=True)
class Plan:
    """How a stream is counted.

    Attributes:
        layout: sizes and units of the tables.
        shifts: raw channel -> fine units to move later by, >= 0 (see `Delays`).
        delays_ns: raw channel -> delay taken out, ns; {} when none was.
        offer: a displaced centre that was found and not applied, as {delay_ns, significance in sigmas}; None otherwise.
        search_ns: how far to look for the centre while counting, because nobody looked before; 0.0 for not.
        t0_ns: raw channel -> nanotime of the excitation after the shifts, ns; None where unknown.
        t0_given: channels whose excitation the settings or the source gave; the others' was only looked for.
        warnings: what a user should know of these choices, one line each.
    """

    layout: Layout
    shifts: dict[int, int] = field(default_factory=dict)
    delays_ns: dict[int, float] = field(default_factory=dict)
    offer: dict[str, float] | None = None
    search_ns: float = 0.0
    t0_ns: dict[int, float | None] = field(default_factory=dict)
    t0_given: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()


def make_plan(info: StreamInfo, settings: Settings) -> Plan:
    """The plan of a stream; InputError when settings and stream contradict each other."""
    warnings: list[str] = []
    counts = {int(channel): int(n) for channel, n in info.look.get("channels", {}).items()}
    counts = counts or dict.fromkeys(info.channels, 1)
    detectors = settings.channels if settings.channels is not None else tuple(sorted(counts))
    looked = info.look.get("pair")
    pair = (int(looked[0]), int(looked[1])) if looked else choose_pair(settings, counts)
    unpaired = no_pairs(info, settings.period_ns)
    pairs = settings.pairs if settings.pairs is not None else ((pair,) if pair else ())
    if unpaired:
        pairs = ()
        warnings.append(f"g2: {unpaired}" + ("; `pairs` is left alone" if settings.pairs else ""))
    if pairs and settings.pairs is not None and settings.channels is None:
        detectors = tuple(sorted({*detectors, *(channel for one in pairs for channel in one)}))
    if not detectors and not info.look:
        raise InputError(
            "channels: the stream does not say which channels it has, and nobody looked; set `channels`, or "
            "`look_photons` above 0"
        )
    if not detectors:
        warnings.append("channels: no photon was found, so there is nothing to analyse")
    check_pairs(pairs, detectors)
    if counts:
        named = {*(settings.delays_ns if isinstance(settings.delays_ns, dict) else ()), *(settings.t0_ns or ())}
        absent = sorted({*named, *(channel for one in pairs for channel in one)} - set(counts))
        warnings += [f"channel {channel}: named in the settings, but it has no photons" for channel in absent]
    if len(detectors) == 1 and not pairs and not unpaired:
        warnings.append(f"g2: needs two detectors, only channel {detectors[0]} has photons; no g2")

    fine_s, period = units(info, settings.period_ns or info.look.get("period_ns"))
    warnings += _overruled(info, settings, fine_s * 1e9, cw=bool(pairs) and not period)
    width_ns = settings.tau_bin_ns or (period * fine_s * 1e9 / PERIOD_PARTS if period else CW_BIN_NS)
    width = max(1, round(width_ns * 1e-9 / fine_s))
    if settings.tau_bin_ns is None:
        width |= 1  # odd, so that the middle bin is centred on zero
    delays, offer = _delays(info, settings, pairs, width * fine_s * 1e9 / 2, warnings) if not unpaired else ({}, None)
    t0 = _excitation(info, settings, detectors)
    shifts, after = _shifts(info, delays, t0, detectors, fine_s, period)
    search_ns = 0.0 if settings.delays_ns != "auto" or info.look.get("delay") else settings.max_delay_ns
    period_ns = period * fine_s * 1e9
    reach_ns = settings.tau_window_ns or (
        max((settings.lags + 0.5) * period_ns, search_ns + NEIGHBOURS * period_ns if search_ns else 0.0)
        if period
        else max(CW_WINDOW_NS, 2 * search_ns)
    )
    half = max(1, math.ceil(reach_ns * 1e-9 / fine_s / width - 1e-9))
    if 2 * half + 1 > MOST_TAU_BINS:
        raise InputError(
            f"tau_bin_ns, tau_window_ns: at most {MOST_TAU_BINS} tau bins, got {2 * half + 1} "
            f"({reach_ns:g} ns in bins of {width * fine_s * 1e9:g} ns); widen the bins or narrow the window"
        )
    zero = tuple(
        round((after.get(channel) or 0.0) * 1e-9 / fine_s) if info.mode == "T3" else 0 for channel in detectors
    )
    layout = Layout(
        info.mode, info.tick_s, info.resolution_s, detectors, pairs, settings.bin_ms * 1e-3, period, settings.lags,
        width, half, zero, info.pulse_known, settings.log_tau,
        threshold_of(settings.false_alarms / 1000) if settings.segments == "changes" else None,
        settings.longest_ms * 1e-3,
    )  # fmt: skip
    given = frozenset({*(settings.t0_ns or {}), *info.t0_ns})
    return Plan(layout, shifts, delays, offer, search_ns, after, given, tuple(warnings))


def _overruled(info: StreamInfo, settings: Settings, unit_ns: float, *, cw: bool) -> list[str]:
    """Settings that this stream does not let be as they were asked for; `unit_ns` is the fine unit."""
    own_ns, lines = info.laser_s * 1e9, []
    if info.mode == "T3" and settings.period_ns and abs(settings.period_ns / own_ns - 1) > APART:
        lines.append(
            f"period_ns: {settings.period_ns:g} ns was set, but the stream's own laser period is {own_ns:.6g} ns, "
            "which is used; leave period_ns out, or correct the header"
        )
    for key, value in {
        "tau_bin_ns": settings.tau_bin_ns,
        "cw_window_ns": settings.cw_window_ns if cw else None,
    }.items():
        if value is not None and value < unit_ns * (1 - 1e-9):
            lines.append(f"{key}: {value:g} ns is less than a time can tell; it is one unit of {unit_ns:.6g} ns")
    if isinstance(settings.delays_ns, dict) and settings.delays_ns and no_pairs(info, settings.period_ns):
        lines.append("delays_ns: left alone, for without pairs no channel has to be moved")
    return lines


def _delays(
    info: StreamInfo, settings: Settings, pairs: tuple[tuple[int, int], ...], near_ns: float, warnings: list[str]
) -> tuple[dict[int, float], dict[str, float] | None]:
    """(delays to take out, offer): settings rule; "auto" takes what the first look found, at 5 sigma or not at all."""
    found = info.look.get("delay")
    offer = {"delay_ns": found["delay_ns"], "significance": found["sigma"]} if found and found["found"] else None
    if isinstance(settings.delays_ns, dict):
        given = {channel: delay for channel, delay in settings.delays_ns.items() if delay}
        return given, (None if given else offer)
    if offer is None or not pairs or list(pairs[0]) != info.look.get("pair"):
        return {}, offer
    if abs(offer["delay_ns"]) < max(near_ns, CERTAIN * (found.get("error_ns") or 0.0 if found else 0.0)):
        return {}, None  # the centre may lie where it should, or in the middle tau bin: there is nothing to take out
    warnings.append(
        f"delay: centre found at {offer['delay_ns']:+.3f} ns (channel {pairs[0][1]} against {pairs[0][0]}, "
        f"{offer['significance']:.1f} sigma after every candidate is paid for) and taken out; set delays_ns to fix it"
    )
    return {pairs[0][1]: offer["delay_ns"]}, None


def _excitation(info: StreamInfo, settings: Settings, detectors: tuple[int, ...]) -> dict[int, float | None]:
    """Nanotime of the excitation per channel: settings before the source's own word before the first look."""
    if info.mode != "T3" or not info.pulse_known:
        return {}
    looked: dict[str, Any] = info.look.get("t0_ns", {})
    return {
        channel: (settings.t0_ns or {}).get(channel, info.t0_ns.get(channel, looked.get(str(channel))))
        for channel in detectors
    }


def _shifts(
    info: StreamInfo,
    delays: dict[int, float],
    t0: dict[int, float | None],
    detectors: tuple[int, ...],
    fine_s: float,
    period: float,
) -> tuple[dict[int, int], dict[int, float | None]]:
    """(shifts in fine units, nanotime of the excitation after them).

    Taking out a delay moves a channel's decay in the TCSPC window. In T3 all channels are moved on together until the
    first excitation lies just
    behind the laser pulse, so that no decay is cut by the window's end and a pulse lag is a lag of excitations.
    """
    if not any(delays.values()) or not detectors:
        return {}, t0
    late = {channel: delays.get(channel, 0.0) * 1e-9 / fine_s for channel in detectors}
    latest = max(late.values())
    shifts = {channel: round(latest - value) for channel, value in late.items()}
    if not any(shifts.values()):
        return {}, t0  # less than half a unit: there is nothing to move
    if info.mode != "T3":
        return shifts, t0
    known = [value * 1e-9 / fine_s + shifts[channel] for channel, value in t0.items() if value is not None]
    if known:
        # The earliest excitation on the circle: the one after the widest stretch without any.
        phases = sorted(value % period for value in known)
        gaps = [(phases[i] - phases[i - 1]) % period or period for i in range(len(phases))]
        first = phases[gaps.index(max(gaps))]
        onward = round((2 * GUARD_S / fine_s - first) % period)
        shifts = {channel: shift + onward for channel, shift in shifts.items()}
    after = {
        channel: None if value is None else ((value * 1e-9 / fine_s + shifts[channel]) % period) * fine_s * 1e9
        for channel, value in t0.items()
    }
    return shifts, after
