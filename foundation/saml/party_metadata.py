"""Metadata of a service provider: where its responses go, and whose signatures are its own. Hostile input is expected.

(saml-metadata-2.0-os section 2.4.4.) CPU only. The document is one EntityDescriptor, or a list in which the party is looked
up by its entity ID. Where a signer is pinned, only what that certificate's key has signed is read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml import etree  # type: ignore[import-untyped]

from certs import Certificate, CertificateUnreadable, normal_thumbprint, read_certificate
from foundation.saml.enveloped_signature import verify_enveloped
from foundation.saml.errors import SamlError, as_saml_error
from foundation.saml.metadata import MAX_METADATA_BYTES, key_certificates
from foundation.saml.nodes import (
    DS,
    METADATA,
    attribute,
    base64_bytes,
    boolean,
    local_name,
    moment,
    number,
    parse_message,
    text_of,
)

MAX_ENDPOINTS = 100
"""Of one kind. Some parties have one for each of their customers."""
_WHAT = "party's metadata"
_NAMED = 10
"""Entities that an error names."""
_LONGEST_SHOWN = 200
"""Characters of an ID that an error repeats in ASCII."""
_PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
_ENTITY, _ENTITIES = f"{METADATA}EntityDescriptor", f"{METADATA}EntitiesDescriptor"
_UI = "{urn:oasis:names:tc:SAML:metadata:ui}"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_DURATION = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})(?:\.\d+)?S)?)?"
)
_UNITS = (365 * 86400, 30 * 86400, 86400, 3600, 60, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyEndpoint:
    """An address of the party."""

    binding: str
    url: str
    response_url: str = ""
    """Where answers go; empty: to `url`, too."""
    index: int = 0
    default: bool = False

    @property
    def encrypted(self) -> bool:
        """Whether what is sent there goes by HTTPS."""
        return all(urlsplit(url).scheme == "https" for url in (self.url, self.response_url) if url)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyDescription:
    """What its metadata says of a service provider."""

    entity_id: str
    consumers: tuple[PartyEndpoint, ...]
    """Assertion consumer services, in document order."""
    logout: tuple[PartyEndpoint, ...] = ()
    signing: tuple[Certificate, ...] = ()
    encryption: tuple[Certificate, ...] = ()
    encryption_methods: tuple[str, ...] = ()
    """Algorithms that it says it can decrypt; empty: it does not say."""
    unreadable: tuple[str, ...] = ()
    """Why certificates of it are in neither."""
    want_assertions_signed: bool = False
    requests_signed: bool = False
    """AuthnRequestsSigned: it says that it signs each of them."""
    name_id_formats: tuple[str, ...] = ()
    requested_attributes: tuple[str, ...] = ()
    """Names of the attributes that it asks for (section 2.4.4.2)."""
    logos: tuple[str, ...] = ()
    """Addresses of its logos (sstc-saml-metadata-ui section 2.1.5), over HTTPS; those without a language first."""
    display_name: str = ""
    """For people; English where there are several."""
    valid_until: float = 0.0
    """Unix seconds, the earliest that the document names; 0: it names none."""
    cache_duration: float = 0.0
    """Seconds, the shortest that the document names; 0: it names none."""
    signed_by: Certificate | None = None
    """The pinned certificate, where one was asked for."""


def read_party_metadata(data: bytes, *, entity_id: str = "", signer: str = "") -> PartyDescription:
    """What the document says of the party, which is the one with `entity_id`, or the only one.

    `signer` is the SHA-256 thumbprint of the certificate that has to have signed the whole document: other certificates, and
    unsigned documents, are then refused. Raises SamlError. Whether it is still valid is for others to say.
    """
    pinned = None
    if signer:
        pinned = _pinned(data, signer)
        data = verify_enveloped(
            data, [pinned], _WHAT, root_tags=(_ENTITY, _ENTITIES), max_bytes=MAX_METADATA_BYTES, comments=True
        ).document
    root = parse_message(data, _WHAT, MAX_METADATA_BYTES, comments=True)
    with as_saml_error():
        return _described(_entity(root, entity_id), pinned)


def _pinned(data: bytes, signer: str) -> Certificate:
    """The certificate in the root's signature, if it is the pinned one. What it signs is verified afterwards."""
    root = parse_message(data, _WHAT, MAX_METADATA_BYTES, comments=True)
    wanted = normal_thumbprint(signer)
    for element in root.iterfind(f"{DS}Signature/{DS}KeyInfo/{DS}X509Data/{DS}X509Certificate"):
        der = base64_bytes(element.text or "", _WHAT, "X509Certificate")
        if hashlib.sha256(der).hexdigest().upper() == wanted:
            try:
                return read_certificate(der, _WHAT)
            except CertificateUnreadable as error:
                raise SamlError(error.what, error.reason) from error
    raise SamlError(_WHAT, "it is not signed with the certificate that is expected")


def _entity(root: etree._Element, entity_id: str) -> etree._Element:
    if root.tag not in (_ENTITY, _ENTITIES):
        raise SamlError(_WHAT, f"its root is {local_name(root)}")
    entities = [root] if root.tag == _ENTITY else list(root.iter(_ENTITY))
    found = [entity for entity in entities if not entity_id or entity.get("entityID") == entity_id]
    if len(found) == 1:
        return found[0]
    if entity_id:
        raise SamlError(_WHAT, f"it describes {len(found)} entities of the expected ID")
    names = [_printable(str(entity.get("entityID"))) for entity in found[:_NAMED]] + ["…"] * (len(found) > _NAMED)
    raise SamlError(_WHAT, f"it describes {len(found)} entities; say which one is meant: {', '.join(names)}")


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name[:_LONGEST_SHOWN])


