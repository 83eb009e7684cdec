"""What must hold before a server is added or taken away. Pure: each check looks at a Situation and says what to do.

Sources: AD FS requirements and *Add a federation server to a farm* (Windows Server documentation); farm behaviour levels:
`Invoke-AdfsFarmBehaviorLevelRaise`; WID limits: *AD FS capacity planning*.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from adfs_mgmt.deploy.model import Check, HostFacts, Operation, Situation, Verdict, Wish
from adfs_mgmt.farm.model import KeyAccess, Node, SyncRole, Use
from certs import normal_thumbprint

MAX_WID_NODES = 30
MAX_WID_TRUSTS = 100
MAX_SKEW = 60.0
"""Seconds. Kerberos ends at 300; tokens of a server that is ahead are refused sooner."""
_FQDN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_LEVEL_OF = {"2012 R2": 1, "2016": 3, "2019": 4, "2022": 4, "2025": 4}
_OLDEST = {0: "2012 R2", 1: "2012 R2", 2: "2016", 3: "2016", 4: "2019"}

_Checker = Callable[[Wish, Situation], Iterator[Check]]


def check(wish: Wish, seen: Situation) -> tuple[Check, ...]:
    """Every check of this operation, in order. A host that does not answer ends them: nothing of it can be known."""
    found = [*_check_name(wish, seen), *_check_reachable(wish, seen)]
    if any(each.verdict is Verdict.FAILED for each in found):
        return tuple(found)
    for checker in _CHECKS[wish.operation]:
        found += checker(wish, seen)
    return tuple(found)


def primary_thumbprint(seen: Situation) -> str:
    """The SSL certificate of the primary, for the federation name; empty where there is none."""
    primary = seen.farm.primary
    if primary is None:
        return ""
    name = seen.farm.properties.federation_name.lower()
    return next((row.thumbprint for row in primary.bindings if row.host_name.lower() == name), "")


def thumbprint(wish: Wish, seen: Situation) -> str:
    """The SSL certificate that the host shall have."""
    return normal_thumbprint(wish.thumbprint) or primary_thumbprint(seen)


def service_account(wish: Wish, seen: Situation) -> str:
    """The account that the service shall run as."""
    primary = seen.farm.primary
    return wish.service_account or (primary.service_account if primary else "")


def is_gmsa(account: str) -> bool:
    """Group managed service accounts end with a dollar sign, as computers do."""
    return account.endswith("$")


def _ok(name: str, detail: str) -> Check:
    return Check(name=name, verdict=Verdict.OK, detail=detail)


def _failed(name: str, detail: str, remedy: str) -> Check:
    return Check(name=name, verdict=Verdict.FAILED, detail=detail, remedy=remedy)


def _warning(name: str, detail: str, remedy: str) -> Check:
    return Check(name=name, verdict=Verdict.WARNING, detail=detail, remedy=remedy)


# -- the host


def _check_name(wish: Wish, _seen: Situation) -> Iterator[Check]:
    if not _FQDN.fullmatch(wish.name):
        yield _failed(
            "name", f"{wish.name} is a short name", f"give the fully qualified one, such as {wish.name}.corp.example.com"
        )
    elif wish.operation is Operation.FARM_NEW and wish.name == wish.federation_name.lower():
        yield _failed(
            "name",
            f"the federation name {wish.federation_name} is the server's own name",
            "choose another, such as fs.example.com: Kerberos would look for the service's name at the computer's account",
        )
    else:
        yield _ok("name", f"{wish.name} is fully qualified")


def _check_reachable(wish: Wish, seen: Situation) -> Iterator[Check]:
    if not seen.host.error:
        yield _ok("reachable", f"{wish.name} answers over WinRM")
    elif wish.offline and wish.operation in {Operation.NODE_REMOVE, Operation.PROXY_REMOVE}:
        yield _warning("reachable", f"{wish.name} does not answer", "it is taken for gone: never switch it on again")
    else:
        yield _failed(
            "reachable",
            f"{wish.name} does not answer over WinRM ({seen.host.error})",
            "on it, run Enable-PSRemoting and make an HTTPS listener; from here, check name, port and firewall",
        )


def _check_fqdn(wish: Wish, seen: Situation) -> Iterator[Check]:
    if seen.host.fqdn and seen.host.domain and seen.host.fqdn != wish.name:
        yield _failed("identity", f"{wish.host} calls itself {seen.host.fqdn}", "give that name, or mend DNS")


def _check_domain(_wish: Wish, seen: Situation) -> Iterator[Check]:
    if seen.host.domain:
        yield _ok("domain", f"joined to {seen.host.domain}")
    else:
        yield _failed("domain", "the server is in a workgroup", "join it to the domain (Add-Computer) and restart it")


def _check_windows(_wish: Wish, seen: Situation) -> Iterator[Check]:
    level = seen.farm.properties.behaviour_level
    own = _LEVEL_OF.get(seen.host.windows, 4 if seen.host.windows.startswith("build ") else 0)
    if own == 0:
        yield _failed("windows", f"Windows Server {seen.host.windows or 'of unknown version'}", "use 2012 R2 or newer")
    elif own < level:
        yield _failed(
            "windows",
            f"Windows Server {seen.host.windows} cannot serve a farm of behaviour level {level}",
            f"use Windows Server {_OLDEST.get(level, '2019')} or newer",
        )
    else:
        yield _ok("windows", f"Windows Server {seen.host.windows}, farm behaviour level {level or 'not known'}")


def _check_clock(_wish: Wish, seen: Situation) -> Iterator[Check]:
    primary = seen.farm.primary
    skew = seen.host.clock_skew - (primary.clock_skew if primary else 0.0)
    if abs(skew) > MAX_SKEW:
        yield _failed("clock", f"its clock is {skew:+.0f} s off", "on it, run w32tm /resync and look at its time source")
    else:
        yield _ok("clock", f"its clock is {skew:+.0f} s off")


def _check_restart(wish: Wish, seen: Situation) -> Iterator[Check]:
    state = seen.host.features.get(wish.operation.role, "")
    if state.endswith("Pending"):
        yield _failed("restart", f"{wish.operation.role} is {state}", "restart the server, then plan anew")


# -- certificates


def _check_ssl(wish: Wish, seen: Situation) -> Iterator[Check]:
    wanted = thumbprint(wish, seen)
    if not wanted:
        yield _failed("SSL certificate", "not known which", "give --thumbprint, or mend the primary's binding")
        return
    yield from _check_stored("SSL certificate", wanted, seen.host, seen.now)
    row = seen.host.certificate(wanted)
    if row is None:
        return
    if not row.certificate.server_auth and row.certificate.der:
        yield _failed("SSL certificate", f"{wanted} is not for TLS servers", "use one with the Server Authentication usage")
    if row.certificate.names and not _covers(row.certificate.names, wish.federation_name):
        yield _failed("SSL certificate", f"{wanted} is not for {wish.federation_name}", "use one with that name")
    on_primary = primary_thumbprint(seen)
    if wish.operation is Operation.NODE_ADD and on_primary and wanted != on_primary:
        yield _warning(
            "SSL certificate", f"the primary has another, {on_primary}", "nodes behind one balancer should have the same"
        )


def _check_token_keys(wish: Wish, seen: Situation) -> Iterator[Check]:
    """AD FS shares the keys that it makes itself; those of a CA are each node's own affair."""
    primary = seen.farm.primary
    if primary is None:
        return
    held = {row.certificate.thumbprint for row in primary.stored}
    for row in primary.certificates:
        if row.use in {Use.SIGNING, Use.DECRYPTING} and row.certificate.thumbprint in held:
            yield from _check_stored(f"{row.use} certificate", row.certificate.thumbprint, seen.host, seen.now)
        elif row.use is Use.SERVICE and row.certificate.thumbprint != thumbprint(wish, seen):
            yield from _check_stored("Service-Communications certificate", row.certificate.thumbprint, seen.host, seen.now)


