"""Elements that only one party can read (XML Encryption 1.1, saml-core-2.0-os section 6). CPU only.

The content key is encrypted by RSA-OAEP alone: with PKCS #1 version 1.5 an attacker can find it by asking often enough.
Content is encrypted by AES-GCM; CBC, which nothing authenticates, is for parties that support nothing else. Whatever is
wrong with a ciphertext, the answer is one.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree  # type: ignore[import-untyped]

from certs import Certificate
from foundation.saml.algorithms import MIN_RSA_BITS
from foundation.saml.element_signature import MAX_OWN_BYTES, element_by_id
from foundation.saml.errors import SamlError, as_saml_error
from foundation.saml.nodes import ASSERTION, DS, XENC, base64_bytes, local_name, only_child, optional_child, parse_message
from foundation.xml import parse_xml

_ENC = XENC.strip("{}")
_ENC11 = "http://www.w3.org/2009/xmlenc11#"
_SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
_OAEP, _OAEP11 = f"{_ENC}rsa-oaep-mgf1p", f"{_ENC11}rsa-oaep"
_WHAT = "message to be encrypted"
MAX_KEYS = 4
"""Encrypted keys in one element that are tried."""
_NONCE, _TAG, _BLOCK = 12, 16, 16


@dataclass(frozen=True, slots=True)
class ContentCipher:
    """How content is encrypted."""

    uri: str
    key_bytes: int
    authenticated: bool


CIPHERS = {
    "aes256-gcm": ContentCipher(f"{_ENC11}aes256-gcm", 32, True),
    "aes128-gcm": ContentCipher(f"{_ENC11}aes128-gcm", 16, True),
    "aes256-cbc": ContentCipher(f"{_ENC}aes256-cbc", 32, False),
    "aes128-cbc": ContentCipher(f"{_ENC}aes128-cbc", 16, False),
}
"""By the name that a trust gives it."""
_BY_URI = {cipher.uri: cipher for cipher in CIPHERS.values()}
_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    _SHA1: hashes.SHA1,
    f"{_ENC}sha256": hashes.SHA256,
    f"{_ENC}sha512": hashes.SHA512,
}
_MASKS: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    f"{_ENC11}mgf1sha1": hashes.SHA1,
    f"{_ENC11}mgf1sha256": hashes.SHA256,
    f"{_ENC11}mgf1sha512": hashes.SHA512,
}


def encrypt_element(xml: bytes, element_id: str, certificate: Certificate, cipher: str = "aes256-gcm") -> bytes:
    """The document with an EncryptedAssertion in place of the assertion that has the ID, readable by whoever holds the
    certificate's key. Sign the assertion before, the response afterwards. Raises SamlError."""
    with as_saml_error():
        root = parse_xml(xml, _WHAT, MAX_OWN_BYTES)
    element = element_by_id(root, element_id)
    parent = element.getparent()
    if element.tag != f"{ASSERTION}Assertion" or parent is None:
        raise SamlError(_WHAT, "it is not an assertion in a response")
    plain = etree.tostring(element, encoding="utf-8", with_tail=False)  # with the prefixes that are declared around it
    parent.replace(element, _encrypted(plain, "EncryptedAssertion", _recipient(certificate), CIPHERS[cipher]))
    return bytes(etree.tostring(root, encoding="utf-8"))


def encrypt_name(xml: bytes, certificate: Certificate, cipher: str = "aes256-gcm") -> bytes:
    """The document with an EncryptedID in place of its one NameID (saml-core-2.0-os section 2.2.4).

    Sign what it stands in afterwards (errata 05, E43): the signature is then over the ciphertext. Raises SamlError.
    """
    with as_saml_error():
        root = parse_xml(xml, _WHAT, MAX_OWN_BYTES)
    found = list(root.iter(f"{ASSERTION}NameID"))
    if len(found) != 1 or found[0].getparent() is None:
        raise SamlError(_WHAT, f"it has {len(found)} names instead of one")
    plain = etree.tostring(found[0], encoding="utf-8", with_tail=False)
    secret = _encrypted(plain, "EncryptedID", _recipient(certificate), CIPHERS[cipher])
    found[0].getparent().replace(found[0], secret)
    return bytes(etree.tostring(root, encoding="utf-8"))


