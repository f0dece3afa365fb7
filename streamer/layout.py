"""Layout: how the tables of a run are laid out; fixed before the first photon is counted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import StreamInfo
from streamer.errors import InputError
from streamer.levels import LevelScale

NANOTIME_BINS = 4096  # a decay needs no more; a finer card is counted in whole multiples of its resolution
MEAN_BINS = 1024  # of the mean nanotime in the FLID over the period, of which a lifetime's spread is a small part
GATE_BINS = 256
LEAST_PERIOD = 4  # ticks: in a shorter laser period a T2 time does not tell the pulse that a photon belongs to
UNIT_S = 100e-9  # of the time in which the change points look at photons
GUARD_S = 0.5e-9  # photons this much before the excitation are early by jitter, not late by a period


@dataclass(frozen=True)
class Layout:
    """Sizes and units of every table.

    The *fine unit* is the nanotime's resolution in T3 and the macro tick in T2.

    Attributes:
        mode, tick_s, resolution_s: as in StreamInfo.
        detectors: raw channel numbers whose photons are analysed, in the order of the tables' detector axis.
        pairs: (a, b) raw channel numbers; lags and taus are b minus a.
        bin_s: nominal length of a segment.
        period: laser period in fine units, 0.0 for cw.
        lags: lags -lags..lags are counted (pulsed).
        tau_width: width of a tau bin in fine units; tau = 0 lies inside the middle bin.
        tau_half: tau bins on each side of the middle one.
        zero: nanotime of the excitation per detector in fine units (T3).
        wraps: `period` is the laser's, so that what comes before the excitation is the last pulse's. False: it is the
            range of the nanotime, as nobody said the laser's.
        log_tau: pairs are also counted by the logarithm of their lag.
        threshold: of the likelihood ratio, for segments from change to change of the rate; None: fixed bins.
        longest_s: such a segment's, about.
    """

    mode: str
    tick_s: float
    resolution_s: float
    detectors: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    bin_s: float
    period: float
    lags: int
    tau_width: int
    tau_half: int
    zero: tuple[int, ...]
    wraps: bool = True
    log_tau: bool = True
    threshold: float | None = None
    longest_s: float = 1.0

    @cached_property
    def scale(self) -> LevelScale:
        """Levels of the run's segments."""
        return LevelScale(max(1, round(self.bin_s / self.tick_s)), self.tick_s)

    @property
    def fixed(self) -> bool:
        """Whether the segments are fixed bins."""
        return self.threshold is None

    @cached_property
    def unit_shift(self) -> int:
        """Change points look at times in units of 2**unit_shift ticks, at most UNIT_S long."""
        return max(0, math.floor(math.log2(UNIT_S / self.tick_s)))

    @cached_property
    def longest(self) -> int:
        """Ticks of the longest segment from change to change, whole units."""
        return max(1, round(self.longest_s / self.tick_s) >> self.unit_shift) << self.unit_shift

    @property
    def fine_s(self) -> float:
        """Fine unit in seconds."""
        return self.resolution_s if self.mode == "T3" else self.tick_s

    @property
    def pulsed(self) -> bool:
        """Whether a laser period is known, so that lags in pulses have a meaning."""
        return self.period > 0

    @cached_property
    def window(self) -> int:
        """How many macro ticks apart two photons of a counted pair may be."""
        reach = (self.tau_half + 0.5) * self.tau_width
        if self.mode == "T3":
            return max(math.ceil(reach / self.period) + 1, self.lags)
        return max(math.ceil(reach), math.ceil((self.lags + 0.5) * self.period))

    @cached_property
    def nanotime_shift(self) -> int:
        """A decay bin is 2**shift units of the nanotime."""
        return max(0, math.ceil(math.log2((self.period + 1) / NANOTIME_BINS)))

    @cached_property
    def nanotime_bins(self) -> int:
        """Decay bins: the whole period and one more bin for nanotimes beyond it."""
        return (math.ceil(self.period) >> self.nanotime_shift) + 2

    @cached_property
    def gate_width(self) -> int:
        """Width of a gate bin in nanotime units."""
        return max(1, math.ceil(self.period / GATE_BINS))

    @cached_property
    def gate_bins(self) -> int:
        """Gate bins over the period; 1 where there is no nanotime to gate on."""
        return math.ceil((math.ceil(self.period) + 1) / self.gate_width) if self.mode == "T3" else 1

    @cached_property
    def mean_width(self) -> int:
        """Width of a mean-nanotime bin in nanotime units."""
        return max(1, math.ceil(self.period / MEAN_BINS))

    @cached_property
    def guard(self) -> int:
        """Early edge of the nanotime window, in nanotime units before the excitation."""
        if self.mode != "T3" or not self.wraps:
            return 0
        return min(round(GUARD_S / self.resolution_s), int(self.period / 8))

    @cached_property
    def pulse_offsets(self) -> NDArray[np.int64]:
        """Fine units between pulses `-window..window`: int64[2*window + 1], rounded once each: taus are integers."""
        return np.rint(np.arange(-self.window, self.window + 1) * self.period).astype(np.int64)

    @cached_property
    def detector_of(self) -> NDArray[np.uint8]:
        """uint8[256], raw channel -> row of the detector axis, 255 where the channel is not analysed."""
        table = np.full(256, 255, np.uint8)
        table[list(self.detectors)] = np.arange(len(self.detectors))
        return table

    def tau_ns(self) -> NDArray[np.float64]:
        """Nominal middle of each tau bin in ns, float64[2*tau_half + 1], the middle one exactly 0.

        A bin of w fine units holds the integers [i*w - w//2, i*w - w//2 + w). For even w these lie half a unit below
        the nominal middle;
        widths chosen by the program are odd.
        """
        return np.arange(-self.tau_half, self.tau_half + 1, dtype=np.float64) * (self.tau_width * self.fine_s * 1e9)

    def nanotime_ns(self) -> NDArray[np.float64]:
        """Middle of each decay bin in ns after the laser pulse."""
        width = 1 << self.nanotime_shift
        return (np.arange(self.nanotime_bins, dtype=np.float64) + 0.5) * width * self.resolution_s * 1e9

    def gate_ns(self) -> NDArray[np.float64]:
        """Beginning of each gate bin in ns after the excitation (the first ones lie before it: the guard)."""
        return (np.arange(self.gate_bins, dtype=np.float64) * self.gate_width - self.guard) * self.fine_s * 1e9

    def mean_ns(self) -> NDArray[np.float64]:
        """Middle of each mean-nanotime bin in ns after the excitation."""
        n = math.ceil((math.ceil(self.period) + 1) / self.mean_width)
        return ((np.arange(n, dtype=np.float64) + 0.5) * self.mean_width - self.guard) * self.resolution_s * 1e9


