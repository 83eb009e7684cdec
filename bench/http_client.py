"""A client that costs little: HTTP/1.1 over one kept TLS connection, answers with a length. For load alone."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back."""

    status: int
    headers: dict[bytes, bytes]
    """Names in lower case; of several with one name the last."""
    cookies: tuple[bytes, ...]
    body: bytes

    @property
    def location(self) -> str:
        """Where it leads to."""
        return self.headers.get(b"location", b"").decode()


class KeptConnection:
    """Async context manager; one request at a time."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._tls = parts.hostname or "", parts.port or 443, tls
        self._authority = parts.netloc

    async def __aenter__(self) -> KeptConnection:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def get(self, path: str, **headers: str) -> HttpAnswer:
        """GET; names of headers with underscores for dashes."""
        return await self._ask(f"GET {path} HTTP/1.1\r\n", headers, b"")

    async def post(self, path: str, form: str, **headers: str) -> HttpAnswer:
        """POST a form that is encoded already."""
        body = form.encode()
        headers = {"Content_Type": "application/x-www-form-urlencoded", "Content_Length": str(len(body)), **headers}
        return await self._ask(f"POST {path} HTTP/1.1\r\n", headers, body)

    async def _ask(self, line: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        sent = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self._writer.write(f"{line}Host: {self._authority}\r\n{sent}\r\n".encode() + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        first, *rest = head[:-4].split(b"\r\n")
        found: dict[bytes, bytes] = {}
        cookies = []
        for header in rest:
            name, _, value = header.partition(b":")
            name, value = name.lower(), value.strip()
            if name == b"set-cookie":
                cookies.append(value.partition(b";")[0])
            found[name] = value
        status, length = int(first[9:12]), int(found.get(b"content-length", b"0"))
        return HttpAnswer(status, found, tuple(cookies), await self._reader.readexactly(length) if length else b"")
