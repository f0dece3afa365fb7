"""Interrupts: Ctrl-C and a polite kill, which must not come into the middle of writing a table and be lost there."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self


class Interrupts:
    """While it is entered, either signal raises KeyboardInterrupt, but not before what is `held` is done.

    A library that calls back into Python may swallow an exception that a signal raises there; so none is raised then.
    """

    def __init__(self) -> None:
        self._held = self._pending = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Only the main thread may say what signals do."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *_: object) -> None:
        """As before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._pending = True
        else:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Whatever comes in between is raised at the end."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            pending, self._pending = self._pending, False
        if pending:
            raise KeyboardInterrupt
