"""Checks of token-signing and token-decrypting certificates. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from adfs_mgmt.farm import ExternalView, Farm, FarmCertificate, KeyAccess, Node, StoredCertificate, Use, short_name
from adfs_mgmt.health.forecast import LATE, Event, EventKind, events, primary_of, successor_of
from adfs_mgmt.health.rendering import end_text, host_label
from adfs_mgmt.health.settings import Thresholds
from certs import Certificate
from findings import Finding, failed, passed, warned
from foundation.times import DAY, day, distance

_ROLL = "Roll it over: isthmus adfs rollover plan."
_ENDED = f"{_ROLL} Partners no longer get a waiting period: notify every one of them."
_SLUG = {Use.SIGNING: "token-signing", Use.DECRYPTING: "token-decrypting"}


def check_tokens(farm: Farm, external: ExternalView | None, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """From the farm's configuration; from its metadata where that could not be read."""
    node = farm.reference
    if node is None:
        yield from _check_metadata(external, thresholds, now)
        return
    for use, name in _SLUG.items():
        rows = [row for row in node.certificates if row.use is use]
        yield _check_primary(name, farm, rows, thresholds, now)
        yield from _check_secondaries(name, farm, rows, now)
        yield from _check_keys(name, farm, rows)


def _check_primary(name: str, farm: Farm, rows: list[FarmCertificate], thresholds: Thresholds, now: float) -> Finding:
    primary = primary_of(rows)
    if primary is None:
        count = sum(row.is_primary for row in rows)
        return failed(name, farm.name, f"{count} primary certificates instead of one", "Set-AdfsCertificate -IsPrimary …")
    seen = end_text(primary, now)
    if primary.not_after is None:
        return warned(name, farm.name, seen, "It cannot be read here: check it in AD FS (Get-AdfsCertificate).")
    if primary.ended(now):
        harm = (
            "AD FS uses it all the same"
            if name == "token-signing"
            else "AD FS will not start with it after the next restart"
        )
        return failed(name, farm.name, f"{seen}; {harm}", _ENDED)
    if not primary.begun(now):
        return failed(
            name, farm.name, f"{seen}; valid from {day(primary.not_before)}", "Make a certificate primary that is valid now."
        )
    if farm.properties.auto_rollover and not farm.error:
        return _check_managed(name, farm, rows, seen, primary, thresholds, now)
    return _unmanaged(name, farm, rows, seen, primary, thresholds, now)


def _check_managed(
    name: str, farm: Farm, rows: list[FarmCertificate], seen: str, primary: Certificate, thresholds: Thresholds, now: float
) -> Finding:
    """AD FS looks after it. That is no alarm, unless it is late."""
    coming = events(rows, farm.properties)
    late = next((event for event in coming if event.kind is not EventKind.CRITICAL and now > event.at + LATE), None)
    if primary.left(now) < farm.properties.critical_threshold_days * DAY:
        remedy = f"AD FS is about to replace it regardless of partners, or cannot replace it: check its event log. {_ROLL}"
        return failed(name, farm.name, f"{seen}; past its critical threshold", remedy)
    if late is not None:
        seen = f"{seen}; AD FS should have {_done(late)} it on {day(late.at)}"
        remedy = (
            "Check the AD FS/Admin event log of the primary server, whether the service is "
            f"running, and whether its account has write access. {_ROLL}"
        )
        finding = failed if primary.left(now) < thresholds.token_failure_days * DAY else warned
        return finding(name, farm.name, seen, remedy)
    return passed(name, farm.name, f"{seen}; {_next(coming, now)}")


def _done(event: Event) -> str:
    return "created a successor for" if event.kind is EventKind.GENERATION else "replaced"


def _next(coming: list[Event], now: float) -> str:
    event = next((event for event in coming if event.at >= now), coming[0])
    return f"{event.why} {day(event.at)} ({distance(event.at, now)})"


def _unmanaged(
    name: str, farm: Farm, rows: list[FarmCertificate], seen: str, primary: Certificate, thresholds: Thresholds, now: float
) -> Finding:
    left = primary.left(now) / DAY
    successor = successor_of(rows)
    remedy = f"Make {short_name(successor.thumbprint)} primary once partners have it." if successor else _ROLL
    if left < thresholds.token_failure_days:
        return failed(name, farm.name, f"{seen}; AutoCertificateRollover is off", remedy)
    if left < thresholds.token_warning_days:
        return warned(name, farm.name, f"{seen}; AutoCertificateRollover is off", remedy)
    return passed(name, farm.name, seen)


