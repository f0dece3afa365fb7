"""Address: one base address names three sockets, and only loopback may be bound without keys."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from streamer.errors import InputError

DEFAULT_ADDRESS = "tcp://127.0.0.1:7310"
_FORM = re.compile(r"tcp://(?P<host>[A-Za-z0-9._-]+|\*|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")


class Address(NamedTuple):
    """Where a daemon is: chunks arrive at `data`, results leave at `results`, questions are answered at `control`."""

    host: str
    port: int

    def __str__(self) -> str:
        """The base address, as users write it."""
        return self.at(0)

    def at(self, role: int) -> str:
        """Endpoint number `role` above the base."""
        return f"tcp://{self.host}:{self.port + role}"

    @property
    def data(self) -> str:
        """The base port: sources."""
        return self.at(0)

    @property
    def results(self) -> str:
        """The base port + 1: viewers and sinks."""
        return self.at(1)

    @property
    def control(self) -> str:
        """The base port + 2: questions and orders."""
        return self.at(2)


def parse_address(text: str) -> Address:
    """The address that `text` says; InputError when it is none. localhost becomes 127.0.0.1, which is what is bound."""
    match = _FORM.fullmatch(text)
    if not match or int(match["port"]) > 65533:
        raise InputError(
            f"address {text!r}: must look like {DEFAULT_ADDRESS}, its port at most 65533 (it and the next two are used)"
        )
    return Address("127.0.0.1" if match["host"] == "localhost" else match["host"], int(match["port"]))


def require_loopback(address: Address) -> None:
    """InputError unless only this machine can reach `address`; port 0 asks for free ports."""
    try:
        loopback = ipaddress.ip_address(address.host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InputError(
            f"address {address}: only loopback may be bound without CURVE keys, or anyone on the network could steer "
            f"the measurement; bind tcp://127.0.0.1:{address.port} and reach it from elsewhere through an SSH tunnel"
        )
