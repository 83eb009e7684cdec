"""A signing or decrypting key was stolen: new certificates immediately, twice, and no way back. Pure.

    automatic ─► renew (until nothing that was there is left) ─► republish ─► spread ─► restart ─► serve ─► revoke ─► restore

`Update-AdfsCertificate -Urgent` makes a new primary and drops an old one, without asking any partner: sign-ins to partners
fail until they have the new certificate. Entra ID is told before anything else, so that it trusts the stolen key no longer.
Where it cannot be asked, somebody may decide that the farm's keys come first: then it is told at the end (`republish-late`).
"""

from __future__ import annotations

import msgspec

from adfs_mgmt.farm import Use
from adfs_mgmt.procedures import acts, checks
from adfs_mgmt.procedures.restart import restarted
from adfs_mgmt.procedures.token import certificates, schedule
from adfs_mgmt.procedures.token.arrival import restored
from adfs_mgmt.procedures.token.stages import tells_entra
from adfs_mgmt.procedures.token.state import EmergencyState, TokenRolloverView, with_placeholders
from adfs_mgmt.procedures.view import RolloverPolicy, converging
from certs import PartnerKind
from foundation.procedures import Condition, Procedure, Stage, gate, label, planned

View = TokenRolloverView[EmergencyState]
WITHOUT_ENTRA, TOLD = "without-entra", "entra-told"
"""Acknowledgements: the farm's keys come first, Entra ID after them; and somebody has told it by hand."""


def _current(view: View, use: Use) -> list[str]:
    """Thumbprints of the primary's configuration, the one in use first."""
    rows = sorted(certificates.rows(view.farm.primary, use), key=lambda row: not row.is_primary)
    return [row.certificate.thumbprint for row in rows]


def _automatic(view: View) -> list[Condition]:
    condition = certificates.auto_is(view, True)
    why = f"{condition.problem}, and AD FS creates certificates only while it is on" if condition.problem else ""
    return [Condition(condition.where, why, condition.act)]


def _renewed(view: View, use: Use) -> list[Condition]:
    """Twice the same command: the first one replaces what is in use, which stays as the second one until the next."""
    stolen = [thumbprint for thumbprint in _current(view, use) if thumbprint in view.state.known[use]]
    text = f"the farm still has {', '.join(stolen)} for {use.value}"
    first = certificates.primary_of(view.farm.primary, use) in view.state.known[use]
    once, again = (certificates.update(view, use, urgent=True, name=f"{use.value}, {when}") for when in ("first", "second"))
    return [
        Condition(view.primary, text if first else "", once),
        Condition(view.primary, text if stolen and not first else "", again),
    ]


def _renew_learns(view: View) -> EmergencyState:
    new = {use: certificates.primary_of(view.farm.primary, use) for use in view.uses}
    return msgspec.structs.replace(view.state, new=new)


def _shows_primary(view: View) -> list[str]:
    """The primary names a certificate in use for each: without rows nothing stolen would seem left."""
    return checks.has_primary(view) or [
        f"{view.primary} shows no primary {use.value} certificate; check it (Get-AdfsCertificate), then apply again"
        for use in view.uses
        if not certificates.primary_of(view.farm.primary, use)
    ]


def _as_primary(view: View, use: Use) -> list[Condition]:
    now = set(_current(view, use))
    text = f"has other certificates for {use.value} than the primary"
    return certificates.on_nodes(view, lambda node: set(certificates.thumbprints(node, use)) == now, text, ("renew",))


def _served(view: View) -> list[Condition]:
    now = certificates.primary_of(view.farm.primary, Use.SIGNING)
    return certificates.signed_by(view, now)


def _republished(view: View) -> list[Condition]:
    """One act for each domain at a time: what the next one must be shows when this one is done."""
    return [
        condition
        for domain in view.observed.domains
        for condition in _republished_domain(view, domain.name, domain.certificates)
    ]


def _republished_domain(view: View, name: str, slots: tuple[str, ...]) -> list[Condition]:
    current, known = _current(view, Use.SIGNING), view.state.known.get(Use.SIGNING, ())
    lacking = [thumbprint for thumbprint in current if thumbprint not in slots]
    stolen = [thumbprint for thumbprint in slots if thumbprint in known]
    kept = next((thumbprint for thumbprint in current if thumbprint in slots), "")
    where, found = f"domain {name}", []
    for thumbprint in current:
        # one whose DER nobody has seen comes with the primary's metadata
        may = thumbprint not in lacking or (thumbprint == lacking[0] and _has_der(view, thumbprint))
        problem = f"does not have {thumbprint}" if thumbprint in lacking else ""
        found.append(Condition(where, problem, acts.publish(name, thumbprint, kept) if may else None))
    for thumbprint in known:
        may = thumbprint not in stolen or (not lacking and thumbprint == stolen[0])
        problem = f"still has {thumbprint}" if thumbprint in stolen else ""
        found.append(Condition(where, problem, acts.withdraw(name, thumbprint, current[0]) if may and current else None))
    return found


