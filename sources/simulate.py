"""Simulated emitter as a source: a blinking quantum dot under a pulsed laser, in front of two detectors.

Each laser pulse excites a Poisson number of pairs. One pair may give an exciton photon; two or more, taken as two, a
biexciton photon and then an exciton photon. Yields and lifetimes belong to states (dark, grey, bright), between which
the emitter switches with exponential or power-law dwells. Photons are lost on the way, split between two detectors,
delayed by cables, blurred by jitter; detectors add dark counts and go blind for a dead time. Each pulse finds the
emitter relaxed, the laser starts with the stream, and a state changes between pulses. Channels are 0 and 1.

In a live run the simulator keeps stream time equal to wall time. When its consumer is slow, chunks come late, one after
another without a pause, until it has caught up; none is lost and nothing drifts.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from sources import simulate_kernels as kernels
from sources.simulate_options import read_settings
from sources.simulate_settings import COHERENT, POWER_LAW, Settings
from sources.simulate_truth import (
    emitted,
    excitation,
    expected_time_shares,
    rate_cps,
    transition_matrix,
    truth,
    with_rate,
)
from streamer.chunk import NO_NANOTIME, Chunk, StreamEnd, StreamInfo

DWELLS = 1024  # dwells drawn at a time
MOST_PHOTONS = 500_000  # expected in one chunk at most: bounds memory at any rate
MOST_DWELLS_TOLD = 200_000  # beyond this many, the realised time shares are not worked out beforehand


def open_source(where: str, options: Mapping[str, str]) -> SimulateSource:
    """Open a simulated stream.

    Args:
        where: preset: "" (blinking dot: dark, grey, bright), "steady" (its bright state), "powerlaw" (two states,
            power-law dwells), "single" (no biexciton photon: g2(0) = 0), "poisson" (coherent: g2(0) = 1).
        options: values as text. `seed`, `duration` (s or inf), `live`, `mode` (T3 or T2), `chunk_ms`, `rate`
            (counts/s to solve for: eta_c, then nbar), and every parameter of `Settings`; values per channel (such as
            delay_ns=0,23.9) and per state (such as eta_x=0.1,0.9 or dwell=exp:0.2,power:1.5:0.01:10) are
            comma-separated, rows of `transition` by semicolons.

    Raises:
        InputError: unknown preset or option, or a bad value; one line with rule, value and remedy.
    """
    settings, rate = read_settings(where, options)
    if rate is not None:
        free = "nbar" if "eta_c" in options else "eta_c" if "nbar" in options else "both"
        settings = with_rate(settings, rate, free)
    return SimulateSource(settings, f"simulate:{where}")


def _generator(settings: Settings, purpose: int) -> np.random.Generator:
    """One of the independent random streams of a seed: 0 dwells, 1 photons."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(settings.seed, spawn_key=(purpose,))))


def _dwell_blocks(settings: Settings) -> Iterator[NDArray[np.int64]]:
    """Endless blocks int64[n, 2] of (state, stop pulse); a function of the settings alone."""
    n = len(settings.states)
    if n == 1:
        while True:
            yield np.array([[0, kernels.NEVER]], np.int64)
    pulses_per_s = 1e15 / settings.period_fs
    laws = np.zeros((n, 4))
    for row, state in zip(laws, settings.states, strict=True):
        dwell = state.dwell
        if dwell.law == POWER_LAW:
            row[:] = 1.0, dwell.exponent, dwell.min_s * pulses_per_s, dwell.max_s * pulses_per_s
        else:
            row[:] = 0.0, dwell.mean_s * pulses_per_s, 0.0, 0.0
    moves = np.cumsum(transition_matrix(settings), axis=1)
    moves[moves > 1 - 1e-12] = 2.0  # a rounded sum must not open a last state that cannot follow
    rng = _generator(settings, 0)
    first = int(rng.choice(n, p=expected_time_shares(settings)))
    last = np.array([-1 - first, 0], np.int64)
    while True:
        dwells = np.empty((DWELLS, 2), np.int64)
        kernels.draw_dwells(rng, laws, moves, last, dwells)
        yield dwells


def state_sequence(settings: Settings, stop_pulse: int) -> Iterator[tuple[int, int, int]]:
    """The emitter's states as (state, start pulse, stop pulse) up to `stop_pulse`, where the last one is cut.

    The first state is drawn by its long-run share of time. The sequence is a function of the settings alone, so a
    test can have it before, during or after the stream.
    """
    start = 0
    for block in _dwell_blocks(settings):
        for state, stop in block.tolist():
            yield state, start, min(stop, stop_pulse)
            start = stop
            if start >= stop_pulse:
                return


