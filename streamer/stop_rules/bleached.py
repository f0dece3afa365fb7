"""Bleached: stop when the emitter has gone dark for so long that waiting on is not worth it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from streamer.config import Settings
from streamer.estimators.dark_stretch import DarkStretch, dark_stretch
from streamer.evidence import Evidence
from streamer.plan import Plan
from streamer.rule import Finding, Seconds, unknown
from streamer.rule import Rule as Contract


class Rule(Contract):
    """Dark for `seconds` in a row, and `times` as long as ever before.

    Whether it has bleached or will come back cannot be known for sure: dwells of many dots follow power laws, and may
    be of any length. The numbers tell how many dark dwells as long were to be expected, by either law.
    """

    told: ClassVar[str] = "bleached, or dark for very long"

    seconds: Seconds = Field(10.0, description="Dark in a row for so long, in s.")
    times: float = Field(3.0, ge=1, description="So many times as long as the longest dark dwell before.")

    def watch(self, plan: Plan, settings: Settings) -> Watch:
        """Begin."""
        return Watch(self)


class Watch:
    """The darkness of one run."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def look(self, evidence: Evidence) -> Finding:
        """See Watch."""
        darkness = evidence.darkness
        if darkness is None:
            return unknown("no state so far that is dark beside the brightest")
        segments = evidence.segments
        seconds = evidence.seconds(segments)
        rate = segments[:, 3:].sum(axis=1) / seconds
        found = dark_stretch(rate, seconds, *darkness)
        want = max(self.rule.seconds, self.rule.times * found.longest_s)
        met = found.bright and found.dark_s >= want
        return Finding(
            met, _told(found, met), _numbers(found, want), {"bleached": found.dark_s / want},
            verdict="bleached" if met else None,
        )  # fmt: skip


def _told(found: DarkStretch, met: bool) -> str:
    if not found.dark_s:
        return "bright"
    head = "bleached, or " if met else ""
    line = f"{head}dark for {found.dark_s:.4g} s"
    if not found.before:
        return f"{line}, never dark before"
    return (
        f"{line}, {found.dark_s / found.longest_s:.3g} times the longest of {found.before} dark dwells before "
        f"(as long are expected {found.exponential:.1g} times if they are exponential, {found.power_law:.1g} times by "
        "a power law)"
    )


def _numbers(found: DarkStretch, want: float) -> dict[str, float | int | None]:
    return {
        "dark_s": found.dark_s, "wanted_s": want, "dwells_before": found.before, "longest_before_s": found.longest_s,
        "expected_exponential": found.exponential, "expected_power_law": found.power_law,
    }  # fmt: skip
