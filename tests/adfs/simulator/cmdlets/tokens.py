"""Token certificates, Service-Communications, properties: what changes a farm's configuration."""

from __future__ import annotations

from tests.adfs.simulator.cmdlets.base import (
    Call,
    Row,
    cmdlet,
    configuration,
    moment,
    node,
    require_service_access,
    stored,
)
from tests.adfs.simulator.cmdlets.reading import certificate_row
from tests.adfs.simulator.passing import add_managed, promotion_time, successor, sync
from tests.adfs.simulator.state import (
    DECRYPTING,
    SERVICE,
    SIGNING,
    Configuration,
    FarmCertificate,
    Host,
    StoreEntry,
    usable_key,
)

_RENAMED = {
    "EnableExtranetLockout": "ExtranetLockoutEnabled",
    "EnableKmsi": "KmsiEnabled",
    "EnableLoopDetection": "LoopDetectionEnabled",
    "EnablePersistentSso": "PersistentSsoEnabled",
    "EnableIdPInitiatedSignonPage": "EnableIdpInitiatedSignonPage",
}
_NO_SETTING = {"Force", "PassThru", "WhatIf", "Confirm", "Debug", "Verbose", "ErrorAction", "WarningAction"}


@cmdlet("Set-AdfsProperties")
def set_properties(call: Call) -> list[Row]:
    """What was not given stays."""
    now = configuration(call, write=True)
    for name, value in call.parameters.items():
        if name not in _NO_SETTING:
            now.properties[_RENAMED.get(name, name)] = value
    return []


@cmdlet("Set-AdfsSyncProperties")
def set_sync_properties(call: Call) -> list[Row]:
    """Who is primary is said on each node by itself; nothing makes sure that there is one."""
    here = node(call)
    if here.copy is None:
        raise call.fail("The synchronization properties apply to farms with a local database only.")
    role = call.text("Role").lower()
    if role and role not in {"primarycomputer", "secondarycomputer"}:
        raise call.fail("The role must be PrimaryComputer or SecondaryComputer.", "ArgumentException", "InvalidArgument")
    name = call.text("PrimaryComputerName")
    if role == "secondarycomputer" and not (name or here.primary_name):
        raise call.fail("A secondary needs the name of its primary.", "ArgumentException", "InvalidArgument")
    here.primary_name = name or here.primary_name
    if role:
        here.secondary = role == "secondarycomputer"
    if "PollDuration" in call.parameters:
        here.copy.poll = float(call.number("PollDuration"))
    if here.secondary and name:
        sync(call.world, call.host, call.now)
        here.next_poll = call.now + here.configuration.poll
    return []


@cmdlet("Set-AdfsFarmInformation")
def set_farm_information(call: Call) -> list[Row]:
    """Takes rows out of the table of nodes; a node that is alive writes itself in again."""
    now = configuration(call, write=True)
    for name in call.texts("RemoveNode"):
        known = next((fqdn for fqdn in now.nodes if fqdn.lower() == name.lower()), None)
        if known is None:
            raise call.fail(
                f"The node '{name}' is not in the farm information table.", "ArgumentException", "InvalidArgument"
            )
        del now.nodes[known]
    return []


def _automatic(now: Configuration) -> bool:
    return now.properties["AutoCertificateRollover"] is True


def _refuse_automatic(call: Call, now: Configuration) -> None:
    if _automatic(now):
        raise call.fail(
            "The AutoCertificateRollover feature is enabled. Token-signing and token-decrypting certificates cannot be "
            "added, removed or set as primary while it is. Run Set-AdfsProperties -AutoCertificateRollover $false first."
        )


def _passed(call: Call, certificate: FarmCertificate) -> list[Row]:
    return [certificate_row(certificate, call.host)] if call.flag("PassThru") else []


def _check_token_key(call: Call, entry: StoreEntry, use: str) -> None:
    """AD FS signs and decrypts with CSP keys only; decrypting needs AT_KEYEXCHANGE."""
    if entry.cng:
        raise call.fail(
            f"The private key of the certificate with thumbprint '{entry.certificate.thumbprint}' is in a Cryptography Next "
            "Generation (CNG) provider, which is not supported for this type of certificate.",
            "ArgumentException",
            "InvalidArgument",
        )
    if entry.key_spec not in ((1, 2) if use == SIGNING else (1,)):
        raise call.fail(
            "The key of the certificate cannot be used for this purpose.", "ArgumentException", "InvalidArgument"
        )
    require_service_access(call, entry)


