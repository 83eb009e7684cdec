"""What a directory calls itself, however its servers write it."""

from __future__ import annotations

import pytest

from directory.ldap.naming_contexts import naming_context, normalise_dn


@pytest.mark.parametrize("dn", ["dc=Example,dc=ORG", " DC=example , dc = org ", "dc=example,dc=org"])
def test_one_naming_context_has_one_spelling(dn: str) -> None:
    """Case and blanks are the server's taste."""
    assert normalise_dn(dn) == "dc=example,dc=org"


def test_blanks_within_a_value_stay() -> None:
    """Two organisations are not one."""
    assert normalise_dn("o=Big Corp, c=DE") == "o=big corp,c=de"


@pytest.mark.parametrize(
    ("base", "contexts", "found"),
    [
        ("ou=People,dc=example,dc=org", [b"dc=example,dc=org"], "dc=example,dc=org"),
        ("dc=example,dc=org", [b"DC=Example, DC=org"], "dc=example,dc=org"),
        ("ou=a,dc=sub,dc=org", [b"dc=org", b"dc=sub,dc=org"], "dc=sub,dc=org"),
        ("dc=myorg", [b"dc=org", b"org"], ""),
        ("dc=org", [b"ou=a,dc=org", b"cn=config"], ""),
        ("dc=org", [b""], ""),
        ("dc=org", [], ""),
    ],
)
def test_the_naming_context_is_the_one_that_holds_the_base(base: str, contexts: list[bytes], found: str) -> None:
    """The innermost; never one that only ends alike, nor the empty one of a server that serves everything."""
    assert naming_context(base, contexts) == found
