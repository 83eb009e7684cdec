"""What must hold before a server is added or taken away. Pure: each check looks at what was observed and says what to do.

Sources: AD FS requirements and *Add a federation server to a farm* (Windows Server documentation); farm behaviour levels:
`Invoke-AdfsFarmBehaviorLevelRaise`; WID limits: *AD FS capacity planning*.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from adfs_mgmt.farm import ADFS_ROLE, KeyAccess, Node, SyncRole, Use
from adfs_mgmt.procedures.server import Operation, ServerObservation, ServerSpec
from adfs_mgmt.procedures.stores import unfit_key
from certs import covers, normal_thumbprint
from findings import Finding, explain, failed, passed, undecided, warned

MAX_WID_NODES = 30
MAX_WID_TRUSTS = 100
MAX_SKEW = 60.0
"""Seconds. Kerberos ends at 300; tokens of a server that is ahead are refused sooner."""
_FQDN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_LEVEL_OF = {"2012 R2": 1, "2016": 3, "2019": 4, "2022": 4, "2025": 4}
_OLDEST = {0: "2012 R2", 1: "2012 R2", 2: "2016", 3: "2016", 4: "2019"}

_Checker = Callable[[ServerSpec, ServerObservation], Iterator[Finding]]


def preflight(spec: ServerSpec, seen: ServerObservation) -> tuple[Finding, ...]:
    """Every check of this operation, in order. A host that does not answer ends them: nothing of it can be known."""
    found = [*_check_name(spec, seen), *_check_reachable(spec, seen)]
    if refusals(found):
        return tuple(found)
    return (*found, *(finding for checker in _CHECKS[spec.operation] for finding in checker(spec, seen)))


def refusals(findings: Iterable[Finding]) -> tuple[str, ...]:
    """What must be fixed first, as sentences with their remedies."""
    return tuple(explain(finding) for finding in findings if finding.status == "fail")


def is_gmsa(account: str) -> bool:
    """Group managed service accounts end with a dollar sign, as computers do."""
    return account.endswith("$")


# -- the host


def _check_name(spec: ServerSpec, _seen: ServerObservation) -> Iterator[Finding]:
    if not _FQDN.fullmatch(spec.name):
        remedy = f"give the fully qualified name, such as {spec.name}.corp.example.com"
        yield failed("name", "", f"{spec.name} is a short name", remedy)
    elif spec.operation is Operation.FARM_NEW and spec.name == spec.federation_name.lower():
        remedy = (
            "choose another name, such as fs.example.com: Kerberos would look up the service's SPN on the computer account"
        )
        yield failed("name", "", f"the federation name {spec.federation_name} is the server's own name", remedy)
    else:
        yield passed("name", "", f"{spec.name} is fully qualified")


def _check_reachable(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if not seen.host.error:
        yield passed("reachable", "", f"{spec.name} answers over WinRM")
    elif spec.offline and not spec.operation.adds:
        yield warned(
            "reachable", "", f"{spec.name} does not answer", "it is treated as gone for good: do not start it again"
        )
    else:
        remedy = (
            "on the server, run Enable-PSRemoting and create an HTTPS listener; from here, check name, port and firewall"
        )
        yield failed("reachable", "", f"{spec.name} does not answer over WinRM ({seen.host.error})", remedy)


def _check_fqdn(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if seen.host.fqdn and seen.host.domain and seen.host.fqdn != spec.name:
        yield failed(
            "identity", "", f"the server at {spec.host} reports its name as {seen.host.fqdn}", "use that name, or fix DNS"
        )


def _check_domain(_spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if seen.host.domain:
        yield passed("domain", "", f"joined to {seen.host.domain}")
    else:
        yield failed("domain", "", "the server is in a workgroup", "join it to the domain (Add-Computer) and restart it")


def _check_windows(_spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    level, windows = seen.farm.properties.behaviour_level, seen.host.windows
    own = _LEVEL_OF.get(windows, 4 if windows.startswith("build ") else 0)
    if own == 0:
        yield failed("windows", "", f"Windows Server {windows or '(unknown version)'}", "use 2012 R2 or newer")
    elif own < level:
        remedy = f"use Windows Server {_OLDEST.get(level, '2019')} or newer"
        yield failed("windows", "", f"Windows Server {windows} cannot serve a farm of behaviour level {level}", remedy)
    else:
        yield passed("windows", "", f"Windows Server {windows}, farm behaviour level {level or 'not known'}")


def _check_clock(_spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    primary, skew = seen.farm.primary, seen.host.clock_skew
    if skew is None:
        yield undecided("clock", "", "it did not return its time", "compare it with the primary's: w32tm /query /status")
        return
    skew -= (primary.clock_skew or 0.0) if primary else 0.0
    text = f"its clock is {round(skew):+d} s off"
    if abs(skew) > MAX_SKEW:
        yield failed("clock", "", text, "on the server, run w32tm /resync and check its time source")
    else:
        yield passed("clock", "", text)


def _check_restart(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    state = seen.host.features.get(spec.operation.role, "")
    if state.endswith("Pending"):
        yield failed("restart", "", f"{spec.operation.role} is {state}", "restart the server, then plan again")


# -- certificates


def _check_ssl(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    name, wanted = "SSL certificate", seen.thumbprint(spec)
    if not wanted:
        yield failed(name, "", "unknown", "give --thumbprint, or fix the primary's binding")
        return
    yield _stored(name, wanted, seen)
    row = seen.host.certificate(wanted)
    if row is None:
        return
    if problem := unfit_key(row, Use.SSL):
        why, _, remedy = problem.partition("; ")
        yield failed(name, "", f"the key of {wanted} {why}", remedy)
    if not row.certificate.server_auth and row.certificate.der:
        yield failed(
            name,
            "",
            f"{wanted} is not intended for TLS servers",
            "use one with the Server Authentication enhanced key usage",
        )
    if row.certificate.names and not covers(row.certificate, spec.federation_name):
        yield failed(name, "", f"{wanted} does not cover {spec.federation_name}", "use one that covers that name")
    if spec.operation is Operation.NODE_ADD and seen.primary_thumbprint and wanted != seen.primary_thumbprint:
        remedy = "nodes behind the same load balancer should have the same certificate"
        yield warned(name, "", f"the primary has a different certificate, {seen.primary_thumbprint}", remedy)


def _check_token_keys(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    """AD FS shares the keys that it makes itself; those of a CA are each node's own affair."""
    primary = seen.farm.primary
    if primary is None:
        return
    held = {row.certificate.thumbprint for row in primary.stored}
    for row in primary.certificates:
        thumbprint = row.certificate.thumbprint
        if row.use is Use.SERVICE and thumbprint != seen.thumbprint(spec):
            yield _stored("Service-Communications certificate", thumbprint, seen)
        if row.use in {Use.SIGNING, Use.DECRYPTING} and thumbprint in held:
            yield _stored(f"{row.use} certificate", thumbprint, seen)


