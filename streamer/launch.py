"""Launch: source and viewer as processes of their own, started the same way on every system and never left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

GRACE_S = 5.0


class Child:
    """One `python -m streamer ...` process; a context manager that ends it when the parent is done."""

    def __init__(self, arguments: Sequence[str], *, quiet: bool = False) -> None:
        """Start it. Its standard output goes to standard error, which is for people; `quiet` throws it away."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streamer", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else sys.stderr,
        )

    @property
    def status(self) -> int | None:
        """Exit status, None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Exit status, or None after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self) -> Self:
        """Running already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ask it to end, then make it."""
        if self.status is None:
            self._process.terminate()
            if self.wait(GRACE_S) is None:
                self._process.kill()
                self._process.wait()


def has_display() -> bool:
    """Whether a window can be shown: always on Windows and macOS, elsewhere where a display server is named."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
