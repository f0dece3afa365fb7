"""Summary: what a line of the page says of many dots, plain numbers that can be kept in a file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.stopping.cases import ERRORS
from benchmarks.stopping.study import Row

FIXED_FOR = 0.4, 0.6  # an exposure set for these serves everything further from 0.5


def summary(row: Row) -> dict[str, Any]:
    """Numbers of a case, state and truth; those that cannot be are None."""
    found = row.found
    promised, strict = (found.stops[error] for error in ERRORS)
    fixed_for = FIXED_FOR[0] if row.g < 0.5 else FIXED_FOR[1]
    serves = row.g <= FIXED_FOR[0] or row.g >= FIXED_FOR[1]
    told: dict[str, Any] = {
        "case": row.case, "state": row.state, "g": row.g, "dots": len(promised.verdict), "signal": row.signal,
        "wrong": row.wrong(ERRORS[0]), "undecided": row.undecided(ERRORS[0]),
        "pairs": float(promised.pairs.mean()),
        "pairs_90": float(np.quantile(promised.pairs, 0.9)),
        "spread": float(promised.pairs.std() / math.sqrt(len(promised.pairs))),
        "photons": float(promised.photons.mean()),
        "bound": row.bound(ERRORS[0]),
        "fixed": row.fixed(ERRORS[0], row.g), "fixed_for": row.fixed(ERRORS[0], fixed_for) if serves else None,
        "outside": float(found.outside.mean()),
        "wrong_strict": row.wrong(ERRORS[1]), "undecided_strict": row.undecided(ERRORS[1]),
        "pairs_strict": float(strict.pairs.mean()), "bound_strict": row.bound(ERRORS[1]),
        "naive_wrong": row.wrong(0.0) if 0.0 in found.stops else None,
        "naive_pairs": float(found.stops[0.0].pairs.mean()) if 0.0 in found.stops else None,
    }  # fmt: skip
    return {key: None if isinstance(value, float) and math.isinf(value) else value for key, value in told.items()}
