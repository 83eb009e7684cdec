"""A host that answers with XML that nobody should parse."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from adfs_mgmt.remoting import HostUnreachable, RemotingSettings, WinRm, make_command
from tests.adfs.remoting.conftest import HOSTS, Pki

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<!DOCTYPE l [<!ENTITY l0 "ha">{LAUGHS}]><l>&l9;</l>'.encode()


@contextmanager
def answering(status: int, body: bytes, pki: Pki) -> Iterator[int]:
    """A web server that answers every request alike; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = pki.context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(
    "body", [BOMB, b"<a>" * 50_000, b"<a/>" + b" " * 5 * 1024 * 1024], ids=["billion laughs", "deep", "long"]
)
async def test_it_is_not_parsed(pki: Pki, status: int, body: bytes) -> None:
    """Neither an answer nor a fault: the host is as good as out of reach, and the error says why."""
    with answering(status, body, pki) as port:
        winrm = WinRm(
            RemotingSettings(
                auth="certificate",
                certificate_file=pki.client_file,
                key_file=pki.client_key,
                port=port,
                tls_ca_file=pki.ca_file,
            )
        )
        try:
            with pytest.raises(HostUnreachable, match=r"the host's answer: |HTTP 500"):
                await winrm.run(f"{HOSTS[0]}=127.0.0.1", make_command("Get-Date"))
        finally:
            await winrm.close()