def _check_own_token_keys(wish: Wish, seen: Situation) -> Iterator[Check]:
    if bool(wish.signing) != bool(wish.decrypting):
        yield _failed("token certificates", "only one of two is given", "give --signing and --decrypting, or neither")
        return
    for use, wanted in ((Use.SIGNING, wish.signing), (Use.DECRYPTING, wish.decrypting)):
        if wanted:
            yield from _check_stored(f"{use} certificate", normal_thumbprint(wanted), seen.host, seen.now)
            row = seen.host.certificate(wanted)
            if row is not None and row.cng:
                yield _failed(f"{use} certificate", "its key is in a CNG provider", "import it into a CSP (certutil -csp)")


def _check_stored(name: str, wanted: str, host: HostFacts, now: float) -> Iterator[Check]:
    row = host.certificate(wanted)
    importing = f"import it with its key on {host.host} (Import-PfxCertificate -CertStoreLocation Cert:\\LocalMachine\\My)"
    if row is None:
        yield _failed(name, f"{wanted} is not in LocalMachine\\My", importing)
    elif row.key is KeyAccess.NO_KEY:
        yield _failed(
            name, f"{wanted} is there without its private key", importing.replace("import", "remove it, then import", 1)
        )
    elif row.certificate.not_after <= now:
        yield _failed(name, f"{wanted} has expired", "renew it on the farm first: isthmus adfs ssl plan")
    elif row.certificate.not_before > now:
        yield _failed(name, f"{wanted} is not valid yet", "check the clocks, or wait")
    else:
        yield _ok(name, f"{wanted} with its key is in LocalMachine\\My")


