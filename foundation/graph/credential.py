"""A token for Graph, by msal: client credentials with a certificate or a secret.

A refused credential is tried once in the life of an `ApplicationCredential`: what follows raises the same refusal. msal
blocks, so it runs in a thread. It speaks through `_Http`, not through its own session: `requests` prefers the CA of its
environment variables to the one that a session was told, and would follow a redirect with the secret in the body.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msal  # type: ignore[import-untyped]
import requests
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from certs import KeyStoreError, read_private
from foundation.graph.aadsts import explain
from foundation.graph.errors import CredentialUnusable, GraphError, MalformedAnswer, SignInRefused, Unreachable
from foundation.graph.settings import GraphSettings
from settings import UnusableFile, read_secret

_CORRECT = "correct [[entra]] in the settings"

WHAT = "signing in to Entra ID"


class TokenSource(Protocol):
    """Where Graph's client gets its tokens."""

    async def token(self, *, fresh: bool = False) -> str:
        """A token; a new one where `fresh`. Raises GraphError."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class ApplicationCredential:
    """The application's sign-in. The credential is read when it is first needed and kept by msal alone."""

    def __init__(self, settings: GraphSettings) -> None:
        self._settings = settings
        self._http = _Http(settings)
        self._application: Any = None
        self._refused: SignInRefused | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"ApplicationCredential(tenant={self._settings.tenant!r}, client_id={self._settings.client_id!r})"

    async def token(self, *, fresh: bool = False) -> str:
        """A token, out of msal's cache while it lasts. Raises SignInRefused, Unreachable, CredentialUnusable.

        Cancelling stops waiting; the request continues in its thread for as long as its timeout.
        """
        async with self._lock:
            if self._refused is not None:
                raise self._refused
            try:
                return await asyncio.to_thread(self._acquire, fresh)
            except SignInRefused as refused:
                self._refused = refused
                raise

    def close(self) -> None:
        """Close the connections to the sign-in endpoint."""
        self._http.close()

    def _acquire(self, fresh: bool) -> str:
        try:
            application = self._opened()
            if fresh:
                application.remove_tokens_for_client()
            answer = application.acquire_token_for_client([f"{self._settings.graph.rstrip('/')}/.default"])
        except requests.RequestException as error:
            raise _unreachable(self._settings, error) from error
        except (msal.exceptions.MsalError, RuntimeError) as error:
            raise Unreachable(WHAT, "the sign-in endpoint has a problem of its own", "Try again in a while") from error
        except ValueError as error:
            raise self._discovery_failed() from error
        except (KeyError, TypeError, AttributeError) as error:  # msal does not check the shape of what it is answered
            raise MalformedAnswer(WHAT, "the sign-in endpoint answered something else than a token") from error
        if not isinstance(answer, dict):
            raise MalformedAnswer(WHAT, "the sign-in endpoint answered something else than a token")
        token = answer.get("access_token")
        if isinstance(token, str) and token:
            return token
        raise _refused(answer)

    def _opened(self) -> Any:
        if self._application is None:
            self._application = msal.ConfidentialClientApplication(
                self._settings.client_id,
                client_credential=_credential(self._settings),
                authority=f"{self._settings.authority.rstrip('/')}/{self._settings.tenant}",
                instance_discovery=False,  # a national cloud's authority is known to whoever wrote the settings
                http_client=self._http,
            )
        return self._application

    def _discovery_failed(self) -> GraphError:
        """msal's only word for a tenant that is not there, or for an answer that is not JSON."""
        if self._http.last_status < 400:
            return MalformedAnswer(WHAT, "the sign-in endpoint did not answer as OpenID Connect discovery does")
        reason, remedy = explain(90002)
        return SignInRefused(WHAT, f"tenant {self._settings.tenant}: {reason}", remedy, code="AADSTS90002")


class _Http:
    """What msal needs of an HTTP client."""

    def __init__(self, settings: GraphSettings) -> None:
        self._verify = str(settings.tls_ca_file) if settings.tls_ca_file else _system_ca()
        self._timeout = settings.timeout
        self._session = requests.Session()
        self.last_status = 0

    def get(self, url: str, *, params: Any = None, headers: Any = None, **_: Any) -> Any:
        return self._send("GET", url, params=params, headers=headers)

    def post(self, url: str, *, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> Any:
        return self._send("POST", url, params=params, data=data, headers=headers)

    def close(self) -> None:
        self._session.close()

    def _send(self, method: str, url: str, **more: Any) -> Any:
        self.last_status = 0
        answer = self._session.request(
            method, url, timeout=self._timeout, verify=self._verify, allow_redirects=False, **more
        )
        self.last_status = answer.status_code
        return answer


def _system_ca() -> str | bool:
    """The system's CAs where OpenSSL knows them, as everywhere else in this project; else those of `requests`."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _credential(settings: GraphSettings) -> Any:
    try:
        if settings.certificate_file is not None:
            return _certificate(settings.certificate_file, read_private(settings.certificate_file))
        if settings.secret_file is not None:
            return read_secret(settings.secret_file)
    except (KeyStoreError, UnusableFile) as error:
        raise CredentialUnusable(error.path, error.problem, error.remedy or _CORRECT) from error
    except FileNotFoundError as error:
        raise CredentialUnusable(settings.certificate_file or Path(), "there is no such file", _CORRECT) from error
    raise SignInRefused(WHAT, "the settings name neither certificate_file nor secret_file", "Add one to [[entra]]")


def _certificate(path: Path, pem: bytes) -> dict[str, str]:
    """Checked here: msal would say ValueError for it, as for a tenant that is not there."""
    try:
        key = serialization.load_pem_private_key(pem, None)
        certificate = x509.load_pem_x509_certificate(pem)
        text = pem.decode("ascii")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        problem = "does not hold a certificate and its key without a password, in PEM"
        raise CredentialUnusable(path, problem, "correct certificate_file in [[entra]]") from error
    if not isinstance(key, rsa.RSAPrivateKey) or certificate.public_key() != key.public_key():
        raise CredentialUnusable(
            path, "its certificate is not that of its key, or the key is not RSA", "put the right pair there"
        )
    return {"private_key": text, "public_certificate": text}


def _unreachable(settings: GraphSettings, error: Exception) -> Unreachable:
    host = urlsplit(settings.authority).hostname
    if isinstance(error, requests.exceptions.SSLError):
        remedy = "A proxy that inspects TLS has a CA of its own: set tls_ca_file in [[entra]]"
        return Unreachable(WHAT, f"the TLS certificate of {host} is not trusted here", remedy)
    if isinstance(error, requests.Timeout):
        return Unreachable(WHAT, f"{host} did not answer within {settings.timeout:.0f} s", "Check the network and the proxy")
    return Unreachable(WHAT, f"{host} cannot be reached", "Check the network, the proxy (HTTPS_PROXY) and `authority`")


def _refused(answer: dict[str, Any]) -> GraphError:
    codes = answer.get("error_codes")
    code = codes[0] if isinstance(codes, list) and codes and isinstance(codes[0], int) else 0
    reason, remedy = explain(code)
    shown = f"AADSTS{code}" if code else str(answer.get("error", ""))[:80]
    return SignInRefused(WHAT, reason, remedy, code=shown, request_id=str(answer.get("trace_id", ""))[:64])
