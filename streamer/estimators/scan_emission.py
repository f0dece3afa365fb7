"""Laws of pulsed multi-exciton emission against power, for `streamer.estimators.scan_laws`: rate and g2(0)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.multiexciton import core_rate_cps, g2_zero, shell_rate_cps

Floats = NDArray[np.float64]
Numbers = Mapping[str, float]
Limits = dict[str, tuple[float | None, float | None]]


def emission(x: Floats, values: Floats, constants: Numbers) -> Floats:
    """Count rates float64[n], counts/s, at the scan's x."""
    yield_x, ratio, per_x, yield_h, dark = values
    nbar, rate_hz = per_x * x, constants["rate_hz"]
    core = core_rate_cps(nbar, 1.0, rate_hz, yield_x, ratio * yield_x)
    return core + (shell_rate_cps(nbar, 1.0, rate_hz, yield_h) if yield_h else 0.0) + dark


def emission_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    """First guesses: the best of a grid of ratios and scales, the rest by linear least squares."""
    best: tuple[float, dict[str, float]] | None = None
    positive = x[x > 0]
    ratios = [held["ratio"]] if "ratio" in held else [0.03, 0.1, 0.25, 0.5, 0.9]
    scales = [held["nbar_per_x"]] if "nbar_per_x" in held else list(np.geomspace(0.01, 30, 50) / positive.max())
    for ratio in ratios:
        for per_x in scales:
            units = [
                emission(x, np.array([*one, 0.0]), constants)
                for one in ([1.0, ratio, per_x, 0.0], [0.0, ratio, per_x, 1.0])
            ]
            names, columns = ["yield_x"], [units[0]]
            if "yield_h" not in held:
                names.append("yield_h")
                columns.append(units[1])
            matrix = np.stack(columns, axis=1) / sigma[:, None]
            target = (y - held.get("dark", 0.0)) / sigma
            solution, *_ = np.linalg.lstsq(matrix, target, rcond=None)
            misfit = float(np.sum((matrix @ solution - target) ** 2))
            if (solution >= 0).all() and (best is None or misfit < best[0]):
                found = dict(zip(names, map(float, solution), strict=True))
                best = misfit, found | {"ratio": ratio, "nbar_per_x": float(per_x)}
    fallback = {
        "yield_x": float(y.max()) / constants["rate_hz"], "ratio": 0.2, "nbar_per_x": 1 / float(positive.max()),
        "yield_h": 0.0, "dark": 0.0,
    }  # fmt: skip
    found = fallback | (best[1] if best is not None else {})
    # Off the bounds, where a fit would not move from.
    small = {"yield_h": 0.003 * found["yield_x"], "dark": 0.02 * float(y.min())}
    return {name: max(found[name], small.get(name, 0.0)) for name in fallback}


def emission_limits(x: Floats) -> dict[str, tuple[float | None, float | None]]:
    """Bounds of the parameters."""
    most = 300.0 / float(x[x > 0].min())
    return {
        "yield_x": (0.0, None), "ratio": (0.0, None), "nbar_per_x": (1e-4 / float(x.max()), most),
        "yield_h": (0.0, None), "dark": (0.0, None),
    }  # fmt: skip


def g2_power(x: Floats, values: Floats, constants: Numbers) -> Floats:
    """g2(0) float64[n] at the scan's x."""
    ratio, per_x = values
    return g2_zero(np.maximum(per_x * x, 1e-9), [1.0, ratio])


def g2_start(x: Floats, y: Floats, sigma: Floats, held: Numbers, constants: Numbers) -> dict[str, float]:
    """First guesses: the best of a grid."""
    trials = [
        (float(np.sum(((g2_power(x, np.array([ratio, per_x]), {}) - y) / sigma) ** 2)), float(ratio), float(per_x))
        for ratio in ([held["ratio"]] if "ratio" in held else np.geomspace(0.003, 1.5, 25))
        for per_x in ([held["nbar_per_x"]] if "nbar_per_x" in held else np.geomspace(0.02, 30, 25) / x.max())
    ]
    _, ratio, per_x = min(trials)
    return {"ratio": ratio, "nbar_per_x": per_x}


def g2_limits(x: Floats) -> dict[str, tuple[float | None, float | None]]:
    """Bounds of the parameters."""
    return {"ratio": (0.0, None), "nbar_per_x": (1e-4 / float(x.max()), 300.0 / float(x[x > 0].min()))}
