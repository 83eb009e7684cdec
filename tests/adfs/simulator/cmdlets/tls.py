"""TLS bindings of federation servers.

On 2012 R2 `Set-AdfsSslCertificate` is for the server it runs on. From 2016 on it goes out from the primary to every node
over WinRM, a second hop; what failed where is told in PS0317 and PS0316 at the end, and the nodes that could be reached
keep the new binding. Below behaviour level 2 the newer servers refuse it altogether (PS0159).
"""

from __future__ import annotations

from tests.adfs.simulator.cmdlets.base import Call, Row, cmdlet, may_hop, node, secondary_refused
from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.making import bindings, rebind
from tests.adfs.simulator.state import Host
from tests.adfs.simulator.x509 import Cert


def unfit(certificate: Cert, name: str, now: float) -> bool:
    """Whether AD FS would not serve this name with it."""
    return not (
        certificate.covers(name) and certificate.server_auth and certificate.not_before <= now < certificate.not_after
    )


@cmdlet("Set-AdfsSslCertificate")
def set_ssl_certificate(call: Call) -> list[Row]:
    """Port 443 and the client TLS port; a farm with the alternate binding leaves it by this."""
    here = node(call)
    if call.host.version == "2012 R2":
        _local(call, alternate=False)
        return []
    _check_level(call)
    if here.secondary and not (call.world.secondaries_bind and _only_here(call)):
        raise secondary_refused(call, here.primary_name)
    _fan_out(call, alternate=False)
    return []


@cmdlet("Set-AdfsAlternateTlsClientBinding")
def set_alternate_tls_client_binding(call: Call) -> list[Row]:
    """Port 443 only, client TLS under certauth."""
    here = node(call)
    _check_level(call)
    if here.secondary and not (call.world.secondaries_bind and _only_here(call)):
        raise secondary_refused(call, here.primary_name)
    _fan_out(call, alternate=True)
    return []


def _check_level(call: Call) -> None:
    level = node(call).configuration.level
    if level < 2:
        raise call.fail(
            f"PS0159: The operation is not supported at the current Farm Behavior Level '{level}'. Raise the farm to at "
            "least version '2' before retrying.",
            "PS0159",
        )


def _only_here(call: Call) -> bool:
    members = call.texts("Member")
    return bool(members) and all(each.lower() in call.host.names() for each in members)


def _local(call: Call, *, alternate: bool) -> None:
    problem = _problem(call, call.host, alternate=alternate)
    if problem:
        raise call.fail(problem, "ArgumentException", "InvalidArgument")
    _bind(call, call.host, alternate=alternate)


def _fan_out(call: Call, *, alternate: bool) -> None:
    """One node after the other; every failure is collected."""
    members = call.texts("Member") or list(node(call).configuration.nodes)
    errors = []
    for member in members:
        local = member.lower() in call.host.names()
        problem = "" if local else _no_way(call, member)
        host = call.host if local else call.world.host(member)
        if not problem and host is not None:
            problem = _problem(call, host, alternate=alternate)
            if not problem:
                _bind(call, host, alternate=alternate)
        if problem:
            errors.append(f"PS0316: AD FS Server: '{'localhost' if local else member}', Error: '{problem}'.")
    if errors:
        raise _summary(call, errors)


def _summary(call: Call, errors: list[str]) -> PsError:
    return call.fail(
        "PS0317: One or more of AD FS servers returned errors during execution of command "
        f"'{call.signature.name}'. Error information: " + " ".join(errors),
        "RuntimeException",
        "NotSpecified",
    )


def _no_way(call: Call, member: str) -> str:
    """Why the second hop to this node fails."""
    host = call.world.host(member)
    if host is None or not host.online:
        return (
            f"Connecting to remote server {member} failed with the following error message : WinRM cannot complete the "
            "operation. Verify that the specified computer name is valid, that the computer is accessible over the network."
        )
    if not may_hop(call, call.credential("RemoteCredential")):
        return f"Connecting to remote server {member} failed with the following error message : Access is denied."
    if host.node is None or host.node.farm is not node(call).farm:
        return "The AD FS Windows Service is not configured on this server"
    return ""


def _problem(call: Call, host: Host, *, alternate: bool) -> str:
    """Why this host cannot be bound to the certificate."""
    thumbprint, farm = call.thumbprint(), node(call).farm
    entry = host.store.get(thumbprint)
    if entry is None or not entry.has_key:
        return f"The certificate with thumbprint '{thumbprint}' was not found in the local machine store with a private key"
    if alternate and not entry.certificate.covers(f"certauth.{farm.name}"):
        return (
            f"The specified SSL certificate with thumbprint '{thumbprint}' does not meet the requirements for configuring "
            "alternate Tls Client binding. For more information see http://go.microsoft.com/fwlink/?LinkId=613586."
        )
    if unfit(entry.certificate, farm.name, call.now):
        return "The certificate specified does not meet all the requirements of an SSL certificate."
    return ""


def _bind(call: Call, host: Host, *, alternate: bool) -> None:
    here = node(call)
    properties = here.configuration.properties
    port = properties["TlsClientPort"]
    client_port = port if isinstance(port, int) and port != 443 else 49443
    if host.node is not None:
        host.node.alternate_tls = alternate
    if not here.secondary:
        properties["TlsClientPort"] = 443 if alternate else client_port
    rebind(host, bindings(here.farm.name, call.thumbprint(), alternate=alternate, tls_client_port=client_port))
