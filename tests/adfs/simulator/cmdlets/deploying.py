"""A farm, a node: Test-, Install- and Add- cmdlets of the module ADFS.

`Test-…` answers with a row for each check; the others refuse with the first that fails. What only shows when the service
starts (token certificates whose keys are not here) leaves a half-made node: its row in the farm's table stays, as after a
real failure, until `Set-AdfsFarmInformation -RemoveNode`.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.adfs.simulator.cmdlets.base import Call, Row, cmdlet, grant_service, may_hop, stored
from tests.adfs.simulator.cmdlets.tls import unfit
from tests.adfs.simulator.cmdlets.tokens import why_service_fails
from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.making import configuration as empty_configuration
from tests.adfs.simulator.making import join
from tests.adfs.simulator.passing import add_managed, sync
from tests.adfs.simulator.state import (
    DECRYPTING,
    LEVELS,
    SERVICE,
    SERVICE_SID,
    SIGNING,
    Configuration,
    Farm,
    FarmCertificate,
    Host,
)

MAX_WID_NODES = 30
MAX_WID_NODES_MANY_TRUSTS = 5
MANY_TRUSTS = 100
DEFAULT_PORT = 443
"""Of -PrimaryComputerPort, where it is not given; primaries listen on 80."""
Check = Callable[[Call], None]


def _done() -> list[Row]:
    return [{"Message": "The configuration completed successfully.", "Context": "DeploymentSucceeded", "Status": "Success"}]


def _refuse(call: Call, message: str, category: str = "InvalidOperation") -> PsError:
    return call.fail(message, "DeploymentTask", category)


def _rows(call: Call, checks: tuple[tuple[str, Check], ...]) -> list[Row]:
    """What `Test-…` answers."""
    rows: list[Row] = []
    for name, check in checks:
        try:
            check(call)
        except PsError as error:
            rows.append({"Message": error.message, "Context": name, "Status": "Error"})
        else:
            rows.append({"Message": "", "Context": name, "Status": "Success"})
    failed = any(row["Status"] == "Error" for row in rows)
    text = "One or more prerequisites were not met." if failed else "All prerequisites passed successfully."
    return [*rows, {"Message": text, "Context": "PrerequisiteCheck", "Status": "Error" if failed else "Success"}]


# -- what both need


def _check_domain(call: Call) -> None:
    if not call.host.domain:
        raise _refuse(call, "The computer must be joined to an Active Directory domain.")


def _check_unconfigured(call: Call) -> None:
    if call.host.node is not None and not call.flag("OverwriteConfiguration"):
        raise _refuse(
            call,
            "An existing AD FS configuration database was found on this server. Use -OverwriteConfiguration to replace it.",
            "ResourceExists",
        )


def _check_administrator(call: Call) -> None:
    """Reading the domain, and the primary, is a second hop for a remote session."""
    if not may_hop(call, call.credential("Credential")):
        raise _refuse(
            call,
            "Unable to reach Active Directory and the federation servers with the credentials of this session. Give "
            "-Credential, or use a session that delegates credentials (CredSSP or Kerberos delegation).",
            "PermissionDenied",
        )


def _account(call: Call) -> str:
    credential = call.credential("ServiceAccountCredential")
    return credential.user if credential else call.text("GroupServiceAccountIdentifier")


def _check_group_account(call: Call, hosts: set[str]) -> None:
    account = call.text("GroupServiceAccountIdentifier")
    if account and (not account.endswith("$") or call.host.fqdn.lower() not in hosts):
        raise _refuse(
            call,
            f"The group Managed Service Account '{account}' cannot be used on this computer: {call.host.fqdn} is not among "
            "the principals that are allowed to retrieve its managed password, or the name does not end with $.",
            "PermissionDenied",
        )


# -- a node


def _primary(call: Call) -> Host:
    """The primary that was named. Raises PsError."""
    name = call.text("PrimaryComputerName")
    if "." not in name:
        raise _refuse(call, f"The primary computer name '{name}' is not a fully qualified domain name.", "InvalidArgument")
    port = call.number("PrimaryComputerPort", DEFAULT_PORT)
    found = call.world.host(name)
    if found is None or not found.running("adfssrv") or found.node is None or port != 80:
        raise _refuse(
            call, f"Unable to retrieve configuration from the primary server: http://{name}:{port}/.", "ConnectionError"
        )
    if found.node.secondary:
        raise _refuse(call, f"The server {name} is not the primary server. The primary is {found.node.primary_name}.")
    return found


def _target(call: Call) -> tuple[Farm, Configuration, Host]:
    """The farm to join, what it is configured as, and a host of it to compare with."""
    connection = call.text("SQLConnectionString")
    if not connection:
        found = _primary(call)
        if found.node is None or not found.node.farm.wid:
            raise _refuse(call, "The farm uses SQL Server: give -SQLConnectionString.")
        return found.node.farm, found.node.configuration, found
    for farm in call.world.farms:
        hosts = call.world.serving(farm)
        if not farm.wid and hosts and _server(connection) == _server(str(farm.shared.properties["ArtifactDbConnection"])):
            return farm, farm.shared, hosts[0]
    raise _refuse(
        call, "The AD FS configuration database could not be reached with the SQL connection string.", "ConnectionError"
    )


def _server(connection: str) -> str:
    """Data Source of a connection string."""
    parts = dict(part.split("=", 1) for part in connection.split(";") if "=" in part)
    return {key.strip().lower(): value.strip().lower() for key, value in parts.items()}.get("data source", "")


def _check_join_certificate(call: Call) -> None:
    farm, _, other = _target(call)
    entry = stored(call, call.thumbprint("CertificateThumbprint"))
    bound = {each.thumbprint for each in other.bindings}
    if entry.certificate.thumbprint not in bound:
        raise _refuse(
            call,
            f"The certificate '{entry.certificate.thumbprint}' is not the SSL certificate of {other.fqdn}.",
            "InvalidArgument",
        )
    if unfit(entry.certificate, farm.name, call.now):
        raise _refuse(call, "The certificate specified does not meet all the requirements of an SSL certificate.")


def _check_join_account(call: Call) -> None:
    farm, _, _ = _target(call)
    if _account(call).lower() != farm.account.lower():
        raise _refuse(call, "The service account is not the one that the federation server farm uses.", "InvalidArgument")
    _check_group_account(call, farm.gmsa_hosts)


def _check_version(call: Call) -> None:
    _, now, _ = _target(call)
    if LEVELS[call.host.version] < now.level:
        raise _refuse(call, f"Windows Server {call.host.version} cannot join a farm with behavior level {now.level}.")


def _check_limits(call: Call) -> None:
    farm, now, _ = _target(call)
    limit = MAX_WID_NODES if len(now.relying_parties) <= MANY_TRUSTS else MAX_WID_NODES_MANY_TRUSTS
    if farm.wid and len(now.nodes) >= limit:
        raise _refuse(call, f"A farm with Windows Internal Database can have at most {limit} servers.", "LimitsExceeded")


_JOIN_CHECKS: tuple[tuple[str, Check], ...] = (
    ("DomainMembership", _check_domain),
    ("ExistingConfiguration", _check_unconfigured),
    ("AdministratorCredential", _check_administrator),
    ("PrimaryComputer", lambda call: _ignore(_target(call))),
    ("FarmBehavior", _check_version),
    ("FarmLimits", _check_limits),
    ("SslCertificate", _check_join_certificate),
    ("ServiceAccount", _check_join_account),
)


def _ignore(_: object) -> None:
    """For a check that is made by looking something up."""


@cmdlet("Test-AdfsFarmJoin")
def test_farm_join(call: Call) -> list[Row]:
    """Whether `Add-AdfsFarmNode` would begin; what needs the service to start is not tried."""
    return _rows(call, _JOIN_CHECKS)


@cmdlet("Add-AdfsFarmNode")
def add_farm_node(call: Call) -> list[Row]:
    """Joins, reads the configuration once, starts the service."""
    for _, check in _JOIN_CHECKS:
        check(call)
    farm, now, other = _target(call)
    thumbprint = call.thumbprint("CertificateThumbprint")
    grant_service(call.host, thumbprint)
    alternate = other.node.alternate_tls if other.node else False
    join(call.host, farm, thumbprint, call.now, primary=other if farm.wid else call.host, database=now, alternate=alternate)
    sync(call.world, call.host, call.now)
    _start(call)
    return _done()


def _start(call: Call) -> None:
    reason = why_service_fails(call.host, call.now)
    if reason:
        call.host.services["adfssrv"].running = False
        raise _refuse(call, f"The AD FS Windows Service could not be started: {reason}.")


@cmdlet("Remove-AdfsFarmNode")
def remove_farm_node(call: Call) -> list[Row]:
    """Deprecated since 2012 R2: it says so and does nothing."""
    raise _refuse(
        call, "The Remove-AdfsFarmNode cmdlet is deprecated. Use the Uninstall-WindowsFeature cmdlet.", "NotImplemented"
    )


# -- a farm


def _check_new_certificate(call: Call) -> None:
    entry = stored(call, call.thumbprint("CertificateThumbprint"))
    if unfit(entry.certificate, call.text("FederationServiceName"), call.now):
        raise _refuse(call, "The certificate specified does not meet all the requirements of an SSL certificate.")


def _check_new_account(call: Call) -> None:
    allowed = {host for farm in call.world.farms for host in farm.gmsa_hosts} | call.world.gmsa_hosts
    _check_group_account(call, allowed)


def _check_new_token_certificates(call: Call) -> None:
    for name in ("SigningCertificateThumbprint", "DecryptionCertificateThumbprint"):
        if call.text(name) and stored(call, call.thumbprint(name)).cng:
            raise _refuse(call, "The private key is in a CNG provider, which is not supported for token certificates.")


_NEW_CHECKS: tuple[tuple[str, Check], ...] = (
    ("DomainMembership", _check_domain),
    ("ExistingConfiguration", _check_unconfigured),
    ("AdministratorCredential", _check_administrator),
    ("SslCertificate", _check_new_certificate),
    ("TokenCertificates", _check_new_token_certificates),
    ("ServiceAccount", _check_new_account),
)


@cmdlet("Test-AdfsFarmInstallation")
def test_farm_installation(call: Call) -> list[Row]:
    """Whether `Install-AdfsFarm` would begin."""
    return _rows(call, _NEW_CHECKS)


@cmdlet("Install-AdfsFarm")
def install_farm(call: Call) -> list[Row]:
    """The first node, with AD FS's own token certificates unless others are named."""
    for _, check in _NEW_CHECKS:
        check(call)
    name, wid = call.text("FederationServiceName"), not call.text("SQLConnectionString")
    database = empty_configuration(name, level=LEVELS[call.host.version], wid=wid)
    database.properties["DisplayName"] = call.text("FederationServiceDisplayName") or name
    if not wid:
        database.properties["ArtifactDbConnection"] = call.text("SQLConnectionString")
    farm = Farm(name=name, wid=wid, account=_account(call), shared=database, next_check=call.now + 720 * 60)
    ssl = stored(call, call.thumbprint("CertificateThumbprint"))
    database.certificates.append(
        FarmCertificate(use=SERVICE, certificate=ssl.certificate, is_primary=True, managed=False, since=call.now)
    )
    grant_service(call.host, ssl.certificate.thumbprint)
    _make_token_certificates(call, farm, database)
    call.world.farms.append(farm)
    call.world.principals.setdefault(farm.account, []).append(f"host/{name}")
    alternate = ssl.certificate.covers(f"certauth.{name}") and call.host.version != "2012 R2"
    database.properties["TlsClientPort"] = 443 if alternate else call.number("TlsClientPort", 49443)
    join(call.host, farm, ssl.certificate.thumbprint, call.now, primary=call.host, database=database, alternate=alternate)
    _start(call)
    return _done()


def _make_token_certificates(call: Call, farm: Farm, database: Configuration) -> None:
    named = {SIGNING: "SigningCertificateThumbprint", DECRYPTING: "DecryptionCertificateThumbprint"}
    for use, parameter in named.items():
        if not call.text(parameter):
            add_managed(call.world, farm, use, call.now, primary=True, configuration=database)
            continue
        entry = stored(call, call.thumbprint(parameter))
        entry.readers.add(SERVICE_SID.lower())
        database.properties["AutoCertificateRollover"] = False
        database.certificates.append(
            FarmCertificate(use=use, certificate=entry.certificate, is_primary=True, managed=False, since=call.now)
        )
