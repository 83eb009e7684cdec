"""The list of commands, and making them."""

from __future__ import annotations

import pytest

from adfs_mgmt.remoting import CATALOGUE, Command, HostKind, NotInCatalogue, PSCredential, Secret, Value, make_command
from adfs_mgmt.remoting.catalogue import ParameterKind
from tests.adfs.simulator.signatures import Parameter, signatures

THUMBPRINT = "0123456789abcdefABCD" * 2


def test_make_checks_and_says_how_to_confirm() -> None:
    """What might ask is told not to; a switch that is off is left out."""
    made = make_command("Update-AdfsCertificate", CertificateType="Token-Signing", Urgent=False)
    assert made == Command("Update-AdfsCertificate", {"CertificateType": "Token-Signing", "Confirm": False})
    assert make_command("Get-Date").parameters == {}


def test_boolean_false_is_sent() -> None:
    """Unlike a switch, it means something."""
    assert make_command("Set-AdfsProperties", AutoCertificateRollover=False).parameters["AutoCertificateRollover"] is False


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("Invoke-Expression", {"Command": "1"}, "is not in the catalogue"),
        ("Get-Date", {"Format": "o"}, "-Format is not in the catalogue; available: none"),
        ("Add-AdfsCertificate", {"CertificateType": "Token-Signing"}, "needs -Thumbprint"),
        ("Add-AdfsCertificate", {"CertificateType": "Service-Communications", "Thumbprint": THUMBPRINT}, "not 'Service"),
        ("Set-AdfsSslCertificate", {"Thumbprint": THUMBPRINT + "0"}, "does not match"),
        ("Set-AdfsSslCertificate", {"Thumbprint": THUMBPRINT + "\n"}, "does not match"),
        ("Set-AdfsSslCertificate", {"Thumbprint": THUMBPRINT, "Member": "fs1"}, "is a String[], not a str"),
        ("Set-AdfsSslCertificate", {"Thumbprint": THUMBPRINT, "Member": ("fs1; rm",)}, "does not match"),
        ("Set-AdfsProperties", {"CertificateDuration": True}, "is a Int32, not a bool"),
        ("Get-Service", {"Name": ("",)}, "not be empty"),
        ("Import-IsthmusCertificate", {"Pfx": b"x", "Password": "plain"}, "is a SecureString, not a str"),
        ("Test-AdfsFarmJoin", {"PrimaryComputerName": "fs1"}, "exactly one of -GroupService"),
        (
            "Test-AdfsFarmJoin",
            {"PrimaryComputerName": "fs1", "SQLConnectionString": "x", "GroupServiceAccountIdentifier": "g"},
            "exactly one of -PrimaryComputerName",
        ),
    ],
)
def test_what_is_wrong_is_refused(name: str, parameters: dict[str, Value], said: str) -> None:
    """Name, types, choices, patterns, what is missing and what excludes each other."""
    with pytest.raises(NotInCatalogue) as caught:
        make_command(name, **parameters)
    assert said in str(caught.value)


def test_what_is_shown_hides_secrets_and_is_powershell() -> None:
    """Plans show commands: a Boolean and a switch alike bind to `:$true`."""
    shown = str(make_command("Set-AdfsProperties", AutoCertificateRollover=True))
    assert shown == "Set-AdfsProperties -AutoCertificateRollover:$true -Confirm:$false"
    joined = make_command(
        "Test-AdfsFarmJoin", PrimaryComputerName="fs1", ServiceAccountCredential=PSCredential("CORP\\svc", Secret("geheim"))
    )
    assert "geheim" not in f"{joined} {joined!r}"


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_catalogue_agrees_with_the_documentation(name: str) -> None:
    """Module, parameters, types, choices and what is mandatory are as in the simulator's own table."""
    ours, published = CATALOGUE[name], signatures("2022")[name.casefold()]
    every: dict[str, Parameter] = {p.name: p for each in published.sets.values() for p in each.values()}
    assert ours.module == published.module
    assert not ours.confirms or "Confirm" in every
    for each, parameter in ours.parameters.items():
        assert every[each].type in {parameter.kind.value, "Guid" if each == "ID" else parameter.kind.value}
        assert not every[each].choices or (parameter.choices and set(parameter.choices) <= set(every[each].choices))
    mandatory = {
        each
        for each in every
        if all(any(p.name == each and p.mandatory for p in chosen.values()) for chosen in published.sets.values())
    }
    assert mandatory <= {each for each, parameter in ours.parameters.items() if parameter.required}


def test_changing_commands_say_so() -> None:
    """What a name begins with tells whether it changes something; each command runs somewhere."""
    for cmdlet in CATALOGUE.values():
        assert cmdlet.changes is (cmdlet.name.partition("-")[0] not in {"Get", "Test"}), cmdlet.name
        assert cmdlet.hosts <= set(HostKind)
        assert cmdlet.hosts
        assert all(
            p.kind in {ParameterKind.TEXT, ParameterKind.TEXTS} for p in cmdlet.parameters.values() if p.choices or p.pattern
        )
