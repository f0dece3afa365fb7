"""The results of a run in a folder: summary.json for people and scripts, results.npz with every array and its axes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import InputError
from streamer.result import Result


def write(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Write both files and return their paths; each appears whole or not at all.

    results.npz holds `<result>.<array>` for every array and `<result>.axis.<name>` for every axis; units, rows, values
    and provenance are in
    `results.json` text under the key `meta`.

    Raises:
        InputError: the folder cannot be written to.
    """
    arrays: dict[str, Any] = {}
    meta: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    for result in results:
        arrays |= {f"{result.name}.{key}": array for key, array in result.data.items()}
        arrays |= {f"{result.name}.axis.{axis.name}": axis.values for axis in result.axes}
        meta[result.name] = {
            "kind": result.kind, "axes": [[axis.name, axis.unit] for axis in result.axes], "rows": list(result.rows),
            "values": result.values, "provenance": result.provenance,
        }  # fmt: skip
        if result.name == "summary":
            summary = result.values
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "summary.json", folder / "results.npz"]
        _replace(paths[0], lambda file: file.write(json.dumps(summary, indent=1, allow_nan=False).encode() + b"\n"))
        _replace(paths[1], lambda file: np.savez_compressed(file, meta=np.array(json.dumps(meta)), **arrays))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: results cannot be written ({reason}); choose another --out folder") from None
    return paths


def _replace(path: Path, fill: Any) -> None:
    """Write beside the target, then move into place."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        fill(file)
    os.replace(part, path)