def _check_own_token_keys(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if bool(spec.signing) != bool(spec.decrypting):
        yield failed("token certificates", "", "only one of the two is given", "give --signing and --decrypting, or neither")
        return
    for use, wanted in ((Use.SIGNING, spec.signing), (Use.DECRYPTING, spec.decrypting)):
        if wanted:
            yield _stored(f"{use} certificate", normal_thumbprint(wanted), seen)
            row = seen.host.certificate(wanted)
            if row is not None and (problem := unfit_key(row, use)):
                why, _, remedy = problem.partition("; ")
                yield failed(f"{use} certificate", "", f"its key {why}", remedy)


def _stored(name: str, wanted: str, seen: ServerObservation) -> Finding:
    """Whether the host can use a certificate that it must have."""
    row, host = seen.host.certificate(wanted), seen.host.host
    importing = (
        f"import it with its private key on {host} (Import-PfxCertificate -CertStoreLocation Cert:\\LocalMachine\\My)"
    )
    if row is None:
        return failed(name, "", f"{wanted} is not in LocalMachine\\My", importing)
    if row.key is KeyAccess.NO_KEY:
        remedy = importing.replace("import", "remove it, then import", 1)
        return failed(name, "", f"{wanted} is in LocalMachine\\My without its private key", remedy)
    if row.certificate.ended(seen.now):
        return failed(name, "", f"{wanted} has expired", "renew it on the farm first: isthmus adfs ssl plan")
    if not row.certificate.begun(seen.now):
        return failed(name, "", f"{wanted} is not valid yet", "check the clocks, or wait")
    if row.certificate.not_after is None:
        return failed(name, "", f"{wanted} cannot be read, so its expiry date is not known", "use another")
    if row.key is KeyAccess.UNKNOWN:
        text = (
            f"{wanted} is in LocalMachine\\My; whether its private key is there can only be checked through the JEA endpoint"
        )
        return undecided(name, "", text, "check there (certlm.msc), or register the endpoint: isthmus adfs jea")
    return passed(name, "", f"{wanted} is in LocalMachine\\My with its private key")


# -- the farm


def _check_primary(_spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    primary = seen.farm.primary
    if primary is None:
        nodes = "; ".join(f"{node.host}: {node.error or 'secondary'}" for node in seen.farm.nodes)
        remedy = "fix it first: nothing can be changed without a primary server"
        yield failed("primary", "", f"no primary server answers ({nodes or 'no nodes in the settings'})", remedy)
    elif not primary.service_running:
        yield failed("primary", "", f"adfssrv is not running on {primary.host}", "start it there")
    elif "." not in _fqdn(primary):
        yield failed("primary", "", f"{primary.host} is a short name", "use its fully qualified name in the settings")
    elif seen.reference is not None and not seen.reference.probe_ok:
        text = f"{primary.host} does not answer /adfs/probe ({seen.reference.error})"
        yield failed("primary", "", text, "nodes join over HTTP: open port 80 on the primary")
    else:
        yield passed("primary", "", f"{_fqdn(primary)} is running and answers")


def _fqdn(node: Node) -> str:
    return node.fqdn or node.host.partition("=")[0]


def _check_wid_limits(_spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if seen.farm.properties.sql:
        return
    nodes, trusts = len(seen.farm.nodes) + 1, len(seen.farm.relying_parties)
    remedy = "move the configuration to SQL Server"
    if nodes > MAX_WID_NODES:
        yield failed("WID", "", f"it would be node {nodes} of {MAX_WID_NODES}", remedy)
    elif trusts > MAX_WID_TRUSTS:
        yield failed("WID", "", f"{trusts} trusts; WID supports {MAX_WID_TRUSTS}", remedy)
    else:
        yield passed("WID", "", f"node {nodes} of {MAX_WID_NODES}, {trusts} trusts of {MAX_WID_TRUSTS}")


def _check_sql(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if seen.farm.properties.sql and not spec.sql:
        yield failed("database", "", "the farm's configuration is in SQL Server", "give its connection string with --sql")
    if spec.sql and not seen.farm.properties.sql:
        yield failed("database", "", "the farm's configuration is in WID, not in SQL Server", "leave --sql out")
    yield from _check_sql_password(spec, seen)


def _check_sql_password(spec: ServerSpec, _seen: ServerObservation) -> Iterator[Finding]:
    if re.search(r"password|pwd", spec.sql, re.IGNORECASE):
        yield failed("database", "", "the connection string contains a password", "use Integrated Security=True")


def _check_not_there(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if spec.operation is Operation.PROXY_ADD and seen.host.joined:
        yield failed("new", "", f"{spec.name} is already a proxy", "to set it up again, remove it first")
    if seen.host.role is not None:
        yield failed("new", "", f"{spec.name} already belongs to a farm", "to move it, remove it there first")
    if seen.lists(spec.name):
        yield warned("new", "", f"the farm still lists {spec.name}", "it was a node before; the entry will be reused")


def _check_account(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    account, problems = seen.service_account(spec), seen.host.join_problems
    if not account:
        yield failed("service account", "", "unknown", "give --service-account 'CORP\\adfs$'")
        return
    allowing = (
        f"Set-ADServiceAccount {account.rpartition(chr(92))[2]} -PrincipalsAllowedToRetrieveManagedPassword … must name "
        f"{spec.name} or a group that it belongs to; restart the server after changing its group membership"
    )
    if problems is None:
        test = "Test-AdfsFarmJoin" if spec.operation is Operation.NODE_ADD else "Test-AdfsFarmInstallation"
        text = f"{account}: {test} will check it, once the role is installed and before the server joins"
        yield undecided("service account", "", text, allowing if is_gmsa(account) else "")
    elif problems:
        remedy = allowing if is_gmsa(account) else "fix that first"
        yield from (failed("service account and prerequisites", "", problem, remedy) for problem in problems)
    else:
        yield passed("service account", "", f"{account}, and the other prerequisites that Windows tests")


def _check_proxy_host(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if seen.host.domain:
        remedy = "a proxy is exposed to the internet: a workgroup is safer"
        yield warned("domain", "", f"{spec.name} is joined to {seen.host.domain}", remedy)
    if not spec.trust_admin:
        yield failed("trust", "", "no credential", "give --trust-user: a local administrator of the federation servers")
    if seen.host.features.get(ADFS_ROLE) == "Installed":
        yield failed("role", "", f"{spec.name} is a federation server", "use another host: the two cannot share one")


def _check_resolves(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if seen.resolves_to == ():
        remedy = "on the proxy it must resolve to the farm: through DNS, or a line in its hosts file"
        yield warned("federation name", "", f"{spec.federation_name} does not resolve from here", remedy)
    if seen.farm.nodes and not any(node.service_running for node in seen.farm.nodes):
        yield failed("farm", "", "no federation server is running", "fix the farm first")


def _check_removable_node(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    host, farm = seen.host, seen.farm
    if not any(node.service_running for node in farm.nodes):
        remedy = "add another first: isthmus adfs node add"
        yield failed("farm", "", f"without {spec.name} no federation server is running", remedy)
    if not farm.properties.sql and (host.role is SyncRole.PRIMARY or farm.primary is None):
        remedy = "on another node run Set-AdfsSyncProperties -Role PrimaryComputer, point the others to it, then plan again"
        yield failed("role", "", f"{spec.name} is the primary server, or no other primary server answers", remedy)
    if host.role is None and not host.error and not seen.lists(spec.name):
        yield failed("member", "", f"{spec.name} is not a node of the farm", "there is nothing to do")
    if not host.error and not host.has(ADFS_ROLE) and spec.offline:
        yield warned("offline", "", f"{spec.name} answers", "without --offline its role is removed, too")


def _check_removable_proxy(spec: ServerSpec, seen: ServerObservation) -> Iterator[Finding]:
    if not any(proxy.service_running for proxy in seen.farm.proxies):
        yield warned("last", "", f"{spec.name} is the last running proxy", "nobody can sign in from outside after that")
    if not seen.host.error and not seen.host.has(spec.operation.role):
        yield failed("member", "", f"{spec.name} is not a proxy", "there is nothing to do")


_NEW_NODE: tuple[_Checker, ...] = (_check_fqdn, _check_domain, _check_windows, _check_clock, _check_restart)
_CHECKS: dict[Operation, tuple[_Checker, ...]] = {
    Operation.FARM_NEW: (
        *_NEW_NODE,
        _check_not_there,
        _check_ssl,
        _check_own_token_keys,
        _check_sql_password,
        _check_account,
        _check_resolves,
    ),
    Operation.NODE_ADD: (
        *_NEW_NODE,
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
