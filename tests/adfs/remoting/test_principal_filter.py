"""The filter of `Get-IsthmusServicePrincipal`, taken out of its PowerShell, on the global catalog of a real directory."""

from __future__ import annotations

import re
import subprocess

import pytest

from adfs_mgmt.remoting.jea_functions import FUNCTIONS
from demo.samba import ThrowawayDomain

pytestmark = pytest.mark.samba
BODY = FUNCTIONS["Get-IsthmusServicePrincipal"]
HOSTILE_BUT_THERE = "odd*(name)\\5c.example.com"


def literal(pattern: str) -> str:
    """The one single-quoted text of the function that is formatted with this."""
    (found,) = re.findall(r"'([^']*)' -f \$" + pattern, BODY)
    return str(found)


def filter_for(name: str) -> str:
    """As the function makes it: .NET's format of these two texts is Python's, but for the hexadecimal octet."""
    octet = literal("octet").replace("{0:x2}", "{0:02x}")
    return literal("escaped").format("".join(octet.format(each) for each in name.encode()))


@pytest.fixture(scope="module")
def accounts(domain: ThrowawayDomain) -> ThrowawayDomain:
    """One account with the name, two with another, one with a hostile one."""

    def account(name: str, *principals: str) -> dict[str, object]:
        entry: dict[str, object] = {
            "dn": f"CN={name},CN=Users,{domain.base_dn}",
            "objectClass": "user",
            "sAMAccountName": name,
        }
        entry |= {"userAccountControl": "66048", "password": "Lagoon-Strait-Fs1", "servicePrincipalName": list(principals)}
        return {"add": entry}

    domain.edit(
        [
            account("svc-fs", "host/fs.example.com", "nfs/other.example.com"),
            account("svc-one", "HOST/Twice.example.com"),
            account("svc-two", "http/twice.EXAMPLE.com"),
            account("svc-odd", f"host/{HOSTILE_BUT_THERE}"),
            account("svc-near", "host/fs.example.com.test", "cifs/fs.example.com", "host/xfs.example.com"),
        ]
    )
    return domain


def found(domain: ThrowawayDomain, name: str) -> set[str]:
    """Account names, by a subtree search of the whole forest: base "", port 3268."""
    credential = domain.directory / "ldbsearch.auth"
    credential.touch(mode=0o600)
    credential.write_text(f"username = Administrator\npassword = {domain.admin_password}\ndomain = {domain.netbios_name}\n")
    command = ["ldbsearch", "-H", f"ldap://{domain.address}:3268", f"--configfile={domain.configuration}"]
    command += ["-A", str(credential), "-b", "", "-s", "sub", filter_for(name), "sAMAccountName", "objectSid"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("objectSid: S-1-5-21-") == done.stdout.count("sAMAccountName: ")
    return set(re.findall(r"^sAMAccountName: (.*)$", done.stdout, re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "holders"),
    [
        ("fs.example.com", {"svc-fs"}),
        ("FS.Example.COM", {"svc-fs"}),
        ("twice.example.com", {"svc-one", "svc-two"}),
        ("absent.example.com", set()),
        ("other.example.com", set()),
    ],
    ids=["present", "another case", "doubled", "absent", "another class"],
)
def test_who_has_the_name(accounts: ThrowawayDomain, name: str, holders: set[str]) -> None:
    """Whole values, without case, of `host/` and `http/` only."""
    assert found(accounts, name) == holders


@pytest.mark.parametrize(
    "name",
    ["*", "fs*", "fs.example.com)(objectClass=*", "\\2a", "x))(|(cn=*", "ﬁle.example.com", "(", "\\"],
    ids=["star", "prefix", "closing", "escaped star", "nested", "ligature", "parenthesis", "backslash"],
)
def test_a_hostile_name_finds_nobody(accounts: ThrowawayDomain, name: str) -> None:
    """Whatever is in it is only text, even without the pattern that the function and the catalogue check first. (They refuse
    NUL, too, which this directory takes for the end of a text.)"""
    assert found(accounts, name) == set()


def test_a_name_of_special_characters_is_found(accounts: ThrowawayDomain) -> None:
    """The check above would pass with a filter that finds nothing at all."""
    assert found(accounts, HOSTILE_BUT_THERE) == {"svc-odd"}
