"""The reference page says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.federation.claims import ClaimRule, ClaimsPolicy
from gateway.federation.claims.sources import FIELDS
from gateway.federation.claims.standard import ADDRESS_PARTS, OIDC_RULES, SAML_RULES
from gateway.federation.trusts import read_trust
from settings import settings_of

PAGE = (Path(__file__).parents[4] / "docs/reference/claims.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ROWS = re.findall(r"^\| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
NAMED = {name for first, _ in ROWS for name in re.findall(r"`([^`]+)`", first)}


def test_every_setting_and_source_has_a_row() -> None:
    """And so has each scope."""
    settings = {*settings_of(ClaimsPolicy), *settings_of(ClaimRule)} - {"rules"}
    scopes = {scope for rule in OIDC_RULES for scope in rule.scopes}
    assert settings | set(FIELDS) | {"source_anchor", "attribute:NAME"} | scopes | {"address"} == NAMED


def test_the_standard_claims_are_those_of_the_code() -> None:
    """By scope, in order."""
    rows = dict(ROWS)
    for scope in ("profile", "phone"):
        claims = [rule.claim for rule in OIDC_RULES if scope in rule.scopes]
        assert rows[f"`{scope}`"] == ", ".join(f"`{claim}`" for claim in claims)
    assert re.findall("`([a-z_]+)`", rows["`address`"]) == ["address", *ADDRESS_PARTS]
    assert all(f"`{rule.friendly_name}`" in PAGE for rule in SAML_RULES)


def test_defaults_are_those_of_the_code() -> None:
    """Of the policy."""
    for name, default in re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", PAGE, re.MULTILINE):
        if name in settings_of(ClaimsPolicy):
            kept = getattr(ClaimsPolicy(), name)
            assert default == (f'"{kept}"' if isinstance(kept, str) else str(kept).lower())


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_policy(example: str) -> None:
    """As it stands there, in a trust."""
    trust = 'id = "app"\nname = "App"\nprotocol = "saml"\n[saml]\nentity_id = "urn:app"\n'
    trust += '[[saml.consumers]]\nurl = "https://app.example.com/acs"\n'
    assert read_trust((trust + example).encode(), Path("app.toml")).claims.rules


def test_a_mistake_in_a_trust_names_its_line() -> None:
    """With file and key, from the reader of trusts."""
    document = 'id = "app"\nname = "App"\nprotocol = "saml"\n[saml]\nentity_id = "urn:app"\n'
    document += '[[saml.consumers]]\nurl = "https://app.example.com/acs"\n[[claims.rules]]\nclaim = "x"\nsource = "mial"\n'
    with pytest.raises(Exception, match=r"claims\.rules\[0\]\.source \(line 10\): 'mial' is not a source"):
        read_trust(document.encode(), Path("app.toml"))
