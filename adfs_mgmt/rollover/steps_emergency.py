"""A signing or decrypting key was stolen: new certificates at once, twice, and no way back. Pure.

    automatic ─► renew (until nothing that was there is left) ─► republish ─► spread ─► restart ─► serve ─► revoke ─► restore

`Update-AdfsCertificate -Urgent` makes a new primary and drops an old one, without asking any partner: sign-ins to partners
fail until they have the new certificate. Entra ID is told before anything else, so that it trusts the stolen key no longer.
Where it cannot be asked, somebody may decide that the farm's keys come first: then it is told at the end (`republish-late`).
"""

from __future__ import annotations

from collections.abc import Mapping

from adfs_mgmt.farm import Node, Use
from adfs_mgmt.rollover import checks, tokens
from adfs_mgmt.rollover.model import Act
from adfs_mgmt.rollover.restarting import restarted
from adfs_mgmt.rollover.stage import Stage, View, converging
from adfs_mgmt.rollover.steps_token import tells_entra
from certs import PartnerKind

WITHOUT_ENTRA, TOLD = "without-entra", "entra-told"
"""Acknowledgements: the farm's keys come first, Entra ID after them; and somebody has told it by hand."""


def _stolen(view: View, use: Use) -> list[str]:
    """Of those that were there at the start, what the primary still has."""
    known = view.fact(f"known/{use.value}").split(",")
    return [row.certificate.thumbprint for row in tokens.rows(view.farm.primary, use) if row.certificate.thumbprint in known]


def _current(view: View, use: Use) -> list[str]:
    """Thumbprints of the primary's configuration, the one in use first."""
    rows = sorted(tokens.rows(view.farm.primary, use), key=lambda row: not row.is_primary)
    return [row.certificate.thumbprint for row in rows]


def _automatic_missing(view: View) -> list[str]:
    return (
        []
        if view.farm.properties.auto_rollover
        else ["AutoCertificateRollover is off, and AD FS makes certificates only while it is on"]
    )


def _renew_missing(view: View) -> list[str]:
    return [f"the farm still has {each} for {use.value}" for use in view.uses for each in _stolen(view, use)]


def _renew_acts(view: View) -> tuple[Act, ...]:
    return tuple(tokens.update(view, use, urgent=True) for use in view.uses if _stolen(view, use))


def _renew_learns(view: View) -> Mapping[str, str]:
    return {f"new/{use.value}": tokens.primary_of(view.farm.primary, use) for use in view.uses}


def _told(view: View) -> list[str]:
    """The primary names a certificate in use for each: without rows nothing stolen would seem left."""
    return checks.primary(view) or [
        f"{view.primary} shows no primary {use.value} certificate; look at it (Get-AdfsCertificate), then apply again"
        for use in view.uses
        if not tokens.primary_of(view.farm.primary, use)
    ]


def _spread_missing(view: View) -> list[str]:
    return [problem for use in view.uses for problem in _other_than_primary(view, use)]


def _other_than_primary(view: View, use: Use) -> list[str]:
    now = set(_current(view, use))

    def follows(node: Node) -> bool:
        return {row.certificate.thumbprint for row in tokens.rows(node, use)} == now

    return tokens.nodes_without(view, follows, f"has other certificates for {use.value} than the primary", "renew")


def _serve_missing(view: View) -> list[str]:
    if Use.SIGNING not in view.uses:
        return []
    new = tokens.primary_of(view.farm.primary, Use.SIGNING)
    return [
        f"{node.host}: its metadata is not signed by {new} yet"
        for node in view.farm.nodes
        if not tokens.signs(view, node.host, new)
    ]


def _republish_missing(view: View) -> list[str]:
    known = view.fact(f"known/{Use.SIGNING.value}").split(",")
    current = _current(view, Use.SIGNING)
    wrong = [
        f"domain {d.name} does not have {each}"
        for d in view.snapshot.domains
        for each in current
        if each not in d.certificates
    ]
    return wrong + [
        f"domain {d.name} still has {each}" for d in view.snapshot.domains for each in d.certificates if each in known
    ]


def _republish_acts(view: View) -> tuple[Act, ...]:
    """One act for each domain at a time: what the next one must be shows when this one is done."""
    known = view.fact(f"known/{Use.SIGNING.value}").split(",")
    current, acts = _current(view, Use.SIGNING), []
    for domain in view.snapshot.domains:
        lacking = [each for each in current if each not in domain.certificates]
        stolen = [each for each in domain.certificates if each in known]
        kept = next((each for each in current if each in domain.certificates), "")
        if lacking and not _known(view, lacking[0]):
            continue  # it comes with the primary's metadata
        if lacking:
            acts.append(tokens.publish(domain.name, lacking[0], kept))
        elif stolen:
            acts.append(tokens.withdraw(domain.name, stolen[0], current[0]))
    return tuple(acts)


