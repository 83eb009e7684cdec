"""What commands answered, into the model. Pure.

Objects arrive at a depth of 1 (MS-PSRP section 2.2.5): enumerations and nested certificates are text. A certificate's own
text (`X509Certificate2.ToString`) has its dates in the server's culture and time zone; it is the last resort, for
certificates whose DER is neither in a store nor in the metadata.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from contextlib import suppress

from adfs_mgmt.farm.model import (
    Binding,
    Endpoint,
    FarmCertificate,
    KeyAccess,
    Properties,
    PublishedApplication,
    RelyingParty,
    StoredCertificate,
    SyncRole,
    Use,
)
from adfs_mgmt.remoting import Thing
from certs import Certificate, CertificateUnreadable, normal_thumbprint, read_certificate

_BUILDS = {9600: "2012 R2", 14393: "2016", 17763: "2019", 20348: "2022", 26100: "2025"}
_PROXY_TRUST = "CN=ADFS ProxyTrust"


# -- values


def text(thing: Thing, *names: str) -> str:
    """The first of these properties that is there, as text."""
    for name in names:
        value = thing.get(name)
        if value is not None and not isinstance(value, list | Mapping):
            return str(value)
    return ""


def texts(thing: Thing, name: str) -> tuple[str, ...]:
    """A property with several values; a single one counts as one."""
    value = thing.get(name)
    if isinstance(value, list):
        return tuple(str(each) for each in value if each is not None and not isinstance(each, Mapping))
    return (str(value),) if value not in (None, "") and not isinstance(value, Mapping) else ()


def number(thing: Thing, name: str, default: int = 0) -> int:
    """A whole number."""
    with suppress(ValueError):
        return int(text(thing, name))
    return default


def flag(thing: Thing, name: str, default: bool = False) -> bool:
    """A Boolean, which some cmdlets send as text."""
    value = text(thing, name)
    return value.lower() == "true" if value else default


def when(thing: Thing, name: str) -> float:
    """A time, Unix seconds; 0 where there is none, or .NET's smallest, which means never."""
    value = thing.get(name)
    return value.timestamp() if isinstance(value, dt.datetime) and value.year > 1 else 0.0


def seconds(thing: Thing, name: str, default: float) -> float:
    """A duration: a number of seconds, or .NET's `[d.]hh:mm:ss`."""
    value = text(thing, name)
    with suppress(ValueError):
        return float(value)
    matched = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+):(\d+)(?:\.\d+)?", value)
    if not matched:
        return default
    days, hours, minutes, rest = (int(each or 0) for each in matched.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)


# -- one host


def windows_version(system: Thing) -> str:
    """Of a Win32_OperatingSystem: the name that people use."""
    build = number(system, "BuildNumber")
    return _BUILDS.get(build) or (f"build {build}" if build else "")


def fqdn(computer: Thing) -> str:
    """Of a Win32_ComputerSystem."""
    name, domain = text(computer, "DNSHostName", "Name"), text(computer, "Domain")
    return f"{name}.{domain}".lower() if name and "." in domain else name.lower()


def thumbprint(thing: Thing, name: str) -> str:
    """In its one form; empty where it is absent."""
    return normal_thumbprint(text(thing, name))


def sync_role(thing: Thing) -> SyncRole | None:
    """Of `Get-AdfsSyncProperties`."""
    return next((role for role in SyncRole if role.value.lower() == text(thing, "Role").lower()), None)


def sync_ok(thing: Thing) -> bool:
    """LastSyncStatus is 0 for success; some versions say it in words."""
    return text(thing, "LastSyncStatus").lower() in {"", "0", "success", "succeeded"}


def stored(things: list[Thing], access: list[Thing] | None) -> tuple[StoredCertificate, ...]:
    """Rows of `Get-ChildItem Cert:\\LocalMachine\\My`, with those of `Get-IsthmusKeyAccess` where that is to be had."""
    rows = {thumbprint(row, "Thumbprint"): row for row in access or []}
    return tuple(_stored(row, rows.get(name)) for row in things if (name := thumbprint(row, "Thumbprint")))


def _stored(thing: Thing, access: Thing | None) -> StoredCertificate:
    has_key = flag(access or thing, "HasPrivateKey")
    if not has_key:
        key = KeyAccess.NO_KEY
    elif access is None or access.get("Readable") is None:
        key = KeyAccess.UNKNOWN
    else:
        key = KeyAccess.READABLE if flag(access, "Readable") else KeyAccess.NOT_GRANTED
    return StoredCertificate(certificate=_certificate(thing), key=key, cng=flag(access or {}, "Cng"))


def _certificate(thing: Thing) -> Certificate:
    """By its DER; one that our parser refuses still has what Windows says of it."""
    raw = thing.get("RawData")
    if isinstance(raw, bytes):
        with suppress(CertificateUnreadable):
            return read_certificate(raw)
    return Certificate(
        thumbprint=thumbprint(thing, "Thumbprint"),
        subject=text(thing, "Subject"),
        issuer=text(thing, "Issuer"),
        not_before=when(thing, "NotBefore"),
        not_after=when(thing, "NotAfter"),
    )


def is_proxy_trust(certificate: Certificate) -> bool:
    """Whether a proxy proves itself to the federation service with it."""
    return certificate.subject.startswith(_PROXY_TRUST)


