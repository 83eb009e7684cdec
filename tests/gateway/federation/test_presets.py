"""Presets: each makes a trust that can be used, and says what to enter over there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.federation.presets import PresetUnfit, fill_paste, fill_preset, preset_names, read_preset, relay_addresses
from gateway.federation.trusts import OidcClient, SamlParty, Trust
from settings import SettingsFileError, load_settings

GIVEN = {
    "aws": {"account": "123456789012", "role": "Admin", "group": "AWS Admins"},
    "entra-saml": {"domain": "example.com"},
    "gitlab": {"host": "gitlab.example.com"},
    "google-workspace": {"domain": "example.com"},
    "grafana": {"host": "grafana.example.com"},
    "nextcloud": {"url": "https://cloud.example.com"},
    "salesforce": {"subdomain": "example"},
}
DOCUMENTED = {
    "aws": ("urn:amazon:webservices", "https://signin.aws.amazon.com/saml"),
    "entra-saml": ("urn:federation:MicrosoftOnline", "https://login.microsoftonline.com/login.srf"),
    "gitlab": ("gitlab", "https://gitlab.example.com/users/auth/openid_connect/callback"),
    "google-workspace": ("google.com/a/example.com", "https://www.google.com/a/example.com/acs"),
    "grafana": ("grafana", "https://grafana.example.com/login/generic_oauth"),
    "nextcloud": (
        "https://cloud.example.com/apps/user_saml/saml/metadata",
        "https://cloud.example.com/apps/user_saml/saml/acs",
    ),
    "salesforce": ("https://example.my.salesforce.com", "https://example.my.salesforce.com"),
}
"""Entity ID or client, and the address that answers go to, as the applications' documentation has them."""


def trust_of(name: str) -> Trust:
    """With a secret where it needs one."""
    document = fill_preset(read_preset(name), name, GIVEN[name])
    if 'protocol = "oidc"' in document:
        document += f'\n[[oidc.secrets]]\ndigest = "{"ab" * 32}"\n'
    return load_settings(Path("preset.toml"), Trust, document.encode())


def test_every_preset_is_tested() -> None:
    """The ones that are promised."""
    assert preset_names() == sorted(GIVEN) == sorted(DOCUMENTED)


@pytest.mark.parametrize("name", GIVEN)
def test_a_preset_makes_a_trust(name: str) -> None:
    """With the documented identifier and address."""
    trust, (identifier, address) = trust_of(name), DOCUMENTED[name]
    if trust.protocol == "oidc":
        assert (trust.client_id, trust.oidc.redirect_uris, trust.saml) == (identifier, (address,), SamlParty())
        assert trust.oidc.pkce == "required"
    else:
        consumers = [consumer.url for consumer in trust.saml.consumers]
        assert (trust.saml.entity_id, consumers, trust.oidc) == (identifier, [address], OidcClient())


@pytest.mark.parametrize("name", GIVEN)
def test_a_preset_says_what_to_enter(name: str) -> None:
    """No gap is left, and the relay's own addresses are in it."""
    values = {**GIVEN[name], **relay_addresses("https://signin.example.com/"), "client_id": name, "client_secret": "isc_x"}
    text = fill_paste(read_preset(name), values)
    assert not re.search(r"\$\{", text)
    assert "https://signin.example.com" in text
    assert all(value in text for value in GIVEN[name].values() if name not in {"aws", "google-workspace", "nextcloud"})


def test_what_is_missing_is_told_with_an_example() -> None:
    """All of it."""
    with pytest.raises(PresetUnfit, match=r"--set account=…  Number of the AWS account[^$]*--set role=…"):
        fill_preset(read_preset("aws"), "aws", {"group": "x"})
    with pytest.raises(PresetUnfit, match="there is no parameter 'hots'; there are host, admin_group"):
        fill_preset(read_preset("grafana"), "grafana", {"hots": "x"})
    with pytest.raises(PresetUnfit, match=r"there is no preset '\.\./x'"):
        read_preset("../x")


@pytest.mark.parametrize("value", ["", 'a"\nid = "x', "a\\u0022", "${issuer}", "a'''b", "x" * 501, "\x1b[2J"])
def test_a_value_stays_inside_its_quotes(value: str) -> None:
    """It cannot add settings to the trust, nor take the relay's values."""
    with pytest.raises(PresetUnfit, match="host"):
        fill_preset(read_preset("grafana"), "grafana", {"host": value})


@pytest.mark.parametrize("host", ["grafana.example.com@evil.example", "grafana.example.com#", "*.example.com", "a b"])
def test_a_value_makes_no_unsafe_address(host: str) -> None:
    """O01: the trust is judged as any other."""
    document = fill_preset(read_preset("grafana"), "grafana", {"host": host})
    with pytest.raises(SettingsFileError, match="redirect_uris"):
        load_settings(Path("preset.toml"), Trust, document.encode())
