"""The copy of the trusts: what it finds, what it does not, and that it follows the store."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from structlog.typing import EventDict

from gateway.federation.trusts import TrustRegistry
from gateway.federation.trusts import registry as registry_module
from gateway.store import TrustRecord
from tests.gateway.federation.trusts.samples import OIDC, SAML, KeptTrusts, record


async def loaded(*records: TrustRecord) -> TrustRegistry:
    registry = TrustRegistry(KeptTrusts(*records))
    await registry.load()
    return registry


async def test_trusts_are_found() -> None:
    """By id, by client identifier, by entity ID."""
    registry = await loaded(record(OIDC.replace("[oidc]", '[oidc]\nclient_id = "abc"')), record(SAML))
    wiki, crm = registry.get("wiki"), registry.get("crm")
    assert wiki is not None
    assert crm is not None
    assert registry.all() == (crm, wiki)
    assert registry.client("abc") is wiki
    assert registry.client("wiki") is None
    assert registry.party("https://crm.example.com/saml/metadata") is crm
    assert registry.party("https://crm.example.com/saml/METADATA") is None
    assert registry.party("") is None


async def test_the_attributes_that_any_trust_needs(logs: list[EventDict]) -> None:
    """Each once whatever its case, of trusts that are served, and no more than one look-up takes: the log says so."""

    def rules(*names: str) -> str:
        lines = (f'[[claims.rules]]\nclaim = "c-{name}"\nsource = "attribute:{name}"\n' for name in names)
        return "[claims]\nstandard = false\n" + "".join(lines)

    wiki, crm = record(OIDC + rules("title", "st")), record(SAML + rules("Title", "l"))
    registry = await loaded(wiki, crm)
    assert [name.lower() for name in registry.attributes()] == ["l", "st", "title"]
    assert (await loaded(wiki, record(SAML + rules("l"), disabled="by command"))).attributes() == ("st", "title")
    assert logs == []
    many = [f"a{number:02}" for number in range(70)]
    assert (await loaded(record(OIDC + rules(*many)))).attributes() == tuple(many[:64])
    (told,) = logs
    assert (told["event"], told["left_out"]) == ("trusts.too_many_attributes", tuple(many[64:]))


@pytest.mark.parametrize(
    "kept", [record(OIDC, disabled="its file was removed"), record(OIDC.replace("[oidc]", "enabled = false\n[oidc]"))]
)
async def test_a_disabled_trust_is_not_found(kept: TrustRecord) -> None:
    """By any name."""
    registry = await loaded(kept)
    assert (registry.all(), registry.get("wiki"), registry.client("wiki")) == ((), None, None)


async def test_an_unreadable_trust_harms_no_other(logs: list[EventDict]) -> None:
    """A later release wrote it, or it is damaged: it is not served with less checked, and the log says why."""
    newer = replace(record(OIDC), document=(OIDC + "[access]\nneeds_badge = true\n").encode())
    registry = await loaded(newer, record(SAML))
    assert [trust.id for trust in registry.all()] == ["crm"]
    assert "access.needs_badge" in registry.problems()["wiki"]
    (told,) = logs
    assert (told["event"], told["trust"]) == ("trust.unreadable", "wiki")
    await registry.load()
    assert len(logs) == 1


async def test_a_document_of_another_trust_is_refused() -> None:
    """The store's key and the document say the same name."""
    registry = await loaded(record(OIDC, name="other"))
    assert registry.all() == ()
    assert registry.problems() == {"other": "its document is of the trust wiki"}


async def test_a_name_that_two_claim_is_nobodys(logs: list[EventDict]) -> None:
    """Whichever were chosen could be the wrong one to send a code to."""
    second = OIDC.replace('"wiki"', '"wiki2"', 1).replace("[oidc]", '[oidc]\nclient_id = "wiki"')
    registry = await loaded(record(OIDC), record(second))
    assert registry.client("wiki") is None
    assert {trust.id for trust in registry.all()} == {"wiki", "wiki2"}
    assert [(told["event"], told["trusts"]) for told in logs] == [("trust.name_claimed_twice", ["wiki", "wiki2"])]


async def test_a_change_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what changed is parsed; what was removed is gone; what comes back as it was is there again."""
    parsed: list[str] = []
    parse = registry_module.parse_record

    def counted(kept: TrustRecord) -> registry_module.ParsedTrust:
        parsed.append(kept.id)
        return parse(kept)

    monkeypatch.setattr(registry_module, "parse_record", counted)
    store = KeptTrusts(record(OIDC), record(SAML))
    registry = TrustRegistry(store)
    await registry.load()
    store.put([record(OIDC.replace('"Wiki"', '"Pages"'), version=2)])
    await registry.load()
    assert parsed == ["crm", "wiki", "wiki"]
    assert [trust.name for trust in registry.all()] == ["CRM", "Pages"]
    del store.records["crm"]
    await registry.load()
    assert registry.get("crm") is None
    assert registry.party("https://crm.example.com/saml/metadata") is None


async def test_the_newest_reading_holds() -> None:
    """Of two readings at once the one that began later ends later."""
    store = KeptTrusts(record(OIDC))
    answers = [await store.all(), [record(OIDC.replace('"Wiki"', '"Pages"'), version=2)]]
    gates = [asyncio.Event(), asyncio.Event()]

    class Slow(KeptTrusts):
        async def all(self) -> list[TrustRecord]:
            place = 2 - len(answers)
            answer = answers.pop(0)
            await gates[place].wait()
            return answer

    registry = TrustRegistry(Slow())
    readings = [asyncio.create_task(registry.load()) for _ in range(2)]
    await asyncio.sleep(0)
    gates[1].set()
    await asyncio.sleep(0)
    gates[0].set()
    await asyncio.gather(*readings)
    assert [trust.name for trust in registry.all()] == ["Pages"]


async def test_a_thousand_trusts_are_read_soon() -> None:
    """Processor time of the first reading; a later one parses nothing."""
    rules = "".join(
        f'\n[[claims.rules]]\nclaim = "c{number}"\nsource = "attribute:a{number}"\nscopes = ["profile"]\n'
        for number in range(5)
    )
    text = OIDC + rules
    records = [record(text.replace('"wiki"', f'"wiki{number}"', 1), name=f"wiki{number}") for number in range(1000)]
    registry = TrustRegistry(KeptTrusts(*records))
    begin = time.process_time()
    await registry.load()
    first, begin = time.process_time() - begin, time.process_time()
    assert len(registry.all()) == 1000
    await registry.load()
    again = time.process_time() - begin
    assert (
        first < 15.0
    )  # 1.1 s where it was written; a slow machine, other work and measuring coverage take four times as long
    assert again < first / 5
