"""Sockets: the little of zmq that the four ends need; the only file that imports it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import zmq

from streamer.frames import Buffer

SLICE_S = 0.2  # longest wait inside zmq, so that Ctrl-C is heard on Windows too
LINGER_MS = 1000  # last words get this long when a socket is closed; then it closes all the same
MAX_AT_ONCE = 256  # messages taken from one socket before the others are looked at
RESULTS_HWM = 64  # Results waiting for one subscriber, at each end: some publications of each name, a second or so
RESULTS_BUFFER = 1 << 18  # bytes in the system's buffers for Results; what waits there is shown late, so it is small

_BROKEN = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL


def heartbeats(heartbeat_s: float, dead_s: float) -> dict[str, int]:
    """Options by which zmq's own thread asks "are you there", and ends a connection that was silent for `dead_s`."""
    return {
        "HEARTBEAT_IVL": round(heartbeat_s * 1000),
        "HEARTBEAT_TIMEOUT": round(max(dead_s - heartbeat_s, 0.1) * 1000),
    }


class Endpoint:
    """One socket; made by `Net.open`."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        """`socket` is neither bound nor connected yet."""
        self.socket = socket
        self._monitor: zmq.Socket[bytes] | None = None

    def bind(self, endpoint: str) -> str:
        """Listen; return the real endpoint. OSError when it cannot be had."""
        try:
            self.socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise OSError(error.errno, error.strerror) from None
        return self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def unbind(self, endpoint: str) -> None:
        """Undo `bind`."""
        self.socket.unbind(endpoint)

    def connect(self, endpoint: str, *, watched: bool = False) -> None:
        """Connect, now or whenever the other end appears; with `watched`, `broken` tells when it was lost."""
        if watched:
            self._monitor = self.socket.get_monitor_socket(_BROKEN)
        self.socket.connect(endpoint)

    def broken(self) -> bool:
        """Has a watched connection ended since the last call?"""
        return self._monitor is not None and any(True for _ in _received(self._monitor))

    def wait(self, timeout_s: float) -> bool:
        """True as soon as a message is there; waits at most SLICE_S. A lost watched connection ends the wait too."""
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN)
        if self._monitor is not None:
            poller.register(self._monitor, zmq.POLLIN)
        return any(socket is self.socket for socket, _ in poller.poll(_milliseconds(timeout_s)))

    def received(self, at_most: int = MAX_AT_ONCE) -> Iterator[list[memoryview]]:
        """Messages that are there, as buffers that were not copied."""
        return _received(self.socket, at_most)

    def subscribe(self, prefixes: Sequence[bytes]) -> None:
        """Ask for messages whose first frame begins so (SUB)."""
        for prefix in prefixes:
            self.socket.setsockopt(zmq.SUBSCRIBE, prefix)

    def send(self, frames: Sequence[Buffer], *, copy: bool = True) -> bool:
        """Hand over a message without waiting; False when the peer that a ROUTER's first frame names is gone.

        Without `copy` the buffers must never change again: nobody is told when they are sent. A message for a peer
        whose queue is full is lost.
        """
        try:
            self.socket.send_multipart(frames, zmq.NOBLOCK, copy=copy)
        except zmq.Again:
            return True
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return False
            raise
        return True

    def close(self, linger_ms: int) -> None:
        """Close; what is under way gets `linger_ms`."""
        if self._monitor is not None:
            self.socket.disable_monitor()
            self._monitor.close(0)
        self.socket.close(linger_ms)


class Net:
    """A zmq context of one's own and the sockets opened in it."""

    def __init__(self) -> None:
        """Nothing is open yet."""
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()

    def open(self, kind: str, host: str, **options: int | bytes) -> Endpoint:
        """A socket of this kind ("DEALER"), with zmq's `options` by name, for an address at `host`."""
        socket: zmq.Socket[bytes] = self._context.socket(getattr(zmq, kind))
        for name, value in ({"LINGER": LINGER_MS, "IPV6": int(host.startswith("["))} | options).items():
            socket.setsockopt(getattr(zmq, name), value)
        return Endpoint(socket)

    def ready(self, endpoints: Sequence[Endpoint], timeout_s: float) -> list[Endpoint]:
        """Those with a message, as soon as there is one; waits at most SLICE_S."""
        poller = zmq.Poller()
        for endpoint in endpoints:
            poller.register(endpoint.socket, zmq.POLLIN)
        events = dict(poller.poll(_milliseconds(timeout_s)))
        return [endpoint for endpoint in endpoints if endpoint.socket in events]

    def close(self) -> None:
        """Close every socket that is open still, each with its linger. May be called twice."""
        self._context.destroy()


class Owner:
    """A context manager with a Net of its own."""

    def __init__(self) -> None:
        """Opens no socket."""
        self._net = Net()

    def close(self) -> None:
        """Close the sockets; last words get a second. May be called twice."""
        self._net.close()

    def __enter__(self) -> Self:
        """It is open from the start."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close."""
        self.close()


def _received(socket: zmq.Socket[bytes], at_most: int = MAX_AT_ONCE) -> Iterator[list[memoryview]]:
    for _ in range(at_most):
        try:
            frames: list[Any] = socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        yield [frame.buffer for frame in frames]


def _milliseconds(timeout_s: float) -> int:
    """For zmq's poll, rounded up: a wait of less than one must not become a busy loop."""
    return math.ceil(max(0.0, min(SLICE_S, timeout_s)) * 1000)
