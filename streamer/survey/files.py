"""A survey on disk: survey.csv for people, survey.h5 that explains itself; each is replaced whole after every dot."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from streamer.errors import InputError
from streamer.survey.table import COLUMNS, VERSION

TEXT = ("name", "verdict", "stopped_on", "reason", "state")
WHOLE = ("number", "part", "photons", "central")  # -1 where it is not known


def write_table(folder: Path, values: dict[str, Any]) -> list[Path]:
    """Write both files and return their paths; each appears whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    paths = [folder / "survey.csv", folder / "survey.h5"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(paths[0], lambda part: part.write_text(csv_text(values), encoding="utf-8"))
        _replace(paths[1], lambda part: _write_h5(part, values))
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: the survey cannot be written ({reason}); choose another --out folder") from None
    return paths


def _replace(path: Path, fill: Callable[[Path], Any]) -> None:
    part = path.with_name(path.name + ".part")
    fill(part)
    os.replace(part, path)


def csv_text(values: dict[str, Any]) -> str:
    """A line for each dot; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(values["dots"])
    return text.getvalue()


def _write_h5(path: Path, values: dict[str, Any]) -> None:
    """Group `dots` with a data set for each column; rules, totals and versions are attributes of the file."""
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "streamer survey"
        file.attrs["format_version"] = VERSION
        file.attrs["program_version"] = version("photon-streamer")
        file.attrs["rules"] = json.dumps(values["rules"])
        file.attrs["rules_from"] = values["rules_from"]
        file.attrs["totals"] = json.dumps(values["totals"])
        if values["budget_s"] is not None:
            file.attrs["budget_s"] = values["budget_s"]
        group = file.create_group("dots")
        group.attrs["columns"] = list(COLUMNS)
        for name, (unit, told) in COLUMNS.items():
            column = [dot[name] for dot in values["dots"]]
            if name in TEXT:
                data = group.create_dataset(name, data=np.array(column, object), dtype=h5py.string_dtype())
            elif name in WHOLE:
                data = group.create_dataset(name, data=np.array([-1 if x is None else x for x in column], np.int64))
                data.attrs["unknown"] = -1
            else:
                data = group.create_dataset(name, data=np.array([np.nan if x is None else x for x in column], float))
            data.attrs["unit"], data.attrs["description"] = unit, told
