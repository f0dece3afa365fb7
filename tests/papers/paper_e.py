"""Paper E, Chatterjee et al., a review: purity, blinking types A and B, bunching, indistinguishable photons."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamer.config import Settings
from streamer.estimators.estimate import Estimate
from streamer.estimators.hom import PeakCounts, hom_visibility
from tests.papers.row import Row, estimate, g2_zero, run


def rows(scale: float) -> Iterator[Row]:
    """What the review says an emitter is judged by."""
    yield from purity(scale)
    yield from bunching(scale)
    yield from types(scale)
    yield from interference(scale)


def purity(scale: float) -> Iterator[Row]:
    """A single emitter, and light of a laser."""
    for preset, truth, printed in (("single", 0.0, "< 0.5: single"), ("poisson", 1.0, "1: laser")):
        pipeline = run(f"simulate:{preset}", 10 * scale, Settings(states=1), seed=1)
        yield Row(preset, "g2(0)", "", printed, truth, g2_zero(pipeline, 0))


def bunching(scale: float) -> Iterator[Row]:
    """Thermal light of one mode, and of less than one: above 2."""
    for modes, printed in ((1.0, "> 1: bunched"), (0.5, "> 2: superbunched")):
        pipeline = run("simulate:thermal", 10 * scale, Settings(states=1), seed=2, modes=modes)
        yield Row(f"thermal, {modes:g} modes", "g2(0)", "", printed, 1 + 1 / modes, g2_zero(pipeline, 0))


def types(scale: float) -> Iterator[Row]:
    """Type A: quenching shortens the lifetime as it dims; type B: it dims and the lifetime stays."""
    settings = Settings(studies=("lifetime_trace",))
    for kind, tau, slope in (("A", "4,12", 1.0), ("B", "12,12.001", 0.0)):
        pipeline = run(
            "simulate:powerlaw", 60 * scale, settings, seed=9, eta_x="0.3,0.9", tau_x_ns=tau, eta_bx="0,0",
            tau_bx_ns="0.001,0.001", dark_cps=0, dwell="exp:3,exp:3",
        )  # fmt: skip
        found = pipeline.study()[0].values["type"]
        assert found["verdict"] == kind, found
        yield Row(f"type {kind}", "d ln(lifetime) / d ln(intensity)", "", "by eye", slope, estimate(found["slope"]))


def interference(scale: float) -> Iterator[Row]:
    """Hong-Ou-Mandel: two runs, photons that may and that may not interfere."""
    rng = np.random.default_rng(3)
    for visibility in (0.2, 0.6, 0.9):
        peak = 800.0 * scale
        runs = [
            PeakCounts(int(rng.poisson(peak / 2 * (1 - v))), int(rng.poisson(peak * 18)), 18.0)
            for v in (visibility, 0.0)
        ]
        found = hom_visibility(*runs)
        assert isinstance(found.raw, Estimate)
        yield Row("two runs of 800 pairs a peak", "HOM visibility", "", "dip", visibility, found.raw)
