"""Domains and their federation (Graph v1.0, "domain resource type", "internalDomainFederation resource type").

Known from the documentation and from its readers' reports, and modelled: a federation configuration federates its domain,
deleting it or setting `authenticationType` to Managed ends that; the opposite by `authenticationType` is refused; an issuer
URI is unique in the tenant; a configuration created without a certificate answers 500 and leaves the domain federated and
unreadable; subdomains follow their root.
"""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.graph.failure import GraphFailure, bad_request, not_found
from tests.fakes.graph.faults import Faults
from tests.fakes.graph.gate import Gate, read_json
from tests.fakes.graph.validation import REQUIRED, SLOTS, check_properties

READ_DOMAINS = {"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
READ_FEDERATION = {
    "Domain-InternalFederation.Read.All",
    "Domain-InternalFederation.ReadWrite.All",
    "Domain.Read.All",
    "Domain.ReadWrite.All",
}
WRITE_FEDERATION = {"Domain-InternalFederation.ReadWrite.All", "Domain.ReadWrite.All"}
WRITE_DOMAINS = {"Domain.ReadWrite.All"}
ANSWERED = (
    "displayName",
    "issuerUri",
    "metadataExchangeUri",
    "signingCertificate",
    "passiveSignInUri",
    "preferredAuthenticationProtocol",
    "activeSignInUri",
    "signOutUri",
    "promptLoginBehavior",
    "isSignedAuthenticationRequestRequired",
    "nextSigningCertificate",
    "signingCertificateUpdateStatus",
    "federatedIdpMfaBehavior",
    "passwordResetUri",
)


@dataclass(kw_only=True)
class Domain:
    """One domain of the tenant."""

    name: str
    is_default: bool = False
    is_initial: bool = False
    is_verified: bool = True
    is_root: bool = True
    broken: bool = False
    """Federated, with a configuration that cannot be read."""
    configuration: dict[str, Any] | None = None
    before: dict[str, Any] | None = None
    """What the configuration was before its last change."""
    writes: list[dict[str, Any]] = field(default_factory=list)
    """Every body that changed the configuration."""


class Domains:
    """The state, and the requests that read and change it."""

    def __init__(self, gate: Gate, faults: Faults) -> None:
        self._gate = gate
        self._faults = faults
        self.all: dict[str, Domain] = {}
        self.base = ""
        self.page_size = 0
        """Domains in one page of the list; 0 for all."""
        self.clock: Callable[[], float] = faults.clock

    def routes(self) -> list[web.RouteDef]:
        domain = "/v1.0/domains/{domain}"
        return [
            web.get("/v1.0/domains", self._list),
            web.get(domain, self._get),
            web.patch(domain, self._update),
            web.get(f"{domain}/federationConfiguration", self._list_configurations),
            web.post(f"{domain}/federationConfiguration", self._create),
            web.get(domain + "/federationConfiguration/{id}", self._get_configuration),
            web.patch(domain + "/federationConfiguration/{id}", self._update_configuration),
            web.delete(domain + "/federationConfiguration/{id}", self._delete_configuration),
        ]

    def federated(self, domain: Domain) -> bool:
        root = self._root_of(domain)
        return root.configuration is not None or root.broken

    def _root_of(self, domain: Domain) -> Domain:
        if domain.is_root:
            return domain
        above = [each for each in self.all.values() if each.is_root and domain.name.endswith("." + each.name)]
        return above[0] if above else domain

    def _shown(self, domain: Domain) -> dict[str, Any]:
        return {
            "id": domain.name,
            "authenticationType": "Federated" if self.federated(domain) else "Managed",
            "availabilityStatus": None,
            "isAdminManaged": True,
            "isDefault": domain.is_default,
            "isInitial": domain.is_initial,
            "isRoot": domain.is_root,
            "isVerified": domain.is_verified,
            "supportedServices": ["Email"],
            "passwordValidityPeriodInDays": 2147483647,
            "passwordNotificationWindowInDays": 14,
            "state": None,
        }

    def _find(self, request: web.Request) -> Domain:
        name = request.match_info["domain"]
        domain = self.all.get(name.lower())
        if domain is None:
            raise not_found(name)
        return domain

    async def _list(self, request: web.Request) -> web.Response:
        self._gate.check(request, READ_DOMAINS)
        shown = [self._shown(each) for each in self.all.values()]
        answer: dict[str, Any] = {"@odata.context": f"{self.base}/v1.0/$metadata#domains", "value": shown}
        if self.page_size:
            start = int(request.query.get("$skiptoken", "0"))
            answer["value"] = shown[start : start + self.page_size]
            if start + self.page_size < len(shown):
                answer["@odata.nextLink"] = f"{self.base}/v1.0/domains?$skiptoken={start + self.page_size}"
        return web.json_response(answer)

    async def _get(self, request: web.Request) -> web.Response:
        self._gate.check(request, READ_DOMAINS)
        return web.json_response(
            {"@odata.context": f"{self.base}/v1.0/$metadata#domains/$entity", **self._shown(self._find(request))}
        )

    async def _update(self, request: web.Request) -> web.Response:
        self._gate.check(request, WRITE_DOMAINS)
        domain = self._find(request)
        body = await read_json(request)
        if not domain.is_verified:
            raise bad_request("Only verified domains can be updated.")
        known = {"authenticationType", "isDefault", "supportedServices", "passwordValidityPeriodInDays"}
        for name in set(body) - known:
            raise bad_request(f"Property '{name}' is read-only and cannot be set.")
        if body.get("isDefault"):
            self._make_default(domain)
        if "authenticationType" in body:
            self._set_authentication(domain, body["authenticationType"])
        return web.Response(status=204)

    def _make_default(self, domain: Domain) -> None:
        if self.federated(domain):
            raise bad_request("The domain authentication type must be Managed to be set as the default.")
        for each in self.all.values():
            each.is_default = each is domain

    def _set_authentication(self, domain: Domain, wanted: Any) -> None:
        if wanted not in {"Managed", "Federated"}:
            raise bad_request("Invalid value specified for property 'authenticationType' of resource 'Domain'.")
        if not domain.is_root:
            raise bad_request("The authentication type of a subdomain is that of its root domain.")
        if wanted == "Federated" and not self.federated(domain):
            raise bad_request("Changing authenticationType from Managed to Federated is currently not supported.")
        if wanted == "Managed":
            domain.configuration, domain.broken = None, False

    async def _list_configurations(self, request: web.Request) -> web.Response:
        self._gate.check(request, READ_FEDERATION)
        domain = self._find(request)
        configuration = self._read(domain)
        address = f"{self.base}/v1.0/$metadata#domains('{domain.name}')/federationConfiguration"
        return web.json_response({"@odata.context": address, "value": [configuration]})

    async def _get_configuration(self, request: web.Request) -> web.Response:
        self._gate.check(request, READ_FEDERATION)
        domain, _ = self._find_configuration(request)
        return web.json_response(self._read(domain))

    def _read(self, domain: Domain) -> dict[str, Any]:
        if domain.broken:
            raise GraphFailure(500, "Service_InternalServerError", "Encountered an internal server error.")
        if domain.configuration is None:
            raise not_found(f"{domain.name}/federationConfiguration")
        values = domain.configuration
        if self._faults.stale_reads and domain.before is not None:
            self._faults.stale_reads -= 1
            values = domain.before
        shown = {name: copy.deepcopy(values.get(name)) for name in ANSWERED}
        return {"@odata.type": "#microsoft.graph.internalDomainFederation", "id": values["id"], **shown}

    def _find_configuration(self, request: web.Request) -> tuple[Domain, dict[str, Any]]:
        domain = self._find(request)
        wanted = request.match_info["id"]
        if domain.configuration is None or domain.configuration["id"] != wanted:
            raise not_found(wanted)
        return domain, domain.configuration

    async def _create(self, request: web.Request) -> web.Response:
        self._gate.check(request, WRITE_FEDERATION)
        domain = self._find(request)
        values = check_properties(await read_json(request))
        self._check_can_federate(domain)
        for name in REQUIRED:
            if not values.get(name):
                raise bad_request(f"A value is required for property '{name}' of resource 'InternalDomainFederation'.")
        self._check_issuer(domain, values)
        if not values.get("signingCertificate"):
            domain.broken = True
            raise GraphFailure(500, "Service_InternalServerError", "Encountered an internal server error.")
        self.set_configuration(domain, values)
        domain.writes.append(values)
        return web.json_response(self._read(domain), status=201)

    def set_configuration(self, domain: Domain, values: Mapping[str, Any]) -> None:
        """As a request that was accepted does."""
        domain.broken = False
        domain.configuration = {"id": str(uuid.uuid4()), "isSignedAuthenticationRequestRequired": False, **values}

    def _check_can_federate(self, domain: Domain) -> None:
        if self.federated(domain):
            raise GraphFailure(409, "Request_Conflict", "Domain already has Federation Configuration set.")
        if not domain.is_verified:
            raise bad_request("Only verified domains can be updated.")
        if domain.is_initial:
            raise bad_request("The initial domain of the company cannot be federated.")
        if domain.is_default:
            raise bad_request("The default domain of the company cannot be federated.")
        if not domain.is_root:
            raise bad_request("The authentication type of a subdomain is that of its root domain.")

    def _check_issuer(self, domain: Domain, values: Mapping[str, Any]) -> None:
        others = [each for each in self.all.values() if each is not domain and each.configuration]
        if any(each.configuration and each.configuration["issuerUri"] == values.get("issuerUri") for each in others):
            text = "Another object with the same value for property issuerUri already exists."
            raise GraphFailure(409, "Request_MultipleObjectsWithSameKeyValue", text)

    async def _update_configuration(self, request: web.Request) -> web.Response:
        self._gate.check(request, WRITE_FEDERATION)
        domain, configuration = self._find_configuration(request)
        values = check_properties(await read_json(request))
        self._check_issuer(domain, values)
        domain.writes.append(values)
        domain.before = copy.deepcopy(configuration)
        if not self._faults.ignore_patches:
            self._change(configuration, values)
        return web.json_response(self._read(domain))

    def _change(self, configuration: dict[str, Any], values: Mapping[str, Any]) -> None:
        configuration.update(values)
        named = [slot for slot in SLOTS if slot in values]
        if self._faults.lose_other_slot and len(named) == 1:
            configuration[SLOTS[1 - SLOTS.index(named[0])]] = None

    async def _delete_configuration(self, request: web.Request) -> web.Response:
        self._gate.check(request, WRITE_FEDERATION)
        domain, _ = self._find_configuration(request)
        domain.configuration = None
        return web.Response(status=204)


def stamp(now: float) -> str:
    """DateTimeOffset, as Graph writes it."""
    return f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
