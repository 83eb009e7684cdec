"""What people do with the two sample applications, and whether it was as it should be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from playwright.sync_api import Error

from demo.apache import SampleApplications
from demo.chromium import Browsers, Profile
from demo.people import Person
from demo.rollover import RINGS, SigningKeyRollover
from demo.stand import Stand

_ROLLOVER = 100.0
"""Seconds until the keys have to be replaced."""
_PAUSE = 1.0
"""Seconds between two rounds of sign-ins."""


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One thing that was done."""

    what: str
    expected: str
    got: str

    @property
    def as_expected(self) -> bool:
        """It came out as it should."""
        return self.got == self.expected


class Visits:
    """Drives both applications; `rows` is what came of it."""

    def __init__(self, stand: Stand, samples: SampleApplications, browsers: Browsers, people: dict[str, Person]) -> None:
        self._stand, self._samples, self._browsers, self._people = stand, samples, browsers, people
        self.rows: list[VisitRow] = []

    def run(self) -> None:
        """All of it. Raises StandFailed."""
        anna = self._people["anna"]
        with self._browsers.new() as browser:
            self._row("Anna signs in to Notes", _told(anna), lambda: self._notes(browser, anna))
            self._row("… and opens Wiki, where nobody asks", _told(anna), lambda: self._wiki(browser))
            self._others()
            self._replace_keys()
            self._row("Anna still has Notes open", _told(anna), lambda: self._notes(browser))
            self._row("… and Wiki", _told(anna), lambda: self._wiki(browser))
        with self._browsers.new() as browser:
            self._sign_out(browser)

    def _others(self) -> None:
        zoe, emma = self._people["zoe"], self._people["emma"]
        with self._browsers.new() as browser:
            self._row("Zoë signs in to Wiki", _told(zoe), lambda: self._wiki(browser, zoe))
            self._row("… and opens Notes, where nobody asks", _told(zoe), lambda: self._notes(browser))
        with self._browsers.new() as browser:
            self._row("Emma, whose account is disabled, at Notes", "told: disabled", lambda: self._refused(browser, emma))

    # -- the applications

    def _notes(self, browser: Profile, person: Person | None = None) -> str:
        told = self._visit(browser, self._samples.notes, person)
        return _shown(told, "preferred_username", "name", told.get("groups", ""))

    def _wiki(self, browser: Profile, person: Person | None = None) -> str:
        told = self._visit(browser, self._samples.wiki, person)
        return _shown(told, "uid", "displayName", told.get("groups", ""))

    def _visit(self, browser: Profile, url: str, person: Person | None) -> dict[str, str]:
        browser.open(url)
        if person is not None:
            browser.sign_in(person)
        return browser.claims(url)

    def _refused(self, browser: Profile, person: Person) -> str:
        browser.open(self._samples.notes)
        browser.sign_in(person)
        return "told: disabled" if "account is disabled" in browser.notes else browser.where

    # -- the keys

    def _replace_keys(self) -> None:
        rollover = SigningKeyRollover(self._stand)
        shown = {ring: rollover.shown(ring) for ring in RINGS}
        rollover.order()
        good, failed, most = {"Notes": 0, "Wiki": 0}, {"Notes": "", "Wiki": ""}, dict(shown)
        deadline = time.monotonic() + _ROLLOVER
        while time.monotonic() < deadline:
            for name, visit in (("Notes", self._notes), ("Wiki", self._wiki)):
                got = self._fresh(visit)
                good[name] += got == _told(self._people["anna"])
                failed[name] = failed[name] or ("" if got == _told(self._people["anna"]) else got)
            most = {ring: max(most[ring], rollover.shown(ring)) for ring in RINGS}
            now = rollover.rings()
            if all(rollover.replaced(ring, now[ring]) for ring in RINGS):
                break
            time.sleep(_PAUSE)
        for ring in RINGS:
            state = rollover.rings()[ring]
            was, is_ = shown[ring], rollover.shown(ring)
            self.rows.append(
                VisitRow(
                    f"The keys of ring {ring} are replaced",
                    f"{was} shown, {2 * was} meanwhile, {was} new ones",
                    f"{was} shown, {most[ring]} meanwhile, {is_} new ones"
                    if rollover.replaced(ring, state)
                    else state.standing or "not replaced",
                )
            )
        for name, count in good.items():
            self.rows.append(VisitRow(f"Sign-ins to {name} meanwhile: {count}", "all good", failed[name] or "all good"))

    def _fresh(self, visit: Callable[[Profile, Person], str]) -> str:
        with self._browsers.new() as browser:
            try:
                return visit(browser, self._people["anna"])
            except Error as error:
                return str(error).splitlines()[0]

    # -- the end

    def _sign_out(self, browser: Profile) -> None:
        back = "back at the applications"
        self._sign_in_to_both(browser)
        self._row("Anna signs out of Notes", back, lambda: self._left(browser, self._samples.notes))
        self._asked_anew(browser)
        self._sign_in_to_both(browser)
        self._row("Anna signs out of Wiki", back, lambda: self._left(browser, self._samples.wiki))
        self._asked_anew(browser)
        self._sign_in_to_both(browser)
        told = "Notes: signed out, Wiki: signed out"
        self._row("Anna signs out at the relay", told, lambda: self._left_relay(browser))
        self._asked_anew(browser)

    def _sign_in_to_both(self, browser: Profile) -> None:
        anna = self._people["anna"]
        self._row("Anna signs in to Notes anew", _told(anna), lambda: self._notes(browser, anna))
        self._row("… and opens Wiki", _told(anna), lambda: self._wiki(browser))

    def _left(self, browser: Profile, url: str) -> str:
        browser.open(url)
        browser.press("#sign-out")
        return "back at the applications" if browser.arrives(f"{self._samples.url}/") else browser.where

    def _left_relay(self, browser: Profile) -> str:
        browser.open(f"{self._stand.url}/account")
        browser.press("form[action='/signout'] button")
        return ", ".join(sorted(browser.departures)) or browser.where

    def _asked_anew(self, browser: Profile) -> None:
        for name, url in (("Notes", self._samples.notes), ("Wiki", self._samples.wiki)):
            self._row(f"… and {name} asks anew", "asked to sign in", partial(self._asked, browser, url))

    def _asked(self, browser: Profile, url: str) -> str:
        browser.open(url)
        return "asked to sign in" if browser.asks else browser.where

    def _row(self, what: str, expected: str, do: Callable[[], str]) -> None:
        try:
            got = do()
        except Error as error:
            got = str(error).splitlines()[0]
        self.rows.append(VisitRow(what, expected, got))


def _told(person: Person) -> str:
    """What an application shows of somebody, in a few words; groups are checked by their names."""
    return f"{person.display_name} ({person.upn}): {', '.join(person.groups)}"


def _shown(told: dict[str, str], user: str, name: str, groups: str) -> str:
    if not told:
        return "not signed in"
    direct = [group for group in groups.split(", ") if group in {"Engineering", "Printers"}]
    return f"{told.get(name, '')} ({told.get(user, '')}): {', '.join(sorted(direct))}"
