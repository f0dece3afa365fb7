"""The extended machine: kernels and tables of emitters beyond the plain pulsed dot before two plain detectors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sources.simulation import detector_kernels as counters
from sources.simulation import kernels as plain
from sources.simulation import light_kernels
from sources.simulation import photon_kernels as kernels
from sources.simulation.changes import CLICKS, LIGHT, dots, generator, step_pulses, steps
from sources.simulation.detectors import detectors, transmission
from sources.simulation.settings import COHERENT, CW, THERMAL, Settings
from sources.simulation.states import dwell_blocks
from streamer.chunk import NO_NANOTIME, Chunk

_FS_PER_US = 1e9
_ALWAYS = 2.0  # above every draw


def _light(settings: Settings) -> NDArray[np.float64]:
    """Table `light` of `sources.simulation.light_kernels.detect`."""
    light = np.zeros(light_kernels.LIGHT)
    if settings.excitation == CW:
        light[light_kernels.KIND] = light_kernels.CW_COHERENT if settings.model == COHERENT else light_kernels.CW_LEVELS
    else:
        pulses = {COHERENT: light_kernels.COHERENT_PULSES, THERMAL: light_kernels.THERMAL_PULSES}
        light[light_kernels.KIND] = pulses.get(settings.model, light_kernels.CASCADE)
    light[light_kernels.NBAR], light[light_kernels.ETA_C], light[light_kernels.MODES] = (
        settings.nbar,
        settings.eta_c,
        settings.modes,
    )
    light[light_kernels.LEVELS] = settings.levels
    light[light_kernels.PUMP] = settings.pump_per_us / _FS_PER_US
    light[light_kernels.SHELVE] = settings.shelve_per_us / _FS_PER_US
    light[light_kernels.RETURN] = settings.return_per_us / _FS_PER_US
    return light


def _cumulative(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares along the last axis, normalised and summed; the last entry above 0 ends every search."""
    total = shares.sum(axis=-1, keepdims=True)
    summed = np.cumsum(shares / np.where(total > 0, total, 1.0), axis=-1)
    last = shares.shape[-1] - 1 - np.argmax(shares[..., ::-1] > 0, axis=-1)
    summed[np.arange(shares.shape[-1]) >= last[..., None]] = _ALWAYS
    return np.ascontiguousarray(summed)


