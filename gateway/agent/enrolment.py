"""Enrolment: a single-use token becomes an identity. The key is made here and never leaves.

POST /agent/v1/enrol   {"token", "csr", "proof"}  ->  {"certificate", "authority", "proof"}
"""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from certs import CertsError, EnrolmentToken, MachineIdentity, Role, private_directory, prove, verify_proof
from findings import plain_reason
from gateway.agent.errors import EnrolmentFailed
from gateway.agent.routes import proxy_of, remember_relays, tls_context
from gateway.agent.settings import AgentCoreSettings

ENROL_PATH = "/agent/v1/enrol"
TIMEOUT = 15.0
"""Seconds for the whole exchange."""


async def enrol(
    settings: AgentCoreSettings,
    state_dir: Path,
    token_text: str,
    now: float,
    *,
    timeout: float = TIMEOUT,  # noqa: ASYNC109 - the HTTP client's own
) -> MachineIdentity:
    """Redeem a token and install the identity; `timeout` seconds for the relay's answer.

    Raises EnrolmentFailed, CertsError (a bad token), BadRoute.

    Cancelling leaves an identity that was there before in place.
    """
    token = EnrolmentToken.parse(token_text)
    token.check_fresh(now)
    private_directory(state_dir)
    directory = state_dir / "identity"
    csr = MachineIdentity.begin(directory, name=token.name)
    proof = prove(token.key, "enrol", csr)
    request = {"token": token.id, "csr": _text(csr), "proof": _text(proof)}
    answer = await _post(settings, token.relay_url, request, timeout)
    try:
        certificate, authority, proof = (base64.b64decode(answer[key]) for key in ("certificate", "authority", "proof"))
        token.check_authority(authority)
        verify_proof(token.key, proof, "enrolled", csr, certificate, authority)
        identity = MachineIdentity.install(directory, certificate, authority, name=token.name, role=Role.AGENT, now=now)
    except (CertsError, KeyError, TypeError, ValueError) as error:
        raise EnrolmentFailed(token.relay_url, f"its answer cannot be trusted ({error})") from error
    remember_relays(state_dir, [token.relay_url])
    return identity


async def _post(settings: AgentCoreSettings, relay: str, body: dict[str, Any], seconds: float) -> dict[str, Any]:
    proxy = proxy_of(settings)
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=proxy is True) as session,
            session.post(
                URL(relay.rstrip("/") + ENROL_PATH),
                json=body,
                ssl=tls_context(settings),
                proxy=proxy if isinstance(proxy, str) else None,
            ) as response,
        ):
            return _content(relay, response.status, await response.read())
    except TimeoutError as error:
        raise EnrolmentFailed(relay, f"no answer within {seconds:g} s") from error
    except aiohttp.ClientHttpProxyError as error:
        # Without its cause: that quotes the proxy's URL, password included
        raise EnrolmentFailed(relay, f"the proxy answered {error.status} {error.message}") from None
    except aiohttp.ClientProxyConnectionError as error:
        raise EnrolmentFailed(
            relay, f"no connection to the proxy {error.host}:{error.port} ({plain_reason(error)})"
        ) from None
    except (aiohttp.ClientError, ssl.SSLError, ValueError) as error:
        raise EnrolmentFailed(relay, plain_reason(error)) from error


def _content(relay: str, status: int, body: bytes) -> dict[str, Any]:
    """The relay's JSON object. Raises EnrolmentFailed for a refusal, and for whatever else stands in between."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise EnrolmentFailed(relay, f"HTTP {status}, which is not a relay's response: is the address correct?")
    if status != 200:
        raise EnrolmentFailed(relay, str(answer.get("detail", f"HTTP {status}")), refused=status == 403)
    return answer


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
