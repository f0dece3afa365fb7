"""Consistency: what a stream says of itself against what was counted, and what a contradiction makes unknowable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import DOUBTFUL, StreamEnd, StreamInfo

APART = 0.01  # of itself: two statements of one thing that differ by more contradict each other
GRACE_S = 1.0  # a card stops up to so much later than it was told
BEYOND_SAID, BEYOND_DOUBTED = 0.001, 0.01  # share of nanotimes beyond the period that is said, and that spoils results
LEAST_PHOTONS = 100  # fewer tell no share, and nothing else is computed from them either
PILE_UP_SAID, PILE_UP_DOUBTED = 0.05, 0.20  # photons per pulse and detector
FEWEST_SEGMENTS, FEWEST_PHOTONS = 10, 1.0  # in a run; on average in a segment

WITHHELD = {
    "times": "rates, durations and delays",
    "nanotimes": "lifetimes, FLID and gates",
    "pairs": "g2",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was counted of a stream up to some moment.

    Attributes:
        photons: all that were received.
        beyond: those whose nanotime lies at or beyond the end of the laser period (T3).
        live_s, span_s: time that was watched, and from the first tick to the last, by the stream's own tick.
    """

    photons: int
    beyond: int
    live_s: float
    span_s: float


class Found(NamedTuple):
    """Doubts as in StreamInfo, and remarks that withhold nothing, one line each."""

    doubts: dict[str, str]
    remarks: tuple[str, ...]


def compare(info: StreamInfo, seen: Seen, end: StreamEnd | None = None) -> Found:
    """Every contradiction between what a stream says of itself and what was counted, its own doubts among them.

    What each one spoils:
        laser rate against laser period: where a tick is the laser pulse, every time is in doubt; lifetimes are in any
            case, as background and wrap need the period. The pulse number of a photon is counted, not computed, so a
            g2(0) by pulse lag stays.
        nanotimes beyond the laser period: above BEYOND_DOUBTED, sync and data do not belong together: neither is a
            nanotime one since the last pulse, nor is the pulse that a photon belongs to known. Below, these photons
            are left out of the lifetime, which moves it by no more than their share of the period.
        more data than the duration says: the duration is of another run, and so may be the tick where it is taken from
            that run's laser (T3); in T2 it is the card's own, and stays. Fewer are a measurement that was stopped,
            which is no contradiction.

    Args:
        info: of the stream.
        seen: what was counted up to now.
        end: of the stream, once it is there.
    """
    doubts: dict[str, list[str]] = {what: [] for what in DOUBTFUL}
    remarks: list[str] = []
    for given in (info.doubts, end.doubts if end else {}):
        for what, reason in given.items():
            doubts[what].append(reason)
    if info.mode == "T3" and info.pulse_known and info.sync_rate_hz and _apart(info.sync_rate_hz * info.laser_s, 1):
        line = (
            f"the stream says a laser rate of {info.sync_rate_hz:.6g} Hz and a laser period of "
            f"{info.laser_s * 1e9:.6g} ns ({1 / info.laser_s:.6g} Hz), which contradict each other; correct its header"
        )
        for what in ("nanotimes",) if info.pulse_s is not None else ("times", "nanotimes"):
            doubts[what].append(line)
    if seen.photons >= LEAST_PHOTONS and seen.beyond > BEYOND_SAID * seen.photons:
        share = seen.beyond / seen.photons
        line = (
            f"{seen.beyond} of {seen.photons} photons ({100 * share:.2g} %) have a nanotime beyond the laser period of "
            f"{info.laser_s * 1e9:.6g} ns"
        )
        if share > BEYOND_DOUBTED:
            line += "; sync and data do not belong together, correct sync rate or resolution"
            doubts["nanotimes"].append(line)
            doubts["pairs"].append(line)
        else:
            remarks.append(f"nanotimes: {line}; they are left out of the lifetimes")
    says = info.duration_s
    if says and not info.live and seen.live_s > (1 + APART) * says + GRACE_S:
        line = f"the data last {seen.live_s:.4g} s where the stream says {says:.4g} s"
        if info.mode == "T2":
            remarks.append(f"duration: {line}; its header is of another run")
        else:
            doubts["times"].append(f"{line}; its clock tick or its duration is wrong, correct its header")
    ended = end is not None and end.reason == "end of file"
    if says and not info.live and ended and seen.span_s < (1 - APART) * says:
        remarks.append(
            f"duration: the data end at {seen.span_s:.4g} s where the stream says {says:.4g} s; was it stopped early?"
        )
    known = {what: "; ".join(dict.fromkeys(lines)) for what, lines in doubts.items() if lines}
    return Found(known, tuple(remarks))


