"""A table of integers that grows by lines; its memory doubles when it is full."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Growing:
    """Lines of a fixed width, in the order in which they were appended."""

    def __init__(self, width: int) -> None:
        self._memory = np.empty((1024, width), np.int64)
        self._n = 0

    @property
    def lines(self) -> NDArray[np.int64]:
        """int64[n, width], a view of those written so far."""
        return self._memory[: self._n]

    def append(self, lines: NDArray[np.int64]) -> None:
        """Write int64[m, width] behind the others."""
        need = self._n + len(lines)
        if need > len(self._memory):
            grown = np.empty((max(need, 2 * len(self._memory)), self._memory.shape[1]), np.int64)
            grown[: self._n] = self.lines
            self._memory = grown
        self._memory[self._n : need] = lines
        self._n = need

    def clear(self) -> None:
        """Forget every line."""
        self._n = 0
