"""Study: many dots of a case at one truth, each looked at until its budget ends, by every way to stop at once."""

from __future__ import annotations

import math
import multiprocessing
import zlib
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.stopping import cw_dots, dots
from benchmarks.stopping.cases import BRIGHT, CASES, ERRORS, Case
from benchmarks.stopping.cw_dots import CwDot
from benchmarks.stopping.twin import HALF, NEVER, Floats, first, fixed, log_e, naive, wald

PART = 250  # dots with a seed of their own
SINGLE, NOT_SINGLE, UNDECIDED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Steps:
    """What comes between looks, of one state.

    Attributes:
        central: pairs, [dots, looks].
        references, weights: as in RatioEvidence, [references, dots, looks].
        photons: of both detectors, credited, [dots, looks].
        signal: share of the pairs that is signal as it is known at each look, or [[1.0]].
    """

    central: Floats
    references: Floats
    weights: tuple[float | None, ...]
    photons: Floats
    signal: Floats


@dataclass(frozen=True, slots=True)
class Stops:
    """One way to stop, of each dot.

    Attributes:
        verdict: or UNDECIDED by the end of the budget.
        pairs: of centre and side until then; of cw light the accidental pairs.
        photons: credited until then.
        signal: share of the pairs that is signal, as it was known then.
    """

    verdict: NDArray[np.int64]
    pairs: Floats
    photons: Floats
    signal: Floats


@dataclass(frozen=True, slots=True)
class Found:
    """Of some dots of one case, state and truth.

    Attributes:
        stops: by promised error; the naive way by 0.
        outside: whether the limits of all moments ever left out the truth.
        weight: of the first reference.
    """

    stops: dict[float, Stops]
    outside: NDArray[np.bool_]
    weight: float


def steps_of(case: Case, state: int, g: float, count: int, seed: int) -> Iterator[Steps]:
    """Draw dots: what is credited between looks, of each state that is asked for."""
    dot = case.dot
    if isinstance(dot, CwDot):
        ends = dots.look_ends(dot.segments(case.budget(g)))
        counts = cw_dots.draw(dot, g, ends, count, seed)
        passed = np.diff(ends, prepend=0) * dot.segment
        photons = np.broadcast_to(passed * 2 * dot.rate, counts.shape[:2])
        references = np.stack([counts[..., cw_dots.PRODUCT], counts[..., cw_dots.FAR_PAIRS]])
        yield Steps(counts[..., cw_dots.CENTRAL], references, (None, dot.weight), photons, np.ones((1, 1)))
        return
    share = (dot.rate / (dot.rate + dot.background)) ** 2
    on = 1.0 if dot.dwells is None else 0.5 if dot.power else dot.dwells[0] / sum(dot.dwells)
    ends = dots.look_ends(math.ceil(dot.segments(case.budget(g, share)) / on))
    counts = dots.draw(dot, g, ends, count, seed)
    for at in case.states:
        one = counts[:, :, at]
        fall = 1 - np.arange(1, dots.LAGS + 1) / dot.segment if at == BRIGHT else np.ones(dots.LAGS)
        yield Steps(
            one[..., dots.CENTRAL],
            one[..., dots.SIDE][None],
            (2 * float(fall.sum()),),
            one[..., dots.PHOTONS_A] + one[..., dots.PHOTONS_B],
            _signal(one, dot.background),
        )


def _signal(counts: Floats, dark: float) -> Floats:
    """Share of the pairs that is signal, from the photons so far, as `streamer.pair_evidence` finds it."""
    if dark == 0:
        return np.ones((1, 1))
    so_far = counts.cumsum(axis=1)
    a, b, product, pulses = (so_far[..., at] for at in (dots.PHOTONS_A, dots.PHOTONS_B, dots.PRODUCT, dots.PULSES))
    left = (a > dark * pulses) & (b > dark * pulses) & (product > 0)
    signal = product - dark * (a + b) + dark * dark * pulses
    share: Floats = np.where(left, np.clip(signal / np.where(left, product, 1.0), 0.0, 1.0), 0.0)
    return share


