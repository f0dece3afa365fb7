"""Rules as text: a tree of stop rules written as TOML and read back, and the ready trees to begin with."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

JOINS = ("any", "all", "not")
WIDE = 60  # characters of a join that still stand on one line

READY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("g² verdict", {"rule": "g2"}),
    ("g² verdict within a budget", {"rule": "g2", "budget_s": 60.0}),
    (
        "g² verdict, bleached, or 60 s",
        {"any": [{"rule": "g2"}, {"rule": "bleached"}, {"rule": "exposure", "seconds": 60.0}]},
    ),
    ("lifetime within 1 %", {"rule": "lifetime", "percent": 1.0}),
    (
        "never bright, bleached, or too bright",
        {"any": [{"rule": name} for name in ("never_bright", "bleached", "count_rate")]},
    ),
    ("60 s", {"rule": "exposure", "seconds": 60.0}),
)


def ready(known: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The ready trees whose rules and parameters this daemon has."""
    return [(name, tree) for name, tree in READY if all(fits(part, known) for part in parts(tree))]


def parts(tree: Any) -> list[Any]:
    """The single rules of a tree, joins taken apart."""
    if not isinstance(tree, Mapping):
        return [tree]
    found: list[Any] = []
    for how in JOINS:
        inner = tree.get(how, [])
        for part in inner if isinstance(inner, list | tuple) else [inner]:
            found += parts(part)
    return found or [tree]


def fits(tree: Any, known: Mapping[str, Any]) -> bool:
    """Whether it is one rule that a form of its parameters can hold."""
    told = known.get(str(tree.get("rule"))) if isinstance(tree, Mapping) else None
    return isinstance(told, Mapping) and set(tree) <= {"rule", *(told.get("parameters") or {})}


def to_toml(tree: Mapping[str, Any] | None) -> str:
    """The tree as TOML, a line for each key; no rules are no text. TOML has no word for None: it is left out."""
    lines = [f"{_key(key)} = {_wide(value)}" for key, value in (tree or {}).items() if value is not None]
    return "\n".join(lines) + "\n" if lines else ""


def from_toml(text: str) -> dict[str, Any] | None:
    """The tree that a text says, None where it says nothing; ValueError in one line where it is not TOML.

    A table [stop], as it stands in the settings, is taken for its content.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not TOML: {error}") from None
    tree = values.get("stop", values)
    if not isinstance(tree, dict):
        raise ValueError(f"stop: must be a table of rules, got {tree!r}")
    return tree or None


def _wide(value: Any) -> str:
    """A list that is long gets a line for each of its parts; TOML allows that in lists, not in inline tables."""
    flat = inline(value)
    if not isinstance(value, list | tuple) or len(flat) <= WIDE:
        return flat
    return "[\n" + "".join(f"    {inline(part)},\n" for part in value) + "]"


def inline(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)  # inf and nan included
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {inline(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(one) for one in value) + "]"
    return _text(str(value))


def _key(key: Any) -> str:
    return str(key) if re.fullmatch(r"[A-Za-z0-9_-]+", str(key)) else _text(str(key))


def _text(text: str) -> str:
    """JSON's escapes are those of TOML, but for one control character that JSON lets through."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
