"""Studies: one file each, a question that takes long to answer; a new one is found by being in this folder."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

from streamer.errors import InputError
from streamer.result import Result
from streamer.study import View

log = logging.getLogger(__name__)


@cache
def names() -> tuple[str, ...]:
    """Of every study in this folder. Nothing is imported: fits bring large libraries, and photons wait for nobody."""
    return tuple(sorted(one.name for one in pkgutil.iter_modules(__path__)))


def load(name: str) -> ModuleType:
    """The module of a study."""
    return importlib.import_module(f"{__name__}.{name}")


def chosen(asked: Sequence[str] | None) -> tuple[str, ...]:
    """The studies asked for, all where None; InputError for one that is not there."""
    for name in asked or ():
        if name not in names():
            raise InputError(f"studies: must be out of {', '.join(names())}, got {name!r}; correct `studies`")
    return names() if asked is None else tuple(name for name in names() if name in asked)


def run(view: View) -> list[Result]:
    """Every Result of the chosen studies; one that is in doubt, or that failed, gives its reason in its place."""
    results: list[Result] = []
    for name in chosen(view.settings.studies):
        module = load(name)
        doubt = next((view.answers.doubts[key] for key in module.NEEDS if key in view.answers.doubts), None)
        if doubt is not None:
            results.append(Result(name, "summary", values={"reason": doubt}))
            continue
        try:
            results += module.study(view)
        except Exception as error:  # whatever it is, a study that breaks must not take the other numbers with it
            log.exception("study %s failed", name)
            results.append(Result(name, "summary", values={"reason": f"failed: {type(error).__name__}: {error}"}))
    provenance = {"stream_s": view.stream_s, "cut": dict(view.cut), "final": view.ended}
    return [replace(result, provenance=provenance) for result in results]


def lines(studies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the studies found, a line each, for a person; `studies` as in the summary: name -> values."""
    told: list[str] = []
    for name, values in studies.items():
        if name in names():
            told += [f"{name}: {values['reason']}"] if set(values) == {"reason"} else load(name).lines(values)
    return told
