"""`isthmus relay claims` and `isthmus relay audit issued`: what stands on the terminal."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import replace
from pathlib import Path

from gateway.app import open_relay_store
from gateway.federation import ClaimsPreviewView, EvidenceView, IssueView
from gateway.federation.inspection.evidence import Evidence
from gateway.keys import load_keys
from gateway.protocol import AccountId
from gateway.store import AuditEvent
from isthmus.cli.relay.audit.issuance import issued_lines
from isthmus.cli.relay.claims import claim_lines
from isthmus.relay_settings import RelaySettings
from settings import load_settings
from tests.isthmus.conftest import Run

TOKEN = "r" * 43


async def _record(config: Path, *events: AuditEvent) -> None:
    settings = load_settings(config, RelaySettings).server
    store = open_relay_store(settings, load_keys(settings, time.time()))
    try:
        for event in events or (_issued(),):
            await store.audit.append(event)
    finally:
        await store.close()


def _issued() -> AuditEvent:
    return AuditEvent(
        time=1_700_000_000.0,
        kind="federation.issued",
        actor="trust:wiki",
        subject="anna\x1b[31m",
        account=AccountId("9d1c", "0f7c1c2e-5b1d-4c55-9d3c-6f6f0a9b7a11"),
        address="192.0.2.7",
        correlation_id="0a202933cc1a983d",
        via="oidc",
        detail={"scope": "openid", "refresh_token": hashlib.sha256(TOKEN.encode()).hexdigest()},
    )


def test_a_token_is_found_where_no_relay_runs(run: Run, ready: Path, tmp_path: Path) -> None:
    """On its store; what a stranger typed as a name moves no cursor. The exit code says whether it was issued here."""
    asyncio.run(_record(ready))
    file = tmp_path / "token"
    file.write_text(TOKEN)
    code, out, _ = run("relay", "audit", "issued", file, "--config", ready)
    assert (code, out.startswith("Issued here: opaque token, SHA-256"), "\x1b" in out) == (0, True, False)
    assert "to the application wiki, from 192.0.2.7" in out
    assert "isthmus relay explain 0a202933cc1a983d" in out
    file.write_text("x" * 43)
    code, out, _ = run("relay", "audit", "issued", file, "--config", ready)
    assert (code, out.startswith("Not issued here")) == (1, True)
    code, out, _ = run("relay", "audit", "issued", file, "--json", "--config", ready)
    assert (code, '"issued": []' in out) == (1, True)
    file.write_text("no token")
    code, _, err = run("relay", "audit", "issued", file, "--config", ready)
    assert (code, "neither a token nor a SAML response" in err) == (1, True)
    assert run("relay", "audit", "issued", tmp_path / "nothing", "--config", ready)[0] == 1


def _view(**changes: object) -> ClaimsPreviewView:
    fields: dict[str, object] = {
        "trust": "wiki",
        "name": "Wiki",
        "protocol": "oidc",
        "user": "anna@corp.example.com",
        "source": "directory",
        "agent": "dc1",
        "state": "live",
        "subject": "s",
        "values": {},
        "steps": (),
        "lines": ["name = Anna (source display_name)"],
        **changes,
    }
    return ClaimsPreviewView(**fields)  # type: ignore[arg-type]


def test_the_preview_in_words() -> None:
    """Access, claims, what is missing, what has changed: each where there is something to say."""
    plain = claim_lines(_view())
    assert plain[:5] == [
        "anna@corp.example.com at Wiki (wiki, oidc)",
        "As the directory says now (agent dc1); account: enabled",
        "The user may use the application.",
        "",
        "name = Anna (source display_name)",
    ]
    assert plain[-1] == "No sign-in of this user lasts that could be compared with."
    full = "\n".join(
        claim_lines(
            _view(
                access="group",
                name_id="n",
                name_id_format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
                withheld=("department",),
                absent=("title",),
                last_sign_in=1.0,
                changes=["+ groups = A"],
                trust_changed_at=2.0,
            )
        )
    )
    for part in (
        "No access: the user is in none",
        "NameID = n (format persistent)",
        "Not sent by the agent: department",
        "Not set for",
        "+ groups",
    ):
        assert part in full
    assert "The trust was changed after it" in full
    unchanged = claim_lines(_view(last_sign_in=1.0, name_id_problem="no mail"))
    assert unchanged[-1].startswith("Nothing changed since the last sign-in")
    assert "NameID: no sign-in to this application: no mail" in unchanged
    late = claim_lines(_view(source="last sign-in", state="unchecked", why="busy", last_sign_in=1.0))
    assert late[1].startswith("As of the last sign-in, 1970-01-01")


def test_verdicts_in_words() -> None:
    """A token that names us and is not in the trail is told what that may mean; an ID alone is no proof."""
    evidence = Evidence(form="JWT", sha256="00", id="t-1", issuer="https://other.example")
    unknown = EvidenceView(evidence=evidence, issued=[], own_issuer=False, own_key=False)
    assert issued_lines(unknown)[1] == "It names another issuer: https://other.example"
    stolen = EvidenceView(evidence=evidence, issued=[], own_issuer=True, own_key=True)
    assert "the key is in other hands" in issued_lines(stolen)[1]
    old = EvidenceView(evidence=evidence, issued=[], own_issuer=True, own_key=False)
    assert "no signing key that the relay has now" in issued_lines(old)[1]
    issue = IssueView(
        what="assertion",
        matched="id",
        trust="wiki",
        user="",
        directory="",
        object_guid="",
        time=1.0,
        address="",
        protocol="saml",
        reference="r",
        entry="1-1",
    )
    same_id = EvidenceView(evidence=evidence, issued=[issue], own_issuer=True, own_key=True)
    assert issued_lines(same_id)[0].startswith("Not as it was issued here")
    assert "for (removed from the trail), to the application wiki, from an unknown address" in issued_lines(same_id)[2]


def test_a_sign_in_is_explained_as_far_as_the_application(run: Run, ready: Path) -> None:
    """What came of it there in the minutes after, and by its own reference each in full; no secret."""
    issued = _issued()
    sign_in = replace(issued, time=issued.time - 5, kind="signin", actor="page", outcome="success", via="page", detail={})
    sign_in = replace(sign_in, correlation_id="1111111111111111", agent="dc1")
    refused = replace(
        issued,
        time=issued.time + 60,
        kind="federation.refused",
        correlation_id="2222222222222222",
        detail={"reason": "invalid_grant", "detail": "the code was redeemed before", "path": "/oidc/token", "times": "4"},
    )
    elsewhere = replace(refused, address="198.51.100.9")
    asyncio.run(_record(ready, sign_in, issued, refused, elsewhere))
    code, out, _ = run("relay", "explain", "1111111111111111", "--config", ready)
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("Then")] == [
        "Then        2023-11-14 22:13:20Z issued refresh_token, application wiki: explain 0a202933cc1a983d",
        "Then        2023-11-14 22:14:20Z refused invalid_grant, application wiki: explain 2222222222222222",
    ]
    _, out, _ = run("relay", "explain", "0a202933cc1a983d", "--config", ready)
    assert "Checks      all passed" in out
    assert "\x1b" not in out
    assert hashlib.sha256(TOKEN.encode()).hexdigest() not in out
    _, out, _ = run("relay", "explain", "2222222222222222", "--config", ready)
    assert "Checks      refused: the code was redeemed before (this entry stands for 4 refusals)" in out
    assert "Meaning     A code or refresh token was used before" in out
