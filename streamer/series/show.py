"""A series for people: recordings, fits, statistics and sums as tables."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from streamer.series.wording import with_error
from streamer.show import number

NAMED = 8  # recordings that are named one by one
MANY = 12  # recordings from which their states are not listed


def print_series(values: dict[str, Any]) -> None:
    """Everything that a series gave."""
    console = Console(soft_wrap=True, highlight=False, width=max(140, Console().width))
    if values["title"]:
        console.print(values["title"], style="bold", markup=False)
    _print_runs(console, values)
    for fit in values["fits"]:
        _print_fit(console, fit)
    for one in values["hom"]:
        console.print(f"{one['name']}", style="bold", markup=False)
        for name, number_ in one.get("numbers", {}).items():
            console.print(f"  {name:16} {_estimate(number_)}", markup=False)
        _print_remarks(console, one)
    for one in values["statistics"]:
        _print_statistics(console, one)
    for one in values["sums"]:
        _print_sum(console, one)
    _print_notes(console, values["runs"])


def _estimate(one: dict[str, Any], unit: str | None = None) -> str:
    """Value, error and interval; what is known of the interval where there is no value."""
    unit = one.get("unit") or "" if unit is None else unit
    ends = f"[{number(one['low'])}, {number(one['high'])}]" if one["low"] is not None or one["high"] is not None else ""
    if one["value"] is None:
        return f"- {ends} {unit}".rstrip() if ends else "-"
    return " ".join(f"{with_error(one['value'], one['error'])} {ends} {unit}".split())


def _print_runs(console: Console, values: dict[str, Any]) -> None:
    scan = values["scan"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    heads = ["recording", "state", "counts/s", "lifetime (ns)", "g2(0) [95 %]"]
    if scan:
        heads.insert(1, scan["variable"] + (f" ({scan['unit']})" if scan["unit"] else ""))
    for head in heads:
        table.add_column(head, no_wrap=True)
    for run in values["runs"]:
        x = f"{run['x']:g}" + (f" ± {run['x_error']:g}" if run["x_error"] else "") if scan else None
        if run["refused"]:
            table.add_row(*[one for one in (run["name"], x, "refused", "-", "-", "-") if one is not None])
        rows = list(run["rows"].items())
        for at, (state, row) in enumerate(rows[:1] if len(values["runs"]) > MANY or len(rows) <= 2 else rows):
            cells = [run["name"] if at == 0 else "", x if at == 0 else "" if scan else None, state]
            cells += [_estimate(row[name]) for name in ("rate_cps", "lifetime_ns", "g2_0")]
            table.add_row(*[one for one in cells if one is not None])
    console.print(table)


def _print_fit(console: Console, fit: dict[str, Any]) -> None:
    quality = f", chi2 {fit['chi2']:.3g} of {fit['dof']}" if fit["chi2"] is not None else ""
    quality += f", p = {fit['p_value']:.2g}" if fit["p_value"] is not None else ""
    console.print(f"{fit['name']}: {len(fit['points'])} points{quality}", style="bold", markup=False)
    for name, one in (fit["parameters"] | fit["derived"]).items():
        console.print(f"  {name:16} {_estimate(one)}", markup=False)
    _print_remarks(console, fit)
    _print_left_out(console, fit["left_out"])


def _print_statistics(console: Console, one: dict[str, Any]) -> None:
    refused = f", {len(one['refused'])} without it" if one["refused"] else ""
    console.print(f"{one['name']}: {one['n']} recordings{refused}", style="bold", markup=False)
    if "mean" in one:
        for key, text in (("mean", "mean ± SEM"), ("sd", "SD"), ("median", "median"), ("intrinsic_sd", "intrinsic SD")):
            why = f" ({one[key]['reason']})" if one[key]["reason"] else ""
            console.print(f"  {text:16} {_estimate(one[key], one['unit'])}{why}", markup=False)
        if one["typical_error"] is not None:
            chance = "" if one["same_p"] is None else f"; all alike: p = {one['same_p']:.2g}"
            console.print(f"  {'typical error':16} {number(one['typical_error'])} {one['unit']}{chance}", markup=False)
    _print_remarks(console, one)
    _print_left_out(console, one["refused"])


def _print_sum(console: Console, one: dict[str, Any]) -> None:
    console.print(f"{one['name']}: {len(one['runs'])} recordings added", style="bold", markup=False)
    for state, row in one["rows"].items():
        g2 = "-" if row["g2_0"] is None else f"{row['g2_0']:.4f} [{number(row['low'])}, {number(row['high'])}]"
        g2 += f" -> {row['verdict']}" if row["verdict"] else f" ({row['g2_reason']})" if row["g2_reason"] else ""
        lifetime = f"- ({row['lifetime_reason']})"
        if row["lifetime_ns"] is not None:
            lifetime = f"{with_error(row['lifetime_ns'], row['lifetime_error_ns'])} ns"
        alike = f"; one g2(0) in all: p = {row['same_p']:.2g}" if row["same_p"] is not None else ""
        console.print(f"  {state:10} g2(0) {g2}{alike}; lifetime {lifetime}", markup=False)
    _print_remarks(console, one)
    _print_left_out(console, one["left_out"])


def _print_notes(console: Console, runs: list[dict[str, Any]]) -> None:
    """What recordings warn of, those of one text together."""
    said: dict[str, list[str]] = {}
    for run in runs:
        for text in (run["summary"] or {}).get("warnings", ()):
            said.setdefault(text, []).append(run["name"])
    for text, names in said.items():
        shown = ", ".join(names) if len(names) <= NAMED else f"{len(names)} recordings"
        console.print(f"note: {shown}: {text}", markup=False)


def _print_left_out(console: Console, left_out: list[dict[str, str]]) -> None:
    """Recordings without a number, those of one reason together."""
    for reason in dict.fromkeys(one["reason"] for one in left_out):
        names = ", ".join(one["run"] for one in left_out if one["reason"] == reason)
        console.print(f"  left out: {names}: {reason}", markup=False)


def _print_remarks(console: Console, one: dict[str, Any]) -> None:
    for line in one.get("remarks", ()):
        console.print(f"  note: {line}", markup=False)
