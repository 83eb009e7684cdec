"""The stages of each operation: commands, and how to see that they did what they are for. Pure."""

from __future__ import annotations

from collections.abc import Callable

from adfs_mgmt.deploy.model import (
    ADFS_ROLE,
    PROXY_ROLE,
    WID_FEATURE,
    Operation,
    Procedure,
    Secrets,
    Situation,
    Stage,
    Wish,
)
from adfs_mgmt.deploy.preflight import is_gmsa, service_account, thumbprint
from adfs_mgmt.farm import SyncRole
from adfs_mgmt.remoting import Value, make_command
from adfs_mgmt.rollover.model import Act, Record

SYNC_PATIENCE = 960.0
"""Seconds for the first poll of a secondary: three polls and a minute."""
LIST_PATIENCE = 900.0
"""Seconds until a node's heartbeat has put it into the farm's table."""
SERVE_PATIENCE = 300.0
HEALTH_PATIENCE = 300.0

_JOIN = "join"


def before(wish: Wish, seen: Situation) -> dict[str, str]:
    """What the host had before us: it is not taken away from it."""
    role, wid = seen.host.has(wish.operation.role), seen.host.has(WID_FEATURE)
    return {"role before": "yes" if role else "no", "wid before": "yes" if wid else "no"}


# -- parts


def _role(wish: Wish) -> Stage:
    feature = wish.operation.role

    def missing(seen: Situation, _record: Record) -> tuple[str, ...]:
        return () if seen.host.has(feature) else (f"{feature} is {seen.host.features.get(feature) or 'not there'}",)

    def acts(_seen: Situation, _record: Record) -> tuple[Act, ...]:
        return (
            Act(host=wish.host, what=make_command("Install-WindowsFeature", Name=(feature,), IncludeManagementTools=True)),
        )

    return Stage(name="role", title=f"install the role {feature}", promise="it is installed", missing=missing, acts=acts)


def _role_off(wish: Wish, *, undo: bool) -> Stage:
    """As an undo it takes away what we brought, and no more."""
    feature = wish.operation.role

    def leaving(seen: Situation, record: Record) -> tuple[str, ...]:
        had_role = undo and record.facts.get("role before") == "yes" and not _begun(record, _JOIN)
        ours = undo and record.facts.get("wid before") == "no"
        return (() if had_role else (feature,)) + ((WID_FEATURE,) if ours and seen.host.has(WID_FEATURE) else ())

    def missing(seen: Situation, record: Record) -> tuple[str, ...]:
        return tuple(f"{each} is installed" for each in leaving(seen, record) if seen.host.has(each))

    def acts(seen: Situation, record: Record) -> tuple[Act, ...]:
        names = leaving(seen, record) or (feature,)
        return (Act(host=wish.host, what=make_command("Uninstall-WindowsFeature", Name=names, IncludeManagementTools=True)),)

    return Stage(name="role off", title=f"remove the role {feature}", promise="it is gone", missing=missing, acts=acts)


def _entry_off(wish: Wish, *, undo: bool) -> Stage:
    """After the role is gone: a node that still runs would put itself back by its next heartbeat."""

    def missing(seen: Situation, record: Record) -> tuple[str, ...]:
        if undo and not _begun(record, _JOIN):  # an entry that is there is not ours
            return ()
        if seen.farm_error:
            return (seen.farm_error,)
        return (f"the farm lists {wish.name}",) if wish.name in (seen.listed or ()) else ()

    def acts(seen: Situation, _record: Record) -> tuple[Act, ...]:
        primary = seen.farm.primary
        if primary is None or seen.farm.properties.behaviour_level == 1:  # 2012 R2 keeps no table
            return ()
        return (Act(host=primary.host, what=make_command("Set-AdfsFarmInformation", RemoveNode=(wish.name,))),)

    return Stage(
        name="entry off",
        title="take it out of the farm's table",
        promise="the farm does not list it",
        missing=missing,
        acts=acts,
    )


def _tested(wish: Wish, name: str, parameters: Callable[[Situation], dict[str, Value]]) -> Stage:
    def missing(_seen: Situation, record: Record) -> tuple[str, ...]:
        done = any(each.startswith("test: ") for each in record.acted)
        return () if done else (f"{name} has not been run",)

    def acts(seen: Situation, _record: Record) -> tuple[Act, ...]:
        return (Act(host=wish.host, what=make_command(name, **parameters(seen))),)

    title = "let Windows test the prerequisites"
    return Stage(name="test", title=title, promise="none is missing", missing=missing, acts=acts)