def decrypt_element(data: bytes, keys: Sequence[rsa.RSAPrivateKey], what: str, *, cbc: bool = False) -> bytes:
    """What stands in an EncryptedID or EncryptedAssertion. The result is to be parsed and judged like any other message.

    Everything is looked at before a key is used: how many keys there are, how they and the content are encrypted.

    `cbc` only where the message around it was verified: otherwise whoever sends it can find the text by asking often enough.
    Raises SamlError, which names `what`.
    """
    root = parse_message(data, what)
    if root.tag not in {f"{ASSERTION}EncryptedID", f"{ASSERTION}EncryptedAssertion"}:
        raise SamlError(what, f"its root is {local_name(root)}")
    encrypted = only_child(root, f"{XENC}EncryptedData", what)
    method = only_child(encrypted, f"{XENC}EncryptionMethod", what).get("Algorithm", "")
    cipher = _BY_URI.get(method)
    if cipher is None or not (cipher.authenticated or cbc):
        raise SamlError(what, "its encryption is of a kind that is not taken")
    content = _value(encrypted, what)
    for wrapped, oaep in list(_encrypted_keys(root, encrypted, what)):
        for key in keys:
            unwrapped, opened = _unwrapped(wrapped, key, oaep, cipher)
            plain = _decrypted(content, unwrapped, cipher)
            if opened and plain is not None:  # under a key that was made up, CBC comes out as some text now and then
                return _whole(plain, root, what)
    raise SamlError(what, "it cannot be decrypted")


# -- encrypt


def _recipient(certificate: Certificate) -> rsa.RSAPublicKey:
    try:
        key = x509.load_der_x509_certificate(certificate.der).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SamlError(_WHAT, "the party's encryption key cannot be read") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_RSA_BITS:
        raise SamlError(_WHAT, f"the party's encryption key is not RSA with {MIN_RSA_BITS} bits or more")
    return key


def _encrypted(plain: bytes, name: str, recipient: rsa.RSAPublicKey, cipher: ContentCipher) -> etree._Element:
    """OAEP with SHA-1, the form that every implementation knows; its security does not rest on collisions."""
    key = os.urandom(cipher.key_bytes)
    oaep = _padding(hashes.SHA1, hashes.SHA1)
    wrapped = base64.b64encode(recipient.encrypt(key, oaep)).decode()
    content = base64.b64encode(_sealed(plain, key, cipher)).decode()
    return etree.fromstring(
        f'<saml:{name} xmlns:saml="{ASSERTION.strip("{}")}">'
        f'<xenc:EncryptedData xmlns:xenc="{_ENC}" Type="{_ENC}Element"><xenc:EncryptionMethod Algorithm="{cipher.uri}"/>'
        f'<ds:KeyInfo xmlns:ds="{DS.strip("{}")}"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{_OAEP}">'
        f'<ds:DigestMethod Algorithm="{_SHA1}"/></xenc:EncryptionMethod>'
        f"<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{content}</xenc:CipherValue></xenc:CipherData>"
        f"</xenc:EncryptedData></saml:{name}>"
    )


def _sealed(plain: bytes, key: bytes, cipher: ContentCipher) -> bytes:
    if cipher.authenticated:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(key).encrypt(nonce, plain, None)
    missing = _BLOCK - len(plain) % _BLOCK
    padded = plain + os.urandom(missing - 1) + bytes([missing])  # XML Encryption 1.1 section 5.2.1
    start = os.urandom(_BLOCK)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return start + encryptor.update(padded) + encryptor.finalize()


