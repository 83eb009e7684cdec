"""Signs by hand, in any form: what is signed rightly, and yet must not be taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree  # type: ignore[import-untyped]

from tests.foundation.saml.parties import DS, SAML, party, tree

EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
TRANSFORMS = f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{EXCLUSIVE}"/>'

Change = Callable[[str], str]
Sign = Callable[[bytes], bytes]


def canonical(element: etree._Element, prefixes: tuple[str, ...] = ()) -> bytes:
    """Exclusive, without comments, of the element as it stands."""
    copied = etree.fromstring(etree.tostring(element, with_tail=False))
    found = etree.tostring(copied, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=list(prefixes))
    return bytes(found)


def by_rsa(key: rsa.RSAPrivateKey, digest: hashes.HashAlgorithm | None = None) -> Sign:
    return lambda data: key.sign(data, padding.PKCS1v15(), digest or hashes.SHA256())


def by_hmac(secret: bytes) -> Sign:
    return lambda data: hmac.digest(secret, data, "sha256")


def signed_info(uri: str, digested: bytes, transforms: str = TRANSFORMS, digest: str = "sha256") -> str:
    value = base64.b64encode(hashlib.new(digest, digested).digest()).decode()
    return (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        f'<ds:SignatureMethod Algorithm="{RSA_SHA256}"/>'
        f'<ds:Reference URI="{uri}"><ds:Transforms>{transforms}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{SHA256}"/><ds:DigestValue>{value}</ds:DigestValue></ds:Reference></ds:SignedInfo>'
    )


def signature(info: str, sign: Sign, key_info: str = "") -> etree._Element:
    """Over that SignedInfo, whatever it is."""
    value = base64.b64encode(sign(canonical(tree(info.encode())))).decode()
    inside = f"{info}<ds:SignatureValue>{value}</ds:SignatureValue>{key_info}"
    return tree(f'<ds:Signature xmlns:ds="{DS}">{inside}</ds:Signature>'.encode())


def hand_signed(
    data: bytes,
    change: Change = str,
    *,
    sign: Sign | None = None,
    digested: bytes | None = None,
    key_info: str = "",
) -> bytes:
    """The document with a signature whose SignedInfo was changed before it was signed: it holds."""
    root = tree(data)
    info = change(signed_info(f"#{root.get('ID')}", canonical(root) if digested is None else digested))
    made = signature(info, sign or by_rsa(party().key), key_info)
    issuer = root.find(f"{{{SAML}}}Issuer")
    root.insert(0 if issuer is None else root.index(issuer) + 1, made)
    return bytes(etree.tostring(root))
