"""Blinking: exponents, cut-offs, mean dwells, share of the time on, changes; of dwells that are seen through bins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.blinking import blinking, hides_short, state_laws
from streamer.estimators.dwell_laws import CUT_OFF, POWER
from streamer.estimators.dwells import Dwells, edge, join_dwells, survival
from streamer.estimators.estimate import Estimate
from tests.coverage.case import Case, Trial

Floats = NDArray[np.float64]
WARM = 0.5  # of the run, at least, before it begins: the emitter did not wait for it


@dataclass(frozen=True, slots=True)
class Law:
    """t**-exponent * exp(-t/cutoff) between `low` and `high`, in bins."""

    exponent: float
    low: float = 0.0
    high: float = np.inf
    cutoff: float = np.inf

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Float64[about n], dwells."""
        if self.exponent == 0:
            return self.low + rng.exponential(self.cutoff, n)
        if np.isfinite(self.cutoff) and self.exponent < 1:
            time = self.low + rng.exponential(self.cutoff, 4 * n)
            return time[rng.random(len(time)) < (time / self.low) ** -self.exponent]
        power = 1 - self.exponent
        end = 0.0 if np.isinf(self.high) else (self.high / self.low) ** power
        time = self.low * (1 + rng.random(n) * (end - 1)) ** (1 / power)
        return time[rng.random(n) < np.exp(-(time - self.low) / self.cutoff)] if np.isfinite(self.cutoff) else time

    @property
    def mean(self) -> float:
        """In bins; of an exponential or a bounded power law."""
        if self.exponent == 0:
            return self.low + self.cutoff
        return self.low * self._integral(1 - self.exponent) / self._integral(-self.exponent)

    def _integral(self, power: float) -> float:
        return float(((self.high / self.low) ** (power + 1) - 1) / (power + 1))

    def longer(self, time: Floats) -> Floats:
        """Share of the dwells above `time`; of a bounded power law."""
        ratio = np.clip(time / self.low, 1, self.high / self.low) ** (1 - self.exponent)
        end = (self.high / self.low) ** (1 - self.exponent)
        return np.asarray((ratio - end) / (1 - end))


@dataclass(frozen=True, slots=True)
class Setting:
    """An emitter and how it is looked at: bins of the run, counts per bin off and on (None: no shot noise)."""

    on: Law
    off: Law
    bins: int
    counts: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """Of the setting."""
        noise = "" if self.counts is None else f", {self.counts[0]:g} and {self.counts[1]:g} counts"
        return f"on {_named(self.on)}, off {_named(self.off)}, {self.bins} bins{noise}"


def _named(law: Law) -> str:
    if law.exponent == 0:
        return f"exp {law.cutoff:g}"
    end = f"..{law.high:g}" if np.isfinite(law.high) else ""
    return f"{law.exponent:g} {law.low:g}{end}" + (f" cut {law.cutoff:g}" if np.isfinite(law.cutoff) else "")


def observe(rng: np.random.Generator, setting: Setting) -> tuple[Dwells, float]:
    """(dwells of a run, edge): on and off by turns, the run begun at any moment, bins that are on or off as a whole."""
    lengths, total, n = [], 0.0, 256
    warm = WARM * setting.bins * (1 + rng.random())
    while total < warm + setting.bins + 1:
        on, off = setting.on.draw(rng, n), setting.off.draw(rng, n)
        both = np.stack([one[: min(len(on), len(off))] for one in (on, off)], axis=1).ravel()
        lengths.append(both)
        total, n = total + float(both.sum()), 2 * n
    length = np.concatenate(lengths)
    begins = np.concatenate([[0.0], np.cumsum(length)])
    lit = np.concatenate([[0.0], np.cumsum(np.where(np.arange(len(length)) % 2 == 0, length, 0.0))])
    share = np.diff(np.interp(warm + np.arange(setting.bins + 1), begins, lit))
    bent = 0.0
    if setting.counts is None:
        on_bins = share > 0.5
    else:
        dark, bright = setting.counts
        counts = rng.poisson(dark + (bright - dark) * share)
        threshold = (bright - dark) / np.log(bright / dark)  # both states equally likely
        on_bins = counts >= threshold
        inner = np.append(False, on_bins[1:] == on_bins[:-1]) & np.append(on_bins[1:] == on_bins[:-1], False)
        rates = [float(counts[inner & (on_bins == one)].mean()) for one in (False, True)]  # as the study finds them
        bent = edge(np.ceil(threshold) - 0.5, rates[0], rates[1])
    ticks = np.arange(setting.bins + 1)
    return join_dwells(ticks[:-1], ticks[1:], on_bins.astype(np.int64), 1.0), bent


