"""Settings of an agent for an OpenLDAP server that a test has started."""

from __future__ import annotations

from typing import Any

from demo.slapd import BASE_DN, SERVICE_DN, ThrowawaySlapd
from directory import DirectorySettings, TlsSettings


def settings_of(slapd: ThrowawaySlapd, **more: Any) -> DirectorySettings:
    """Its people under their `uid` and `mail`. more: further settings."""
    return DirectorySettings(
        name=slapd.name,
        kind="ldap",
        servers=(slapd.server,),
        base_dn=BASE_DN,
        service_user=SERVICE_DN,
        service_password_file=slapd.service_password_file,
        tls=TlsSettings(ca_file=slapd.ca_file),
        **more,
    )
