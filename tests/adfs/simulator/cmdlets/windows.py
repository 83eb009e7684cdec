"""What any Windows server answers: services, features, the clock, its certificate store, CIM."""

from __future__ import annotations

import re

from tests.adfs.simulator.cmdlets.base import Call, Row, cmdlet, described, moment
from tests.adfs.simulator.cmdlets.tokens import why_service_fails
from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.making import NETWORK_SERVICE, SERVICES, WID_SERVICE
from tests.adfs.simulator.state import BUILDS, SERVICE, Service
from tests.adfs.simulator.values import PsNumber, PsObject
from tests.adfs.simulator.x509 import Cert

_FEATURES = {
    "adfs-federation": ("ADFS-Federation", "Active Directory Federation Services"),
    "web-application-proxy": ("Web-Application-Proxy", "Web Application Proxy"),
    "windows-internal-database": ("Windows-Internal-Database", "Windows Internal Database"),
}
_BROUGHT = {"ADFS-Federation": ("adfssrv",), "Web-Application-Proxy": tuple(SERVICES)}
"""Services that come with a role, stopped until it is configured."""
_STATES = {True: "Running", False: "Stopped"}


def _service(call: Call, name: str) -> Service:
    for service in call.host.services.values():
        if service.name.lower() == name.lower():
            return service
    raise PsError(
        f"Cannot find any service with service name '{name}'.",
        f"NoServiceFoundForGivenName,{call.signature.type_name}",
        "ObjectNotFound",
        terminating=False,
    )


@cmdlet("Get-Service")
def get_service(call: Call) -> list[Row]:
    """By name; all of them without one. Wildcards find or find not, names are found or it is an error."""
    wanted = call.texts("Name")
    if not wanted:
        return [_service_row(each) for each in call.host.services.values()]
    return [_service_row(_service(call, name)) for name in wanted]


def _service_row(service: Service) -> Row:
    return {
        "": service.name,
        "CanPauseAndContinue": False,
        "CanShutdown": service.running,
        "CanStop": service.running,
        "DisplayName": service.display_name,
        "DependentServices": [],
        "MachineName": ".",
        "ServiceName": service.name,
        "ServicesDependedOn": [],
        "ServiceHandle": "SafeServiceHandle",
        "Status": _STATES[service.running],
        "ServiceType": "Win32OwnProcess",
        "StartType": "Automatic",
        "Site": None,
        "Container": None,
        "Name": service.name,
        "RequiredServices": [],
    }


@cmdlet("Restart-Service")
def restart_service(call: Call) -> list[Row]:
    """Stops and starts; the federation service reads its certificates anew, and may not come up again."""
    for name in call.texts("Name"):
        service = _service(call, name)
        service.running = True
        if service.name == "adfssrv" and call.host.proxy is None:
            start_federation_service(call)
    return []


def start_federation_service(call: Call) -> None:
    """Raises PsError where it does not start."""
    here, service = call.host.node, call.host.services["adfssrv"]
    reason = why_service_fails(call.host, call.now)
    service.running = not reason
    if reason or here is None:
        raise PsError(
            f"Failed to start service '{service.display_name} ({service.name})'.",
            f"StartServiceFailed,{call.signature.type_name}",
            "OpenError",
            terminating=False,
        )
    primary = here.configuration.primary(SERVICE)
    here.loaded_service_certificate = primary.certificate.thumbprint if primary else ""


@cmdlet("Get-ChildItem")
def get_child_item(call: Call) -> list[Row]:
    """Three stores of the Cert: drive's LocalMachine, and nothing else of the file system."""
    paths = call.texts("Path") or call.texts("LiteralPath")
    rows: list[Row] = []
    for path in paths:
        plain = path.lower().replace("/", "\\").rstrip("\\").replace("cert:localmachine", "cert:\\localmachine")
        drive, _, store = plain.rpartition("\\")
        found = _store(call, store)
        if drive != "cert:\\localmachine" or found is None:
            raise PsError(
                f"Cannot find path '{path}' because it does not exist.",
                f"PathNotFound,{call.signature.type_name}",
                "ObjectNotFound",
                terminating=False,
            )
        rows += [_certificate_row(certificate, _STORES[store]) for certificate in found]
    return rows


_STORES = {"my": "My", "root": "Root", "adfstrusteddevices": "AdfsTrustedDevices"}


def _store(call: Call, store: str) -> list[Cert] | None:
    """What is in it. A node has a store of its own for the proxies that it knows of."""
    here = call.host
    if store == "my":
        return [entry.certificate for entry in here.store.values()]
    if store == "root":
        return here.roots
    if store != "adfstrusteddevices" or here.node is None:
        return None
    known = [host for host in call.world.proxies(here.node.farm) if host.fqdn not in here.strangers]
    return [host.proxy.trust for host in known if host.proxy is not None]


def _certificate_row(certificate: Cert, store: str) -> Row:
    """RawData and the notes of the provider. Whether there is a key does not arrive."""
    place, thumbprint = f"Microsoft.PowerShell.Security\\Certificate::LocalMachine\\{store}", certificate.thumbprint
    return {
        "": described(certificate),
        "RawData": certificate.der,
        "PSPath": f"{place}\\{thumbprint}",
        "PSParentPath": place,
        "PSChildName": thumbprint,
        "PSDrive": _DRIVE,
        "PSProvider": _PROVIDER,
        "PSIsContainer": False,
    }