def _check_secondaries(name: str, farm: Farm, rows: list[FarmCertificate], now: float) -> Iterator[Finding]:
    for row in rows:
        if not row.is_primary and row.certificate.ended(now):
            remedy = "Remove it: isthmus adfs rollover retire, or Remove-AdfsCertificate."
            yield warned(f"{name}-secondary", farm.name, f"{end_text(row.certificate, now)}; it is no longer needed", remedy)


def _check_keys(name: str, farm: Farm, rows: list[FarmCertificate]) -> Iterator[Finding]:
    """Those that AD FS did not make are in each node's own store, or they are missing there."""
    for row in rows:
        if _is_local(farm, row.certificate):
            for node in farm.nodes:
                if node.stored:
                    yield check_key(f"{name}-key", node, row.certificate.thumbprint, csp=True)


def _is_local(farm: Farm, certificate: Certificate) -> bool:
    stored = any(row.certificate.thumbprint == certificate.thumbprint for node in farm.nodes for row in node.stored)
    return stored or bool(certificate.der and not certificate.self_signed)


def unusable_key(row: StoredCertificate | None, thumbprint: str, *, signs: bool = False) -> tuple[str, str]:
    """Why no service of this server can use the key, and what to do; empty where one can. `signs`: to sign tokens alone."""
    which = short_name(thumbprint)
    if row is None:
        return f"{which} is not in LocalMachine\\My", "Import it there with its private key."
    if row.key is KeyAccess.NO_KEY:
        return (
            f"{which} has no private key in LocalMachine\\My",
            "Import it again from a PFX file that contains its private key.",
        )
    if row.key_spec == 2 and not signs:
        remedy = "Import it again: certutil -importpfx FILE AT_KEYEXCHANGE."
        return f"the private key of {which} can only be used for signatures (KeySpec 2)", remedy
    return "", ""


def check_key(name: str, node: Node, thumbprint: str, *, csp: bool = False) -> Finding:
    """Whether the service can use the key of this certificate on this node."""
    where, which = host_label(node.host), short_name(thumbprint)
    row = node.held(thumbprint)
    seen, remedy = unusable_key(row, thumbprint, signs=name.startswith("token-signing"))
    if row is None or seen:
        return failed(name, where, seen, remedy)
    if row.key is KeyAccess.NOT_GRANTED:
        remedy = f"Grant {node.service_account or 'the service account'} read access to its private key."
        return failed(name, where, f"the service account cannot read the private key of {which}", remedy)
    if csp and row.cng:
        return failed(
            name,
            where,
            f"the private key of {which} is in a CNG provider",
            "Import it from a PFX file that specifies a CSP.",
        )
    known = (
        "readable"
        if row.key is KeyAccess.READABLE
        else "present; who can read it can only be checked through the JEA endpoint"
    )
    return passed(name, where, f"the private key of {which} is {known}")


def _check_metadata(external: ExternalView | None, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """Who signs the metadata is the primary. Whether AD FS renews it by itself cannot be seen from outside."""
    if external is None:
        return
    signers = {served.signed_by for served in external.served if served.signed_by}
    rows = [
        FarmCertificate(use=Use.SIGNING, certificate=external.certificates[name], is_primary=True)
        for name in sorted(signers)
    ]
    for row in rows:
        seen, left = end_text(row.certificate, now), row.certificate.left(now) / DAY
        if left < thresholds.token_failure_days:
            yield failed("token-signing", external.federation_name, seen, _ENDED if left <= 0 else _ROLL)
        elif left < thresholds.token_warning_days and not _announced(external, row.certificate):
            yield warned("token-signing", external.federation_name, f"{seen}; no successor is published", _ROLL)
        else:
            yield passed("token-signing", external.federation_name, seen)


def _announced(external: ExternalView, primary: Certificate) -> bool:
    known = (external.certificates[name] for served in external.served for name in served.signing)
    return any(certificate.outlasts(primary) for certificate in known)
