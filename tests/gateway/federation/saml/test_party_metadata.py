"""Metadata of parties: what is kept, when it is looked at again, and what an operator hears (S27)."""

from __future__ import annotations

import base64
import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from certs import CertificateUnreadable, read_certificate
from foundation.http import FetchFailed
from gateway.federation.saml import MetadataRefresh, NoMetadataAddress, Parties
from gateway.federation.saml.party_metadata import AGED, LARGEST, LONGEST, MOST, RETRY, SHORTEST, USUAL, interval
from gateway.federation.trusts import AssertionConsumer, SamlParty, Trust, TrustRegistry, write_trust
from gateway.store import PartyMetadata, Store, TrustRecord, open_store
from tests.foundation.saml.parties import ENTITY, party
from tests.foundation.saml.test_party_metadata import (
    CONSUMER,
    POST,
    REDIRECT,
    aggregate,
    entity,
    key,
    role,
    signed,
    thumbprint,
)

NOW, URL = 1_800_000_000.0, "https://wiki.example.com/metadata"
WIKI = Trust(id="wiki", name="Wiki", protocol="saml", saml=SamlParty(entity_id=ENTITY, metadata_url=URL))
KEPT = PartyMetadata(trust="wiki", document=b"<x/>", fetched_at=NOW, checked_at=NOW)


def valid_until(moment: float) -> str:
    return f'validUntil="{datetime.datetime.fromtimestamp(moment, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"'


def consumer(url: str, binding: str = POST) -> str:
    return entity(role(CONSUMER.replace("https://grafana.example.com/saml/acs", url).replace(POST, binding)))


@dataclass
class Stand:
    """A node that looks, and what is published."""

    store: Store
    now: float = NOW
    document: bytes = field(default_factory=lambda: entity().encode())
    fails: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)
    alarms: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trusts = TrustRegistry(self.store.trusts)
        self.parties = Parties(self.trusts, self.store.trusts)
        alarm = lambda event, fields: self.alarms.append((event, fields["trust"]))  # noqa: E731 - for this call alone
        self.refresh = MetadataRefresh(self.store, self.trusts, self.parties, self, alarm, lambda: self.now)

    async def get(self, url: str, *, most: int) -> bytes:
        self.asked.append((url, most))
        if self.fails:
            raise FetchFailed(url, "no answer within 15 s")
        return self.document

    async def trust(self, *trusts: Trust) -> None:
        for trust in trusts:
            known = await self.store.trusts.get(trust.id)
            unit = self.store.unit()
            version = known.version + 1 if known is not None else 1
            unit.put_trust(
                TrustRecord(
                    id=trust.id, version=version, document=write_trust(trust), changed_at=self.now, changed_by="test"
                )
            )
            await unit.commit()
        await self.load()

    async def load(self) -> None:
        await self.trusts.load()
        await self.parties.load()

    async def kept(self) -> PartyMetadata | None:
        return next((kept for kept in await self.store.trusts.metadata() if kept.trust == "wiki"), None)

    async def look(self, document: str | bytes | None = None, *, after: float = 0.0) -> PartyMetadata:
        """One round; what is kept then."""
        self.now += after
        if document is not None:
            self.document = document.encode() if isinstance(document, str) else document
        await self.refresh.run()
        await self.load()
        kept = await self.kept()
        assert kept is not None
        return kept


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    store = open_store(f"sqlite:///{tmp_path / 'relay.db'}", secret=b"k" * 32, node="relay1")
    made = Stand(store)
    await made.trust(WIKI)
    yield made
    await store.close()


