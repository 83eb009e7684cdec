"""The simulator takes what the published signatures take, and refuses the rest as PowerShell does."""

from __future__ import annotations

import datetime as dt

import pytest

from adfs_mgmt.remoting import CATALOGUE, PSCredential, Secret
from adfs_mgmt.remoting.catalogue import Parameter, ParameterKind
from tests.adfs.simulator.binding import bind
from tests.adfs.simulator.cmdlets import CMDLETS
from tests.adfs.simulator.shell import _sent
from tests.adfs.simulator.signatures import VERSIONS, signatures
from tests.adfs.simulator.values import SecureText
from tests.adfs.simulator_helpers import PRIMARY, SECOND, WAP, Console

THUMBPRINT = "AB" * 20
_EXAMPLES = {
    ParameterKind.INTEGER: 1,
    ParameterKind.SWITCH: True,
    ParameterKind.BOOLEAN: True,
    ParameterKind.BYTES: b"x",
    ParameterKind.TIME: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    ParameterKind.SECRET: Secret("x"),
    ParameterKind.CREDENTIAL: PSCredential("u", Secret("p")),
}


@pytest.fixture
def console() -> Console:
    made = Console()
    made.simulator.farm()
    return made


def _example(parameter: Parameter) -> object:
    if parameter.kind in _EXAMPLES:
        return _EXAMPLES[parameter.kind]
    text = parameter.choices[0] if parameter.choices else "11111111-2222-3333-4444-555555555555"
    text = THUMBPRINT if parameter.pattern == r"[0-9A-Fa-f]{40}" else text
    return (text,) if parameter.kind is ParameterKind.TEXTS else text


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_each_parameter_of_our_catalogue_is_published_with_that_type(name: str) -> None:
    """What we would send exists on the newest Windows, parameter by parameter."""
    cmdlet, signature = CATALOGUE[name], signatures("2025")[name.lower()]
    for each, parameter in cmdlet.parameters.items():
        fitting = [one for one in signature.sets.values() if each.lower() in one]
        assert fitting, f"-{each} is in no parameter set"
        given = {each: _sent(_example(parameter))}  # type: ignore[arg-type]
        for other in fitting[0].values():
            if other.mandatory and other.name != each:
                given[other.name] = _sent(_example(cmdlet.parameters[other.name]))  # type: ignore[arg-type]
        assert bind(signature, given)[each] is not None
    if cmdlet.confirms:
        assert "confirm" in next(iter(signature.sets.values()))


def test_every_signature_has_something_behind_it() -> None:
    """No cmdlet is only a name."""
    assert {name for version in VERSIONS for name in signatures(version)} == set(CMDLETS)


def test_unknown_command(console: Console) -> None:
    """A name that no module has."""
    assert console.refused(PRIMARY, "Get-AdfsEverything").error_id == "CommandNotFoundException"


def test_cmdlets_come_with_their_role(console: Console) -> None:
    """A proxy has no AD FS module, a node no proxy module, a blank server neither."""
    console.simulator.host("new.corp.example.com")
    for host, command in (
        (WAP, "Get-AdfsProperties"),
        (PRIMARY, "Get-WebApplicationProxyHealth"),
        ("new.corp.example.com", "Get-AdfsProperties"),
    ):
        assert console.refused(host, command).error_id == "CommandNotFoundException"


def test_functions_come_with_the_jea_endpoint() -> None:
    """Without the endpoint there are no functions of ours."""
    console = Console()
    console.simulator.farm(jea=False)
    assert console.refused(PRIMARY, "Get-IsthmusKeyAccess").error_id == "CommandNotFoundException"


def test_2012_r2_lacks_what_came_later() -> None:
    """Get-AdfsFarmInformation, -Member, AuditLevel: 2016 and later."""
    console = Console()
    console.simulator.farm("2012 R2")
    assert console.refused(PRIMARY, "Get-AdfsFarmInformation").error_id == "CommandNotFoundException"
    refusal = console.refused(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=THUMBPRINT, Member=[PRIMARY])
    assert refusal.error_id == "NamedParameterNotFound,Microsoft.IdentityServer.Management.Commands.SetSslCertificateCommand"
    assert "AuditLevel" not in console.one(PRIMARY, "Get-AdfsProperties")


def test_unknown_parameter(console: Console) -> None:
    """By PowerShell's own id and words."""
    refusal = console.refused(PRIMARY, "Get-AdfsProperties", Colour="red")
    assert refusal.error_id.startswith("NamedParameterNotFound,")
    assert "matches parameter name 'Colour'" in refusal.message


