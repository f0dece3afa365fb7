"""Stop rules: one file each, a condition at which a run may end; a new one is found by being in this folder."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError

from streamer.config import Settings
from streamer.errors import InputError
from streamer.plan import Plan
from streamer.rule import LONGEST_S, Guarded, Held, Joined, Rule, Watch

JOINS = ("any", "all", "not")
DEEPEST = 8


@cache
def names() -> tuple[str, ...]:
    """Of every rule in this folder."""
    return tuple(sorted(one.name for one in pkgutil.iter_modules(__path__)))


@cache
def rule_of(name: str) -> type[Rule]:
    """The rule of a name."""
    rule: type[Rule] = importlib.import_module(f"{__name__}.{name}").Rule
    return rule


def check(tree: Any, origin: str = "stop") -> None:
    """Refuse a tree of rules that cannot be; InputError names the place in it, the rule and the value."""
    if not isinstance(tree, Mapping):
        raise InputError(f'{origin}: must be a rule such as {{rule = "g2"}} or a join (any, all, not), got {tree!r}')
    if origin.count(".") >= DEEPEST:
        raise InputError(f"{origin}: rules are nested more than {DEEPEST} deep; write them flatter")
    joins = [key for key in JOINS if key in tree]
    others = [key for key in tree if key not in (*JOINS, "for_s")]
    if "rule" in tree:
        if joins:
            raise InputError(f"{origin}: has both `rule` and `{joins[0]}`; nest one in the other")
        _parameters(tree, origin)
        return
    if len(joins) != 1 or others:
        raise InputError(
            f"{origin}: must have `rule` or one of any, all, not (and for_s), got "
            f"{', '.join(map(repr, tree)) or 'nothing'}; rules are {', '.join(names())}"
        )
    _held_for(tree, origin)
    how = joins[0]
    parts = [tree[how]] if how == "not" else tree[how]
    if not isinstance(parts, list | tuple) or not parts:
        raise InputError(f"{origin}.{how}: must be a list of rules with at least one, got {parts!r}")
    for at, part in enumerate(parts):
        check(part, f"{origin}.{how}" if how == "not" else f"{origin}.{how}[{at}]")


def _held_for(tree: Mapping[str, Any], origin: str) -> float:
    held = tree.get("for_s", 0.0)
    if isinstance(held, bool) or not isinstance(held, int | float) or not 0 <= held <= LONGEST_S:
        raise InputError(f"{origin}.for_s: must be a number of seconds, 0 or more, got {held!r}")
    return float(held)


def _parameters(tree: Mapping[str, Any], origin: str) -> Rule:
    name = tree["rule"]
    if name not in names():
        near = meant(str(name), names())
        raise InputError(f"{origin}.rule: must be one of {', '.join(names())}, got {name!r}{near}")
    kind = rule_of(name)
    try:
        return kind(**{key: value for key, value in tree.items() if key != "rule"})
    except (ValidationError, TypeError) as error:
        if isinstance(error, TypeError):
            raise InputError(f"{origin}: keys must be text; got {json.dumps(dict(tree), default=str)}") from None
        lines = []
        for fault in error.errors():
            key = "".join(f".{part}" for part in fault["loc"])
            told = fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "extra_forbidden":
                told = f"rule {name} has no such parameter{meant(key[1:], kind.model_fields)}"
                lines.append(f"{origin}{key}: {told}; known are {', '.join(kind.model_fields)}")
            elif fault["type"] == "missing":
                lines.append(f"{origin}{key}: rule {name} needs it: {kind.model_fields[key[1:]].description}")
            else:
                lines.append(f"{origin}{key}: {told}, got {fault['input']!r}")
        raise InputError("; ".join(lines)) from None


def meant(name: str, known: Iterable[str]) -> str:
    """Which name was meant, where one is near."""
    near = get_close_matches(name, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def begin(tree: Mapping[str, Any], plan: Plan, settings: Settings, origin: str = "stop") -> Watch:
    """Put a tree of rules to work on a stream.

    Raises:
        InputError: the tree is wrong, or a rule cannot be asked of this stream.
    """
    if origin == "stop":
        check(tree)
    watch: Watch
    if "rule" in tree:
        rule = _parameters(tree, origin)
        watch, held = Guarded(str(tree["rule"]), rule.watch(plan, settings)), rule.for_s
    else:
        held = _held_for(tree, origin)
        how = next(key for key in JOINS if key in tree)
        parts = [tree[how]] if how == "not" else tree[how]
        labels = labelled(parts)
        watch = Joined(how, [(label, begin(part, plan, settings, f"{origin}.{how}"))
                             for label, part in zip(labels, parts, strict=True)])  # fmt: skip
    return Held(watch, held) if held else watch


def labelled(parts: list[Mapping[str, Any]]) -> list[str]:
    """Names of the parts of a join: of the rules, numbered where one occurs twice."""
    plain = [str(part.get("rule") or next(key for key in JOINS if key in part)) for part in parts]
    return [
        name if plain.count(name) == 1 else f"{name} {plain[: at + 1].count(name)}" for at, name in enumerate(plain)
    ]


def described() -> dict[str, dict[str, Any]]:
    """Every rule with its parameters, plain JSON: for forms and for the documentation."""
    told = {}
    for name in names():
        kind = rule_of(name)
        fields = kind.model_json_schema()["properties"]
        required = [key for key, field in kind.model_fields.items() if field.is_required()]
        told[name] = {
            "told": kind.told, "about": " ".join((kind.__doc__ or "").split()), "parameters": fields,
            "required": required,
        }  # fmt: skip
    return told