def dealt(settings: list[Setting], n: int, each: int = 1) -> Iterator[Setting]:
    """About n / each settings, in turn."""
    return (settings[k % len(settings)] for k in range(max(len(settings), -(-n // each))))


def trial(setting: str, truth: float, found: Estimate, number: str = "") -> Trial:
    """What was found; a number without limits counts as none."""
    if found.value is None or found.reason is not None:
        return Trial(setting, truth, None, None, None, number)
    return Trial(setting, truth, found.value, found.low, found.high, number)


POWERS = [
    Setting(Law(1.2, 1, 100), Law(1.6, 1, 100), 6000),
    Setting(Law(1.5, 1, 1000), Law(1.5, 1, 1000), 30_000),
    Setting(Law(1.8, 1, 300), Law(1.4, 1, 300), 20_000),
    Setting(Law(2.4, 1, 1000), Law(1.6, 1, 1000), 30_000),
    Setting(Law(2.0, 1), Law(2.2, 1), 6000),
    Setting(Law(1.02, 1, 2000), Law(2.44, 1, 1000), 60_000),  # Chandrasekaran et al.
    Setting(Law(1.5, 0.5, 1000), Law(1.5, 0.5, 1000), 30_000),
    Setting(Law(1.5, 1, 300), Law(1.5, 1, 300), 20_000, (40.0, 120.0)),
]
CUTS = [
    Setting(Law(1.5, 1, cutoff=100), Law(1.5, 1, cutoff=300), 30_000),
    Setting(Law(1.2, 1, cutoff=50), Law(1.8, 1, cutoff=50), 20_000),
    Setting(Law(0.5, 1, cutoff=30), Law(1.5, 1, cutoff=100), 20_000),
    Setting(Law(1.5, 1, cutoff=20), Law(1.3, 1, cutoff=20), 12_000),
]
TURNS = [
    Setting(Law(0, cutoff=20), Law(0, cutoff=20), 6000),
    Setting(Law(0, cutoff=100), Law(0, cutoff=15), 6000),
    Setting(Law(0, cutoff=60), Law(0, cutoff=30), 3000, (40.0, 120.0)),
    Setting(Law(0, cutoff=500), Law(0, cutoff=20), 30_000),
    Setting(Law(1.5, 1, 100), Law(1.5, 1, 100), 12_000),
    Setting(Law(1.3, 1, 50), Law(1.8, 1, 100), 12_000),
]


def exponents(rng: np.random.Generator, n: int) -> Iterable[Trial]:
    """Of power laws, both states of every run."""
    for setting in dealt(POWERS, n, 2):
        dwells, bent = observe(rng, setting)
        shortest = 8.0 if hides_short(dwells, 1.0, bent) else None
        for state, law in enumerate((setting.off, setting.on)):
            found = state_laws(dwells, state, 1.0, bent if state else -bent, shortest, (POWER,))
            yield trial(f"{('off', 'on')[state]}: {setting.name}", law.exponent, found.exponent)


def cut_offs(rng: np.random.Generator, n: int) -> Iterable[Trial]:
    """Exponents and cut-offs of power laws with one, both states of every run."""
    for setting in dealt(CUTS, n, 2):
        dwells, _ = observe(rng, setting)
        for state, law in enumerate((setting.off, setting.on)):
            found = state_laws(dwells, state, 1.0, laws=(CUT_OFF,))
            name = f"{('off', 'on')[state]}: {setting.name}"
            yield trial(name, law.exponent, found.cut_exponent, "exponent")
            yield trial(name, law.cutoff, found.cutoff_s, "cut-off")


def turns(rng: np.random.Generator, n: int) -> Iterable[Trial]:
    """Numbers of on and off, as the program finds them; times in bins."""
    for setting in dealt(TURNS, n):
        dwells, bent = observe(rng, setting)
        found = blinking(dwells, 1.0, bent).telegraph
        on, off = setting.on.mean, setting.off.mean
        yield trial(setting.name, on / (on + off), found.on_fraction, "share of the time on")
        yield trial(setting.name, 2 / (on + off), found.changes_per_s, "changes per second")
        yield trial(setting.name, off, found.mean_off_s, "mean dwell off")
        yield trial(setting.name, on, found.mean_on_s, "mean dwell on")
        yield trial(setting.name, 1 / off, found.leave_off_per_s, "changes per second off")
        yield trial(setting.name, 1 / on, found.leave_on_per_s, "changes per second on")


def survivals(rng: np.random.Generator, n: int) -> Iterable[Trial]:
    """Shares of the dwells longer than 3 and 20 bins, as bins show them."""
    for setting in dealt([POWERS[1], POWERS[2], POWERS[3], TURNS[4], TURNS[5]], n, 2):
        dwells, _ = observe(rng, setting)
        curve = survival(*dwells.of(1))
        for bins in (3, 20):
            fine = bins + (np.arange(2000) + 0.5) / 2000
            value, low, high = curve.at(np.array([bins + 1e-6]))[0]
            truth = float(setting.on.longer(fine).mean())
            found = Estimate(None) if np.isnan(low) else Estimate(float(value), None, float(low), float(high))
            yield trial(f"{bins} bins: {setting.name}", truth, found)


STATES = "on and off; exponential of mean 15-500 bins or power law, 3000-30 000 bins, one with shot noise"
CASES = [
    Case("dwells, power-law exponent", "1.02-2.44, 6000-60 000 bins; dwells below a bin; shot noise", exponents),
    Case(
        "dwells with a cut-off", "exponents 0.5-1.8, cut-off 20-300 bins", cut_offs, numbers=("exponent", "cut-off")
    ),
    Case("dwells, survival", "share longer than 3 and 20 bins, power laws", survivals),
    Case(
        "blinking", STATES, turns,
        numbers=(
            "share of the time on", "changes per second", "mean dwell off", "mean dwell on", "changes per second off",
            "changes per second on",
        ),
    ),
]  # fmt: skip
