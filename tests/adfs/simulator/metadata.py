"""The federation metadata document of a simulated node, really signed.

As AD FS publishes it: every token-signing certificate, the primary one first; of the token-decrypting ones the primary
only; four roles that repeat them (saml-metadata-2.0-os, WS-Federation 1.2 section 3.1).
"""

from __future__ import annotations

import base64
from functools import lru_cache

from lxml import etree  # type: ignore[import-untyped]
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner

from tests.adfs.simulator.state import DECRYPTING, SIGNING, Host, usable_key
from tests.adfs.simulator.x509 import Cert

_MD = "urn:oasis:names:tc:SAML:2.0:metadata"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_FED = "http://docs.oasis-open.org/wsfed/federation/200706"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_PROTOCOLS = "http://docs.oasis-open.org/ws-sx/ws-trust/200512 http://docs.oasis-open.org/wsfed/federation/200706"
_SAML = "urn:oasis:names:tc:SAML:2.0:protocol"


class CannotSign(Exception):
    """The node has no usable token-signing key."""


def document(host: Host) -> bytes:
    """The metadata that this node would answer with now. Raises CannotSign."""
    if host.node is None:
        raise CannotSign(host.fqdn)
    configuration = host.node.configuration
    primary, encryption = configuration.primary(SIGNING), configuration.primary(DECRYPTING)
    if primary is None or encryption is None or not usable_key(host, primary):
        raise CannotSign(host.fqdn)
    others = tuple(each.certificate for each in configuration.of(SIGNING) if not each.is_primary)
    return _signed(host.node.farm.name, (primary.certificate, *others), encryption.certificate)


@lru_cache(maxsize=64)
def _signed(name: str, signing: tuple[Cert, ...], encryption: Cert) -> bytes:
    signature = XMLSigner(
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm="rsa-sha256",
        digest_algorithm="sha256",
        c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
    )
    root = _built(name, signing, encryption)
    made = signature.sign(
        root, key=signing[0].key, cert=[signing[0].pem.decode()], reference_uri=root.get("ID"), id_attribute="ID"
    )
    return bytes(etree.tostring(made))


def _built(name: str, signing: tuple[Cert, ...], encryption: Cert) -> etree._Element:
    root = etree.Element(
        f"{{{_MD}}}EntityDescriptor",
        {"ID": "_" + signing[0].thumbprint.lower(), "entityID": f"http://{name}/adfs/services/trust"},
        nsmap={None: _MD},
    )
    etree.SubElement(root, f"{{{_DS}}}Signature", {"Id": "placeholder"}, nsmap={"ds": _DS})
    for role in ("ApplicationServiceType", "SecurityTokenServiceType"):
        descriptor = etree.SubElement(
            root,
            f"{{{_MD}}}RoleDescriptor",
            {f"{{{_XSI}}}type": f"fed:{role}", "protocolSupportEnumeration": _PROTOCOLS},
            nsmap={"fed": _FED, "xsi": _XSI},
        )
        if role == "ApplicationServiceType":
            _key(descriptor, "encryption", encryption)
        else:
            for each in signing:
                _key(descriptor, "signing", each)
    for role, service in (("SPSSODescriptor", "AssertionConsumerService"), ("IDPSSODescriptor", "SingleSignOnService")):
        descriptor = etree.SubElement(root, f"{{{_MD}}}{role}", {"protocolSupportEnumeration": _SAML})
        _key(descriptor, "encryption", encryption)
        for each in signing:
            _key(descriptor, "signing", each)
        attributes = {"Binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", "Location": f"https://{name}/adfs/ls/"}
        if service == "AssertionConsumerService":
            attributes["index"] = "0"
        etree.SubElement(descriptor, f"{{{_MD}}}{service}", attributes)
    return root


def _key(parent: etree._Element, use: str, certificate: Cert) -> None:
    descriptor = etree.SubElement(parent, f"{{{_MD}}}KeyDescriptor", {"use": use})
    info = etree.SubElement(descriptor, f"{{{_DS}}}KeyInfo", nsmap={None: _DS})
    data = etree.SubElement(info, f"{{{_DS}}}X509Data")
    etree.SubElement(data, f"{{{_DS}}}X509Certificate").text = base64.b64encode(certificate.der).decode()
