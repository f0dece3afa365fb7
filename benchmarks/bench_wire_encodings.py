"""What a photon costs on a tcp loopback socket in three encodings: the measurement behind decision 0003.

    python benchmarks/bench_wire_encodings.py [--photons 2e8] [--chunk 1e5 1e6] [--repeat 5]

raw         int64 times, uint16 nanotimes, uint8 channels, one frame each, sent from where they lie
offset32    as raw, but times as uint32 offsets from the chunk's start, narrowed and widened by compiled loops
joined32    offset32, all arrays in one frame

Only arrays, no headers and no credit: a PUSH in one process, a PULL in another, and what it takes to get aligned int64
times that are known to rise. Prints median M photons/s, and CPU ns/photon of both processes together.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from multiprocessing.queues import Queue
from typing import Any

import numba
import numpy as np
import psutil
import zmq
from numba import types

ENCODINGS = ("raw", "offset32", "joined32")
_TIMES = types.Array(types.int64, 1, "C", readonly=True)
_OFFSETS = types.Array(types.uint32, 1, "C", readonly=True)


@numba.njit(types.void(_TIMES, types.int64, types.Array(types.uint32, 1, "C")), nogil=True)
def narrow(times: Any, start: int, offsets: Any) -> None:
    """Times as offsets."""
    for i in range(times.size):
        offsets[i] = numba.uint32(times[i] - start)


@numba.njit(types.boolean(_OFFSETS, types.int64, types.Array(types.int64, 1, "C")), nogil=True)
def widen(offsets: Any, start: int, times: Any) -> bool:
    """Offsets as times; True when they never fall."""
    falls = False
    for i in range(offsets.size):
        times[i] = start + numba.int64(offsets[i])
    for i in range(1, offsets.size):
        falls |= offsets[i] < offsets[i - 1]
    return not falls


def send(socket: zmq.Socket[bytes], encoding: str, start: int, arrays: list[Any]) -> None:
    """One chunk: times first."""
    if encoding != "raw":
        times, n = arrays[0], arrays[0].size
        joined = np.empty(4 * n + (sum(a.nbytes for a in arrays[1:]) if encoding == "joined32" else 0), np.uint8)
        narrow(times, start, joined[: 4 * n].view(np.uint32))
        if encoding == "joined32":
            at = 4 * n
            for array in arrays[1:]:
                joined[at : at + array.nbytes] = array.view(np.uint8)
                at += array.nbytes
            arrays = [joined]
        else:
            arrays = [joined, *arrays[1:]]
    socket.send_multipart(arrays, copy=False)


def receive(socket: zmq.Socket[bytes], encoding: str, bytes_per_photon: int) -> int:
    """One chunk: how many photons."""
    frames = [np.frombuffer(frame.buffer, np.uint8) for frame in socket.recv_multipart(copy=False)]
    if encoding == "raw":
        times = frames[0].view(np.int64)
        times = times if times.flags.aligned else times.copy()
        assert (times[1:] >= times[:-1]).all()
        return int(times.size)
    n = frames[0].size // (bytes_per_photon if encoding == "joined32" else 4)
    offsets = frames[0][: 4 * n].view(np.uint32)
    offsets = offsets if offsets.flags.aligned else offsets.copy()
    assert widen(offsets, 5, np.empty(n, np.int64))
    return n


def take(encoding: str, bytes_per_photon: int, chunks: int, answers: Queue[Any]) -> None:
    """The receiving process."""
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.rcvhwm = 8
        answers.put(socket.bind_to_random_port("tcp://127.0.0.1"))
        receive(socket, encoding, bytes_per_photon)
        began, used = time.perf_counter(), cpu_s()
        photons = sum(receive(socket, encoding, bytes_per_photon) for _ in range(chunks))
        answers.put((photons, time.perf_counter() - began, cpu_s() - used))


def measure(mode: str, encoding: str, photons: int, size: int) -> tuple[float, float]:
    """M photons/s, CPU ns/photon."""
    times = np.cumsum(np.random.default_rng(1).integers(1, 50, size)) + 5
    arrays = [times, *([np.zeros(size, np.uint16)] if mode == "T3" else []), np.zeros(size, np.uint8)]
    context = multiprocessing.get_context("spawn")
    answers: Queue[Any] = context.Queue()
    chunks = photons // size
    process = context.Process(target=take, args=(encoding, 7 if mode == "T3" else 5, chunks, answers), daemon=True)
    process.start()
    with zmq.Context() as sockets, sockets.socket(zmq.PUSH) as socket:
        socket.sndhwm = 8
        socket.connect(f"tcp://127.0.0.1:{answers.get()}")
        used = cpu_s()
        for _ in range(chunks + 1):
            send(socket, encoding, 5, arrays)
        counted, seconds, used_there = answers.get()
        used = cpu_s() - used
    process.join()
    return counted / seconds / 1e6, (used + used_there) / counted * 1e9


def cpu_s() -> float:
    """CPU time of this process, user and system, in seconds."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measure the encodings in turn, so that a busy moment of the machine hits all of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photons", type=float, default=2e8)
    parser.add_argument("--chunk", type=float, nargs="+", default=[1e5, 1e6])
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    print("mode  photons/chunk  encoding   M photons/s (lowest, highest)   CPU ns/photon (lowest)")
    for mode in ("T3", "T2"):
        for size in map(int, arguments.chunk):
            runs: dict[str, list[tuple[float, float]]] = {encoding: [] for encoding in ENCODINGS}
            for _ in range(arguments.repeat):
                for encoding in ENCODINGS:
                    runs[encoding].append(measure(mode, encoding, int(arguments.photons), size))
            for encoding, measured in runs.items():
                rates, costs = (sorted(column) for column in zip(*measured, strict=True))
                rate, cost = statistics.median(rates), statistics.median(costs)
                print(
                    f"{mode:4}  {size:13}  {encoding:8}   {rate:11.0f} ({rates[0]:.0f}, {rates[-1]:.0f})"
                    f"   {cost:17.1f} ({costs[0]:.1f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
