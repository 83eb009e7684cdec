"""What a person has to do with applications: the chooser, and what was let in, on the pages and in the store."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from gateway.federation.oidc.grant_details import GrantDetails, write_details
from gateway.federation.trusts import SamlParty, Trust, TrustAccess
from gateway.protocol import AccountId
from gateway.signin import LANGUAGES
from gateway.store import ConsentRecord, GrantRecord
from tests.gateway.federation.applications import Wiki
from tests.gateway.signin.site import ANNA, RIGHT, SESSION, Site, serve
from tests.support.fakes import identity_of

ACCOUNT = AccountId("", f"guid-{ANNA}")
BEN = AccountId("", "guid-ben@corp.example.com")
STARTED = Trust(id="crm", name="CRM & <b>", protocol="oidc", start_url="https://crm.example.com/start?a=1&b=2")
FROM_HERE = Trust(id="aws", name="aws", protocol="saml", saml=SamlParty(idp_initiated=True))


@pytest.fixture
def wiki() -> Wiki:
    return Wiki()


@pytest.fixture
async def site(tmp_path: Path, wiki: Wiki) -> AsyncIterator[Site]:
    async with serve(tmp_path, wiki) as made:
        yield made


async def let_in(
    site: Site,
    account: AccountId,
    trust: str,
    *,
    session: bytes = b"",
    scopes: tuple[str, ...] = (),
    device: str = "",
    used_at: float = 0.0,
) -> bytes:
    """A grant; with scopes also the person's word. device: its address. Its digest."""
    digest = f"{trust} {account.object} {session!r} {device}".encode()
    details = GrantDetails(
        scope=("openid",), subject="s", auth_time=1.0, identity=identity_of(ANNA), address=device, browser="192.0.2.1"
    )
    record = GrantRecord(
        digest=digest,
        trust=trust,
        account=account,
        session=session,
        details=write_details(details) if device else b"",
        created_at=site.now,
        rotated_at=used_at,
        expires_at=site.now + 9000,
        idle_at=site.now + 9000,
    )
    assert await site.store.grants.add(record)
    if scopes:
        consent = ConsentRecord(account=account, trust=trust, scopes=frozenset(scopes), at=site.now)
        await site.store.consents.put(consent)
    return digest


async def test_the_chooser_has_what_the_person_may_start(site: Site, wiki: Wiki) -> None:
    """By name; nothing that does not start here, nothing without access; names cannot break the page."""
    only = TrustAccess(groups=("Nobody",))
    elsewhere = TrustAccess(networks=("10.0.0.0/8",))
    wiki.more = {
        trust.id: trust
        for trust in (
            STARTED,
            FROM_HERE,
            replace(STARTED, id="pay", name="Payroll", access=only),
            replace(STARTED, id="lab", name="Lab", access=elsewhere),
        )
    }
    assert (await site.open("/apps")).path.startswith("/signin")
    shown = await site.sign_in(return_to="/apps")
    assert shown.path == "/apps"
    page = (await site.get("/apps"))[1]
    assert page.index("/saml/start/aws") < page.index("https://crm.example.com/start?a=1&amp;b=2")
    assert "CRM &amp; &lt;b&gt;" in page
    for absent in ("Payroll", "Lab", "Wiki", "Shop"):
        assert absent not in page
    assert 'href="/apps"' in (await site.open("/account")).page


async def test_who_can_start_nothing_is_not_led_there(site: Site) -> None:
    """The page exists all the same, and says so."""
    await site.sign_in()
    assert 'href="/apps"' not in (await site.open("/account")).page
    assert "no applications" in (await site.open("/apps")).page


async def test_what_was_let_in_is_listed_and_taken_back(site: Site) -> None:
    """All that this application was given for this person ends, sessions' grants too; nobody else's and no other's."""
    mine = await let_in(site, ACCOUNT, "wiki", scopes=("openid", "email", "payroll:read", "offline_access"))
    held = await let_in(site, ACCOUNT, "wiki", session=b"s" * 32)
    other = await let_in(site, ACCOUNT, "shop")
    bens = await let_in(site, BEN, "wiki", scopes=("email",))
    page = (await site.sign_in()).page
    for told in ("Applications with access", "Wiki & {more}", "Your email address", "payroll:read", "Shop"):
        assert told in page
    assert page.count("Access while you aren't signed in") == 2
    shown = await site.submit("/account/shut-out", trust="wiki")
    assert (shown.path, "has no access any more" in shown.page, "Wiki & {more}" in shown.page) == ("/account", True, False)
    live = [digest for digest in (mine, held, other, bens) if await site.store.grants.get(digest, site.now)]
    assert live == [other, bens]
    assert await site.store.consents.of_account(ACCOUNT) == []
    assert len(await site.store.consents.of_account(BEN)) == 1
    (entry,) = await site.store.audit.entries(kind="federation.consent_withdrawn")
    event = entry.event
    assert (event.actor, event.subject, event.account, event.address) == ("page", ANNA, ACCOUNT, "192.0.2.7")
    assert event.detail == {"trust": "wiki", "grants": "2"}
    await site.submit("/account/shut-out", trust="wiki")
    assert len(await site.store.audit.entries(kind="federation.consent_withdrawn")) == 1