class ExtendedMachine:
    """Turns spans of ticks into chunks, in order.

    Attributes:
        bleached_pulse: at which the present dot bleached, None while it has not.
    """

    def __init__(self, settings: Settings) -> None:
        """Make ready the tables of a stream."""
        self._settings = settings
        here, n, orders = detectors(settings), settings.detectors, settings.highest_order
        self._light = _light(settings)
        self._etas = np.array([state.yields(orders) for state in settings.states], np.float64)
        self._taus = np.array([state.lifetimes_ns(orders) for state in settings.states], np.float64) * 1e6
        seen = transmission(settings, light_kernels.BANDS)
        self._passes = seen.sum(axis=0)[np.minimum(np.arange(orders), light_kernels.MX)]
        self._route = _cumulative(seen.T)
        self._table = np.zeros(light_kernels.table_size(orders))
        dark = here.dark_cps.sum()
        self._optics = np.zeros(plain.OPTICS)
        self._optics[plain.PERIOD] = settings.period_fs
        self._optics[plain.SHIFT_0] = 0.0 if settings.excitation == CW else settings.t0_ns * 1e6
        self._optics[plain.DARK_GAP] = 1e15 / settings.period_fs / dark if dark > 0 else math.inf
        self._dark_route = _cumulative(here.dark_cps)
        self._response = np.column_stack([here.jitter_ps * 1e3, here.jitter_tail, here.jitter_tail_ns * 1e6])
        self._clicks = np.column_stack(
            [
                here.afterpulse, here.afterpulse_ns * 1e6, here.crosstalk, here.crosstalk_ns * 1e6,
                here.crosstalk_sigma_ps * 1e3,
            ]
        )  # fmt: skip
        self._wiring = np.round(np.stack([here.dead_ns, here.delay_ns]) * 1e6).astype(np.int64)
        self._rng, self._click_rng = generator(settings, LIGHT), generator(settings, CLICKS)
        self._dwell_blocks, self._step_blocks, self._dot_blocks = (
            dwell_blocks(settings),
            steps(settings),
            dots(settings),
        )
        self._dwells, self._dots = np.empty((0, 2), np.int64), np.empty((0, 3), np.int64)
        self._steps = np.ones((0, 2))
        self._pending = np.empty((2 * light_kernels.MOST_PHOTONS, 3), np.int64)
        self._echoes, self._records = np.empty((64, 3), np.int64), np.empty((4096, 3), np.int64)
        self._queues = np.zeros(2, np.int64)
        self._last = np.tile(np.array([-plain.NEVER, 0], np.int64), (n, 1))
        self._cursor = np.zeros(kernels.CURSOR, np.int64)
        self._cursor[[plain.SIGNAL, kernels.BLEACH, kernels.BLEACHED]] = plain.NEVER
        self._cursor[kernels.STEP], self._cursor[kernels.STEP_ROW] = step_pulses(settings), -1
        plain.next_dark(self._rng, self._optics, self._cursor)
        self._card = np.zeros(4, np.int64)
        self._card[counters.CARD_PERIOD] = settings.period_fs
        self._card[counters.CARD_RESOLUTION] = settings.resolution_fs if settings.mode == "T3" else 0
        # jitter can bring a photon before its own pulse: as many pulses more must have been drawn
        earliest = self._optics[plain.SHIFT_0] - plain.JITTER_REACH * self._response[:, 0].max()
        self._ahead = max(0, math.ceil(-earliest / settings.period_fs))

    @property
    def bleached_pulse(self) -> int | None:
        """At which the present dot bleached; None while it has not."""
        pulse = int(self._cursor[kernels.BLEACHED])
        return None if pulse == plain.NEVER else pulse

    def run(self, start: int, stop: int) -> Chunk:
        """The chunk of ticks [start, stop); calls must follow each other."""
        t3 = self._settings.mode == "T3"
        ready = stop if t3 else stop * 1000 // self._settings.period_fs + 1
        self._cursor[plain.HORIZON] = ready + self._ahead
        self._card[counters.READY], self._card[counters.CARD_STOP] = ready, stop
        self._detect()
        self._click()
        held = int(self._queues[counters.RECORDS])
        ticks, channel = np.empty(held, np.int64), np.empty(held, np.uint8)
        nanotime = np.empty(held, np.uint16) if t3 else NO_NANOTIME
        n = counters.write(self._records, self._queues, self._card, ticks, nanotime, channel)
        return Chunk(start, stop, ticks[:n], nanotime[:n], channel[:n])

    def _detect(self) -> None:
        while True:
            said = kernels.detect(
                self._rng, self._light, self._etas, self._taus, self._passes, self._table, self._optics,
                self._dark_route, self._route, self._response, self._dwells, self._steps, self._dots, self._cursor,
                self._pending,
            )  # fmt: skip
            if said == plain.DONE:
                return
            if said == plain.FULL:
                self._pending = np.concatenate([self._pending, np.empty_like(self._pending)])
            elif said == plain.NO_DWELLS:
                self._dwells, self._cursor[plain.DWELL_ROW] = next(self._dwell_blocks), 0
            elif said == kernels.NO_STEPS:
                self._steps, self._cursor[kernels.STEP_ROW] = next(self._step_blocks), -1
            else:
                self._dots, self._cursor[kernels.DOT_ROW] = next(self._dot_blocks), 0

    def _click(self) -> None:
        while (
            counters.click(
                self._click_rng, self._clicks, self._wiring, self._card, self._last, self._cursor, self._pending,
                self._queues, self._echoes, self._records,
            )
            != plain.DONE
        ):  # fmt: skip
            self._echoes = np.concatenate([self._echoes, np.empty_like(self._echoes)])
            self._records = np.concatenate([self._records, np.empty_like(self._records)])
