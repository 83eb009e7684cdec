"""WS-Trust `usernamemixed` of a simulated node: a token for a name and a password, or the fault that AD FS answers.

Checked in the order of a WCF service with message credentials: envelope, addressing, time, account; then the request.
Sources: WS-Trust 1.3 and February 2005, WS-Security 1.0; faults as others report them from AD FS (ID3242, ID3082, MSIS7068,
MSIS3127).
"""

from __future__ import annotations

import base64
import datetime as dt
import os
import uuid
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree  # type: ignore[import-untyped]
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner

from tests.adfs.simulator.state import SIGNING, Host, RelyingParty, World, usable_key
from tests.adfs.simulator.x509 import Cert

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
WSP = "http://schemas.xmlsoap.org/ws/2004/09/policy"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
SAML1, SAML2 = "urn:oasis:names:tc:SAML:1.0:assertion", "urn:oasis:names:tc:SAML:2.0:assertion"
_SAML2_TYPES = {"http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0", SAML2}
_TEXT = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
_SKEW = 300.0
_LIFE = 3600.0


@dataclass(frozen=True, slots=True)
class _Version:
    namespace: str
    bearer: str
    collection: bool


ENDPOINTS = {
    "/adfs/services/trust/13/usernamemixed": _Version(
        "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
        "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Bearer",
        collection=True,
    ),
    "/adfs/services/trust/2005/usernamemixed": _Version(
        "http://schemas.xmlsoap.org/ws/2005/02/trust",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey",
        collection=False,
    ),
}


class _Fault(Exception):
    """Answered with HTTP 500."""

    def __init__(self, namespace: str, code: str, text: str) -> None:
        super().__init__(code, text)
        self.namespace, self.code, self.text = namespace, code, text


def answer_request(world: World, host: Host, path: str, body: bytes, now: float) -> tuple[int, bytes]:
    """Status and document. `now` is by the node's own clock."""
    version = ENDPOINTS[path]
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return 400, b""
    try:
        return 200, _issued(world, host, path, version, root, now)
    except _Fault as fault:
        return 500, _fault(fault)


def _issued(world: World, host: Host, path: str, version: _Version, root: etree._Element, now: float) -> bytes:
    if root.tag != f"{{{SOAP}}}Envelope":
        raise _Fault(SOAP, "Sender", "The message version is not supported.")
    _check_addressing(host, path, version, root)
    _check_time(root, now)
    user = _authenticated(world, host, path, root)
    wish = root.find(f"{{{SOAP}}}Body/{{{version.namespace}}}RequestSecurityToken")
    if wish is None:
        raise _Fault(version.namespace, "InvalidRequest", "MSIS3127: The specified request failed.")
    party = _relying_party(host, version, wish)
    if set(party.identifiers) & world.people[user].denied:
        raise _Fault(version.namespace, "FailedAuthentication", "MSIS7068: Access denied.")
    text = {name: wish.findtext(f"{{{version.namespace}}}{name}") for name in ("KeyType", "RequestType", "TokenType")}
    if text["KeyType"] != version.bearer or text["RequestType"] != f"{version.namespace}/Issue":
        raise _Fault(version.namespace, "InvalidRequest", "MSIS3127: The specified request failed.")
    token = _token(host, party, user, saml2=text["TokenType"] in _SAML2_TYPES, now=now)
    return _response(version, party, token)


def _check_addressing(host: Host, path: str, version: _Version, root: etree._Element) -> None:
    header = f"{{{SOAP}}}Header/{{{WSA}}}"
    to = (root.findtext(header + "To") or "").lower()
    name = host.node.farm.name if host.node else ""
    if not to.startswith(f"https://{name}") or not to.endswith(path):
        raise _Fault(WSA, "DestinationUnreachable", "The message cannot be processed due to an AddressFilter mismatch.")
    if root.findtext(header + "Action") != f"{version.namespace}/RST/Issue":
        raise _Fault(WSA, "ActionNotSupported", "The message cannot be processed due to a ContractFilter mismatch.")


def _check_time(root: etree._Element, now: float) -> None:
    stamp = root.find(f"{{{SOAP}}}Header/{{{WSSE}}}Security/{{{WSU}}}Timestamp")
    if stamp is None:
        return
    begins, ends = (
        dt.datetime.fromisoformat(stamp.findtext(f"{{{WSU}}}{each}") or "").timestamp() for each in ("Created", "Expires")
    )
    if begins > now + _SKEW or ends < now - _SKEW:
        raise _Fault(WSSE, "InvalidSecurity", "An error occurred when verifying security for the message.")