async def test_good_metadata_is_kept_and_served(stand: Stand) -> None:
    """And asked for again when it is time, not before; each change is in the trail."""
    kept = await stand.look()
    assert (kept.document, kept.problem, kept.fetched_at) == (stand.document, "", NOW)
    found = stand.parties.of("wiki")
    assert found is not None
    assert [each.url for each in found.consumers] == ["https://grafana.example.com/saml/acs"]
    await stand.look(after=USUAL - 1)
    assert stand.asked == [(URL, LARGEST)]
    await stand.look(after=1)
    await stand.look(consumer("https://new.example.com/acs"), after=USUAL)
    assert len(stand.asked) == 3
    found = stand.parties.of("wiki")
    assert found is not None
    assert found.consumers[0].url == "https://new.example.com/acs"
    events = [entry.event for entry in await stand.store.audit.entries(kind="trust.metadata_changed")]
    assert [(event.subject, event.actor) for event in events] == [("wiki", "relay")] * 2
    assert stand.alarms == []


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<html/>", "root"),
        (b"", "XML"),
        (entity(entity_id="https://other.example.com").encode(), "entities of the expected ID"),
        (entity(attributes=valid_until(NOW)).encode(), "validUntil is over"),
        (consumer("http://wiki.example.com/acs").encode(), "not encrypted"),
        (consumer("https://wiki.example.com/acs", REDIRECT).encode(), "no assertion consumer service for HTTP-POST"),
    ],
)
async def test_what_is_not_good_changes_nothing(stand: Stand, document: bytes, reason: str) -> None:
    """The last good one stays, the operator hears of each reason once, and the next look comes sooner."""
    good = await stand.look()
    kept = await stand.look(document, after=USUAL)
    assert (kept.document, kept.fetched_at, kept.checked_at) == (good.document, NOW, NOW + USUAL)
    assert reason in kept.problem
    await stand.look(after=RETRY)
    assert stand.alarms == [("metadata.refused", "wiki")]
    assert len(stand.asked) == 3
    assert (await stand.look(good.document, after=RETRY)).problem == ""


async def test_only_the_pinned_key_signs(stand: Stand) -> None:
    """Not signed, or by another key: as if nothing had come."""
    pinned = replace(WIKI.saml, metadata_signer=thumbprint(party("federation")))
    await stand.trust(replace(WIKI, saml=pinned))
    good = signed(entity().encode())
    kept = await stand.look(entity())
    assert (kept.document, "not signed with the certificate" in kept.problem) == (b"", True)
    assert (await stand.look(signed(entity().encode(), by="mallory"), after=RETRY)).document == b""
    assert (await stand.look(good, after=RETRY)).document == good


async def test_what_was_kept_is_read_as_the_trust_says_now(stand: Stand) -> None:
    """Whoever pins a signer, or takes the address away, trusts the documents no longer that came before."""
    good = await stand.look(entity(role(key(party("wiki"), "signing") + CONSUMER)))
    assert served(stand) == 1
    await stand.trust(replace(WIKI, saml=replace(WIKI.saml, metadata_signer=thumbprint(party("federation")))))
    assert stand.parties.of("wiki") is None
    await stand.trust(
        replace(WIKI, saml=replace(WIKI.saml, metadata_url="", consumers=(AssertionConsumer(url=f"{URL}/acs"),)))
    )
    assert (served(stand), (await stand.kept()) == good) == (0, True)


def served(stand: Stand) -> int:
    """Certificates whose keys sign the party's requests."""
    found = stand.parties.of("wiki")
    assert found is not None
    return len(found.signing)


async def test_those_that_wait_for_their_metadata_claim_nothing(stand: Stand) -> None:
    """Nobody's entity ID is known yet: that is no contradiction between two trusts, and nobody is found by an empty one."""
    unknown = replace(WIKI, saml=SamlParty(metadata_url=URL))
    with capture_logs() as logs:
        await stand.trust(replace(unknown, id="shop"), replace(unknown, id="mail"))
    assert logs == []
    assert stand.parties.find("") is None
    assert stand.parties.of("shop") is not None


async def test_a_changed_trust_is_looked_at_anew(stand: Stand) -> None:
    """It may name another address: hours later would be too late."""
    await stand.look()
    stand.now += 1
    await stand.trust(WIKI)
    await stand.look(after=1)
    await stand.look(after=1)
    assert len(stand.asked) == 2