async def test_one_device_is_signed_out(site: Site) -> None:
    """It alone: told with its place, since when, and when it was used last; the application keeps what else it has."""
    site.now = 1_800_000_000.0
    television = await let_in(site, ACCOUNT, "wiki", device="198.51.100.4", used_at=site.now + 7200)
    console = await let_in(site, ACCOUNT, "wiki", device="198.51.100.5")
    signed_in = await let_in(site, ACCOUNT, "wiki", scopes=("email",))
    held = await let_in(site, ACCOUNT, "wiki", session=b"s" * 32)
    shown = await site.sign_in()
    rows = {row.split("</strong>")[0].rpartition(">")[2]: row for row in shown.page.split('<li class="part">')[1:]}
    assert set(rows) == {"Connected device", "Access while you aren't signed in"}
    rows = {
        address: row for row in shown.page.split('<li class="part">') for address in re.findall(r"198\.51\.100\.\d", row)
    }
    assert ("08:00" in rows["198.51.100.4"], "10:00" in rows["198.51.100.4"]) == (True, True)
    assert "last used" not in rows["198.51.100.5"]
    (name,) = re.findall(r'name="access" value="(\w+)"', rows["198.51.100.4"])
    assert television.hex() not in shown.page
    shown = await site.submit("/account/end-access", access=name)
    assert (shown.path, "That session was ended." in shown.page, "198.51.100.4" in shown.page) == ("/account", True, False)
    live = [one for one in (television, console, signed_in, held) if await site.store.grants.get(one, site.now)]
    assert live == [console, signed_in, held]
    assert len(await site.store.consents.of_account(ACCOUNT)) == 1
    await site.submit("/account/end-access", access=name)
    (entry,) = await site.store.audit.entries(kind="federation.access_ended")
    assert (entry.event.subject, entry.event.account, entry.event.detail) == (ANNA, ACCOUNT, {"trust": "wiki"})


async def test_access_of_others_is_not_found(site: Site) -> None:
    """Whose name is known from elsewhere; nor is what ends with a session, which is signed out where sessions are."""
    bens = await let_in(site, BEN, "wiki", device="198.51.100.4")
    held = await let_in(site, ACCOUNT, "wiki", session=b"s" * 32)
    await site.sign_in()
    for digest in (bens, held):
        name = hashlib.sha256(b"isthmus grant name\0" + digest).hexdigest()[:32]
        await site.submit("/account/end-access", access=name)
        assert await site.store.grants.get(digest, site.now) is not None


@pytest.mark.parametrize("attack", ["nobody", "forged"])
@pytest.mark.parametrize("path", ["/account/shut-out", "/account/end-access"])
async def test_nobody_else_takes_it_back(site: Site, attack: str, path: str) -> None:
    """Neither without a session nor from another site."""
    digest = await let_in(site, ACCOUNT, "wiki")
    fields = {"trust": "wiki", "access": hashlib.sha256(b"isthmus grant name\0" + digest).hexdigest()[:32]}
    await site.sign_in()
    if attack == "nobody":
        site.cookies.pop(SESSION)
        await site.submit(path, **fields)
    else:
        assert (await site.post(path, csrf="forged", **fields))[0] in {303, 403}
    assert await site.store.grants.get(digest, site.now) is not None


async def test_an_application_whose_trust_is_gone_can_be_shut_out(site: Site) -> None:
    """It goes by its id; a grant that ends with the session is no lasting access."""
    await let_in(site, ACCOUNT, "gone", scopes=("openid",))
    await let_in(site, ACCOUNT, "shop", session=b"s" * 32)
    page = (await site.sign_in()).page
    assert ('name="trust" value="gone"' in page, 'name="trust" value="shop"' in page) == (True, False)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_language_has_the_words(site: Site, wiki: Wiki, language: str) -> None:
    """English stands on no other language's page."""
    wiki.more = {STARTED.id: STARTED}
    await let_in(site, ACCOUNT, "wiki", scopes=("email",), device="198.51.100.4", used_at=site.now)
    await site.sign_in(password=RIGHT)
    page = unescape((await site.get(f"/account?language={language}"))[1])
    for english in ("Applications with access", "Remove access", "Your applications", "Connected device", "last used"):
        assert (english in page) is (language == "en")