def _serves(wish: Wish) -> Stage:
    """From outside: what people will get."""

    def missing(seen: Situation, _record: Record) -> tuple[str, ...]:
        served, found = seen.served, []
        if served is None:
            return ("it was not looked at yet",)
        if served.tls is None:
            return (served.error or "nobody answers on its TLS port",)
        if served.tls.thumbprint != thumbprint(wish, seen):
            found.append(f"it serves the certificate {served.tls.thumbprint}, not {thumbprint(wish, seen)}")
        if not served.signing:
            found.append(served.error or "its metadata has no signing certificate")
        elif seen.reference is not None and set(served.signing) != set(seen.reference.signing):
            found.append("its metadata has other signing certificates than the primary's")
        if not served.probe_ok and wish.operation.role == ADFS_ROLE:
            found.append(served.error or "/adfs/probe does not answer")
        return tuple(found)

    promise = "TLS, metadata and probe are those of the farm, seen from outside"
    return Stage(name="serves", title="look at it from outside", promise=promise, missing=missing, patience=SERVE_PATIENCE)


def _gone(wish: Wish) -> Stage:
    def missing(seen: Situation, _record: Record) -> tuple[str, ...]:
        answers = seen.served is not None and (bool(seen.served.signing) or seen.served.probe_ok)
        return (f"{wish.name} still serves the farm",) if answers else ()

    title, promise = "look at it from outside", "it does not serve the farm any more"
    return Stage(name="gone", title=title, promise=promise, missing=missing, patience=SERVE_PATIENCE)


def _homeless(wish: Wish, seen: Situation) -> str:
    stopped = seen.host.has(ADFS_ROLE) and not seen.host.service_running
    return f"{wish.name} belongs to no farm" + (", or adfssrv does not run there" if stopped else "")


def _begun(record: Record, stage: str) -> bool:
    return any(count > 0 and name.startswith(f"{stage}: ") for name, count in record.tries.items())


def _account(wish: Wish, secrets: Secrets, seen: Situation) -> dict[str, Value]:
    account = service_account(wish, seen)
    found: dict[str, Value] = {"GroupServiceAccountIdentifier": account}
    if not is_gmsa(account):
        known = Wish(operation=wish.operation, farm="", federation_name="", host="", service_account=account)
        found = {"ServiceAccountCredential": secrets.credential(known, "service_account")}
    if wish.admin:
        found["Credential"] = secrets.credential(wish, "admin")
    return found


# -- operations


def _node_add(wish: Wish, secrets: Secrets) -> Procedure:
    def parameters(seen: Situation) -> dict[str, Value]:
        found = {**_account(wish, secrets, seen), "CertificateThumbprint": thumbprint(wish, seen)}
        if wish.sql:
            return {**found, "SQLConnectionString": wish.sql}
        primary = seen.farm.primary
        name = (primary.fqdn or primary.host.partition("=")[0]) if primary else ""
        return {**found, "PrimaryComputerName": name, "PrimaryComputerPort": wish.http_port}

    def not_joined(seen: Situation, _record: Record) -> tuple[str, ...]:
        return () if seen.host.role is not None else (_homeless(wish, seen),)

    def join(seen: Situation, record: Record) -> tuple[Act, ...]:
        # the first try may have left half a database behind; one in SQL Server is the farm's own
        again: dict[str, Value] = {"OverwriteConfiguration": True} if _begun(record, _JOIN) and not wish.sql else {}
        return (Act(host=wish.host, what=make_command("Add-AdfsFarmNode", **parameters(seen), **again)),)

    def not_synchronised(seen: Situation, _record: Record) -> tuple[str, ...]:
        host = seen.host
        if not host.service_running:
            return (f"adfssrv does not run on {wish.name}",)
        if host.role is not SyncRole.SECONDARY or (host.last_sync and host.last_sync_ok):
            return ()
        return (f"{wish.name} has not read the primary's configuration yet",)

    def not_listed(seen: Situation, _record: Record) -> tuple[str, ...]:
        if seen.farm_error:
            return (seen.farm_error,)
        return () if seen.listed is None or wish.name in seen.listed else (f"the farm does not list {wish.name} yet",)

    forward = (
        _role(wish),
        _tested(wish, "Test-AdfsFarmJoin", parameters),
        Stage(name=_JOIN, title="join the farm", promise="it belongs to the farm", missing=not_joined, acts=join),
        Stage(
            name="synchronised",
            title="wait for its configuration",
            promise="it runs with the primary's configuration",
            missing=not_synchronised,
            patience=SYNC_PATIENCE,
        ),
        Stage(
            name="listed",
            title="wait for the farm's table of nodes",
            promise="the farm lists it",
            missing=not_listed,
            patience=LIST_PATIENCE,
        ),
        _serves(wish),
    )
    return Procedure(forward=forward, back=(_role_off(wish, undo=True), _entry_off(wish, undo=True)))


