"""What applications are refused: counted by trust, in the trail once a minute, explained by its reference."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.federation.metrics import MOST_REASONS, MOST_TIMED, FederationMetrics
from gateway.federation.refused_requests import _note
from gateway.federation.trusts import TrustAccess
from gateway.relay import AuditView
from gateway.store import AuditEvent
from isthmus.application_explanation import CAUSES, explain_application
from tests.gateway.federation.oidc.stand import ANNA, APP, OidcStand, oidc_stand

CLOSED = replace(APP, id="closed", access=TrustAccess(groups=("Nobody",)))


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, CLOSED) as running:
        yield running


async def trail(stand: OidcStand, kind: str) -> list[AuditView]:
    return await stand.relay.administration.audit(kind=kind, limit=50)


def sample(stand: OidcStand, name: str, **labels: str) -> float | None:
    return stand.relay.metrics.get_sample_value(f"isthmus_federation_{name}_total", labels)


async def test_who_has_no_access_is_explained(stand: OidcStand) -> None:
    """With the user, the trust and the check; the reference is that of the browser's request."""
    arrival = await stand.signed_in(stand.browser(), client_id="closed")
    assert arrival.status == 403
    (entry,) = await trail(stand, "federation.refused")
    assert entry.correlation_id == arrival.headers["X-Correlation-Id"]
    told = explain_application(entry)
    assert (told.trust, told.user, told.reason, told.checks) == ("closed", ANNA, "access_denied", "refused: access: group")
    assert told.meaning == "The user is in none of the groups that may use the application."
    assert told.next.endswith(f"isthmus relay claims closed {ANNA}")
    assert entry.correlation_id in arrival.page, "the user has nothing to quote"
    assert entry.detail["path"] == "/continue/{sealed}"
    assert sample(stand, "refused", trust="closed", protocol="oidc", reason="access_denied") == 1


async def test_what_is_issued_has_the_reference_of_the_browser(stand: OidcStand) -> None:
    """Not that of the application's server, which no user sees; a refresh has its own."""
    arrival = await stand.signed_in(stand.browser(), scope="openid offline_access")
    _, tokens = await stand.redeem(arrival.code)
    (entry,) = await trail(stand, "federation.issued")
    assert entry.correlation_id == arrival.headers["X-Correlation-Id"]
    told = explain_application(entry)
    assert (told.answer, told.reason) == ("issued", "access_token, id_token, refresh_token")
    assert told.request == "OpenID Connect code scope openid offline_access"
    await stand.refresh(tokens["refresh_token"])
    second, _ = await trail(stand, "federation.issued")
    assert second.correlation_id not in {"", entry.correlation_id}
    assert explain_application(second).request.startswith("OpenID Connect refresh")
    assert sample(stand, "issued", trust="app", protocol="oidc") == 2
    spent = {"trust": "app", "protocol": "oidc"}
    assert stand.relay.metrics.get_sample_value("isthmus_federation_issue_seconds_count", spent) == 2
    assert 0 < (stand.relay.metrics.get_sample_value("isthmus_federation_issue_seconds_sum", spent) or 0) < 60


async def test_many_refusals_are_one_entry(stand: OidcStand) -> None:
    """Whoever guesses a secret does not fill the trail; each guess is counted. No secret is in an entry."""
    for _ in range(3):
        await stand.token(grant_type="authorization_code", code="stolen-code", client_secret="guessed-secret")
    (entry,) = await trail(stand, "federation.refused")
    assert (entry.detail["reason"], entry.detail["path"], entry.subject) == ("invalid_client", "/oidc/token", "")
    told = explain_application(entry)
    assert (told.trust, told.client) == ("", "app")
    assert "isthmus relay trust secret add app" in told.next
    hostile = msgspec.structs.replace(entry, detail={**entry.detail, "client": "x; rm -rf /"})
    assert "secret add TRUST;" in explain_application(hostile).next, "a stranger's text stands in a command"
    assert "guessed-secret" not in str(entry.detail)
    assert "stolen-code" not in str(entry.detail)
    assert sample(stand, "refused", trust=entry.actor.removeprefix("trust:"), protocol="oidc", reason="invalid_client") == 3


