"""What all endpoints of SAML share."""

from __future__ import annotations

import base64
import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from certs import Certificate, read_certificate
from foundation.saml import MessageName, sign_element, sign_redirect
from gateway.federation.keys import NoSigningKey, SigningKey, SigningKeys
from gateway.federation.metrics import FederationMetrics
from gateway.federation.saml.parties import Parties, Party
from gateway.federation.settings import LifetimeSettings
from gateway.federation.trials import Trials
from gateway.federation.trusts import Lifetimes, Trust, effective_lifetimes
from gateway.store import Store

METADATA = "/saml/metadata"
SIGN_ON = "/saml/sso"
SINGLE_LOGOUT = "/saml/slo"
START = "/saml/start/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlContext:
    """Made once for each relay. clock: Unix seconds."""

    public_url: str
    """The relay's address, without a slash at its end; never taken from a request."""
    store: Store
    parties: Parties
    keys: SigningKeys
    lifetimes: LifetimeSettings
    trials: Trials
    secret: bytes
    """The key of subjects of our own."""
    clock: Callable[[], float]
    metrics: FederationMetrics = field(default_factory=FederationMetrics)

    @property
    def entity_id(self) -> str:
        """Ours: the address of our metadata (saml-metadata-2.0-os section 4.1.1)."""
        return self.public_url + METADATA

    def lifetimes_of(self, trust: Trust) -> Lifetimes:
        """The trust's, or else the relay's."""
        return effective_lifetimes(trust.lifetimes, self.lifetimes)

    def key(self, tried: str = "") -> SigningKey:
        """The one that signs now; tried: id of the one that is tried. Raises NoSigningKey."""
        return self.keys.active("saml", "RSA", tried)

    def sign(self, document: bytes, element_id: str, party: Party, key: SigningKey | None = None) -> bytes:
        """The document with that element signed as the party's trust wants it. key: the one that signs now, unless given.

        Raises NoSigningKey.
        """
        private, certificate = self._key(key)
        return sign_element(document, element_id, private, certificate, sha1=self._sha1(party))

    def sign_query(
        self, name: MessageName, document: bytes, relay_state: str, party: Party, key: SigningKey | None = None
    ) -> str:
        """The query that carries the document, signed as the party's trust wants it. key: as above. Raises NoSigningKey."""
        private, _ = self._key(key)
        return sign_redirect(name, document, relay_state, private, sha1=self._sha1(party))

    def sign_own(self, document: bytes, element_id: str) -> bytes:
        """The same for what is no single party's: metadata. Raises NoSigningKey."""
        private, certificate = self._key()
        return sign_element(document, element_id, private, certificate)

    def signing_certificates(self) -> list[str]:
        """Base64 of the DER of the certificates whose keys sign, the one in use first."""
        return [base64.b64encode(_der(key)).decode() for key in self.keys.published("saml")]

    def encryption_certificates(self) -> list[str]:
        """Base64 of the DER of the certificates that parties may encrypt for, the one in use first."""
        return [base64.b64encode(_der(key)).decode() for key in self.keys.encryptable()]

    def decrypting_keys(self) -> list[RSAPrivateKey]:
        """With which one something may be encrypted for us, the one in use first."""
        return [key.private for key in self.keys.published("decrypting") if isinstance(key.private, RSAPrivateKey)]

    @staticmethod
    def fresh_name() -> str:
        """Of a transient name identifier: 256 random bits."""
        return secrets.token_urlsafe(32)

    @staticmethod
    def _sha1(party: Party) -> bool:
        return party.trust.saml.signature_algorithm == "rsa-sha1"

    def _key(self, key: SigningKey | None = None) -> tuple[RSAPrivateKey, Certificate]:
        key = key or self.key()
        if not isinstance(key.private, RSAPrivateKey) or key.certificate is None:
            raise NoSigningKey("saml", "RSA")
        return key.private, _certificate(key.certificate)


@functools.lru_cache(maxsize=16)  # reading one takes longer than signing
def _certificate(certificate: x509.Certificate) -> Certificate:
    return read_certificate(certificate.public_bytes(Encoding.DER))


def _der(key: SigningKey) -> bytes:
    return key.certificate.public_bytes(Encoding.DER) if key.certificate is not None else b""
