"""What somebody wants of the farm's certificates, and the state that comes of it: everything that must hold before anything
is touched. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from adfs_mgmt.farm import Node, Proxy, Use
from adfs_mgmt.procedures import bindings, checks, stores
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.procedures.ssl import SslState
from adfs_mgmt.procedures.token import certificates
from adfs_mgmt.procedures.token.state import EmergencyState, ReplacedState, TokenState
from adfs_mgmt.procedures.view import FarmView, RolloverPolicy
from certs import Certificate, broken_chain, uncovered, untrusted
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


def _impossible_times(request: RolloverRequest) -> list[str]:
    """Nothing would be before a time that is not a number."""
    times = {"--wait-days": request.publish_for, "--soak-days": request.retire_after}
    return [
        f"{name} is {seconds / DAY:g} days; give a number of days, 0 or more"
        for name, seconds in times.items()
        if seconds is not None and not 0 <= seconds < math.inf
    ]


def _token(request: RolloverRequest, view: View) -> TokenState:
    reasons = [*checks.start(view), *checks.seen_from_outside(view), *_impossible_times(request)]
    found = {use: _replacement(request, view, use) for use in request.uses} if view.farm.primary is not None else {}
    reasons += [problem for _, wrong in found.values() for problem in wrong]
    _refuse(f"rolling over {' and '.join(request.uses)} of farm {view.farm.name}", reasons)
    supplied, auto = request.certificate is not None, view.farm.properties.auto_rollover
    return TokenState(
        uses=request.uses,
        **_at_start(request, view),
        new={use: thumbprint for use, (thumbprint, _) in found.items() if thumbprint},
        auto=auto,
        auto_after=auto and not supplied,
        supplied=supplied,
        material=request.material,
        slots={domain.name: domain.certificates for domain in view.observed.domains},
        publish_for=request.publish_for,
        retire_after=request.retire_after,
    )


def _at_start(request: RolloverRequest, view: View) -> dict[str, Any]:
    """What is replaced, and everything that is there, for each use."""
    primary = view.farm.primary
    return {
        "old": {use: certificates.primary_of(primary, use) for use in request.uses},
        "known": {use: certificates.thumbprints(primary, use) for use in request.uses},
    }


def _replacement(request: RolloverRequest, view: View, use: Use) -> tuple[str, list[str]]:
    """What replaces the certificate of a use, empty while nobody knows; and why it must not start."""
    old = certificates.primary_of(view.farm.primary, use)
    if not old:
        return "", [f"the farm has no primary {use.value} certificate; check the farm first (isthmus adfs status)"]
    if request.certificate is None:
        return _made_by_adfs(view, use, old)
    return _supplied(request, request.certificate, view, use, old)


def _made_by_adfs(view: View, use: Use, old: str) -> tuple[str, list[str]]:
    """A secondary that AD FS has made already, in its own window, is taken."""
    others = [row.certificate for row in certificates.rows(view.farm.primary, use) if not row.is_primary]
    if not others:
        return "", checks.makes_certificates(view)
    candidate, replaced = others[0], view.observed.certificate(old)
    end = replaced.not_after if replaced else None
    if len(others) > 1 or (end is not None and candidate.left(0.0) <= end):
        return "", [_left_over(use, [certificate.thumbprint for certificate in others])]
    return candidate.thumbprint, checks.fit(candidate, use, view.now)


def _supplied(request: RolloverRequest, certificate: Certificate, view: View, use: Use, old: str) -> tuple[str, list[str]]:
    new, reasons = certificate.thumbprint, []
    if new == old:
        reasons.append(f"certificate {new} is already the primary {use.value} certificate; there is nothing to do")
    known = certificates.thumbprints(view.farm.primary, use)
    if others := [thumbprint for thumbprint in known if thumbprint not in {new, old}]:
        reasons.append(_left_over(use, others))
    reasons += checks.fit(certificate, use, view.now)
    if new in known and new != old and not any(node.held(new) for node in view.farm.nodes):
        reasons.append(
            f"the farm already has {new}, and AD FS holds its private key: to return to the previous certificate, run "
            "isthmus adfs rollover rollback; to roll over to the next one, plan without --thumbprint"
        )
    elif not request.material:
        reasons += stores.unusable(view.farm.nodes, new, use)
    return new, reasons


def _left_over(use: Use, others: Sequence[str]) -> str:
    return (
        f"the farm has other {use.value} certificates besides the one in use ({', '.join(others)}). To return to the "
        "previous one: isthmus adfs rollover rollback. If they are not needed, remove them first: Remove-AdfsCertificate "
        f"-CertificateType {use.value} -Thumbprint …"
    )


def promoted_elsewhere(observed: FarmObservation) -> TokenState | None:
    """The state of a rollover that has promoted what is in use now, though AD FS did it by itself, or another administrator:
    so that there is a way back to the certificates before, and from there forward once partners know. None where the farm
    does not have exactly one older certificate beside the primary of a use."""
    old, new = {}, {}
    for use in (Use.SIGNING, Use.DECRYPTING):
        rows = certificates.rows(observed.farm.primary, use)
        others = [row.certificate for row in rows if not row.is_primary]
        primary = next((row.certificate for row in rows if row.is_primary), None)
        if primary is not None and len(others) == 1 and primary.outlasts(others[0]):
            old[use], new[use] = others[0].thumbprint, primary.thumbprint
    if not old:
        return None
    auto = observed.farm.properties.auto_rollover
    return TokenState(
        uses=tuple(old),
        old=old,
        known={use: tuple(sorted((old[use], new[use]))) for use in old},
        new=new,
        auto=auto,
        auto_after=auto,
        supplied=False,
        material=False,
        slots={domain.name: domain.certificates for domain in observed.domains},
    )


def _emergency(request: RolloverRequest, view: View, previous: Record[Any] | None) -> EmergencyState:
    """In the middle of a planned rollover the value of AutoCertificateRollover is the one before both, and the certificate
    that it was about to add goes, too: an act of it that was open may yet bring it."""
    trouble = [] if request.without_entra else checks.trust_read(view)
    reasons = [
        *checks.has_primary(view),
        *(f"{text}. To replace the farm's keys without waiting for Entra ID: --without-entra" for text in trouble),
    ]
    _refuse(f"the emergency rollover of farm {view.farm.name}", reasons)
    auto, there = view.farm.properties.auto_rollover, _at_start(request, view)
    if previous is not None and previous.open and isinstance(previous.state, ReplacedState):
        auto, coming = previous.state.auto, previous.state.new
        for use, known in there["known"].items():
            there["known"][use] = tuple(dict.fromkeys([*known, *([coming[use]] if use in coming else [])]))
    return EmergencyState(uses=request.uses, **there, auto=auto, auto_after=auto)


# -- SSL


def _ssl(request: RolloverRequest, view: View) -> SslState:
    certificate = request.certificate
    if certificate is None:
        raise Refused("an SSL rollover", ["no certificate was given; AD FS does not create SSL certificates"])
    nodes = {node.host: _federation_row(view, node) for node in view.farm.nodes}
    proxies = {proxy.host: _federation_row(view, proxy) for proxy in view.farm.proxies}
    all_there = [*checks.reachable(view), *checks.proxies_reachable(view), *checks.clocks(view)]
    reasons = [*all_there, *checks.synchronised(view), *_unfit_for_ssl(request, certificate, view, proxies)]
    unbound = [host for host, old in {**nodes, **proxies}.items() if not old]
    reasons += [f"{host}: it has no SSL binding; fix that first" for host in unbound]
    if not request.material:
        reasons += stores.unusable(view.farm.hosts, certificate.thumbprint, Use.SSL)
    _refuse(f"a new SSL certificate for farm {view.farm.name}", reasons)
    applications = {
        proxy.host: {row.id: row.thumbprint for row in bindings.applications_with(proxy, proxies[proxy.host])}
        for proxy in view.farm.proxies
    }
    service = next((row.certificate.thumbprint for row in certificates.rows(view.farm.primary, Use.SERVICE)), "")
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
    reasons = [
        *checks.fit(certificate, Use.SSL, view.now, view.policy.ssl_seconds_left),
        *uncovered(certificate, sorted(wanted)),
        *broken_chain(certificate, request.chain, view.now),
        *untrusted(certificate),
    ]
    for proxy in view.farm.proxies:
        reasons += bindings.not_covered(proxy, proxies[proxy.host], certificate)
    return reasons


# -- what is due


def first_end(kind: Kind, uses: Sequence[Use], observed: FarmObservation) -> float:
    """When the first certificate ends that such a piece of work would replace, Unix seconds, for those who let a timer start
    it. Raises Refused where that cannot be told: not to be due must never be a guess."""
    farm = observed.farm
    if farm.error or farm.primary is None:
        raise Refused("checking what is due", [f"the farm cannot be read ({farm.error or 'no primary server answers'})"])
    if kind == "ssl":
        bound = {row.thumbprint for host in farm.hosts for row in bindings.with_certificate(host.bindings)}
        used = bound | {certificates.primary_of(farm.primary, Use.SERVICE)}
        away = [f"{host.host} cannot be read ({host.error})" for host in farm.hosts if host.error]
    else:
        used, away = {certificates.primary_of(farm.primary, use) for use in uses}, []
    found = {name: observed.certificate(name) for name in used if name}
    ends = [row.not_after for row in found.values() if row is not None and row.not_after is not None]
    unknown = [
        f"the expiry date of {name} is not known" for name, row in found.items() if row is None or row.not_after is None
    ]
    if away or unknown or not ends:
        raise Refused("checking what is due", [*away, *unknown] or ["no certificate is in use"])
    return min(ends)
