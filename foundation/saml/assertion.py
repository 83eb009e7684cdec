"""SAML assertions: what one says, if the signature over all of it holds. Hostile input is expected. CPU only.

Versions 1.1 (saml-core-1.1 section 2.3) and 2.0 (saml-core-2.0-os section 2.3). The assertion is taken out of the message
that carried it before its signature is looked at: nothing around it can take part.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from lxml import etree  # type: ignore[import-untyped]

from foundation.saml.errors import SamlError, as_saml_error
from foundation.saml.model import Assertion
from foundation.saml.signature import verify_signature

_WHAT = "token"
MAX_AUDIENCES = 50


@dataclass(frozen=True, slots=True)
class _Version:
    name: str
    namespace: str
    id_attribute: str
    restriction: str

    @property
    def tag(self) -> str:
        return f"{{{self.namespace}}}Assertion"


_VERSIONS = (
    _Version("SAML 2.0", "urn:oasis:names:tc:SAML:2.0:assertion", "ID", "AudienceRestriction"),
    _Version("SAML 1.1", "urn:oasis:names:tc:SAML:1.0:assertion", "AssertionID", "AudienceRestrictionCondition"),
)
_ENCRYPTED = {
    "{http://www.w3.org/2001/04/xmlenc#}EncryptedData",
    "{urn:oasis:names:tc:SAML:2.0:assertion}EncryptedAssertion",
}


def is_encrypted(element: etree._Element) -> bool:
    """Whether only the relying party can read it."""
    return element.tag in _ENCRYPTED


def read_assertion(element: etree._Element) -> Assertion:
    """Verify and read an assertion, wherever it stands. Raises SamlError."""
    version = next((known for known in _VERSIONS if known.tag == element.tag), None)
    if version is None:
        raise SamlError(_WHAT, "it is not a SAML assertion")
    alone = etree.tostring(element, with_tail=False)
    with as_saml_error():
        signed = verify_signature(alone, _WHAT, version.id_attribute, sha1=True)
    conditions = _only(signed.element, version, "Conditions")
    return Assertion(
        version=version.name,
        issuer=_issuer(signed.element, version),
        audiences=_audiences(conditions, version),
        not_before=_time(conditions, "NotBefore"),
        not_after=_time(conditions, "NotOnOrAfter"),
        signer=signed.by,
        sha1=signed.sha1,
    )


def _only(parent: etree._Element, version: _Version, name: str) -> etree._Element:
    found = parent.findall(f"{{{version.namespace}}}{name}")
    if len(found) != 1:
        raise SamlError(_WHAT, f"it has {len(found)} elements {name} instead of one")
    return found[0]


def _issuer(assertion: etree._Element, version: _Version) -> str:
    """An attribute in version 1.1, an element in 2.0."""
    if version.id_attribute == "AssertionID":
        return str(assertion.get("Issuer", ""))
    return _text(_only(assertion, version, "Issuer"))


def _audiences(conditions: etree._Element, version: _Version) -> tuple[str, ...]:
    """Each restriction narrows the others: several are more than AD FS ever writes."""
    restriction = _only(conditions, version, version.restriction)
    found = restriction.findall(f"{{{version.namespace}}}Audience")
    if len(found) > MAX_AUDIENCES:
        raise SamlError(_WHAT, f"more than {MAX_AUDIENCES} audiences")
    return tuple(_text(audience) for audience in found)


def _time(conditions: etree._Element, name: str) -> float:
    text = conditions.get(name, "")
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise SamlError(_WHAT, f"its {name} is in no time zone")
        return moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise SamlError(_WHAT, f"its {name} is not a time" if text else f"it has no {name}") from error


def _text(element: etree._Element) -> str:
    """All of it: a comment in the middle must not hide the rest."""
    return "".join(element.itertext()).strip()