def _has_der(view: View, thumbprint: str) -> bool:
    certificate = view.observed.certificate(thumbprint)
    return certificate is not None and bool(certificate.der)


def _foresee_republished(view: View) -> list[Condition]:
    """The new certificate in, then whatever is there out."""
    new = view.new(Use.SIGNING)
    return planned(
        act
        for domain in view.observed.domains
        for act in (
            acts.publish(domain.name, new, ""),
            *(acts.withdraw(domain.name, thumbprint, new) for thumbprint in domain.certificates),
        )
    )


def _without_entra(view: View) -> bool:
    """Somebody has said that the farm comes first."""
    return WITHOUT_ENTRA in view.record.acknowledged


def _republished_late(view: View) -> list[Condition]:
    if TOLD in view.record.acknowledged:
        return []
    if view.observed.problems:
        return [Condition("", problem) for problem in view.observed.problems]
    return _republished(view)


def _late_question(view: View) -> dict[str, str]:
    if not view.observed.problems:
        return {}
    return {
        TOLD: "Add the new certificate to every federated domain and remove the stolen one, by any means available, "
        f"then acknowledge {TOLD}; or apply again once Entra ID can be queried. Until then only "
        "someone with the stolen key can sign in there"
    }


def _revocations(view: View) -> dict[str, str]:
    questions = {
        "tokens-revoked": "Revoke the refresh tokens of every user (Graph: revokeSignInSessions), then acknowledge "
        "tokens-revoked: someone with the stolen key may have obtained tokens"
    }
    for partner in view.observed.partners:
        if partner.kind is PartnerKind.MANUAL and view.signing:
            questions[partner.name] = (
                f"Tell {partner.name} about the new certificate, then acknowledge it: until the "
                "partner has it, sign-ins there fail"
            )
    return questions


def _notes(view: View) -> list[str]:
    notes = ["there is no rollback: the first command already replaces the old certificates"]
    if not view.state.auto:
        notes.append(
            "AutoCertificateRollover was off: certificates from AD FS replace the supplied ones; "
            "roll over to supplied ones again later"
        )
    return [*notes, *schedule.partner_notes(view)]


_PROMISE = "every federated domain has the new certificates, and none of the stolen ones"
STAGES: tuple[Stage[View], ...] = (
    Stage(
        **label(
            "automatic",
            "turn on AutoCertificateRollover, so that AD FS creates certificates",
            "AutoCertificateRollover is on",
        ),
        conditions=_automatic,
        refuses=checks.has_primary,
        notes=_notes,
    ),
    Stage(
        **label(
            "renew",
            "replace the certificates immediately, until no stolen one is left (no rollback)",
            "the primary server has none of the certificates that it had at the start",
            1,
        ),
        conditions=lambda view: [condition for use in view.uses for condition in _renewed(view, use)],
        refuses=_shows_primary,
        learns=_renew_learns,
    ),
    Stage(
        **label("republish", "replace the certificates in Entra ID", _PROMISE, 3),
        conditions=_republished,
        refuses=lambda view: [*_shows_primary(view), *checks.trust_read(view)],
        foresees=_foresee_republished,
        applies=lambda view: tells_entra(view) and not _without_entra(view),
        patience=converging,
    ),
    Stage(
        **label(
            "spread",
            "wait for secondary servers to synchronise",
            "every node has the same certificates as the primary server, and no others",
            6,
        ),
        conditions=lambda view: [condition for use in view.uses for condition in _as_primary(view, use)],
        refuses=checks.has_primary,
        patience=converging,
    ),
    restarted("restart"),
    Stage(
        **label("serve", "check that every node uses it", "every node's metadata is signed by the new certificate", 6),
        conditions=_served,
        applies=lambda view: view.signing,
        patience=converging,
    ),
    Stage(
        **label(
            "republish-late",
            "replace the certificates in Entra ID (postponed until now)",
            f"{_PROMISE}, or an administrator has acknowledged it",
            8,
        ),
        conditions=_republished_late,
        foresees=_foresee_republished,
        asks=_late_question,
        applies=lambda view: tells_entra(view) and _without_entra(view),
        patience=converging,
    ),
    Stage(
        **label("revoke", "revoke refresh tokens and notify partners", "everything has been acknowledged", 8),
        **gate(_revocations),
    ),
    restored(lambda view: not view.state.auto_after),
)


def procedure(rules: RolloverPolicy) -> Procedure[View]:
    """It ends a planned rollover that is under way."""
    return Procedure(
        kind="emergency",
        state=EmergencyState,
        stages=STAGES,
        view=lambda observed, record, now: TokenRolloverView(observed, record, now, rules),
        no_rollback="an emergency rollover cannot be rolled back: the old certificates are gone",
        supersedes={"token": "superseded by an emergency"},
        foreseen=with_placeholders,
    )