def _covers(names: tuple[str, ...], wanted: str) -> bool:
    """RFC 6125, 6.4.3: a wildcard stands for one label."""
    parent = wanted.lower().partition(".")[2]
    return any(name.lower() in {wanted.lower(), f"*.{parent}"} for name in names)


# -- the farm


def _check_primary(_wish: Wish, seen: Situation) -> Iterator[Check]:
    primary = seen.farm.primary
    if primary is None:
        why = (
            "; ".join(f"{node.host}: {node.error or 'secondary'}" for node in seen.farm.nodes) or "no nodes in the settings"
        )
        yield _failed("primary", f"no primary answers ({why})", "mend it first: nothing can be changed without it")
    elif not primary.service_running:
        yield _failed("primary", f"adfssrv does not run on {primary.host}", "start it there")
    elif "." not in _fqdn(primary):
        yield _failed("primary", f"{primary.host} is a short name", "use its fully qualified name in the settings")
    elif seen.reference is not None and not seen.reference.probe_ok:
        yield _failed(
            "primary",
            f"{primary.host} does not answer /adfs/probe ({seen.reference.error})",
            "nodes join over HTTP: open its port 80",
        )
    else:
        yield _ok("primary", f"{_fqdn(primary)} runs and answers")


def _fqdn(node: Node) -> str:
    return node.fqdn or node.host.partition("=")[0]


def _check_wid_limits(_wish: Wish, seen: Situation) -> Iterator[Check]:
    farm = seen.farm
    if farm.properties.sql:
        return
    nodes, trusts = len(farm.nodes) + 1, len(farm.relying_parties)
    if nodes > MAX_WID_NODES:
        yield _failed("WID", f"it would be node {nodes} of {MAX_WID_NODES}", "move the configuration to SQL Server")
    elif trusts > MAX_WID_TRUSTS:
        yield _failed("WID", f"{trusts} trusts, of {MAX_WID_TRUSTS} that WID is for", "move the configuration to SQL Server")
    else:
        yield _ok("WID", f"node {nodes} of {MAX_WID_NODES}, {trusts} trusts of {MAX_WID_TRUSTS}")


def _check_sql(wish: Wish, seen: Situation) -> Iterator[Check]:
    if seen.farm.properties.sql and not wish.sql:
        yield _failed("database", "the farm's configuration is in SQL Server", "give its connection string with --sql")
    if wish.sql and not seen.farm.properties.sql and wish.operation is Operation.NODE_ADD:
        yield _failed("database", "the farm's configuration is in WID, not in SQL Server", "leave --sql out")
    yield from _check_sql_password(wish, seen)


def _check_sql_password(wish: Wish, _seen: Situation) -> Iterator[Check]:
    if re.search(r"password|pwd", wish.sql, re.IGNORECASE):
        yield _failed("database", "the connection string has a password", "use Integrated Security=True")


def _check_not_there(wish: Wish, seen: Situation) -> Iterator[Check]:
    if wish.operation is Operation.PROXY_ADD:
        if seen.host.joined:
            yield _failed("new", f"{wish.name} is a proxy already", "to make it anew, remove it first")
        return
    if seen.host.role is not None:
        yield _failed("new", f"{wish.name} belongs to a farm already", "to move it, remove it there first")
    if seen.listed is not None and wish.name in seen.listed:
        yield _warning("new", f"the farm still lists {wish.name}", "it was here before; the entry will be used again")


