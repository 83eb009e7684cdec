"""Fuzz target: what `gateway.federation.oidc` reads of strangers, without its endpoints' I/O.

    python -m tests.fuzz.fuzz_oidc -max_total_time=60 [corpus directory]      (needs atheris)

The first byte of an input chooses a stage, the rest is what the attacker sends:

    authorization   a query to the authorization endpoint, bent or raw, read and checked
    token           a form and an Authorization header to the token endpoint, as far as its client and its secrets
    jwt             a signed token that was changed after it was signed, or raw text
    signed          a token with a header and claims of the attacker's choice, signed by a key that is known
    keys            a client's JWK set
    logout          a query to the logout endpoint, as far as the address to return to

Whatever comes, it is read or refused as OAuthError or JwtRefused. An exception that escapes is a finding, and so is an
answer to an address that is not the trust's, and a token that verifies and says something else than what was signed.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from gateway.federation.oidc.authorization_request import AuthorizationRequest, read_authorization_request
from gateway.federation.oidc.checks.authorization import check_authorization, check_no_request_object
from gateway.federation.oidc.checks.codes import check_verifier
from gateway.federation.oidc.checks.logout import checked_return, read_logout_request
from gateway.federation.oidc.checks.redirects import check_redirect_uri
from gateway.federation.oidc.client_assertions import verify_client_assertion
from gateway.federation.oidc.client_credentials import ASSERTION_TYPE, ClientCredentials, read_client_credentials
from gateway.federation.oidc.errors import OAuthError
from gateway.federation.oidc.jose import JwtRefused, Signer, VerifyingKey, read_keys, verify
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.oidc.refresh_tokens import grant_id_in
from gateway.federation.trusts import OidcClient, Trust
from tests.fuzz.fuzz_protocol import Finding, Source, instrument
from tests.gateway.federation.oidc.signing import ec_key, public_jwk

NOW = 1_800_000_000.0
CLIENT = OidcClient(redirect_uris=("https://app.example.com/cb",), resources=("https://api.example.com/",))
NATIVE = OidcClient(application="native", redirect_uris=("http://127.0.0.1/cb",), authentication="none")
BACK = "https://app.example.com/bye"
APP = Trust(
    id="app",
    name="App",
    protocol="oidc",
    oidc=OidcClient(redirect_uris=("https://app.example.com/cb",), post_logout_redirect_uris=(BACK,)),
)
LOGOUT = urlencode({"client_id": "app", "post_logout_redirect_uri": BACK, "state": "s", "ui_locales": "de fr"}).encode()
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
QUERY = urlencode(
    {
        "client_id": "app",
        "redirect_uri": "https://app.example.com/cb",
        "response_type": "code",
        "scope": "openid email",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "prompt": "login",
        "max_age": "60",
        "claims": '{"id_token":{"acr":{"values":["a"]},"sub":{"value":"s"}}}',
    }
).encode()
CLAIMS = {"iss": "app", "sub": "app", "aud": "https://signin.example.com", "jti": "j", "exp": NOW + 60}
KEY = VerifyingKey("k", "ES256", ec_key().public_key())
TOKEN = Signer().sign(CLAIMS, key_id="k", algorithm="ES256", private=ec_key(), typ="JWT")
FORM = urlencode(
    {
        "grant_type": "authorization_code",
        "code": "c",
        "code_verifier": "v" * 43,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": TOKEN,
    }
).encode()
JWKS = (b'{"keys":[%s]}' % str(public_jwk(ec_key(), "k", "ES256")).replace("'", '"').encode())[:600]
_TYPES, _ALGORITHMS = ("JWT", "at+jwt", "logout+jwt", ""), ("ES256", "RS256", "none", "HS256")
_MEMBERS = ("iss", "sub", "aud", "jti", "exp", "iat", "nbf", "crit")
_VALUES: tuple[Any, ...] = ("app", "", None, 0, -1, 1e300, True, [], {}, ["https://signin.example.com"], NOW - 60, NOW + 1e9)


def bent_bytes(source: Source, whole: bytes) -> bytes:
    """As it is, changed at up to three places, or something else altogether."""
    if source.below(8) == 7:
        return source.blob()
    for _ in range(source.below(4)):
        at, put_in = source.below(len(whole) + 1), source.blob()
        whole = whole[:at] + put_in + source.pick((whole[at:], whole[at + len(put_in) :], whole[at + 1 :], b""))
    return whole


def authorization(source: Source) -> AuthorizationRequest | None:
    """What passes goes to an address of the trust's."""
    client = source.pick((CLIENT, NATIVE))
    with suppress(OAuthError):
        parameters = Parameters.parse(bent_bytes(source, QUERY))
        check_redirect_uri(client, parameters.one("redirect_uri"))
        check_no_request_object(parameters)
        asked = read_authorization_request(parameters)
        check_authorization(asked, client)
        proven = asked.redirect_uri.startswith(("https://app.example.com/cb", "http://127.0.0.1"))
        if not proven or asked.response_type != "code" or not asked.code_challenge:
            raise Finding("an answer to a stranger's address, or a code without PKCE")
        return asked
    return None


