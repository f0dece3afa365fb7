"""The papers' numbers: `python -m tests.papers [--scale 1] [--only A] [--write]`; --write makes docs/papers.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.papers.row import Row
from tests.papers.table import PAPERS, page


def main() -> int:
    """Run them; 1 when a number is far off."""
    parser = argparse.ArgumentParser(prog="python -m tests.papers", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="how many times as long every run is")
    parser.add_argument("--only", default="", help="letters of papers")
    parser.add_argument("--write", action="store_true", help="write docs/papers.md")
    asked = parser.parse_args()
    tables: dict[str, list[Row]] = {}
    for paper, rows in PAPERS.items():
        if asked.only and paper[0] not in asked.only:
            continue
        tables[paper] = []
        for row in rows(asked.scale):
            tables[paper].append(row)
            sys.stderr.write(
                f"{paper[0]}  {row.setting}: {row.number}: {row.truth:.5g} -> {row.found.value} "
                f"[{row.found.low}, {row.found.high}] {row.found.reason or ''}{'' if row.holds else ' MISSED'}"
                f"{'' if row.near else ' FAR OFF'}\n"
            )
    if asked.write:
        (Path(__file__).parents[2] / "docs" / "papers.md").write_text(page(tables), encoding="utf-8")
    return int(not all(row.near for some in tables.values() for row in some))


if __name__ == "__main__":
    sys.exit(main())
