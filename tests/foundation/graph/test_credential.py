"""Signing in, with the real msal against the fake's token endpoint."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from adfs_mgmt.trust import EntraSettings
from adfs_mgmt.trust.reader import read_tenant
from foundation.graph import (
    ApplicationCredential,
    CredentialUnusable,
    Graph,
    GraphError,
    PermissionMissing,
    SignInRefused,
    Unreachable,
)
from tests.adfs.trust.conftest import EVERYTHING, Naps, settings_for
from tests.fakes.graph import FakeGraph, make_certificate
from tests.fakes.graph.pki import key_pem, pem

WRONG = "hunter2-hunter2-hunter2"


async def _refusal(settings: EntraSettings) -> SignInRefused:
    async with Graph(settings) as graph:
        with pytest.raises(SignInRefused) as caught:
            await read_tenant(graph, 0)
    return caught.value


async def test_a_wrong_secret_is_tried_once(tenant: FakeGraph, tmp_path: Path) -> None:
    """Whatever is asked afterwards, the token endpoint hears of a wrong secret once; no error shows it."""
    settings = settings_for(tenant, tenant.register("app", roles=EVERYTHING), tmp_path)
    assert settings.secret_file is not None
    settings.secret_file.write_text(WRONG)
    async with Graph(settings) as graph:
        for _ in range(3):
            with pytest.raises(SignInRefused, match="secret_file") as caught:
                await read_tenant(graph, 0)
    assert tenant.identity.attempts == 1
    assert caught.value.code == "AADSTS7000215"
    assert WRONG not in str(caught.value) + repr(caught.value) + repr(graph) + repr(settings)


async def test_an_expired_secret_says_so(tenant: FakeGraph, tmp_path: Path) -> None:
    """AADSTS7000222 is told apart from a wrong one."""
    application = tenant.register("app", roles=EVERYTHING)
    application.secret_ends = time.time() - 1
    refused = await _refusal(settings_for(tenant, application, tmp_path))
    assert (refused.code, refused.reason) == ("AADSTS7000222", "the secret has expired")


async def test_an_unknown_application(tenant: FakeGraph, tmp_path: Path) -> None:
    """AADSTS700016 leads to client_id and tenant."""
    settings = settings_for(tenant, tenant.register("app"), tmp_path, client_id="00000000-0000-0000-0000-000000000001")
    refused = await _refusal(settings)
    assert refused.code == "AADSTS700016"
    assert "client_id" in refused.remedy


async def test_an_unknown_tenant(tenant: FakeGraph, tmp_path: Path) -> None:
    """A tenant that is not there fails in discovery, before the secret is sent."""
    refused = await _refusal(settings_for(tenant, tenant.register("app"), tmp_path, tenant="nowhere.example"))
    assert refused.code == "AADSTS90002"
    assert "nowhere.example" in str(refused)
    assert tenant.identity.attempts == 0


async def test_a_disabled_application(tenant: FakeGraph, tmp_path: Path) -> None:
    """AADSTS7000112 says where it is enabled."""
    application = tenant.register("app")
    application.enabled = False
    assert "Enterprise applications" in (await _refusal(settings_for(tenant, application, tmp_path))).remedy


def _with_certificate(tenant: FakeGraph, tmp_path: Path, *, registered: bool) -> EntraSettings:
    now = time.time()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = make_certificate("app", begins=now - 60, ends=now + 86400, key=key)
    other = make_certificate("other", begins=now - 60, ends=now + 86400)
    application = tenant.register("app", roles=EVERYTHING, certificates=[certificate if registered else other])
    file = tmp_path / "app.pem"
    file.write_bytes(key_pem(key) + pem(certificate))
    file.chmod(0o600)
    return settings_for(tenant, application, tmp_path, certificate_file=file, secret_file=None)


async def test_a_certificate_signs_in(tenant: FakeGraph, tmp_path: Path) -> None:
    """RFC 7523: the assertion that msal makes of our PEM is accepted: signature, thumbprint, audience, times."""
    async with Graph(_with_certificate(tenant, tmp_path, registered=True)) as graph:
        assert (await read_tenant(graph, 0)).domains


async def test_an_unregistered_certificate(tenant: FakeGraph, tmp_path: Path) -> None:
    """AADSTS700027 leads to the upload."""
    refused = await _refusal(_with_certificate(tenant, tmp_path, registered=False))
    assert refused.code == "AADSTS700027"
    assert "Upload" in refused.remedy


async def test_one_token_serves_many_requests(graph: Graph, tenant: FakeGraph) -> None:
    """msal's cache is used: no sign-in for each request."""
    await read_tenant(graph, 0)
    await read_tenant(graph, 0)
    assert tenant.identity.attempts == 1


async def test_an_expired_token_is_renewed_once(graph: Graph, tenant: FakeGraph) -> None:
    """Graph's 401 for a token that expired early brings a fresh one, and the request is done."""
    await read_tenant(graph, 0)
    start = tenant.clock()
    tenant.clock = lambda: start + 4000
    assert (await read_tenant(graph, 0)).domains
    assert tenant.identity.attempts == 2


