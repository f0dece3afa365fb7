"""Coverage of every printed interval: `make coverage`, or `python -m tests.coverage --only g2 --trials 300`.

Status 0: every interval keeps its promise; 1: one does not, or could not be drawn; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.coverage.page import lines, page
from tests.coverage.runner import modules, run

PAGE = Path(__file__).parents[2] / "docs/coverage.md"
TRIALS = 1000


def say(line: str) -> None:
    """Where the run is."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """Draw, print, and write the page where asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=TRIALS, help="simulated emitters per case")
    parser.add_argument("--only", metavar="NAME", help="only the files in tests/coverage/cases with NAME in their name")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="keep each case that is done there, and take from there what it has"
    )
    parser.add_argument("--every", action="store_true", help="also print every setting by itself")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}; of all cases only")
    asked = parser.parse_args()
    if asked.trials < 1:
        parser.error(f"--trials: must be at least 1, got {asked.trials}")
    if asked.write and asked.only:
        parser.error("--write: the page is of all cases; leave out --only")
    names = modules(asked.only)
    if not names:
        parser.error(f"--only: no file with {asked.only!r} in its name; there are {', '.join(modules())}")
    reports, broken = run(names, asked.trials, progress=say, kept=asked.keep)
    sys.stdout.write("\n".join(lines(reports, broken, asked.every)) + "\n")
    if asked.write:
        PAGE.write_text(page(reports, broken, asked.trials), encoding="utf-8")
    return 0 if not broken and all(report.good for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
