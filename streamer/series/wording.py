"""Numbers of a series in words, for the terminal and for figures."""

from __future__ import annotations

from math import floor, log10

from streamer.estimators.estimate import Estimate
from streamer.series.units import unit_of

LABELS = {"rate_cps": "count rate", "lifetime_ns": "lifetime", "g2_0": "g2(0)", "one_over_e_ns": "1/e time"}
PLAIN = (1e-3, 1e5)  # values outside are written with an exponent


def with_error(value: float, error: float | None) -> str:
    """`value ± error` to two digits of the error; four digits of the value where it has none."""
    if not error:
        return f"{value:.4g}"
    power = 0
    size = max(abs(value), error)
    if not PLAIN[0] <= size < PLAIN[1]:
        power = floor(log10(size))
        value, error = value / 10.0**power, error / 10.0**power
    digits = max(0, 1 - floor(log10(error)))
    text = f"{value:.{digits}f} ± {error:.{digits}f}"
    return f"({text})e{power:+03d}" if power else text


def told(name: str, estimate: Estimate, unit: str) -> str:
    """`name = value ± error unit`, or what is known instead."""
    if estimate.value is None:
        low = estimate.low or None  # above 0 goes without saying
        ends = [f"{sign} {end:.3g}" for sign, end in ((">", low), ("<", estimate.high)) if end is not None]
        return f"{name} {' '.join(ends)} {unit}".rstrip() if ends else f"{name}: not determined"
    return f"{name} = {with_error(estimate.value, estimate.error)} {unit}".rstrip()


def label(of: str, state: str) -> str:
    """Axis label of a quantity."""
    name = LABELS.get(of, of.rsplit(".", 1)[-1] if "." in of else of)
    unit = unit_of(of)
    return name + ("" if state == "all" else f", {state}") + (f" ({unit})" if unit else "")
