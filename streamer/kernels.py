"""How every numba kernel is compiled: one explicit signature, released GIL, cached on disk, before data flows.

Arrays that come from a socket are views that may not be written to, and numba types those differently. Kernel inputs
are therefore declared read-only, which writable arrays may pass too: one signature, one compilation, serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])

# Read-only, contiguous, aligned inputs.
TIMES = types.Array(types.int64, 1, "C", readonly=True)
NANOTIMES = types.Array(types.uint16, 1, "C", readonly=True)
CHANNELS = types.Array(types.uint8, 1, "C", readonly=True)
INTS = types.Array(types.int64, 1, "C", readonly=True)
LEVELS = types.Array(types.int16, 1, "C", readonly=True)
# Tables that a kernel adds to.
TABLE1, TABLE2, TABLE3 = (types.Array(types.int64, n, "C") for n in (1, 2, 3))
# Lists of places, unsigned: a signed index costs a test for negative values.
PLACES = types.Array(types.uint64, 1, "C")
INT = types.int64
UINT = types.uint64
FLOAT = types.float64


def kernel(result: Any, *arguments: Any) -> Callable[[F], F]:
    """Compile for exactly these argument types; the compiled code is kept on disk beside the module."""

    def wrap(function: F) -> F:
        return cast(F, numba.njit(result(*arguments), cache=True, nogil=True)(function))

    return wrap
