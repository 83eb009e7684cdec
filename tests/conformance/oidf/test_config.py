"""oidcc-config-certification-test-plan."""

from __future__ import annotations

import pytest

from tests.conformance.oidf.suite import Suite

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_oidcc_discovery_endpoint_verification(suite: Suite) -> None:
    """The document is JSON of this issuer, names what a client needs, by https; its keys are public, and strong enough."""
    async with suite.stand.client.get(f"{suite.stand.issuer}/.well-known/openid-configuration") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        said = await answer.json()
    assert said["issuer"] == suite.stand.issuer
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
        assert said[name].startswith("https://"), name
    assert all(url.startswith("https://") for name, url in said.items() if name.endswith(("_endpoint", "_uri")))
    assert "code" in said["response_types_supported"]
    assert set(said["subject_types_supported"]) <= {"public", "pairwise"}
    assert "RS256" in said["id_token_signing_alg_values_supported"]
    assert "openid" in said["scopes_supported"]
    assert "client_secret_basic" in said["token_endpoint_auth_methods_supported"]
    for endpoint in ("token", "introspection", "revocation"):  # RFC 8414 section 2: beside private_key_jwt it must be there
        assert "private_key_jwt" in said[f"{endpoint}_endpoint_auth_methods_supported"]
        assert "ES256" in said[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
    assert said["claims_parameter_supported"] is True
    keys = (await suite.keys()).as_dict(private=False)["keys"]
    names = [key["kid"] for key in keys]
    assert len(names) == len(set(names))
    assert not any({"d", "p", "q"} & set(key) for key in keys)
    assert all(len(key["n"]) >= 342 for key in keys if key["kty"] == "RSA")  # 2048 bits in base64
