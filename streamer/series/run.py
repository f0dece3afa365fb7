"""A series from its table to its numbers: every recording counted, then fits, statistics and sums over them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from streamer.errors import InputError
from streamer.result import Result
from streamer.series.batches import USUAL, add_up, plain_statistics, statistics
from streamer.series.counted import Counted, count
from streamer.series.fits import fit_series, plain_fit
from streamer.series.hom import hom_fits
from streamer.series.pictures import fit_pictures, statistics_pictures
from streamer.series.quantity import find
from streamer.series.reading import Run, Series
from streamer.series.table import HOM, Statistics
from streamer.studies import chosen


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a series gave.

    Attributes:
        values: one JSON object: table, scan, runs, fits, statistics, sums, warnings.
        results: what can be drawn, for the sink `figures`.
        refused: (run, reason) of the recordings that could not be read.
    """

    values: dict[str, Any]
    results: tuple[Result, ...]
    refused: tuple[tuple[str, str], ...]


def run_series(
    series: Series,
    workers: int = 1,
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Count the recordings of a table in `workers` processes, in this one where that is 1, and put them together.

    Args:
        series: as `load_table` gave it.
        workers: processes.
        folder: where each recording leaves its own results, in a folder by its name; None for nowhere.
        progress: told the name of each recording that is done.

    Raises:
        InputError: a fit lacks a number that it needs, or a study is asked for that does not exist.
    """
    runs = [replace(run, settings=_settings(series, run)) for run in series.runs]
    folders = [None if folder is None else str(folder / f"{at:03d} {_safe(run.name)}") for at, run in enumerate(runs)]
    counted: list[Counted] = []
    if workers == 1:
        for run, one in zip(runs, folders, strict=True):
            counted.append(count(run, one))
            progress(run.name)
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for found in pool.map(count, runs, folders):
                counted.append(found)
                progress(found.run.name)
    return together(series, counted)


def together(series: Series, counted: list[Counted]) -> Outcome:
    """Fits, statistics and sums of counted recordings."""
    table = series.table
    scan_unit = table.scan.unit if table.scan is not None else ""
    fits = fit_series(series, counted)
    asked = list(table.statistics)
    if table.scan is None and not asked and not table.sum and not any(fit.kind == HOM for fit in table.fit):
        asked = [Statistics(of=name) for name in USUAL]
    populations = [statistics(one, counted) for one in asked]
    good = [one for one in counted if one.refused is None]
    refused = tuple((one.run.name, one.refused) for one in counted if one.refused is not None)
    values: dict[str, Any] = {
        "table": series.path,
        "title": table.title,
        "scan": None if table.scan is None else {"variable": table.scan.variable, "unit": scan_unit},
        "runs": [_plain_run(one) for one in counted],
        "fits": [plain_fit(one, scan_unit) for one in fits],
        "hom": hom_fits(series, counted),
        "statistics": [plain_statistics(one) for one in populations],
        "sums": [add_up(one, counted) for one in table.sum],
        "warnings": [f"{name}: refused, {why}" for name, why in refused]
        + [f"{one.run.name}: {text}" for one in good for text in one.summary["warnings"]],
    }
    results = [result for one in fits for result in fit_pictures(series, one)]
    results += [result for one in populations for result in statistics_pictures(series, one)]
    return Outcome(values, tuple(results), refused)


def _settings(series: Series, run: Run) -> Any:
    """The run's settings with those studies only that a quantity of the table is of, unless they name their own."""
    if "studies" in run.settings.model_fields_set:
        return run.settings
    asked = [*(fit.of for fit in series.table.fit), *(one.of for one in series.table.statistics)]
    names = {of.split(".")[1] for of in asked if of is not None and of.startswith("studies.") and of.count(".") > 1}
    try:
        chosen(sorted(names))
    except InputError as error:
        raise InputError(f"{series.path}: {error}") from None
    return run.settings.model_copy(update={"studies": tuple(sorted(names))})


def _plain_run(one: Counted) -> dict[str, Any]:
    run = one.run
    rows = {
        state: {name: find(one, name, state).plain() for name in USUAL}
        | {key: row[key] for key in ("photons", "time_s", "central", "side_pairs") if key in row}
        for state, row in one.rows.items()
    }
    return {
        "name": run.name, "file": run.address, "x": run.x, "x_error": run.x_error, "refused": one.refused, "rows": rows,
        "summary": one.summary or None,
    }  # fmt: skip


def _safe(name: str) -> str:
    """A name that can be a folder's."""
    return "".join(sign if sign.isalnum() or sign in "-_. #" else "_" for sign in name)
