"""The module WebApplicationProxy."""

from __future__ import annotations

import fnmatch
from dataclasses import replace

from tests.adfs.simulator.cmdlets.base import Call, Row, cmdlet, moment, stored
from tests.adfs.simulator.cmdlets.tls import unfit
from tests.adfs.simulator.making import connect, proxy_bindings, rebind
from tests.adfs.simulator.state import (
    Application,
    Configuration,
    Host,
    Proxy,
    SslBinding,
)


def _proxy(call: Call) -> Proxy:
    if call.host.proxy is None:
        raise call.fail(
            "Web Application Proxy is not configured on this server. Run Install-WebApplicationProxy.", "NotConfigured"
        )
    return call.host.proxy


def _alive(call: Call) -> bool:
    proxy = _proxy(call)
    return call.now < proxy.trust_ends


def _configuration(call: Call) -> Configuration:
    """What AD FS keeps for its proxies: needs the trust, and a federation server that answers."""
    proxy = _proxy(call)
    servers = call.world.serving(proxy.farm)
    if not _alive(call) or not servers or servers[0].node is None:
        reason = "The proxy trust is not valid." if servers else "No federation server could be reached."
        raise call.fail(
            "Web Application Proxy could not connect to the AD FS configuration storage and could not load the "
            "configuration. " + reason,
            "HRESULT 0x80075213",
            "NotSpecified",
        )
    return (call.world.writer(proxy.farm) or servers[0]).node.configuration  # type: ignore[union-attr]


@cmdlet("Get-WebApplicationProxySslCertificate")
def get_ssl_certificate(call: Call) -> list[Row]:
    """This proxy's bindings for the federation service."""
    _proxy(call)
    return [_binding_row(each) for each in call.host.bindings]


def _binding_row(each: SslBinding) -> Row:
    return {
        "AppId": "f955c070-e044-456c-ac00-e9e4275b3f04",
        "CertificateHash": each.thumbprint,
        "CtlStoreName": each.ctl_store,
        "HostName": each.host_name,
        "PortNumber": each.port,
    }


@cmdlet("Set-WebApplicationProxySslCertificate")
def set_ssl_certificate(call: Call) -> list[Row]:
    """For the federation service's own names; the published applications have their own."""
    proxy = _proxy(call)
    entry = stored(call, call.thumbprint())
    if unfit(entry.certificate, proxy.farm.name, call.now):
        raise call.fail("The certificate specified does not meet all the requirements of an SSL certificate.")
    alternate = any(each.host_name.startswith("certauth.") for each in call.host.bindings)
    rebind(call.host, proxy_bindings(proxy.farm, call.thumbprint(), proxy.tls_client_port, alternate=alternate))
    return []


@cmdlet("Get-WebApplicationProxyApplication")
def get_application(call: Call) -> list[Row]:
    """All, by name with wildcards, or by ID."""
    wanted, name = call.text("ID"), call.text("Name").lower()
    return [
        _application_row(each)
        for each in _configuration(call).applications
        if (not wanted or each.id == wanted) and (not name or fnmatch.fnmatch(each.name.lower(), name))
    ]


def _application_row(each: Application) -> Row:
    return {
        "ID": each.id,
        "Name": each.name,
        "ExternalUrl": each.external_url,
        "BackendServerUrl": each.backend_url,
        "ExternalCertificateThumbprint": each.thumbprint,
        "ExternalPreauthentication": each.preauthentication,
        "ADFSRelyingPartyName": each.name,
        "BackendServerCertificateValidation": "None",
        "ClientCertificateAuthenticationBindingMode": "None",
        "DisableTranslateUrlInRequestHeaders": False,
        "DisableTranslateUrlInResponseHeaders": False,
        "InactiveTransactionsTimeoutSec": 300,
    }


@cmdlet("Set-WebApplicationProxyApplication")
def set_application(call: Call) -> list[Row]:
    """Said on one proxy, true for all: they share the list. Only this one's store is looked at."""
    now = _configuration(call)
    index = next((i for i, each in enumerate(now.applications) if each.id == call.text("ID")), None)
    if index is None:
        raise call.fail(f"There is no application with ID {call.text('ID')}.", "HRESULT 0x80070002", "ObjectNotFound")
    changed = now.applications[index]
    if call.text("ExternalCertificateThumbprint"):
        entry = stored(call, call.thumbprint("ExternalCertificateThumbprint"))
        changed = replace(changed, thumbprint=entry.certificate.thumbprint)
    for parameter, field in (("Name", "name"), ("ExternalUrl", "external_url"), ("BackendServerUrl", "backend_url")):
        if call.text(parameter):
            changed = replace(changed, **{field: call.text(parameter)})
    now.applications = [*now.applications[:index], changed, *now.applications[index + 1 :]]
    return []


