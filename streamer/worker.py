"""Worker: studies of a run that goes on, in a process of their own, so that no fit ever delays counting."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import get_context

import psutil

from streamer.result import Result
from streamer.studies import run
from streamer.study import View

log = logging.getLogger(__name__)

SHARE = 0.25  # of the time of one core may go into studies; on a small machine the source needs the other one too


def _begin() -> None:
    """In the worker: Ctrl-C is the daemon's business, and counting comes first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(psutil.Error, OSError):
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else 10)


class Worker:
    """At most one set of studies at a time; the process starts with the first."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._running: tuple[str, Future[list[Result]]] | None = None
        self._began = self._next = 0.0

    @property
    def free(self) -> bool:
        """Whether the next may be asked for: nothing runs, and the last has paid for its time."""
        return self._running is None and time.monotonic() >= self._next

    def ask(self, run_id: str, view: View) -> None:
        """Begin the studies of a view; only when nothing runs."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
        self._began = time.monotonic()
        try:
            self._running = run_id, self._pool.submit(run, view)
        except BrokenExecutor:
            self._lost()

    def take(self) -> tuple[str, list[Result]] | None:
        """(run, Results) of studies that have ended since the last call, or None."""
        if self._running is None or not self._running[1].done():
            return None
        (run_id, future), self._running = self._running, None
        now = time.monotonic()
        self._next = now + (now - self._began) * (1 / SHARE - 1)
        try:
            return run_id, future.result()
        except BrokenExecutor:
            self._lost()
        except Exception:  # a view that does not travel, say: the run goes on without studies
            log.exception("the studies failed")
        return None

    def _lost(self) -> None:
        """The process was killed (by a system short of memory, say): the next question starts another."""
        log.error("the process of the studies was lost; it is started anew")
        self._pool = self._running = None
        self._next = time.monotonic() + 1.0

    def close(self) -> None:
        """End the process; what it was at is not waited for."""
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            self._pool = self._running = None