def _authenticated(world: World, host: Host, path: str, root: etree._Element) -> str:
    """AD FS does not say what was wrong."""
    token = root.find(f"{{{SOAP}}}Header/{{{WSSE}}}Security/{{{WSSE}}}UsernameToken")
    password = token.find(f"{{{WSSE}}}Password") if token is not None else None
    if token is None or password is None or password.get("Type", _TEXT) != _TEXT:
        raise _Fault(WSSE, "InvalidSecurity", "An error occurred when verifying security for the message.")
    user = (token.findtext(f"{{{WSSE}}}Username") or "").lower()
    world.token_requests.append((host.fqdn, path, user))
    person = world.people.get(user)
    if person is None or not person.accepts(password.text or ""):
        text = "ID3242: The security token could not be authenticated or authorized."
        raise _Fault(WSSE, "FailedAuthentication", text)
    return user


def _relying_party(host: Host, version: _Version, wish: etree._Element) -> RelyingParty:
    """AD FS is a relying party of itself."""
    reference = f"{{{WSP}}}AppliesTo/{{{WSA}}}EndpointReference/{{{WSA}}}Address"
    wanted = wish.findtext(reference) or ""
    own = _identifier(host)
    if wanted == own:
        return RelyingParty(name="", identifiers=(own,))
    known = host.node.configuration.relying_parties if host.node else []
    for each in known:
        if each.enabled and wanted in each.identifiers:
            return RelyingParty(name=each.name, identifiers=(wanted,), encryption=each.encryption, sha1=each.sha1)
    raise _Fault(version.namespace, "InvalidScope", "ID3082: The request scope is not valid or is unsupported.")


def _identifier(host: Host) -> str:
    held = host.node.configuration.properties["Identifier"] if host.node else {}
    return str(held[""]) if isinstance(held, dict) else str(held)


# -- the token


def _token(host: Host, party: RelyingParty, user: str, *, saml2: bool, now: float) -> etree._Element:
    primary = host.node.configuration.primary(SIGNING) if host.node else None
    if primary is None or not usable_key(host, primary):
        raise _Fault(SOAP, "Receiver", "MSIS3127: The specified request failed.")
    make = assertion_2 if saml2 else assertion_1
    signed = sign(make(_identifier(host), party.identifiers[0], user, now), primary.certificate, sha1=party.sha1)
    if party.encryption is None:
        return signed
    encrypted = encrypt(signed, party.encryption)
    if not saml2:
        return encrypted
    wrapped = etree.Element(f"{{{SAML2}}}EncryptedAssertion", nsmap={None: SAML2})
    wrapped.append(encrypted)
    return wrapped


def assertion_2(issuer: str, audience: str, user: str, now: float, life: float = _LIFE) -> etree._Element:
    """SAML 2.0, with a place for the signature."""
    root = etree.Element(
        f"{{{SAML2}}}Assertion",
        {"ID": f"_{uuid.uuid4()}", "IssueInstant": moment(now), "Version": "2.0"},
        nsmap={None: SAML2},
    )
    _add(root, SAML2, "Issuer", issuer)
    etree.SubElement(root, f"{{{DS}}}Signature", {"Id": "placeholder"}, nsmap={"ds": DS})
    subject = _add(root, SAML2, "Subject")
    _add(subject, SAML2, "SubjectConfirmation", Method="urn:oasis:names:tc:SAML:2.0:cm:bearer")
    conditions = _add(root, SAML2, "Conditions", NotBefore=moment(now), NotOnOrAfter=moment(now + life))
    _add(_add(conditions, SAML2, "AudienceRestriction"), SAML2, "Audience", audience)
    attribute = _add(
        _add(root, SAML2, "AttributeStatement"), SAML2, "Attribute", Name="http://schemas.xmlsoap.org/claims/UPN"
    )
    _add(attribute, SAML2, "AttributeValue", user)
    return root


def assertion_1(issuer: str, audience: str, user: str, now: float, life: float = _LIFE) -> etree._Element:
    """SAML 1.1, with a place for the signature: last."""
    attributes = {"MajorVersion": "1", "MinorVersion": "1", "AssertionID": f"_{uuid.uuid4()}"}
    attributes |= {"Issuer": issuer, "IssueInstant": moment(now)}
    root = etree.Element(f"{{{SAML1}}}Assertion", attributes, nsmap={"saml": SAML1})
    conditions = _add(root, SAML1, "Conditions", NotBefore=moment(now), NotOnOrAfter=moment(now + life))
    _add(_add(conditions, SAML1, "AudienceRestrictionCondition"), SAML1, "Audience", audience)
    subject = _add(_add(root, SAML1, "AttributeStatement"), SAML1, "Subject")
    confirmation = _add(subject, SAML1, "SubjectConfirmation")
    _add(confirmation, SAML1, "ConfirmationMethod", "urn:oasis:names:tc:SAML:1.0:cm:bearer")
    etree.SubElement(root, f"{{{DS}}}Signature", {"Id": "placeholder"}, nsmap={"ds": DS})
    return root


