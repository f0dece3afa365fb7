"""Wider bins far from zero: everything kept, no bin wider than it may be."""

import numpy as np

from streamer.estimators.tau_bins import merge

TAU = np.arange(-1000, 1001) * 0.5


def test_merged_bins_hold_everything():
    edges, counts = np.append(TAU - 0.25, 500.25), np.arange(2001.0)
    wider, some, expected = merge(edges, counts, np.ones(2001))
    assert some.sum() == counts.sum()
    assert expected.sum() == 2001
    assert wider[0] == edges[0]
    assert wider[-1] == edges[-1]
    assert np.isin(wider, edges).all()
    near = np.minimum(np.abs(wider[1:]), np.abs(wider[:-1]))
    assert (np.diff(wider) <= np.maximum(near / 8, 0.5) + 1e-9).all()
    assert len(some) < 150
