"""Decays: what a state's lifetime owes to the edge of its own decay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamer.chunk import StreamEnd
from streamer.config import Settings
from streamer.pipeline import Pipeline
from streamer.registry import open_source

# A laser of 76 MHz: the period is no four lifetimes long, and the dark state's light comes at once.
OPTIONS = {
    "rate_hz": "76e6", "eta_x": "0.05,0.5", "eta_bx": "0,0", "tau_x_ns": "0.3,3.4", "tau_bx_ns": "0.1,0.1",
    "jitter_ps": "150", "dark_cps": "20", "dwell": "exp:0.8,exp:0.2", "duration": "20", "rate": "5000",
    "delay_ns": "0,0",
}  # fmt: skip


def test_the_edge_of_all_photons_does_not_move_the_lifetimes_of_the_states():
    pulls = []
    for seed in range(5):
        source = open_source("simulate:", OPTIONS | {"seed": str(seed)})
        truth = [state["mean_arrival_ns"] for state in source.info.truth["states"]]
        pipeline = Pipeline(replace(source.info, t0_ns={}), Settings(studies=(), channels=(0, 1)))
        for chunk in source.chunks():
            pipeline.feed(chunk)
        pipeline.finish(StreamEnd("duration reached"))
        decays = pipeline.answers().decays
        assert len(decays.lifetimes) == 3
        states = zip(decays.lifetimes[1:], truth, strict=True)
        pulls.append([(one.value_ns - true) / one.error_ns for one, true in states])
    assert (np.abs(np.mean(pulls, axis=0)) < 2.2).all()
    assert (decays.rested[0] == decays.counts[0]).all()
    assert (decays.rested <= decays.counts).all()
