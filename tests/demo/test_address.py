"""Where the demo listens: the public address follows, and what cannot be listened on is refused before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from demo.address import AddressUnusable, PublicAddress, parse_address

ALL = "0.0.0.0"  # noqa: S104 - that is the point
needs_ipv6 = pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="no IPv6 here")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("host", "listen", "url", "certified"),
    [
        ("127.0.0.7", "127.0.0.7", "https://127.0.0.7", "127.0.0.7"),
        ("localhost", "127.0.0.1", "https://localhost", "127.0.0.1"),
        pytest.param("[::1]", "[::1]", "https://[::1]", "::1", marks=needs_ipv6),
    ],
)
def test_the_public_address_follows(
    host: str, listen: str, url: str, certified: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address or a name of this machine; the certificate has the address, too."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *rest, **more: resolve(_ipv4_of(name), *rest, **more))
    port = free_port()
    address = parse_address(f"{host}:{port}")
    assert (address.listen, address.url, address.certified) == (f"{listen}:{port}", f"{url}:{port}", certified)
    assert address.is_loopback


@pytest.mark.parametrize("host", [ALL, pytest.param("[::]", marks=needs_ipv6)])
def test_all_addresses_are_reached_by_one(host: str) -> None:
    """A browser cannot open 0.0.0.0: the URL names the address that this machine usually has."""
    address = parse_address(f"{host}:{free_port()}")
    assert not address.is_loopback
    assert address.host not in (ALL, "::")
    assert address.certified == address.host


@pytest.mark.parametrize(
    "text", ["8443", ":8443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:https", "127.0.0.1:0", "127.0.0.1:65536"]
)
def test_half_an_address_is_refused_with_examples(text: str) -> None:
    """Host and port are both needed."""
    with pytest.raises(AddressUnusable, match=r"for example 127\.0\.0\.1:8443"):
        parse_address(text)


def test_an_address_of_another_machine_is_refused() -> None:
    """Before a domain is provisioned in vain."""
    with pytest.raises(AddressUnusable, match=r"cannot listen on 198\.51\.100\.1:8443"):
        parse_address("198.51.100.1:8443")


def test_a_port_in_use_is_refused() -> None:
    """As the kernel says."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressUnusable, match="in use"):
            parse_address(f"127.0.0.1:{taken.getsockname()[1]}")


def test_a_name_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with what to do."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(AddressUnusable, match=r"demo\.example\.com cannot be resolved"):
        parse_address("demo.example.com:8443")


def test_another_machines_reach_is_seen() -> None:
    """The demo warns where it is not on loopback alone."""
    assert not PublicAddress("192.0.2.7", "192.0.2.7", 8443).is_loopback


def _ipv4_of(name: str) -> str:
    return "127.0.0.1" if name == "localhost" else name
