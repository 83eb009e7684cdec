"""How a rollover begins: everything that must hold, and the facts that are written down before anything is touched. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from adfs_mgmt.farm import Farm, FarmCertificate, Node, Proxy, Use
from adfs_mgmt.rollover import bindings, checks, steps_ssl, tokens
from adfs_mgmt.rollover.errors import Refused
from adfs_mgmt.rollover.model import Facts, Record, Snapshot
from adfs_mgmt.rollover.stage import RolloverPolicy, View
from adfs_mgmt.rollover.steps_arrival import stored
from certs import Certificate

Kind = Literal["token", "emergency", "ssl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants."""

    kind: Kind
    uses: tuple[Use, ...] = (Use.SIGNING, Use.DECRYPTING)
    """Of a token rollover or an emergency."""
    certificate: Certificate | None = None
    """What comes; none where AD FS makes it."""
    chain: tuple[Certificate, ...] = ()
    """Its issuers, as far as they were given."""
    material: bool = False
    """Whether its key is here, so that it can be imported; otherwise it must be in the stores already."""
    publish_for: float | None = None
    """Seconds that partners get; none means the policy's."""
    retire_after: float | None = None
    """Seconds for which the way back stays open; none means the policy's."""
    without_entra: bool = False
    """Of an emergency: begin although Entra ID cannot be asked."""
    names: tuple[str, ...] = ()
    """More names that an SSL certificate must cover, such as `enterpriseregistration.example.com`."""


def facts(request: Request, snapshot: Snapshot, policy: RolloverPolicy, now: float) -> Facts:
    """What the journal begins with. Raises Refused, with every reason."""
    empty = Record(id="", kind=request.kind, farm=snapshot.farm.name, started=now, by="")
    view = View(snapshot, empty, policy, now)
    return _BEGINNINGS[request.kind](request, view)


def _refuse(what: str, reasons: list[str]) -> None:
    if reasons:
        raise Refused(what, list(dict.fromkeys(reasons)))


def _auto(view: View) -> str:
    return "on" if view.farm.properties.auto_rollover else "off"


def _agreed(request: Request) -> dict[str, str]:
    times = {"publish_for": request.publish_for, "retire_after": request.retire_after}
    return {name: f"{seconds:.0f}" for name, seconds in times.items() if seconds is not None}


# -- token-signing, token-decrypting


@dataclass(slots=True)
class _Collected:
    facts: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


def _token(request: Request, view: View) -> Facts:
    supplied = request.certificate is not None
    auto = _auto(view)
    collected = _Collected(
        facts={
            "uses": ",".join(use.value for use in request.uses),
            "source": "supplied" if supplied else "adfs",
            "material": "yes" if request.material else "no",
            "auto": auto,
            "auto_after": "off" if supplied else auto,
            **_agreed(request),
            **{f"slots/{domain.name}": ",".join(domain.certificates) for domain in view.snapshot.domains},
        },
        reasons=[*checks.start(view), *checks.seen_from_outside(view)],
    )
    if view.farm.primary is not None:
        for use in request.uses:
            _one_use(request, view, use, collected)
    _refuse(f"rolling over {' and '.join(request.uses)} of farm {view.farm.name}", collected.reasons)
    return collected.facts


def _one_use(request: Request, view: View, use: Use, collected: _Collected) -> None:
    rows = tokens.rows(view.farm.primary, use)
    old = tokens.primary_of(view.farm.primary, use)
    others = [row for row in rows if not row.is_primary]
    if not old:
        collected.reasons.append(f"the farm has no primary {use.value} certificate; look at it first")
        return
    collected.facts[f"old/{use.value}"] = old
    collected.facts[f"known/{use.value}"] = tokens.thumbprints(rows)
    if request.certificate is None:
        _made_by_adfs(view, use, others, collected)
    else:
        _supplied(request, request.certificate, view, use, collected)


def _made_by_adfs(view: View, use: Use, others: list[FarmCertificate], collected: _Collected) -> None:
    """A secondary that AD FS has made already, in its own window, is taken."""
    if not others:
        collected.reasons += checks.makes_certificates(view)
        return
    candidate = others[0].certificate
    old = view.snapshot.certificate(collected.facts[f"old/{use.value}"])
    older = old is not None and candidate.not_after <= old.not_after
    if len(others) > 1 or older:
        collected.reasons.append(_left_over(use, [each.certificate.thumbprint for each in others]))
        return
    collected.reasons += checks.fit(candidate, use, view.now)
    collected.facts[f"new/{use.value}"] = candidate.thumbprint


