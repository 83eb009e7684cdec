"""Checks of the certificates that partners have given: those in relying-party and claims-provider trusts. Pure.

AD FS builds their chains before it uses them and refuses those that have ended. Sources: Microsoft's *AD FS 2.0 certificate
error* (3044974: events 315, 316, 317) and the events of its management pack (374).
"""

from __future__ import annotations

from collections.abc import Iterator

from adfs_mgmt.farm import Farm, PartnerTrust, TrustUse
from adfs_mgmt.health.rendering import end_text
from adfs_mgmt.health.settings import Thresholds
from certs import Certificate, last_to_end
from findings import Finding, failed, passed, warned
from foundation.times import DAY

_CHECKS = {
    TrustUse.ENCRYPTION: ("partner-encryption", "it gets no tokens (event 317)"),
    TrustUse.REQUESTS: ("partner-requests", "its signed requests are refused (event 316)"),
    TrustUse.PROVIDER_SIGNING: ("provider-signing", "its tokens are refused (event 315)"),
    TrustUse.PROVIDER_ENCRYPTION: ("provider-encryption", "sign-out there fails (event 374)"),
}
"""Name of the check, and what an ended certificate breaks."""
_SET = {
    TrustUse.ENCRYPTION: "AdfsRelyingPartyTrust -EncryptionCertificate",
    TrustUse.REQUESTS: "AdfsRelyingPartyTrust -RequestSigningCertificate",
    TrustUse.PROVIDER_SIGNING: "AdfsClaimsProviderTrust -TokenSigningCertificate",
    TrustUse.PROVIDER_ENCRYPTION: "AdfsClaimsProviderTrust -EncryptionCertificate",
}


def check_trusts(farm: Farm, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """One for each use of each trust that is enabled. Of several certificates the one that ends last counts."""
    for trust in farm.trusts:
        for use, certificates in trust.certificates.items():
            last = last_to_end(certificates)
            if trust.enabled and last is not None:
                yield _check(trust, use, last, thresholds, now)


def _check(trust: PartnerTrust, use: TrustUse, last: Certificate, thresholds: Thresholds, now: float) -> Finding:
    (name, harm), seen, left = _CHECKS[use], end_text(last, now), last.left(now) / DAY
    if last.ended(now):
        return failed(name, trust.name, f"{seen}: {harm}", _remedy(trust, use))
    if left < thresholds.token_warning_days:
        finding = failed if left < thresholds.token_failure_days else warned
        return finding(name, trust.name, f"{seen}; after that {harm}", _remedy(trust, use))
    return passed(name, trust.name, seen)


def _remedy(trust: PartnerTrust, use: TrustUse) -> str:
    """Who must act: the partner has the key, and AD FS takes a new certificate by itself or is told."""
    noun, parameter = _SET[use].split()
    if trust.metadata_url and trust.monitoring and trust.auto_update:
        return "The partner has to publish a new one in its metadata; AD FS then picks it up automatically."
    if trust.metadata_url:
        return f"Once the partner's metadata contains a new one: Update-{noun} -TargetName '{trust.name}'."
    return f"Ask the partner for a new one, then: Set-{noun} -TargetName '{trust.name}' {parameter} …."