async def test_an_unproven_request_is_nobodys(stand: OidcStand) -> None:
    """The page's reference finds the entry; a made-up application makes no series of its own."""
    arrival = await stand.browser().authorize(client_id="made-up")
    assert arrival.status == 400
    shown = await stand.browser().open("/saml/sso?SAMLRequest=bm9uc2Vuc2U%3D")
    entries = await trail(stand, "federation.refused")
    assert {(entry.via, entry.actor) for entry in entries} == {("oidc", ""), ("saml", "")}
    saml = next(entry for entry in entries if entry.via == "saml")
    assert saml.correlation_id in shown.page
    assert explain_application(saml).meaning.startswith("It was not proven")


async def test_what_is_tried_next_has_an_entry_of_its_own(stand: OidcStand) -> None:
    """Within one minute, for one reason of the protocol: the help desk asks about the second one."""
    for attempt in ({"redirect_uri": "https://app.test/wrong"}, {"client_id": "ap"}, {"client_id": "x; rm -rf /"}):
        arrival = await stand.browser().authorize(**attempt)
        told = explain_application((await trail(stand, "federation.refused"))[0])
        assert (arrival.status, told.reference in arrival.page) == (400, True), attempt
    assert told.client == "x; rm -rf /"


async def test_causes_of_strangers_making_are_few(stand: OidcStand) -> None:
    """Whatever is put into an address, a minute has not an entry for each."""
    for number in range(60):
        await stand.browser().authorize(redirect_uri=f"https://app.test/{number}")
    assert len(await trail(stand, "federation.refused")) <= 16


async def test_a_network_of_addresses_is_one_stranger(stand: OidcStand) -> None:
    """An IPv6 host has 2^64 of them: with an entry for each, refusals of nobody else would be told apart any more."""
    said = {"reason": "invalid_client", "detail": ""}
    for number in range(5):
        event = AuditEvent(time=1.0, kind="federation.refused", actor="", address=f"2001:db8::{number}", detail=said)
        await _note(stand.relay.refusals, event)
    assert len(await trail(stand, "federation.refused")) == 1


def test_every_cause_is_one_that_a_check_names() -> None:
    """In its own words: otherwise it explains nothing any more."""
    source = "".join(path.read_text() for path in (Path(__file__).parents[4] / "gateway" / "federation").rglob("*.py"))
    names = {"access: test users": '"test users"', "access: group": '"group"', "access: network": '"network"'}
    assert [cause.said for cause in CAUSES if names.get(cause.said, cause.said) not in source] == []
    assert all(cause.meaning.endswith(".") and not cause.next.endswith(".") for cause in CAUSES)


def test_reasons_and_trusts_are_bounded() -> None:
    """Whatever is counted, the series are as many as trusts and reasons that there are."""
    metrics = FederationMetrics(lambda trust: trust == "known")
    for number in range(100):
        metrics.count_refused(f"stranger-{number}", "oidc", "invalid_client")
        metrics.count_refused("known", "oidc", f"reason-{number}")
        metrics.count_issued(f"gone-{number}", "oidc", 0.0)
    samples = [found for metric in metrics.collect() for found in metric.samples if found.name.endswith("_total")]
    assert {found.labels["trust"] for found in samples} == {"", "known"}
    assert len(samples) == 1 + MOST_REASONS + 1
    others = next(found for found in samples if found.labels["reason"] == "other")
    assert others.value == 100 - MOST_REASONS


def _timed(metrics: FederationMetrics) -> dict[str, float]:
    counts = [
        found for metric in metrics.collect() for found in metric.samples if found.name.endswith("issue_seconds_count")
    ]
    return {found.labels["trust"]: found.value for found in counts}


def test_with_many_trusts_most_are_timed_together() -> None:
    """None is lost; a trust that was removed makes room."""
    removed = set[str]()
    metrics = FederationMetrics(lambda trust: trust not in removed)
    for number in range(1000):
        metrics.count_issued(f"t{number}", "oidc", time.perf_counter())
    timed = _timed(metrics)
    assert (len(timed), timed["t0"], timed[""]) == (MOST_TIMED + 1, 1, 1000 - MOST_TIMED)
    removed.update(("t0", "t1"))
    assert len(_timed(metrics)) == MOST_TIMED - 1
    metrics.count_issued("t999", "oidc", time.perf_counter())
    assert _timed(metrics)["t999"] == 1
    buckets = [found for metric in metrics.collect() for found in metric.samples if found.name.endswith("_bucket")]
    assert len({found.labels["le"] for found in buckets}) <= 6
