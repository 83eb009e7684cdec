"""A person with Chromium, who signs in to the sample applications."""

from __future__ import annotations

import contextlib
from types import TracebackType

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Error, Page, sync_playwright

from demo.people import Person

CHROMIUM = "/usr/bin/chromium"
_PATIENCE = 15_000.0
"""Milliseconds for a page."""


class ChromiumUnavailable(Exception):
    """It does not start; the text says why."""


class Browsers:
    """A context manager: Chromium, from which people get profiles of their own. Raises ChromiumUnavailable."""

    def __enter__(self) -> Browsers:
        self._playwright = sync_playwright().start()
        try:
            self._chromium: Chromium = self._playwright.chromium.launch(executable_path=CHROMIUM)
        except Error as error:
            self._playwright.stop()
            raise ChromiumUnavailable(str(error).splitlines()[0]) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._chromium.close()
        self._playwright.stop()

    def new(self) -> Profile:
        """One without cookies."""
        # the certificates of relay and applications are made for this demo
        return Profile(self._chromium.new_context(ignore_https_errors=True))


class Profile:
    """A browser of one person, a context manager."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self._context.set_default_timeout(_PATIENCE)
        self.page: Page = context.new_page()

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._context.close()

    def open(self, url: str) -> None:
        """Go there, and on to wherever it leads."""
        self.page.goto(url, wait_until="load")

    def sign_in(self, person: Person) -> None:
        """Both steps of the relay's page, and on to wherever it leads."""
        self._type("user_name", person.upn)
        self._type("password", person.typed)

    def claims(self, url: str) -> dict[str, str]:
        """What the application at this address shows; empty where the browser is somewhere else."""
        if not self.arrives(url):
            return {}
        cells = self.page.locator("td[data-claim]").all()
        return {cell.get_attribute("data-claim") or "": cell.inner_text() for cell in cells}

    def arrives(self, url: str) -> bool:
        """Whether the browser comes to this address, within its patience."""
        try:
            self.page.wait_for_url(url)
        except Error:
            return False
        return True

    @property
    def asks(self) -> bool:
        """Whether somebody has to sign in here."""
        return self.page.locator("input[name=user_name][type=text], input[type=password]").count() > 0

    @property
    def notes(self) -> str:
        """What the relay's page tells the person, if anything."""
        return " ".join(self.page.locator(".note.bad").all_inner_texts())

    @property
    def departures(self) -> list[str]:
        """What the relay's page says about each application after a sign-out."""
        with contextlib.suppress(Error):  # pages on the way lead the browser to applications that it has to tell
            self.page.locator("a.button[href='/signin']").wait_for()
        entries = self.page.locator("ul.events li")
        return [": ".join(entry.inner_text().split("\n")) for entry in entries.all()]

    @property
    def where(self) -> str:
        """For a table: heading and address."""
        headings = self.page.locator("h1").all_inner_texts()
        return f"{' '.join(headings)} ({self.page.url.partition('?')[0]})"

    def press(self, selector: str) -> None:
        """A link or a button that leads to another page."""
        with self.page.expect_navigation(wait_until="load"):
            self.page.locator(selector).first.click()

    def _type(self, name: str, text: str) -> None:
        self.page.locator(f"input[name={name}]:not([type=hidden])").fill(text)
        self.press("form button:not([type=button]):visible")
