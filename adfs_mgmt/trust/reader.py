"""Reads what Entra ID knows: domains, federation configurations, certificates, and how its own update went.

Source: Microsoft Graph v1.0, "domain resource type", "internalDomainFederation resource type",
"signingCertificateUpdateStatus resource type".
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adfs_mgmt.trust.errors import TrustError
from adfs_mgmt.trust.model import Authentication, Configuration, EntraTrust, FederatedDomain, Slot, UpdateStatus
from certs import Certificate, CertificateUnreadable, read_certificate
from foundation.graph import GraphError, MalformedAnswer, NotThere, SignInRefused

if TYPE_CHECKING:
    from foundation.graph import Graph

VISIBLE_WITHIN = 120.0
"""Seconds that a change may take to show: Graph may answer from a replica that has not heard of it."""
DOMAINS_AT_ONCE = 4
"""Configurations that are read at the same time: Graph throttles."""
MAX_DOMAINS = 5000
_NO_CONFIGURATION = "it is federated without a configuration: convert it to managed, then to federated again"


async def read_tenant(graph: Graph, now: float) -> EntraTrust:
    """Every domain of the tenant, and the configuration of each federated one.

    A configuration that cannot be read is its domain's `error`; SignInRefused and a failure to list raise GraphError.
    `now` is Unix seconds.
    """
    listed = await graph.get_all("listing the domains", "domains")
    if len(listed) > MAX_DOMAINS:
        raise MalformedAnswer("listing the domains", f"{len(listed)} domains")
    domains = [parse_domain(value) for value in listed]
    limit = asyncio.Semaphore(DOMAINS_AT_ONCE)

    async def complete(domain: FederatedDomain) -> FederatedDomain:
        async with limit:
            return await _with_configuration(graph, domain)

    completed = await asyncio.gather(*(complete(domain) for domain in domains))
    return EntraTrust(tenant=graph.tenant, read_at=now, domains=tuple(completed))


async def read_domain(graph: Graph, name: str) -> FederatedDomain:
    """One domain, as it is now. Raises GraphError, whatever cannot be read."""
    what = f"reading domain {name}"
    domain = parse_domain(await graph.get(what, "domains", name))
    if not domain.federated:
        return domain
    return replace(domain, configuration=await read_configuration(graph, name))


async def read_configuration(graph: Graph, name: str) -> Configuration:
    """The configuration of a federated domain. Raises GraphError; NotThere where there is none."""
    what = f"reading the federation of {name}"
    found = await graph.get_all(what, "domains", name, "federationConfiguration")
    if not found:
        raise NotThere(what, "the domain has no federation configuration")
    if len(found) > 1:
        raise MalformedAnswer(what, f"{len(found)} configurations, where Graph documents one")
    return parse_configuration(found[0], what)


async def _with_configuration(graph: Graph, domain: FederatedDomain) -> FederatedDomain:
    if not domain.federated:
        return domain
    try:
        return replace(domain, configuration=await read_configuration(graph, domain.name))
    except SignInRefused:
        raise
    except NotThere:
        if not domain.is_root:
            return domain  # it follows its root
        return replace(domain, error=_NO_CONFIGURATION)
    except GraphError as error:
        return replace(domain, error=str(error))


def parse_domain(value: Mapping[str, Any]) -> FederatedDomain:
    """A domain out of Graph's JSON. Raises MalformedAnswer."""
    name, kind = value.get("id"), value.get("authenticationType")
    if not isinstance(name, str) or not _is_domain_name(name):
        raise MalformedAnswer("listing the domains", "a domain without a usable name")
    if kind not in set(Authentication):
        raise MalformedAnswer(f"reading domain {name}", "an authenticationType that is neither Managed nor Federated")
    return FederatedDomain(
        name=name,
        authentication=Authentication(kind),
        is_default=value.get("isDefault") is True,
        is_initial=value.get("isInitial") is True,
        is_root=value.get("isRoot") is not False,
        is_verified=value.get("isVerified") is True,
    )


def parse_configuration(value: Mapping[str, Any], what: str) -> Configuration:
    """A configuration out of Graph's JSON. Raises MalformedAnswer without an id; a bad certificate is a `problem`."""
    identifier = value.get("id")
    if not isinstance(identifier, str) or not identifier:
        raise MalformedAnswer(what, "a federation configuration without an id")
    certificates: dict[Slot, Certificate] = {}
    problems: list[str] = []
    for slot in Slot:
        try:
            found = _certificate(value.get(slot), slot)
        except CertificateUnreadable as error:
            problems.append(str(error))
        else:
            certificates |= {slot: found} if found else {}
    return Configuration(
        id=identifier,
        issuer_uri=_text(value, "issuerUri"),
        passive_sign_in_uri=_text(value, "passiveSignInUri"),
        active_sign_in_uri=_text(value, "activeSignInUri"),
        metadata_exchange_uri=_text(value, "metadataExchangeUri"),
        certificates=certificates,
        mfa_behaviour=_text(value, "federatedIdpMfaBehavior"),
        update=_update_status(value.get("signingCertificateUpdateStatus")),
        problems=tuple(problems),
        raw=dict(value),
    )


def encode(certificate: Certificate) -> str:
    """As Graph takes it: base64 of the DER. Raises TrustError where only its name is known."""
    if not certificate.der:
        raise TrustError(f"certificate {certificate.thumbprint} is known by name only: its DER is needed to publish it")
    return base64.b64encode(certificate.der).decode()


def _certificate(value: object, slot: Slot) -> Certificate | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise CertificateUnreadable(slot, "it is not text")
    try:
        der = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CertificateUnreadable(slot, "it is not base64") from error
    return read_certificate(der, slot)


def _update_status(value: object) -> UpdateStatus | None:
    if not isinstance(value, dict) or not isinstance(value.get("certificateUpdateResult"), str):
        return None
    return UpdateStatus(result=value["certificateUpdateResult"][:80], at=_time(value.get("lastRunDateTime")))


def _time(value: object) -> float | None:
    """DateTimeOffset with up to seven decimals. None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        return dt.datetime.fromisoformat(value).astimezone(dt.UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found[:2048] if isinstance(found, str) else ""


def _is_domain_name(name: str) -> bool:
    """So much that it can go into a path and onto a terminal."""
    return 0 < len(name) <= 253 and all(letter.isalnum() or letter in ".-_" for letter in name)
