"""What `agent check` believes on the connection of its own: no less than a sign-in does."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from demo.throwaway_tls import write_certificates
from directory import DirectorySettings, TlsSettings
from directory.inspection import inspect
from directory.ldap import Controllers


@pytest.mark.parametrize("with_authority", [False, True])
async def test_a_pinned_certificate_is_asked_for_again_before_the_password_goes_out(
    tmp_path: Path, with_authority: bool
) -> None:
    """Somebody in between lets the first connection through, and answers the second one."""
    contexts = []
    for home in (tmp_path / "real", tmp_path / "between"):
        write_certificates(home, dns_name="dc1.example.com", address="127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(home / "cert.pem", home / "key.pem")
        contexts.append(context)
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for context in contexts:
            accepted, _ = listener.accept()
            accepted.settimeout(5)
            with contextlib.suppress(OSError), context.wrap_socket(accepted, server_side=True) as secured:
                heard.append(secured.recv(4096))

    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("hunter2")
    der = ssl.PEM_cert_to_DER_cert((tmp_path / "real" / "cert.pem").read_text())
    authority = tmp_path / "ca.pem"
    authority.write_bytes(b"".join((home / "ca.pem").read_bytes() for home in (tmp_path / "real", tmp_path / "between")))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        settings = DirectorySettings(
            name="d1",
            kind="ldap",
            base_dn="DC=x",
            servers=(f"127.0.0.1:{listener.getsockname()[1]}",),
            service_user="cn=agent",
            service_password_file=password,
            tls=TlsSettings(pinned_sha256=(hashlib.sha256(der).hexdigest(),), ca_file=authority if with_authority else None),
        )
        controllers = Controllers(settings, settings.servers, time.time)
        _, refused = await inspect(settings, controllers)
        await controllers.close()
        thread.join(5)
    assert refused.status == "fail"
    assert "does not list" in refused.seen
    assert all(b"hunter2" not in said for said in heard)
