"""Lag of following: from the append of a record to a growing PTU, to the arrival of the first Result that holds it.

    python -m benchmarks.follow_lag [--duration 20] [--rate 1e6]

A simulated emitter's recording is appended by a process of its own, each record when its time has come, in pieces of
5 ms that are cut anywhere; `streamer send follow:FILE` and `streamer serve` run as they are, a Subscriber in this
process. Records appended before the first Result came are left out: source and daemon were still starting.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.live_latency import START_S, Heard, _await, free_address, listen
from sinks.ptu import PtuWriter
from sources.ptu import open_source as open_ptu
from sources.simulate import open_source as simulate
from streamer.launch import Child

PIECE_S = 0.005
TARGET_MS = 200.0


def prepare(folder: Path, duration_s: float, rate: float) -> tuple[list[tuple[int, float]], int]:
    """Write `whole` and `begin`, the header of a file that is not closed; (byte, stream time at it) of each piece."""
    source = simulate("steady", {"duration": f"{duration_s:g}", "rate": f"{rate:g}"})
    photons = 0
    with PtuWriter(folder / "whole", source.info) as writer:
        header = (folder / "whole").read_bytes()
        (folder / "begin").write_bytes(header)
        for chunk in source.chunks():
            writer.write(chunk)
            photons += len(chunk.time)
        records = max(1, round(writer.records * PIECE_S / duration_s))
    chunks = open_ptu(str(folder / "whole"), {"chunk_records": str(records)}).chunks()
    rng = np.random.default_rng(1)
    plan = [
        (len(header) + 4 * records * (k + 1) + int(rng.integers(-3, 1)), chunk.stop * source.info.tick_s)
        for k, chunk in enumerate(chunks)
    ]
    plan[-1] = (folder / "whole").stat().st_size, plan[-1][1]
    return plan, photons


def write(folder: Path, plan: list[tuple[int, float]]) -> None:
    """Append each piece in its time to `growing.ptu`; note when (time.time) each was there."""
    whole, begin = (folder / "whole").read_bytes(), (folder / "begin").read_bytes()
    noted = []
    with (folder / "growing.ptu").open("wb") as file:
        file.write(begin)
        began, at = time.time(), len(begin)
        for byte, due in plan:
            time.sleep(max(0.0, began + due - time.time()))
            file.write(whole[at:byte])
            file.flush()
            at = byte
            noted.append(time.time())
        file.seek(0)
        file.write(whole[: len(begin)])
    (folder / "note.json").write_text(json.dumps(noted), encoding="utf-8")


def lags_ms(heard: Heard, plan: list[tuple[int, float]], noted: list[float]) -> NDArray[np.float64]:
    """Of the last record of each piece, in ms."""
    stream_s, appended = np.array([due for _, due in plan]), np.array(noted)
    counted = np.maximum.accumulate(heard.stream_s)
    # What is told is counted up to the end of a segment, and the last piece may end within one.
    asked = (appended > heard.arrived[0]) & (stream_s <= counted[-1])
    first = np.searchsorted(counted, stream_s[asked])
    return (heard.arrived[first] - appended[asked]) * 1e3


def measure(folder: Path, duration_s: float, rate: float) -> tuple[NDArray[np.float64], Heard, int]:
    """Lags, what was heard, and how many photons were written."""
    plan, photons = prepare(folder, duration_s, rate)
    address = free_address()
    with Child(["serve", "--address", address, "--out", str(folder / "runs")], quiet=True) as daemon:
        _await(address, daemon)
        gone = threading.Event()
        timer = threading.Timer(duration_s + START_S, gone.set)
        timer.start()
        writer = get_context("spawn").Process(target=write, args=(folder, plan))
        try:
            with Child(["send", f"follow:{folder / 'growing.ptu'}", "--to", address], quiet=True) as source:
                writer.start()
                heard = listen(address, gone)
                source.wait(10)
            writer.join(10)
        finally:
            timer.cancel()
            if writer.is_alive():
                writer.kill()
    noted = json.loads((folder / "note.json").read_text(encoding="utf-8"))
    return lags_ms(heard, plan, noted), heard, photons


def main() -> int:
    """Print lags and account; 0 when the target is met and nothing was lost."""
    parser = argparse.ArgumentParser(description="Appended record to published Result.")
    parser.add_argument("--duration", type=float, default=20.0, help="s")
    parser.add_argument("--rate", type=float, default=1e6, help="photons/s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ms, heard, photons = measure(Path(folder), arguments.duration, arguments.rate)
    p50, p99, most = (float(value) for value in (*np.percentile(ms, [50, 99]), ms.max()))
    account = heard.status["account"]
    whole = account["received"] == photons
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{photons} photons in {arguments.duration:g} s, {os.cpu_count()} cores{load}; {len(ms)} pieces measured")
    print(f"append to Result: median {p50:.1f} ms, 99 % {p99:.1f} ms, longest {most:.1f} ms")
    print(f"target 99 % < {TARGET_MS:g} ms: {'met' if p99 < TARGET_MS else 'NOT MET'}")
    print(f"received {account['received']}, written {photons}: {'nothing lost' if whole else 'DOES NOT ADD UP'}")
    return 0 if whole and p99 < TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
