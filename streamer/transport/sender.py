"""Sender: a source's end of the data socket; it survives a daemon that dies and comes back."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

from streamer.address import parse_address
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import ProtocolError, Refused
from streamer.frames import MAX_HEADER_BYTES, Frames
from streamer.session import Outbox
from streamer.transport.sockets import LINGER_MS, Endpoint, Owner, heartbeats
from streamer.wire import (
    MAX_CREDIT,
    ChunkMessage,
    Credit,
    End,
    Heartbeat,
    Hello,
    Message,
    Refuse,
    Stop,
    Totals,
    Welcome,
    check_mode,
    decode,
    encode,
)

log = logging.getLogger(__name__)

REOPEN_S = 0.1  # shortest time between two connections


class Sender(Owner):
    """A source's end of the data socket.

    Chunks that the daemon has not called durable are kept (at most `max_bytes`, or one chunk) and sent again when it
    comes back after a break. A chunk's arrays are sent from where they lie, so nobody may write to them afterwards.

    Attributes:
        stopped: the daemon's reason to stop, or None. `send` does nothing from then on; go on to `end`.
        resent: chunks that went out a second time.
    """

    def __init__(
        self,
        address: str,
        info: StreamInfo,
        *,
        stream: str = "",
        max_bytes: int = 64 << 20,
        heartbeat_s: float = 0.5,
        dead_s: float = 3.0,
    ) -> None:
        """`stream` names this run of the source; give the same to go on with a run, by default it is a new one."""
        self.address = parse_address(address)
        super().__init__()
        self.info, self.stream = info, stream or secrets.token_hex(8)
        self.stopped: str | None = None
        self.resent = 0
        self._options = heartbeats(heartbeat_s, dead_s)
        self._outbox = Outbox(max_bytes)
        self._link: Endpoint | None = None
        self._opened = float("-inf")
        self._torn = False  # Ctrl-C came while a message was being handed over
        self._welcome: Welcome | None = None  # None while it greets
        self._end: Frames | None = None
        self._end_sent = False
        self._totals: dict[str, Any] | None = None

    def connect(self, timeout_s: float) -> Welcome:
        """Say Hello and wait for the answer.

        Raises Refused with the daemon's reason, ProtocolError when its answer cannot be read, TimeoutError when none
        comes.
        """
        self._greet()
        deadline = time.monotonic() + timeout_s
        while self._welcome is None:
            self._hear(deadline - time.monotonic())
            if self._welcome is None and time.monotonic() >= deadline:
                self._drop_link(0)
                raise TimeoutError(
                    f"{self.address}: no daemon answered within {timeout_s:g} s; start one with `streamer serve`, "
                    "or give the address of the one that runs"
                )
        return self._welcome

    def send(self, chunk: Chunk, timeout_s: float | None = None) -> None:
        """Take a chunk as soon as there is credit for it; returns at once, without it, when `stopped`.

        Raises ProtocolError for a chunk that breaks its rules, Refused when the daemon does not take the stream back
        after a break, TimeoutError after `timeout_s`; the chunk was not taken then and may be given again.
        """
        self._hear(0)
        if self.stopped is not None:
            return
        if not self._outbox.wanted():
            self._outbox.skip()
            return
        check_mode(chunk, self.info.mode)
        frames = encode(ChunkMessage(self._outbox.next_seq, chunk))
        size = sum(len(frame) for frame in frames)
        deadline = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        while not self._outbox.room(size):
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"{self.address}: {self._excuse()} for {timeout_s:g} s, {len(self._outbox)} chunks wait"
                )
            self._hear(deadline - time.monotonic())
            if self.stopped is not None:
                return
        self._outbox.keep(frames, size)
        self._flush()

    def poll(self, timeout_s: float) -> None:
        """Listen to the daemon for this long, or until it says stop: the way to wait between two chunks."""
        deadline = time.monotonic() + timeout_s
        self._hear(0)
        while self.stopped is None and (left := deadline - time.monotonic()) > 0:
            self._hear(left)

    def end(self, end: StreamEnd, timeout_s: float) -> dict[str, Any]:
        """Say that this was all; return the daemon's totals. TimeoutError as in `send`."""
        self._end = encode(End(end))
        deadline = time.monotonic() + timeout_s
        self._hear(0)
        while self._totals is None:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{self.address}: {self._excuse()} for {timeout_s:g} s after the end of the stream")
            self._hear(deadline - time.monotonic())
        return self._totals

    def close(self) -> None:
        """Close; what is still under way gets a second."""
        self._drop_link(LINGER_MS)
        super().close()

    def _excuse(self) -> str:
        if self._welcome is None:
            return "the daemon is gone and did not come back"
        return "no credit from the daemon (paused, or slower than this source)"

    def _drop_link(self, linger_ms: int) -> None:
        if self._link is not None:
            self._link.close(linger_ms)
        self._link = None

    def _greet(self) -> None:
        """Open a new connection and say Hello on it; what the old one held unsent goes with it."""
        self._drop_link(0)
        time.sleep(max(0.0, min(REOPEN_S, self._opened + REOPEN_S - time.monotonic())))
        self._opened = time.monotonic()
        self._welcome, self._end_sent = None, False
        self._link = self._net.open("DEALER", self.address.host, SNDHWM=0, MAXMSGSIZE=MAX_HEADER_BYTES, **self._options)
        self._link.connect(self.address.data, watched=True)
        self._link.send(encode(Hello(self.info, stream=self.stream, first_seq=self._outbox.oldest)))

    def _hear(self, timeout_s: float) -> None:
        """Wait a slice of the time for the daemon, take in what it says, notice that it is gone, send what may go."""
        if self._link is None:
            raise ProtocolError(f"{self.address}: connect() comes before sending, and nothing after a refusal")
        if self._torn:
            self._torn = False
            self._greet()  # half a message may lie on the old connection; on a new one all of it is sent again
        self._flush()
        link = self._link
        link.wait(timeout_s)
        broken = link.broken()  # asked before reading: a daemon may say its last word and be gone
        for frames in link.received(2 * MAX_CREDIT):
            try:
                message = decode(frames)
            except ProtocolError as error:
                raise type(error)(f"{self.address}: {error}") from None
            self._on(message)
            if link is not self._link:
                return
        if broken and self._totals is None:
            if self._welcome is not None:
                log.warning("%s: lost the daemon, waiting for it to come back", self.address)
            self._greet()
        self._flush()

    def _on(self, message: Message) -> None:
        match message:
            case Welcome():
                again = self._outbox.welcomed(message)
                if again:
                    log.warning("%s: the daemon is back, sending %d chunks again", self.address, again)
                self.resent += again
                self._welcome = message
            case Credit():
                self._outbox.credited(message)
            case Stop():
                self.stopped = message.reason
            case Totals():
                self._totals = message.totals
            case Refuse(again=True):
                self._greet()
            case Refuse():
                self._drop_link(0)
                raise Refused(f"{self.address}: {' '.join(message.reason.split())}")
            case Heartbeat():
                pass
            case _:
                raise ProtocolError(f"{self.address}: the daemon sent a {type(message).__name__} to a source")

    def _flush(self) -> None:
        if self._welcome is None or self._link is None:
            return
        try:
            for frames in self._outbox.unsent():
                self._link.send(frames, copy=False)
            if self._end is not None and not self._end_sent:
                self._link.send(self._end)
                self._end_sent = True
        except KeyboardInterrupt:
            self._torn = True
            raise