def time_shares(settings: Settings, stop_pulse: int) -> list[float]:
    """Realised share of the first `stop_pulse` pulses in each state."""
    pulses = [0] * len(settings.states)
    for state, start, stop in state_sequence(settings, stop_pulse):
        pulses[state] += stop - start
    return [count / stop_pulse for count in pulses]


def _outcomes(settings: Settings) -> NDArray[np.float64]:
    """Table `outcomes` of `simulate_kernels.detect`."""
    table = np.zeros((len(settings.states), kernels.OUTCOMES))
    one, more = excitation(settings.nbar)
    for row, state in zip(table, settings.states, strict=True):
        row[kernels.TAU_X], row[kernels.TAU_BX] = state.tau_x_ns * 1e6, state.tau_bx_ns * 1e6
        x, bx = state.eta_x * settings.eta_c, state.eta_bx * settings.eta_c
        if settings.model == COHERENT:
            row[kernels.HAZARD] = row[kernels.COHERENT] = emitted(settings, state)[0] * settings.eta_c
            continue
        chances = np.array([one * x, more * bx * (1 - x), more * (1 - bx) * x, more * bx * x])
        if chances.sum() > 0:
            row[kernels.HAZARD] = -math.log1p(-chances.sum())
            row[[kernels.X_ALONE, kernels.BX_ALONE, kernels.X_SECOND]] = np.cumsum(chances)[:3] / chances.sum()
    return table


def _optics(settings: Settings) -> NDArray[np.float64]:
    """Table `optics` of `simulate_kernels.detect`."""
    optics = np.zeros(kernels.OPTICS)
    dark = sum(settings.dark_cps)
    optics[kernels.PERIOD], optics[kernels.SPLIT] = settings.period_fs, settings.split
    for channel in (0, 1):
        optics[kernels.SHIFT_0 + channel] = (settings.t0_ns + settings.delay_ns[channel]) * 1e6
        optics[kernels.JITTER_0 + channel] = settings.jitter_ps[channel] * 1e3
    optics[kernels.DARK_GAP] = 1e15 / settings.period_fs / dark if dark > 0 else math.inf
    optics[kernels.DARK_SPLIT] = settings.dark_cps[0] / dark if dark > 0 else 0.5
    return optics


