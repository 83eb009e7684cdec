"""Federation, put together: keys come with the first trust, and their lack keeps nobody from starting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from structlog.typing import EventDict

from gateway.federation.keys import NoSigningKey
from gateway.federation.provider import subject_secret
from tests.gateway.federation.oidc.stand import APP, oidc_stand
from tests.support.nodes import address_of, trusting_client
from tests.support.relay_and_agent import relay


async def test_a_relay_without_trusts_makes_no_keys(tmp_path: Path) -> None:
    """And shows an empty key set."""
    async with relay(tmp_path) as running:
        assert running.federation.keys.jwks() == {"keys": []}
        assert await running.store.signing_keys.all() == []


async def test_what_is_signed_by_no_key_yet_is_neither_given_nor_cached_nor_logged_as_an_error(
    tmp_path: Path, logs: list[EventDict]
) -> None:
    """Metadata and key set of a relay without applications, asked for by whoever is early."""
    async with relay(tmp_path) as running, trusting_client(tmp_path) as client:
        async with client.get(address_of(running) + "/saml/metadata") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
            assert "no metadata yet" in await answer.text()
            assert answer.headers["Cache-Control"] == "no-store"
        async with client.get(address_of(running) + "/oidc/jwks") as answer:
            assert await answer.json(content_type=None) == {"keys": []}
            assert answer.headers["Cache-Control"] == "public, max-age=0"
        assert not [line for line in logs if line["log_level"] in {"error", "critical"}]


async def test_without_a_key_the_relay_serves_and_the_application_gets_an_error(
    tmp_path: Path, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another node makes them, and has died meanwhile."""
    async with oidc_stand(tmp_path, replace(APP, enabled=False)) as stand:

        async def lost() -> None:
            raise NoSigningKey("oidc", "ES256")

        monkeypatch.setattr(stand.relay.federation.keys, "begin", lost)
        await stand.trust(APP)
        assert "federation.key_missing" in {line["event"] for line in logs}
        arrival = await stand.signed_in(stand.browser())
        status, body = await stand.redeem(arrival.code)
        assert (status, body["error"]) == (500, "server_error")


def test_subjects_have_a_key_of_their_own() -> None:
    """Derived, the same each time, and of another secret another one."""
    assert subject_secret(b"a" * 32) == subject_secret(b"a" * 32)
    assert len({subject_secret(b"a" * 32), subject_secret(b"b" * 32), b"a" * 32}) == 3
