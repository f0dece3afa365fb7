"""The table of a survey: a row for each dot, what its columns mean, and the totals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

UNDECIDED, STOPPED, REFUSED = "undecided", "stopped", "refused"
VERSION = 1  # of the columns and attributes

# Name -> (unit, what it is).
COLUMNS: dict[str, tuple[str, str]] = {
    "number": ("", "of the dot, from 1"),
    "name": ("", "recording or address of the source"),
    "part": ("", "number of the dot within its stream, from 1, where markers part it"),
    "began_s": ("s", "stream time at which the dot began, where markers part the stream"),
    "verdict": (
        "",
        f"of the rules; {UNDECIDED}: the stream was over before; {STOPPED}: by a rule that gives none; "
        f"{REFUSED}: it cannot be read, or the question cannot be asked of it",
    ),
    "stopped_on": ("", "rules that stopped it, or budget; empty where nothing did"),
    "reason": ("", "one line"),
    "used_s": ("s", "exposure until it was stopped, or all there was"),
    "planned_s": ("s", "exposure that was planned or recorded; empty where it is not known"),
    "saved_s": ("s", "of it, what the stop saved"),
    "allowed_s": ("s", "share of the survey's budget that it could have used; empty without a budget"),
    "photons": ("", "received until then"),
    "rate_cps": ("1/s", "photons over exposure"),
    "state": ("", "whose g2(0) it is"),
    "g2_0": ("", "at the stop"),
    "low": ("", "limit of g2(0) that holds at every moment but for the promised error, by itself"),
    "high": ("", "the same, from above; empty: unlimited"),
    "central": ("", "pairs at zero delay"),
    "accidental": ("", "pairs there to be expected by chance"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One dot; COLUMNS says what each is, and what cannot be known is None."""

    number: int
    name: str
    verdict: str
    reason: str
    part: int | None = None
    began_s: float | None = None
    stopped_on: str = ""
    used_s: float | None = None
    planned_s: float | None = None
    saved_s: float | None = None
    allowed_s: float | None = None
    photons: int | None = None
    rate_cps: float | None = None
    state: str = ""
    g2_0: float | None = None
    low: float | None = None
    high: float | None = None
    central: float | None = None
    accidental: float | None = None

    def plain(self) -> dict[str, Any]:
        """By column, plain JSON."""
        known = asdict(self)
        return {name: known[name] for name in COLUMNS}


assert {one.name for one in fields(Row)} == set(COLUMNS)


def totals(rows: Sequence[Row]) -> dict[str, Any]:
    """Dots, exposure used and saved, of all and by verdict; shares are over the dots whose plan is known."""
    verdicts = sorted({row.verdict for row in rows}, key=lambda one: (one == REFUSED, one))
    return _sums(rows) | {"verdicts": {one: _sums([row for row in rows if row.verdict == one]) for one in verdicts}}


def _sums(rows: Sequence[Row]) -> dict[str, Any]:
    known = [row for row in rows if row.saved_s is not None]
    planned, saved = (sum(getattr(row, name) or 0.0 for row in known) for name in ("planned_s", "saved_s"))
    return {
        "dots": len(rows),
        "used_s": sum(row.used_s or 0.0 for row in rows),
        "planned_s": planned if known else None,
        "saved_s": saved if known else None,
        "saved_share": saved / planned if planned > 0 else None,
    }


def values_of(rows: Sequence[Row], rules: dict[str, Any], rules_from: str, budget_s: float | None) -> dict[str, Any]:
    """One JSON object: the survey."""
    return {
        "rules": rules, "rules_from": rules_from, "budget_s": budget_s, "totals": totals(rows),
        "dots": [row.plain() for row in rows],
    }  # fmt: skip
