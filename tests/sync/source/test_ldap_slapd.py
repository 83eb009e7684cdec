"""A real OpenLDAP as a source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from demo.slapd import BASE_DN, SERVICE_DN, ThrowawaySlapd
from directory import TlsSettings
from sync.distinguished_names import normal_dn
from sync.model import ChangeKind, LinkTarget, ObjectKind
from sync.source import LdapSource, LdapSourceSettings, SourceOutcome
from tests.sync.source.support import take

pytestmark = pytest.mark.slapd

OpenLdap = Callable[..., LdapSource]


@pytest.fixture(scope="module")
def slapd() -> Iterator[ThrowawaySlapd]:
    """With six people."""
    with ThrowawaySlapd(people=6, session_log=20) as running:
        yield running


@pytest.fixture
async def source_of() -> AsyncIterator[OpenLdap]:
    async with AsyncExitStack() as opened:

        def build(slapd: ThrowawaySlapd, **more: Any) -> LdapSource:
            settings = LdapSourceSettings(
                servers=(slapd.server,),
                base_dn=BASE_DN,
                service_user=SERVICE_DN,
                service_password_file=slapd.service_password_file,
                tls=TlsSettings(ca_file=slapd.ca_file),
                **more,
            )
            source = LdapSource("people", settings, ("uid", "mail", "member", "shoeSize"))
            opened.push_async_callback(source.close)
            return source

        yield build


async def test_everything_then_what_changed(slapd: ThrowawaySlapd, source_of: OpenLdap) -> None:
    """By content synchronisation: whole entries, members by name; then one that changed and one that is gone."""
    source = source_of(slapd)
    changes, first = await take(source.read(None))
    assert (first.outcome, first.exhaustive, source.delta) == (SourceOutcome.COMPLETE, True, True)
    people = {change.values["uid"]: change for change in changes if "uid" in change.values}
    assert people["person1"].object is ObjectKind.USER
    assert people["person1"].values == {"uid": "person1", "mail": f"person1@{slapd.name}"}
    (crew,) = [change for change in changes if change.dn.startswith("cn=crew0")]
    assert crew.object is ObjectKind.GROUP
    assert LinkTarget(name=normal_dn(people["person1"].dn)) in (crew.links["member"].all or ())

    slapd.modify(f"dn: {slapd.dn(1)}\nchangetype: modify\nreplace: mail\nmail: new@example.org\n")
    slapd.modify(f"dn: {slapd.dn(2)}\nchangetype: delete\n")
    changes, second = await take(source.read(first.cookie))
    assert {(change.kind, change.key) for change in changes} == {
        (ChangeKind.WHOLE, people["person1"].key),
        (ChangeKind.DELETED, people["person2"].key),
    }
    assert (second.outcome, second.exhaustive) == (SourceOutcome.COMPLETE, False)

    changes, result = await take(source.fetch([people["person1"].key, people["person2"].key]))
    assert [(change.kind, change.key) for change in changes] == [
        (ChangeKind.WHOLE, people["person1"].key),
        (ChangeKind.DELETED, people["person2"].key),
    ]
    assert result.outcome is SourceOutcome.COMPLETE
    _, refused = await take(source.read(b"garbage"))
    assert refused.outcome is SourceOutcome.COOKIE_REFUSED


async def test_being_told_of_a_change(slapd: ThrowawaySlapd, source_of: OpenLdap) -> None:
    """What happened since the reading is told first."""
    source = source_of(slapd)
    _, first = await take(source.read(None))
    slapd.modify(f"dn: {slapd.dn(3)}\nchangetype: modify\nreplace: sn\nsn: Other\n")
    begun = asyncio.Event()
    assert (await source.wait(20, first.cookie, begun.set)).changed
    assert begun.is_set()


async def test_a_full_comparison(slapd: ThrowawaySlapd, source_of: OpenLdap) -> None:
    """Exhaustive each time, without a cookie; of those that match."""
    source = source_of(slapd, method="full", matching="(uid=person4)")
    for _ in range(2):
        changes, result = await take(source.read(None))
        assert [change.values["uid"] for change in changes] == ["person4"]
        assert (result.outcome, result.exhaustive, result.cookie) == (SourceOutcome.COMPLETE, True, None)
    assert not source.delta


async def test_what_a_preflight_finds(slapd: ThrowawaySlapd, source_of: OpenLdap) -> None:
    """Reading, content synchronisation, schema."""
    found = {finding.name: finding for finding in await source_of(slapd).check()}
    assert {name: finding.status for name, finding in found.items()} == {
        "reading": "pass",
        "content synchronisation": "pass",
        "schema": "warn",
    }
    assert "no shoeSize:" in found["schema"].seen
    found = {finding.name: finding for finding in await source_of(slapd, matching="(uid=nobody)").check()}
    assert found["reading"].status == "fail"


async def test_a_server_without_content_synchronisation(source_of: OpenLdap) -> None:
    """`auto` compares everything; `syncrepl` fails, and the preflight says what to do; when it is down, that is said."""
    with ThrowawaySlapd(people=1) as plain:
        automatic, demanded = source_of(plain), source_of(plain, method="syncrepl")
        _, result = await take(automatic.read(None))
        assert (result.outcome, result.exhaustive, automatic.delta) == (SourceOutcome.COMPLETE, True, False)
        assert not (await automatic.wait(0.01)).changed
        _, result = await take(demanded.read(None))
        assert result.outcome is SourceOutcome.FAILED
        for source, status in ((automatic, "warn"), (demanded, "fail")):
            found = {finding.name: finding for finding in await source.check()}
            assert found["content synchronisation"].status == status
            assert "overlay syncprov" in found["content synchronisation"].remedy
        late = source_of(plain)
    _, result = await take(late.read(None))
    assert (result.outcome, bool(result.reason)) == (SourceOutcome.FAILED, True)
    assert [finding.status for finding in await late.check()] == ["fail"]
    assert (await late.wait(20)).reason
