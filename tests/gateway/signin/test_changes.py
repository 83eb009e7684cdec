"""A new password, before anybody is signed in and on the account page: what is asked for, what is kept, what is told."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from msgspec.structs import replace

from gateway.protocol import Identity, NewPasswordRules, Outcome
from gateway.relay.credentials.attempt import Verdict
from gateway.signin.steps import KeptPasswords, SignInStep
from tests.gateway.signin.site import ANNA, FORM, NEW, RIGHT, SESSION, Shown, Site
from tests.support.fakes import identity_of

EXPIRED = Verdict(outcome=Outcome.PASSWORD_EXPIRED, password_proven=True)
TYPED = {"new_password": NEW, "again": NEW}
BEN = "ben@corp.example.com"


async def expired(site: Site, verdict: Verdict = EXPIRED, **fields: str) -> Shown:
    """The form for a new password, in front of the sign-in."""
    site.authenticator.next = verdict
    return await site.sign_in(**fields)


# -- in front of the sign-in


async def test_an_expired_password_is_changed_and_the_person_is_in(site: Site) -> None:
    """What was just typed is not asked for again; every older session ends, in other browsers too."""
    await site.sign_in()
    old = site.cookies.pop(SESSION)
    shown = await expired(site, return_to="/app")
    assert (shown.path, shown.asks_for()) == ("/signin/new-password?return_to=/app", ["new_password", "again"])
    assert (shown.error, shown.info) == ("", "Your password has expired. Choose a new one to continue.")
    assert ANNA in shown.page
    assert "Use another account" in shown.page
    done = await site.choose(shown, **TYPED)
    assert (done.path, done.title) == ("/signin/changed?return_to=/app", "Your password was changed. \N{EN DASH} Isthmus")
    assert "your phone" in done.page
    assert 'href="/app"' in done.page
    assert [attempt.password for attempt in site.authenticator.attempts[-2:]] == [RIGHT, NEW]
    site.cookies[SESSION] = old
    assert (await site.get("/account"))[0] == 303


async def test_the_persons_rules_are_told_before_anything_is_typed(site: Site) -> None:
    """And again after a mistake."""
    rules = NewPasswordRules(least_characters=14, kinds=3, history=24)
    shown = await expired(site, replace(EXPIRED, new_password=rules))
    for _ in range(2):
        for rule in ("At least 14 characters", "At least 3 of these", "No part of your name", "your last 24 passwords"):
            assert rule in shown.page
        assert 'aria-describedby="rules"' in shown.page or 'aria-describedby="error rules"' in shown.page
        shown = await site.choose(shown, new_password="a", again="b")
    assert "Rules for" not in (await expired(site)).page
    one = replace(EXPIRED, new_password=NewPasswordRules(least_characters=1, history=1))
    page = (await expired(site, one)).page
    assert "At least 1 character<" in page
    assert "Different from your last password<" in page
    assert "of these" not in page
    none = replace(EXPIRED, new_password=NewPasswordRules())
    assert 'id="rules"' not in (await expired(site, none)).page


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"new_password": NEW, "again": "b"}, "don't match"),
        ({"new_password": "", "again": ""}, "Enter a new password."),
        ({"new_password": "x" * 1025, "again": "x" * 1025}, "too long"),
        ({"new_password": "a\0b", "again": "a\0b"}, "aren't allowed"),
        ({"new_password": "short", "again": "short"}, "This new password isn't allowed"),
    ],
)
async def test_a_slip_asks_for_the_new_one_alone(site: Site, typed: dict[str, str], words: str) -> None:
    """The field that is wrong says so, and is described by what is wrong."""
    shown = await site.choose(await expired(site), **typed)
    assert words in shown.error
    assert (shown.asks_for(), shown.title) == (["new_password", "again"], "Error: Choose a new password \N{EN DASH} Isthmus")
    assert 'autofocus aria-invalid="true" aria-describedby="error"' in shown.page
    assert (await site.choose(shown, **TYPED)).path == "/signin/changed"


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        ("min_length", 12, "at least 12 characters"),
        ("min_length", 0, "This new password is too short."),
        ("complexity", 3, "at least 3 of these"),
        ("complexity", 0, "too simple. Choose a longer one"),
        ("history", 24, "used this password before"),
        ("something new", 5, "too short, too simple, or one that you used before"),
        ("", 0, "too short, too simple, or one that you used before"),
    ],
)
async def test_which_rule_refused_a_new_password_is_told(site: Site, rule: str, value: int, words: str) -> None:
    """To who knows the old one alone; the old one is not asked for again."""
    await site.sign_in()
    refused = Verdict(outcome=Outcome.PASSWORD_REJECTED, password_proven=True, rule=rule, rule_value=value)
    site.authenticator.next = refused
    shown = await site.choose(await site.open("/account/password"), password=RIGHT, **TYPED)
    assert words in shown.error
    assert shown.asks_for() == ["new_password", "again"]
    site.authenticator.next = replace(refused, password_proven=False)
    shown = await site.choose(await site.open("/account/password"), password=RIGHT, **TYPED)
    assert words not in shown.error
    assert "Incorrect current password" in shown.error


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        ("min_age", 72_000, "change it again in 20 hours"),
        ("min_age", 0, "can't change it again yet"),
        ("not_permitted", 0, "allowed to change it yourself"),
    ],
)
async def test_where_no_new_password_would_do_none_is_asked_for(site: Site, rule: str, value: int, words: str) -> None:
    """In front of the sign-in and on the account page; there is a way back."""
    refused = Verdict(outcome=Outcome.PASSWORD_REJECTED, password_proven=True, rule=rule, rule_value=value)
    shown = await expired(site)
    site.authenticator.next = refused
    shown = await site.choose(shown, **TYPED)
    assert (shown.path, shown.asks_for(), words in shown.error) == ("/signin/refused", [], True)
    await site.sign_in()
    shown = await site.open("/account/password")
    site.authenticator.next = refused
    shown = await site.choose(shown, password=RIGHT, **TYPED)
    assert (shown.path, shown.asks_for(), words in shown.error) == ("/account/password", [], True)
    assert 'href="/account"' in shown.page


@pytest.mark.parametrize("verdict", [Verdict(outcome=Outcome.NO_DIRECTORY), Verdict(outcome=None, retry_after=9.0)])
async def test_after_an_outage_nothing_is_typed_again(site: Site, verdict: Verdict) -> None:
    """Neither the old password nor the new one was at fault."""
    shown = await expired(site)
    site.authenticator.next = verdict
    shown = await site.choose(shown, **TYPED)
    assert (shown.path, shown.asks_for()) == ("/signin/new-password", [])
    assert "Try again in" in shown.error
    assert "don't have to enter your new password again" in shown.page
    assert (await site.choose(shown)).path == "/signin/changed"
    assert site.authenticator.people[ANNA] == NEW


async def test_an_old_password_that_has_become_wrong_is_asked_for_again(site: Site) -> None:
    """Somebody has reset it meanwhile; the new one is kept."""
    shown = await expired(site)
    site.authenticator.people[ANNA] = "Reset-by-the-help-desk-1"
    shown = await site.choose(shown, **TYPED)
    assert (shown.path, shown.asks_for()) == ("/signin/new-password", ["password"])
    assert "Incorrect user name or password" in shown.error
    assert (await site.choose(shown, password="Reset-by-the-help-desk-1")).path == "/signin/changed"


async def test_a_change_after_which_nobody_can_look_is_told_as_done(site: Site) -> None:
    """The password is the new one, and typed once more."""
    shown = await expired(site)
    site.authenticator.after_change = Verdict(outcome=Outcome.NO_AGENT)
    shown = await site.choose(shown, **TYPED)
    assert (shown.path, "Your password was changed." in shown.page) == ("/signin/password", True)
    assert "couldn't check" in shown.error
    assert (await site.sign_in(NEW)).path == "/account"


async def test_passwords_too_long_for_a_cookie_are_asked_for_again(site: Site) -> None:
    """It is rare, and works; nothing of them is cut."""
    long, longer = "\N{GRINNING FACE}" * 250, "\N{SMILING FACE WITH OPEN MOUTH}" * 400
    site.authenticator.people[ANNA] = long
    site.authenticator.next = EXPIRED
    shown = await site.sign_in(long)
    assert shown.asks_for() == ["new_password", "again"]
    site.authenticator.next = Verdict(outcome=Outcome.NO_AGENT)
    shown = await site.choose(shown, new_password=longer, again=longer)
    assert shown.asks_for() == ["new_password", "again"]
    assert (await site.choose(shown, new_password=longer, again=longer)).path == "/signin/changed"
    site.authenticator.next = EXPIRED
    shown = await site.sign_in(longer)
    assert shown.asks_for() == ["password", "new_password", "again"]
    assert (await site.choose(shown, password=longer, **TYPED)).path == "/signin/changed"


async def test_an_unproven_expiry_offers_no_change(site: Site) -> None:
    """A stranger must not learn that the account exists."""
    shown = await expired(site, Verdict(outcome=Outcome.PASSWORD_EXPIRED))
    assert (shown.path, shown.asks_for()) == ("/signin/password", ["password"])
    assert "Incorrect" in shown.error


@pytest.mark.parametrize(
    "kept", ["none", "another's", "old", "other browser", "garbled", "of a step", "of the account page"]
)
async def test_a_stranger_cannot_send_the_form_of_an_expired_password(site: Site, kept: str) -> None:
    """Only who was told that the password has to be changed is asked for a new one: nobody is asked otherwise."""
    shown = await expired(site)
    sealed, user_name = shown.field("kept"), ANNA
    if kept == "none":
        sealed = ""
    elif kept == "another's":
        user_name = BEN
    elif kept == "old":
        site.now += 601
    elif kept == "other browser":
        site.cookies[FORM] = "another browser's"
        site.cookies.pop(FORM)
    elif kept == "garbled":
        sealed = ("B" if sealed[0] == "A" else "A") + sealed[1:]
    elif kept == "of a step":
        sealed = site.cookies["__Host-isthmus-step"]
    else:
        await site.sign_in()
        site.authenticator.next = Verdict(outcome=Outcome.PASSWORD_REJECTED, password_proven=True)
        sealed = (await site.choose(await site.open("/account/password"), password=RIGHT, **TYPED)).field("kept")
        site.cookies.pop(SESSION)
    asked = len(site.authenticator.attempts)
    shown = await site.submit("/signin", step="change", user_name=user_name, password=RIGHT, kept=sealed, **TYPED)
    assert (shown.path, shown.asks_for()) == ("/signin/password", ["password"])
    assert "open for too long" in shown.error
    assert len(site.authenticator.attempts) == asked


async def test_what_is_kept_holds_for_ten_minutes_in_all(site: Site) -> None:
    """A reload makes it no younger."""
    shown = await expired(site)
    site.now += 590
    shown = await site.open(shown.path)
    site.now += 11
    assert "open for too long" in (await site.choose(shown, **TYPED)).error


def test_what_is_kept_is_not_shown_where_it_is_printed() -> None:
    """Neither in a log nor in a traceback."""
    kept = KeptPasswords(user_name=ANNA, old=RIGHT, new=NEW)
    shown = repr(SignInStep(page="/", kept=kept)) + str(kept) + str(list(kept.__rich_repr__()))
    assert ANNA in shown
    assert RIGHT not in shown
    assert NEW not in shown


# -- on the account page


async def test_changing_the_password_ends_other_sessions(site: Site) -> None:
    """This one stays."""
    await site.sign_in()
    other = site.cookies.pop(SESSION)
    await site.sign_in()
    shown = await site.open("/account/password")
    assert shown.asks_for() == ["password", "new_password", "again"]
    assert "Use another account" not in shown.page
    shown = await site.choose(shown, password=RIGHT, **TYPED)
    assert shown.path == "/account"
    assert "Your password was changed." in shown.page
    assert "your phone" in shown.page
    site.cookies[SESSION] = other
    assert (await site.get("/account"))[0] == 303
    assert (await site.get("/account/password"))[0] == 303
    assert (await site.open("/account/password")).path == "/signin?return_to=/account/password"
    assert (await site.choose(Shown("/account/password", "", 200, {}), password=RIGHT, **TYPED)).path.startswith("/signin")


async def signed_in(site: Site, rules: NewPasswordRules | None) -> Shown:
    """The form for another password, on the account page of somebody who signed in."""
    site.authenticator.next = Verdict(
        outcome=Outcome.SUCCESS, identity=identity_of(ANNA), password_proven=True, new_password=rules
    )
    await site.sign_in()
    return await site.open("/account/password")


async def test_the_rules_known_since_the_sign_in_are_told_on_the_account_page_too(site: Site) -> None:
    """Between the old password and the new one, again after a mistake; nothing where they are not known."""
    shown = await signed_in(site, NewPasswordRules(least_characters=14, kinds=3, history=24))
    for _ in range(2):
        assert "At least 14 characters" in shown.page
        assert shown.page.index('name="kept"') < shown.page.index('id="rules"') < shown.page.index('id="new_password"')
        assert shown.info == ""
        shown = await site.choose(shown, password=RIGHT, new_password="a", again="b")
    assert 'aria-describedby="error rules"' in shown.page
    for unknown in (None, NewPasswordRules()):
        assert 'id="rules"' not in (await signed_in(site, unknown)).page


async def test_a_password_that_is_too_young_is_told_before_another_is_typed(site: Site) -> None:
    """As of the sign-in. The form stays, for the minimum age may have been lifted since."""
    shown = await signed_in(site, NewPasswordRules(wait=1200))
    assert "You can change it again in 20 minutes." in shown.info
    assert shown.asks_for() == ["password", "new_password", "again"]
    site.now += 600
    assert "in 10 minutes." in (await site.open("/account/password")).info
    shown = await site.choose(shown, password="wrong", **TYPED)
    assert ("Incorrect current password" in shown.error, shown.info) == (True, "")
    shown = await signed_in(site, NewPasswordRules(wait=1200))
    site.now += 1201
    assert (await site.open("/account/password")).info == ""


async def test_nodes_without_and_with_the_rules_read_each_others_sessions(site: Site) -> None:
    """While a relay of several nodes is upgraded."""
    rules = NewPasswordRules(least_characters=14)
    await signed_in(site, rules)
    (record,) = await site.store.sessions.of_user(identity_of(ANNA).account, site.now)
    assert msgspec.msgpack.decode(record.identity, type=Identity) == identity_of(ANNA)
    old = dataclasses.replace(record, identity=msgspec.msgpack.encode(identity_of(ANNA)))
    await site.store.sessions.delete(record.digest)
    await site.store.sessions.add(old)
    shown = await site.open("/account/password")
    assert (shown.path, "At least 14" in shown.page) == ("/account/password", False)


async def test_only_the_wrong_field_is_typed_again(site: Site) -> None:
    """A wrong old password: the new one is kept. Two that differ: the old one is."""
    await site.sign_in()
    shown = await site.choose(await site.open("/account/password"), password="wrong", **TYPED)
    assert (shown.asks_for(), "Incorrect current password" in shown.error) == (["password"], True)
    shown = await site.choose(shown, password="")
    assert (shown.asks_for(), shown.error) == (["password"], "Enter your password.")
    assert "Your password was changed." in (await site.choose(shown, password=RIGHT)).page
    site.authenticator.people[ANNA] = RIGHT
    shown = await site.choose(await site.open("/account/password"), password=RIGHT, new_password="a", again="b")
    assert (shown.asks_for(), shown.error) == (["new_password", "again"], "The new passwords don't match.")
    assert "Your password was changed." in (await site.choose(shown, **TYPED)).page


async def test_a_thief_of_a_session_learns_no_state_of_the_account(site: Site) -> None:
    """Locked, and about to be locked, look like a wrong password."""
    await site.sign_in()
    errors = set()
    for outcome in (Outcome.WRONG_CREDENTIAL, Outcome.ACCOUNT_LOCKED, Outcome.WOULD_LOCK_OUT, Outcome.ACCOUNT_DISABLED):
        shown = await site.open("/account/password")
        site.authenticator.next = Verdict(outcome=outcome)
        errors.add((await site.choose(shown, password="x", **TYPED)).error)
    assert len(errors) == 1


async def test_the_next_person_at_a_browser_meets_nothing_of_the_one_before(site: Site) -> None:
    """Neither what was told nor what was kept."""
    site.authenticator.people[BEN] = RIGHT
    await site.sign_in()
    shown = await site.choose(await site.open("/account/password"), password=RIGHT, new_password="a", again="b")
    kept = shown.field("kept")
    site.cookies.pop(SESSION)
    step = dict(site.cookies)
    await site.sign_in(user_name=BEN)
    site.cookies |= step
    shown = await site.open("/account/password")
    assert (shown.error, shown.field("kept"), shown.asks_for()) == ("", "", ["password", "new_password", "again"])
    await site.submit("/account/password", user_name=BEN, kept=kept, **TYPED)
    assert (site.seen.error, site.authenticator.people[BEN]) == ("Enter your password.", RIGHT)


async def test_a_form_changes_the_password_of_whom_it_was_shown_to(site: Site) -> None:
    """In another tab somebody else has signed in meanwhile, with the same password: one person with two accounts."""
    site.authenticator.people[BEN] = RIGHT
    await site.sign_in()
    form = await site.open("/account/password")
    await site.sign_in(user_name=BEN)
    shown = await site.choose(form, password=RIGHT, **TYPED)
    assert site.authenticator.people == {ANNA: RIGHT, BEN: RIGHT}
    assert "open for too long" in shown.error
    assert shown.field("user_name") == BEN


async def test_the_account_page_asks_with_a_name_that_agents_take(site: Site) -> None:
    """Whatever the person is called: of several directories a bare name has no home, nor has a suffix that none lists."""
    await site.sign_in()
    shown = await site.open("/account/password")
    assert f'value="{ANNA}"' in shown.page
    await site.choose(shown, password=RIGHT, **TYPED)
    asked = site.authenticator.attempts[-1]
    assert (asked.user_name, asked.signed_in_as, asked.account) == (
        "corp.example.com\\anna",
        ANNA,
        identity_of(ANNA).account,
    )
