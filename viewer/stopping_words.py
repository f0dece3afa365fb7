"""Stopping in words: how stop rules stand, when they may be met, what was saved; read from the record of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from viewer import style
from viewer.values import known, mapping

SHORT = 40  # characters that may stand in large type
VERDICT_COLORS = {"single": style.GOOD, "not single": style.BAD, "undecidable": style.WARN}


def standing(record: Mapping[str, Any]) -> tuple[str, str]:
    """(how it stands, for large type, the rest of the rule's own words)."""
    words, verdict = str(record.get("words") or ""), str(record.get("verdict") or "")
    alone = "rule" in mapping(record.get("rules"))
    head, _, rest = words.partition(": ")
    if not (alone and rest and len(head) <= SHORT):  # in a join what comes first is the name of a part
        head, rest = (words, "") if alone and len(words) <= SHORT else ("", words)
    if record.get("stopped"):
        found = verdict or head
        return (f"stopped: {found}" if found else "stopped"), rest
    if record.get("met"):
        at = known(record.get("met_s"))
        found = f"would have stopped{'' if at is None else f' at {style.duration(at)}'}"
        return (f"{found}: {verdict or head}" if verdict or head else found), rest
    return head or ("no threshold reached" if words else "waiting for the first look"), rest


def color(record: Mapping[str, Any]) -> str:
    """Colour of a verdict; what is not known yet has that of plain text."""
    return VERDICT_COLORS.get(str(record.get("verdict")), style.TEXT)


def outlook(record: Mapping[str, Any], now_s: float | None, over: bool) -> list[str]:
    """What was saved, or when it may be decided; `now_s`: stream time of the newest look; `over`: the last one."""
    lines = []
    if record.get("stopped"):
        lines.append(_stop(record))
    elif over:
        lines.append("the run ended by itself")
    elif not record.get("met"):
        lines += _ahead(record, now_s)
    since = known(record.get("since_s"))
    if since:
        lines.append(f"evidence counts from {style.duration(since)} on")
    return lines


def _stop(record: Mapping[str, Any]) -> str:
    line = f"after {style.duration(record.get('used_s'))}, {style.count(record.get('photons'))} photons"
    saved, planned = known(record.get("saved_s")), known(record.get("planned_s"))
    if saved is None or not planned:
        return line
    share = f" ({100 * saved / planned:.0f} %)"
    return f"{line}; saved {style.duration(saved)} of {style.duration(planned)}{share}"


def _ahead(record: Mapping[str, Any], now_s: float | None) -> list[str]:
    left, evidence = known(record.get("left_s")), mapping(record.get("evidence"))
    budget, chance = known(mapping(record.get("rules")).get("budget_s")), known(evidence.get("chance"))
    sure = "" if chance is None or budget is None else f" (chance within the budget {_percent(chance)})"
    if left is None:
        return []
    if budget is not None and now_s is not None and now_s + left > budget:
        return [f"decision not expected within the budget of {style.duration(budget)}{sure}"]
    about = style.duration(left) if left >= 99.5 else f"{left:.2g} s"
    return [f"decision expected in about {about}{sure}"]


def _percent(share: float) -> str:
    """Never 0 or 100, which would be certain."""
    return "below 1 %" if share < 0.01 else "above 99 %" if share > 0.99 else f"{100 * share:.0f} %"
