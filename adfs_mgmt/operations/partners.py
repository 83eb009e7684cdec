"""The ledger of partners: who learns how of a new certificate, who has said so, and what their own metadata says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adfs_mgmt.operations.context import OperationContext
from adfs_mgmt.operations.errors import NotPossible
from adfs_mgmt.operations.observation import OnHost, observe_farms
from adfs_mgmt.trust import PartnerWarning, judge_partner
from certs import Ledger, Ledgers, PartnerKind
from foundation.saml import PartnerMetadata, read_partner_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataReport:
    """What the partners' own metadata was like, and what is to be said of it."""

    sights: tuple[PartnerMetadata, ...]
    warnings: tuple[PartnerWarning, ...]


def read_partners(context: OperationContext, farm: str = "") -> Ledger:
    """The ledger of a farm. Raises SelectionError, TrustError."""
    return Ledgers(context.state_dir).load(context.farm(farm).name)


async def refresh_partners(context: OperationContext, farm: str = "", *, on_host: OnHost = lambda _: None) -> Ledger:
    """Ask the farm for its relying parties first. Raises as `read_partners`; NotPossible where the farm does not say."""
    settings = context.farm(farm)
    (observation,) = await observe_farms(context, [settings], on_host=on_host)
    observed = observation.farm
    if observed.error or observed.primary is None:
        raise NotPossible(
            f"farm {settings.name} did not return its relying party trusts: {observed.error or 'no primary server answered'}"
        )
    with Ledgers(context.state_dir).changing(settings.name) as box:
        box.ledger = box.ledger.learn(observed.relying_parties)
        return box.ledger


def classify_partner(
    context: OperationContext,
    farm: str,
    partner: str,
    kind: PartnerKind,
    *,
    refresh: float | None = None,
    contact: str | None = None,
) -> None:
    """Say how a partner (name or identifier) learns of a new certificate. `refresh` in seconds. Raises TrustError."""
    with Ledgers(context.state_dir).changing(context.farm(farm).name) as box:
        box.ledger = box.ledger.classify(partner, kind, refresh=refresh, contact=contact)


def acknowledge_certificate(context: OperationContext, farm: str, partner: str, thumbprint: str, by: str) -> None:
    """Note that a partner has put in the certificate with this thumbprint; `by`: whose word that is. Raises TrustError."""
    with Ledgers(context.state_dir).changing(context.farm(farm).name) as box:
        box.ledger = box.ledger.acknowledge(partner, thumbprint, by, context.now())


async def watch_partners(context: OperationContext, farm: str = "", *, ca_file: Path | None = None) -> MetadataReport:
    """Read the partners' own metadata, and note what it has. Raises TrustError for the ledger, never for a partner;
    NotPossible while the ledger names nobody."""
    with Ledgers(context.state_dir).changing(context.farm(farm).name) as box:
        partners = box.ledger.partners
        if not partners:
            command = "isthmus adfs trust partners list --refresh"
            raise NotPossible(
                f"no partners of farm {box.ledger.farm} are listed here yet; read them from the farm first: {command}"
            )
        sights = await read_partner_metadata(partners, ca_file=ca_file)
        warnings: list[PartnerWarning] = []
        for partner, sight in zip(partners, sights, strict=True):
            warnings += judge_partner(partner, sight, context.now())
            if sight.watched and not sight.error:
                thumbprints = [certificate.thumbprint for certificate in sight.certificates]
                box.ledger = box.ledger.note_metadata(partner.name, thumbprints, context.now())
    return MetadataReport(sights=tuple(sights), warnings=tuple(warnings))