def _described(entity: etree._Element, signed_by: Certificate | None) -> PartyDescription:
    role = _role(entity)
    consumers = _endpoints(role, "AssertionConsumerService")
    if not consumers:
        raise SamlError(_WHAT, "it names no assertion consumer service")
    entity_id = attribute(entity, "entityID", _WHAT)
    if not entity_id:
        raise SamlError(_WHAT, "it has no entity ID")
    if not entity_id.isprintable():  # it ends in logs and on terminals
        raise SamlError(_WHAT, f"its entity ID has characters that cannot be seen: {_printable(entity_id)}")
    signing, unreadable = key_certificates(role, "signing")
    encryption, more = key_certificates(role, "encryption")
    return PartyDescription(
        entity_id=entity_id,
        consumers=consumers,
        logout=_endpoints(role, "SingleLogoutService"),
        signing=signing,
        encryption=encryption,
        encryption_methods=_encryption_methods(role),
        unreadable=tuple(dict.fromkeys((*unreadable, *more))),
        want_assertions_signed=boolean(role, "WantAssertionsSigned", _WHAT),
        requests_signed=boolean(role, "AuthnRequestsSigned", _WHAT),
        name_id_formats=tuple(text_of(element, _WHAT) for element in _bounded(role, "NameIDFormat")),
        requested_attributes=_requested_attributes(role),
        logos=_logos(role),
        display_name=_display_name(entity, role),
        valid_until=min(filter(None, (moment(element, "validUntil", _WHAT) for element in _around(role))), default=0.0),
        cache_duration=min(filter(None, map(_cache_duration, _around(role))), default=0.0),
        signed_by=signed_by,
    )


def _role(entity: etree._Element) -> etree._Element:
    """A party may describe what it speaks by other protocols, too."""
    roles = entity.findall(f"{METADATA}SPSSODescriptor")
    found = [role for role in roles if _PROTOCOL in role.get("protocolSupportEnumeration", "").split()]
    if len(found) != 1:
        raise SamlError(_WHAT, f"it describes {len(found)} service providers of SAML 2.0 instead of one")
    return found[0]


def _around(role: etree._Element) -> Iterator[etree._Element]:
    """It and what it stands in: each may limit how long it holds."""
    yield role
    yield from role.iterancestors(_ENTITY, _ENTITIES)


def _bounded(role: etree._Element, name: str) -> list[etree._Element]:
    found = list(role.findall(f"{METADATA}{name}"))
    if len(found) > MAX_ENDPOINTS:
        raise SamlError(_WHAT, f"more than {MAX_ENDPOINTS} elements {name}")
    return found


def _endpoints(role: etree._Element, name: str) -> tuple[PartyEndpoint, ...]:
    return tuple(_endpoint(element) for element in _bounded(role, name))


def _endpoint(element: etree._Element) -> PartyEndpoint:
    return PartyEndpoint(
        binding=attribute(element, "Binding", _WHAT),
        url=_address(element, "Location"),
        response_url=_address(element, "ResponseLocation") if element.get("ResponseLocation") else "",
        index=number(element, "index", _WHAT) or 0,
        default=boolean(element, "isDefault", _WHAT),
    )


def _address(element: etree._Element, name: str) -> str:
    """A page's form is sent there: nothing but an address of the web, without user information and fragment."""
    url = attribute(element, name, _WHAT).strip()
    try:
        parts = urlsplit(url)
        plain = parts.username is None and parts.port != 0 and not parts.fragment
    except ValueError as error:
        raise SamlError(_WHAT, f"its {name} is not an address") from error
    clean = url.isprintable() and not any(character in url for character in " \\\"'<>")
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain or not clean:
        raise SamlError(_WHAT, f"a {name} of its {local_name(element)} is not an address of the web")
    return url


def _encryption_methods(role: etree._Element) -> tuple[str, ...]:
    descriptors = [row for row in role.findall(f"{METADATA}KeyDescriptor") if row.get("use", "encryption") == "encryption"]
    found = [attribute(method, "Algorithm", _WHAT) for row in descriptors for method in _bounded(row, "EncryptionMethod")]
    return tuple(dict.fromkeys(found))


def _requested_attributes(role: etree._Element) -> tuple[str, ...]:
    services = _bounded(role, "AttributeConsumingService")
    found = [attribute(row, "Name", _WHAT) for service in services for row in _bounded(service, "RequestedAttribute")]
    return tuple(dict.fromkeys(found))


def _logos(role: etree._Element) -> tuple[str, ...]:
    found = list(role.findall(f"{METADATA}Extensions/{_UI}UIInfo/{_UI}Logo"))[:MAX_ENDPOINTS]
    found.sort(key=lambda logo: logo.get(_LANG, "") not in {"", "en"})
    urls = [text_of(logo, _WHAT).strip() for logo in found]
    return tuple(url for url in urls if url.startswith("https://") and url.isprintable())


def _display_name(entity: etree._Element, role: etree._Element) -> str:
    names = [
        *role.findall(f"{METADATA}Extensions/{_UI}UIInfo/{_UI}DisplayName"),
        *entity.findall(f"{METADATA}Organization/{METADATA}OrganizationDisplayName"),
    ]
    names.sort(key=lambda name: name.get(_LANG, "en") != "en")
    return text_of(names[0], _WHAT) if names else ""


def _cache_duration(element: etree._Element) -> float:
    """xs:duration, in seconds; months and years by their usual length."""
    value = attribute(element, "cacheDuration", _WHAT).strip()
    if not value:
        return 0.0
    found = _DURATION.fullmatch(value)
    if found is None or not any(found.groups()):
        raise SamlError(_WHAT, "its cacheDuration is not a duration")
    return float(sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True)))