class _OldSigner(XMLSigner):
    """Some relying parties still want SHA-1."""

    def check_deprecated_methods(self) -> None:
        """They know."""


def sign(assertion: etree._Element, signer: Cert, *, sha1: bool = False) -> etree._Element:
    """An enveloped signature over the whole of it."""
    name = "AssertionID" if assertion.tag.startswith(f"{{{SAML1}}}") else "ID"
    xml_signer = (_OldSigner if sha1 else XMLSigner)(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm="rsa-sha1" if sha1 else "rsa-sha256",
        digest_algorithm="sha1" if sha1 else "sha256",
        c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
    )
    return xml_signer.sign(
        assertion, key=signer.key, cert=[signer.pem.decode()], reference_uri=assertion.get(name), id_attribute=name
    )


def encrypt(element: etree._Element, reader: Cert) -> etree._Element:
    """XML Encryption: AES-256-CBC under a key that only the reader can open."""
    key, vector = os.urandom(32), os.urandom(16)
    padder = padding.PKCS7(128).padder()
    padded = padder.update(etree.tostring(element)) + padder.finalize()
    cipher = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    data = vector + cipher.update(padded) + cipher.finalize()
    oaep = rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - rsa-oaep-mgf1p says so
    public = reader.parsed.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError("the relying party's key is not RSA")
    root = etree.Element(f"{{{XENC}}}EncryptedData", {"Type": f"{XENC}Element"}, nsmap={"xenc": XENC})
    _add(root, XENC, "EncryptionMethod", Algorithm=f"{XENC}aes256-cbc")
    wrapped = _add(_add(root, DS, "KeyInfo"), XENC, "EncryptedKey")
    _add(wrapped, XENC, "EncryptionMethod", Algorithm=f"{XENC}rsa-oaep-mgf1p")
    _add(_add(wrapped, XENC, "CipherData"), XENC, "CipherValue", base64.b64encode(public.encrypt(key, oaep)).decode())
    _add(_add(root, XENC, "CipherData"), XENC, "CipherValue", base64.b64encode(data).decode())
    return root


# -- envelopes


def _response(version: _Version, party: RelyingParty, token: etree._Element) -> bytes:
    envelope, body = _envelope(f"{version.namespace}/RSTR{'C' if version.collection else ''}/Issue")
    if version.collection:
        body = _add(body, version.namespace, "RequestSecurityTokenResponseCollection")
    response = _add(body, version.namespace, "RequestSecurityTokenResponse")
    reference = _add(_add(response, WSP, "AppliesTo"), WSA, "EndpointReference")
    _add(reference, WSA, "Address", party.identifiers[0])
    _add(response, version.namespace, "RequestedSecurityToken").append(token)
    _add(response, version.namespace, "KeyType", version.bearer)
    return bytes(etree.tostring(envelope))


def wrap(path: str, *tokens: etree._Element) -> bytes:
    """The answer of that endpoint with these in the token's place: for servers that are not honest."""
    version = ENDPOINTS[path]
    envelope, body = _envelope("")
    if version.collection:
        body = _add(body, version.namespace, "RequestSecurityTokenResponseCollection")
    place = _add(_add(body, version.namespace, "RequestSecurityTokenResponse"), version.namespace, "RequestedSecurityToken")
    place.extend(tokens)
    return bytes(etree.tostring(envelope))


def _fault(fault: _Fault) -> bytes:
    envelope, body = _envelope(f"{WSA}/soap/fault")
    made = _add(body, SOAP, "Fault")
    code = _add(made, SOAP, "Code")
    _add(code, SOAP, "Value", "s:Sender")
    value = etree.SubElement(_add(code, SOAP, "Subcode"), f"{{{SOAP}}}Value", nsmap={"a": fault.namespace})
    value.text = f"a:{fault.code}"
    _add(_add(made, SOAP, "Reason"), SOAP, "Text", fault.text)
    return bytes(etree.tostring(envelope))


def _envelope(action: str) -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "a": WSA})
    _add(_add(root, SOAP, "Header"), WSA, "Action", action)
    return root, _add(root, SOAP, "Body")


def _add(parent: etree._Element, namespace: str, name: str, text: str = "", **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)
    made.text = text or None
    return made


def moment(seconds: float) -> str:
    """xs:dateTime, UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