async def test_a_list_of_a_federation_serves_after_a_restart(stand: Stand) -> None:
    """The party is found in it by the entity ID of the trust; an entity in the signature, which nothing signs, is none."""
    pinned = replace(WIKI, saml=replace(WIKI.saml, metadata_signer=thumbprint(party("federation"))))
    await stand.trust(pinned)
    listed = signed(aggregate(entity(), entity(entity_id="https://other.example.com", number=2)), "_all")
    hidden = consumer("https://evil.example.com/acs").replace("_entity1", "_entity9").encode()
    kept = await stand.look(listed.replace(b"</ds:X509Data>", b"</ds:X509Data>" + hidden, 1))
    assert kept.problem == ""
    for parties in (stand.parties, Parties(stand.trusts, stand.store.trusts)):
        await parties.load()
        found = parties.of("wiki")
        assert found is not None
        assert [consumer.url for consumer in found.consumers] == ["https://grafana.example.com/saml/acs"]


async def test_a_certificate_that_no_reader_expects_stops_nobody(stand: Stand) -> None:
    """S27: a bit string in a name. It is left out, like others that cannot be read, and the duty goes on."""
    odd = party("reading").certificate.der.replace(b"\x0c\x07reading", b"\x03\x07\x00eading")
    with pytest.raises(CertificateUnreadable):
        read_certificate(odd)
    written = base64.b64encode(odd).decode()
    whole = key(party("reading")).replace(base64.encodebytes(party("reading").certificate.der).decode(), written)
    kept = await stand.look(entity(role(whole + CONSUMER)))
    assert kept.document != b""
    assert served(stand) == 0


async def test_those_that_fail_take_no_turn_of_others(stand: Stand) -> None:
    """More parties than a round looks at: who has waited longest comes first, and not whose name does."""
    names = [f"p{number:02}" for number in range(MOST + 2)]
    await stand.trust(*(replace(WIKI, id=name, saml=replace(WIKI.saml, metadata_url=f"{URL}/{name}")) for name in names))
    stand.fails = True
    for _ in range(2):
        await stand.refresh.run()
        stand.now += RETRY
    assert {url for url, _ in stand.asked} >= {f"{URL}/{name}" for name in names}


async def test_less_is_not_taken_where_metadata_is_over(stand: Stand) -> None:
    """Whoever keeps the relay from reading that requests are signed gets no others taken: the trust names the rest."""
    own = replace(WIKI.saml, consumers=(AssertionConsumer(url=f"{URL}/acs"),))
    await stand.trust(replace(WIKI, saml=own))
    said = [found.requests_signed for found in [stand.parties.of("wiki")] if found is not None]
    await stand.look(entity(role(CONSUMER, 'AuthnRequestsSigned="false"'), attributes=valid_until(NOW + 3600)))
    said += [found.requests_signed for found in [stand.parties.of("wiki")] if found is not None]
    await stand.look(entity(role(CONSUMER, 'AuthnRequestsSigned="true"'), attributes=valid_until(NOW + 7200)), after=1800)
    said += [found.requests_signed for found in [stand.parties.of("wiki")] if found is not None]
    stand.fails = True
    assert (await stand.look(after=7200)).document == b""
    said += [found.requests_signed for found in [stand.parties.of("wiki")] if found is not None]
    assert said == [True, False, True, True]


async def test_nobody_signs_out_over_http(stand: Stand) -> None:
    """S27: who it is would be told to everybody on the way."""
    service = '<md:SingleLogoutService Binding="{}" Location="{}" ResponseLocation="{}"/>'.format
    plain, good = "http://wiki.example.com/slo", "https://wiki.example.com/slo"
    await stand.look(entity(role(service(REDIRECT, plain, good) + service(REDIRECT, good, plain) + CONSUMER)))
    found = stand.parties.of("wiki")
    assert found is not None
    assert found.logout == ()
    await stand.look(entity(role(service(POST, plain, plain) + service(REDIRECT, good, good) + CONSUMER)), after=USUAL)
    found = stand.parties.of("wiki")
    assert found is not None
    assert [endpoint.url for endpoint in found.logout] == [good]


