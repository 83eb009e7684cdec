"""Trust documents: what is read, what is refused, and where the refusal points."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.federation.trusts import ClientSecret, Trust, read_trust, write_trust
from gateway.federation.trusts.addresses import application_url, browser_origin, redirect_address
from gateway.federation.trusts.switches import SWITCHES
from settings import SettingsFileError, Unfit, unfit_settings
from tests.gateway.federation.trusts.samples import DIGEST, OIDC, SAML, certificate, oidc, read, saml

PUBLIC_KEYS = json.dumps({"keys": [{"kty": "RSA", "n": "AQ", "e": "AQAB"}]})


def problems(trust: Trust) -> list[str]:
    """Keys and problems."""
    return [str(error) for error in trust.contradictions()]


@pytest.mark.parametrize("text", [OIDC, SAML])
def test_a_trust_is_read_and_written(text: str) -> None:
    """What is written is the same trust; it says no more than what was chosen."""
    trust = read(text)
    assert not list(unfit_settings(trust))
    assert read_trust(write_trust(trust), Path("again.toml")) == trust
    assert write_trust(trust).decode().strip() == text.strip()


def test_certificates_and_keys_keep_their_lines() -> None:
    """PEM and JSON with lines are written as they are pasted."""
    trust = saml(certificates=(certificate(),), require_signed_requests=True)
    assert read_trust(write_trust(trust), Path("again.toml")) == trust


def test_a_mistake_names_file_line_key_and_what_would_be_right() -> None:
    """All of them at once."""
    text = OIDC.replace("redirect_uris", "redirect_uri") + '[acces]\ngroups = ["Staff"]\n'
    with pytest.raises(SettingsFileError) as caught:
        read_trust(text.encode(), Path("wiki.toml"))
    told = str(caught.value)
    assert told.startswith("wiki.toml cannot be used:")
    assert "oidc.redirect_uri (line 7): no such setting; did you mean redirect_uris?" in told
    assert "acces (line 11): no such setting; did you mean access?" in told


def test_a_name_that_would_pass_for_another_one_is_refused() -> None:
    """It turns the direction of the page, or of a terminal."""
    with pytest.raises(SettingsFileError, match=r"name \(line 3\): has the character U\+202E, which cannot be seen"):
        read(OIDC.replace('name = "', 'name = "\u202e'))


def test_contradictions_are_told_with_their_line() -> None:
    """As single values are."""
    with pytest.raises(SettingsFileError, match=r"oidc\.redirect_uris\[0\] \(line 7\): .*is not encrypted"):
        read(OIDC.replace("https://wiki", "http://wiki"))


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("oidc.client_id: 'app ' is no client identifier", {"client_id": "app "}),
    ("oidc.client_id: '\u0430pp' is no client identifier", {"client_id": "\u0430pp"}),
    ("oidc.client_id: ", {"client_id": "x" * 257}),
    ("oidc.redirect_uris: is empty", {"redirect_uris": ()}),
    ("oidc.redirect_uris[0]: 'https://a.example/#x' has a fragment", {"redirect_uris": ("https://a.example/#x",)}),
    ("oidc.redirect_uris[0]: 'https://*.example.com/' has a wildcard", {"redirect_uris": ("https://*.example.com/",)}),
    ("oidc.redirect_uris[0]: 'com.example.app:/cb' is not an address", {"redirect_uris": ("com.example.app:/cb",)}),
    ("oidc.post_logout_redirect_uris[0]: 'http://a.example/'", {"post_logout_redirect_uris": ("http://a.example/",)}),
    ("oidc.origins: is for browser applications", {"origins": ("https://a.example",)}),
    ("oidc.resources[0]: 'api' is not an absolute URI", {"resources": ("api",)}),
    ("oidc.scopes[0]: 'a b' is not a scope", {"scopes": ("a b",)}),
    ("oidc.secrets: is needed for authentication = 'client_secret_basic'", {"secrets": ()}),
    ("oidc.secrets: has 3 secrets", {"secrets": tuple(ClientSecret(digest=digit * 64) for digit in "abc")}),
    ("oidc.secrets: is not used with authentication = 'none'", {"authentication": "none"}),
    ("oidc.authentication: cannot be kept by a native application", {"application": "native"}),
    ("oidc.authentication: cannot be kept by a browser application", {"application": "browser"}),
    ("oidc.jwks: is needed for private_key_jwt", {"authentication": "private_key_jwt", "secrets": ()}),
    ("oidc.jwks: cannot be together", {"jwks": PUBLIC_KEYS, "jwks_uri": "https://a.example/jwks"}),
    ("oidc.jwks: is not a JSON Web Key Set", {"jwks": "{"}),
    ("oidc.jwks: is not a JSON Web Key Set", {"jwks": "[" * 100_000}),
    ("oidc.jwks: has no keys", {"jwks": '{"keys": []}'}),
    ("oidc.jwks: has no keys in it, or what is none", {"jwks": '{"keys": ["x"]}'}),
    (
        "oidc.jwks: has a private or a symmetric key",
        {"jwks": '{"keys": [{"kty": "RSA", "n": "AQ", "e": "AQAB", "d": "AQ"}]}'},
    ),
    ("oidc.jwks: has a private or a symmetric key", {"jwks": '{"keys": [{"kty": "oct", "k": "AQ"}]}'}),
    ("oidc.grants: is empty", {"grants": ()}),
    ("oidc.grants: refresh_token comes", {"grants": ("client_credentials", "refresh_token")}),
    ("oidc.grants: client_credentials needs", {"authentication": "none", "secrets": (), "grants": ("client_credentials",)}),
    ("oidc.introspects: needs a client", {"authentication": "none", "secrets": (), "introspects": True}),
    ("oidc.pkce: cannot be optional", {"authentication": "none", "secrets": (), "pkce": "optional"}),
    ("oidc.sector: is used with", {"sector": "a.example"}),
    (
        "oidc.sector: is needed where",
        {"subject": "pairwise", "redirect_uris": ("https://a.example/", "https://b.example/")},
    ),
    ("oidc.backchannel_logout_uri: is needed", {"backchannel_logout_session_required": True}),
]


@pytest.mark.parametrize(("problem", "changes"), REFUSED)
def test_a_client_that_contradicts_itself(problem: str, changes: dict[str, Any]) -> None:
    """One problem, with its key."""
    (found,) = problems(oidc(**changes))
    assert found.startswith(problem)


REFUSED_PARTIES: list[tuple[str, dict[str, Any]]] = [
    ("saml.entity_id: is missing", {"entity_id": ""}),
    ("saml.entity_id: ", {"entity_id": "x" * 1025}),
    ("saml.entity_id: ", {"entity_id": " https://crm.example.com"}),
    ("saml.entity_id: 'https://crm\\u202e.example.com' is no", {"entity_id": "https://crm\u202e.example.com"}),
    ("saml.metadata_signer: is used with metadata_url only", {"metadata_signer": DIGEST}),
    ("saml.consumers: is empty", {"consumers": ()}),
    ("saml.certificates: is needed to verify", {"require_signed_requests": True}),
    ("saml.certificates[0]: is not one certificate in PEM", {"certificates": ("nothing",)}),
    ("saml.encryption_certificate: is not one certificate in PEM", {"encryption_certificate": "nothing"}),
    ("saml.encryption_certificate: is needed to encrypt", {"encrypt": True}),
    ("saml.encryption_certificate: is needed to encrypt", {"encrypt_name_id": True}),
    ("saml.name_id_format: 'x' is no format", {"name_id_format": "x"}),
    ("saml.relay_state: is used with idp_initiated only", {"relay_state": "/start"}),
]


@pytest.mark.parametrize(("problem", "changes"), REFUSED_PARTIES)
def test_a_party_that_contradicts_itself(problem: str, changes: dict[str, Any]) -> None:
    """One problem, with its key."""
    (found,) = problems(saml(**changes))
    assert found.startswith(problem)


def test_two_certificates_in_one_text_are_refused() -> None:
    """Which of them signs would be a guess."""
    assert problems(saml(certificates=(certificate() * 2,))) == [
        "saml.certificates[0]: is not one certificate in PEM; paste it with its lines BEGIN CERTIFICATE and END CERTIFICATE"
    ]


def test_consumers_are_told_apart() -> None:
    """By index, and there is one default."""
    (consumer,) = read(SAML).saml.consumers
    other = replace(consumer, url="https://crm.example.com/other")
    assert [line.partition(";")[0] for line in problems(saml(consumers=(consumer, other)))] == [
        "saml.consumers[1].index: 0 is there twice"
    ]
    both = (replace(consumer, default=True), replace(other, default=True, index=1))
    assert problems(saml(consumers=both)) == ["saml.consumers: has several defaults; set default on one of them"]


def test_the_other_protocols_part_is_refused() -> None:
    """It would be settings that do nothing."""
    mixed = replace(read(SAML), oidc=read(OIDC).oidc)
    assert problems(mixed) == ["oidc: belongs to the protocol oidc, and this trust's is saml; leave it out"]


def test_mistakes_of_the_claims_policy_are_the_trusts() -> None:
    """With their line."""
    with pytest.raises(SettingsFileError, match=r"claims\.rules\[0\]\.match \(line 15\)"):
        read(OIDC + '\n[[claims.rules]]\nclaim = "roles"\nsource = "mail"\nmatch = "(?=x)"\n')


def test_a_switch_of_the_other_protocol_is_refused() -> None:
    """It would do nothing."""
    mixed = replace(read(OIDC), switches={"escape_plus": True})
    assert problems(mixed) == ["switches.escape_plus: is a switch of the protocol saml; leave it out"]


def test_an_unknown_switch_is_refused() -> None:
    """A slip of the keyboard switches nothing on."""
    mixed = replace(read(SAML), switches={"sha0": True})
    assert problems(mixed) == ["switches.sha0: no such switch; docs/reference/trusts.md lists them"]


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example.com/cb",
        "https://app.example.com:8443/cb?x=1",
        "http://127.0.0.1:8080/cb",
        "http://[::1]/cb",
        "http://localhost/cb",
    ],
)
def test_addresses_that_answers_may_go_to(address: str) -> None:
    """HTTPS, or this machine."""
    application_url(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://app.example.com/cb",
        "http://127.0.0.1.example.com/cb",
        "http://localhost.example.com/cb",
        "https://app.example.com@evil.example/cb",
        "https://app.example.com\\@evil.example/cb",
        "https://app.example.com/cb#fragment",
        "https://app.example.com/cb#",
        "https:///cb",
        "https:app.example.com",
        "//app.example.com/cb",
        "/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://app.example.com/a b",
        "https://app.example.com/\ncb",
        "https://app.example.com:99999/cb",
        "https://127。0。0。1/cb",
        "https://\uff11\uff12\uff17.0.0.1/cb",
        "https://①27.0.0.1/cb",
        "https://ⓐpp.example.com/cb",
    ],
)
def test_addresses_that_answers_may_not_go_to(address: str) -> None:
    """O01: none of them can stand in a trust, so none can be matched; nor can a name that becomes another host's."""
    with pytest.raises(Unfit):
        application_url(address)


