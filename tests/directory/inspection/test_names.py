"""Whether the settings call a domain what it calls itself: each mistake is named, with the right name beside it."""

from __future__ import annotations

from typing import Any

import pytest

from directory import DirectorySettings, DomainNames
from directory.inspection.names import judge_base, judge_names

DOMAIN = "DC=corp,DC=example,DC=com"
NAMES = DomainNames(
    base_dn=DOMAIN,
    dns_name="corp.example.com",
    netbios_name="CORP",
    upn_suffixes=("example.com", "unused.example"),
    other_domains=("emea.corp.example.com",),
)
IN_USE = {"example.com": True, "unused.example": False, "other.example": True, "slow.example": None}


def judged(**fields: Any) -> list[tuple[str, str]]:
    """Check and status of what is found; the right settings without `fields`."""
    right = {"name": "corp.example.com", "netbios_name": "CORP", "upn_suffixes": ("example.com",), "base_dn": DOMAIN}
    found = judge_names("here", DirectorySettings(**{**right, **fields}), NAMES, lambda suffix: IN_USE.get(suffix, False))
    assert all(finding.remedy for finding in found if finding.status != "pass")
    return [(finding.name, finding.status) for finding in found]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [("names", "pass")]),
        ({"name": "CORP.example.com", "netbios_name": "corp"}, [("names", "pass")]),
        ({"name": "crop.example.com"}, [("domain name", "fail")]),
        ({"name": "corp", "upn_suffixes": ("Corp.Example.com", "example.com")}, [("domain name", "warn")]),
        ({"netbios_name": ""}, [("NetBIOS name", "warn")]),
        ({"netbios_name": "CROP"}, [("NetBIOS name", "fail")]),
        ({"upn_suffixes": ("example.com", "exmaple.com")}, [("UPN suffix", "fail")]),
        ({"upn_suffixes": ("example.com", "slow.example")}, [("UPN suffix", "warn")]),
        ({"upn_suffixes": ("example.com", "other.example")}, [("names", "pass")]),  # somebody has it: AD lets anybody
        ({"upn_suffixes": ("example.com", "unused.example", "EMEA.corp.example.com")}, [("names", "pass")]),
        ({"upn_suffixes": ()}, [("UPN suffix", "warn")]),  # users of example.com are there
        ({"upn_suffixes": (), "login_attributes": ("mail",)}, [("names", "pass")]),
        ({"upn_suffixes": ("unused.example",), "login_attributes": ("mail",)}, [("UPN suffix", "fail")]),
        ({"name": "x", "netbios_name": "y", "upn_suffixes": ("example.com", "z")}, [
            ("domain name", "fail"), ("NetBIOS name", "fail"), ("UPN suffix", "fail"),
        ]),
    ],
)  # fmt: skip
def test_names_are_held_against_the_domains_own(fields: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """A user who cannot sign in because of a name in the settings is a finding; case is none."""
    assert judged(**fields) == expected


def test_a_wrong_name_is_told_with_the_right_one() -> None:
    """Both stand in the finding, so that nobody has to look further."""
    settings = DirectorySettings(name="crop.example.com", netbios_name="CORP", base_dn=DOMAIN)
    finding = judge_names("here", settings, NAMES, lambda _: False)[0]
    assert "corp.example.com" in finding.seen
    assert "crop.example.com" in finding.seen
    assert finding.remedy == 'Set name = "corp.example.com".'


@pytest.mark.parametrize(
    ("base", "domain", "wrong"),
    [
        (DOMAIN, DOMAIN, ""),
        ("ou=People, dc=CORP,dc=example,dc=com", DOMAIN, ""),
        ("OU=People\\, all,DC=corp,DC=example,DC=com", DOMAIN, ""),
        (DOMAIN, "", ""),
        ("corp.example.com", DOMAIN, "not a distinguished name"),
        ("corp.example.com", "", "not a distinguished name"),
        ("DC=corp,DC=example,DC=net", DOMAIN, "not in the domain"),
        ("DC=emea,DC=corp,DC=example,DC=com", DOMAIN, "not in the domain"),
        ("DC=example,DC=com", DOMAIN, "not in the domain"),
    ],
)
def test_a_base_is_in_the_domain_that_the_controller_serves(base: str, domain: str, wrong: str) -> None:
    """What is no DN, or of another domain, is said before anything is searched for there."""
    finding = judge_base("here", base, domain)
    assert (finding.seen if finding else "").find(wrong) >= 0
    assert (finding is None) is (not wrong)
    assert finding is None or not domain or domain in finding.remedy
