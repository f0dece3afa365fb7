"""A table read and checked: its runs one by one, every fault one line with file, key, rule and value."""

from __future__ import annotations

import glob
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from streamer.config import Settings, settings_from
from streamer.errors import InputError
from streamer.estimators.scan_laws import LAWS
from streamer.registry import SOURCES
from streamer.series.table import HOM, Fit, RunPart, Scan, Statistics, Sum, Table
from streamer.series.units import POWERS, UNITS, per_cm2, unit_of


@dataclass(frozen=True, slots=True)
class Run:
    """One recording of a series.

    Attributes:
        name, address: what it is called, where it is.
        options: of the source.
        settings: of the run.
        x, x_error: of the scan variable; None without one.
    """

    name: str
    address: str
    options: dict[str, str]
    settings: Settings
    x: float | None
    x_error: float


@dataclass(frozen=True, slots=True)
class Series:
    """A table read and checked: what it says, and its runs one by one."""

    path: str
    table: Table
    runs: tuple[Run, ...]


def load_table(path: Path) -> Series:
    """Read a table.

    Raises:
        InputError: it cannot be read, is no TOML, or a key or value is wrong: one line with file, key, rule and value.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML table") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML ({error}); correct the table") from None
    return table_from(values, path)


def table_from(values: dict[str, Any], path: Path) -> Series:
    """Check plain values; files are looked for beside `path`."""
    try:
        table = Table(**values)
    except ValidationError as error:
        raise InputError(f"{path}: " + "; ".join(_fault(one) for one in error.errors())) from None
    runs: list[Run] = []
    for at, part in enumerate(table.run):
        runs += _runs(table, part, f"{path}: run.{at}", path.parent)
    names = [run.name for run in runs]
    runs = [
        replace(run, name=f"{run.name} #{names[: at + 1].count(run.name)}") if names.count(run.name) > 1 else run
        for at, run in enumerate(runs)
    ]
    _check_names(table, {run.name for run in runs}, path)
    return Series(str(path), table, tuple(runs))


def _fault(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "table"
    rule = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        parts: dict[str, type[BaseModel]] = {"scan": Scan, "fit": Fit, "statistics": Statistics, "sum": Sum}
        known = parts.get(str(fault["loc"][0]), Table) if len(fault["loc"]) > 1 else Table
        rule = f"no such key; known are {', '.join(known.model_fields)}"
    got = "" if fault["type"] in ("value_error", "missing") else f", got {fault['input']!r}"
    return f"{key}: {rule}{got}"


def _runs(table: Table, part: RunPart, where: str, folder: Path) -> list[Run]:
    """The recordings of one [[run]]."""
    given = dict(part.model_extra or {})
    scan = table.scan
    allowed = (scan.variable, f"{scan.variable}_error") if scan is not None else ()
    for key, value in given.items():
        if key not in allowed:
            known = ", ".join([*RunPart.model_fields, *allowed])
            why = "" if scan is not None else " (and no [scan] names a variable)"
            raise InputError(f"{where}.{key}: no such key; known are {known}{why}, got {value!r}")
    x, x_error = None, 0.0
    if scan is not None:
        if scan.variable not in given:
            raise InputError(f"{where}.{scan.variable}: is missing; every run needs a value of the scan variable")
        x = _number(given[scan.variable], f"{where}.{scan.variable}")
        x_error = _number(given.get(f"{scan.variable}_error", 0.0), f"{where}.{scan.variable}_error")
        if x_error < 0:
            raise InputError(f"{where}.{scan.variable}_error: must be 0 or more, got {x_error}")
    settings = settings_from(table.settings | part.settings, f"{where}.settings")
    options = {key: _text(value) for key, value in (table.options | part.options).items()}
    return [
        Run(part.name or _name(address), address, options, settings, x, x_error)
        for address in _addresses(part, where, folder)
    ]


def _addresses(part: RunPart, where: str, folder: Path) -> list[str]:
    """Files beside the table, or addresses of sources as they are."""
    if part.file is not None:
        return [_address(part.file, f"{where}.file", folder)]
    if isinstance(part.files, list):
        return [_address(one, f"{where}.files", folder) for one in part.files]
    pattern = str(Path(str(part.files)).expanduser())
    found = sorted(glob.glob(pattern if Path(pattern).is_absolute() else str(folder / pattern), recursive=True))
    if not found:
        raise InputError(f"{where}.files: no file matches the pattern, got {part.files!r}; correct the path")
    return found


def _address(text: str, key: str, folder: Path) -> str:
    path = folder / Path(text).expanduser()
    if path.exists():
        return str(path)
    name, colon, _ = text.partition(":")
    if name in SOURCES or (colon and len(name) > 1):
        return text
    more = " (for a pattern: `files`)" if any(sign in text for sign in "*?[") else ""
    raise InputError(f"{key}: no such file beside the table, got {text!r}; correct the path{more}")


def _name(address: str) -> str:
    return address if not Path(address).exists() else Path(address).name


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise InputError(f"{key}: must be a finite number, got {value!r}")
    return float(value)


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_names(table: Table, names: set[str], path: Path) -> None:
    """Fits and sums name only what there is."""
    shown = ", ".join(sorted(names)[:20])
    above: set[str] = set()
    titles: set[str] = set()
    for at, fit in enumerate(table.fit):
        if fit.kind != HOM and table.scan is None:
            raise InputError(f"{path}: fit.{at}: a fit needs [scan], which names the variable; use [[statistics]] else")
        for key in ("parallel", "perpendicular"):
            asked = getattr(fit, key)
            if asked is not None and asked not in names:
                raise InputError(f"{path}: fit.{at}.{key}: must be the name of a run ({shown}), got {asked!r}")
        for key, source in fit.known.items():
            if isinstance(source, str) and source not in above:
                known = ", ".join(sorted(above)) or "there is none"
                raise InputError(f"{path}: fit.{at}.known.{key}: must be a fit above ({known}), got {source!r}")
        if fit.title in titles:
            raise InputError(f"{path}: fit.{at}: two fits are called {fit.title!r}; give them a `name` each")
        titles.add(fit.title)
        if fit.kind != HOM:
            above.add(fit.title)
            _check_fit(fit, table.scan.unit if table.scan is not None else "", f"{path}: fit.{at}")
    for at, told in enumerate(table.statistics):
        _check_quantity(told.of, f"{path}: statistics.{at}")
    for at, one in enumerate(table.sum):
        for asked in one.runs or ():
            if asked not in names:
                raise InputError(f"{path}: sum.{at}.runs: must be names of runs ({shown}), got {asked!r}")


def _check_fit(fit: Fit, scan_unit: str, where: str) -> None:
    """What a fit needs of the table alone, so that no recording is counted in vain."""
    law, of = LAWS[fit.kind], fit.of or ""
    _check_quantity(of, where)
    if law.of is not None and unit_of(of) not in law.of:
        kinds = " or ".join(unit or "a plain number" for unit in law.of)
        raise InputError(f"{where}.of: {fit.kind} is of a quantity in {kinds}, got {of!r} in {unit_of(of) or 'none'}")
    if fit.wavelength_nm is None or fit.kind not in ("emission", "saturation", "pump_rate"):
        return
    if fit.kind == "emission":
        if scan_unit not in POWERS:
            rule = "the cross-section needs a scan of power in W, mW, uW or nW"
            raise InputError(f"{where}.wavelength_nm: {rule}, got {scan_unit!r}")
        if fit.spot_um2 is None:
            raise InputError(f"{where}.spot_um2: must be given for the absorption cross-section, with wavelength_nm")
        return
    if fit.kind == "saturation" and fit.lifetime_ns is None:
        raise InputError(f"{where}.lifetime_ns: must be given for the absorption cross-section, with wavelength_nm")
    if per_cm2(scan_unit, fit.spot_um2) <= 0:
        rule = "the cross-section needs a scan in W/cm2 or kW/cm2, or in uW with spot_um2"
        raise InputError(f"{where}.wavelength_nm: {rule}, got {scan_unit!r}")


def _check_quantity(of: str, where: str) -> None:
    if "." not in of and of not in UNITS:
        raise InputError(
            f"{where}.of: must be out of {', '.join(UNITS)} or a path such as studies.NAME.KEY, got {of!r}"
        )
