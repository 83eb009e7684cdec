"""A browser without JavaScript that goes from site to site: it keeps cookies by host, follows redirects, and presses the one
button of a page that only posts a form.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

_MOST = 20
"""Redirects in a row."""


class Forms(HTMLParser):
    """The forms of a page, with their fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, str, dict[str, str]]] = []
        """Method, action, fields."""
        self.refresh = ""
        """Where the page leads by itself."""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "meta" and values.get("http-equiv") == "refresh":
            self.refresh = values["content"].partition("url=")[2]
        if tag == "form":
            self.forms.append((values.get("method", "get").lower(), values.get("action", ""), {}))
        if tag in {"input", "button"} and self.forms and values.get("name"):
            self.forms[-1][2][values["name"]] = values.get("value", "")


@dataclass
class Page:
    """Where the browser is."""

    url: str
    status: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    visited: tuple[str, ...] = ()
    """The addresses on the way."""
    posted: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What it would have posted to an address that it does not open."""

    def form(self, having: str) -> tuple[str, dict[str, str]]:
        """Address and fields of the form with that field."""
        for _, action, fields in Forms(self.text).forms:
            if having in fields:
                return urljoin(self.url, action), fields
        raise AssertionError(f"no form with {having} on {self.url} ({self.status}): {self.text[:3000]}")


class Visitor:
    """Async context manager. ca_files: whose certificates the browser trusts. stop_at: addresses that it does not open."""

    def __init__(self, *ca_files: Path, stop_at: str | tuple[str, ...] = "") -> None:
        trust = ssl.create_default_context()
        for path in ca_files:
            trust.load_verify_locations(path)
        self._trust, self._stop_at = trust, stop_at

    async def __aenter__(self) -> Visitor:
        connector = aiohttp.TCPConnector(ssl=self._trust)
        self._client = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def open(self, url: str, data: Mapping[str, str] | None = None) -> Page:
        """Go there, and on to wherever it leads."""
        visited: list[str] = []
        origin = ""
        for _ in range(_MOST):
            visited.append(url)
            if self._stop_at and url.startswith(self._stop_at):
                return Page(url, 0, "", {}, tuple(visited), data or {})
            headers = {"Origin": origin} if data is not None and origin else {}
            method = "GET" if data is None else "POST"
            target = URL(url, encoded=True)
            async with self._client.request(method, target, data=data, headers=headers, allow_redirects=False) as answer:
                page = Page(url, answer.status, await answer.text(), dict(answer.headers), tuple(visited))
            if page.status in {301, 302, 303, 307, 308}:
                data = data if page.status in {307, 308} else None
                url = urljoin(url, page.headers["Location"])
                continue
            found = Forms(page.text)
            if found.refresh:
                url, data = urljoin(url, found.refresh), None
                continue
            posted = [form for form in found.forms if {"SAMLResponse", "SAMLRequest", "code"} & set(form[2])]
            if not posted:
                return page
            _, action, fields = posted[0]
            origin = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
            url, data = urljoin(url, action), fields
        raise AssertionError(f"it goes on and on: {visited}")

    async def sign_in(self, page: Page, user_name: str, password: str) -> Page:
        """Both steps of the relay's page, and on to wherever it leads."""
        action, fields = page.form("user_name")
        page = await self.open(action, {**fields, "user_name": user_name})
        action, fields = page.form("password")
        return await self.open(action, {**fields, "password": password})
