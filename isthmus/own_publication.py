"""What applications see of this relay at its public address: the certificate, the documents, the keys in them, the clock."""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from findings import Finding, difference, failed, passed, plain_reason, warned
from foundation.http import FetchFailed, clock_skew, open_session, read_bounded
from foundation.saml import SamlError, read_metadata
from gateway.federation import Outbound, Trust

_PATIENCE = 10.0
"""Seconds for each document."""
_LARGEST = 1024 * 1024
_MOST_SKEW = 30.0
"""Seconds: assertions and tokens that begin in the future are refused by many applications."""
_ALTERED = "See what the proxy in front of the relay does with this path; it must pass it on as it is."
_WAY = "Name its network in application_networks of [server.federation], or correct the address."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    body: bytes
    skew: float | None


async def check_publication(
    url: str, protocol: str, keys: Mapping[str, str], context: ssl.SSLContext | None = None
) -> list[Finding]:
    """url: the relay's public address, without a slash at its end. keys: states of the ring's keys, by id.

    Never raises for what it finds. context: TLS; the system's authorities unless given.
    """
    path = "/.well-known/openid-configuration" if protocol == "oidc" else "/saml/metadata"
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with open_session(timeout, context) as session:
            first = await _get(session, url + path)
            served = await _get(session, f"{url}/oidc/jwks") if protocol == "oidc" else first
    except (aiohttp.ClientError, TimeoutError, OSError, FetchFailed) as error:
        reason = error.reason if isinstance(error, FetchFailed) else plain_reason(error)
        return [failed("published", url + path, reason, "isthmus relay check says more of the public address.")]
    try:
        name, published = _read_jwks(first.body, served.body) if protocol == "oidc" else _read_saml(first.body)
    except (ValueError, KeyError, TypeError, AttributeError, SamlError) as error:
        return [failed("published", url + path, f"not what the relay publishes: {error}", _ALTERED)]
    expected = url if protocol == "oidc" else f"{url}/saml/metadata"
    found = [*judge_name(url + path, name, expected), *judge_keys(url + path, published, keys)]
    return [*found, *judge_skew(url, first.skew)]


async def check_ways(trust: Trust, outbound: Outbound) -> list[Finding]:
    """Whether the relay may connect to the servers that it asks itself. Nothing is sent."""
    oidc, saml = trust.oidc, trust.saml
    asked = [oidc.backchannel_logout_uri, oidc.jwks_uri, saml.metadata_url]
    asked += [saml.logout_url] if saml.logout_binding == "soap" else []
    found = []
    for url in filter(None, asked):
        try:
            await outbound.check(url)
        except FetchFailed as error:
            found.append(failed("relay's way", url, error.reason, _WAY))
        else:
            found.append(passed("relay's way", url, "the relay may connect to it"))
    return found


async def _get(session: aiohttp.ClientSession, url: str) -> _Document:
    """Raises FetchFailed, and what aiohttp does."""
    async with session.get(url, allow_redirects=False) as response:
        skew = clock_skew(response, time.time())
        if response.status != 200:
            raise FetchFailed(url, f"HTTP {response.status} instead of 200")
        return _Document(body=await read_bounded(response, _LARGEST), skew=skew)


def _read_jwks(discovery: bytes, jwks: bytes) -> tuple[str, set[str]]:
    document: Any = json.loads(discovery)
    return str(document["issuer"]), {str(key["kid"]) for key in json.loads(jwks)["keys"]}


def _read_saml(data: bytes) -> tuple[str, set[str]]:
    document = read_metadata(data)
    return document.entity_id, {hashlib.sha256(certificate.der).hexdigest() for certificate in document.signing}


def judge_name(where: str, name: str, expected: str) -> Iterator[Finding]:
    """By what name applications know the relay: they compare it character by character."""
    if name != expected:
        yield failed("published name", where, f"{name} instead of {expected}", "Correct public_url, or the proxy.")
    else:
        yield passed("published name", where, name)


def judge_keys(where: str, published: Iterable[str], keys: Mapping[str, str]) -> Iterator[Finding]:
    """What is published against what the relay has: ids, and states by id."""
    seen = {key.lower() for key in published}
    known = {key.lower(): state for key, state in keys.items()}
    missing = sorted(state for key, state in known.items() if state in {"active", "published"} and key not in seen)
    strange = seen - set(known)
    if strange:
        remedy = "Another relay, or a copy that a proxy keeps, answers there."
        yield failed("published keys", where, f"{len(strange)} of them are not of this relay", remedy)
    elif missing:
        remedy = "A proxy keeps an old copy: it must follow Cache-Control."
        yield failed("published keys", where, f"not published: {', '.join(missing)}", remedy)
    else:
        yield passed("published keys", where, f"{len(seen)}, the same as in the database")


def judge_skew(where: str, skew: float | None) -> Iterator[Finding]:
    """Of whoever answers at the public address against this machine."""
    if skew is None:
        return
    if abs(skew) > _MOST_SKEW:
        remedy = "Set both by NTP: applications refuse what begins in the future."
        yield warned("clock", where, f"its clock is {difference(skew)} from this machine's", remedy)
    else:
        yield passed("clock", where, f"{difference(skew)} from this machine's")
