"""Which tenants of Entra ID are federated with a farm."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.graph import GraphSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraSettings(GraphSettings):
    """The tenant whose domains are federated with a farm. The application needs Domain.Read.All to look, also
    Domain-InternalFederation.ReadWrite.All to update certificates, and Domain.ReadWrite.All to make a domain managed."""

    farm: str = ""
    """Name of the farm with which the tenant's domains are federated. Empty: the only farm."""
