"""What somebody wants of the farm's certificates, and the state that comes of it: everything that must hold before anything
is touched. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from adfs_mgmt.farm import FarmCertificate, Node, Proxy, Use
from adfs_mgmt.procedures import bindings, checks, stores
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.procedures.ssl import SslState
from adfs_mgmt.procedures.token import certificates
from adfs_mgmt.procedures.token.state import EmergencyState, ReplacedState, TokenState
from adfs_mgmt.procedures.view import FarmView, RolloverPolicy
from certs import Certificate, broken_chain, uncovered
from foundation.procedures import Record, Refused
from foundation.times import DAY

Kind = Literal["token", "emergency", "ssl"]
View = FarmView[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloverRequest:
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
    """Of an emergency: start although Entra ID cannot be asked."""
    names: tuple[str, ...] = ()
    """More names that an SSL certificate must cover, such as `enterpriseregistration.example.com`."""


def initial_state(
    request: RolloverRequest,
    observed: FarmObservation,
    policy: RolloverPolicy,
    now: float,
    previous: Record[Any] | None = None,
) -> ReplacedState | SslState:
    """What the journal starts with. `previous`: work that an emergency may supersede. Raises Refused, with every reason."""
    empty = Record(id="", kind=request.kind, subject=observed.farm.name, started=now, by="", state=None)
    view: View = FarmView(observed, empty, now, policy)
    if request.kind == "token":
        return _token(request, view)
    return _emergency(request, view, previous) if request.kind == "emergency" else _ssl(request, view)


def _refuse(what: str, reasons: Sequence[str]) -> None:
    if reasons:
        raise Refused(what, list(dict.fromkeys(reasons)))


# -- token-signing, token-decrypting


@dataclass(slots=True)
class _Found:
    """What is known of each use, and why it must not start."""

    reasons: list[str]
    old: dict[Use, str] = field(default_factory=dict)
    known: dict[Use, tuple[str, ...]] = field(default_factory=dict)
    new: dict[Use, str] = field(default_factory=dict)


def _token(request: RolloverRequest, view: View) -> TokenState:
    found = _Found([*checks.start(view), *checks.seen_from_outside(view)])
    for name, seconds in (("partners get", request.publish_for), ("the old one stays", request.retire_after)):
        if seconds is not None and not 0 <= seconds < math.inf:  # nothing would be before a time that is no number
            found.reasons.append(f"the time that {name} is {seconds / DAY:g} days; give a number of days")
    if view.farm.primary is not None:
        for use in request.uses:
            _one_use(request, view, use, found)
    _refuse(f"rolling over {' and '.join(request.uses)} of farm {view.farm.name}", found.reasons)
    supplied, auto = request.certificate is not None, view.farm.properties.auto_rollover
    return TokenState(
        uses=request.uses,
        old=found.old,
        known=found.known,
        new=found.new,
        auto=auto,
        auto_after=auto and not supplied,
        supplied=supplied,
        material=request.material,
        slots={domain.name: domain.certificates for domain in view.observed.domains},
        publish_for=request.publish_for,
        retire_after=request.retire_after,
    )


def _one_use(request: RolloverRequest, view: View, use: Use, found: _Found) -> None:
    old = certificates.primary_of(view.farm.primary, use)
    if not old:
        found.reasons.append(f"the farm has no primary {use.value} certificate; look at it first")
        return
    found.old[use] = old
    found.known[use] = certificates.thumbprints(view.farm.primary, use)
    if request.certificate is None:
        _made_by_adfs(view, use, found)
    else:
        _supplied(request, request.certificate, view, use, found)


def _made_by_adfs(view: View, use: Use, found: _Found) -> None:
    """A secondary that AD FS has made already, in its own window, is taken."""
    others = [row for row in certificates.rows(view.farm.primary, use) if not row.is_primary]
    if not others:
        found.reasons += checks.makes_certificates(view)
        return
    candidate = others[0].certificate
    old = view.observed.certificate(found.old[use])
    older = old is not None and candidate.not_after <= old.not_after
    if len(others) > 1 or older:
        found.reasons.append(_left_over(use, _thumbprints(others)))
        return
    found.reasons += checks.fit(candidate, use, view.now)
    found.new[use] = candidate.thumbprint


def _thumbprints(rows: Sequence[FarmCertificate]) -> list[str]:
    return [row.certificate.thumbprint for row in rows]


def _supplied(request: RolloverRequest, certificate: Certificate, view: View, use: Use, found: _Found) -> None:
    new, old = certificate.thumbprint, found.old[use]
    if new == old:
        found.reasons.append(f"certificate {new} is the primary {use.value} one already; nothing is to be done")
    others = [thumbprint for thumbprint in found.known[use] if thumbprint not in {new, old}]
    if others:
        found.reasons.append(_left_over(use, others))
    found.reasons += checks.fit(certificate, use, view.now)
    if not request.material:
        found.reasons += _not_stored(view.farm.nodes, new, cng_allowed=False)
    found.new[use] = new


def _not_stored(servers: Sequence[Node | Proxy], thumbprint: str, *, cng_allowed: bool) -> list[str]:
    return [
        problem
        for server in servers
        if not server.error
        for problem in checks.stored(stores.row_of(server, thumbprint), server.host, thumbprint, cng_allowed=cng_allowed)
    ]


def _left_over(use: Use, others: Sequence[str]) -> str:
    return (
        f"the farm has more {use.value} certificates than the one in use ({', '.join(others)}); if nobody needs them, take "
        f"them away first: Remove-AdfsCertificate -CertificateType {use.value} -Thumbprint …"
    )


def _emergency(request: RolloverRequest, view: View, previous: Record[Any] | None) -> EmergencyState:
    """In the middle of a planned rollover the value of AutoCertificateRollover is the one before both."""
    trouble = [] if request.without_entra else checks.trust_read(view)
    reasons = [*checks.has_primary(view), *(f"{text}. If the farm's keys come first: --without-entra" for text in trouble)]
    _refuse(f"the emergency rollover of farm {view.farm.name}", reasons)
    auto = view.farm.properties.auto_rollover
    if previous is not None and previous.open and isinstance(previous.state, ReplacedState):
        auto = previous.state.auto
    primary = view.farm.primary
    return EmergencyState(
        uses=request.uses,
        old={use: certificates.primary_of(primary, use) for use in request.uses},
        known={use: certificates.thumbprints(primary, use) for use in request.uses},
        auto=auto,
        auto_after=auto,
    )


# -- SSL


def _ssl(request: RolloverRequest, view: View) -> SslState:
    certificate = request.certificate
    if certificate is None:
        raise Refused("an SSL rollover", ["no certificate was given; AD FS makes none for SSL"])
    nodes = {node.host: _federation_row(view, node) for node in view.farm.nodes}
    proxies = {proxy.host: _federation_row(view, proxy) for proxy in view.farm.proxies}
    all_there = [*checks.reachable(view), *checks.proxies_reachable(view), *checks.clocks(view)]
    reasons = [*all_there, *checks.synchronised(view), *_unfit_for_ssl(request, certificate, view, proxies)]
    unbound = [host for host, old in {**nodes, **proxies}.items() if not old]
    reasons += [f"{host}: it has no SSL binding at all; see to that first" for host in unbound]
    if not request.material:
        reasons += _not_stored(bindings.servers(view), certificate.thumbprint, cng_allowed=True)
    _refuse(f"a new SSL certificate for farm {view.farm.name}", reasons)
    applications = {
        proxy.host: {row.id: row.thumbprint for _, row in bindings.applications_with([proxy], proxies[proxy.host])}
        for proxy in view.farm.proxies
    }
    service = next(iter(_thumbprints(certificates.rows(view.farm.primary, Use.SERVICE))), "")
    return SslState(
        new=certificate.thumbprint,
        nodes=nodes,
        proxies=proxies,
        applications=applications,
        service=service,
        material=request.material,
    )


def _federation_row(view: View, server: Node | Proxy) -> str:
    rows, name = bindings.with_certificate(server.bindings), view.farm.properties.federation_name.lower()
    exact = [row for row in rows if row.host_name.lower() == name]
    return next((row.thumbprint for row in [*exact, *rows]), "")


def _unfit_for_ssl(request: RolloverRequest, certificate: Certificate, view: View, proxies: Mapping[str, str]) -> list[str]:
    wanted = {*bindings.names_bound(view.farm), *(name.lower() for name in request.names)}
    reasons = checks.fit(certificate, Use.SSL, view.now, view.policy.ssl_seconds_left)
    reasons += uncovered(certificate, sorted(wanted))
    reasons += broken_chain(certificate, request.chain, view.now)
    if not certificate.server_auth:
        reasons.append(
            f"certificate {certificate.thumbprint} is not for servers (no Server Authentication); ask for one that is"
        )
    if certificate.self_signed:
        reasons.append(
            f"certificate {certificate.thumbprint} is self-signed, and no browser trusts it; take one of an authority"
        )
    for proxy in view.farm.proxies:
        reasons += bindings.not_covered([proxy], proxies[proxy.host], certificate)
    return reasons


# -- what is due


def first_end(kind: Kind, uses: Sequence[Use], observed: FarmObservation) -> float:
    """When the first certificate ends that such a piece of work would replace, Unix seconds, for those who let a timer start
    it. Raises Refused where that cannot be told: not to be due must never be a guess."""
    farm = observed.farm
    if farm.error or farm.primary is None:
        raise Refused("telling what is due", [f"the farm cannot be read ({farm.error or 'no primary answers'})"])
    if kind == "ssl":
        bound = {row.thumbprint for host in farm.hosts for row in bindings.with_certificate(host.bindings)}
        used = bound | {certificates.primary_of(farm.primary, Use.SERVICE)}
        away = [f"{host.host} cannot be read ({host.error})" for host in farm.hosts if host.error]
    else:
        used, away = {certificates.primary_of(farm.primary, use) for use in uses}, []
    ends = {name: found.not_after if (found := observed.certificate(name)) else 0.0 for name in used if name}
    unknown = [f"the end of {name} is not known" for name, end in ends.items() if not end]
    if away or unknown or not ends:
        raise Refused("telling what is due", [*away, *unknown] or ["no certificate is in use"])
    return min(ends.values())
