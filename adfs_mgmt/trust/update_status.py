"""Entra ID's own update of certificates, in words. Pure.

Source: Microsoft Graph v1.0, "signingCertificateUpdateStatus resource type", "certificateUpdateResult status".
"""

from __future__ import annotations

from adfs_mgmt.trust.model import UpdateStatus
from foundation.times import day

_RESULTS = {
    "success": "Entra ID updated the certificate automatically from the farm's metadata",
    "unknownerror": "Entra ID failed to update the certificate for an unknown reason; publish it from here",
    "internalservererror": "Entra ID failed to update the certificate because of an internal error; publish it from here",
    "novalidexistingcertfound": (
        "Entra ID holds no certificate that is still valid, so it no longer updates automatically: publish one from here"
    ),
    "nostsauthurlfound": "the domain has no sign-in address from which to find the farm's metadata; "
    "restore the configuration",
    "nofederationprotocolfound": "the domain has no federation protocol; restore the configuration",
    "nonewcertificatefound": (
        "the farm's metadata has no new certificate yet; Entra ID checks again every day, starting "
        "about 30 days before expiry"
    ),
    "couldnotaccessremotehost": (
        "Entra ID cannot reach the farm's metadata from the Internet: publish from here, or open "
        "/FederationMetadata/2007-06/FederationMetadata.xml at the proxies"
    ),
    "connectionerror": "the connection from Entra ID to the farm's metadata failed; check TLS and the proxies from outside",
    "xmlparsingerror": "Entra ID cannot read the farm's metadata; check it with `isthmus adfs status`",
    "badrequest": "the farm answered Entra ID's request for its metadata with 400",
    "unauthorized": "the farm asked Entra ID to sign in for its metadata: pre-authentication must be off for that path",
    "forbidden": "the farm refused its metadata to Entra ID (403): a firewall or proxy rule",
    "notfound": "the farm has no metadata at that address (404): is the endpoint enabled and proxied?",
    "providererror": "the farm answered Entra ID's request for its metadata with 500: check the AD FS event log",
}


def explain_update(status: UpdateStatus | None) -> str:
    """`signingCertificateUpdateStatus` in words, with what to do."""
    if status is None:
        return "Entra ID has not tried to update the certificate automatically"
    when = f" ({day(status.at)})" if status.at else ""
    return _RESULTS.get(status.result.lower(), f"Entra ID reports {status.result!r}, which is not documented") + when
