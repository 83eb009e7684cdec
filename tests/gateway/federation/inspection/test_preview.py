"""What an application would be told: over the control socket of a relay with an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.administrator import Administrator
from gateway.federation.claims import ClaimRule, ClaimsPolicy
from gateway.federation.trusts import AssertionConsumer, SamlParty, Trust, TrustAccess
from gateway.protocol import CloseCode
from gateway.relay import ActRefused, RelayAbsent
from tests.gateway.federation.oidc.stand import ANNA, APP, BEN, OidcStand, oidc_stand

POLICY = ClaimsPolicy(
    rules=(
        ClaimRule(claim="team", source="attribute:department", single=True),
        ClaimRule(claim="groups", groups="name", scopes=("groups",)),
    )
)
WIKI = replace(APP, id="wiki", name="Wiki", claims=POLICY, access=TrustAccess(groups=("Engineering",)))
PARTY = Trust(
    id="party",
    name="Party",
    protocol="saml",
    saml=SamlParty(
        entity_id="https://party.example.com", consumers=(AssertionConsumer(url="https://party.example.com/acs"),)
    ),
)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, WIKI, PARTY) as running:
        yield running


async def test_a_person_who_has_signed_in_is_previewed_from_the_directory(stand: OidcStand) -> None:
    """Line by line, with what the agent does not send, and what has changed since; the trail says who looked."""
    await stand.tokens()
    admin = Administrator(stand.relay.settings)
    view = await admin.show_claims("wiki", ANNA)
    assert (view.source, view.state, view.agent, view.access, view.refused) == ("directory", "live", "agent1", "", "")
    assert view.values["groups"] == ["Engineering"]
    assert any(line.startswith("team not issued: the agent sent no") for line in view.lines), view.lines
    assert "department" in (*view.withheld, *view.absent)
    assert (view.changes, view.last_sign_in > 0) == ([], True)
    stand.people.about = {"groups": (), "display_name": "Anna Other"}
    view = await admin.show_claims("wiki", ANNA)
    assert (view.access, "- groups = Engineering" in view.changes, "+ name = Anna Other" in view.changes) == (
        "group",
        True,
        True,
    )
    only = await admin.show_claims("wiki", ANNA, scopes=["openid"])
    assert "groups" not in only.values
    for wrong, told in (({"scopes": ["grups"]}, "has no scope 'grups'; it has"), ({"address": "300.1.1.1"}, "not an IP")):
        with pytest.raises(ActRefused, match=told):
            await admin.show_claims("wiki", ANNA, **wrong)
    entries = await admin.audit(kind="admin.claims_shown")
    assert {(entry.subject, entry.detail["trust"]) for entry in entries} == {(ANNA, "wiki")}


async def test_the_preview_is_what_the_application_is_told(stand: OidcStand) -> None:
    """The same subject and values as at userinfo."""
    tokens = await stand.tokens()
    _, told = await stand.userinfo(tokens["access_token"])
    view = await Administrator(stand.relay.settings).show_claims("app", ANNA, scopes=["openid", "profile", "email"])
    assert {**view.values, "sub": view.subject} == told


async def test_a_saml_party_is_told_a_name_identifier(stand: OidcStand) -> None:
    """Of its own format; and why there is none."""
    await stand.tokens()
    admin = Administrator(stand.relay.settings)
    view = await admin.show_claims("party", ANNA)
    assert (view.name_id, view.name_id_problem) == (view.subject, "")
    mail = replace(PARTY.saml, name_id_format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress")
    await stand.trust(replace(PARTY, saml=mail))
    view = await admin.show_claims("party", ANNA)
    assert (view.name_id, "no mail address" in view.name_id_problem) == ("", True)


async def test_who_has_never_signed_in_is_not_previewed(stand: OidcStand) -> None:
    """The agent says nothing of people whose password it has not checked; what to do is told."""
    admin = Administrator(stand.relay.settings)
    with pytest.raises(ActRefused, match="any_person"):
        await admin.show_claims("wiki", BEN)
    with pytest.raises(ActRefused, match="there is no trust 'nothing'"):
        await admin.show_claims("nothing", BEN)
    with pytest.raises(ActRefused, match="knows no user with the objectGUID"):
        await admin.show_claims("wiki", "01234567-89ab-cdef-0123-456789abcdef")


async def test_without_an_agent_the_last_sign_in_is_shown(tmp_path: Path) -> None:
    """And said to be that."""
    async with oidc_stand(tmp_path, WIKI) as stand:
        await stand.signed_in(stand.browser(), client_id="wiki")
        for connection in list(stand.relay.endpoint.connections):
            stand.relay.endpoint.close_agent(connection.name, CloseCode.REVOKED, "test")
        view = await Administrator(stand.relay.settings).show_claims("wiki", ANNA)
        assert (view.source, view.state) == ("last sign-in", "unchecked")
        assert view.values["groups"] == ["Engineering"]


async def test_a_preview_needs_a_running_relay(tmp_path: Path) -> None:
    """Agents are connected to it alone."""
    async with oidc_stand(tmp_path, WIKI) as stand:
        settings = stand.relay.settings
    with pytest.raises(RelayAbsent):
        await Administrator(settings).show_claims("wiki", ANNA)


async def test_what_was_issued_is_found(stand: OidcStand) -> None:
    """Each token of a real sign-in, over the control socket; not one that was altered."""
    tokens = await stand.tokens(scope="openid offline_access")
    admin = Administrator(stand.relay.settings)
    for kind in ("access_token", "id_token", "refresh_token"):
        (view,) = await admin.find_issued(tokens[kind].encode())
        assert [(found.what, found.matched, found.user) for found in view.issued] == [(kind, "hash", ANNA)]
        assert (view.own_issuer, view.own_key) == ((True, True) if kind != "refresh_token" else (False, False))
    (view,) = await admin.find_issued(tokens["access_token"][:-4].encode() + b"AAAA")
    assert [found.matched for found in view.issued] == ["id"]
