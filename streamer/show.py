"""Show: summaries as tables for people, and progress on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from streamer.consistency import lines
from streamer.studies import lines as study_lines


@contextmanager
def progress_bar(*, hidden: bool = False) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A bar over stream time on standard error, where that is a terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[text]}"), console=console,
        disable=hidden or not console.is_terminal, transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("starting", total=None, text="")

        def update(status: dict[str, Any]) -> None:
            if "stream_s" in status:
                bar.update(
                    task, description=status["state"], total=status["duration_s"], completed=status["stream_s"],
                    text=f"{status['stream_s']:.1f} s  {status['photons']:,} photons",
                )  # fmt: skip

        yield update


def number(value: float | None, unit: str = "", digits: int = 3) -> str:
    """A number to `digits` significant digits, or a dash for what is not known."""
    return "-" if value is None else f"{value:#.{digits}g}".rstrip(".") + (f" {unit}" if unit else "")


def fixed(value: float | None, form: str) -> str:
    """A number in a fixed form, or a dash for what is not known."""
    return "-" if value is None else format(value, form)


def interval(values: dict[str, Any]) -> str:
    """`value [low, high]`, or a dash."""
    if values.get("g2_0") is None:
        return "-"
    return f"{values['g2_0']:.3f} [{number(values['low'])}, {number(values['high'])}]"


def print_summary(summary: dict[str, Any], truth: dict[str, Any] | None = None) -> None:
    """The run, its states and its warnings; beside the truth where the recording is simulated."""
    console = Console(soft_wrap=True, highlight=False, width=max(140, Console().width))
    console.print(
        f"[bold]{summary['file'] or summary['format']}[/]  {summary['format']}, {summary['photons']:,} photons in "
        f"{fixed(summary['duration_s'], '.3f')} s, stopped by: {summary['stopped_by']}"
    )
    if summary["stop"] is not None:
        console.print(stop_line(summary["stop"]), markup=False)
    g2 = summary["g2"]
    if g2["pair"] is not None:
        answer = "none, see the notes" if g2["g2_0"] is None else f"{interval(g2)} -> [bold]{g2['verdict'] or '-'}[/]"
        console.print(
            f"g2(0) of all photons, channels {g2['pair'][0]} x {g2['pair'][1]}, delay "
            f"{fixed(g2['delay_ns'], '+.2f')} ns: {answer}"
        )
    known = {state["name"]: state for state in (truth or {}).get("states", [])}
    heads = ["state", "counts/s", "time", "photons", "lifetime", "1/e", "g2(0) [95 %]", "verdict"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in heads + (["true lifetime", "true g2(0)"] if known else []):
        table.add_column(head, no_wrap=True)
    for state in summary["states"]:
        lifetime = number(state["lifetime_ns"], "ns")
        if state["lifetime_error_ns"] is not None:
            lifetime += f" ± {number(state['lifetime_error_ns'], digits=2)}"
        row = [
            state["name"], "-" if state["rate_cps"] is None else f"{state['rate_cps']:,.0f}", number(state["time_s"],
            "s"), f"{state['photons']:,}", lifetime,
            number(state["one_over_e_ns"], "ns"), interval(state), state["verdict"] or "-",
        ]  # fmt: skip
        true = known.get(state["name"], {})
        row += [number(true.get("mean_arrival_ns"), "ns"), number(true.get("g2_0_with_background"))] if known else []
        table.add_row(*row)
    console.print(table)
    for line in study_lines(summary["studies"]):
        console.print(line, markup=False)
    for line in summary["warnings"]:
        console.print(f"note: {line}", markup=False)


def stop_line(stop: dict[str, Any]) -> str:
    """What the rules say of a run, and the exposure they saved."""
    if not stop["stopped"]:
        return f"rules: not stopped ({stop['words'] or 'no look yet'})"
    line = f"rules: stopped at {number(stop['used_s'], 's', 4)}, photon {stop['photons']:,}"
    if stop["saved_s"] is not None and stop["planned_s"]:
        share = 100 * stop["saved_s"] / stop["planned_s"]
        line += f"; {number(stop['saved_s'], 's', 4)} of {number(stop['planned_s'], 's', 4)} saved ({share:.0f} %)"
    return line


def print_check(found: dict[str, Any]) -> None:
    """What a recording holds, a line each."""
    console = Console(soft_wrap=True, highlight=False)
    for key, value in found.items():
        if key not in ("warnings", "doubts"):
            console.print(f"{key:22} {value}", markup=False)
    for line in lines(found["doubts"]):
        console.print(f"doubt: {line}", markup=False)
    for line in found["warnings"]:
        console.print(f"warning: {line}", markup=False)
    if not found["warnings"] and not found["doubts"]:
        console.print("nothing to object to")
