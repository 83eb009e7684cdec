"""Functions of our own JEA endpoint, as the role file defines them. Where it is not registered, none are there."""

from __future__ import annotations

from tests.adfs.simulator.cmdlets.base import Call, Row, cmdlet
from tests.adfs.simulator.state import SERVICE_SID, StoreEntry, may_read
from tests.adfs.simulator.x509 import CNG_PROVIDER, read_pfx


@cmdlet("Get-IsthmusKeyAccess")
def get_key_access(call: Call) -> list[Row]:
    """All certificates, or those asked for that are there."""
    wanted = {each.upper() for each in call.texts("Thumbprint")}
    account = call.host.node.farm.account if call.host.node else _proxy_account(call)
    return [
        {
            "Thumbprint": thumbprint,
            "HasPrivateKey": entry.has_key,
            "Cng": entry.cng,
            "KeySpec": entry.key_spec,
            "Provider": entry.provider if entry.has_key else "",
            "ServiceAccount": account,
            "Readable": _readable(call, entry),
        }
        for thumbprint, entry in call.host.store.items()
        if not wanted or thumbprint in wanted
    ]


def _proxy_account(call: Call) -> str:
    service = call.host.services.get("adfssrv")
    return service.account if service else ""


def _readable(call: Call, entry: StoreEntry) -> bool:
    """On a proxy the services run as Network Service, and http.sys reads as the system."""
    if call.host.node is None:
        return entry.has_key
    return may_read(call.host, entry)


@cmdlet("Import-IsthmusCertificate")
def import_certificate(call: Call) -> list[Row]:
    """Into LocalMachine\\My; one that is there already with its key stays as it is."""
    data, password = call.parameters["Pfx"], call.parameters["Password"]
    try:
        certificate, provider = read_pfx(data if isinstance(data, bytes) else b"", str(password))
    except ValueError as error:
        raise call.fail("The specified network password is not correct.", "CryptographicException", "InvalidData") from error
    old = call.host.store.get(certificate.thumbprint)
    if old is None or not old.has_key:
        provider = provider or call.world.pfx_provider
        cng = provider == CNG_PROVIDER
        old = StoreEntry(certificate=certificate, provider=provider, cng=cng, key_spec=0 if cng else 1)
        existed = False
    else:
        existed = True
    call.host.store[certificate.thumbprint] = old
    return [{"Thumbprint": certificate.thumbprint, "Cng": old.cng, "Existed": existed}]


def _entry(call: Call) -> StoreEntry:
    entry = call.host.store.get(call.thumbprint())
    if entry is None:
        raise call.fail(
            f"There is no certificate with thumbprint {call.thumbprint()} in LocalMachine\\My.", "NotFound", "ObjectNotFound"
        )
    return entry


@cmdlet("Grant-IsthmusKeyAccess")
def grant_key_access(call: Call) -> list[Row]:
    """Read, for the federation service and nobody else. Its name means nothing before the role is installed."""
    service = call.host.services.get("adfssrv")
    account = call.text("Account")
    if service is None or account.lower() not in {SERVICE_SID.lower(), service.account.lower()}:
        raise call.fail(
            f"keys are granted to {SERVICE_SID} and to the account of that service only, not to {account}", "Refused"
        )
    entry = _entry(call)
    if not entry.has_key:
        raise call.fail(f"The certificate {call.thumbprint()} has no private key.", "NoKey", "InvalidOperation")
    entry.readers.add(call.text("Account").lower())
    return []


@cmdlet("Remove-IsthmusCertificate")
def remove_certificate(call: Call) -> list[Row]:
    """Out of the store, with its key."""
    _entry(call)
    del call.host.store[call.thumbprint()]
    return []


@cmdlet("Get-IsthmusServicePrincipal")
def get_service_principal(call: Call) -> list[Row]:
    """Of the whole forest, by the global catalog: values are compared without case (MS-ADTS section 3.1.1.2.2.4)."""
    service = call.host.services.get("adfssrv")
    if service is None:
        raise call.fail("the account of the service adfssrv, , is not known in the directory", "RuntimeException")
    if not call.world.global_catalog:
        raise call.fail("The specified domain or forest does not exist or cannot be contacted.", "MethodInvocationException")
    wanted = {f"{kind}/{call.text('Name')}".lower() for kind in ("host", "http")}
    found = {account: [name for name in names if name.lower() in wanted] for account, names in call.world.principals.items()}
    return [
        {"Account": account, "Names": names, "IsService": account.lower() == service.account.lower()}
        for account, names in found.items()
        if names
    ]