def judge(steps: Steps, g: float) -> Found:
    """Every way to stop, on the same dots."""
    arguments = (steps.central, steps.references, steps.weights, steps.signal)
    at_half, at_truth = log_e(*arguments, HALF), log_e(*arguments, g)
    weight = steps.weights[0]
    pairs = (steps.references[0] if weight is None else steps.central + steps.references[0]).cumsum(axis=1)
    counts = pairs, steps.photons.cumsum(axis=1), np.broadcast_to(steps.signal, pairs.shape)
    stops = {error: _stop(*(at_half >= -math.log(error)), *counts) for error in ERRORS}
    if weight is not None and steps.signal.size == 1:
        so_far = steps.central.cumsum(axis=1), steps.references[0].cumsum(axis=1)
        stops[0.0] = _stop(*naive(*so_far, weight), *counts)
    outside = (at_truth >= -math.log(ERRORS[0] / 2)).any(axis=(0, 2))
    return Found(stops, outside, weight or math.inf)


def _stop(single: NDArray[np.bool_], not_single: NDArray[np.bool_], *counts: Floats) -> Stops:
    ends = first(single), first(not_single)
    look = np.minimum(*ends)
    verdict = np.where(look == NEVER, UNDECIDED, np.where(ends[0] <= ends[1], SINGLE, NOT_SINGLE))
    at = np.arange(len(look)), np.minimum(look, single.shape[1] - 1)
    return Stops(verdict, *(count[at] for count in counts))


def part(case: int, g: float, count: int, number: int) -> list[Found]:
    """Some dots in a process of its own; one Found per state."""
    one = CASES[case]
    seed = zlib.crc32(f"{one.name} {g:g} {number}".encode())
    return [judge(steps, g) for steps in steps_of(one, 0, g, count, seed)]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the page: one case, state and truth, all dots."""

    case: str
    state: int
    g: float
    found: Found

    def wrong(self, error: float) -> float:
        """Share of wrong verdicts; at 0.5 that is "single", for "not single" means 0.5 or more."""
        return float((self.found.stops[error].verdict == (SINGLE if self.g >= HALF else NOT_SINGLE)).mean())

    def undecided(self, error: float) -> float:
        """Share of dots without a verdict by the end of the budget."""
        return float((self.found.stops[error].verdict == UNDECIDED).mean())

    def bound(self, error: float) -> float:
        """Wald's, in pairs (cw: in accidental pairs)."""
        r, r0, weight = self._coins()
        return wald(r, r0, weight, error)

    def fixed(self, error: float, g: float) -> float:
        """Pairs of the exposure that has this error at g."""
        _, r0, weight = self._coins()
        return fixed(1 + (g - 1) * self.signal, r0, weight, error)

    @property
    def signal(self) -> float:
        """Share of the pairs that is signal, mean over the verdicts."""
        return round(float(self.found.stops[ERRORS[0]].signal.mean()), 3)

    def _coins(self) -> tuple[float, float, float]:
        return 1 + (self.g - 1) * self.signal, 1 + (HALF - 1) * self.signal, self.found.weight


def study(
    names: Sequence[str], count: int, processes: int = 2, had: Container[tuple[str, float]] = ()
) -> Iterator[Row]:
    """Every case with one of these names at every truth of it, but those that one had."""
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = []
        for at, case in enumerate(CASES):
            for g in case.truths:
                if case.name not in names or (case.name, g) in had:
                    continue
                parts = [min(PART, count - done) for done in range(0, count, PART)]
                jobs = [pool.submit(part, at, g, some, number) for number, some in enumerate(parts)]
                waiting.append((case, g, jobs))
        for case, g, jobs in waiting:
            found = [job.result() for job in jobs]
            for at, state in enumerate(case.states):
                yield Row(case.name, state, g, _joined([one[at] for one in found]))


def _joined(parts: Sequence[Found]) -> Found:
    stops = {}
    for error in parts[0].stops:
        some = [one.stops[error] for one in parts]
        stops[error] = Stops(*(np.concatenate([getattr(one, name) for one in some]) for name in Stops.__slots__))
    outside = np.concatenate([one.outside for one in parts])
    return Found(stops, outside, parts[0].weight)
