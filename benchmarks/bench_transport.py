"""Photons per second from a Sender in one process to a Hub in another, over tcp loopback, for T3 and T2.

    python benchmarks/bench_transport.py [--photons 2e8] [--chunk 1e4 1e5 1e6] [--repeat 3]

The clock runs at the receiving end, from the first chunk's arrival to the last one's. Every chunk is checked at both
ends; nothing is analysed. CPU is what both processes used, in ns for a photon: what the transport takes away from the
analysis when all cores are busy.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from multiprocessing.queues import Queue
from typing import Any

import numpy as np
import psutil

from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.transport import ChunkIn, EndIn, HelloIn, Hub, Sender

CREDIT = 64


def take(answers: Queue[Any]) -> None:
    """The receiving process: count photons until the source ends."""
    with Hub("tcp://127.0.0.1:0") as hub:
        answers.put(hub.address)
        photons, began, used = 0, 0.0, 0.0
        while True:
            taken: ChunkIn | None = None
            for event in hub.poll(1.0):
                match event:
                    case HelloIn():
                        hub.welcome(event.peer, 0, CREDIT)
                    case ChunkIn():
                        if not began:
                            began, used = time.perf_counter(), cpu_s()
                        else:
                            photons += len(event.chunk.time)
                        taken = event
                    case EndIn():
                        hub.totals(event.peer, {"photons": photons})
                        answers.put((photons, time.perf_counter() - began, cpu_s() - used))
                        return
            if taken is not None:
                hub.credit(taken.peer, taken.seq, CREDIT)


def measure(mode: str, photons: int, size: int) -> tuple[float, float]:
    """Photons per second, and CPU seconds per photon of both processes together."""
    rng = np.random.default_rng(1)
    step = 700 if mode == "T3" else 7
    time_ = np.cumsum(rng.integers(1, step, size))
    nanotime = rng.integers(0, 4096, size).astype(np.uint16) if mode == "T3" else np.empty(0, np.uint16)
    channel = rng.integers(0, 2, size).astype(np.uint8)
    span = int(time_[-1]) + 1
    info = StreamInfo(mode, 1e-7, 1e-11 if mode == "T3" else 0.0, source="benchmark")
    context = multiprocessing.get_context("spawn")
    answers: Queue[Any] = context.Queue()
    process = context.Process(target=take, args=(answers,), daemon=True)
    process.start()
    with Sender(answers.get(), info) as sender:
        sender.connect(10.0)
        used = cpu_s()
        for i in range(photons // size + 1):  # times as a decoder would make them: a new array for every chunk
            sender.send(Chunk(i * span, (i + 1) * span, time_ + i * span, nanotime, channel))
        sender.end(StreamEnd("end of benchmark"), 60.0)
        used = cpu_s() - used
    counted, seconds, used_there = answers.get()
    process.join()
    return counted / seconds, (used + used_there) / counted


def cpu_s() -> float:
    """CPU time of this process, user and system, in seconds."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Print one line per mode and chunk size: median, lowest and highest of the repetitions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photons", type=float, default=2e8)
    parser.add_argument("--chunk", type=float, nargs="+", default=[1e4, 1e5, 1e6])
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    print("mode  photons/chunk   M photons/s (lowest, highest)   CPU ns/photon")
    for mode in ("T3", "T2"):
        for size in arguments.chunk:
            runs = [measure(mode, int(arguments.photons), int(size)) for _ in range(arguments.repeat)]
            rates = sorted(rate / 1e6 for rate, _ in runs)
            cpu = statistics.median(cost for _, cost in runs) * 1e9
            print(
                f"{mode:4}  {int(size):13}   {statistics.median(rates):11.0f} ({rates[0]:.0f}, {rates[-1]:.0f})"
                f"   {cpu:20.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
