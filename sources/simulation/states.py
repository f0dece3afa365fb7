"""The states a simulated emitter runs through, drawn from its seed: which, and for how many laser pulses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sources.simulation import kernels
from sources.simulation.changes import DWELLS, generator
from sources.simulation.parts import POWER_LAW
from sources.simulation.rates import expected_time_shares, transition_matrix
from sources.simulation.settings import Settings

BLOCK = 1024  # dwells drawn at a time


def dwell_blocks(settings: Settings) -> Iterator[NDArray[np.int64]]:
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
    rng = generator(settings, DWELLS)
    first = int(rng.choice(n, p=expected_time_shares(settings)))
    last = np.array([-1 - first, 0], np.int64)
    while True:
        dwells = np.empty((BLOCK, 2), np.int64)
        kernels.draw_dwells(rng, laws, moves, last, dwells)
        yield dwells


def state_sequence(settings: Settings, stop_pulse: int) -> Iterator[tuple[int, int, int]]:
    """The emitter's states as (state, start pulse, stop pulse) up to `stop_pulse`, where the last one is cut.

    The first state is drawn by its long-run share of time. The sequence is a function of the settings alone, so a
    test can have it before, during or after the stream. Under cw light microseconds take the place of the pulses.
    """
    start = 0
    for block in dwell_blocks(settings):
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