def _check_account(wish: Wish, seen: Situation) -> Iterator[Check]:
    account = service_account(wish, seen)
    if not account:
        yield _failed("service account", "not known which", "give --service-account 'CORP\\adfs$'")
        return
    allowing = (
        f"Set-ADServiceAccount {account.rpartition(chr(92))[2]} -PrincipalsAllowedToRetrieveManagedPassword … must name "
        f"{wish.name} or a group that it is in; after a change of groups restart it"
    )
    if seen.host.join_problems is None:
        step = "Test-AdfsFarmJoin" if wish.operation is Operation.NODE_ADD else "Test-AdfsFarmInstallation"
        detail = f"{account}: {step} will prove it, once the role is there and before anything joins"
        yield Check(
            name="service account", verdict=Verdict.LATER, detail=detail, remedy=allowing if is_gmsa(account) else ""
        )
    elif seen.host.join_problems:
        for problem in seen.host.join_problems:
            yield _failed("service account and prerequisites", problem, allowing if is_gmsa(account) else "mend that first")
    else:
        yield _ok("service account", f"{account}, and the other prerequisites that Windows tests")


def _check_proxy_host(wish: Wish, seen: Situation) -> Iterator[Check]:
    if seen.host.domain:
        yield _warning(
            "domain", f"{wish.name} is joined to {seen.host.domain}", "a proxy faces the Internet: a workgroup is safer"
        )
    if not wish.trust_admin:
        yield _failed("trust", "no credential", "give --trust-user: a local administrator of the federation servers")
    if seen.host.features.get("ADFS-Federation") == "Installed":
        yield _failed("role", f"{wish.name} is a federation server", "use another host: the two cannot share one")


def _check_resolves(wish: Wish, seen: Situation) -> Iterator[Check]:
    if seen.resolves_to == ():
        yield _warning(
            "federation name",
            f"{wish.federation_name} does not resolve from here",
            "on the proxy it must lead to the farm: DNS, or a line in its hosts file",
        )
    if seen.farm.nodes and not any(node.service_running for node in seen.farm.nodes):
        yield _failed("farm", "no federation server runs", "mend the farm first")


def _check_removable_node(wish: Wish, seen: Situation) -> Iterator[Check]:
    host, farm = seen.host, seen.farm
    if not any(node.service_running for node in farm.nodes):
        yield _failed("farm", f"without {wish.name} no federation server runs", "add another first: isthmus adfs node add")
    if not farm.properties.sql and (host.role is SyncRole.PRIMARY or farm.primary is None):
        yield _failed(
            "role",
            f"{wish.name} is the primary, or no other primary answers",
            "on another node run Set-AdfsSyncProperties -Role PrimaryComputer, point the others at it, then plan anew",
        )
    if host.role is None and not host.error and (seen.listed is None or wish.name not in seen.listed):
        yield _failed("member", f"{wish.name} is no node of the farm", "nothing is to be done")
    if not host.error and not host.has(wish.operation.role) and wish.offline:
        yield _warning("offline", f"{wish.name} answers", "without --offline its role is removed, too")


def _check_removable_proxy(wish: Wish, seen: Situation) -> Iterator[Check]:
    others = [proxy for proxy in seen.farm.proxies if proxy.service_running]
    if not others:
        yield _warning("last", f"{wish.name} is the last proxy that runs", "nobody outside can sign in afterwards")
    if not seen.host.error and not seen.host.has(wish.operation.role):
        yield _failed("member", f"{wish.name} is no proxy", "nothing is to be done")


_CHECKS: dict[Operation, tuple[_Checker, ...]] = {
    Operation.FARM_NEW: (
        _check_fqdn,
        _check_domain,
        _check_windows,
        _check_clock,
        _check_restart,
        _check_not_there,
        _check_ssl,
        _check_own_token_keys,
        _check_sql_password,
        _check_account,
        _check_resolves,
    ),
    Operation.NODE_ADD: (
        _check_fqdn,
        _check_domain,
        _check_windows,
        _check_clock,
        _check_restart,
        _check_primary,
        _check_not_there,
        _check_wid_limits,
        _check_sql,
        _check_ssl,
        _check_token_keys,
        _check_account,
    ),
    Operation.NODE_REMOVE: (_check_removable_node,),
    Operation.PROXY_ADD: (
        _check_windows,
        _check_clock,
        _check_restart,
        _check_proxy_host,
        _check_not_there,
        _check_ssl,
        _check_resolves,
    ),
    Operation.PROXY_REMOVE: (_check_removable_proxy,),
}
