"""Whether verdicts on g2(0) keep their promise: `python -m benchmarks.stopping [--program] [--write]`."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from benchmarks.stopping import page, program
from benchmarks.stopping.cases import CASES
from benchmarks.stopping.study import study
from benchmarks.stopping.summary import summary


def say(line: str) -> None:
    """Print at once: a run takes minutes."""
    print(line, flush=True)


def many(names: list[str], dots: int, processes: int, keep: Path | None, write: bool) -> None:
    """Every case, or those of `keep`, told line by line."""
    told = [json.loads(line) for line in keep.read_text().splitlines()] if keep and keep.exists() else []
    had = {(one["case"], one["g"]) for one in told}
    began = time.monotonic()
    for row in study(names, dots, processes, had):
        told.append(summary(row))
        say(f"{row.case} ({row.state}): " + " | ".join(page.line(told[-1])) + f" | {time.monotonic() - began:.0f} s")
        if keep:
            with keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(told[-1]) + "\n")
    if write:
        page.write("dots", page.dots_part(told))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stopping", description=__doc__)
    parser.add_argument("--dots", type=int, default=None, help="per line; 10000, or 250 of the whole program")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[case.name for case in CASES])
    parser.add_argument(
        "--keep", type=Path, help="file that lines are put into; lines that are there are not run again"
    )
    parser.add_argument("--program", action="store_true", help="through the whole program instead")
    parser.add_argument("--write", action="store_true", help=f"write the part of {page.PAGE.name}")
    asked = parser.parse_args()
    if asked.program:
        program.run(asked.dots or 250, asked.write, say, asked.processes)
    else:
        many(asked.only, asked.dots or 10000, asked.processes, asked.keep, asked.write)


if __name__ == "__main__":
    main()