def _node_remove(wish: Wish, _secrets: Secrets) -> Procedure:
    if wish.offline:
        return Procedure(forward=(_entry_off(wish, undo=False),))
    return Procedure(forward=(_role_off(wish, undo=False), _entry_off(wish, undo=False), _gone(wish)))


def _farm_new(wish: Wish, secrets: Secrets) -> Procedure:
    def parameters(seen: Situation) -> dict[str, Value]:
        found = {
            **_account(wish, secrets, seen),
            "CertificateThumbprint": thumbprint(wish, seen),
            "FederationServiceName": wish.federation_name,
        }
        optional = {
            "FederationServiceDisplayName": wish.display_name,
            "SQLConnectionString": wish.sql,
            "SigningCertificateThumbprint": wish.signing,
            "DecryptionCertificateThumbprint": wish.decrypting,
        }
        return {**found, **{name: value for name, value in optional.items() if value}}

    def not_made(seen: Situation, _record: Record) -> tuple[str, ...]:
        if seen.host.role is None:
            return (_homeless(wish, seen),)
        if seen.host.federation_name.lower() != wish.federation_name.lower():
            return (f"its farm is {seen.host.federation_name or 'not known'}",)
        return ()

    def install(seen: Situation, record: Record) -> tuple[Act, ...]:
        # what the first try left behind is ours: before it the server belonged to no farm
        again: dict[str, Value] = {"OverwriteConfiguration": True} if _begun(record, _JOIN) else {}
        return (Act(host=wish.host, what=make_command("Install-AdfsFarm", **parameters(seen), **again)),)

    forward = (
        _role(wish),
        _tested(wish, "Test-AdfsFarmInstallation", parameters),
        Stage(name=_JOIN, title="make the farm", promise="it is its first node", missing=not_made, acts=install),
        _serves(wish),
    )
    return Procedure(forward=forward, back=(_role_off(wish, undo=True),))


def _proxy_add(wish: Wish, secrets: Secrets) -> Procedure:
    def not_joined(seen: Situation, _record: Record) -> tuple[str, ...]:
        return () if seen.host.joined else (f"{wish.name} has no configuration: no trust with the farm",)

    def join(seen: Situation, _record: Record) -> tuple[Act, ...]:
        command = make_command(
            "Install-WebApplicationProxy",
            FederationServiceName=wish.federation_name,
            FederationServiceTrustCredential=secrets.credential(wish, "trust_admin"),
            CertificateThumbprint=thumbprint(wish, seen),
        )
        return (Act(host=wish.host, what=command),)

    def not_healthy(seen: Situation, _record: Record) -> tuple[str, ...]:
        stopped = () if seen.host.service_running else (f"appproxysvc does not run on {wish.name}",)
        return (*stopped, *seen.host.unhealthy)

    forward = (
        _role(wish),
        Stage(name=_JOIN, title="set up the trust with the farm", promise="it is trusted", missing=not_joined, acts=join),
        Stage(
            name="healthy",
            title="wait for its health",
            promise="all rows of its health are OK",
            missing=not_healthy,
            patience=HEALTH_PATIENCE,
        ),
        _serves(wish),
    )
    return Procedure(forward=forward, back=(_role_off(wish, undo=True),))


def _proxy_remove(wish: Wish, _secrets: Secrets) -> Procedure:
    if wish.offline:
        return Procedure(forward=())
    return Procedure(forward=(_role_off(wish, undo=False), _gone(wish)))


PROCEDURES: dict[Operation, Callable[[Wish, Secrets], Procedure]] = {
    Operation.FARM_NEW: _farm_new,
    Operation.NODE_ADD: _node_add,
    Operation.NODE_REMOVE: _node_remove,
    Operation.PROXY_ADD: _proxy_add,
    Operation.PROXY_REMOVE: _proxy_remove,
}
"""By operation."""

__all__ = ["ADFS_ROLE", "PROCEDURES", "PROXY_ROLE", "before"]
