"""Result: named arrays with axes, units, kind and provenance; all that viewers and sinks ever see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = ("status", "trace", "curves", "map", "summary")


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One axis of a Result: `values` are bin centres, float64[n], in `unit`."""

    name: str
    unit: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One published answer.

    Attributes:
        name: what it is, such as "g2"; also the topic it is published under.
        kind: one of KINDS, which says how it may be drawn without knowing the name.
            "status", "summary": `values` only.
            "trace": arrays over one axis (time).
            "curves": arrays of shape (rows, n) over one axis; `rows` names the rows.
            "map": arrays of shape (n0, n1) over two axes.
        axes: in the order of the arrays' last dimensions.
        data: named arrays.
        rows: labels of the first dimension of "curves".
        values: numbers and text, plain JSON; a number that cannot be known is None, its reason in "warnings".
        provenance: run, sequence number, stream time, cut: what made this Result.
    """

    name: str
    kind: str
    axes: tuple[Axis, ...] = ()
    data: dict[str, NDArray[Any]] = field(default_factory=dict)
    rows: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit their axes, before a viewer draws them wrong."""
        if self.kind not in KINDS:
            raise ValueError(f"Result {self.name}: kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        shape = tuple(len(axis.values) for axis in self.axes)
        if self.kind == "curves":
            shape = (len(self.rows), *shape)
        for key, array in self.data.items():
            if self.kind in ("trace", "curves", "map") and array.shape != shape:
                raise ValueError(f"Result {self.name}: array {key} has shape {array.shape}, its axes say {shape}")
