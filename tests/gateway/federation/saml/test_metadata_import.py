"""An application's metadata as a trust: what is taken, and what is said not to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from foundation.saml import read_party_metadata
from gateway.federation.claims import ClaimRule, ClaimsPolicy
from gateway.federation.saml import MetadataRefused, MetadataSource, import_metadata, party_of
from gateway.federation.trusts import SamlParty, Trust, read_trust, write_trust
from tests.foundation.saml.parties import party
from tests.foundation.saml.test_party_metadata import FULL, aggregate, entity, role, signed, thumbprint

NOW = 1_790_000_000.0
ENTITY = "https://grafana.example.com/saml/metadata"
ACS = "md:AssertionConsumerService"
BIND = "urn:oasis:names:tc:SAML:2.0:bindings"
WIDE = entity(
    role(
        "<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos</md:NameIDFormat>"
        "<md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>"
        f'<md:SingleLogoutService Binding="{BIND}:HTTP-Artifact" Location="https://g.example.com/artifact"/>'
        f'<md:SingleLogoutService Binding="{BIND}:HTTP-POST" Location="https://g.example.com/slo"/>'
        f'<{ACS} Binding="{BIND}:HTTP-Artifact" Location="https://g.example.com/acs0" index="0"/>'
        f'<{ACS} Binding="{BIND}:HTTP-POST" Location="https://g.example.com/acs1" index="1" isDefault="1"/>'
        f'<{ACS} Binding="{BIND}:HTTP-POST" Location="https://g.example.com/acs2" index="1" isDefault="1"/>'
        '<md:AttributeConsumingService index="0"><md:ServiceName xml:lang="en">G</md:ServiceName>'
        '<md:RequestedAttribute Name="mail"/><md:RequestedAttribute Name="role"/></md:AttributeConsumingService>'
    )
)
KEPT = Trust(
    id="grafana",
    name="Ours",
    protocol="saml",
    saml=SamlParty(entity_id=ENTITY, metadata_url="https://old.example.com/m", sign="response"),
    claims=ClaimsPolicy(rules=(ClaimRule(claim="mail", source="mail", single=True),)),
)


def test_from_a_file_everything_is_copied() -> None:
    """Addresses, certificates, name, format; and the trust reads back as the same."""
    found = import_metadata(MetadataSource(document=FULL.encode()), "grafana", None, NOW)
    party = found.trust.saml
    assert (found.trust.name, party.entity_id, party.metadata_url) == ("Grafana", ENTITY, "")
    assert [(row.url, row.index, row.default) for row in party.consumers] == [
        ("https://grafana.example.com/saml/acs", 0, False),
        ("http://localhost:3000/acs", 7, True),
    ]
    assert (len(party.certificates), party.require_signed_requests) == (2, True)
    assert party.encryption_certificate.startswith("-----BEGIN CERTIFICATE-----")
    assert party.logout_url == ""  # its answers go elsewhere, which a trust cannot say
    assert any("answers go to the same address" in line for line in found.dropped)
    assert any(line.startswith("validUntil 2027-01-01") for line in found.dropped)
    assert "unsigned requests are refused" in found.taken
    assert f"name, which users see: {found.trust.name}" in found.taken
    assert read_trust(write_trust(found.trust), Path("grafana.toml")) == found.trust


def test_from_an_address_the_relay_reads_it_itself() -> None:
    """So nothing is copied that would count instead of it; the signer is pinned."""
    source = MetadataSource(document=FULL.encode(), url="https://grafana.example.com/saml/metadata")
    party = import_metadata(source, "grafana", None, NOW).trust.saml
    assert (party.metadata_url, party.consumers, party.certificates) == (source.url, (), ())
    assert party.encryption_certificate == ""
    copied = import_metadata(MetadataSource(document=FULL.encode()), "grafana", None, NOW).trust
    again = import_metadata(source, "grafana", copied, NOW).trust.saml
    assert (again.consumers, again.certificates, again.encryption_certificate) == ((), (), "")
    with pytest.raises(MetadataRefused, match="not signed with the certificate"):
        import_metadata(replace(source, signer="0" * 64), "grafana", None, NOW)


def test_what_is_not_taken_is_said() -> None:
    """Bindings, second defaults, formats, attributes that no rule issues."""
    found = import_metadata(MetadataSource(document=WIDE.encode()), "grafana", None, NOW)
    party = found.trust.saml
    assert [(row.url[-4:], row.index, row.default) for row in party.consumers] == [("acs1", 1, True), ("acs2", 2, False)]
    assert (party.logout_url, party.logout_binding) == ("https://g.example.com/slo", "post")
    assert party.name_id_format.endswith("emailAddress")
    told = "\n".join(found.dropped)
    for words in (
        "acs0: responses go by HTTP-POST, not by HTTP-Artifact",
        "artifact (HTTP-Artifact): no binding for logout",
        "kerberos: not issued",
        "requested attribute mail: no rule",
        "requested attribute role: no rule",
    ):
        assert words in told, told


def test_what_is_said_of_logout_is_what_the_relay_does() -> None:
    """One rule for both: an address that no trust could name is no way to log out, though it is encrypted."""
    document = WIDE.replace("https://g.example.com/slo", "https://127。0。0。1/slo").encode()
    source = MetadataSource(document=document, url="https://g.example.com/metadata")
    found = import_metadata(source, "grafana", None, NOW)
    assert party_of(found.trust, read_party_metadata(document)).logout == ()
    assert not any(line.startswith("logout: ") for line in found.taken)
    assert "logout https://127。0。0。1/slo (HTTP-POST): not an address that a trust could name" in found.dropped


def test_a_trust_that_exists_keeps_what_metadata_does_not_say() -> None:
    """Name, claims, signature; the address that it was read from is another one now, or none."""
    found = import_metadata(MetadataSource(document=WIDE.encode()), "grafana", KEPT, NOW)
    assert (found.trust.name, found.trust.claims) == ("Ours", KEPT.claims)
    party = found.trust.saml
    assert (party.sign, party.metadata_url, party.name_id_format) == ("response", "", KEPT.saml.name_id_format)
    told = "\n".join(found.dropped)
    assert "requested attribute role" in told
    assert "requested attribute mail" not in told
    assert "emailAddress: the trust has another one" in told
    with pytest.raises(MetadataRefused, match="the party is"):
        import_metadata(MetadataSource(document=entity(None, "https://evil.example.com").encode()), "grafana", KEPT, NOW)


def test_no_document_takes_back_what_the_trust_demands() -> None:
    """S27: that requests are signed, and who signs the metadata; whoever has the address could write what they like."""
    url, pin = "https://grafana.example.com/saml/metadata", thumbprint(party("federation"))
    strict = replace(KEPT, saml=replace(KEPT.saml, metadata_url=url, metadata_signer=pin, require_signed_requests=True))
    with pytest.raises(MetadataRefused, match="not signed with the certificate"):
        import_metadata(MetadataSource(document=WIDE.encode(), url=url), "grafana", strict, NOW)
    kept = import_metadata(MetadataSource(document=signed(WIDE.encode()), url=url), "grafana", strict, NOW).trust.saml
    assert (kept.metadata_signer, kept.require_signed_requests) == (pin, True)


def test_of_several_one_is_named() -> None:
    """The error names them; what has ended is refused."""
    both = aggregate(entity(), entity(None, "https://other.example.com", number=2))
    with pytest.raises(MetadataRefused, match=f"2 entities; say which one is meant: {ENTITY}, https://other.example.com"):
        import_metadata(MetadataSource(document=both), "x", None, NOW)
    source = MetadataSource(document=both, entity_id="https://other.example.com")
    assert import_metadata(source, "x", None, NOW).trust.saml.entity_id == "https://other.example.com"
    over = entity(attributes='validUntil="2020-01-01T00:00:00Z"').encode()
    with pytest.raises(MetadataRefused, match="is over"):
        import_metadata(MetadataSource(document=over), "x", None, NOW)


def test_what_cannot_be_seen_does_not_get_into_a_trust() -> None:
    """A display name is cleaned, and what was left out is said; an entity ID is refused, since nobody may change it."""
    ours = '<mdui:DisplayName xml:lang="en">Grafana</mdui:DisplayName>'
    hostile = '<mdui:DisplayName xml:lang="en">\u202e Gra\n\u2028fana\u2066&#x80;\x9b</mdui:DisplayName>'
    source = MetadataSource(document=FULL.replace(ours, hostile).encode())
    found = import_metadata(source, "grafana", None, NOW)
    assert found.trust.name == "Gra fana"
    assert "of the display name: U+0080, U+009B, U+202E, U+2066, which cannot be seen" in found.dropped
    assert read_trust(write_trust(found.trust), Path("grafana.toml")) == found.trust
    kept = import_metadata(source, "grafana", KEPT, NOW)
    assert (kept.trust.name, kept.dropped[-1]) == ("Ours", "display name Gra fana: the trust keeps its name")
    nothing = MetadataSource(document=FULL.replace(ours, ours.replace("Grafana", "\u202e \u2069")).encode())
    assert import_metadata(nothing, "grafana", None, NOW).trust.name == "grafana"
    for hidden in ("\u202e", "&#10;", "\u2028", "&#x9b;"):
        with pytest.raises(MetadataRefused, match=r"its entity ID has characters that cannot be seen: 'https://g"):
            import_metadata(MetadataSource(document=FULL.replace(ENTITY, ENTITY + hidden).encode()), "grafana", None, NOW)


def test_names_of_several_entities_are_shown_as_they_are() -> None:
    """Not as lines or directions of their own."""
    both = aggregate(entity(), entity(entity_id="https://other.example\u202e&#10;Done.", number=2))
    with pytest.raises(MetadataRefused) as refused:
        import_metadata(MetadataSource(document=both), "x", None, NOW)
    assert str(refused.value).endswith(r"'https://other.example\u202e\nDone.'")
