"""Where is the true zero delay? The displaced centre of an antibunched source, offered only where it is proven.

Cables and optics shift the zero of a cross-correlation by tens of ns. The dip of an antibunched source shows where it
went; but the lowest of many peaks is low in every source, and centring on it would make any light look antibunched.
So the lowest candidate must be proven low:

* against its own neighbours, because the bunching envelope makes distant peaks higher or lower: the exact binomial
  tail of its pairs, given theirs, as a Gaussian z;
* in the scatter of the other peaks about *their* neighbours, because real combs and envelopes vary by more than shot
  noise: z is divided by the root of the measured dispersion (never below 1), and referred to Student's t with the
  number of peaks that measured it. An envelope's curvature or alternating pulses show in that dispersion and so pay
  for themselves. A dip differs from them in that only one place has it;
* times the number of candidates looked at (Bonferroni);
* and alone, below its nearest neighbours: peaks swallowed by a dead time shared by both detectors are not.

It is offered where what is left stands five sigma out. One thing cannot be told from a dip by any of this: in cw light
a hole that the recorder's own dead time leaves between its channels, if it is some 60 ns wide or less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, ndtri, stdtr

from streamer.estimators.comb import FIVE_SIGMA, Comb, check_axis, comb_phase, find_period

__all__ = ["Comb", "DelayOffer", "find_delay", "find_period"]

# Neighbours on each side, as many left as right so that a slope cancels. Ten are local, yet their own noise costs only
# 5 %; three are needed besides, because a broad dip (a dead-time hole, an envelope's trough) is low against ten, too.
NEIGHBOURS = (10, 3)
MIN_NEIGHBOURS = 3
ALONE_SIGMA = 3.0
MIN_DEGREES = 5  # of freedom of the dispersion
CW_WIDTHS_NS = (1.0, 2.0, 5.0, 10.0, 20.0)

_SMALLEST = 1e-300


@dataclass(frozen=True, slots=True)
class DelayOffer:
    """Where the displaced centre may be; not to be used unless `found`.

    Attributes:
        delay_ns: of detector b behind detector a, at the candidate that stands out most; None where nothing could be
            tested. Pulsed: whole periods and the comb's phase together, to a fraction of a bin.
        sigma: one-sided Gaussian sigmas after the look at every candidate is paid for; 0 where chance is as good.
        found: sigma is above 5.
        candidates: how many places were looked at.
        reason: why it was not found, else None.
        phase_ns: phase of the comb in (-period/2, period/2], known whether or not the centre is; None for cw light. It
            is the offset *within* a period: with a centre at lag 0 it is the whole delay.
        error_ns: standard error of delay_ns (and of phase_ns), shot noise only; None where neither is known.
    """

    delay_ns: float | None
    sigma: float
    found: bool
    candidates: int
    reason: str | None
    phase_ns: float | None = None
    error_ns: float | None = None


@dataclass(frozen=True, slots=True)
class _Lowest:
    """The cell that stands out most: its index, and the chance of it before the number of looks."""

    cell: int
    chance: float


def find_delay(
    tau_ns: NDArray[np.float64],
    counts: NDArray[np.int64],
    period_ns: float | None,
    max_delay_ns: float = 200.0,
) -> DelayOffer:
    """Look for the displaced centre of an antibunched source in a cross-correlation histogram.

    Args:
        tau_ns: float64[n], equally spaced bin centres, n odd, zero in the middle; the window must hold at least three,
            better ten, side peaks beyond `max_delay_ns`.
        counts: int64[n], pairs per bin, tau = t_b - t_a.
        period_ns: laser period (`find_period`, or the recorder's sync); None for cw light, where no comb may be seen.
        max_delay_ns: candidates lie within +-max_delay_ns; pulsed light has at least the one nearest to zero.

    Raises:
        ValueError: bins that are not an odd number of equal ones about zero, or a period of fewer than two bins.
    """
    bin_ns = check_axis(tau_ns, counts)
    tau, pairs = np.asarray(tau_ns, np.float64), np.asarray(counts, np.float64)
    if period_ns is None:
        return _cw_delay(tau, pairs, bin_ns, max_delay_ns)
    if not period_ns >= 2 * bin_ns:
        raise ValueError(f"period_ns: must be at least two bins of {bin_ns:g} ns, got {period_ns!r}")
    return _pulsed_delay(tau, pairs, bin_ns, period_ns, max_delay_ns)


def _pulsed_delay(
    tau: NDArray[np.float64], pairs: NDArray[np.float64], bin_ns: float, period: float, max_delay: float
) -> DelayOffer:
    """One cell per period, centred on the comb's peaks."""
    half = tau[-1] + bin_ns / 2
    if half < 1.5 * period:
        return DelayOffer(None, 0.0, False, 0, f"the window of +-{half:g} ns is too short for {period:g} ns periods")
    phase, error = comb_phase(tau, pairs, period)
    first, last = np.ceil((-half - phase) / period + 0.5), np.floor((half - phase) / period - 0.5)
    centres = phase + np.arange(first, last + 1) * period
    cells = _cells(tau, pairs, bin_ns, centres, period)
    near = np.abs(centres) <= max(max_delay, float(np.abs(centres).min()))
    lowest = _lowest(cells, near, nearest=1)
    candidates = int(near.sum())
    if lowest is None:
        reason = (
            f"nothing to compare with: {len(cells)} whole peaks and {pairs.sum():.0f} pairs in the window, a candidate "
            f"needs {MIN_NEIGHBOURS} peaks with pairs on each side"
        )
        return DelayOffer(None, 0.0, False, candidates, reason, phase, error)
    return _offer(float(centres[lowest.cell]), lowest.chance, candidates, phase, error)


def _cw_delay(tau: NDArray[np.float64], pairs: NDArray[np.float64], bin_ns: float, max_delay: float) -> DelayOffer:
    """Windows of several widths at every half width; the neighbours begin two windows off, beyond the dip's flanks."""
    half = tau[-1] + bin_ns / 2
    # A comb beats with the windows, and where the beat slips one of them holds no peak: a dip that is none.
    comb = find_period(tau, pairs)
    if comb is not None:
        reason = f"not cw: there is a comb of {comb.period_ns:.4g} ns; look with that period"
        return DelayOffer(None, 0.0, False, 0, reason)
    candidates, best, place, width_ns = 0, 2.0, 0.0, 0.0
    for width in CW_WIDTHS_NS:
        if width < bin_ns:
            continue
        for shift in (0.0, width / 2):
            count = int((half - width / 2 - shift) // width)
            centres = shift + np.arange(-count, count + 1) * width
            centres = centres[centres - width / 2 >= -half]
            near = np.abs(centres) <= max_delay
            lowest = _lowest(_cells(tau, pairs, bin_ns, centres, width), near, nearest=2)
            if lowest is None:
                continue
            candidates += int(near.sum())
            if lowest.chance < best:
                best, place, width_ns = lowest.chance, float(centres[lowest.cell]), width
    if candidates == 0:
        return DelayOffer(None, 0.0, False, 0, f"the window of +-{half:g} ns is too short, or holds no pairs")
    offer = _offer(place, best, candidates)
    if not offer.found:
        return offer
    centre, error = _dip_centre(tau, pairs, bin_ns, place, width_ns)
    return DelayOffer(centre, offer.sigma, True, candidates, None, None, error)


def _cells(
    tau: NDArray[np.float64], pairs: NDArray[np.float64], bin_ns: float, centres: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    """Pairs in [centre - width/2, centre + width/2); a bin that an edge cuts is shared out evenly."""
    edges = np.concatenate(([tau[0] - bin_ns / 2], tau + bin_ns / 2))
    total = np.concatenate(([0.0], np.cumsum(pairs)))
    return np.interp(centres + width / 2, edges, total) - np.interp(centres - width / 2, edges, total)


def _lowest(cells: NDArray[np.float64], near: NDArray[np.bool_], nearest: int) -> _Lowest | None:
    """The candidate that is lowest against its neighbours, and the chance that an ordinary cell is that low."""
    shown = np.ones(len(cells), bool)
    side, number = _neighbours(cells, shown, nearest, NEIGHBOURS[0])
    testable = near & (number >= 2 * MIN_NEIGHBOURS) & (side > 0)
    if not testable.any():
        return None
    alone = testable & _alone(cells, nearest)
    cell = int(np.argmax(np.where(alone if alone.any() else testable, _low_z(cells, side, number), -np.inf)))
    if not alone[cell]:
        return _Lowest(cell, 1.0)
    # The candidate, and what of a dip may reach into the cells beside it, must not speak for the ordinary scatter.
    shown = np.abs(np.arange(len(cells)) - cell) >= nearest
    chances = [_chance(cells, shown, cell, nearest, reach) for reach in NEIGHBOURS]
    return _Lowest(cell, max(chances))


def _chance(cells: NDArray[np.float64], shown: NDArray[np.bool_], cell: int, nearest: int, reach: int) -> float:
    """Chance of one cell against its neighbours, in the scatter of the shown about theirs; 1 if it cannot be told."""
    side, number = _neighbours(cells, shown, nearest, reach)
    ordinary = shown & (number > 0) & (side > 0)
    mean = side[ordinary] / number[ordinary]
    residual = (cells[ordinary] - mean) ** 2 / (mean * (1 + 1 / number[ordinary]))
    # Residuals that share neighbours are correlated, which costs degrees of freedom: 12-25 % of them with six
    # neighbours, 6 % with twenty.
    degrees = float(np.sum(1 - 2 / number[ordinary]))
    if degrees < MIN_DEGREES or side[cell] == 0:
        return 1.0
    dispersion = max(1.0, float(residual.mean()))
    z = _low_z(cells[cell : cell + 1], side[cell : cell + 1], number[cell : cell + 1])[0]
    return float(stdtr(degrees, -z / np.sqrt(dispersion)))


def _neighbours(
    cells: NDArray[np.float64], shown: NDArray[np.bool_], nearest: int, reach: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum and number of the shown cells at +-nearest..+-(nearest + reach - 1) of each, always both of a +- pair."""
    n = len(cells)
    side, number = np.zeros(n), np.zeros(n, np.int64)
    for offset in range(nearest, min(nearest + reach, (n + 1) // 2)):
        inner = slice(offset, n - offset)
        both = shown[2 * offset :] & shown[: n - 2 * offset]
        side[inner] += np.where(both, cells[2 * offset :] + cells[: n - 2 * offset], 0.0)
        number[inner] += 2 * both
    return side, number


def _alone(cells: NDArray[np.float64], nearest: int) -> NDArray[np.bool_]:
    """Whether each cell is below both nearest neighbours, at three sigma against the lower of the two.

    Inside a hole, and at its edge, there is a neighbour that is as low.
    """
    alone = np.zeros(len(cells), bool)
    if 2 * nearest < len(cells):
        inner = cells[nearest:-nearest]
        beside = np.minimum(cells[2 * nearest :], cells[: -2 * nearest])
        alone[nearest:-nearest] = _low_z(inner, beside, np.ones(len(inner), np.int64)) > ALONE_SIGMA
    return alone


def _low_z(cells: NDArray[np.float64], side: NDArray[np.float64], number: NDArray[np.int64]) -> NDArray[np.float64]:
    """Gaussian z of the exact binomial tail P(X <= cell | cell + side, 1/(1 + number)); positive where low."""
    # betainc(n - c, c + 1, 1 - p) is that tail, and goes on smoothly between whole numbers.
    tail = betainc(np.maximum(side, 1e-9), cells + 1.0, number / (1.0 + number))
    return -ndtri(np.maximum(tail, _SMALLEST))


def _offer(
    delay: float, chance: float, candidates: int, phase: float | None = None, error: float | None = None
) -> DelayOffer:
    """Pay for the looks and compare with five sigma."""
    total = max(min(1.0, candidates * chance), _SMALLEST)
    sigma = max(0.0, float(-ndtri(total))) if total < 1 else 0.0
    found = total < FIVE_SIGMA
    reason = None if found else f"no place stands out: {sigma:.1f} sigma of 5, with {candidates} places looked at"
    return DelayOffer(delay, sigma, found, candidates, reason, phase, error)


def _dip_centre(
    tau: NDArray[np.float64], pairs: NDArray[np.float64], bin_ns: float, place: float, width: float
) -> tuple[float, float]:
    """Centre of a cw dip and its standard error: where two-sided exponentials match its missing pairs best."""
    reach = max(2 * width, 10 * bin_ns)
    far = (np.abs(tau - place) > 2 * reach) & (np.abs(tau - place) < 6 * reach)
    inside = np.abs(tau - place) <= 3 * reach
    level = float(pairs[far].mean())
    missing, local = level - pairs[inside], tau[inside] - place
    inner = np.flatnonzero(np.abs(local) <= reach)
    steps = np.arange(-len(local) + 1, len(local)) * bin_ns
    best, centre, error = -np.inf, place, width
    for length in width * np.array([0.25, 0.5, 1.0, 2.0, 4.0]):
        kernel = np.exp(-np.abs(steps) / length)
        # "valid" of a kernel twice as long: one value per bin of `local`, each with the whole kernel in reach.
        match = np.convolve(kernel, missing, mode="valid") / np.sqrt(level * np.sum(kernel**2))
        top = inner[int(np.argmax(match[inner]))]
        if match[top] > best and 0 < top < len(match) - 1:
            left, here, right = match[top - 1 : top + 2]
            bend = left - 2 * here + right
            offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
            # The match is the dip in units of its noise; a cusp of that length is placed to length / match.
            best, centre, error = float(here), float(place + local[top] + offset * bin_ns), float(length / here)
    return centre, error
