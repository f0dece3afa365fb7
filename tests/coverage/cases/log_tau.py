"""Log-tau correlation: points of the curve and the relaxation time, of steady light and of telegraph emitters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np

from streamer.accumulators.log_tau import LogTau, block_ticks, correlated, lag_bins
from streamer.accumulators.sequence import Sequence
from streamer.chunk import Chunk
from streamer.estimators.log_tau import LONGEST_S, PART, all_curve
from streamer.estimators.multi_tau import Lags, Segments, Sums, by_octave, joined, photon_sums
from streamer.estimators.relaxation import relaxation, slow
from streamer.estimators.trace_tau import trace_sums
from streamer.group import Group
from streamer.layout import Layout
from tests.coverage.case import Case, Trial

TICK_S = 1e-8
LAGS_S = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 0.5)  # the octaves nearest to these are judged


@dataclass(frozen=True)
class Emitter:
    """Light that switches between two rates as a telegraph does, or steady light; one detector or two.

    Attributes:
        rate, dark: photons/s of both detectors together, switched on and off.
        on_s, off_s: mean dwell times; 0 for steady light.
        duration_s: of the run.
        alone: one detector.
    """

    name: str
    rate: float
    duration_s: float
    dark: float = 0.0
    on_s: float = 0.0
    off_s: float = 0.0
    alone: bool = False

    @property
    def layout(self) -> Layout:
        detectors = (0,) if self.alone else (0, 1)
        pairs = () if self.alone else ((0, 1),)
        return Layout("T2", TICK_S, 0.0, detectors, pairs, 0.01, 0.0, 10, 5, 100, (0,) * len(detectors))

    @property
    def relaxation_s(self) -> float:
        return 1 / (1 / self.on_s + 1 / self.off_s)

    @property
    def contrast(self) -> float:
        """g2 - 1 at lags far below the relaxation time."""
        if not self.on_s:
            return 0.0
        on = self.on_s / (self.on_s + self.off_s)
        mean = on * self.rate + (1 - on) * self.dark
        return on * (1 - on) * (self.rate - self.dark) ** 2 / mean**2

    def stream(self, rng: np.random.Generator) -> Chunk:
        edges, rates = self._rates(rng)
        counts = rng.poisson(np.diff(edges) * rates)
        time = np.repeat(edges[:-1], counts) + rng.random(int(counts.sum())) * np.repeat(np.diff(edges), counts)
        ticks = np.sort((time / TICK_S).astype(np.int64))
        channel = np.zeros(len(ticks), np.uint8) if self.alone else rng.integers(0, 2, len(ticks)).astype(np.uint8)
        return Chunk(0, round(self.duration_s / TICK_S), ticks, channel=channel)

    def _rates(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        if not self.on_s:
            return np.array([0.0, self.duration_s]), np.array([self.rate])
        n = int(2 * self.duration_s / (self.on_s + self.off_s) * 1.5) + 50
        on = rng.random() < self.on_s / (self.on_s + self.off_s)
        first, second = (self.on_s, self.off_s) if on else (self.off_s, self.on_s)
        dwell = rng.exponential(np.where(np.arange(n) % 2 == 0, first, second))
        edges = np.minimum(np.concatenate([[0.0], np.cumsum(dwell)]), self.duration_s)
        lit = (np.arange(n) % 2 == 0) == on
        return edges, np.where(lit, self.rate, self.dark)


def counted(emitter: Emitter, rng: np.random.Generator) -> tuple[Sums, Segments, np.ndarray]:
    """(sums by stretch, segments, pairs over all levels) of one simulated run."""
    layout = emitter.layout
    pairs, sequence = LogTau(layout), Sequence(layout)
    group = Group(layout, [pairs, sequence])
    group.feed(emitter.stream(rng))
    group.finish()
    lines, bins = sequence.tables["segments"], lag_bins(layout)
    a, b = (3 + int(layout.detector_of[channel]) for channel in correlated(layout)[0])
    segments = Segments(lines[:, 0], lines[:, 1] - lines[:, 0], lines[:, a], lines[:, b])
    lags = Lags(bins.octave, bins.width, bins.first, bins.lags)
    alone, block = emitter.alone, block_ticks(layout)
    short = photon_sums(segments, lags, pairs.tables["blocks"], alone=alone, block_ticks=block)
    longest = min(LONGEST_S, PART * emitter.duration_s) / TICK_S
    long = trace_sums(segments, layout.scale.ticks, longest, alone=alone, block_ticks=block)
    return joined(short, long), segments, pairs.tables["pairs0"].sum(axis=0)


def nearest(lag_s: np.ndarray, wanted_s: float) -> int | None:
    """The bin nearest to a lag, None where it is a factor of 2 away."""
    away = np.abs(np.log(lag_s / wanted_s))
    return int(away.argmin()) if away.min() < np.log(2) else None


def truth_of(emitter: Emitter, sums: Sums, octaves: Sums) -> np.ndarray:
    """g2 of each octave, averaged as the bins average."""
    bins = np.zeros(len(sums.lags.first))
    if emitter.on_s:
        bins = emitter.contrast * sums.lags.exponential(np.array([emitter.relaxation_s / TICK_S]))[0]
    weight = sums.watched.sum(axis=0)
    weighted = by_octave(replace(sums, counted=np.stack([bins * weight, weight])[:, None]))
    return np.asarray(1 + weighted.pairs[0] / weighted.watched[0])


EMITTERS = (
    Emitter("steady 2 kcps 10 s", 2e3, 10.0),
    Emitter("steady 20 kcps 6 s", 20e3, 6.0),
    Emitter("steady 10 kcps 8 s, one detector", 10e3, 8.0, alone=True),
    Emitter("telegraph 0.3 ms", 20e3, 8.0, 2e3, 0.6e-3, 0.6e-3),
    Emitter("telegraph 5 ms", 20e3, 10.0, 4e3, 8e-3, 14e-3),
    Emitter("telegraph 50 ms", 6e3, 30.0, 1e3, 0.1, 0.1),
    Emitter("telegraph 50 ms, one detector", 6e3, 30.0, 1e3, 0.1, 0.1, alone=True),
    Emitter("telegraph 0.2 s, 60 s", 4e3, 60.0, 500.0, 0.5, 0.35),
)


def points(rng: np.random.Generator, n: int) -> Iterator[Trial]:
    """Each run gives the points at the lags of LAGS_S that it can tell."""
    given = 0
    for emitter in cycle(EMITTERS):
        if given >= n:
            return
        sums, _, _ = counted(emitter, rng)
        octaves = by_octave(sums)
        curve, truth = all_curve(octaves, TICK_S), truth_of(emitter, sums, octaves)
        limited = not slow(octaves, curve, TICK_S)
        for lag in LAGS_S:
            i = nearest(curve.lag_s, lag)
            if i is None:
                continue
            told = np.isfinite(curve.g2[i]) and limited
            found = [float(x[i]) if told else None for x in (curve.g2, curve.low, curve.high)]
            given += 1
            yield Trial(f"{emitter.name}, {lag:g} s", float(truth[i]), *found)


def relaxation_times(rng: np.random.Generator, n: int) -> Iterator[Trial]:
    """Of the emitters that switch."""
    for emitter in islice(cycle([one for one in EMITTERS if one.on_s]), n):
        tau = relaxation(counted(emitter, rng)[0], TICK_S).tau
        yield Trial(emitter.name, emitter.relaxation_s, tau.value, tau.low, tau.high)


CASES = [
    Case("log-tau g2, points of the curve", "steady and telegraph light, 2-20 kcps, 6-60 s, 1 us to 0.5 s", points),
    Case("log-tau relaxation time", "telegraph light, 0.3 ms to 0.2 s, 4-20 kcps, 8-60 s", relaxation_times),
]
