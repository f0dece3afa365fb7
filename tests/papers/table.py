"""Table: every number of the source papers as docs/papers.md: what was put in, what came out, whether it holds."""

from __future__ import annotations

from collections.abc import Sequence

from tests.papers import paper_a, paper_b, paper_c, paper_d, paper_e
from tests.papers.row import Row, Rows

PAPERS: dict[str, Rows] = {
    "A. Dhawan et al., Feature-Resolved Photoluminescence Analysis (CdSe/CdS, pulsed)": paper_a.rows,
    "B. Marder et al., Heralded Generation of Correlated Photon Pairs (quantum shells)": paper_b.rows,
    "C. Zhu et al., Single-photon superradiance (CsPbBr3 at 4 K)": paper_c.rows,
    "D. Chandrasekaran et al., Nearly Blinking-Free InP/ZnSe": paper_d.rows,
    "E. Chatterjee et al., Quantum emission from perovskites (review)": paper_e.rows,
}
HEAD = """# The source papers' numbers, recovered

Every row of what the source papers measured, from a simulated emitter with the stated truth: what was put in, and what
the program found, with its 95 % interval. Written by `make papers`, which simulates and analyses everything anew; the
tests run the same on shorter runs.

Of so many 95 % intervals about one in twenty misses its truth by chance: here {missed} of {total}. How often each kind
of interval holds is in [coverage.md](coverage.md).
"""


def number(value: float | None) -> str:
    """Four significant digits, or a dash."""
    return "-" if value is None else f"{value:.4g}"


def page(tables: dict[str, Sequence[Row]]) -> str:
    """The whole page."""
    rows = [row for some in tables.values() for row in some]
    text = [HEAD.format(missed=sum(not row.holds for row in rows), total=len(rows))]
    for paper, some in tables.items():
        text += [
            f"## {paper}\n",
            "| setting | number | paper | put in | found | 95 % interval | holds |",
            "|" + " --- |" * 7,
        ]
        for row in some:
            unit = f" ({row.unit})" if row.unit else ""
            found = row.found
            reach = f"{number(found.low)} to {number(found.high)}" if found.value is not None else found.reason
            numbers = f"{number(row.truth)} | {number(found.value)} | {reach}"
            held = "yes" if row.holds else "**no**"
            text.append(f"| {row.setting} | {row.number}{unit} | {row.printed} | {numbers} | {held} |")
        text.append("")
    return "\n".join(text)
