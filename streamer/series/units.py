"""Units of a series: of the quantities by their names, and of a scan of power or intensity."""

from __future__ import annotations

UNITS = {
    "rate_cps": "counts/s", "lifetime_ns": "ns", "one_over_e_ns": "ns", "g2_0": "", "photons": "", "time_s": "s",
}  # fmt: skip
ENDINGS = {
    "_ns": "ns", "_cps": "counts/s", "_s": "s", "_hz": "Hz", "_mev": "meV", "_per_us": "1/us", "_us": "us", "_ps": "ps",
}  # fmt: skip
POWERS = {"W": 1.0, "kW": 1e3, "MW": 1e6, "mW": 1e-3, "uW": 1e-6, "µW": 1e-6, "μW": 1e-6, "nW": 1e-9}


def unit_of(name: str) -> str:
    """Unit of a quantity, by its name."""
    last = name.rsplit(".", 1)[-1]
    if last in UNITS:
        return UNITS[last]
    return next((unit for ending, unit in ENDINGS.items() if last.lower().endswith(ending)), "")


def per_cm2(unit: str, spot_um2: float | None) -> float:
    """W/cm2 to a unit of intensity, or of power on a spot; 0.0 where it is none."""
    power, slash, area = unit.partition("/")
    if slash:
        return POWERS.get(power, 0.0) if area in ("cm2", "cm^2", "cm²") else 0.0
    return POWERS.get(unit, 0.0) / (spot_um2 * 1e-8) if spot_um2 else 0.0
