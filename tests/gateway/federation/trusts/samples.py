"""Trusts and people of the tests."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.federation.claims import ClaimsSubject
from gateway.federation.trusts import Trust, read_trust
from gateway.protocol import Group
from gateway.store import DutyLease, PartyMetadata, TrustRecord

NOW = 1_800_000_000.0
DIGEST = "ab" * 32

OIDC = f"""
id = "wiki"
name = "Wiki"
protocol = "oidc"

[oidc]
redirect_uris = ["https://wiki.example.com/callback"]

[[oidc.secrets]]
digest = "{DIGEST}"
"""

SAML = """
id = "crm"
name = "CRM"
protocol = "saml"

[saml]
entity_id = "https://crm.example.com/saml/metadata"

[[saml.consumers]]
url = "https://crm.example.com/saml/acs"
"""


def read(text: str) -> Trust:
    return read_trust(text.encode(), Path("trust.toml"))


def oidc(**changes: Any) -> Trust:
    """The client above, with other settings of its OpenID Connect part."""
    trust = read(OIDC)
    return replace(trust, oidc=replace(trust.oidc, **changes))


def saml(**changes: Any) -> Trust:
    """The party above, with other settings of its SAML part."""
    trust = read(SAML)
    return replace(trust, saml=replace(trust.saml, **changes))


def record(text: str, *, version: int = 1, disabled: str = "", origin: str = "command", name: str = "") -> TrustRecord:
    return TrustRecord(
        id=name or read(text).id,
        version=version,
        document=text.encode(),
        origin=origin,
        disabled=disabled,
        changed_at=NOW,
        changed_by="admin:test",
    )


def person(**changes: Any) -> ClaimsSubject:
    """Ada, in two groups."""
    ada = ClaimsSubject(
        directory="d1",
        object_guid="9f2c1b7e-0d3a-4c58-8e61-2b7d5a90c4f3",
        user_name="ada@corp.example.com",
        domain="CORP",
        account_name="ada",
        groups=(Group("S-1-5-21-1-2-3-1001", "Wiki Users"), Group("S-1-5-21-1-2-3-1002", "Staff")),
    )
    return replace(ada, **changes)


@functools.cache
def certificate() -> str:
    """PEM, self-signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "crm.example.com")])
    begin = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, begin, begin + datetime.timedelta(days=365))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


class KeptTrusts:
    """A `TrustStore` of the records that it is given."""

    def __init__(self, *records: TrustRecord) -> None:
        self.records = {kept.id: kept for kept in records}
        self.kept: dict[str, PartyMetadata] = {}

    def put(self, records: Iterable[TrustRecord]) -> None:
        self.records |= {kept.id: kept for kept in records}

    async def all(self) -> list[TrustRecord]:
        return sorted(self.records.values(), key=lambda kept: kept.id)

    async def get(self, trust: str) -> TrustRecord | None:
        return self.records.get(trust)

    async def metadata(self) -> list[PartyMetadata]:
        return list(self.kept.values())

    async def keep_metadata(self, metadata: PartyMetadata, lease: DutyLease | None = None) -> bool:
        self.kept[metadata.trust] = metadata
        return metadata.trust in self.records
