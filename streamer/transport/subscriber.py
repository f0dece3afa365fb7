"""Subscriber: a viewer's or sink's end; Results as they come, and a count of those that did not."""

from __future__ import annotations

import time
from collections.abc import Sequence

from streamer.address import DEFAULT_ADDRESS, parse_address
from streamer.errors import ProtocolError
from streamer.frames import MAX_ARRAY_BYTES, WrongVersion
from streamer.result import Result
from streamer.session import Missed
from streamer.transport.sockets import RESULTS_BUFFER, RESULTS_HWM, Owner
from streamer.wire import Publish, decode


class Subscriber(Owner):
    """Hears Results. One that reads too slowly misses some, never slows the daemon, and sees how many.

    Attributes:
        malformed: messages that could not be read.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, topics: Sequence[str] = ()) -> None:
        """Hear the Results of these names, or all; the current ones come at once. Waits for a daemon to appear."""
        self.address = parse_address(address)
        super().__init__()
        self.malformed = 0
        self._numbers = Missed()
        options = {"LINGER": 0, "RCVHWM": RESULTS_HWM, "RCVBUF": RESULTS_BUFFER, "MAXMSGSIZE": MAX_ARRAY_BYTES}
        self._socket = self._net.open("SUB", self.address.host, **options)
        # A subscription is a prefix: without its end "g2" would bring "g2_peaks" too.
        self._socket.subscribe([name.encode() + b"\0" for name in topics] or [b""])
        self._socket.connect(self.address.results)

    @property
    def missed(self) -> int:
        """Results that were published and never came, as far as later ones have shown."""
        return self._numbers.count

    def receive(self, timeout_s: float) -> Result | None:
        """The next Result, or None after `timeout_s`. Raises WrongVersion when the daemon is of another release."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._socket.wait(deadline - time.monotonic()):
                for frames in self._socket.received(at_most=1):
                    result = self._read(frames)
                    if result is not None:
                        return result
            elif time.monotonic() >= deadline:
                return None

    def _read(self, frames: list[memoryview]) -> Result | None:
        try:
            message = decode(frames[1:])
        except WrongVersion as error:
            raise WrongVersion(f"{self.address}: {error}") from None
        except ProtocolError:
            message = None
        if not isinstance(message, Publish):
            self.malformed += 1
            return None
        fresh = self._numbers.fresh(message.result.name, message.epoch, message.seq)
        return message.result if fresh else None