@pytest.mark.parametrize(
    ("command", "parameters", "error_id"),
    [
        ("Set-AdfsProperties", {"AutoCertificateRollover": "false"}, "CannotConvertArgumentNoMessage"),
        ("Set-AdfsProperties", {"CertificateDuration": "a year"}, "CannotConvertArgumentNoMessage"),
        ("Add-AdfsCertificate", {"CertificateType": "Token-Eating", "Thumbprint": "x"}, "ParameterArgumentValidationError"),
        (
            "Add-AdfsCertificate",
            {"CertificateType": "Service-Communications", "Thumbprint": "x"},
            "ParameterArgumentValidationError",
        ),
        (
            "Add-AdfsCertificate",
            {"CertificateType": "Token-Signing", "Thumbprint": ""},
            "ParameterArgumentValidationErrorEmptyStringNotAllowed",
        ),
        ("Add-AdfsCertificate", {"CertificateType": "Token-Signing"}, "MissingMandatoryParameter"),
        ("Get-AdfsCertificate", {"CertificateType": ["Token-Signing"], "Thumbprint": ["x"]}, "AmbiguousParameterSet"),
        ("Import-IsthmusCertificate", {"Pfx": b"x", "Password": "plain"}, "CannotConvertArgumentNoMessage"),
    ],
)
def test_wrong_values(console: Console, command: str, parameters: dict[str, object], error_id: str) -> None:
    """Wrong types, values outside the set, missing and contradicting parameters."""
    assert console.refused(PRIMARY, command, **parameters).error_id.split(",")[0] == error_id


def test_names_abbreviations_and_case(console: Console) -> None:
    """PowerShell takes any case, aliases, and beginnings that fit one parameter only."""
    assert console.run(PRIMARY, "get-adfscertificate", CERTIFICATETYPE=["token-signing"])
    assert console.run(PRIMARY, "Get-AdfsCertificate", Cert=["Token-Signing"])
    assert console.run(PRIMARY, "Get-Service", ServiceName=["adfssrv"])
    assert console.refused(PRIMARY, "Get-Service", D=True).error_id.startswith("AmbiguousParameter,")


def test_what_if_changes_nothing(console: Console) -> None:
    """-WhatIf is taken and nothing happens."""
    console.run(PRIMARY, "Set-AdfsProperties", AutoCertificateRollover=False, WhatIf=True)
    assert console.one(PRIMARY, "Get-AdfsProperties")["AutoCertificateRollover"] is True


def test_secrets_are_not_in_errors_or_the_log(console: Console) -> None:
    """A secret where a text belongs is refused without being shown; a logged one is hidden."""
    refusal = console.refused(PRIMARY, "Get-AdfsRelyingPartyTrust", Name=SecureText("hunter2"))
    assert "hunter2" not in str(refusal)
    assert "hunter2" not in repr(console.simulator.log)


def test_secondaries_of_a_wid_farm_answer_little(console: Console) -> None:
    """Only the sync properties and the TLS bindings; the rest is PS0033 and names the primary."""
    refusal = console.refused(SECOND, "Get-AdfsCertificate")
    assert refusal.error_id.startswith("PS0033,")
    assert PRIMARY in refusal.message
    assert console.one(SECOND, "Get-AdfsSyncProperties")["PrimaryComputerName"] == PRIMARY
    assert console.run(SECOND, "Get-AdfsSslCertificate")


def test_nodes_on_sql_server_are_all_primary() -> None:
    """A role and nothing else, and every node writes."""
    console = Console()
    console.simulator.farm(wid=False)
    assert console.one(SECOND, "Get-AdfsSyncProperties") == {"Role": "PrimaryComputer"}
    console.run(SECOND, "Set-AdfsProperties", AutoCertificateRollover=False)
    assert console.one(PRIMARY, "Get-AdfsProperties")["AutoCertificateRollover"] is False


def test_stopped_service(console: Console) -> None:
    """AD FS cmdlets speak to the service; Windows' own do not."""
    console.simulator.stop_service(PRIMARY)
    assert "net.tcp://localhost:1500/policy" in console.refused(PRIMARY, "Get-AdfsProperties").message
    status = console.one(PRIMARY, "Get-Service", Name=["adfssrv"])["Status"]
    assert status == "Stopped"
