"""Live latency: from a photon's time to the arrival of the first published Result that holds it, at 1 M photons/s.

    python -m benchmarks.live_latency [--duration 60] [--rate 1e6]

A simulated emitter on the wall clock in one process, `streamer serve` in another, a Subscriber in this one. A Result
says up to which stream time everything is in its tables; what came since the Result before it is as old as the clock
says when all Results of that publication have arrived. Photons are taken as spread evenly over stream time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.launch import Child
from streamer.transport import Control, Hub, Subscriber

GRID_S = 1e-4
TARGET_MS = 100.0
START_S = 120.0


@dataclass(frozen=True)
class Heard:
    """Publications in order: when the last Result of each had arrived (time.time) and up to where it had counted."""

    arrived: NDArray[np.float64]
    stream_s: NDArray[np.float64]
    status: dict[str, Any]


def listen(address: str, ended: threading.Event) -> Heard:
    """Every publication until the one after the stream's end."""
    told: dict[int, tuple[float, float]] = {}
    status: dict[str, Any] = {}
    final = False
    with Subscriber(address) as subscriber:
        while not final and not ended.is_set():
            result = subscriber.receive(0.2)
            if result is None:
                continue
            if "stream_s" in result.provenance and "seq" in result.provenance:
                told[result.provenance["seq"]] = time.time(), result.provenance["stream_s"]
            if result.name == "status":
                status = result.values
                final = bool(result.provenance.get("final"))
    rows = np.array([told[seq] for seq in sorted(told)])
    return Heard(rows[:, 0], rows[:, 1], status)


def latencies_ms(heard: Heard, began: float) -> NDArray[np.float64]:
    """Of photons every GRID_S of stream time, in ms."""
    at = np.arange(GRID_S / 2, heard.stream_s[-1], GRID_S)
    first = np.searchsorted(np.maximum.accumulate(heard.stream_s), at)
    return (heard.arrived[first] - (began + at)) * 1e3


def free_address() -> str:
    """An address whose three ports were free a moment ago."""
    with Hub("tcp://127.0.0.1:0") as hub:
        return hub.address


def measure(duration_s: float, rate: float) -> tuple[Heard, dict[str, Any]]:
    """What was heard, and the source's note."""
    address = free_address()
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder) / "note.json"
        source = [
            sys.executable, "-m", "benchmarks.live_source", address, str(note), "live=true", f"rate={rate:g}",
            f"duration={duration_s:g}",
        ]  # fmt: skip
        with Child(["serve", "--address", address, "--out", str(Path(folder) / "runs")], quiet=True) as daemon:
            _await(address, daemon)
            process = subprocess.Popen(source, cwd=Path(__file__).parents[1])
            gone = threading.Event()
            timer = threading.Timer(duration_s + START_S, gone.set)
            timer.start()
            try:
                heard = listen(address, gone)
                process.wait(START_S)
            finally:
                timer.cancel()
                process.kill()
        return heard, json.loads(note.read_text(encoding="utf-8"))


def _await(address: str, daemon: Child) -> None:
    deadline = time.monotonic() + START_S
    with Control(address) as control:
        while time.monotonic() < deadline and daemon.status is None:
            try:
                control.ask({"do": "status"}, 1.0)
            except TimeoutError:
                continue
            return
    raise TimeoutError("the daemon did not answer")


def main() -> int:
    """Print latencies and account; 0 when the target is met and nothing was lost."""
    parser = argparse.ArgumentParser(description="Photon to published Result, live.")
    parser.add_argument("--duration", type=float, default=60.0, help="s")
    parser.add_argument("--rate", type=float, default=1e6, help="photons/s")
    arguments = parser.parse_args()
    heard, note = measure(arguments.duration, arguments.rate)
    ms = latencies_ms(heard, note["began"])
    p50, p99, most = (float(value) for value in (*np.percentile(ms, [50, 99]), ms.max()))
    account = heard.status["account"]
    whole = account["received"] == account["analysed"] + account["open"] + account["outside"] == note["photons"]
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{note['photons']} photons in {arguments.duration:g} s, {os.cpu_count()} cores{load}")
    print(f"{len(heard.stream_s) / arguments.duration:.1f} publications per s of all Results")
    print(f"photon to Result: median {p50:.1f} ms, 99 % {p99:.1f} ms, longest {most:.1f} ms")
    print(f"target 99 % < {TARGET_MS:g} ms: {'met' if p99 < TARGET_MS else 'NOT MET'}")
    print(f"account {account}, sent {note['photons']}: {'nothing lost' if whole else 'DOES NOT ADD UP'}")
    return 0 if whole and p99 < TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