# -- decrypt


def _encrypted_keys(root: etree._Element, encrypted: etree._Element, what: str) -> Iterator[tuple[bytes, padding.OAEP]]:
    """In the data's KeyInfo, or beside the data."""
    found = [*encrypted.findall(f"{DS}KeyInfo/{XENC}EncryptedKey"), *root.findall(f"{XENC}EncryptedKey")]
    if not 0 < len(found) <= MAX_KEYS:
        raise SamlError(what, f"it has {len(found)} encrypted keys")
    for element in found:
        yield _value(element, what), _key_padding(only_child(element, f"{XENC}EncryptionMethod", what), what)


def _key_padding(method: etree._Element, what: str) -> padding.OAEP:
    algorithm = method.get("Algorithm", "")
    digest = optional_child(method, f"{DS}DigestMethod", what)
    mask = optional_child(method, f"{{{_ENC11}}}MGF", what)
    digest_uri = _SHA1 if digest is None else digest.get("Algorithm", "")
    mask_uri = f"{_ENC11}mgf1sha1" if mask is None else mask.get("Algorithm", "")
    known = algorithm == _OAEP11 or (algorithm == _OAEP and mask is None)
    if not known or digest_uri not in _HASHES or mask_uri not in _MASKS or method.find(f"{XENC}OAEPparams") is not None:
        raise SamlError(what, "its key is encrypted in a way that is not taken")
    return _padding(_HASHES[digest_uri], _MASKS[mask_uri])


def _padding(digest: Callable[[], hashes.HashAlgorithm], mask: Callable[[], hashes.HashAlgorithm]) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(mask()), digest(), None)


def _value(element: etree._Element, what: str) -> bytes:
    """By value: a CipherReference is never followed."""
    value = only_child(only_child(element, f"{XENC}CipherData", what), f"{XENC}CipherValue", what)
    if len(value):
        raise SamlError(what, "its CipherValue is not base64")
    return base64_bytes(value.text or "", what, "CipherValue")


def _unwrapped(wrapped: bytes, key: rsa.RSAPrivateKey, oaep: padding.OAEP, cipher: ContentCipher) -> tuple[bytes, bool]:
    """The content key, and whether it is that; a random one where this is not the private key for it, so that both take as
    long from here."""
    try:
        found = key.decrypt(wrapped, oaep)
    except ValueError:
        found = b""
    opened = len(found) == cipher.key_bytes
    return found if opened else os.urandom(cipher.key_bytes), opened


def _whole(plain: bytes, around: etree._Element, what: str) -> bytes:
    """As a document of its own: what stands in place of EncryptedData may use the prefixes that are declared around it.

    xmlenc-core, "Text Wrapping"; xmlsec, and so python3-saml, does not repeat them.
    """
    try:
        parse_message(plain, what)
    except SamlError:
        declared = {prefix: uri for prefix, uri in around.nsmap.items() if prefix}
        opened = bytes(etree.tostring(etree.Element("in", nsmap=declared))).removesuffix(b"/>")
        placed = parse_message(opened + b">" + plain + b"</in>", what)
        if len(placed) != 1 or placed.text or placed[0].tail:
            raise SamlError(what, "it is not one element") from None
        return bytes(etree.tostring(placed[0], with_tail=False))
    return plain


def _decrypted(content: bytes, key: bytes, cipher: ContentCipher) -> bytes | None:
    if cipher.authenticated:
        try:
            return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], None)
        except (InvalidTag, ValueError):
            return None
    if len(content) < 2 * _BLOCK or len(content) % _BLOCK:
        return None
    decryptor = Cipher(algorithms.AES(key), modes.CBC(content[:_BLOCK])).decryptor()
    padded = decryptor.update(content[_BLOCK:]) + decryptor.finalize()
    return padded[: -padded[-1]] if 0 < padded[-1] <= _BLOCK else None
