"""A signed sample, verified as a party does it: with what is published."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding

from certs import read_certificate
from foundation.saml import verify_enveloped
from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.documents import new_id, write_response
from gateway.federation.saml.names import REQUEST_DENIED, RESPONDER
from gateway.federation.saml.parties import Party

_RESPONSE = "{urn:oasis:names:tc:SAML:2.0:protocol}Response"


def verify_sample_response(context: SamlContext, party: Party) -> str:
    """Sign a response that says no, and that nobody is sent, as this party would get it; its certificate's thumbprint.

    Raises NoSigningKey, SamlError, CertsError.
    """
    response = new_id()
    document = write_response(
        id=response,
        issuer=context.entity_id,
        destination="",
        in_response_to="",
        now=context.clock(),
        status=(RESPONDER, REQUEST_DENIED),
    )
    signed = context.sign(document, response, party)
    published = [
        read_certificate(key.certificate.public_bytes(Encoding.DER))
        for key in context.keys.published("saml")
        if key.certificate is not None
    ]
    sha1 = party.trust.saml.signature_algorithm == "rsa-sha1"
    return verify_enveloped(signed, published, "sample", root_tags=(_RESPONSE,), sha1=sha1).by.thumbprint
