"""Through the daemon: a recording from a real `streamer send` process over the socket into a Daemon in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from streamer.config import Settings
from streamer.daemon import Daemon
from streamer.launch import Child
from streamer.transport import Hub

START_S = 120.0  # longest wait for the first chunk: a source may have to compile, and looks at the recording first


@dataclass(frozen=True)
class Passage:
    """One recording through source process, socket and daemon.

    Attributes:
        photons_per_s: from the first chunk counted to the final Results published.
        results_per_s: publications of all Results, in the same time.
        cpu_share: processor time of this process over wall time.
        account: received, analysed, open, outside.
        daemon: after the end; it answers as long as the context is open.
    """

    photons_per_s: float
    results_per_s: float
    cpu_share: float
    account: dict[str, int]
    daemon: Daemon


@contextmanager
def passage(path: str, settings: Settings) -> Iterator[Passage]:
    """Send `path` once; the daemon publishes at `settings.results_per_s` all the while."""
    with Hub("tcp://127.0.0.1:0") as hub:
        daemon = Daemon(hub, settings)
        with Child(["send", path, "--to", hub.address], quiet=True) as child:
            yield _measure(daemon, child)


def _measure(daemon: Daemon, child: Child) -> Passage:
    deadline = time.monotonic() + START_S
    while daemon.run is None or daemon.run.pipeline.received.sum() == 0:
        daemon.step()
        if time.monotonic() > deadline or (child.status is not None and daemon.run is None):
            raise TimeoutError(f"the source sent nothing (its process: status {child.status})")
    pipeline = daemon.run.pipeline
    began, cpu, before, seq = time.perf_counter(), time.process_time(), int(pipeline.received.sum()), daemon.seq
    while pipeline.end is None:
        daemon.step()
    seconds = time.perf_counter() - began
    photons = int(pipeline.received.sum())
    account = {key: getattr(pipeline.account, key) for key in ("received", "analysed", "open", "outside")}
    return Passage(
        (photons - before) / seconds,
        (daemon.seq - seq) / seconds,
        (time.process_time() - cpu) / seconds,
        account,
        daemon,
    )


def moved_cuts(daemon: Daemon, moves: int) -> dict[str, list[float]]:
    """Milliseconds from a new threshold or gate to its Results published, over all photons of the run."""
    assert daemon.run is not None
    first = daemon.run.pipeline.answers().thresholds_cps
    took: dict[str, list[float]] = {"threshold": [], "gate": []}
    for i in range(moves):
        moved = [rate * (1 + 0.02 * (i + 1)) for rate in first] or [1e4 * (i + 1)]
        for key, request in (
            ("threshold", {"do": "cut", "thresholds_cps": moved}),
            ("gate", {"do": "cut", "gate_ns": 0.5 * (i + 1)}),
        ):
            began = time.perf_counter()
            reply = daemon.control(request)
            took[key].append((time.perf_counter() - began) * 1e3)
            assert reply["ok"], reply
    return took
