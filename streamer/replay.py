"""Replay: a recording through three processes, as if it were measured now: source -> daemon (this one) -> viewer."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streamer.config import Settings
from streamer.daemon import Daemon
from streamer.errors import StreamerError
from streamer.launch import Child
from streamer.registry import load_sink
from streamer.result import Result
from streamer.transport import Hub

INTERRUPTED = "interrupted"
WRONG_INPUT = 2  # exit status of a child that was given unreadable input
GONE = 20  # looks at a dead source's socket before it is given up


class SourceDied(StreamerError):
    """The source's process died in the middle; `summary` is of what had come."""

    def __init__(self, summary: dict[str, Any]) -> None:
        super().__init__(
            f"{summary['file'] or summary['format']}: {summary['stopped_by']}; the numbers are of what came before"
        )
        self.summary = summary


def saver(out: Path, *, per_run: bool) -> Callable[[str, Sequence[Result]], str]:
    """What a daemon calls with its final Results: written into `out`, or into a folder below it for each run."""

    def save(run: str, results: Sequence[Result]) -> str:
        folder = out / run if per_run else out
        load_sink("folder")(folder, results)
        return str(folder)

    return save


def obey_signals(daemon: Daemon) -> None:
    """Ctrl-C and a polite kill end the daemon cleanly; only the main thread may say so."""
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last exists on Windows only
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: daemon.stop(INTERRUPTED))


def replay(
    source: str,
    settings: Settings,
    *,
    options: Sequence[str] = (),
    config: Path | None = None,
    out: Path | None = None,
    viewer: bool = False,
    snapshot: Path | None = None,
    quiet: bool = False,
    progress: Callable[[dict[str, Any]], None] = lambda status: None,
) -> tuple[dict[str, Any], int]:
    """Replay `source` and return (summary, exit status of the viewer or 0).

    Args:
        source: address of the source.
        settings: of the run; `config` is the file they came from, which the source's process reads for its first look.
        options: `key=value` for the source.
        out: folder for the results.
        viewer: show a window, and go on answering it until it is closed.
        snapshot: draw the final window into this PNG, without a display.
        quiet: children say nothing.
        progress: called with the status now and then.
    """
    with Hub("tcp://127.0.0.1:0") as hub:
        daemon = Daemon(hub, settings, None if out is None else saver(out, per_run=False))
        obey_signals(daemon)
        send = ["send", source, "--to", hub.address, *(part for option in options for part in ("--set", option))]
        send += ["--config", str(config)] if config else []
        with Child(send, quiet=quiet) as child:
            watchers: list[Child] = []
            try:
                if viewer or snapshot:
                    view = ["view", hub.address, *(["--snapshot", str(snapshot)] if snapshot else [])]
                    watchers.append(Child(view, quiet=quiet and not snapshot).__enter__())
                status = _run(daemon, child, watchers, progress)
            finally:
                for watcher in watchers:
                    watcher.__exit__(None, None, None)
        if daemon.summary is None and daemon.stopped_by == INTERRUPTED:
            raise KeyboardInterrupt
        if daemon.summary is None and child.status == WRONG_INPUT:
            raise SystemExit(WRONG_INPUT)  # the source's process has said why
        if daemon.summary is None:
            raise StreamerError(
                f"{source}: the source's process ended (status {child.status}) before a photon was counted"
            )
        if daemon.failed is not None:
            raise daemon.failed
        if child.status and daemon.stopped_by is not None and daemon.stopped_by.startswith("source lost"):
            raise SourceDied(daemon.summary)
        return daemon.summary, status


def _run(daemon: Daemon, child: Child, watchers: list[Child], progress: Callable[[dict[str, Any]], None]) -> int:
    """Serve until the source has ended and every watcher is gone."""
    gone = 0

    def done() -> bool:
        nonlocal gone
        progress(daemon.status())
        if daemon.summary is not None:
            return all(watcher.status is not None for watcher in watchers)
        if watchers and all(watcher.status == 0 for watcher in watchers):
            daemon.stop("window closed")  # who closes the window has seen enough; one that failed to open ends nothing
        # A source that died without an end has its last words in the socket for a moment.
        gone = gone + 1 if child.status is not None else 0
        if gone > GONE:
            daemon.stop(f"source lost (its process ended with status {child.status})")
        return gone > GONE

    daemon.serve(done)
    return max((watcher.status or 0 for watcher in watchers), default=0)