def binding(thing: Thing) -> Binding:
    """A row of `Get-AdfsSslCertificate` or `Get-WebApplicationProxySslCertificate`."""
    return Binding(
        host_name=text(thing, "HostName", "Hostname"),
        port=number(thing, "PortNumber"),
        thumbprint=thumbprint(thing, "CertificateHash"),
        store=text(thing, "CtlStoreName") or "MY",
    )


def farm_certificates(
    things: list[Thing], known: Mapping[str, Certificate], utc_offset: float = 0.0
) -> tuple[FarmCertificate, ...]:
    """Rows of `Get-AdfsCertificate`. `known`: certificates by thumbprint; `utc_offset`: the server's, seconds."""
    rows = []
    for thing in things:
        use = next((use for use in Use if use.value == text(thing, "CertificateType")), None)
        name = thumbprint(thing, "Thumbprint")
        if use is not None and name:
            certificate = known.get(name) or described(text(thing, "Certificate"), name, utc_offset)
            row = FarmCertificate(
                use=use,
                certificate=certificate,
                is_primary=flag(thing, "IsPrimary"),
                store=text(thing, "StoreName") or "My",
            )
            rows.append(row)
    return tuple(rows)


# -- the text of a certificate

_SECTION = re.compile(r"^\[(?P<name>[^\]]+)\]\s*\n\s*(?P<value>[^\n]*)", re.MULTILINE)
_FORMATS = (
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%d-%m-%Y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
)


def sections(value: str) -> dict[str, str]:
    """`[Subject]`, `[Not After]` … of a certificate's text."""
    lines = value.replace("\r\n", "\n").replace("\u202f", " ")
    return {match["name"]: match["value"].strip() for match in _SECTION.finditer(lines)}


def described(value: str, name: str, utc_offset: float = 0.0) -> Certificate:
    """A certificate of which there is only its text. Its times are 0 where their notation is not known."""
    found = sections(value)
    subject, issuer = found.get("Subject", ""), found.get("Issuer", "")
    return Certificate(
        thumbprint=name,
        subject=subject,
        issuer=issuer,
        not_before=_moment(found.get("Not Before", ""), utc_offset),
        not_after=_moment(found.get("Not After", ""), utc_offset),
        self_signed=bool(subject) and subject == issuer,
    )


def _moment(value: str, utc_offset: float) -> float:
    for notation in _FORMATS:
        with suppress(ValueError):
            return dt.datetime.strptime(value, notation).replace(tzinfo=dt.UTC).timestamp() - utc_offset
    return 0.0


# -- the whole farm


def properties(answer: Thing, information: Thing, *, windows: str, sql: bool, bindings: tuple[Binding, ...]) -> Properties:
    """Of `Get-AdfsProperties`, and `Get-AdfsFarmInformation`, which 2012 R2 has not."""
    name = text(answer, "HostName")
    alternate = any(row.host_name.lower() == f"certauth.{name}".lower() for row in bindings)
    level = number(information, "CurrentFarmBehavior") or (1 if windows == "2012 R2" else 0)
    return Properties(
        federation_name=name,
        identifier=text(answer, "Identifier"),
        auto_rollover=flag(answer, "AutoCertificateRollover", True),
        generation_threshold_days=number(answer, "CertificateGenerationThreshold", 20),
        promotion_threshold_days=number(answer, "CertificatePromotionThreshold", 5),
        critical_threshold_days=number(answer, "CertificateCriticalThreshold", 2),
        duration_days=number(answer, "CertificateDuration", 365),
        tls_client_port=number(answer, "TlsClientPort", 49443),
        alternate_tls_binding=alternate,
        behaviour_level=level,
        sql=sql,
        audit_level=_audit_level(answer),
        extranet_lockout=flag(answer, "ExtranetLockoutEnabled"),
    )


def _audit_level(answer: Thing) -> tuple[str, ...]:
    """2016 and later have AuditLevel; 2012 R2 has two of the LogLevels."""
    if "AuditLevel" in answer:
        return texts(answer, "AuditLevel")
    return tuple(each for each in texts(answer, "LogLevel") if each.endswith("Audits"))


def relying_party(thing: Thing) -> RelyingParty:
    """A row of `Get-AdfsRelyingPartyTrust`."""
    return RelyingParty(
        name=text(thing, "Name"),
        identifiers=texts(thing, "Identifier"),
        enabled=flag(thing, "Enabled"),
        metadata_url=text(thing, "MetadataUrl"),
        monitoring=flag(thing, "MonitoringEnabled"),
        encryption_thumbprint=normal_thumbprint(sections(text(thing, "EncryptionCertificate")).get("Thumbprint", "")),
    )


def endpoint(thing: Thing) -> Endpoint:
    """A row of `Get-AdfsEndpoint`."""
    return Endpoint(path=text(thing, "AddressPath"), enabled=flag(thing, "Enabled"), proxied=flag(thing, "Proxy"))


def application(thing: Thing) -> PublishedApplication:
    """A row of `Get-WebApplicationProxyApplication`."""
    return PublishedApplication(
        name=text(thing, "Name"),
        external_url=text(thing, "ExternalUrl"),
        thumbprint=thumbprint(thing, "ExternalCertificateThumbprint"),
        id=text(thing, "ID"),
    )


def unhealthy(things: list[Thing]) -> tuple[str, ...]:
    """Rows of `Get-WebApplicationProxyHealth` that are not OK."""
    rows = [(text(each, "Component"), text(each, "HealthState"), "; ".join(texts(each, "Heuristics"))) for each in things]
    return tuple(f"{name}: {state}" + (f" ({why})" if why else "") for name, state, why in rows if state.lower() != "ok")
