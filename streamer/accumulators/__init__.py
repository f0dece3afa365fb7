"""Accumulators: one file each, kernel and tables; a new one is found by being in this folder."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from streamer.accumulator import Accumulator
from streamer.layout import Layout


@cache
def found() -> tuple[type[Accumulator], ...]:
    """Every accumulator class defined in this folder, ordered by name."""
    classes = {
        thing
        for module in pkgutil.iter_modules(__path__)
        for thing in vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        if isinstance(thing, type) and issubclass(thing, Accumulator) and thing is not Accumulator
    }
    return tuple(sorted(classes, key=lambda one: one.name))


def for_layout(layout: Layout) -> list[Accumulator]:
    """A fresh one of each that has something to count."""
    return [one(layout) for one in found() if one.needs(layout)]