@pytest.mark.parametrize(
    "address", ["com.example.app:/cb", "com.example.app:/", "http://127.0.0.1/cb", "https://a.example/cb"]
)
def test_addresses_of_native_applications(address: str) -> None:
    """A scheme that is the maker's name in reverse, loopback, or a claimed HTTPS address (RFC 8252 section 7)."""
    redirect_address(address, native=True)


@pytest.mark.parametrize(
    "address", ["myapp:/cb", "javascript:/x", "com.example.app://cb", "com.example.app:/cb#", "data:,x"]
)
def test_schemes_that_anybody_may_take(address: str) -> None:
    """O01: a scheme without a name in it is another application's tomorrow."""
    with pytest.raises(Unfit):
        redirect_address(address, native=True)


@pytest.mark.parametrize(
    "origin", ["https://a.example/", "https://A.example", "null", "*", "https://a.example?x", "http://a.example"]
)
def test_what_is_no_origin(origin: str) -> None:
    """It is compared with the browser's header as it is."""
    with pytest.raises(Unfit):
        browser_origin(origin)


@pytest.mark.parametrize("setting", ["code = 61", "code = -1", "assertion = 1e12"])
def test_lifetimes_have_bounds(setting: str) -> None:
    """O02: a code lives a minute at most."""
    with pytest.raises(SettingsFileError, match="lifetimes"):
        read(OIDC + f"[lifetimes]\n{setting}\n")