async def test_a_party_keeps_its_entity_id(stand: Stand) -> None:
    """Where the trust does not name it, the first metadata does; and nobody takes that of another trust."""
    open_ = replace(WIKI.saml, entity_id="")
    await stand.trust(replace(WIKI, saml=open_))
    await stand.look()
    taken = await stand.look(entity(entity_id="https://other.example.com"), after=USUAL)
    assert taken.problem == f"it describes https://other.example.com, and the party is {ENTITY}"
    await stand.trust(replace(WIKI, id="shop", saml=replace(open_, metadata_url="https://shop.example.com/metadata")))
    await stand.look(entity(), after=RETRY)
    (shop,) = [kept for kept in await stand.store.trusts.metadata() if kept.trust == "shop"]
    assert (shop.document, shop.problem) == (b"", "its entity ID is that of the trust wiki")


async def test_an_address_that_does_not_answer_is_an_alarm_after_days(stand: Stand) -> None:
    """Once. What is kept stays; where it says until when, not beyond that."""
    await stand.look(entity(attributes=valid_until(NOW + 3 * AGED)))
    stand.fails = True
    for _ in range(20):
        kept = await stand.look(after=AGED / 8)
    assert (stand.alarms, kept.document) == ([("metadata.aged", "wiki")], stand.document)
    kept = await stand.look(after=AGED)
    assert (kept.document, kept.valid_until) == (b"", 0.0)
    assert stand.alarms[1:] == [("metadata.expired", "wiki")]
    assert "no answer" in kept.problem


@pytest.mark.parametrize(
    ("kept", "cached", "seconds"),
    [
        (KEPT, 0.0, USUAL),
        (KEPT, 1.0, SHORTEST),
        (KEPT, 10 * LONGEST, LONGEST),
        (KEPT, 7200.0, 7200.0),
        (replace(KEPT, valid_until=NOW + 4 * RETRY), 7200.0, 2 * RETRY),
        (replace(KEPT, valid_until=NOW + 10), 7200.0, RETRY),
        (replace(KEPT, valid_until=NOW - 10), 7200.0, RETRY),
        (replace(KEPT, problem="x"), 7200.0, RETRY),
    ],
)
def test_when_it_is_looked_at_again(kept: PartyMetadata, cached: float, seconds: float) -> None:
    """As the document says, within bounds; in time before it is over; sooner where it was not good."""
    assert interval(kept, cached) == seconds


async def test_how_long_it_may_be_cached_is_what_it_says(stand: Stand) -> None:
    """A clock that was ahead hides nothing: a look in the future is none."""
    await stand.look(entity(attributes='cacheDuration="PT2H"'))
    await stand.look(after=7199)
    assert len(stand.asked) == 1
    await stand.look(after=1)
    assert len(stand.asked) == 2
    await stand.look(after=-86400.0)
    assert len(stand.asked) == 3


async def test_one_node_looks(stand: Stand) -> None:
    """While another one holds the duty, nothing is asked."""
    lease = await stand.store.duties.take("party metadata", "other", now=NOW, until=NOW + 60)
    assert lease is not None
    await stand.refresh.run()
    assert stand.asked == []
    await stand.store.duties.give_up(lease)
    await stand.look()
    assert stand.asked == [(URL, LARGEST)]


async def test_an_administrator_looks_now(stand: Stand) -> None:
    """Whether it is due or not; the answer says what came of it."""
    view = await stand.refresh.refresh("wiki", "admin:root")
    assert (view.problem, view.changed, view.fetched_at) == ("", True, NOW)
    assert not (await stand.refresh.refresh("wiki", "admin:root")).changed
    stand.document = b"<html/>"
    refused = await stand.refresh.refresh("wiki", "admin:root")
    assert ("root" in refused.problem, refused.changed, refused.fetched_at) == (True, False, NOW)
    (entry,) = await stand.store.audit.entries(kind="trust.metadata_changed")
    assert entry.event.actor == "admin:root"
    for name in ("gone", "plain"):
        await stand.trust(replace(WIKI, id="plain", saml=replace(WIKI.saml, metadata_url="", entity_id="https://p.example")))
        with pytest.raises(NoMetadataAddress, match="metadata_url"):
            await stand.refresh.refresh(name, "admin:root")
