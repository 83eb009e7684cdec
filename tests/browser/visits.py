"""How to come to each page, and a text that it then shows."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from gateway.signin.messages import Message
from tests.support.browser import NEW, RIGHT, WRONG, Window

Visit = Callable[[Window], Coroutine[Any, Any, None]]


async def user(opened: Window) -> None:
    await opened.open("/signin")


async def no_user(opened: Window) -> None:
    await opened.open("/signin")
    await opened.enter("   ")


async def password(opened: Window) -> None:
    await opened.open("/signin")
    await opened.enter(opened.site.person())


async def wrong(opened: Window) -> None:
    await opened.sign_in(opened.site.person(), WRONG)


async def wait(opened: Window) -> None:
    await opened.sign_in(opened.site.person(), WRONG)
    for number in range(4):
        await opened.enter(f"{WRONG}{number}")


async def unavailable(opened: Window) -> None:
    await opened.sign_in(f"{'anna.' * 20}berg@elsewhere.example.com")


async def refused(opened: Window) -> None:
    person = opened.site.person()
    opened.site.people.disabled.add(person)
    await opened.sign_in(person)


async def expired(opened: Window) -> None:
    person = opened.site.person()
    opened.site.people.expired.add(person)
    await opened.sign_in(person)


async def rejected(opened: Window) -> None:
    await expired(opened)
    await opened.choose("short", "short")


async def renewed(opened: Window) -> None:
    await expired(opened)
    await opened.choose(NEW, NEW)


async def account(opened: Window) -> None:
    await opened.sign_in(opened.site.person())


async def busy_account(opened: Window) -> None:
    """Signed in twice, after a mistake."""
    person = opened.site.person()
    await opened.sign_in(person, WRONG)
    await opened.enter(RIGHT)
    await opened.page.context.clear_cookies()
    await opened.sign_in(person)


async def change(opened: Window) -> None:
    await account(opened)
    await opened.open("/account/password")


async def too_young(opened: Window) -> None:
    person = opened.site.person()
    opened.site.people.young.add(person)
    await opened.sign_in(person)
    await opened.open("/account/password")


async def wrong_current(opened: Window) -> None:
    await change(opened)
    await opened.choose(WRONG, NEW, NEW)


async def changed(opened: Window) -> None:
    await change(opened)
    await opened.choose(RIGHT, NEW, NEW)


async def signed_out(opened: Window) -> None:
    await account(opened)
    await opened.submit(".head button")


async def stale(opened: Window) -> None:
    await opened.open("/signin")
    await opened.page.evaluate("document.querySelector('[name=csrf]').value = 'of yesterday'")
    await opened.enter(opened.site.person())


async def no_cookie(opened: Window) -> None:
    await opened.open("/signin")
    await opened.page.context.clear_cookies()
    await opened.enter(opened.site.person())


async def missing(opened: Window) -> None:
    await opened.open("/no-such-page")


PAGES: Final[dict[str, tuple[Visit, str]]] = {
    "user": (user, "Sign in to {name}"),
    "no-user": (no_user, Message.MISSING_USER),
    "password": (password, "Password"),
    "wrong": (wrong, Message.WRONG),
    "wait": (wait, Message.WAIT),
    "unavailable": (unavailable, Message.UNAVAILABLE),
    "refused": (refused, Message.DISABLED),
    "expired": (expired, Message.EXPIRED),
    "rejected": (rejected, Message.REJECTED),
    "renewed": (renewed, Message.CHANGED),
    "account": (busy_account, "Where you are signed in"),
    "change": (change, "Change password"),
    "too-young": (too_young, Message.TOO_RECENT),
    "wrong-current": (wrong_current, Message.WRONG_CURRENT),
    "changed": (changed, Message.CHANGED),
    "signed-out": (signed_out, Message.SIGNED_OUT),
    "stale": (stale, Message.STALE),
    "no-cookie": (no_cookie, Message.NO_COOKIE),
    "missing": (missing, Message.NOT_FOUND),
}
