"""Signs people in through the real page, as a browser without JavaScript would."""

from __future__ import annotations

import re
import ssl
import urllib.parse
import urllib.request
from dataclasses import dataclass
from html import unescape
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows."""

    status: int
    path: str
    text: str

    @property
    def notes(self) -> str:
        """What the page tells the person, if anything."""
        found = re.search(r'class="note bad"[^>]*>(.*?)</div>', self.text, re.DOTALL)
        return unescape(re.sub(r"<[^>]+>", " ", found.group(1))).strip() if found else ""

    def field(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        return unescape(found.group(1)) if found else ""


class Browser:
    """Keeps cookies and follows redirects."""

    def __init__(self, origin: str, tls: ssl.SSLContext) -> None:
        self._origin = origin
        self.cookies = CookieJar(DefaultCookiePolicy(secure_protocols=("https",)))
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=tls),
            urllib.request.HTTPCookieProcessor(self.cookies),
            _Quiet(),
        )

    def get(self, path: str) -> Page:
        """Open a page."""
        return self._fetch(urllib.request.Request(self._origin + path))  # noqa: S310 - our own relay

    def post(self, path: str, **fields: str) -> Page:
        """Submit a form."""
        body = urllib.parse.urlencode(fields).encode()
        headers = {"Origin": self._origin, "Sec-Fetch-Site": "same-origin"}
        return self._fetch(urllib.request.Request(self._origin + path, data=body, headers=headers))  # noqa: S310

    def sign_in(self, user_name: str, password: str) -> Page:
        """Both steps of the sign-in."""
        page = self.get("/signin")
        page = self.post("/signin", csrf=page.field("csrf"), step="user", user_name=user_name)
        return self.post("/signin", csrf=page.field("csrf"), step="password", user_name=user_name, password=password)

    def cookie(self, name: str) -> Cookie | None:
        """A cookie by its name."""
        return next((cookie for cookie in self.cookies if cookie.name == name), None)

    def _fetch(self, request: urllib.request.Request) -> Page:
        with self._opener.open(request, timeout=30) as response:
            path = urllib.parse.urlsplit(response.url).path
            return Page(response.status, path, response.read().decode())


class _Quiet(urllib.request.HTTPErrorProcessor):
    """An error status is a page too; redirects are still followed."""

    def http_response(self, request: urllib.request.Request, response):  # type: ignore[no-untyped-def]
        if 300 <= response.status < 400:
            return super().http_response(request, response)
        return response

    https_response = http_response