def _foresee_republish(view: View) -> tuple[Act, ...]:
    """The new certificate in, then whatever is there out."""
    new = view.new(Use.SIGNING)
    return tuple(
        act
        for domain in view.snapshot.domains
        for act in (
            tokens.publish(domain.name, new, ""),
            *(tokens.withdraw(domain.name, each, new) for each in domain.certificates),
        )
    )


def _without_entra(view: View) -> bool:
    """Somebody has said that the farm comes first."""
    return WITHOUT_ENTRA in view.record.acknowledged


def _late_missing(view: View) -> list[str]:
    return [] if TOLD in view.record.acknowledged else [*view.snapshot.problems, *_republish_missing(view)]


def _late_asks(view: View) -> dict[str, str]:
    if not view.snapshot.problems:
        return {}
    return {
        TOLD: "Put the new certificate into every federated domain and take the stolen one out, by whatever way there is, "
        f"then acknowledge {TOLD}; or apply again once Entra ID can be asked. Until then only a thief can sign in there"
    }


def _known(view: View, thumbprint: str) -> bool:
    certificate = view.snapshot.certificate(thumbprint)
    return certificate is not None and bool(certificate.der)


def _revoke_asks(view: View) -> dict[str, str]:
    asks = {
        "tokens-revoked": "Revoke the refresh tokens of every user (Graph: revokeSignInSessions), then acknowledge "
        "tokens-revoked: whoever has the key may have tokens"
    }
    for partner in view.snapshot.partners:
        if partner.kind is PartnerKind.MANUAL and Use.SIGNING in view.uses:
            asks[partner.name] = (
                f"Tell {partner.name} of the new certificate, then acknowledge it: until then it refuses sign-ins"
            )
    return asks


def _revoke_missing(view: View) -> list[str]:
    return [f"{name} is not acknowledged" for name in _revoke_asks(view) if name not in view.record.acknowledged]


def _restore_missing(view: View) -> list[str]:
    wanted = view.fact("auto_after") == "on"
    return (
        [] if view.farm.properties.auto_rollover == wanted else [f"AutoCertificateRollover is {'off' if wanted else 'on'}"]
    )


def _notes(view: View) -> list[str]:
    notes = ["there is no rollback: the old certificates are gone with the first command"]
    if view.fact("auto") == "off":
        notes.append(
            "AutoCertificateRollover was off: AD FS's own replace the supplied certificates; roll to supplied ones later"
        )
    return [*notes, *tokens.partner_notes(view)]


STAGES = (
    Stage(
        name="automatic",
        number=0,
        title="let AD FS make certificates",
        promise="AutoCertificateRollover is on",
        missing=_automatic_missing,
        refuses=checks.primary,
        acts=lambda view: (tokens.set_auto(view, True),),
        foresees=lambda view: (tokens.set_auto(view, True),) if _automatic_missing(view) else (),
        notes=_notes,
    ),
    Stage(
        name="renew",
        number=1,
        title="new certificates at once, until no stolen one is left (no way back)",
        promise="the primary has no certificate that was there at the start",
        missing=_renew_missing,
        refuses=_told,
        acts=_renew_acts,
        learns=_renew_learns,
    ),
    Stage(
        name="republish",
        number=3,
        title="tell Entra ID",
        promise="every federated domain has the new certificates, and none of the stolen ones",
        missing=_republish_missing,
        refuses=lambda view: [*_told(view), *checks.trust_read(view)],
        acts=_republish_acts,
        foresees=_foresee_republish,
        applies=lambda view: tells_entra(view) and not _without_entra(view),
        patience=converging,
    ),
    Stage(
        name="spread",
        number=6,
        title="secondaries follow",
        promise="every node has the primary's certificates, and no other",
        missing=_spread_missing,
        refuses=checks.primary,
        patience=converging,
    ),
    restarted("restart"),
    Stage(
        name="serve",
        number=6,
        title="see that every node uses it",
        promise="every node's metadata is signed by the new certificate",
        missing=_serve_missing,
        patience=converging,
    ),
    Stage(
        name="republish-late",
        number=8,
        title="tell Entra ID after all",
        promise="every federated domain has the new certificates, and none of the stolen ones, or somebody has seen to it",
        missing=_late_missing,
        acts=lambda view: () if view.snapshot.problems else _republish_acts(view),
        foresees=_foresee_republish,
        asks=_late_asks,
        applies=lambda view: tells_entra(view) and _without_entra(view),
        patience=converging,
    ),
    Stage(
        name="revoke",
        number=8,
        title="a person revokes tokens and tells partners",
        promise="somebody has said so",
        missing=_revoke_missing,
        asks=_revoke_asks,
    ),
    Stage(
        name="restore",
        number=8,
        title="AutoCertificateRollover as it was",
        promise="AutoCertificateRollover has the value that the journal names",
        missing=_restore_missing,
        refuses=checks.primary,
        acts=lambda view: (tokens.set_auto(view, view.fact("auto_after") == "on"),),
        foresees=lambda view: () if view.fact("auto_after") == "on" else (tokens.set_auto(view, False),),
    ),
)
