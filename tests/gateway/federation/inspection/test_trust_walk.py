"""What of a trust can be seen to be wrong; over the control socket, and as decisions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from findings import Finding
from foundation.times import DAY
from gateway.administrator import Administrator
from gateway.federation.inspection.trust_walk import judge_client, judge_metadata, judge_party, judge_state
from gateway.federation.saml import party_of
from gateway.federation.trusts import AssertionConsumer, SamlParty, Trust, TrustAccess
from gateway.relay import ActRefused
from gateway.store import PartyMetadata
from isthmus.trust_addresses import check_servers, servers_of
from tests.gateway.federation.oidc.stand import APP, OidcStand, changed, oidc_stand
from tests.gateway.federation.saml.service_provider import own_keys, pem

NOW = 1_700_000_000.0
PARTY = Trust(
    id="party",
    name="Party",
    protocol="saml",
    saml=SamlParty(
        entity_id="https://party.example.com",
        consumers=(AssertionConsumer(url="https://party.example.com/acs"),),
        certificates=(pem(own_keys()),),
        require_signed_requests=True,
    ),
)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, PARTY) as running:
        yield running


def by_name(found: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.status for finding in found}


async def test_trusts_that_are_well(stand: OidcStand) -> None:
    """Both protocols, each with a sample that was signed and verified as the application does it."""
    admin = Administrator(stand.relay.settings)
    assert by_name(await admin.test_trust("app")) == {
        "state": "pass",
        "addresses": "pass",
        "client proof": "pass",
        "signed sample": "pass",
    }
    found = by_name(await admin.test_trust("party"))
    assert (found["addresses"], found["signed sample"], "signing certificate" in found) == ("pass", "pass", True)
    await stand.trust(replace(PARTY, saml=replace(PARTY.saml, signature_algorithm="rsa-sha1")))
    assert by_name(await admin.test_trust("party"))["signed sample"] == "pass"
    with pytest.raises(ActRefused, match="there is no trust"):
        await admin.test_trust("nothing")


async def test_a_party_without_addresses_fails(stand: OidcStand) -> None:
    """And one whose requests cannot be verified."""
    bare = replace(
        PARTY, saml=replace(PARTY.saml, consumers=(), certificates=(), metadata_url="https://party.example.com/m")
    )
    await stand.trust(bare)
    found = by_name(await Administrator(stand.relay.settings).test_trust("party"))
    assert (found["addresses"], found["signing certificate"], found["metadata"]) == ("fail", "fail", "warn")


def test_who_can_sign_in() -> None:
    """Nobody, test users, everybody."""
    assert judge_state(APP, disabled=True).status == "fail"
    assert judge_state(replace(APP, access=TrustAccess(test_users=("anna",))), disabled=False).status == "warn"
    assert judge_state(APP, disabled=False).status == "pass"


@pytest.mark.parametrize(
    ("trust", "statuses"),
    [
        (changed(secrets=()), ["pass", "fail"]),
        (changed(redirect_uris=()), ["fail", "pass"]),
        (changed(authentication="none", secrets=()), ["pass", "pass"]),
        (changed(authentication="private_key_jwt", jwks_uri="https://app.example.com/jwks"), ["pass", "pass"]),
    ],
)
def test_what_proves_a_client(trust: Trust, statuses: list[str]) -> None:
    """A secret, a key, or nothing for public clients."""
    assert [finding.status for finding in judge_client(trust)] == statuses


@pytest.mark.parametrize(
    ("changes", "statuses"),
    [
        ({}, []),
        ({"encrypt": True}, ["fail"]),
        ({"encrypt_name_id": True}, ["fail"]),
        ({"encrypt": True, "encryption_certificate": pem(own_keys())}, ["warn"]),
    ],
)
def test_a_party_to_encrypt_for(changes: dict[str, Any], statuses: list[str]) -> None:
    """Its metadata may have lost the certificate; the one of the last row has expired."""
    party = party_of(replace(PARTY, saml=replace(PARTY.saml, **changes)), None)
    assert [finding.status for finding in judge_party(party, NOW) if finding.name == "encryption certificate"] == statuses


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "pass"),
        ({"problem": "it timed out"}, "warn"),
        ({"valid_until": NOW - 1}, "fail"),
        ({"checked_at": NOW - 8 * DAY}, "warn"),
    ],
)
def test_metadata_that_ages(changes: dict[str, float], status: str) -> None:
    """Ended is worse than not looked at."""
    trust = replace(PARTY, saml=replace(PARTY.saml, metadata_url="https://party.example.com/m"))
    fields = {"trust": "party", "document": b"<x/>", "fetched_at": NOW, "checked_at": NOW, **changes}
    (finding,) = judge_metadata(trust, PartyMetadata(**fields), NOW)  # type: ignore[arg-type]
    assert finding.status == status


async def test_a_server_that_is_not_there_is_a_warning() -> None:
    """Browsers have to reach it, not this machine. Apps on the user's machine have no server."""
    away = changed(redirect_uris=("https://127.0.0.1:1/cb", "https://127.0.0.1:1/other", "http://127.0.0.1/native"))
    assert servers_of(away) == [("127.0.0.1", 1)]
    (finding,) = await check_servers(away)
    assert (finding.name, finding.status) == ("server", "warn")
