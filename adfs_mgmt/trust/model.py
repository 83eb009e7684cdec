"""What Entra ID knows of a farm, as it was read. Times are Unix seconds.

A federated domain has two slots for token-signing certificates. Their names say otherwise, but they are equal: a token is
accepted if either of them verifies it. The one that holds the key that signs now must therefore never be written, and the
other one is free.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from certs import Certificate, normal_thumbprint


class Authentication(enum.StrEnum):
    """Who checks the passwords of a domain's users."""

    MANAGED = "Managed"
    FEDERATED = "Federated"


class Slot(enum.StrEnum):
    """Where a domain keeps a token-signing certificate: Graph's property."""

    SIGNING = "signingCertificate"
    NEXT = "nextSigningCertificate"

    @property
    def other(self) -> Slot:
        """The slot beside it: what one of them must keep, the other may lose."""
        return Slot.NEXT if self is Slot.SIGNING else Slot.SIGNING


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStatus:
    """How Entra ID's own last look at the farm's metadata went (`signingCertificateUpdateStatus`)."""

    result: str
    at: float | None
    """None where it is not said."""

    @property
    def ok(self) -> bool:
        """Whether it found what it looked for."""
        return self.result.lower() == "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """An internalDomainFederation."""

    id: str
    issuer_uri: str
    passive_sign_in_uri: str = ""
    active_sign_in_uri: str = ""
    metadata_exchange_uri: str = ""
    certificates: Mapping[Slot, Certificate] = field(default_factory=dict)
    """By slot; an empty slot, or one with something that cannot be read, is not there."""
    mfa_behaviour: str = ""
    """`federatedIdpMfaBehavior`; empty where it was never set."""
    update: UpdateStatus | None = None
    problems: tuple[str, ...] = ()
    """What in it cannot be read."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """As Graph answered."""

    def slot_of(self, thumbprint: str) -> Slot | None:
        """Where a certificate is; the first slot where it is in both."""
        return next((slot for slot in Slot if self._holds(slot, thumbprint)), None)

    def slots(self) -> tuple[str, ...]:
        """Thumbprint in each slot, `signingCertificate` first; empty text for an empty one."""
        return tuple(self.certificates[slot].thumbprint if slot in self.certificates else "" for slot in Slot)

    def thumbprints(self) -> tuple[str, ...]:
        """Of the slots, `signingCertificate` first, each once."""
        return tuple(dict.fromkeys(self.certificates[slot].thumbprint for slot in Slot if slot in self.certificates))

    def host(self) -> str:
        """The federation service that users are sent to, lower case."""
        return (urlsplit(self.passive_sign_in_uri).hostname or "").lower()

    def _holds(self, slot: Slot, thumbprint: str) -> bool:
        return slot in self.certificates and self.certificates[slot].thumbprint == normal_thumbprint(thumbprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedDomain:
    """A domain of the tenant, federated or managed, as Graph has it (domain, internalDomainFederation)."""

    name: str
    authentication: Authentication
    is_default: bool = False
    is_initial: bool = False
    is_root: bool = True
    is_verified: bool = True
    configuration: Configuration | None = None
    error: str = ""
    """Why nothing is known of its federation."""

    @property
    def federated(self) -> bool:
        """Whether sign-in goes to a federation service."""
        return self.authentication is Authentication.FEDERATED

    @property
    def certificates(self) -> tuple[str, ...]:
        """Thumbprints that Entra ID accepts for it, each once; none where its configuration could not be read."""
        return self.configuration.thumbprints() if self.configuration else ()

    @property
    def update_status(self) -> str:
        """Result of Entra ID's own last update (`signingCertificateUpdateStatus`); empty where it says none."""
        return self.configuration.update.result if self.configuration and self.configuration.update else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraTrust:
    """What a tenant says of its domains."""

    tenant: str
    """As in the settings."""
    read_at: float
    domains: tuple[FederatedDomain, ...]

    def domain(self, name: str) -> FederatedDomain | None:
        """By name, in any case; None where the tenant has none of that name."""
        return next((domain for domain in self.domains if domain.name.lower() == name.lower()), None)

    def federated_with(self, federation_name: str) -> tuple[FederatedDomain, ...]:
        """The domains whose users are sent to this federation service, each with its own configuration.

        Those whose configuration cannot be read are among them: leaving one out silently would break its sign-in later.
        """
        return tuple(
            domain for domain in self.domains if domain.federated and (domain.error or _sends_to(domain, federation_name))
        )


def _sends_to(domain: FederatedDomain, federation_name: str) -> bool:
    return domain.configuration is not None and domain.configuration.host() == federation_name.lower()
