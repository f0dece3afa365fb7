"""Held: what the hand has set and the daemon has not echoed yet; until then no Result may move it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

PATIENCE_S = 3.0


class Held:
    """Decides whether an incoming value may be drawn over one that the user has moved.

    While the hand is on a line, nothing may move it. After that the line waits for the echo: a Result made with
    the cut that was asked for. A refusal, or silence for `patience_s` seconds, gives the line back to the daemon.
    """

    def __init__(self, patience_s: float = PATIENCE_S, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is held at first."""
        self._patience_s = patience_s
        self._clock = clock
        self._asked: tuple[float, ...] | None = None
        self._until = math.inf

    @property
    def asked(self) -> tuple[float, ...] | None:
        """What was asked for and is not echoed yet, else None."""
        return self._asked

    @property
    def gripped(self) -> bool:
        """Whether the hand is on it now."""
        return self._asked is not None and self._until == math.inf

    def grip(self, values: Sequence[float]) -> None:
        """The hand is on it and has moved it to `values`."""
        self._asked = tuple(values)
        self._until = math.inf

    def drop(self, values: Sequence[float]) -> None:
        """The hand has let go at `values`: wait for the echo."""
        self._asked = tuple(values)
        self._until = self._clock() + self._patience_s

    def release(self) -> None:
        """Give the value back to the daemon: it refused, or the user asked for something else."""
        self._asked = None
        self._until = math.inf

    def settles(self, *echoes: Sequence[float]) -> bool:
        """Whether incoming values may be drawn; `echoes` are all forms in which the daemon may repeat the request."""
        if self._asked is None:
            return True
        released = self._until < math.inf and (
            any(_same(self._asked, echo) for echo in echoes) or self._clock() >= self._until
        )
        if released:
            self.release()
        return released


def _same(asked: Sequence[float], echo: Sequence[float]) -> bool:
    """Equal up to what a round trip through decimal text may change."""
    return len(asked) == len(echo) and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(asked, echo, strict=True))
