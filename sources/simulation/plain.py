"""The plain machine: kernels and tables of a pulsed dot of at most two excitons before two plain detectors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sources.simulation import kernels
from sources.simulation.changes import LIGHT, generator
from sources.simulation.pulsed import emitted, excitation
from sources.simulation.settings import COHERENT, Settings
from sources.simulation.states import dwell_blocks
from streamer.chunk import NO_NANOTIME, Chunk


def _outcomes(settings: Settings) -> NDArray[np.float64]:
    """Table `outcomes` of `sources.simulation.kernels.detect`."""
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
    """Table `optics` of `sources.simulation.kernels.detect`."""
    optics = np.zeros(kernels.OPTICS)
    dark = sum(settings.dark_cps)
    optics[kernels.PERIOD], optics[kernels.SPLIT] = settings.period_fs, settings.shares[0]
    for channel in (0, 1):
        optics[kernels.SHIFT_0 + channel] = (settings.t0_ns + settings.delay_ns[channel]) * 1e6
        optics[kernels.JITTER_0 + channel] = settings.jitter_ps[channel] * 1e3
    optics[kernels.DARK_GAP] = 1e15 / settings.period_fs / dark if dark > 0 else math.inf
    optics[kernels.DARK_SPLIT] = settings.dark_cps[0] / dark if dark > 0 else 0.5
    return optics


class PlainMachine:
    """Turns spans of ticks into chunks, in order."""

    def __init__(self, settings: Settings) -> None:
        """Make ready the tables of a stream."""
        self._settings = settings
        self._outcomes, self._optics = _outcomes(settings), _optics(settings)
        self._rng = generator(settings, LIGHT)
        self._blocks = dwell_blocks(settings)
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
