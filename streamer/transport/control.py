"""Control: a client of the daemon's control socket; it outlives the daemon."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from streamer.address import DEFAULT_ADDRESS, parse_address
from streamer.frames import MAX_HEADER_BYTES
from streamer.transport.sockets import Endpoint, Owner
from streamer.wire import Reply, Request, decode, encode


class Control(Owner):
    """Asks and orders, one question at a time; when the daemon was away, asking again works once it is back."""

    def __init__(self, address: str = DEFAULT_ADDRESS) -> None:
        """Connects at the first question."""
        self.address = parse_address(address)
        super().__init__()
        self._socket: Endpoint | None = None
        self._id = 0

    def ask(self, request: Mapping[str, Any], timeout_s: float = 2.0) -> dict[str, Any]:
        """The daemon's reply. TimeoutError when none comes, ProtocolError when it cannot be read."""
        if self._socket is None:
            self._socket = self._net.open("DEALER", self.address.host, LINGER=0, MAXMSGSIZE=MAX_HEADER_BYTES)
            self._socket.connect(self.address.control)
        self._id += 1
        self._socket.send(encode(Request(dict(request), self._id)))
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self._socket.wait(left)
            for frames in self._socket.received(at_most=1):
                message = decode(frames)
                if isinstance(message, Reply) and message.id in (self._id, 0):
                    return message.body
        # A daemon that comes back must not find the question waiting, long after it was given up.
        self._socket.close(0)
        self._socket = None
        raise TimeoutError(
            f"{self.address}: no answer within {timeout_s:g} s; is the daemon running there? "
            "start one with `streamer serve`, or give its address"
        )
