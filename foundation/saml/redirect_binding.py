"""The HTTP Redirect binding: a message in an address, and the signature beside it (saml-bindings-2.0-os section 3.4). Pure.

What is signed is text as it stood in the address, so the query is taken as it was sent and never encoded anew: one party
writes `%2F`, another `%2f`. A parameter of the binding that is there twice is refused, since two readers would take two
different ones; parameters of others are passed over.
"""

from __future__ import annotations

import base64
import urllib.parse
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa

from certs import Certificate
from foundation.saml.algorithms import RSA_SHA1, RSA_SHA256, fitting, signature_algorithm, trusted_keys
from foundation.saml.errors import SamlError
from foundation.saml.nodes import MAX_MESSAGE_BYTES, base64_bytes

MessageName = Literal["SAMLRequest", "SAMLResponse"]
DEFLATE = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
MAX_QUERY_BYTES = 64 * 1024
MAX_PARAMETERS = 50
MAX_RELAY_STATE = 2048
"""Bytes. The binding says 80 (section 3.4.3); real parties send whole addresses."""
_NAMES = ("SAMLRequest", "SAMLResponse", "RelayState", "SAMLEncoding", "SigAlg", "Signature")
_WHAT = "redirect"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectMessage:
    """What came in an address. Until `verify_redirect` has passed, a stranger's word."""

    name: MessageName
    document: bytes = field(repr=False)
    relay_state: str = field(default="", repr=False)
    algorithm: str = ""
    """SigAlg; empty where it is not signed."""
    signature: bytes = field(default=b"", repr=False)
    signed_text: bytes = field(default=b"", repr=False)
    """What the signature has to cover: parameters as they were sent, in the binding's order."""

    @property
    def signed(self) -> bool:
        """Whether it has a signature, which then has to hold."""
        return bool(self.algorithm or self.signature)


def read_redirect(query: str) -> RedirectMessage:
    """The message in a query, which is as it was sent, without the question mark. Raises SamlError."""
    raw = _parameters(query)
    names = [name for name in ("SAMLRequest", "SAMLResponse") if name in raw]
    if len(names) != 1:
        raise SamlError(_WHAT, "it has no message" if not names else "it has a request and a response")
    if "SAMLEncoding" in raw and _decoded(raw["SAMLEncoding"], "SAMLEncoding") != DEFLATE:
        raise SamlError(_WHAT, "its SAMLEncoding is unknown")
    algorithm = _decoded(raw.get("SigAlg", ""), "SigAlg")
    signature = base64_bytes(_decoded(raw.get("Signature", ""), "Signature"), _WHAT, "Signature")
    if bool(algorithm) != bool(signature):
        raise SamlError(_WHAT, "it has SigAlg or Signature, but not both")
    name: MessageName = "SAMLRequest" if names[0] == "SAMLRequest" else "SAMLResponse"
    return RedirectMessage(
        name=name,
        document=inflate(base64_bytes(_decoded(raw[name], name), _WHAT, name)),
        relay_state=_relay_state(raw.get("RelayState", "")),
        algorithm=algorithm,
        signature=signature,
        signed_text="&".join(f"{part}={raw[part]}" for part in (name, "RelayState", "SigAlg") if part in raw).encode(),
    )


def verify_redirect(message: RedirectMessage, certificates: Sequence[Certificate], *, sha1: bool = False) -> Certificate:
    """Whose key signed it: one of the trust's certificates. Raises SamlError. With `sha1` that algorithm is taken, too."""
    if not message.signed:
        raise SamlError(_WHAT, "it is not signed")
    algorithm = signature_algorithm(message.algorithm, _WHAT, sha1=sha1)
    for key in fitting(trusted_keys(certificates, _WHAT), algorithm):
        if algorithm.verify(key.key, message.signature, message.signed_text):
            return key.certificate
    raise SamlError(_WHAT, "its signature does not hold for any certificate of the trust")


def sign_redirect(
    name: MessageName, document: bytes, relay_state: str, key: rsa.RSAPrivateKey, *, sha1: bool = False
) -> str:
    """The query of an address that carries the message. An empty `relay_state` is left out."""
    algorithm = RSA_SHA1 if sha1 else RSA_SHA256
    message = base64.b64encode(deflate(document)).decode()
    parameters = {name: message, "RelayState": relay_state, "SigAlg": algorithm.uri}
    text = "&".join(f"{part}={urllib.parse.quote(value, safe='')}" for part, value in parameters.items() if value)
    signature = base64.b64encode(algorithm.sign(key, text.encode())).decode()
    return f"{text}&Signature={urllib.parse.quote(signature, safe='')}"


def deflate(document: bytes) -> bytes:
    """RFC 1951, without zlib's header."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(document) + compressor.flush()


def inflate(data: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """At most `max_bytes` are ever made of it. Raises SamlError."""
    decompressor = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        document = decompressor.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise SamlError(_WHAT, "it is not compressed as the binding says") from error
    if len(document) > max_bytes:
        raise SamlError(_WHAT, f"its message has more than {max_bytes} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise SamlError(_WHAT, "it is cut off, or has something after its end")
    return document


def _parameters(query: str) -> dict[str, str]:
    """The binding's own, by name, as they were sent."""
    if len(query) > MAX_QUERY_BYTES or not query.isascii():
        raise SamlError(_WHAT, "its query is too long, or not ASCII")
    parts = query.split("&")
    if len(parts) > MAX_PARAMETERS:
        raise SamlError(_WHAT, f"it has more than {MAX_PARAMETERS} parameters")
    found: dict[str, str] = {}
    for part in parts:
        written, _, value = part.partition("=")
        name = urllib.parse.unquote_plus(written)
        if name not in _NAMES:
            continue
        if name in found or name != written:
            raise SamlError(_WHAT, f"its {name} is there twice" if name in found else f"its {name} is disguised")
        found[name] = value
    return found


def _decoded(value: str, name: str) -> str:
    """Base64 and names of algorithms have no blanks, so that a bare plus sign is one."""
    try:
        return urllib.parse.unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise SamlError(_WHAT, f"its {name} is not text") from error


def _relay_state(value: str) -> str:
    try:
        text = urllib.parse.unquote_plus(value, errors="strict")
    except UnicodeDecodeError as error:
        raise SamlError(_WHAT, "its RelayState is not text") from error
    if len(text.encode()) > MAX_RELAY_STATE:
        raise SamlError(_WHAT, f"its RelayState has more than {MAX_RELAY_STATE} bytes")
    return text
