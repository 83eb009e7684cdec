"""What applications see of a relay at its public address."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from findings import Finding
from gateway.administrator import Administrator
from gateway.federation.destinations import Destinations
from gateway.federation.outbound import Outbound
from isthmus.own_publication import check_publication, check_ways, judge_keys, judge_name, judge_skew
from tests.gateway.federation.oidc.stand import APP, OidcStand, changed, oidc_stand


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP) as made:
        yield made


def statuses(found: list[Finding]) -> dict[str, str]:
    return {finding.name.rpartition(": ")[2]: finding.status for finding in found}


async def test_a_relay_that_publishes_its_own_keys(stand: OidcStand) -> None:
    """By both protocols, over its real address; another authority, a strange key and another name are found."""
    context = ssl.create_default_context(cafile=str(stand.home / "tls" / "ca.pem"))
    rings = {ring.ring: ring.keys for ring in await Administrator(stand.relay.settings).signing_keys()}
    keys = {name: {key.id: key.state for key in kept} for name, kept in rings.items()}
    good = {"published name": "pass", "published keys": "pass", "clock": "pass"}
    for protocol in ("oidc", "saml"):
        assert statuses(await check_publication(stand.issuer, protocol, keys[protocol], context)) == good
    assert statuses(await check_publication(stand.issuer, "oidc", keys["saml"], context))["published keys"] == "fail"
    (refused,) = await check_publication(stand.issuer, "oidc", keys["oidc"])
    assert (refused.status, "certificate" in refused.seen) == ("fail", True)
    (nobody,) = await check_publication("https://127.0.0.1:9", "saml", keys["saml"], context)
    assert (nobody.status, "refused" in nobody.seen) == ("fail", True)
    other = stand.issuer.replace("127.0.0.1", "localhost")
    assert statuses(await check_publication(other, "saml", keys["saml"], context))["published name"] == "fail"


def test_what_a_proxy_can_do() -> None:
    """Keep an old copy, answer for another relay, say another name; a clock that is off only warns."""
    kept = {"a": "active", "b": "published", "c": "retired"}
    assert [finding.status for finding in judge_keys("x", {"A", "b"}, kept)] == ["pass"]
    assert [finding.status for finding in judge_keys("x", {"a", "b", "c"}, kept)] == ["pass"]
    (old,) = judge_keys("x", {"a"}, kept)
    assert (old.status, "not published: published" in old.seen) == ("fail", True)
    (strange,) = judge_keys("x", {"a", "b", "z"}, kept)
    assert (strange.status, "1 of them" in strange.seen) == ("fail", True)
    assert [finding.status for finding in judge_name("x", "https://a/", "https://a")] == ["fail"]
    assert [next(judge_skew("x", skew)).status for skew in (0.0, 30.0, -31.0, 31.0)] == ["pass", "pass", "warn", "warn"]
    assert list(judge_skew("x", None)) == []


async def test_whether_the_relay_may_connect() -> None:
    """Only addresses that it asks itself; browsers have to reach the others."""
    inside = changed(backchannel_logout_uri="https://127.0.0.1/bye", redirect_uris=("https://127.0.0.2/cb",))
    (refused,) = await check_ways(inside, Outbound(Destinations()))
    assert (refused.status, "application_networks" in refused.remedy) == ("fail", True)
    (named,) = await check_ways(inside, Outbound(Destinations(("127.0.0.0/8",))))
    assert named.status == "pass"
    assert await check_ways(APP, Outbound(Destinations())) == []
