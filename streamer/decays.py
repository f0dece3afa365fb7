"""Decays: the lifetimes of all photons and of each state, with what of the laser period they could be seen in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.excitation import locate_excitation
from streamer.estimators.lifetime import Lifetime, state_lifetime
from streamer.estimators.one_over_e import RANGE, OneOverE, one_over_e
from streamer.estimators.recorded import bridged, unrecorded
from streamer.estimators.resting import switched_shift
from streamer.estimators.states import Mixture
from streamer.plan import Plan

LATE = 0.02  # share of the photons after the next pulse from which a verdict on g2(0) would be one on the overlap
BROAD = 0.2  # of the lifetime: a broader response moves the 1/e time by more than its error
NO_PERIOD = "the laser period is not known; set period_ns"
LEAST_OWN = 2000  # photons of a state and detector, from which it shows the excitation by itself
SAME_EDGE_NS = 0.5  # by which it may then lie elsewhere than in all photons; further off it is another edge
USUAL_BLUR_NS = 0.1  # of detector and electronics, where the decay itself does not tell


@dataclass(frozen=True, slots=True, eq=False)
class Decays:
    """Decay of every row: all photons, then each state.

    Attributes:
        counts: int64[rows, detectors, nanotime bins].
        t0_ns: raw channel -> nanotime of the excitation, None where it could not be found.
        lifetimes, one_over_e: one per row.
        hidden: bool[detectors, nanotime bins], what the nanotimes leave out of the laser period.
        blur_ns: raw channel -> standard deviation of the response, as the rising edge tells it; None where it does not.
        bin_ns: width of a nanotime bin.
        rested: int64[rows, detectors, nanotime bins], what the lifetimes are of: as `counts`, but for a state without
            segments with a switch, where these can be left out.
        seconds: float64[rows], live time of the segments that `rested` is of.
    """

    counts: NDArray[np.int64]
    t0_ns: dict[int, float | None]
    lifetimes: tuple[Lifetime, ...]
    one_over_e: tuple[OneOverE, ...]
    hidden: NDArray[np.bool_]
    blur_ns: dict[int, float | None] = field(default_factory=dict)
    bin_ns: float = 0.0
    rested: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0, 0), np.int64))
    seconds: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def hidden_ns(self) -> dict[int, float]:
        """Raw channel -> how much of the laser period its nanotimes leave out; only where they do."""
        missing = self.hidden.sum(axis=1) * self.bin_ns
        return {c: float(one) for c, one in zip(self.t0_ns, missing, strict=True) if one > 0}


def find_lifetimes(counts: NDArray[np.int64], plan: Plan) -> Decays:
    """Lifetimes of every row of decays, counts int64[rows, detectors, nanotime bins], the first of all photons."""
    layout = plan.layout
    resolution_ns = layout.resolution_s * 1e9
    bin_ns, period_ns = resolution_ns * (1 << layout.nanotime_shift), layout.period * resolution_ns
    if not layout.wraps:
        nothing = Lifetime(None, None, None, None, (), 0.0, 0, NO_PERIOD)
        n = len(counts)
        silent = (OneOverE(None, None, None),) * n
        return Decays(counts, dict.fromkeys(layout.detectors), (nothing,) * n, silent, np.zeros(counts.shape[1:], bool))
    inside = math.ceil(layout.period / (1 << layout.nanotime_shift))  # bins of one period
    hidden = np.zeros(counts.shape[1:], bool)
    for detector, each in enumerate(counts[0]):
        hidden[detector, :inside] = unrecorded(each[:inside])
    # The excitation is found anew in all that was counted, unless somebody knows it; the response's width
    # is found in any case.
    places = [
        locate_excitation(bridged(each[:inside], gap[:inside]), bin_ns, period_ns)
        for each, gap in zip(counts[0], hidden, strict=True)
    ]
    places = [
        replace(place, t0_ns=plan.t0_ns.get(channel), error_ns=0.0, reason=None) if channel in plan.t0_given else place
        for channel, place in zip(layout.detectors, places, strict=True)
    ]
    found = [d for d, place in enumerate(places) if place.t0_ns is not None]
    zero = np.array([place.t0_ns for place in places if place.t0_ns is not None])
    blur = [place.sigma_ns for place in places if place.t0_ns is not None and place.sigma_ns]
    sigma = sum(blur) / len(blur) if blur else USUAL_BLUR_NS
    error = np.array([place.error_ns or 0.0 for place in places if place.t0_ns is not None])
    open_ns = min((_seen_ns(hidden[d, :inside], t0, bin_ns) for d, t0 in zip(found, zero, strict=True)), default=0.0)
    lifetimes, one_over_es = [], []
    for at, row in enumerate(counts[:, found]):
        if not found:
            why = "the excitation cannot be found in the decay; set t0_ns"
            lifetimes.append(Lifetime(None, None, None, None, (), 0.0, 0, why))
            one_over_es.append(OneOverE(None, None, None))
            continue
        own_zero, own_error = zero.copy(), error.copy()
        for i, d in enumerate(found if at else ()):
            if layout.detectors[d] not in plan.t0_given:
                own_zero[i], own_error[i] = _own_edge(
                    bridged(row[i, :inside], hidden[d, :inside]), bin_ns, period_ns, zero[i], error[i]
                )
        lifetimes.append(
            state_lifetime(
                row, bin_ns, period_ns, own_zero, sigma_ns=sigma, t0_error_ns=own_error, hidden=hidden[found]
            )
        )
        # Without a lifetime no background is known to take off, and a 1/e time would be that of signal and background.
        known = lifetimes[-1].value_ns is not None
        background = lifetimes[-1].background_per_bin
        if not known:
            one_over_es.append(OneOverE(None, None, None))
        elif sigma > BROAD * float(lifetimes[-1].value_ns or 0.0):
            why = f"1/e time: the response ({sigma:.2g} ns) is too broad beside the decay"
            one_over_es.append(OneOverE(None, None, why))
        elif open_ns < RANGE * float(lifetimes[-1].value_ns or 0.0):
            one_over_es.append(OneOverE(None, None, "1/e time: the card's nanotimes end within the decay"))
        else:
            one_over_es.append(one_over_e(row, bin_ns, period_ns, own_zero, background, sigma))
    t0 = {channel: place.t0_ns for channel, place in zip(layout.detectors, places, strict=True)}
    blurs = {channel: place.sigma_ns for channel, place in zip(layout.detectors, places, strict=True)}
    return Decays(counts, t0, tuple(lifetimes), tuple(one_over_es), hidden, blurs, bin_ns)


def _own_edge(
    counts: NDArray[np.int64], bin_ns: float, period_ns: float, zero_ns: float, error_ns: float
) -> tuple[float, float]:
    """(excitation, its error) as a state's own decay shows it, where it has the photons for that; else as all photons.

    The laser is the same for all states, but the edge of all photons is one of several lifetimes and of scattered
    light, and found early by some 0.1 ns; on a short period a mean lifetime then comes out wrong by four times that.
    """
    place = locate_excitation(counts, bin_ns, period_ns) if counts.sum() >= LEAST_OWN else None
    if place is None or place.t0_ns is None or place.error_ns is None:
        return zero_ns, error_ns
    off = abs((place.t0_ns - zero_ns + period_ns / 2) % period_ns - period_ns / 2)
    return (place.t0_ns, place.error_ns) if off < SAME_EDGE_NS else (zero_ns, error_ns)


def _seen_ns(hidden: NDArray[np.bool_], t0_ns: float, bin_ns: float) -> float:
    """For how long after the excitation photons are recorded."""
    late = (np.flatnonzero(hidden) - t0_ns / bin_ns) % len(hidden)
    return float(late.min() * bin_ns) if len(late) else math.inf


def overlap_of(decays: Decays | None, row: int, period_ns: float) -> str | None:
    """Why pulses overlap: photons that come after the next pulse are counted as that pulse's."""
    if decays is None or not period_ns:
        return None
    lifetime = decays.lifetimes[row]
    if lifetime.value_ns is None:
        flat = "flat" in (lifetime.reason or "")
        return "the decay is flat over the laser period: pulses cannot be told apart, no verdict" if flat else None
    late = math.exp(-period_ns / lifetime.value_ns)
    if late < LATE:
        return None
    return (
        f"{100 * late:.0f} % of the photons come after the next pulse (lifetime {lifetime.value_ns:.3g} ns, period "
        f"{period_ns:.3g} ns): neighbouring peaks overlap, g2(0) is not that of the emitter; no verdict"
    )


