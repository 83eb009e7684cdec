"""Names, settings and servers that cannot be used for a certificate: refused before anything is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from certs import CertsError
from certs.acme import AcmeError, AcmeRefused, AcmeSettings, AcmeUnreachable, obtain

HTTP = AcmeSettings(directory="http://127.0.0.1:1/dir", challenge="http-01", agree_terms=True)
DNS = dataclasses.replace(HTTP, challenge="dns-01", hook=Path("/bin/true"))


@pytest.fixture
async def nonsense() -> AsyncIterator[str]:
    """URL of a server that answers with anything but ACME."""
    answers = {"text": "hello", "list": "[]", "empty": "{}", "strange": '{"newNonce": 7, "meta": []}'}

    async def answer(request: web.Request) -> web.Response:
        text = answers.get(request.match_info["what"])
        return web.Response(status=404) if text is None else web.Response(text=text, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{what}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("names", "settings", "said"),
    [
        ([], HTTP, "at least one name"),
        (["fs"], HTTP, "'fs' is not a DNS name"),
        (["fs.exämple.com"], HTTP, "punycode"),
        (["fs.example.com\n"], HTTP, "is not a DNS name"),
        (["-fs.example.com"], HTTP, "is not a DNS name"),
        (["*.example.com"], HTTP, "is a wildcard: that needs challenge = 'dns-01'"),
        (["a.*.example.com"], DNS, "is not a DNS name"),
        (["fs.example.com"], dataclasses.replace(DNS, hook=None), "set `hook`"),
        (["fs.example.com"], dataclasses.replace(DNS, key_bits=1024), "choose 2048, 3072 or 4096"),
    ],
)
async def test_what_cannot_work_is_refused(names: list[str], settings: AcmeSettings, said: str, tmp_path: Path) -> None:
    """Without a connection: nobody listens there."""
    with pytest.raises(AcmeError, match=said) as refused:
        await obtain(names, settings, tmp_path)
    assert not isinstance(refused.value, AcmeUnreachable)


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """Its address and the system's reason."""
    with pytest.raises(AcmeUnreachable, match=r"127\.0\.0\.1:1/dir: cannot be reached: .*refused"):
        await obtain(["fs.example.com"], HTTP, tmp_path)


@pytest.mark.parametrize("path", ["text", "list", "empty", "strange", "missing"])
async def test_a_server_that_is_no_acme_server(nonsense: str, path: str, tmp_path: Path) -> None:
    """Whatever it answers is an error with its address, never an exception of the library."""
    with pytest.raises(AcmeRefused, match=f"{path}: "):
        await obtain(["fs.example.com"], dataclasses.replace(HTTP, directory=f"{nonsense}/{path}"), tmp_path)


@pytest.mark.parametrize(("content", "mode"), [(b"not a key", 0o600), (b"", 0o644)])
async def test_an_account_key_that_cannot_be_used(content: bytes, mode: int, tmp_path: Path) -> None:
    """Damaged, or open to others: it is named, and never replaced silently."""
    with pytest.raises(AcmeUnreachable):
        await obtain(["fs.example.com"], HTTP, tmp_path)
    (key,) = (tmp_path / "acme").glob("*.pem")
    key.write_bytes(content)
    key.chmod(mode)
    with pytest.raises((AcmeError, CertsError), match=str(key)):
        await obtain(["fs.example.com"], HTTP, tmp_path)
    assert key.read_bytes() == content


async def test_a_ca_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named."""
    settings = dataclasses.replace(HTTP, directory="https://127.0.0.1:1/dir", tls_ca_file=tmp_path / "none.pem")
    with pytest.raises(AcmeUnreachable, match=r"none\.pem"):
        await obtain(["fs.example.com"], settings, tmp_path)
