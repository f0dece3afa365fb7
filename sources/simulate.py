"""Simulated emitter as a source: a blinking quantum dot under a laser, in front of detectors.

Each laser pulse excites a Poisson number of pairs. One pair may give an exciton photon; two or more, taken as two, a
biexciton photon and then an exciton photon. Yields and lifetimes belong to states (dark, grey, bright), between which
the emitter switches with exponential or power-law dwells. Photons are lost on the way, split between two detectors,
delayed by cables, blurred by jitter; detectors add dark counts and go blind for a dead time. Each pulse finds the
emitter relaxed, the laser starts with the stream, and a state changes between pulses. Channels are 0 and 1.

That is the plain emitter, with kernels of its own. Longer cascades, spectral bands, cw light, a shelf, bunched light,
bleaching, drift, other numbers of detectors and their afterpulses and crosstalk take the extended machine.

In a live run the simulator keeps stream time equal to wall time. When its consumer is slow, chunks come late, one after
another without a pause, until it has caught up; none is lost and nothing drifts.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from sources.simulation import kernels
from sources.simulation.extended import ExtendedMachine
from sources.simulation.markers import markers
from sources.simulation.options import read_settings
from sources.simulation.plain import PlainMachine
from sources.simulation.rates import expected_time_shares, rate_cps, with_rate
from sources.simulation.settings import CW, Settings
from sources.simulation.states import state_sequence, time_shares
from sources.simulation.truth import truth
from streamer.chunk import Chunk, StreamEnd, StreamInfo

__all__ = ["SimulateSource", "open_source", "state_sequence", "time_shares"]

MOST_PHOTONS = 500_000  # expected in one chunk at most: bounds memory at any rate
MOST_DWELLS_TOLD = 200_000  # beyond this many, the realised time shares are not worked out beforehand


def open_source(where: str, options: Mapping[str, str]) -> SimulateSource:
    """Open a simulated stream.

    Args:
        where: preset: "" (blinking dot: dark, grey, bright), "steady" (its bright state), "powerlaw" (two states,
            power-law dwells), "single" (no biexciton photon: g2(0) = 0), "poisson" (coherent: g2(0) = 1), and those
            of papers: see `sources.simulation.presets`.
        options: values as text. `seed`, `duration` (s or inf), `live`, `mode` (T3 or T2), `chunk_ms`, `rate`
            (counts/s to solve for: eta_c, then nbar), `detectors` (how many, alike), and every parameter of
            `Settings`; values per channel (such as delay_ns=0,23.9) and per state (such as eta_x=0.1,0.9 or
            dwell=exp:0.2,power:1.5:0.01:10) are comma-separated, rows of `transition` and `filters` by semicolons,
            orders of `eta_mx` by colons.

    Raises:
        InputError: unknown preset or option, or a bad value; one line with rule, value and remedy.
    """
    settings, rate = read_settings(where, options)
    if rate is not None:
        free = "nbar" if "eta_c" in options else "eta_c" if "nbar" in options else "both"
        settings = with_rate(settings, rate, free)
    return SimulateSource(settings, f"simulate:{where}")


class SimulateSource:
    """A simulated stream; see the module's first lines and `open_source`.

    Attributes:
        info: `truth` as in `sources.simulation.truth`; `t0_ns` with the cable delay, modulo the period (T3).
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
        self._machine = ExtendedMachine(settings) if settings.extended else PlainMachine(settings)
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
        excited = {at: (settings.t0_ns + delay) % period_ns for at, delay in enumerate(settings.delay_ns)}
        return StreamInfo(
            mode=settings.mode,
            tick_s=period_s if t3 else 1e-12,
            resolution_s=settings.resolution_fs / 1e15 if t3 else 0.0,
            source=name,
            format=f"simulated {settings.mode}",
            hardware="simulated emitter",
            sync_rate_hz=None if settings.excitation == CW else 1e15 / settings.period_fs,
            channels=tuple(range(settings.detectors)),
            live=settings.live,
            duration_s=None if self._ticks == kernels.NEVER else self._ticks / self._ticks_per_s,
            truth=truth(settings, shares),
            t0_ns=excited if t3 else {},
        )

    def _pulse_at(self, tick: int) -> int:
        """First laser pulse (under cw light: microsecond) at or after `tick`."""
        if self.settings.mode == "T3" or tick == kernels.NEVER:
            return tick
        return -(-tick * 1000 // self.settings.period_fs)

    @property
    def pulses(self) -> int:
        """How many laser pulses (under cw light: microseconds) have been sent so far."""
        return self._pulse_at(self._tick)

    def realised_time_shares(self) -> list[float]:
        """Share of the time sent so far in each state of the settings."""
        return time_shares(self.settings, max(1, self.pulses))

    def bleached_s(self) -> float | None:
        """When the present dot bleached, in s; None while it has not. Chunks are drawn somewhat ahead of their time."""
        pulse = self._machine.bleached_pulse if isinstance(self._machine, ExtendedMachine) else None
        return None if pulse is None else pulse * self.settings.period_fs / 1e15

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
            if self.settings.markers or self.settings.next_dot:
                marker_time, marker = markers(self.settings, start, stop, self._ticks_per_s)
                chunk = replace(chunk, marker_time=marker_time, marker=marker)
            if self.settings.live:
                due = began + stop / self._ticks_per_s
                while (early := due - self._clock()) > 0 and not self._stop.is_set():
                    self._wait(early)
                if self._stop.is_set():
                    return
            self._tick = stop
            yield chunk