def switched(decays: Decays, mixture: Mixture | None) -> Decays:
    """The states' lifetimes with what the segments that hold a switch may add to their errors.

    A share w of the segments is filed under a state in between; a photon of theirs is off by at most the difference of
    the lifetimes, so no state's mean is off by much more than w times it. From change to change, w is the share of the
    state's photons that a change found a little too early or late brings from its neighbour.
    """
    known = [one.value_ns for one in decays.lifetimes[1:] if one.value_ns is not None]
    # States that do not explain the trace are ranges of intensity, and a lifetime is that of the light found there.
    if mixture is None or not mixture.fits or len(known) < 2:
        return decays
    states = decays.lifetimes[1:]
    share = [mixture.switching] * len(states) if mixture.misfiled is None else mixture.misfiled.tolist()
    if not any(share):
        return decays
    extras = [each * (max(known) - min(known)) for each in share]
    widened = [
        one
        if one.value_ns is None or one.error_ns is None
        else replace(
            one,
            error_ns=math.hypot(one.error_ns, extra),
            low_ns=None if one.low_ns is None else max(0.0, one.low_ns - 2 * extra),
            high_ns=None if one.high_ns is None else one.high_ns + 2 * extra,
        )
        for one, extra in zip(states, extras, strict=True)
    ]
    return replace(decays, lifetimes=(decays.lifetimes[0], *widened))


def rest(decays: Decays, mixture: Mixture, segments: int, bin_s: float) -> Decays:
    """The states' lifetimes without what the segments with a switch add, whose error is added to theirs.

    Args:
        decays: of the levels at which the emitter rested; see `streamer.estimators.resting`.
        mixture: of as many states.
        segments: how many segments there are.
        bin_s: length of a segment in seconds.
    """
    known = [one.value_ns for one in decays.lifetimes[1:] if one.value_ns is not None]
    if len(known) < len(mixture.rates_cps):
        return switched(decays, mixture)
    shifts, errors = switched_shift(known, mixture.rates_cps, mixture.weights, mixture.switching, segments, bin_s)
    moved = [
        _moved(one, *each) for one, *each in zip(decays.lifetimes[1:], shifts.tolist(), errors.tolist(), strict=True)
    ]
    return replace(decays, lifetimes=(decays.lifetimes[0], *moved))


def _moved(one: Lifetime, shift_ns: float, error_ns: float) -> Lifetime:
    """The same lifetime less a shift of known error."""
    value, error = (one.value_ns or 0.0) - shift_ns, math.hypot(one.error_ns or 0.0, error_ns)
    wider = error / (one.error_ns or error or 1.0)
    low, high = ((end - shift_ns - value) * wider if end is not None else None for end in (one.low_ns, one.high_ns))
    return replace(
        one,
        value_ns=value,
        error_ns=error,
        low_ns=None if low is None else max(0.0, value + low),
        high_ns=None if high is None else value + high,
    )
