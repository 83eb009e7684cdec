"""`isthmus relay audit`. Each part is imported when it is called."""

from __future__ import annotations

import click

from isthmus.cli.lazy import LazyGroup

_HERE = "isthmus.cli.relay.audit"
_PARTS = {
    "list": (f"{_HERE}.entries:list_audit", "Show the trail, newest first."),
    "verify": (f"{_HERE}.verification:verify_audit", "Verify all chains."),
    "issued": (f"{_HERE}.issuance:issued", "Find out whether a token or SAML response was issued here."),
    "export": (f"{_HERE}.export:export_audit", "Export the trail, or a part of it, to a file."),
    "verify-export": (f"{_HERE}.export:verify_export", "Verify an exported file."),
    "accept": (f"{_HERE}.verification:accept_audit", "Accept that the newest entries are missing after a restore."),
}


@click.group("audit", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """The audit trail of every sign-in and administrative act."""