@cmdlet("Get-WebApplicationProxyConfiguration")
def get_configuration(call: Call) -> list[Row]:
    """What is not of one application."""
    proxy = _proxy(call)
    _configuration(call)
    others = [host.fqdn for host in call.world.proxies(proxy.farm)]
    name = proxy.farm.name
    return [
        {
            "ADFSSignOutUrl": f"https://{name}/adfs/ls/?wa=wsignout1.0",
            "ADFSTokenAcceptanceDurationSec": 120,
            "ADFSTokenSigningCertificatePublicKey": "Automatically Updated",
            "ADFSUrl": f"https://{name}/adfs/ls",
            "ADFSWebApplicationProxyRelyingPartyUri": "urn:AppProxy:com",
            "ConfigurationChangesPollingIntervalSec": 30,
            "ConfigurationVersion": f"Windows Server {call.host.version}",
            "ConnectedServersName": others,
            "OAuthAuthenticationURL": f"https://{name}/adfs/oauth2/authorize",
            "UserIdleTimeoutAction": "Signout",
            "UserIdleTimeoutSec": 0,
        }
    ]


@cmdlet("Get-WebApplicationProxyHealth")
def get_health(call: Call) -> list[Row]:
    """Two components. The proxy's own part is ill without the trust, the other one without a certificate."""
    proxy = _proxy(call)
    trusted = _alive(call) and call.host.running("adfssrv")
    servers = call.world.serving(proxy.farm)
    applications = servers[0].node.configuration.applications if servers and servers[0].node else []
    missing = [each.name for each in applications if each.thumbprint not in call.host.store]
    return [
        _health(call, "AD FS Proxy", "" if trusted and servers else "The federation service could not be contacted."),
        _health(
            call,
            "Web Application Proxy Core",
            f"The certificate of {', '.join(missing)} was not found." if missing else "",
        ),
    ]


def _health(call: Call, component: str, problem: str) -> Row:
    state = "Error" if problem else "OK"
    return {
        "Component": component,
        "RemoteAccessServer": call.host.short,
        "HealthState": state,
        "Heuristics": [
            f"{{Id: {int(bool(problem))}, ErrorDesc: {problem}, ErrorCause: , ErrorResoln: , OperationStatus: , "
            f"Status: {state}}}"
        ],
        "TimeStamp": moment(call.now),
    }


@cmdlet("Install-WebApplicationProxy")
def install(call: Call) -> list[Row]:
    """Makes the trust with the farm that the federation name leads to, with an administrator's credential."""
    name, credential = call.text("FederationServiceName"), call.credential("FederationServiceTrustCredential")
    entry = stored(call, call.thumbprint("CertificateThumbprint"))
    if unfit(entry.certificate, name, call.now):
        raise call.fail(
            f"The certificate cannot be used for the federation service name '{name}'.", category="InvalidArgument"
        )
    backend = _backend(call, name)
    if credential is None or call.world.accounts.get(credential.user) != str(credential.password):
        raise call.fail(
            "An error occurred when attempting to establish a trust relationship with the federation service. Error: "
            "Unauthorized. Verify that you have the correct credentials.",
            "ProxyTrustException",
            "SecurityError",
        )
    if backend.node is not None:
        connect(call.world, call.host, backend.node.farm, entry.certificate.thumbprint, call.number("TlsClientPort", 49443))
    return [{"Message": "The configuration completed successfully.", "Context": "DeploymentSucceeded", "Status": "Success"}]


def _backend(call: Call, name: str) -> Host:
    """The federation server behind the name, as this host resolves it."""
    target = call.world.host(call.host.resolves.get(name.lower(), ""))
    if target is None or target.node is None or target.node.farm.name != name or not target.running("adfssrv"):
        raise call.fail(
            "An error occurred when attempting to establish a trust relationship with the federation service. Error: Unable "
            "to connect to the remote server.",
            "ProxyTrustException",
            "ConnectionError",
        )
    if target.node.secondary:
        raise call.fail(
            "An error occurred when attempting to establish a trust relationship with the federation service. Error: "
            "NotFound. The trust must be established with the primary federation server.",
            "ProxyTrustException",
            "ConnectionError",
        )
    return target
