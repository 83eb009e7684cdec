"""What is shown to a service: a bearer token from a file, from the environment, or fetched by client credentials (OAuth 2).

Tokens are kept in memory only, never logged, and in no error.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote_plus

import aiohttp
import msgspec

from foundation.http import FetchFailed, explain_failure, read_bounded
from settings import UnusableFile, read_secret
from sync.target.errors import CredentialsRefused, TargetUnavailable
from sync.target.scim.settings import OAuthSettings, ScimSettings

_MARGIN = 60.0
"""Seconds before its end that a token is replaced: the service's clock may be ahead."""
_DEFAULT_LIFE = 300.0
"""Seconds, where the server does not say (RFC 6749 section 5.1 only recommends it)."""
_LARGEST_ANSWER = 64 * 1024


class BearerTokens(Protocol):
    """Where tokens come from."""

    async def token(self, session: aiohttp.ClientSession, *, refused: str = "") -> str:
        """A bearer token. refused: the one that the service has just refused. Raises TargetError."""


class GivenToken:
    """From a file or the environment."""

    def __init__(self, target: str, settings: ScimSettings, environment: Mapping[str, str] = os.environ) -> None:
        self._target, self._file, self._variable = target, settings.token_file, settings.token_variable
        self._environment = environment
        self._token = ""

    async def token(self, session: aiohttp.ClientSession, *, refused: str = "") -> str:
        """Read once, and anew when it was refused: it may have been replaced."""
        if not self._token or refused == self._token:
            self._token = self._read()
        return self._token

    def _read(self) -> str:
        if self._file is not None:
            try:
                return _checked(self._target, read_secret(self._file))
            except UnusableFile as error:
                raise CredentialsRefused(self._target, str(error)) from error
        token = self._environment.get(self._variable, "").strip()
        if not token:
            raise CredentialsRefused(self._target, f"the variable {self._variable} of the environment has no token")
        return _checked(self._target, token)


def _checked(target: str, token: str) -> str:
    """Raises for what no header can hold (RFC 6750 section 2.1), which would else be told with the token in it."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise CredentialsRefused(target, "the token has blanks, or characters that no token has: copy it again")
    return token


class _TokenAnswer(msgspec.Struct):
    access_token: str = ""
    token_type: str = ""
    expires_in: float = _DEFAULT_LIFE
    error: str = ""


class FetchedToken:
    """Fetched from a token endpoint, and kept until shortly before it expires (RFC 6749 section 4.4)."""

    def __init__(
        self, target: str, settings: OAuthSettings, timeout: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._target, self._settings, self._timeout, self._clock = target, settings, timeout, clock
        self._token, self._until = "", 0.0
        self._lock = asyncio.Lock()

    async def token(self, session: aiohttp.ClientSession, *, refused: str = "") -> str:
        """Tasks that need one at the same time share it."""
        async with self._lock:
            if not self._token or refused == self._token or self._clock() >= self._until:
                await self._fetch(session)
            return self._token

    async def _fetch(self, session: aiohttp.ClientSession) -> None:
        try:
            secret = read_secret(self._settings.client_secret_file)
        except UnusableFile as error:
            raise CredentialsRefused(self._target, str(error)) from error
        form = {"grant_type": "client_credentials"} | ({"scope": self._settings.scope} if self._settings.scope else {})
        # RFC 6749 section 2.3.1: in the header, which every server supports, both form-encoded
        authorization = aiohttp.encode_basic_auth(quote_plus(self._settings.client_id), quote_plus(secret))
        try:
            async with (
                asyncio.timeout(self._timeout),
                session.post(
                    self._settings.token_url,
                    data=form,
                    headers={"Authorization": authorization, "Accept": "application/json"},
                    allow_redirects=False,
                ) as response,
            ):
                body, status = await read_bounded(response, _LARGEST_ANSWER), response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            where = f"token endpoint: {explain_failure(error, self._timeout)}"
            raise TargetUnavailable(self._target, where) from error
        except FetchFailed as error:
            raise TargetUnavailable(self._target, f"token endpoint: {error}") from error
        self._take(status, body)

    def _take(self, status: int, body: bytes) -> None:
        try:
            answer = msgspec.json.decode(body, type=_TokenAnswer, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = _TokenAnswer()
        if status >= 500 or status == 429:
            raise TargetUnavailable(self._target, f"token endpoint: HTTP {status}", busy=True)
        if status != 200 or not answer.access_token:
            code = answer.error if answer.error.replace("_", "").isalnum() and len(answer.error) < 64 else ""
            problem = f"the token endpoint gives no token (HTTP {status}{', ' + code if code else ''})"
            raise CredentialsRefused(self._target, f"{problem}: check client_id, its secret and scope")
        if answer.token_type.casefold() != "bearer":
            raise CredentialsRefused(self._target, "the token endpoint gives tokens of another type than Bearer")
        self._token = _checked(self._target, answer.access_token)
        self._until = self._clock() + max(answer.expires_in - _MARGIN, answer.expires_in / 2)


def token_source(target: str, settings: ScimSettings) -> BearerTokens:
    """As the settings say."""
    if settings.oauth is not None:
        return FetchedToken(target, settings.oauth, settings.timeout)
    return GivenToken(target, settings)