def test_zero_means_the_relays_default() -> None:
    """Also where it is written."""
    trust = read(OIDC + "[lifetimes]\ncode = 0\n")
    assert {getattr(trust.lifetimes, field.name) for field in fields(trust.lifetimes)} == {0.0}


@pytest.mark.parametrize("name", ["", "Wiki", "a/b", "../x", "-a", "a" * 65, "a\nb"])
def test_names_that_no_trust_has(name: str) -> None:
    """It is part of addresses and of file names."""
    with pytest.raises(SettingsFileError, match="id"):
        read(OIDC.replace('"wiki"', json.dumps(name), 1))


@pytest.mark.parametrize("digest", ["", "s3cret", "AB" * 32, "ab" * 31])
def test_a_secret_stands_as_its_digest(digest: str) -> None:
    """Never as it is; and a refusal, which is logged, does not repeat what was put there."""
    with pytest.raises(SettingsFileError, match="digest") as caught:
        read(OIDC.replace(DIGEST, digest))
    assert not digest or digest not in str(caught.value)


def test_every_switch_is_documented() -> None:
    """In the reference, in the words of the code."""
    page = (Path(__file__).parents[4] / "docs/reference/trusts.md").read_text(encoding="utf-8")
    for name, switch in SWITCHES.items():
        assert f"| `{name}` | {switch.protocol} | {switch.meaning} |" in page


def test_the_documented_example_is_a_trust() -> None:
    """But for the digest, which is nobody's."""
    page = (Path(__file__).parents[4] / "docs/reference/trusts.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert read(example.replace("…", DIGEST)).access.groups == ("CORP\\Wiki Users",)
