"""Address: what may be written, and what may be bound."""

from __future__ import annotations

import pytest

from streamer.address import DEFAULT_ADDRESS, parse_address, require_loopback
from streamer.errors import InputError


def test_three_roles_at_three_ports() -> None:
    address = parse_address(DEFAULT_ADDRESS)
    assert str(address) == address.data == "tcp://127.0.0.1:7310"
    assert address.results == "tcp://127.0.0.1:7311"
    assert address.control == "tcp://127.0.0.1:7312"


def test_localhost_is_what_is_bound() -> None:
    assert str(parse_address("tcp://localhost:7000")) == "tcp://127.0.0.1:7000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:7310",
        "tcp://127.0.0.1",
        "tcp://:7310",
        "tcp://127.0.0.1:65534",
        "tcp://127.0.0.1:999999",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:7310\n",
        "tcp://a b:1",
        "tcp://[z]:1",
        "ipc://x",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"must look like tcp://127\.0\.0\.1:7310") as caught:
        parse_address(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "[::1]"])
def test_loopback_may_be_bound(host: str) -> None:
    require_loopback(parse_address(f"tcp://{host}:7310"))


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "192.168.1.5", "[::]", "lab-pc", "eth0", "127.0.0.1.evil.org"])
def test_anything_else_may_not(host: str) -> None:
    with pytest.raises(
        InputError, match=r"only loopback may be bound without CURVE keys.*bind tcp://127\.0\.0\.1:7310"
    ):
        require_loopback(parse_address(f"tcp://{host}:7310"))
