"""A series on disk: series.json with everything, series.csv with a line for each number of each recording and fit."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamer.errors import InputError
from streamer.series.batches import USUAL
from streamer.series.units import unit_of

COLUMNS = ("part", "name", "state", "quantity", "x", "x_error", "value", "error", "low", "high", "unit", "reason")


def write_files(folder: Path, values: dict[str, Any]) -> list[Path]:
    """Write both files and return their paths; each appears whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for lines in (_runs, _fits, _batches):
        writer.writerows(lines(values))
    paths = [folder / "series.json", folder / "series.csv"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole = json.dumps(values, indent=1, allow_nan=False) + "\n"
        for path, content in zip(paths, (whole, text.getvalue()), strict=True):
            part = path.with_name(path.name + ".part")
            part.write_text(content, encoding="utf-8")
            os.replace(part, path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: results cannot be written ({reason}); choose another --out folder") from None
    return paths


def _runs(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for run in values["runs"]:
        place = {"part": "run", "name": run["name"], "x": run["x"], "x_error": run["x_error"] or ""}
        if run["refused"]:
            yield place | {"reason": run["refused"]}
        for state, row in run["rows"].items():
            for quantity in USUAL:
                yield place | {"state": state, "quantity": quantity, "unit": unit_of(quantity)} | row[quantity]


def _fits(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for fit in values["fits"]:
        for name, one in (fit["parameters"] | fit["derived"]).items():
            yield {"part": "fit", "name": fit["name"], "state": fit["state"], "quantity": name} | one
    for one in values["hom"]:
        for name, number in one.get("numbers", {}).items():
            yield {"part": "hom", "name": one["name"], "quantity": name} | number


def _batches(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in values["statistics"]:
        for name in ("mean", "sd", "median", "intrinsic_sd"):
            if name in one:
                place = {"part": "statistics", "name": one["name"], "state": one["state"], "quantity": name}
                yield place | {"unit": one["unit"]} | one[name]
    for one in values["sums"]:
        for state, row in one["rows"].items():
            place = {"part": "sum", "name": one["name"], "state": state}
            yield place | {
                "quantity": "g2_0", "value": row["g2_0"], "low": row["low"], "high": row["high"],
                "reason": row["g2_reason"],
            }  # fmt: skip
            yield place | {
                "quantity": "lifetime_ns", "unit": "ns", "value": row["lifetime_ns"], "error": row["lifetime_error_ns"],
                "low": row["lifetime_low_ns"], "high": row["lifetime_high_ns"], "reason": row["lifetime_reason"],
            }  # fmt: skip
