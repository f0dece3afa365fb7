"""Session: the rules of sending with credit, from both ends, without socket, thread or clock.

A source numbers its chunks from 0. It keeps every chunk until the daemon calls it durable, and has no more of them
than the daemon's credit, nor more than a fixed number of bytes: its memory stays flat, and a daemon that died and came
back can be sent again what it had not yet made durable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from streamer.chunk import Chunk
from streamer.errors import ProtocolError
from streamer.frames import Frames
from streamer.wire import Credit, Hello, Welcome, check_mode


class Kept(NamedTuple):
    """A chunk that may have to be sent again."""

    frames: Frames
    size: int


class Outbox:
    """The source's end: which chunks wait, which went out, which may still be asked for again.

    Attributes:
        next_seq: number of the next chunk.
        first_seq: the chunk after the last durable one.
        credit: how many chunks from `first_seq` on may be outstanding.
        bytes: size of the kept chunks.
    """

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes` bounds what is kept, but one chunk is always let through."""
        self.max_bytes = max_bytes
        self.next_seq = self.first_seq = self.credit = self.bytes = 0
        self._kept: deque[Kept] = deque()
        self._unsent = 0  # number of the next chunk to be put on the socket

    @property
    def oldest(self) -> int:
        """The first chunk that can still be sent, now or later."""
        return min(self.first_seq, self.next_seq)

    def wanted(self) -> bool:
        """False when the daemon has the next chunk already, from before this source was started again."""
        return self.next_seq >= self.first_seq

    def room(self, size: int) -> bool:
        """May another chunk of `size` bytes be kept?"""
        return len(self._kept) < self.credit and (not self._kept or self.bytes + size <= self.max_bytes)

    def keep(self, frames: Frames, size: int) -> None:
        """Take chunk `next_seq`; call `room` first."""
        self._kept.append(Kept(frames, size))
        self.bytes += size
        self.next_seq += 1

    def skip(self) -> None:
        """Pass over chunk `next_seq`, which is not `wanted`."""
        self.next_seq += 1

    def unsent(self) -> Iterator[Frames]:
        """Frames of every kept chunk that is not on the socket yet; each counts as sent once it was given out."""
        for kept in list(self._kept)[self._unsent - self.first_seq :]:
            self._unsent += 1
            yield kept.frames

    def welcomed(self, welcome: Welcome) -> int:
        """Begin again where the daemon stands; return how many kept chunks go out a second time.

        Raises ProtocolError when it wants a chunk that is gone, or one far ahead of a stream that is already running.
        """
        wanted = welcome.next_seq
        if wanted < self.oldest:
            raise ProtocolError(
                f"the daemon asks for chunk {wanted}, but those before {self.oldest} were called durable and are gone; "
                "start the measurement again"
            )
        if self.next_seq and wanted > max(self.next_seq, self.first_seq):
            raise ProtocolError(f"the daemon asks for chunk {wanted} of a stream that has {self.next_seq} so far")
        sent, self._unsent = self._unsent, wanted
        self._forget(wanted)
        self.first_seq = wanted
        self.credit = welcome.credit
        return max(0, sent - wanted)

    def credited(self, credit: Credit) -> None:
        """Forget what is durable. Raises ProtocolError when that was never sent."""
        if credit.durable_seq >= self._unsent:
            raise ProtocolError(
                f"the daemon calls chunk {credit.durable_seq} durable, but {self._unsent} was not sent yet"
            )
        self._forget(credit.durable_seq + 1)
        self.credit = credit.credit

    def _forget(self, first_seq: int) -> None:
        while self._kept and self.first_seq < first_seq:
            self.bytes -= self._kept.popleft().size
            self.first_seq += 1

    def __len__(self) -> int:
        """Chunks kept."""
        return len(self._kept)


class Intake:
    """The daemon's end: one source at a time, its chunks once each and in order.

    Attributes:
        peer: who is sending, or None.
        stream: the name of that source's run.
        source: its address, for the reason that a second one is told.
        repeated: chunks that came a second time after a reconnection and were passed over.
    """

    def __init__(self) -> None:
        """Nobody is sending."""
        self.peer: bytes | None = None
        self.stream = self.source = self.mode = ""
        self.repeated = 0
        self._next_seq: int | None = None  # None: not yet welcomed

    def hello(self, peer: bytes, hello: Hello) -> str | None:
        """Take the place of the active source if it is free or was this stream's; else the reason why not."""
        same = peer == self.peer or (hello.stream != "" and hello.stream == self.stream)
        if self.peer is not None and not same:
            return (
                f"another source is being analysed ({self.source or 'unnamed'}); wait for its end or stop it, "
                "or start a second daemon at another address"
            )
        self.peer, self.stream, self.source, self.mode = peer, hello.stream, hello.info.source, hello.info.mode
        self._next_seq = None
        return None

    def welcome(self, peer: bytes, next_seq: int) -> None:
        """From now on chunks of `peer` are taken, from `next_seq` on."""
        if peer == self.peer:
            self._next_seq = next_seq

    def knows(self, peer: bytes) -> bool:
        """Was this peer welcomed, and is it still the active source?"""
        return peer == self.peer and self._next_seq is not None

    def take(self, seq: int, chunk: Chunk) -> bool | None:
        """True: the next chunk; False: one that came before; None: chunks are missing between, so ask again.

        Raises ProtocolError when the chunk does not fit the stream's mode.
        """
        assert self._next_seq is not None
        if seq > self._next_seq:
            return None
        if seq < self._next_seq:
            self.repeated += 1
            return False
        check_mode(chunk, self.mode)
        self._next_seq += 1
        return True

    def leave(self, peer: bytes) -> bool:
        """Free the place of `peer`; False when it was not the active source."""
        if peer != self.peer:
            return False
        self.peer, self._next_seq = None, None
        return True


class Missed:
    """A subscriber's end: which numbers of a publisher did not arrive, and which came twice.

    Attributes:
        count: Results that were published and never came.
    """

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.count = 0
        self._last: dict[str, tuple[str, int]] = {}

    def fresh(self, name: str, epoch: str, seq: int) -> bool:
        """Note one arrival; False when it came before, as happens when a late subscriber is served."""
        before, last = self._last.get(name, (epoch, seq - 1))
        if before != epoch:  # another life of the publisher, which counts from 1 again
            last = seq - 1
        if seq <= last:
            return False
        self.count += seq - last - 1
        self._last[name] = (epoch, seq)
        return True
