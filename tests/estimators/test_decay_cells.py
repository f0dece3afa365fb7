"""Cells: no photon is lost, none is before another in time, and their edges are where they must be."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.decay_cells import make_cells

PERIOD, WIDTH = 50.03, 0.016


@pytest.mark.parametrize("t0", [0.01, 5.0, 25.0, 50.0])
def test_counts_and_order_are_kept(t0):
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 50, int(PERIOD / WIDTH) + 3)
    hidden = np.zeros(len(counts), bool)
    hidden[2000:2100] = True
    cells = make_cells(counts, WIDTH, PERIOD, t0, 2.0, 0.1, (-0.4, 0.4), hidden)
    inside = counts[: int(np.ceil(PERIOD / WIDTH))]
    assert cells.counts.sum() == inside.sum()
    assert cells.period == pytest.approx(PERIOD)
    assert np.all(cells.widths > 0)
    # In the order of the nanotime the sums are those of the bins, and edges fall on zero and on what is hidden.
    sums = np.cumsum(cells.counts[cells.order])
    nanotime = np.cumsum(cells.widths[cells.order])
    bins = np.append(np.arange(1, len(inside)) * WIDTH, PERIOD)
    np.testing.assert_allclose(np.interp(nanotime, bins, np.cumsum(inside)), sums)
    dark = cells.order[~cells.seen[cells.order]]
    assert cells.widths[dark].sum() == pytest.approx(100 * WIDTH)
    assert -2.0 - WIDTH < cells.edges[0] < -2.0 + 2 * WIDTH


def test_cells_are_fine_around_the_response_and_few():
    counts = np.zeros(int(400 / 0.004) + 1, np.int64)
    cells = make_cells(counts, 0.004, 400.0, 11.0, 2.0, 0.03, (-0.12, 0.12))
    near = (cells.edges[:-1] > -0.1) & (cells.edges[1:] < 0.1)
    assert cells.widths[near].max() < 0.03 / 5
    assert len(cells.counts) < 400
    far = cells.edges[:-1] > 10
    assert np.all(cells.widths[far] < 0.05 * cells.edges[1:][far])
