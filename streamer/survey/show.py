"""A survey for people: its rules, a line for each dot, what it cost and what it saved."""

from __future__ import annotations

import json
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from streamer.show import fixed, interval, number

MANY = 60  # dots, beyond which they are not listed one by one: the table on disk has them


def rules_line(values: dict[str, Any]) -> str:
    """What stopped the dots, and who said so."""
    return f"rules: {json.dumps(values['rules'])} ({values['rules_from']})"


def dot_line(dot: dict[str, Any]) -> str:
    """One dot, while the survey goes on."""
    used = "" if dot["used_s"] is None else f"{dot['used_s']:.2f} s, "
    return f"{dot['number']} {dot['name']}: {dot['verdict']} ({used}{dot['reason']})"


def print_survey(values: dict[str, Any]) -> None:
    """Everything that a survey gave."""
    console = Console(soft_wrap=True, highlight=False, width=max(140, Console().width))
    console.print(rules_line(values), markup=False)
    if len(values["dots"]) <= MANY:
        table = Table("dot", "name", "verdict", "used s", "saved s", "photons", "g2(0)", "stopped on", box=box.SIMPLE)
        for dot in values["dots"]:
            table.add_row(
                str(dot["number"]), dot["name"], dot["verdict"], fixed(dot["used_s"], ".2f"),
                fixed(dot["saved_s"], ".2f"), fixed(dot["photons"], ","), interval(dot),
                dot["stopped_on"] if dot["stopped_on"] else dot["reason"],
            )  # fmt: skip
        console.print(table)
    totals = values["totals"]
    for verdict, some in totals["verdicts"].items():
        console.print(f"{some['dots']:6} {verdict:12} {_cost(some)}", markup=False)
    console.print(f"{totals['dots']:6} {'dots':12} {_cost(totals)}", markup=False)


def _cost(sums: dict[str, Any]) -> str:
    used = f"{number(sums['used_s'], 's', 4)} of exposure used"
    if sums["saved_s"] is None or not sums["planned_s"]:
        return used
    return f"{used}, {number(sums['saved_s'], 's', 4)} saved ({100 * sums['saved_share']:.3g} % of what was planned)"
