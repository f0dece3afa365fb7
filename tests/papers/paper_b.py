"""Paper B, Marder et al.: quantum shells, the cascade of biexciton and exciton, cw and pulsed."""

from __future__ import annotations

from collections.abc import Iterator

from sources.simulation import pulsed
from streamer.config import Settings
from streamer.registry import open_source
from tests.papers.row import Row, estimate, g2_zero, gated, run


def rows(scale: float) -> Iterator[Row]:
    """Every number of the paper."""
    yield from shells(scale)
    yield from cascade(scale)


def shells(scale: float) -> Iterator[Row]:
    """Unfiltered pulsed light: two photons per pulse nearly as often as one; a gate of 15 ns makes it single."""
    pipeline = run("simulate:shells", 60 * scale, Settings(states=1), seed=3)
    emitter = open_source("simulate:shells").settings  # type: ignore[attr-defined]
    axis = pipeline.plan.layout.gate_ns()
    at = float(axis[abs(axis - 15).argmin()])
    none, late = (pulsed.g2_zero_gated(emitter, emitter.states[0], gate) for gate in (0.0, at))
    yield Row("pulsed 5 MHz, no gate", "g2(0)", "", "0.85", none, g2_zero(pipeline, 0))
    yield Row(f"pulsed 5 MHz, gate {at:.2f} ns", "g2(0)", "", "< 0.5", late, gated(pipeline, 0, at))


def cascade(scale: float) -> Iterator[Row]:
    """Biexciton (channel 0) and exciton (channel 1) in bands that leak a little, cw: the three-level model."""
    known = {"f_x": 0.05, "f_xx": 0.02}
    heights = []
    for pump, seconds in ((2.0, 150.0), (6.0, 100.0)):
        settings = Settings(studies=("cascade",), cascade=(0, 1), cascade_known=known, states=1)
        pipeline = run("simulate:cascade", seconds * scale, settings, seed=6, pump_per_us=pump)
        values = pipeline.study()[0].values
        told = f"cw, XX x X, pump {pump:g} /us, leakages known"
        yield Row(told, "k1 = 1/tau_X", "1/us", "k2 = 4 k1", 1e3 / 30, estimate(values["k1_per_us"]))
        yield Row(told, "pump G", "1/us", "", pump, estimate(values["pump_per_us"]))
        heights.append((values["asymmetry"], pipeline.info.truth["states"][0]["pairs"][0]))
    # The butterfly's wings: X after XX is above 1, X before XX below; both come closer to 1 as the pump grows.
    for order, truth in heights:
        assert truth["g2_0_above"] > 1 > truth["g2_0_below"]
        assert order["low"] > 0
    assert heights[1][0]["value"] < heights[0][0]["value"]