def reach(doubts: Mapping[str, str], mode: str, *, delays_by_hand: bool) -> dict[str, str]:
    """The same doubts, carried on to the pairs where these hang on the times.

    In T2 a pair's delay is a time. In T3 it is a number of pulses, which needs no clock, unless a channel delay in ns
    was put in by hand and has to be turned into pulses.
    """
    if "times" in doubts and "pairs" not in doubts and (mode == "T2" or delays_by_hand):
        return {**doubts, "pairs": doubts["times"]}
    return dict(doubts)


def lines(doubts: Mapping[str, str]) -> list[str]:
    """One line per reason: what is doubted, why, and what is withheld for it."""
    told = []
    for reason in dict.fromkeys(doubts.values()):
        whats = [what for what in DOUBTFUL if doubts.get(what) == reason]
        lost = " and ".join(WITHHELD[what] for what in whats)
        told.append(f"{', '.join(whats)}: {reason}; {lost} are withheld")
    return told


def unsaid(one: StreamInfo | StreamEnd) -> list[str]:
    """The warnings of a source that its doubts do not say already."""
    return [line for line in one.warnings if line not in one.doubts.values()]


def first_beyond(info: StreamInfo) -> int | None:
    """The first nanotime that lies beyond the laser period; None where none can be or the period is not known."""
    first = math.ceil(info.period) if info.mode == "T3" and info.pulse_known else 1 << 16
    return first if first < 1 << 16 else None


def beyond(nanotime: NDArray[np.uint16], first: int | None) -> int:
    """How many of the nanotimes uint16[n] are `first` or more."""
    return int(np.count_nonzero(nanotime >= first)) if first is not None else 0


def piled_up(per_pulse: float) -> float:
    """By what share of itself the lifetime comes out too short where a detector counts `per_pulse` photons per pulse.

    A card takes the first photon of a pulse, so a later one is seen with the probability that none came before. With a
    mean of m detectable photons per pulse, per_pulse = 1 - exp(-m), and an exponential decay turns into
    exp(-t) exp(-m (1 - exp(-t))), whose mean is lower by m/4 in first order: 1.3 % at 5 %, the usual limit, and 5.6 %
    at 20 %, which is far beyond the errors given here and moves with the count rate, so that states would seem to
    differ. It is an upper limit: photons that one emitter cannot emit in the same pulse hide no other, and a card may
    take more than one.
    """
    return -math.log1p(-min(per_pulse, 0.999)) / 4


def pile_up(per_pulse: Mapping[int, float]) -> tuple[str | None, str | None]:
    """(why no lifetime can be given, what should be said of it): None where there is nothing to say.

    Args:
        per_pulse: raw channel -> photons per laser pulse.
    """
    channel, most = max(per_pulse.items(), key=lambda item: item[1], default=(0, 0.0))
    if not most > PILE_UP_SAID:
        return None, None
    line = f"pile-up: channel {channel} counts a photon in {100 * most:.2g} % of the laser pulses"
    if most > PILE_UP_DOUBTED:
        return f"{line}, above {100 * PILE_UP_DOUBTED:.0f} % the table gives no lifetime; attenuate the light", None
    return None, f"{line}; its lifetime may be up to {100 * piled_up(most):.2g} % too short"


def setting_remarks(
    *, mode: str, period_ns: float, gate_ns: float, bin_s: float, segments: int, photons: int, ended: bool
) -> list[str]:
    """Settings that the stream makes void, one line each.

    Args:
        mode: of the stream.
        period_ns: laser period, 0.0 where there is none.
        gate_ns: of the present cut.
        bin_s: nominal length of a segment.
        segments, photons: analysed up to now.
        ended: the stream is over.
    """
    remarks = []
    if gate_ns > 0 and mode == "T2":
        remarks.append(f"gate_ns: {gate_ns:g} ns was set, but T2 has no nanotime to gate on; no gated g2")
    elif mode == "T3" and gate_ns >= period_ns:
        remarks.append(
            f"gate_ns: {gate_ns:g} ns lies beyond the laser period of {period_ns:.6g} ns, where no pair is; no gated g2"
        )
    if photons and ended and segments < FEWEST_SEGMENTS:
        remarks.append(
            f"bin_ms: {segments} segments of {bin_s * 1e3:g} ms in all are too few to tell states; shorten bin_ms"
        )
    elif photons and segments >= FEWEST_SEGMENTS and photons < FEWEST_PHOTONS * segments:
        remarks.append(
            f"bin_ms: a segment of {bin_s * 1e3:g} ms holds {photons / segments:.2g} photons on average, too few to "
            "tell states; lengthen bin_ms"
        )
    return remarks


def _apart(value: float, other: float) -> bool:
    return abs(value / other - 1) > APART
