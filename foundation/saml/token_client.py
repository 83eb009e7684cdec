"""Asks one address of a security token service for a token by WS-Trust, with a name and a password.

    verified TLS ──► WS-Trust 1.3 usernamemixed ── 404, 503 ──► WS-Trust 2005 usernamemixed ──► token, or the reason why not

The password leaves this machine only by TLS whose certificate is trusted and names the service. One address is asked once:
who asks several must know that each wrong password counts against the account.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import aiohttp
from yarl import URL

from foundation.http import FetchFailed, explain_failure, host_header, open_session, read_bounded
from foundation.saml.assertion import is_encrypted, read_assertion
from foundation.saml.errors import SamlError
from foundation.saml.model import Fault, SignInOutcome, SyntheticSignIn
from foundation.saml.ws_trust import (
    MAX_ANSWER_BYTES,
    WS_TRUST_VERSIONS,
    WsTrust,
    make_token_request,
    read_token_answer,
    readable,
)

_OFF = {404, 503}


class _NotOffered(Exception):
    """This endpoint is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClient:
    """What is asked for, as whom, and how long is waited."""

    name: str
    """Of the service: its certificate must have it."""
    port: int
    ca_file: str
    """CA (PEM) that signed that certificate; empty for the system's."""
    timeout: float
    """Seconds for each address."""
    user: str
    password: str = field(repr=False)
    relying_party: str
    """Identifier of the relying party that the token is for."""
    explain: Callable[[Fault], SignInOutcome]
    """What a fault of this service says of the account."""

    def open_session(self) -> aiohttp.ClientSession:
        """For `ask`. Connecting has the shorter time: that nothing was sent must be told from that nothing came back."""
        return open_session(aiohttp.ClientTimeout(total=self.timeout, connect=self.timeout / 2))

    async def ask(self, session: aiohttp.ClientSession, host: str, address: str, now: float) -> SyntheticSignIn:
        """At the first endpoint that is there. `host` is what the result calls it, `address` where it is; `now` is Unix
        seconds. Never raises. Cancelling closes the connection."""
        started = time.monotonic()
        for protocol in WS_TRUST_VERSIONS:
            try:
                result = await self._ask_at(session, address, protocol, now)
                break
            except _NotOffered as error:
                result = self.result(SignInOutcome.NOT_OFFERED, reason=str(error))
        return replace(result, host=host, at=now + time.monotonic() - started, reason=readable(result.reason))

    def result(
        self,
        outcome: SignInOutcome,
        protocol: WsTrust | None = None,
        *,
        host: str = "",
        at: float = 0.0,
        reason: str = "",
    ) -> SyntheticSignIn:
        """Without a token. `at` is Unix seconds."""
        endpoint = protocol.path if protocol else ""
        return SyntheticSignIn(
            host=host, outcome=outcome, relying_party=self.relying_party, at=at, endpoint=endpoint, reason=reason
        )

    async def _ask_at(self, session: aiohttp.ClientSession, address: str, protocol: WsTrust, now: float) -> SyntheticSignIn:
        started = time.monotonic()
        try:
            status, body = await self._post(session, address, protocol, now)
        except aiohttp.ClientConnectorCertificateError as error:
            return self.result(SignInOutcome.UNTRUSTED, reason=_distrust(error.certificate_error))
        except ssl.SSLCertVerificationError as error:
            return self.result(SignInOutcome.UNTRUSTED, reason=_distrust(error))
        except aiohttp.ConnectionTimeoutError as error:
            return self.result(SignInOutcome.UNREACHED, reason=explain_failure(error, self.timeout / 2))
        except aiohttp.ClientConnectorError as error:
            return self.result(SignInOutcome.UNREACHED, reason=explain_failure(error, self.timeout))
        except FetchFailed as error:
            return self.result(SignInOutcome.NO_VERDICT, protocol, reason=f"its {error}")
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            return self.result(SignInOutcome.NO_VERDICT, protocol, reason=explain_failure(error, self.timeout))
        took = (time.monotonic() - started) * 1000
        return replace(await asyncio.to_thread(self._result_of, protocol, status, body), milliseconds=took)

    async def _post(self, session: aiohttp.ClientSession, address: str, protocol: WsTrust, now: float) -> tuple[int, bytes]:
        authority = host_header(self.name, self.port, 443)
        url = f"https://{authority}{protocol.path}"
        async with session.post(
            URL.build(scheme="https", host=address, port=self.port, path=protocol.path),
            data=make_token_request(protocol, url, self.user, self.password, self.relying_party, now),
            ssl=ssl.create_default_context(cafile=self.ca_file or None),
            server_hostname=self.name,
            headers={"Host": authority, "Content-Type": "application/soap+xml; charset=utf-8"},
            allow_redirects=False,
        ) as response:
            answer = await read_bounded(response, MAX_ANSWER_BYTES)
            if response.status in _OFF:
                raise _NotOffered(f"HTTP {response.status}")
            return response.status, answer

    def _result_of(self, protocol: WsTrust, status: int, body: bytes) -> SyntheticSignIn:
        """What was answered. A fault comes with HTTP 500, sometimes 400."""
        if status not in {200, 400, 500}:
            return self.result(SignInOutcome.NO_VERDICT, protocol, reason=f"HTTP {status}")
        try:
            found = read_token_answer(body, protocol)
        except SamlError as error:
            code = "" if status == 200 else f" (HTTP {status})"
            return self.result(SignInOutcome.NO_VERDICT, protocol, reason=f"its {error}{code}")
        if isinstance(found, Fault):
            return self.result(self.explain(found), protocol, reason=found.reason)
        if is_encrypted(found):
            return self.result(SignInOutcome.ENCRYPTED, protocol)
        try:
            return replace(self.result(SignInOutcome.ISSUED, protocol), token=read_assertion(found))
        except SamlError as error:
            return self.result(SignInOutcome.BAD_TOKEN, protocol, reason=str(error))


def _distrust(error: BaseException) -> str:
    return str(getattr(error, "verify_message", "") or error)
