"""Transport: the four ends of the daemon's three sockets.

    Sender       base port       a source sends its chunks, with credit
    Hub          all three       the daemon takes chunks, publishes Results, answers questions
    Subscriber   base port + 1   a viewer or sink hears Results
    Control      base port + 2   anyone asks and orders

Each object owns its sockets and is a context manager; one object belongs to one thread at a time: make it, use it and
close it there. Whether the other end lives is watched by a thread of the socket library, so a program that is busy for
a minute, compiling or paused, is not taken for a dead one; a killed, frozen or unplugged one is noticed in seconds.

Only `sockets.py` imports zmq. What may be sent when is decided in `streamer.session`, what a message looks like in
`streamer.wire`.
"""

from streamer.address import DEFAULT_ADDRESS
from streamer.transport.control import Control
from streamer.transport.hub import ChunkIn, ControlIn, EndIn, Event, HelloIn, Hub, SourceLost
from streamer.transport.sender import Sender
from streamer.transport.subscriber import Subscriber

__all__ = [
    "DEFAULT_ADDRESS",
    "ChunkIn",
    "Control",
    "ControlIn",
    "EndIn",
    "Event",
    "HelloIn",
    "Hub",
    "Sender",
    "SourceLost",
    "Subscriber",
]