@cmdlet("Add-AdfsCertificate")
def add_certificate(call: Call) -> list[Row]:
    """A certificate that is in this server's store; the other nodes are not looked at."""
    now, use, thumbprint = configuration(call, write=True), call.text("CertificateType"), call.thumbprint()
    _refuse_automatic(call, now)
    if any(each.certificate.thumbprint == thumbprint for each in now.of(use)):
        raise call.fail(
            f"The certificate '{thumbprint}' is already in use as {use}.", "ArgumentException", "InvalidArgument"
        )
    entry = stored(call, thumbprint)
    _check_token_key(call, entry, use)
    added = FarmCertificate(use=use, certificate=entry.certificate, is_primary=False, managed=False, since=call.now)
    now.certificates.append(added)
    if call.flag("IsPrimary") or now.primary(use) is None:
        now.promote(use, thumbprint)
    return _passed(call, added)


@cmdlet("Set-AdfsCertificate")
def set_certificate(call: Call) -> list[Row]:
    """Promotes a token certificate that the farm has, or replaces Service-Communications by one from the store."""
    now, use, thumbprint = configuration(call, write=True), call.text("CertificateType"), call.thumbprint()
    if use == SERVICE:
        return _set_service_certificate(call, now, thumbprint)
    _refuse_automatic(call, now)
    found = _known(call, now, use, thumbprint)
    if call.flag("IsPrimary"):
        now.promote(use, thumbprint)
    return _passed(call, found)


def _known(call: Call, now: Configuration, use: str, thumbprint: str) -> FarmCertificate:
    for each in now.of(use):
        if each.certificate.thumbprint == thumbprint:
            return each
    raise call.fail(
        f"There is no {use} certificate with thumbprint '{thumbprint}' in the configuration.",
        "ArgumentException",
        "ObjectNotFound",
    )


def _set_service_certificate(call: Call, now: Configuration, thumbprint: str) -> list[Row]:
    entry = stored(call, thumbprint)
    require_service_access(call, entry)
    row = FarmCertificate(use=SERVICE, certificate=entry.certificate, is_primary=True, managed=False, since=call.now)
    now.certificates = [*(each for each in now.certificates if each.use != SERVICE), row]
    return _passed(call, row)


@cmdlet("Remove-AdfsCertificate")
def remove_certificate(call: Call) -> list[Row]:
    """Out of the configuration, not out of any store."""
    now, use, thumbprint = configuration(call, write=True), call.text("CertificateType"), call.thumbprint()
    _refuse_automatic(call, now)
    found = _known(call, now, use, thumbprint)
    if found.is_primary:
        raise call.fail(f"The certificate '{thumbprint}' is the primary {use} certificate and cannot be removed.")
    now.drop(use, thumbprint)
    return []


@cmdlet("Update-AdfsCertificate")
def update_certificate(call: Call) -> list[Row]:
    """A new secondary; with -Urgent a new primary at once, and every older one is gone."""
    now = configuration(call, write=True)
    if not _automatic(now):
        raise call.fail(
            "The certificates cannot be updated, because the AutoCertificateRollover feature is not enabled. Run "
            "Set-AdfsProperties -AutoCertificateRollover $true first."
        )
    uses = [call.text("CertificateType")] if call.text("CertificateType") else [SIGNING, DECRYPTING]
    for use in uses:
        if not call.flag("Urgent"):
            _refuse_second(call, now, use)
    rows: list[Row] = []
    for use in uses:
        rows += _update_one(call, now, use)
    return rows


def _refuse_second(call: Call, now: Configuration, use: str) -> None:
    waiting = successor(now, use)
    if waiting is not None:
        word = {SIGNING: "Signing", DECRYPTING: "Encryption"}[use]
        raise call.fail(
            f"PS0139: A certificate of type '{word}' already exists and is due to be promoted to primary at "
            f"'{moment(promotion_time(now, waiting)):%A, %B %d, %Y}'. If you want to remove the current set of certificates "
            "and generate new primary certificates, run the Update-ADFSCertificate command with the -Urgent option.",
            "PS0139",
        )


def _update_one(call: Call, now: Configuration, use: str) -> list[Row]:
    here = node(call)
    urgent = call.flag("Urgent")
    older = now.of(use)
    made = add_managed(call.world, here.farm, use, call.now, primary=urgent, configuration=now)
    for each in older if urgent else []:
        now.drop(use, each.certificate.thumbprint)
    return _passed(call, _known(call, now, use, made.thumbprint))


def why_service_fails(host: Host, now: float) -> str:
    """Why the federation service cannot start with what its database says; empty if it can."""
    here = host.node
    if here is None:
        return "it is not configured"
    for use in (SIGNING, DECRYPTING, SERVICE):
        primary = here.configuration.primary(use)
        if primary is None:
            return f"there is no primary {use} certificate"
        if not primary.managed and not usable_key(host, primary):
            return f"the private key of the {use} certificate {primary.certificate.thumbprint} could not be accessed"
        if use == DECRYPTING and primary.certificate.not_after < now:
            return f"the {use} certificate {primary.certificate.thumbprint} has expired"
    return ""