def check_pairs(pairs: tuple[tuple[int, int], ...], detectors: tuple[int, ...]) -> None:
    """Refuse pairs that are not two different analysed channels; InputError."""
    for a, b in pairs:
        if a == b or a not in detectors or b not in detectors:
            raise InputError(
                f"pairs: each must name two different analysed channels out of {list(detectors)}, got [{a}, {b}]; "
                "correct `pairs`"
            )


def with_period(info: StreamInfo, period_ns: float | None) -> StreamInfo:
    """The stream with the laser period of the settings, where it has nanotimes and does not know its own.

    Raises:
        InputError: a period below the nanotime's resolution.
    """
    if info.mode != "T3" or info.pulse_known or period_ns is None:
        return info
    if period_ns * 1e-9 < info.resolution_s:
        raise InputError(
            f"period_ns: must be at least the nanotime's resolution of {info.resolution_s * 1e9:g} ns, "
            f"got {period_ns:g}; give the laser period in ns"
        )
    return replace(info, pulse_s=period_ns * 1e-9, pulse_known=True)


def no_pairs(info: StreamInfo, period_ns: float | None) -> str | None:
    """Why the pulse of a photon cannot be told, so that there is no g2; None where it can or there are no pulses."""
    tick_ns = info.tick_s * 1e9
    if info.mode == "T3" and info.pulse_s is not None:
        return (
            f"the macro clock ({tick_ns:.6g} ns) is not the laser's, so the pulse that a photon belongs to is not "
            "known; no g2"
        )
    if info.mode == "T2" and period_ns is not None and period_ns < LEAST_PERIOD * tick_ns:
        return (
            f"the laser period of {period_ns:g} ns is shorter than {LEAST_PERIOD} ticks of {tick_ns:.6g} ns, so the "
            "pulse that a photon belongs to is not known; no g2"
        )
    return None


def units(info: StreamInfo, period_ns: float | None) -> tuple[float, float]:
    """(fine unit in seconds, laser period in fine units or 0.0) of a stream; a T3 stream brings its own period."""
    if info.mode == "T3":
        return info.resolution_s, info.period
    return info.tick_s, (period_ns * 1e-9 / info.tick_s if period_ns else 0.0)
