"""One sign-in at a relay's page, as a browser without scripts does it: through the relay, an agent and a domain controller.

Forms are followed as they come, by the names of their fields, so that the page can be of another version. The session ends
immediately afterwards.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import aiohttp

from findings import Finding, failed, passed, plain_reason
from gateway.agent import Route

TIMEOUT = 30.0
"""Seconds for one page: a refusal is answered late on purpose."""
_LARGEST = 1024 * 1024
_MOST_FORMS = 4
_SIGNED_IN = "/account"
_USER, _PASSWORD, _NEW_PASSWORD = "user_name", "password", "new_password"


@dataclass(slots=True)
class PageForm:
    """A form that a page shows: where it goes, and its fields with their values."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ShownPage:
    """What a browser has in front of it."""

    url: str
    status: int
    forms: list[PageForm]
    alert: str
    """What it tells the user of a failure."""

    def form_with(self, name: str) -> PageForm | None:
        """The first form that has such a field."""
        return next((form for form in self.forms if name in form.fields), None)


async def sign_in_at_page(route: Route, user: str, password: str) -> Finding:
    """Sign in, and out again; never raises for what comes of it."""
    check, started = f"sign-in of {user} at the page", time.monotonic()
    jar = aiohttp.CookieJar(unsafe=True)  # an address without a name has cookies too
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=jar, trust_env=route.proxy is True) as session:
            browser = _Browser(session, route)
            page = await browser.fill_in(user, password)
            milliseconds = (time.monotonic() - started) * 1000
            if urlsplit(page.url).path == _SIGNED_IN and page.status == 200:
                await browser.sign_out(page)
                return passed(check, route.relay, f"signed in after {milliseconds:.0f} ms, and out again")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return failed(check, route.relay, plain_reason(error), "See the lines above about the path to the relay.")
    if page.form_with(_NEW_PASSWORD):
        return passed(
            check, route.relay, f"the page asks for a new password after {milliseconds:.0f} ms: the old one has expired"
        )
    seen = f"HTTP {page.status}: {page.alert or 'an unexpected page'}"
    return failed(check, route.relay, seen, "With its reference, on the relay: isthmus relay explain REFERENCE")


class _Browser:
    def __init__(self, session: aiohttp.ClientSession, route: Route) -> None:
        self._session, self._route = session, route

    async def fill_in(self, user: str, password: str) -> ShownPage:
        """Through the forms until one asks for something else; the password is sent once."""
        page = await self._open(f"{self._route.relay}/signin")
        for _ in range(_MOST_FORMS):
            form = page.form_with(_PASSWORD) or page.form_with(_USER)
            if form is None or _NEW_PASSWORD in form.fields:
                break
            values = {**form.fields, _USER: user}
            if _PASSWORD in values:
                values[_PASSWORD] = password
            page = await self._open(form.action, values)
            if _PASSWORD in values:
                break
        return page

    async def sign_out(self, page: ShownPage) -> None:
        """By its form, if there is one."""
        for form in page.forms:
            if urlsplit(form.action).path == "/signout":
                await self._open(form.action, form.fields)
                return

    async def _open(self, url: str, fields: dict[str, str] | None = None) -> ShownPage:
        """Only at this relay: a password goes nowhere else. Raises ValueError."""
        relay = self._route.relay
        if urlsplit(url)[:2] != urlsplit(relay)[:2]:
            raise ValueError(f"the page leads to another server, {urlsplit(url).hostname}")
        async with self._session.request(
            "GET" if fields is None else "POST",
            url,
            data=fields,
            headers={"Origin": relay, "Sec-Fetch-Site": "same-origin"} if fields is not None else {},
            ssl=self._route.tls,
            proxy=self._route.proxy if isinstance(self._route.proxy, str) else None,
        ) as response:
            text = (await response.content.read(_LARGEST)).decode(errors="replace")
            return read_page(str(response.url), response.status, text)


def read_page(url: str, status: int, text: str) -> ShownPage:
    """Its forms with absolute addresses, and what stands in `role="alert"`."""
    reader = _Reader(url)
    reader.feed(text)
    reader.close()
    return ShownPage(url, status, reader.forms, " ".join("".join(reader.alert).split()))


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.forms: list[PageForm] = []
        self.alert: list[str] = []
        self._inside = False
        self._alert_tag, self._depth = "", 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(PageForm(urljoin(self._url, given.get("action", ""))))
            self._inside = True
        elif tag == "input" and self._inside and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        if self._depth:
            self._depth += tag == self._alert_tag
            self.alert.append(" ")
        elif given.get("role") == "alert":
            self._alert_tag, self._depth = tag, 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        if self._depth and tag == self._alert_tag:
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.alert.append(data)
