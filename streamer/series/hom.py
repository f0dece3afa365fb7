"""Hong-Ou-Mandel visibility of a series: two runs, of photons that can interfere and of photons that cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamer.errors import InputError
from streamer.estimators.estimate import unknown
from streamer.estimators.hom import hom_values
from streamer.series.counted import Counted
from streamer.series.reading import Series
from streamer.series.table import HOM, Fit


def hom_fits(series: Series, counted: Sequence[Counted]) -> list[dict[str, Any]]:
    """Every fit of kind hom, as plain JSON; InputError names the fit whose constants cannot be."""
    found = []
    for at, fit in enumerate(series.table.fit):
        if fit.kind == HOM:
            try:
                found.append({"name": fit.title} | _one(fit, {one.run.name: one for one in counted}))
            except InputError as error:
                raise InputError(f"{series.path}: fit.{at}: {error}") from None
    return found


def _one(fit: Fit, counted: dict[str, Counted]) -> dict[str, Any]:
    names = {"parallel": fit.parallel, "perpendicular": fit.perpendicular}
    pair = {key: counted[str(name)] for key, name in names.items()}
    for key, one in pair.items():
        if one.refused is not None:
            nothing = unknown(f"the {key} run was refused: {one.refused}").plain()
            return names | {"numbers": {"visibility": nothing, "corrected": nothing}, "remarks": [nothing["reason"]]}
        if one.summary["g2"].get("central") is None:
            nothing = unknown(f"the {key} run has no g2").plain()
            return names | {"numbers": {"visibility": nothing, "corrected": nothing}, "remarks": [nothing["reason"]]}
    g2, g2_error = fit.g2 if isinstance(fit.g2, tuple) else (fit.g2, 0.0)
    values = hom_values(
        pair["parallel"].summary["g2"], pair["perpendicular"].summary["g2"], g2=g2, g2_error=g2_error,
        reflectance=fit.reflectance, contrast=fit.contrast, scheme=fit.scheme,
    )  # fmt: skip
    numbers = {key: values[key] | {"unit": ""} for key in ("visibility", "corrected")}
    remarks = list(dict.fromkeys(one["reason"] for one in numbers.values() if one["reason"]))
    return names | {"numbers": numbers, "correction": values["correction"], "remarks": remarks}
