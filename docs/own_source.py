"""A lab's own source, to be copied and changed: an FPGA tagger that sends its tags over TCP.

Each tag is one little-endian 64-bit word: bits 0-55 the time in units of 250 ps, bits 56-63 the channel. Channel 255 is
no photon: the tagger sends it every millisecond, so that time moves on in the dark. Start it from the folder where this
file lies (or from anywhere, once the file is in a package that Python finds):

    streamer send own_source:127.0.0.1:5000 --set channels=0,1
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import NO_NANOTIME, Chunk, StreamEnd, StreamInfo
from streamer.errors import InputError

TICK_S = 250e-12
CLOCK = 255  # channel of the tags that only tell the time
QUIET_S = 0.05  # how long to wait for tags before it is looked whether to stop


class Tagger:
    """The source: `info`, `chunks()`, `stop(reason)` and `end()` are all that is asked of it."""

    def __init__(self, address: tuple[str, int], channels: tuple[int, ...]) -> None:
        """Connect; whatever is wrong must be said now, in one line, before a photon is lost."""
        try:
            self._socket = socket.create_connection(address, timeout=5)
        except OSError as error:
            raise InputError(
                f"own_source: no tagger at {address[0]}:{address[1]} ({error}); is it switched on?"
            ) from None
        self._socket.settimeout(QUIET_S)
        self._stop_reason = ""
        self._reason = "the tagger closed the connection"
        self._tags = 0
        self.info = StreamInfo(
            mode="T2",  # absolute times; "T3" has laser pulses as ticks, and nanotimes
            tick_s=TICK_S,
            source=f"own_source:{address[0]}:{address[1]}",
            format="FPGA tagger, 64-bit words",
            hardware="our FPGA",
            channels=channels,  # a live stream must say which channels may come
            live=True,
        )

    def chunks(self) -> Iterator[Chunk]:
        """Photons as they come, in order of time; each chunk begins where the last one ended."""
        rest, start = b"", None
        while not self._stop_reason:
            try:
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                continue  # nothing for a moment: look whether to stop
            except OSError as error:
                self._reason = f"connection lost ({error})"
                break
            if not data:
                break
            rest += data
            words = np.frombuffer(rest[: len(rest) // 8 * 8], "<u8")
            rest = rest[len(words) * 8 :]
            if not len(words):
                continue
            time = _times(words)
            start = int(time[0]) if start is None else start
            stop = int(time[-1])  # more photons of this very tick may follow, so it is not over yet
            if stop > start:
                self._tags += len(words)
                yield _chunk(start, stop, words[time < stop])
                start, rest = stop, words[time == stop].tobytes() + rest
                self._tags -= int((time == stop).sum())
            else:
                rest = words.tobytes() + rest
        self._socket.close()
        if start is not None and len(words := np.frombuffer(rest[: len(rest) // 8 * 8], "<u8")):
            self._tags += len(words)
            yield _chunk(start, start + 1, words)

    def stop(self, reason: str) -> None:
        """End soon; called from another thread when a rule or a user has seen enough."""
        self._stop_reason = self._stop_reason or reason

    def end(self) -> StreamEnd:
        """Why it ended, and what else should be known."""
        return StreamEnd(self._stop_reason or self._reason, records=self._tags)


def _times(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (words & np.uint64((1 << 56) - 1)).astype(np.int64)


def _chunk(start: int, stop: int, words: NDArray[np.uint64]) -> Chunk:
    channel = (words >> np.uint64(56)).astype(np.uint8)
    photon = channel != CLOCK
    return Chunk(start, stop, _times(words)[photon], NO_NANOTIME, channel[photon])


def open_source(where: str, options: Mapping[str, str]) -> Tagger:
    """Open HOST:PORT; this function is what the program looks for in the module."""
    for key in options:
        if key != "channels":
            raise InputError(f"own_source: {key}: unknown option; known is channels")
    host, colon, port = where.rpartition(":")
    if not colon or not port.isdecimal():
        raise InputError(f"own_source: the address must be HOST:PORT, got {where!r}")
    channels = options.get("channels", "0,1")
    try:
        numbers = tuple(int(text) for text in channels.split(","))
    except ValueError:
        raise InputError(f"own_source: channels: must be numbers such as 0,1, got {channels!r}") from None
    return Tagger((host, int(port)), numbers)