class SimulateSource:
    """A simulated stream; see the module's first lines and `open_source`.

    Attributes:
        info: `truth` as `simulate_truth.truth` gives it; `t0_ns` with the cable delay, modulo the period (T3).
        settings: what it is made from.
    """

    info: StreamInfo
    settings: Settings

    def __init__(
        self,
        settings: Settings,
        name: str = "simulate",
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Make ready a stream.

        Args:
            settings: what it is made from.
            name: address for `info.source`.
            clock: s, wall clock of a live run; replaced in tests.
            wait: waits this many s or until `stop`; replaced in tests.
        """
        self.settings = settings
        self._stop = threading.Event()
        self._reason = "duration reached"
        self._clock, self._wait = clock, wait or self._stop.wait
        self._ticks_per_s = 1e12 if settings.mode == "T2" else 1e15 / settings.period_fs
        endless = math.isinf(settings.duration_s)
        self._ticks = kernels.NEVER if endless else max(1, round(settings.duration_s * self._ticks_per_s))
        self._tick = 0
        self._machine = _Machine(settings)
        self.info = self._describe(name)

    def _describe(self, name: str) -> StreamInfo:
        settings = self.settings
        period_s, t3 = settings.period_fs / 1e15, settings.mode == "T3"
        shares = None
        mean_dwell_s = sum(
            share * state.dwell.mean()
            for share, state in zip(expected_time_shares(settings), settings.states, strict=True)
        )
        if len(settings.states) == 1 or settings.duration_s / mean_dwell_s < MOST_DWELLS_TOLD:
            shares = time_shares(settings, self._pulse_at(self._ticks))
        period_ns = settings.period_fs / 1e6
        excited = {at: (settings.t0_ns + settings.delay_ns[at]) % period_ns for at in (0, 1)}
        return StreamInfo(
            mode=settings.mode,
            tick_s=period_s if t3 else 1e-12,
            resolution_s=settings.resolution_fs / 1e15 if t3 else 0.0,
            source=name,
            format=f"simulated {settings.mode}",
            hardware="simulated emitter",
            sync_rate_hz=1e15 / settings.period_fs,
            channels=(0, 1),
            live=settings.live,
            duration_s=None if self._ticks == kernels.NEVER else self._ticks / self._ticks_per_s,
            truth=truth(settings, shares),
            t0_ns=excited if t3 else {},
        )

    def _pulse_at(self, tick: int) -> int:
        """First laser pulse at or after `tick`."""
        if self.settings.mode == "T3" or tick == kernels.NEVER:
            return tick
        return -(-tick * 1000 // self.settings.period_fs)

    @property
    def pulses(self) -> int:
        """How many laser pulses have been sent so far."""
        return self._pulse_at(self._tick)

    def realised_time_shares(self) -> list[float]:
        """Share of the time sent so far in each state of the settings."""
        return time_shares(self.settings, max(1, self.pulses))

    def stop(self, reason: str) -> None:
        """End at the next chunk; may be called from another thread."""
        if not self._stop.is_set() and self._tick < self._ticks:
            self._reason = reason
            self._stop.set()

    def end(self) -> StreamEnd:
        """Why the stream ended; a simulation has no records and loses none."""
        return StreamEnd(reason=self._reason)

    def chunks(self) -> Iterator[Chunk]:
        """Chunks of `settings.chunk_s`, shorter where that would be too many photons; may be iterated once."""
        fastest = max(rate_cps(self.settings, state) for state in self.settings.states)
        span = max(1, round(min(self.settings.chunk_s, MOST_PHOTONS / max(fastest, 1.0)) * self._ticks_per_s))
        began = self._clock()
        while self._tick < self._ticks and not self._stop.is_set():
            start, stop = self._tick, min(self._tick + span, self._ticks)
            chunk = self._machine.run(start, stop)
            if self.settings.live:
                due = began + stop / self._ticks_per_s
                while (early := due - self._clock()) > 0 and not self._stop.is_set():
                    self._wait(early)
                if self._stop.is_set():
                    return
            self._tick = stop
            yield chunk


class _Machine:
    """The kernels with their tables: turns spans of ticks into chunks, in order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._outcomes, self._optics = _outcomes(settings), _optics(settings)
        self._rng = _generator(settings, 1)
        self._blocks = _dwell_blocks(settings)
        self._dwells = np.empty((0, 2), np.int64)
        self._pending = np.empty((4096, 3), np.int64)
        self._cursor = np.zeros(kernels.CURSOR, np.int64)
        self._cursor[kernels.SIGNAL] = kernels.NEVER
        self._cursor[[kernels.LAST_0, kernels.LAST_1]] = -kernels.NEVER
        kernels.next_dark(self._rng, self._optics, self._cursor)
        self._card = np.zeros(5, np.int64)
        self._card[kernels.CARD_PERIOD] = settings.period_fs
        self._card[kernels.CARD_RESOLUTION] = settings.resolution_fs if settings.mode == "T3" else 0
        self._card[[kernels.DEAD_0, kernels.DEAD_1]] = [round(dead * 1e6) for dead in settings.dead_ns]
        # jitter can bring a photon before its own pulse: as many pulses more must have been drawn
        earliest = min(
            self._optics[kernels.SHIFT_0 + at] - kernels.JITTER_REACH * self._optics[kernels.JITTER_0 + at]
            for at in (0, 1)
        )
        self._ahead = max(0, math.ceil(-earliest / settings.period_fs))

    def run(self, start: int, stop: int) -> Chunk:
        """The chunk of ticks [start, stop); calls must follow each other."""
        t3 = self._settings.mode == "T3"
        pulse = stop if t3 else stop * 1000 // self._settings.period_fs + 1
        self._cursor[kernels.HORIZON] = pulse + self._ahead
        self._card[kernels.CARD_STOP] = stop
        self._detect()
        held = int(self._cursor[kernels.HELD])
        ticks, channel = np.empty(held, np.int64), np.empty(held, np.uint8)
        nanotime = np.empty(held, np.uint16) if t3 else NO_NANOTIME
        n = kernels.release(self._pending, self._cursor, self._card, ticks, nanotime, channel)
        return Chunk(start, stop, ticks[:n], nanotime[:n], channel[:n])

    def _detect(self) -> None:
        while True:
            said = kernels.detect(self._rng, self._outcomes, self._optics, self._dwells, self._cursor, self._pending)
            if said == kernels.DONE:
                return
            if said == kernels.FULL:
                self._pending = np.concatenate([self._pending, np.empty_like(self._pending)])
            else:
                self._dwells = next(self._blocks)
                self._cursor[kernels.DWELL_ROW] = 0