_DRIVE = PsObject(
    ("System.Management.Automation.PSDriveInfo", "System.Object"),
    "Cert",
    {
        "CurrentLocation": "",
        "Name": "Cert",
        "Provider": "Microsoft.PowerShell.Security\\Certificate",
        "Root": "\\",
        "Description": "X509 Certificate Provider",
        "MaximumSize": None,
        "DisplayRoot": None,
    },
)
_PROVIDER = PsObject(
    ("System.Management.Automation.ProviderInfo", "System.Object"),
    "Microsoft.PowerShell.Security\\Certificate",
    {
        "ImplementingType": "Microsoft.PowerShell.Commands.CertificateProvider",
        "HelpFile": "Microsoft.PowerShell.Security.dll-Help.xml",
        "Name": "Certificate",
        "PSSnapIn": None,
        "ModuleName": "Microsoft.PowerShell.Security",
        "Module": "Microsoft.PowerShell.Security",
        "Description": "",
        "Capabilities": "ShouldProcess",
        "Home": "",
    },
)


@cmdlet("Get-Date")
def get_date(call: Call) -> list[Row]:
    """This server's clock."""
    return [{"": moment(call.now + call.host.skew)}]


@cmdlet("Get-CimInstance")
def get_cim_instance(call: Call) -> list[Row]:
    """Three classes, and filters of the form Name='…'."""
    rows = _CLASSES.get(call.text("ClassName").lower())
    if rows is None:
        raise call.fail("Invalid class", "HRESULT 0x80041010", "MetadataError")
    found = rows(call)
    text = call.text("Filter")
    if not text:
        return found
    matched = re.fullmatch(r"\s*(\w+)\s*=\s*['\"]([^'\"]*)['\"]\s*", text)
    if matched is None:
        raise call.fail("Invalid query", "HRESULT 0x80041017", "InvalidArgument")
    return [row for row in found if str(row.get(matched[1], "")).lower() == matched[2].lower()]


def _operating_system(call: Call) -> list[Row]:
    version, build = BUILDS[call.host.version]
    return [
        {
            "Caption": f"Microsoft Windows Server {call.host.version} Standard",
            "Version": version,
            "BuildNumber": build,
            "CSName": call.host.short,
            "CurrentTimeZone": PsNumber(int(call.host.utc_offset / 60), "I16"),
            "LastBootUpTime": moment(call.host.booted),
            "LocalDateTime": moment(call.now + call.host.skew),
            "ProductType": PsNumber(3, "U32"),
        }
    ]


def _computer_system(call: Call) -> list[Row]:
    name, _, _ = call.host.fqdn.partition(".")
    return [
        {
            "Name": call.host.short,
            "DNSHostName": name,
            "Domain": call.host.domain or "WORKGROUP",
            "PartOfDomain": bool(call.host.domain),
            "DomainRole": PsNumber(3 if call.host.domain else 2, "U16"),
        }
    ]


def _services(call: Call) -> list[Row]:
    return [
        {
            "Name": each.name,
            "DisplayName": each.display_name,
            "StartName": each.account,
            "State": "Running" if each.running else "Stopped",
            "StartMode": "Auto",
            "Started": each.running,
            "Status": "OK",
        }
        for each in call.host.services.values()
    ]


_CLASSES = {
    "win32_operatingsystem": _operating_system,
    "win32_computersystem": _computer_system,
    "win32_service": _services,
}


@cmdlet("Get-WindowsFeature")
def get_windows_feature(call: Call) -> list[Row]:
    """A name that is no feature finds nothing."""
    wanted = [name.lower() for name in call.texts("Name")] or list(_FEATURES)
    return [_feature_row(call, key) for key in wanted if key in _FEATURES]


def _feature_row(call: Call, key: str) -> Row:
    name, title = _FEATURES[key]
    there = name in call.host.features
    return {
        "Name": name,
        "DisplayName": title,
        "Installed": there,
        "InstallState": "Installed" if there else "Available",
        "FeatureType": "Role Service",
        "Depth": 1,
        "Path": title,
        "SubFeatures": [],
    }


def _known_features(call: Call) -> list[str]:
    names = call.texts("Name")
    unknown = [name for name in names if name.lower() not in _FEATURES]
    if unknown:
        raise PsError(
            "ArgumentNotValid: The role, role service, or feature name is not valid: "
            f"'{', '.join(unknown)}'. The name was not found.",
            f"NameDoesNotExist,{call.signature.type_name}",
            "InvalidArgument",
            terminating=False,
        )
    return [_FEATURES[name.lower()][0] for name in names]


def _result(changed: list[str], title: str) -> list[Row]:
    code = "Success" if changed else title
    return [
        {
            "Success": True,
            "RestartNeeded": "No",
            "FeatureResult": [_FEATURES[name.lower()][1] for name in changed],
            "ExitCode": code,
        }
    ]


@cmdlet("Install-WindowsFeature")
def install_windows_feature(call: Call) -> list[Row]:
    """Adds what is not there yet."""
    added = [name for name in _known_features(call) if name not in call.host.features]
    call.host.features.update(added)
    wanted = {name for feature in added for name in _BROUGHT.get(feature, ())}
    for name in wanted - set(call.host.services):
        call.host.services[name] = Service(name=name, display_name=SERVICES[name], running=False, account=NETWORK_SERVICE)
    return _result(added, "NoChangeNeeded")


@cmdlet("Uninstall-WindowsFeature")
def uninstall_windows_feature(call: Call) -> list[Row]:
    """Takes the role away with its configuration here; what other servers know of this one stays."""
    removed = [name for name in _known_features(call) if name in call.host.features]
    call.host.features.difference_update(removed)
    if "ADFS-Federation" in removed:
        call.host.node = None
        _forget(call, "adfssrv", WID_SERVICE)
    if "Web-Application-Proxy" in removed:
        call.host.proxy = None
        _forget(call, "adfssrv", "appproxysvc", "appproxyctrl")
    return _result(removed, "NoChangeNeeded")


def _forget(call: Call, *services: str) -> None:
    call.host.bindings.clear()
    for name in services:
        call.host.services.pop(name, None)
