"""Hub: the daemon's three sockets, and the events that come out of them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from streamer.address import DEFAULT_ADDRESS, Address, parse_address, require_loopback
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError, ProtocolError
from streamer.frames import MAX_ARRAY_BYTES, MAX_HEADER_BYTES, Frames
from streamer.result import Result
from streamer.session import Intake
from streamer.transport.sockets import RESULTS_BUFFER, RESULTS_HWM, Endpoint, Owner, heartbeats
from streamer.wire import (
    MAX_CREDIT,
    ChunkMessage,
    Credit,
    End,
    Heartbeat,
    Hello,
    Message,
    Publish,
    Refuse,
    Reply,
    Request,
    Stop,
    Totals,
    Welcome,
    decode,
    encode,
)


@dataclass(frozen=True, slots=True, eq=False)
class HelloIn:
    """A source asks to be taken: answer with `welcome` or `refuse`.

    The same `stream` may come again on a new connection: welcome it with the chunk after the last one taken.
    `first_seq` is the oldest chunk that it can still send.
    """

    peer: bytes
    info: StreamInfo
    stream: str
    first_seq: int


@dataclass(frozen=True, slots=True, eq=False)
class ChunkIn:
    """The next chunk of the active source: in order, once, valid."""

    peer: bytes
    seq: int
    chunk: Chunk


@dataclass(frozen=True, slots=True, eq=False)
class EndIn:
    """The active source has sent everything: answer with `totals`."""

    peer: bytes
    end: StreamEnd


@dataclass(frozen=True, slots=True, eq=False)
class SourceLost:
    """The active source is gone without an end; the same stream may come back with a new HelloIn."""

    peer: bytes
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class ControlIn:
    """A request: answer with `reply`."""

    peer: bytes
    request: dict[str, Any]


Event: TypeAlias = HelloIn | ChunkIn | EndIn | SourceLost | ControlIn


class Hub(Owner):
    """The daemon's three sockets.

    Nothing that a stranger sends raises: it is counted in `malformed` and answered where that is possible. A call that
    names a peer who is gone does nothing; the next `poll` says SourceLost.

    Attributes:
        address: base address, with the real port when 0 was asked for.
        addresses: the endpoints of the three sockets: data, results, control.
        malformed: messages that broke the wire's rules.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, *, heartbeat_s: float = 0.5, dead_s: float = 3.0) -> None:
        """Bind. InputError when the address is none, is not loopback, or is taken."""
        asked = parse_address(address)
        require_loopback(asked)
        super().__init__()
        self.malformed = 0
        self._intake = Intake()
        self._events: list[Event] = []
        self._kept: dict[bytes, Frames] = {}
        self._numbers: dict[str, int] = {}
        self._epoch = secrets.token_hex(4)
        self._heartbeat_s, self._next_beat = heartbeat_s, 0.0
        host, router = asked.host, {"ROUTER_MANDATORY": 1}  # a word to someone who is gone must say so, not vanish
        self._data = self._net.open(
            "ROUTER",
            host,
            MAXMSGSIZE=MAX_ARRAY_BYTES,
            RCVHWM=2 * MAX_CREDIT,
            **router,
            **heartbeats(heartbeat_s, dead_s),
        )
        self._control = self._net.open("ROUTER", host, MAXMSGSIZE=MAX_HEADER_BYTES, **router)
        self._results = self._net.open(
            "XPUB",
            host,
            XPUB_VERBOSE=1,  # hear of every subscriber, not of the first to each topic only
            SNDHWM=RESULTS_HWM,
            SNDBUF=RESULTS_BUFFER,
            MAXMSGSIZE=MAX_HEADER_BYTES,
        )
        try:
            bound = self._bind(asked)
        except BaseException:
            self.close()
            raise
        self.address = str(bound)
        self.addresses = (bound.data, bound.results, bound.control)

    def _bind(self, asked: Address) -> Address:
        """Bind the three sockets; with port 0 look for three free ports in a row."""
        problem = ""
        for _ in range(1 if asked.port else 100):
            bound: list[tuple[Endpoint, str]] = []
            try:
                bound.append((self._data, self._data.bind(asked.data)))
                base = parse_address(bound[0][1])
                for socket, where in ((self._results, base.results), (self._control, base.control)):
                    socket.bind(where)
                    bound.append((socket, where))
                return base
            except (OSError, InputError) as error:  # InputError: the free port was one of the last two
                problem = str(getattr(error, "strerror", error))
                for socket, where in bound:
                    socket.unbind(where)
        raise InputError(
            f"address {asked}: ports {asked.port} to {asked.port + 2} cannot be bound ({problem}); a daemon may be "
            "running there already: use that one, stop it, or give another address"
        )

    def poll(self, timeout_s: float) -> list[Event]:
        """What happened, in order; an empty list after `timeout_s` without anything."""
        deadline = time.monotonic() + timeout_s
        while True:
            now = time.monotonic()
            self._beat(now)
            wait = 0.0 if self._events else min(deadline - now, self._heartbeat_s)
            for socket in self._net.ready((self._data, self._control, self._results), wait):
                if socket is self._data:
                    for frames in socket.received():
                        self._from_source(frames)
                elif socket is self._control:
                    for frames in socket.received():
                        self._from_client(frames)
                else:
                    self._serve_late()
            if self._events or time.monotonic() >= deadline:
                events, self._events = self._events, []
                return events

    def welcome(self, peer: bytes, next_seq: int, credit: int) -> None:
        """Take a source: it sends from chunk `next_seq` on, with at most `credit` chunks not yet durable."""
        self._intake.welcome(peer, next_seq)
        self._tell(peer, Welcome(next_seq, credit))

    def refuse(self, peer: bytes, reason: str) -> None:
        """Turn a source away; the place is free again."""
        self._tell(peer, Refuse(reason))
        self._intake.leave(peer)

    def credit(self, peer: bytes, durable_seq: int, credit: int) -> None:
        """Chunks up to `durable_seq` (-1: none) will never be asked for again; 0 credit pauses the source."""
        self._tell(peer, Credit(durable_seq, credit))

    def stop(self, peer: bytes, reason: str) -> None:
        """Ask the source to end; it answers with EndIn. Ask again when it comes back with a new HelloIn."""
        self._tell(peer, Stop(reason))

    def totals(self, peer: bytes, totals: Mapping[str, Any]) -> None:
        """Answer to EndIn; the place is free again."""
        self._tell(peer, Totals(dict(totals)))
        self._intake.leave(peer)

    def reply(self, peer: bytes, reply: Mapping[str, Any]) -> None:
        """Answer to ControlIn."""
        number = int.from_bytes(peer[:8], "little")
        self._control.send([peer[8:], *encode(Reply(dict(reply), number))])

    def publish(self, results: Sequence[Result]) -> None:
        """Send Results to whoever listens, and keep them for whoever comes later. Never waits, copies what it sends."""
        self._serve_late()
        for result in results:
            topic = result.name.encode() + b"\0"
            self._numbers[result.name] = number = self._numbers.get(result.name, 0) + 1
            frames = encode(Publish(result, number, self._epoch))
            self._kept[topic] = [topic, *(bytes(frame) for frame in frames)]
            self._results.send(self._kept[topic], copy=False)  # XPUB drops for a full subscriber, never waits

    def _serve_late(self) -> None:
        """Send what is current to new subscribers; earlier ones see it twice and know it by its number."""
        for frames in self._results.received():
            said = bytes(frames[0])
            if said[:1] == b"\x01":
                for topic, kept in self._kept.items():
                    if topic.startswith(said[1:]):
                        self._results.send(kept, copy=False)
            elif said[:1] != b"\x00":
                self.malformed += 1

    def _beat(self, now: float) -> None:
        """Say something to the source now and then; whether it can be said tells whether it is there."""
        if self._intake.peer is not None and now >= self._next_beat:
            self._next_beat = now + self._heartbeat_s
            self._tell(self._intake.peer, Heartbeat())

    def _tell(self, peer: bytes, message: Message) -> None:
        if not self._data.send([peer, *encode(message)]) and self._intake.leave(peer):
            self._events.append(SourceLost(peer, "its connection ended"))

    def _from_source(self, frames: list[memoryview]) -> None:
        peer = bytes(frames[0])
        try:
            self._take(peer, decode(frames[1:]))
        except ProtocolError as error:
            self.malformed += 1
            self._data.send([peer, *encode(Refuse(str(error)))])
            if self._intake.leave(peer):
                self._events.append(SourceLost(peer, f"it broke the protocol: {error}"))

    def _take(self, peer: bytes, message: Message) -> None:
        match message:
            case Hello():
                self._next_beat = 0.0  # the active source may have died a moment ago
                self._beat(time.monotonic())
                reason = self._intake.hello(peer, message)
                if reason is None:
                    self._events.append(HelloIn(peer, message.info, message.stream, message.first_seq))
                else:
                    self._data.send([peer, *encode(Refuse(reason))])
            case ChunkMessage() | End() if not self._intake.knows(peer):
                self._data.send([peer, *encode(Refuse("this daemon does not know you, say Hello", again=True))])
            case ChunkMessage():
                taken = self._intake.take(message.seq, message.chunk)
                if taken:
                    self._events.append(ChunkIn(peer, message.seq, message.chunk))
                elif taken is None:
                    self._data.send([peer, *encode(Refuse("chunks are missing, say Hello", again=True))])
            case End():
                self._events.append(EndIn(peer, message.end))
            case Heartbeat():
                pass
            case _:
                raise ProtocolError(f"a source may not send a {type(message).__name__}")

    def _from_client(self, frames: list[memoryview]) -> None:
        peer = bytes(frames[0])
        try:
            message = decode(frames[1:])
            if not isinstance(message, Request):
                raise ProtocolError(f"the control socket takes a Request, not a {type(message).__name__}")
        except ProtocolError as error:
            self.malformed += 1
            self._control.send([peer, *encode(Reply({"ok": False, "error": str(error)}))])
        else:
            self._events.append(ControlIn(message.id.to_bytes(8, "little") + peer, message.body))
