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

from numpy.linalg import LinAlgError

from streamer.errors import InputError
from streamer.result import Result
from streamer.study import View

log = logging.getLogger(__name__)


@cache
def found() -> dict[str, ModuleType]:
    """Name -> module of every study in this folder, ordered by name."""
    modules = [importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return {module.NAME: module for module in sorted(modules, key=lambda module: str(module.NAME))}


def chosen(names: Sequence[str] | None) -> dict[str, ModuleType]:
    """The studies of these names, all where None; InputError for one that is not there."""
    for name in names or ():
        if name not in found():
            raise InputError(f"studies: must be out of {', '.join(found())}, got {name!r}; correct `studies`")
    return {name: module for name, module in found().items() if names is None or name in names}


def run(view: View) -> list[Result]:
    """Every Result of the chosen studies; one that is in doubt, or that failed, gives its reason in its place."""
    results: list[Result] = []
    for name, module in chosen(view.settings.studies).items():
        doubt = next((view.answers.doubts[key] for key in module.NEEDS if key in view.answers.doubts), None)
        if doubt is not None:
            results.append(Result(name, "summary", values={"reason": doubt}))
            continue
        try:
            results += module.study(view)
        except (ArithmeticError, ValueError, LinAlgError) as error:
            # A fit that breaks must not take the other numbers of the run with it.
            log.exception("study %s failed", name)
            results.append(Result(name, "summary", values={"reason": f"failed: {type(error).__name__}: {error}"}))
    provenance = {"stream_s": view.stream_s, "cut": dict(view.cut), "final": view.ended}
    return [replace(result, provenance=provenance) for result in results]


def lines(studies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the studies found, a line each, for a person; `studies` as in the summary: name -> values."""
    told: list[str] = []
    for name, values in studies.items():
        module = found().get(name)
        if module is not None:
            told += [f"{name}: {values['reason']}"] if set(values) == {"reason"} else module.lines(values)
    return told
