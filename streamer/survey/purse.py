"""The purse: exposure of a whole survey, shared so that hard dots can use what easy ones saved, and none is starved.

Dots are dealt with in rounds, whose size depends on nothing but how many dots are left: the same survey gives the same
table with any number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from streamer import stop_rules
from streamer.config import Settings
from streamer.errors import InputError
from streamer.stopping import LOOK_S

FACTOR = 2.0  # of the fair share, which a dot may use at most
KEPT = 0.5  # of the even share, which is kept for every dot to come, however hard the earlier ones were
ROUND = 8  # dots at most that are dealt with under one share
LEAST_LOOKS = 4  # an even share must have room for a few looks


def look_s(settings: Settings) -> float:
    """Longest time between two looks at the beginning of a stream."""
    return max(LOOK_S, settings.bin_ms * 1e-3) + settings.bin_ms * 0.5e-3


class Purse:
    """What is left for how many dots.

    Args:
        total_s: exposure of the survey.
        dots: that are to come.
        settings: of every run.

    Raises:
        InputError: that is not enough for a few looks at each dot.
    """

    def __init__(self, total_s: float, dots: int, settings: Settings) -> None:
        self._even_s, self._look_s = total_s / max(dots, 1), look_s(settings)
        if self._even_s * KEPT < LEAST_LOOKS * self._look_s:
            least = math.ceil(LEAST_LOOKS * self._look_s / KEPT * dots)
            raise InputError(
                f"--budget {total_s:g}: is {self._even_s:.2g} s for each of {dots} dots, too short to look at them; "
                f"give {least} or more"
            )
        self.left_s, self.left_dots = total_s, dots

    def deal(self, most: int = ROUND) -> tuple[int, float]:
        """(dots of the next round, at most `most`; s that each may use)."""
        many = max(1, min(most, self.left_dots // 2))
        kept = KEPT * self._even_s
        fair = FACTOR * self.left_s / max(self.left_dots, 1)
        allowed = min(fair, (self.left_s - kept * (self.left_dots - many)) / many)
        return many, math.floor(max(allowed, kept) / LOOK_S + 1e-6) * LOOK_S

    def take(self, used_s: float | None) -> None:
        """A dot is done."""
        self.left_s, self.left_dots = self.left_s - (used_s or 0.0), self.left_dots - 1


def within(settings: Settings, allowed_s: float | None) -> Settings:
    """Settings whose rules know that a dot may use so much; the last look comes before it is over."""
    if allowed_s is None or settings.stop is None:
        return settings
    return settings.model_copy(update={"stop": tightened(settings.stop, max(allowed_s - look_s(settings), LOOK_S))})


def tightened(tree: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """The rules with every `budget_s` at most so long; what stands under a `not` is left as it is.

    What has to be met for a while (`for_s`) must be met that much earlier.
    """
    tree = dict(tree)
    seconds = max(seconds - float(tree.get("for_s", 0.0)), LOOK_S)
    if "rule" in tree:
        if "budget_s" in stop_rules.rule_of(tree["rule"]).model_fields:
            given = tree.get("budget_s")
            tree["budget_s"] = seconds if given is None else min(float(given), seconds)
        return tree
    for how in ("any", "all"):
        if how in tree:
            tree[how] = [tightened(part, seconds) for part in tree[how]]
    return tree
