"""Checks of the service principal name: Kerberos tickets for the federation name have to be for AD FS's account. Pure.

A domain controller looks for `http/<name>`, for which browsers ask, and takes `host/<name>` where nobody has that one (the
directory's sPNMappings). Other clients ask for `host/<name>` itself. So `host/` has to be on AD FS's account, and neither on
another one; two accounts with the same name get no tickets at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from adfs_mgmt.farm import Farm, PrincipalHolder, ServicePrincipal
from findings import Finding, failed, passed, warned

NAME = "service-principal-name"


def check_principal(farm: Farm) -> Iterator[Finding]:
    """At most one finding; none where no host could ask the directory."""
    if farm.principal is not None:
        yield _check(farm.principal)


def _check(principal: ServicePrincipal) -> Finding:
    wanted, account = f"host/{principal.name}", principal.service_account or "the service account"
    if principal.error:
        remedy = (
            f"Check it yourself: setspn -F -Q {wanted}. The server that was asked must be able "
            "to reach a global catalog server."
        )
        return warned(NAME, principal.name, f"the directory could not be queried: {principal.error}", remedy)
    others = [holder for holder in principal.holders if not holder.is_service]
    own = [name for holder in principal.holders if holder.is_service for name in holder.names]
    lacking = wanted.lower() not in {name.lower() for name in own}
    add = [f"setspn -S {wanted} {account}"] if lacking else []
    if others:
        seen = (
            f"{_listed(others)}, and AD FS runs as {account}: Kerberos tickets are issued for the "
            "wrong account, or not at all"
        )
        return failed(NAME, principal.name, seen, "; ".join([*_removals(others), *add]) + ".")
    if lacking and own:
        seen = f"{account} has only {', '.join(sorted(own))}: clients other than browsers get no Kerberos ticket"
        return warned(NAME, principal.name, seen, f"{add[0]}.")
    if lacking:
        seen = f"no account has {wanted}: sign-in with Kerberos does not work"
        return failed(NAME, principal.name, seen, f"{add[0]}.")
    return passed(NAME, principal.name, f"{account} has {', '.join(sorted(own))}, and no other account has it")


def _listed(holders: list[PrincipalHolder]) -> str:
    return ", ".join(f"{holder.account} has {', '.join(sorted(holder.names))}" for holder in holders)


def _removals(holders: list[PrincipalHolder]) -> list[str]:
    return [f"setspn -D {name} {holder.account}" for holder in holders for name in sorted(holder.names)]
