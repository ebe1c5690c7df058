"""Listen addresses."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from gateway.config import Address, Auth, Server, Settings, listeners, open_doors, parse_address


@pytest.mark.parametrize(
    ("text", "address", "loopback", "url"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080), True, "http://127.0.0.1:8080"),
        ("127.9.9.9:1", Address("127.9.9.9", 1), True, "http://127.9.9.9:1"),
        ("localhost:0", Address("localhost", 0), True, "http://localhost:0"),
        (":8080", Address("", 8080), False, "http://127.0.0.1:8080"),
        ("0.0.0.0:80", Address("0.0.0.0", 80), False, "http://127.0.0.1:80"),
        ("[::]:80", Address("::", 80), False, "http://[::1]:80"),
        ("[::1]:8080", Address("::1", 8080), True, "http://[::1]:8080"),
        ("[::ffff:127.0.0.1]:1", Address("::ffff:127.0.0.1", 1), True, "http://[::ffff:127.0.0.1]:1"),
        ("gateway.lan:443", Address("gateway.lan", 443), False, "http://gateway.lan:443"),
        ("unix:/run/gw.sock", Address(path="/run/gw.sock"), True, "http://localhost"),
    ],
)
def test_an_address_is_read_and_written_back(text: str, address: Address, loopback: bool, url: str) -> None:
    assert parse_address(text) == address
    assert (str(address), address.is_loopback, address.url) == (text, loopback, url)


@pytest.mark.parametrize(
    "text",
    ["", "8080", "localhost", "host:", "host:x", "host:65536", "::1:80", "[host]:80", "http://a:80", "unix:x", "a b:1"],
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_address(text)


def test_doors_are_open_only_on_public_addresses_without_a_key() -> None:
    server = Server(listen="127.0.0.1:1", extra_listen=(":2", "unix:/x", "10.0.0.1:3"))
    assert listeners(Settings(server=server)) == [
        Address("127.0.0.1", 1),
        Address("", 2),
        Address(path="/x"),
        Address("10.0.0.1", 3),
    ]
    assert open_doors(Settings(server=server)) == [Address("", 2), Address("10.0.0.1", 3)]
    assert open_doors(Settings(server=server, auth=Auth(downstream_api_key=SecretStr("k")))) == []
