"""What a relay refuses to be told."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from gateway.app import (
    ServerError,
    ServerSettings,
    check_settings,
    serving,
    tls_context,
)
from gateway.signin import SignInSettings
from settings import Unfit, split_address
from tests.support.relay_and_agent import server_settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"public_url": "http://127.0.0.1:8443"}, "is not encrypted"),
        ({"public_url": "signin.example.com"}, "is not an https:// address"),
        ({"public_url": ""}, "is not an https:// address"),
        ({"tls_key": None}, "tls_certificate: has no key"),
        ({"tls_certificate": None}, "tls_key: has no certificate"),
        ({"tls_certificate": None, "tls_key": None, "listen": "0.0.0.0:8443"}, "plain HTTP to the network"),
        ({"tls_certificate": None, "tls_key": None, "listen": "[::]:8443"}, "plain HTTP to the network"),
        ({"tls_certificate": None, "tls_key": None, "listen": "192.0.2.1:8443"}, "plain HTTP to the network"),
        ({"tls_certificate": None, "tls_key": None, "listen": "relay.example.com:8443"}, "plain HTTP to the network"),
        ({"tls_certificate": None, "tls_key": None, "listen": "localhost.example.com:8443"}, "plain HTTP to the network"),
        ({"tls_certificate": None, "tls_key": None, "listen": ":8443"}, "plain HTTP to the network"),
        ({"listen": "8443"}, "server.listen: '8443' is not host:port"),
        ({"metrics_listen": "9181"}, "server.metrics_listen: '9181' is not host:port"),
        ({"store_url": "postgres://isthmus@db.example.com/isthmus"}, "postgres is not supported"),
        ({"signin": SignInSettings(colour="red")}, "server.signin.colour: 'red' is not a colour as #rrggbb"),
    ],
)
def test_unsafe_settings_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """Passwords must not travel in the clear, whatever the file says."""
    with pytest.raises(ServerError, match=words):
        check_settings(replace(server_settings(tmp_path), **changes))


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "127.8.9.10:8080", "[::1]:8080", "localhost:8080"])
def test_plain_http_is_for_a_proxy_on_this_machine(tmp_path: Path, listen: str) -> None:
    """Loopback addresses pass."""
    check_settings(replace(server_settings(tmp_path), tls_certificate=None, tls_key=None, listen=listen))


async def test_unsafe_settings_are_refused_before_anything_is_touched(tmp_path: Path) -> None:
    """There is not even a state directory yet."""
    with pytest.raises(ServerError, match="is not encrypted"):
        async with serving(replace(server_settings(tmp_path), public_url="http://127.0.0.1:1")):
            pass
    assert not (tmp_path / "relay").exists()


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("[::1]:8443", ("::1", 8443)),
        ("relay.example.com:443", ("relay.example.com", 443)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),  # noqa: S104 - nothing listens there
        ("host:65535", ("host", 65535)),
        (":80", ("", 80)),
    ],
)
def test_an_address_is_split(address: str, parts: tuple[str, int]) -> None:
    """IPv6 goes in brackets."""
    assert split_address(address) == parts


@pytest.mark.parametrize(
    "address",
    [
        "",
        "host",
        "host:",
        "host:https",
        "host:-1",
        "host:65536",
        "[::1]",
        "host:80 ",
        "8443",
        "::1:80",
        "a b:80",
        "http://host:80",
        "[host:80",
    ],
)
def test_what_is_no_address_is_told_so(address: str) -> None:
    """Quoting it, with the form that is expected."""
    with pytest.raises(Unfit) as refused:
        split_address(address)
    assert refused.value.problem == f"{address!r} is not host:port"


@given(st.text(max_size=40))
def test_any_address_is_split_or_refused(address: str) -> None:
    """Nothing else can come of it."""
    with contextlib.suppress(Unfit):
        _, port = split_address(address)
        assert 0 <= port <= 65535


async def test_a_network_of_proxies_that_is_none_is_told_so(settings: ServerSettings) -> None:
    """As an error of the settings."""
    with pytest.raises(ServerError, match=r"10\.0\.0\.0/99"):
        async with serving(replace(settings, trusted_proxies=("10.0.0.0/99",))):
            pass


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o666])
def test_an_https_key_that_others_can_read_is_refused(settings: ServerSettings, mode: int) -> None:
    """With what to run. A link to it, as ACME clients make them, is followed."""
    assert settings.tls_key is not None
    context = tls_context(settings)
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    link = settings.tls_key.with_name("link.pem")
    link.symlink_to(settings.tls_key)
    settings.tls_key.chmod(mode)
    for path in (settings.tls_key, link):
        with pytest.raises(
            ServerError, match=rf"server\.tls_key: .*is open to other users \(mode {mode:04o}\); run chmod 600"
        ):
            tls_context(replace(settings, tls_key=path))


DAMAGE = {
    "missing": r"server\.tls_key: .*key\.pem cannot be read \(No such file or directory\); correct the path",
    "not PEM": r"server\.tls_key: .*key\.pem contains no private key in PEM format",
    "half": r"server\.tls_key: .*key\.pem and .*cert\.pem cannot be used for HTTPS \(",
    "not its key": r"server\.tls_key: .*key\.pem is not the key of .*cert\.pem",
    "passphrase": r"server\.tls_key: .*key\.pem is protected by a passphrase; .*openssl pkey",
    "no certificate": r"server\.tls_certificate: .*cert\.pem contains no certificate in PEM format",
    "half a certificate": r"server\.tls_certificate: .*cert\.pem contains a damaged certificate",
    "certificate missing": r"server\.tls_certificate: .*cert\.pem cannot be read \(No such file",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_https_files_that_cannot_be_used_are_named(settings: ServerSettings, tmp_path: Path, damage: str) -> None:
    """With what is wrong with which of the two. Nobody is asked for a passphrase."""
    certificate = settings.tls_certificate
    assert certificate is not None
    assert settings.tls_key is not None
    if damage == "missing":
        settings.tls_key.unlink()
    elif damage == "not PEM":
        settings.tls_key.write_text("key")
    elif damage == "half":
        settings.tls_key.write_text("-----BEGIN PRIVATE KEY-----\n")
    elif damage == "passphrase":
        settings.tls_key.write_bytes(encrypted(settings.tls_key.read_bytes()))
    elif damage == "no certificate":
        certificate.write_text("relay.example.com")
    elif damage == "half a certificate":
        certificate.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    elif damage == "certificate missing":
        certificate.unlink()
    else:
        settings.tls_key.write_bytes((server_settings(tmp_path / "other").tls_key or Path()).read_bytes())
    with pytest.raises(ServerError, match=DAMAGE[damage]):
        tls_context(settings)


def encrypted(pem: bytes) -> bytes:
    key = serialization.load_pem_private_key(pem, None)
    cipher = serialization.BestAvailableEncryption(b"sesame")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)