def token_request(source: Source) -> ClientCredentials | None:
    """As far as it goes without a store."""
    with suppress(OAuthError):
        parameters = Parameters.parse(bent_bytes(source, FORM))
        parameters.check_unique()
        header = source.pick(("", "Basic " + source.text(), source.text()))
        credentials = read_client_credentials(parameters, header)
        with suppress(OAuthError):
            grant_id_in(parameters.one("refresh_token"))
        with suppress(OAuthError):
            check_verifier(source.pick((CHALLENGE, "")), parameters.one("code_verifier"))
        return credentials
    return None


def changed_token(source: Source) -> dict[str, Any] | None:
    """Verified, and then the same as before."""
    text = bent_bytes(source, TOKEN.encode()).decode("utf-8", "replace")
    with suppress(JwtRefused):
        claims = verify(text, {"k": KEY}.get, types=("jwt",))
        if claims != CLAIMS:
            raise Finding("a token verifies, and says something else than what was signed")
        return claims
    return None


def signed_token(source: Source) -> object:
    """A client that signs whatever it likes: nothing but itself, for a short time, is proven."""
    claims = {**CLAIMS, source.pick(_MEMBERS): source.pick(_VALUES)} if source.below(4) else CLAIMS
    text = Signer().sign(
        claims, key_id=source.pick(("k", "x")), algorithm="ES256", private=ec_key(), typ=source.pick(_TYPES)
    )
    with suppress(OAuthError):
        found = verify_client_assertion(text, [KEY], "app", ("https://signin.example.com",), NOW)
        if (claims["iss"], claims["sub"], claims["aud"]) != ("app", "app", "https://signin.example.com"):
            raise Finding("an assertion about somebody else is good")
        if not NOW - 5 < found.expires_at <= NOW + 3605:
            raise Finding("an assertion is good for too long")
        return found
    return None


def key_set(source: Source) -> object:
    """Public keys, or a refusal."""
    with suppress(JwtRefused):
        return read_keys(bent_bytes(source, JWKS).decode("utf-8", "replace"))
    return None


def logout(source: Source) -> str | None:
    """People go back to an address of the trust's, or nowhere."""
    with suppress(OAuthError):
        back = checked_return(read_logout_request(Parameters.parse(bent_bytes(source, LOGOUT))), APP)
        if back and back != BACK and not back.startswith(f"{BACK}?state="):
            raise Finding("people are led to a stranger's address")
        return back
    return None


STAGES = (authorization, token_request, changed_token, signed_token, key_set, logout)


def fuzz_one(data: bytes) -> object:
    """Run one input; what was read of it, if anything. Raises Finding, or whatever escaped."""
    source = Source(data)
    return source.pick(STAGES)(source)


def main() -> None:
    """Fuzz until libFuzzer's options say otherwise."""
    try:
        import atheris
    except ImportError:
        raise SystemExit("atheris is not installed: pip install 'isthmus[fuzz]'") from None

    instrument(atheris, ("gateway.federation.oidc",))

    def run(data: bytes) -> Any:
        fuzz_one(data)

    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