async def test_a_token_for_something_else_is_not_renewed_for_ever(graph: Graph, tenant: FakeGraph) -> None:
    """A token that Graph never accepts ends in an error after one renewal."""
    tenant.identity.audience = "https://management.azure.com"
    with pytest.raises(PermissionMissing, match="does not accept our token"):
        await read_tenant(graph, 0)
    assert tenant.identity.attempts == 2


async def test_an_untrusted_authority_gets_no_secret(tenant: FakeGraph, tmp_path: Path) -> None:
    """TLS is verified before anything is sent, even where the environment names a CA of its own for `requests`."""
    settings = settings_for(tenant, tenant.register("app"), tmp_path, tls_ca_file=None)
    async with Graph(settings) as graph:
        with pytest.raises(Unreachable, match="not trusted here"):
            await read_tenant(graph, 0)
    assert tenant.identity.attempts == 0


async def test_our_ca_wins_over_the_environments(
    tenant: FakeGraph, settings: EntraSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`requests` would take REQUESTS_CA_BUNDLE over what a session was told."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    async with Graph(settings) as graph:
        assert (await read_tenant(graph, 0)).domains


async def test_an_authority_out_of_reach(tenant: FakeGraph, tmp_path: Path) -> None:
    """Nobody listening is an error with the host's name."""
    settings = settings_for(tenant, tenant.register("app"), tmp_path, authority="https://127.0.0.1:9")
    async with Graph(settings) as graph:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1 cannot be reached"):
            await read_tenant(graph, 0)


@pytest.mark.parametrize("path", ["openid-configuration", "oauth2"])
async def test_a_sick_authority(graph: Graph, tenant: FakeGraph, path: str) -> None:
    """5xx at sign-in is no refusal: it may be tried again."""
    tenant.fault(503, 10, path=path)
    with pytest.raises(GraphError) as caught:
        await read_tenant(graph, 0)
    assert not isinstance(caught.value, SignInRefused)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"error": 7}', b'"text"', b"null"])
async def test_an_authority_that_answers_rubbish(graph: Graph, tenant: FakeGraph, body: bytes) -> None:
    """Whatever the sign-in endpoint answers, our own error comes of it."""
    tenant.fault(path="oauth2", times=5, body=body)
    with pytest.raises(GraphError):
        await read_tenant(graph, 0)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'"text"', b"null", b'{"token_endpoint": 7}'])
async def test_discovery_that_answers_rubbish(graph: Graph, tenant: FakeGraph, body: bytes) -> None:
    """Likewise what OpenID Connect discovery answers."""
    tenant.fault(path="openid-configuration", times=5, body=body)
    with pytest.raises(GraphError):
        await read_tenant(graph, 0)


async def test_a_secret_that_others_may_read_is_not_used(tenant: FakeGraph, settings: EntraSettings) -> None:
    """The mode of the secret's file is checked, and chmod named."""
    assert settings.secret_file is not None
    settings.secret_file.chmod(0o644)
    async with Graph(settings) as graph:
        with pytest.raises(CredentialUnusable, match="chmod 600"):
            await read_tenant(graph, 0)
    assert tenant.identity.attempts == 0


async def test_settings_without_a_credential(tenant: FakeGraph, tmp_path: Path) -> None:
    """Neither certificate nor secret: the settings are named."""
    settings = settings_for(tenant, tenant.register("app"), tmp_path, secret_file=None)
    assert "certificate_file" in str(await _refusal(settings))


async def test_a_missing_secret_file(tenant: FakeGraph, tmp_path: Path, naps: Naps) -> None:
    """The file that is not there is named."""
    settings = settings_for(tenant, tenant.register("app"), tmp_path, secret_file=tmp_path / "gone")
    async with Graph(settings, sleep=naps) as graph:
        with pytest.raises(CredentialUnusable, match="gone"):
            await read_tenant(graph, 0)


def test_nothing_of_the_credential_is_shown(settings: EntraSettings) -> None:
    """A ApplicationCredential shows who, never with what."""
    assert settings.secret_file is not None
    assert settings.secret_file.read_text().strip() not in repr(ApplicationCredential(settings))


@pytest.mark.parametrize(
    "content", [b"", b"no pem at all", key_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))]
)
async def test_a_certificate_file_that_is_none(tenant: FakeGraph, tmp_path: Path, content: bytes) -> None:
    """A file without key or certificate is named, and nothing is sent."""
    file = tmp_path / "app.pem"
    file.write_bytes(content)
    file.chmod(0o600)
    settings = settings_for(tenant, tenant.register("app"), tmp_path, certificate_file=file)
    async with Graph(settings) as graph:
        with pytest.raises(CredentialUnusable, match=r"app\.pem"):
            await read_tenant(graph, 0)
    assert tenant.identity.attempts == 0
