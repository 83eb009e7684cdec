"""What commands answered, into the model. Pure.

Objects arrive at a depth of 1 (MS-PSRP section 2.2.5): enumerations are text. An X509Certificate2 arrives with its RawData
and nothing else, nested too (PowerShell's type table); whether it has a private key is known through the JEA endpoint only.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from adfs_mgmt.farm.model import (
    Binding,
    ClaimsProvider,
    Endpoint,
    FarmCertificate,
    KeyAccess,
    Properties,
    PublishedApplication,
    RelyingParty,
    StoredCertificate,
    SyncRole,
    TrustUse,
    Use,
)
from adfs_mgmt.remoting import PSObject, flag_of, integer_of, object_of, text_of, texts_of, time_of
from certs import Certificate, CertificateUnreadable, last_to_end, normal_thumbprint, read_certificate, thumbprint_of

_BUILDS = {9600: "2012 R2", 14393: "2016", 17763: "2019", 20348: "2022", 26100: "2025"}
_PROXY_TRUST = "CN=ADFS ProxyTrust"


# -- one host


def read_windows_version(system: PSObject) -> str:
    """Of a Win32_OperatingSystem: the name that people use."""
    build = integer_of(system, "BuildNumber")
    return _BUILDS.get(build) or (f"build {build}" if build else "")


def read_fqdn(computer: PSObject) -> str:
    """Of a Win32_ComputerSystem."""
    name, domain = text_of(computer, "DNSHostName", "Name"), text_of(computer, "Domain")
    return f"{name}.{domain}".lower() if name and "." in domain else name.lower()


def thumbprint(thing: PSObject, name: str) -> str:
    """In its one form; empty where it is absent."""
    return normal_thumbprint(text_of(thing, name))


def read_sync_role(thing: PSObject) -> SyncRole | None:
    """Of `Get-AdfsSyncProperties`."""
    return next((role for role in SyncRole if role.value.lower() == text_of(thing, "Role").lower()), None)


def read_sync_ok(thing: PSObject) -> bool:
    """LastSyncStatus is 0 for success; some versions say it in words."""
    return text_of(thing, "LastSyncStatus").lower() in {"", "0", "success", "succeeded"}


def read_stored(things: list[PSObject], access: list[PSObject] | None) -> tuple[StoredCertificate, ...]:
    """Rows of `Get-ChildItem Cert:\\LocalMachine\\My`, with those of `Get-IsthmusKeyAccess` where that is to be had."""
    rows = {thumbprint(row, "Thumbprint"): row for row in access or []}
    return tuple(_stored(found, rows.get(found.thumbprint, {})) for thing in things if (found := read_x509(thing)))


def _stored(certificate: Certificate, access: PSObject) -> StoredCertificate:
    """What the endpoint does not say of a key is not known."""
    key = KeyAccess.UNKNOWN
    if access.get("HasPrivateKey") is not None and not flag_of(access, "HasPrivateKey"):
        key = KeyAccess.NO_KEY
    elif access.get("Readable") is not None:
        key = KeyAccess.READABLE if flag_of(access, "Readable") else KeyAccess.NOT_GRANTED
    spec = integer_of(access, "KeySpec")
    return StoredCertificate(certificate=certificate, key=key, cng=flag_of(access, "Cng"), key_spec=spec)


def read_x509(thing: PSObject) -> Certificate | None:
    """An X509Certificate2, by its RawData; None where there is none. Of one that our parser refuses the thumbprint is known.
    A recording has what the certificate says instead (see `remoting.recorder`)."""
    raw, name = thing.get("RawData"), thumbprint(thing, "Thumbprint")
    if isinstance(raw, bytes) and raw:
        with suppress(CertificateUnreadable):
            return read_certificate(raw)
        name = thumbprint_of(raw)
    return _said(thing, name) if name else None


def _said(thing: PSObject, name: str) -> Certificate:
    subject, issuer = text_of(thing, "Subject"), text_of(thing, "Issuer")
    return Certificate(
        thumbprint=name,
        subject=subject,
        issuer=issuer,
        not_before=time_of(thing, "NotBefore"),
        not_after=time_of(thing, "NotAfter"),
        names=texts_of(thing, "DnsNameList"),
        server_auth=flag_of(thing, "ServerAuthentication"),
        self_signed=bool(subject) and subject == issuer,
    )


def proxy_trust(stored: Iterable[StoredCertificate]) -> Certificate | None:
    """What a proxy proves itself to the federation service with: the newest."""
    return last_to_end(row.certificate for row in stored if row.certificate.subject.startswith(_PROXY_TRUST))


def read_binding(thing: PSObject) -> Binding:
    """A row of `Get-AdfsSslCertificate` or `Get-WebApplicationProxySslCertificate`."""
    return Binding(
        host_name=text_of(thing, "HostName", "Hostname"),
        port=integer_of(thing, "PortNumber"),
        thumbprint=thumbprint(thing, "CertificateHash"),
        ctl_store=text_of(thing, "CtlStoreName") if "CtlStoreName" in thing else None,
    )


def read_farm_certificates(things: list[PSObject]) -> tuple[FarmCertificate, ...]:
    """Rows of `Get-AdfsCertificate`."""
    rows = []
    for thing in things:
        use = next((use for use in Use if use.value == text_of(thing, "CertificateType")), None)
        name = thumbprint(thing, "Thumbprint")
        certificate = read_x509(object_of(thing, "Certificate")) or (_said({}, name) if name else None)
        if use is not None and certificate is not None:
            row = FarmCertificate(
                use=use,
                certificate=certificate,
                is_primary=flag_of(thing, "IsPrimary"),
                store=text_of(thing, "StoreName") or "My",
            )
            rows.append(row)
    return tuple(rows)


# -- the whole farm


def read_properties(answer: PSObject, information: PSObject, *, windows: str, bindings: tuple[Binding, ...]) -> Properties:
    """Of `Get-AdfsProperties`, and `Get-AdfsFarmInformation`, which 2012 R2 has not."""
    name = text_of(answer, "HostName")
    alternate = any(row.host_name.lower() == f"certauth.{name}".lower() for row in bindings)
    level = integer_of(information, "CurrentFarmBehavior") or (1 if windows == "2012 R2" else 0)
    return Properties(
        federation_name=name,
        identifier=text_of(answer, "Identifier"),
        auto_rollover=flag_of(answer, "AutoCertificateRollover", True),
        generation_threshold_days=integer_of(answer, "CertificateGenerationThreshold", 20),
        promotion_threshold_days=integer_of(answer, "CertificatePromotionThreshold", 5),
        critical_threshold_days=integer_of(answer, "CertificateCriticalThreshold", 2),
        duration_days=integer_of(answer, "CertificateDuration", 365),
        https_port=integer_of(answer, "HttpsPort", 443),
        tls_client_port=integer_of(answer, "TlsClientPort", 49443),
        alternate_tls_binding=alternate,
        behaviour_level=level,
        audit_level=_audit_level(answer),
        extranet_lockout=flag_of(answer, "ExtranetLockoutEnabled"),
        extranet_lockout_mode=text_of(answer, "ExtranetLockoutMode"),
    )


def _audit_level(answer: PSObject) -> tuple[str, ...]:
    """2016 and later have AuditLevel; 2012 R2 has two of the LogLevels."""
    if "AuditLevel" in answer:
        return texts_of(answer, "AuditLevel")
    return tuple(level for level in texts_of(answer, "LogLevel") if level.endswith("Audits"))


def read_relying_party(thing: PSObject) -> RelyingParty:
    """A row of `Get-AdfsRelyingPartyTrust`."""
    return RelyingParty(
        **_trust(thing, EncryptionCertificate=TrustUse.ENCRYPTION, RequestSigningCertificate=TrustUse.REQUESTS),
        rules=text_of(thing, "IssuanceTransformRules"),
    )


def read_claims_provider(thing: PSObject) -> ClaimsProvider:
    """A row of `Get-AdfsClaimsProviderTrust`."""
    uses = {
        "TokenSigningCertificates": TrustUse.PROVIDER_SIGNING,
        "EncryptionCertificate": TrustUse.PROVIDER_ENCRYPTION,
    }
    return ClaimsProvider(**_trust(thing, **uses))


def _trust(thing: PSObject, **uses: TrustUse) -> dict[str, Any]:
    """Fields of a trust. `uses`: by property, which has one certificate, several or none."""
    held = {}
    for name, use in uses.items():
        value = thing.get(name)
        items = value if isinstance(value, list) else [value]
        found = (read_x509(item) for item in items if isinstance(item, dict))
        if certificates := tuple(certificate for certificate in found if certificate is not None):
            held[use] = certificates
    return {
        "name": text_of(thing, "Name"),
        "identifiers": texts_of(thing, "Identifier"),
        "enabled": flag_of(thing, "Enabled"),
        "metadata_url": text_of(thing, "MetadataUrl"),
        "monitoring": flag_of(thing, "MonitoringEnabled"),
        "auto_update": flag_of(thing, "AutoUpdateEnabled"),
        "certificates": held,
    }


def read_misplaced(things: list[PSObject]) -> tuple[str, ...]:
    """Subjects of those certificates of LocalMachine\\Root that another one has issued."""
    found = (read_x509(thing) for thing in things)
    return tuple(row.subject for row in found if row is not None and row.subject and row.subject != row.issuer)


def read_endpoint(thing: PSObject) -> Endpoint:
    """A row of `Get-AdfsEndpoint`."""
    return Endpoint(path=text_of(thing, "AddressPath"), enabled=flag_of(thing, "Enabled"), proxied=flag_of(thing, "Proxy"))


def read_application(thing: PSObject) -> PublishedApplication:
    """A row of `Get-WebApplicationProxyApplication`."""
    return PublishedApplication(
        name=text_of(thing, "Name"),
        external_url=text_of(thing, "ExternalUrl"),
        thumbprint=thumbprint(thing, "ExternalCertificateThumbprint"),
        id=text_of(thing, "ID"),
    )


def read_unhealthy(things: list[PSObject]) -> tuple[str, ...]:
    """Rows of `Get-WebApplicationProxyHealth` that are not OK."""
    rows = [
        (text_of(row, "Component"), text_of(row, "HealthState"), "; ".join(texts_of(row, "Heuristics"))) for row in things
    ]
    return tuple(f"{name}: {state}" + (f" ({why})" if why else "") for name, state, why in rows if state.lower() != "ok")