def _supplied(request: Request, certificate: Certificate, view: View, use: Use, collected: _Collected) -> None:
    new = certificate.thumbprint
    if new == collected.facts[f"old/{use.value}"]:
        collected.reasons.append(f"certificate {new} is the primary {use.value} one already; nothing is to be done")
    others = [
        each
        for each in collected.facts[f"known/{use.value}"].split(",")
        if each not in {new, collected.facts[f"old/{use.value}"]}
    ]
    if others:
        collected.reasons.append(_left_over(use, others))
    collected.reasons += checks.fit(certificate, use, view.now)
    if not request.material:
        for node in view.farm.nodes:
            collected.reasons += [] if node.error else checks.stored(stored(node, new), node.host, new, cng_allowed=False)
    collected.facts[f"new/{use.value}"] = new


def _left_over(use: Use, others: list[str]) -> str:
    return (
        f"the farm has more {use.value} certificates than the one in use ({', '.join(others)}); if nobody needs them, take "
        f"them away first: Remove-AdfsCertificate -CertificateType {use.value} -Thumbprint …"
    )


def _emergency(request: Request, view: View) -> Facts:
    trouble = [] if request.without_entra else checks.trust_read(view)
    reasons = [
        *checks.primary(view),
        *(f"{each}. If the farm's keys come first: --without-entra" for each in trouble),
    ]
    _refuse(f"the emergency rollover of farm {view.farm.name}", reasons)
    auto = _auto(view)
    rows = {use: tokens.rows(view.farm.primary, use) for use in request.uses}
    return {
        "uses": ",".join(use.value for use in request.uses),
        "source": "adfs",
        "auto": auto,
        "auto_after": auto,
        **{f"old/{use.value}": tokens.primary_of(view.farm.primary, use) for use in request.uses},
        **{f"known/{use.value}": tokens.thumbprints(rows[use]) for use in request.uses},
    }


# -- SSL


def _ssl(request: Request, view: View) -> Facts:
    certificate = request.certificate
    if certificate is None:
        raise Refused("an SSL rollover", ["no certificate was given; AD FS makes none for SSL"])
    found = {f"old/node/{node.host}": _federation_row(view, node) for node in view.farm.nodes}
    found |= {f"old/proxy/{proxy.host}": _federation_row(view, proxy) for proxy in view.farm.proxies}
    reasons = steps_ssl.start(view, _ssl_problems(request, certificate, view, found))
    reasons += [
        f"{name.split('/')[2]}: it has no SSL binding at all; see to that first" for name, each in found.items() if not each
    ]
    if not request.material:
        servers: list[Node | Proxy] = [*view.farm.nodes, *view.farm.proxies]
        for server in servers:
            row = next((row for row in server.stored if row.certificate.thumbprint == certificate.thumbprint), None)
            reasons += [] if server.error else checks.stored(row, server.host, certificate.thumbprint, cng_allowed=True)
    _refuse(f"a new SSL certificate for farm {view.farm.name}", reasons)
    for proxy in view.farm.proxies:
        for _, each in bindings.applications_with([proxy], found[f"old/proxy/{proxy.host}"]):
            found[f"old/app/{proxy.host}/{each.id}"] = each.thumbprint
    service = next((row.certificate.thumbprint for row in tokens.rows(view.farm.primary, Use.SERVICE)), "")
    material = "yes" if request.material else "no"
    return {**found, "new/SSL": certificate.thumbprint, "old/service": service, "material": material}


def _federation_row(view: View, server: Node | Proxy) -> str:
    rows, name = bindings.ours(server.bindings), view.farm.properties.federation_name.lower()
    exact = [row for row in rows if row.host_name.lower() == name]
    return next((row.thumbprint for row in [*exact, *rows]), "")


def names_bound(farm: Farm) -> set[str]:
    """Names that the farm's certificate must cover now: those of its bindings, and those that the mode needs."""
    servers: list[Node | Proxy] = [*farm.nodes, *farm.proxies]
    names = {row.host_name.lower() for server in servers for row in server.bindings if row.host_name}
    return {*(name for name in names if name != "localhost"), *bindings.names_needed(farm.properties)}


def _ssl_problems(request: Request, certificate: Certificate, view: View, found: Mapping[str, str]) -> list[str]:
    wanted = {*names_bound(view.farm), *(name.lower() for name in request.names)}
    reasons = checks.fit(certificate, Use.SSL, view.now, view.policy.ssl_seconds_left)
    reasons += checks.names(certificate, tuple(sorted(wanted)))
    reasons += checks.chain(certificate, request.chain, view.now)
    if not certificate.server_auth:
        reasons.append(
            f"certificate {certificate.thumbprint} is not for servers (no Server Authentication); ask for one that is"
        )
    if certificate.self_signed:
        reasons.append(
            f"certificate {certificate.thumbprint} is self-signed, and no browser trusts it; take one of an authority"
        )
    for proxy in view.farm.proxies:
        reasons += bindings.not_covered([proxy], found[f"old/proxy/{proxy.host}"], certificate)
    return reasons


_BEGINNINGS = {"token": _token, "emergency": _emergency, "ssl": _ssl}
