"""How a client proves itself: what it sent, and whether that is what its trust wants. Pure.

Read first, by whatever way it came (RFC 6749 section 2.3, RFC 7521 section 4.2), then compared with the trust. A client that
nobody knows is compared too: neither answer nor time tell which ones there are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from gateway.federation.oidc.errors import InvalidClient, InvalidRequest
from gateway.federation.oidc.jose import JwtRefused, read_unproven
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.trusts import ClientSecret, OidcClient

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_NOBODY = hashlib.sha256(b"no client has this secret").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """What a request says of its client."""

    client_id: str
    method: str
    """`client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`."""
    secret: str = field(default="", repr=False)
    assertion: str = field(default="", repr=False)


def read_client_credentials(parameters: Parameters, authorization: str) -> ClientCredentials:
    """From the Authorization header and the form. Raises InvalidRequest where there are two, InvalidClient for none."""
    ways = [authorization != "", "client_secret" in parameters, "client_assertion" in parameters]
    if sum(ways) > 1:
        raise InvalidRequest("the client proves itself in two ways")
    client_id = parameters.one("client_id")
    if authorization:
        return _read_basic(authorization, client_id)
    if "client_assertion" in parameters or "client_assertion_type" in parameters:
        if parameters.one("client_assertion_type") != ASSERTION_TYPE:
            raise InvalidClient("client_assertion_type is missing or unknown")
        assertion = parameters.required("client_assertion")
        return ClientCredentials(client_id=client_id or _client_in(assertion), method="private_key_jwt", assertion=assertion)
    if not client_id:
        raise InvalidClient("no client_id")
    secret = parameters.one("client_secret")
    return ClientCredentials(client_id=client_id, method="client_secret_post" if secret else "none", secret=secret)


def _client_in(assertion: str) -> str:
    """Whom an assertion is about: `client_id` need not stand beside it (RFC 7521 section 4.2). Raises InvalidClient."""
    try:
        subject = read_unproven(assertion).get("sub")
    except JwtRefused as refused:
        raise InvalidClient(f"client_assertion: {refused.detail}") from refused
    if not isinstance(subject, str) or not subject:
        raise InvalidClient("client_assertion: sub is missing")
    return subject


def _read_basic(header: str, client_id: str) -> ClientCredentials:
    """RFC 6749 section 2.3.1: both parts are form-encoded before they are put together."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise InvalidClient("an Authorization header of another scheme")
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError as error:  # not ASCII, not base64, not UTF-8
        raise InvalidClient("a malformed Authorization header") from error
    name, secret = unquote_plus(name), unquote_plus(secret)
    if not colon or not name or not secret:
        raise InvalidClient("an Authorization header without name or secret")
    if client_id not in {"", name}:
        raise InvalidRequest("names another client than the Authorization header", parameter="client_id")
    return ClientCredentials(client_id=name, method="client_secret_basic", secret=secret)


def check_method(client: OidcClient | None, credentials: ClientCredentials) -> None:
    """The way that the trust says, and no other. Raises InvalidClient."""
    if client is not None and client.authentication != credentials.method:
        raise InvalidClient(f"the client used {credentials.method}; its trust says {client.authentication}")


def verify_secret(secrets: tuple[ClientSecret, ...], secret: str) -> None:
    """It is one of those that are valid; in the same time whichever, and for nobody's. Raises InvalidClient."""
    shown = hashlib.sha256(secret.encode()).hexdigest()
    known = [*(kept.digest.lower() for kept in secrets), _NOBODY, _NOBODY][:2]
    fits = [hmac.compare_digest(shown, digest) for digest in known]
    if not any(fits):
        raise InvalidClient("the secret is wrong, or the client unknown")
