"""A daemon or a source in a process of its own, for test_transport: what it takes is printed, one line each.

python transport_ends.py serve|feed ADDRESS
"""

from __future__ import annotations

import sys

from streamer.chunk import Chunk, StreamInfo
from streamer.transport import ChunkIn, EndIn, HelloIn, Hub, Sender


def say(line: object) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def serve(address: str) -> None:
    """Take everything, make nothing durable."""
    with Hub(address, heartbeat_s=0.1, dead_s=1.0) as hub:
        say(hub.address)
        while True:
            for event in hub.poll(1.0):
                match event:
                    case HelloIn():
                        hub.welcome(event.peer, 0, 100)
                    case ChunkIn():
                        say(event.seq)
                    case EndIn():
                        hub.totals(event.peer, {"done": True})


def feed(address: str) -> None:
    """Send one chunk and never end."""
    with Sender(address, StreamInfo("T2", 1e-12)) as sender:
        sender.connect(20.0)
        sender.send(Chunk(0, 100))
        sender.poll(1000.0)


if __name__ == "__main__":
    {"serve": serve, "feed": feed}[sys.argv[1]](sys.argv[2])
