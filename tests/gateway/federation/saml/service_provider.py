"""A service provider by hand: asks as one does, and reads answers as strictly as one should."""

from __future__ import annotations

import base64
import datetime as dt
import functools
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from lxml import etree  # type: ignore[import-untyped]
from signxml.verifier import SignatureConfiguration, XMLVerifier

from certs import Certificate
from foundation.saml import posted, sign_element, sign_redirect
from tests.foundation.saml.parties import Party, party

ENTITY = "https://wiki.example.com/saml"
ACS = "https://wiki.example.com/saml/acs"
OTHER_ACS = "https://wiki.example.com/saml/other"
ORIGIN = "https://signin.example.com"
IDP = f"{ORIGIN}/saml/metadata"
SSO = f"{ORIGIN}/saml/sso"
NAMES = {
    "p": "urn:oasis:names:tc:SAML:2.0:protocol",
    "a": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xenc": "http://www.w3.org/2001/04/xmlenc#",
}


@functools.cache
def own_keys() -> Party:
    """Of the service provider."""
    return party("wiki")


def pem(keys: Party | Certificate) -> str:
    certificate = keys.certificate if isinstance(keys, Party) else keys
    return load_der_x509_certificate(certificate.der).public_bytes(Encoding.PEM).decode()


def instant(now: float) -> str:
    return dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def authn_request(now: float, inside: str = "", issuer: str = ENTITY, /, **attributes: str | None) -> bytes:
    """One with these attributes (`None` leaves one out); `inside` stands after the Issuer."""
    named: dict[str, str | None] = {
        "ID": "_request1",
        "Version": "2.0",
        "IssueInstant": instant(now),
        "Destination": SSO,
        "AssertionConsumerServiceURL": ACS,
        **attributes,
    }
    written = " ".join(f'{name}="{value}"' for name, value in named.items() if value is not None)
    return (
        f'<p:AuthnRequest xmlns:p="{NAMES["p"]}" xmlns:a="{NAMES["a"]}" {written}>'
        f"<a:Issuer>{issuer}</a:Issuer>{inside}</p:AuthnRequest>"
    ).encode()


def by_redirect(document: bytes, relay_state: str = "", *, keys: Party | None = None) -> str:
    """The path that a browser is sent to; signed with `keys`."""
    query = sign_redirect("SAMLRequest", document, relay_state, (keys or own_keys()).key)
    if keys is None:
        query = query.partition("&SigAlg=")[0]
    return f"{urlsplit(SSO).path}?{query}"


def by_post(
    document: bytes, relay_state: str = "", *, keys: Party | None = None, request_id: str = "_request1"
) -> dict[str, str]:
    """The fields of a form; signed with `keys`."""
    if keys is not None:
        document = sign_element(document, request_id, keys.key, keys.certificate)
    return {"SAMLRequest": posted(document), **({"RelayState": relay_state} if relay_state else {})}


class Form(HTMLParser):
    """What a page would post."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.fields = "", dict[str, str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form":
            self.action = values.get("action") or ""
        if tag == "input" and values.get("name"):
            self.fields[str(values["name"])] = values.get("value") or ""


@dataclass(frozen=True)
class Answer:
    """A response as it came to the service provider."""

    action: str
    relay_state: str
    document: bytes

    @classmethod
    def of(cls, page: str) -> Answer:
        form = Form(page)
        return cls(form.action, form.fields.get("RelayState", ""), base64.b64decode(form.fields["SAMLResponse"]))

    @property
    def root(self) -> Any:
        return etree.fromstring(self.document)

    def find(self, path: str) -> list[Any]:
        found: list[Any] = self.root.xpath(path, namespaces=NAMES)
        return found

    def text(self, path: str) -> str:
        (found,) = self.find(path)
        return str(found if isinstance(found, str) else found.text)

    @property
    def status(self) -> list[str]:
        """Last parts of the status codes, outermost first."""
        return [value.rpartition(":")[2] for value in self.find("//p:StatusCode/@Value")]

    def attributes(self) -> dict[str, list[str]]:
        return {
            element.get("Name"): [value.text for value in element.findall("a:AttributeValue", NAMES)]
            for element in self.find("//a:Attribute")
        }

    def signed_ids(self, certificate: Any) -> set[str]:
        """IDs of the elements whose signature holds."""
        found = set()
        for signature in self.find("//ds:Signature"):
            element = etree.fromstring(etree.tostring(signature.getparent()))
            XMLVerifier().verify(
                element,
                x509_cert=certificate,
                expect_config=SignatureConfiguration(
                    location="./", expect_references=1, verification_time=certificate.not_valid_before_utc
                ),
                id_attribute="ID",
            )
            found.add(element.get("ID"))
        return found


def answer_in(page: str) -> Answer:
    """Entities as a browser reads them."""
    return Answer.of(page if "<form" in page else unescape(page))
