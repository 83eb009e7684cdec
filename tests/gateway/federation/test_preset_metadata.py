"""Presets against metadata that the applications publish.

The documents have the values and the shape of copies in public repositories: of AWS (signin.aws.amazon.com/static/
saml-metadata.xml) in guides for Shibboleth; of Entra ID (nexus.microsoftonline-p.com/federationmetadata/saml20) in guides
for Keycloak and Gluu; of Google Workspace in those of LemonLDAP::NG and Gluu; of Nextcloud (php-saml) in Zitadel's guide and
authentik's fixtures; of Salesforce in exported settings. They are written anew, without signatures and certificates.
"""

from __future__ import annotations

import pytest

from gateway.federation.presets import preset_names
from gateway.federation.saml import MetadataSource, import_metadata
from gateway.federation.trusts import AssertionConsumer
from tests.gateway.federation.test_presets import trust_of

NOW = 1_790_000_000.0
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
BIND = "urn:oasis:names:tc:SAML:2.0:bindings"
FORMAT_1, FORMAT_2 = "urn:oasis:names:tc:SAML:1.1:nameid-format", "urn:oasis:names:tc:SAML:2.0:nameid-format"
AWS = "https://aws.amazon.com/SAML/Attributes"


def document(entity_id: str, formats: tuple[str, ...], services: str, attributes: tuple[str, ...] = ()) -> bytes:
    wanted = "".join(f'<RequestedAttribute isRequired="true" Name="{name}"/>' for name in attributes)
    if wanted:
        name = '<ServiceName xml:lang="en">Application</ServiceName>'
        wanted = f'<AttributeConsumingService index="1">{name}{wanted}</AttributeConsumingService>'
    names = "".join(f"<NameIDFormat>{name}</NameIDFormat>" for name in formats)
    role = f'<SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{names}{services}{wanted}'
    return f'<EntityDescriptor xmlns="{MD}" entityID="{entity_id}">{role}</SPSSODescriptor></EntityDescriptor>'.encode()


def consumer(url: str, index: int, binding: str = "HTTP-POST", more: str = "") -> str:
    return f'<AssertionConsumerService index="{index}" Binding="{BIND}:{binding}" Location="{url}" {more}/>'


LOGIN = "https://login.microsoftonline.com/login.srf"
CLOUD = "https://cloud.example.com/apps/user_saml/saml"
PUBLISHED = {
    "aws": document(
        "urn:amazon:webservices",
        (f"{FORMAT_2}:transient", f"{FORMAT_2}:persistent", f"{FORMAT_1}:emailAddress", f"{FORMAT_1}:X509SubjectName"),
        consumer("https://signin.aws.amazon.com/saml", 1, more='isDefault="true"'),
        (f"{AWS}/Role", f"{AWS}/RoleSessionName"),
    ),
    "entra-saml": document(
        "urn:federation:MicrosoftOnline",
        (f"{FORMAT_1}:emailAddress", "urn:mace:shibboleth:1.0:nameIdentifier", f"{FORMAT_2}:persistent"),
        f'<SingleLogoutService Binding="{BIND}:HTTP-POST" Location="{LOGIN}"/>'
        + consumer(LOGIN, 0, more='isDefault="true"')
        + consumer(LOGIN, 1, "HTTP-POST-SimpleSign")
        + consumer(LOGIN, 2, "PAOS"),
    ),
    "google-workspace": document(
        "google.com/a/example.com",
        (f"{FORMAT_1}:emailAddress",),
        consumer("https://www.google.com/a/example.com/acs", 1),
    ),
    "nextcloud": document(
        f"{CLOUD}/metadata",
        (f"{FORMAT_1}:unspecified",),
        f'<SingleLogoutService Binding="{BIND}:HTTP-Redirect" Location="{CLOUD}/sls"/>' + consumer(f"{CLOUD}/acs", 1),
    ),
    "salesforce": document(
        "https://example.my.salesforce.com",
        (f"{FORMAT_1}:unspecified",),
        consumer("https://example.my.salesforce.com", 0, more='isDefault="true"'),
    ),
}


def test_every_saml_preset_is_compared() -> None:
    """None is forgotten."""
    assert set(PUBLISHED) == {name for name in preset_names() if trust_of(name).protocol == "saml"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_agrees_with_what_is_published(name: str) -> None:
    """Entity ID, addresses with their indexes, a format that is taken, attributes that are demanded."""
    trust = trust_of(name)
    found = import_metadata(MetadataSource(document=PUBLISHED[name]), name, trust, NOW)
    told = "\n".join(found.dropped)
    assert "requested attribute" not in told, told
    assert [(row.url, row.index) for row in found.trust.saml.consumers] == [
        (row.url, row.index) for row in trust.saml.consumers
    ]
    assert default(found.trust.saml.consumers) == default(trust.saml.consumers)
    # persistent and unspecified are taken by whoever names neither: Nextcloud maps an attribute, not the NameID
    assert trust.saml.name_id_format.encode() in PUBLISHED[name] or name == "nextcloud"
    if trust.saml.logout_url:
        assert (found.trust.saml.logout_url, found.trust.saml.logout_binding) == (
            trust.saml.logout_url,
            trust.saml.logout_binding,
        )


def default(consumers: tuple[AssertionConsumer, ...]) -> str:
    return next((row.url for row in consumers if row.default), consumers[0].url)
