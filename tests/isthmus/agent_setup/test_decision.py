"""What an agent's setup decides: by which names users are known, and whom to believe to be a domain controller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from directory import DomainNames, DomainReading, ShownCertificate, ShownChain
from isthmus.agent_setup import ChosenNames, DomainsDiffer, TrustUndecided, choose_names, described, propose_trust
from isthmus.agent_setup.decision import complete_roots, domain_of
from tests.directory.test_authority import ISSUING, ROOT, SERVER, Authority

NAMES = DomainNames(
    base_dn="DC=corp,DC=example,DC=com",
    dns_name="Corp.example.com",
    netbios_name="CORP",
    upn_suffixes=("Example.com", "unused.example"),
    other_domains=("emea.corp.example.com",),
)
READING = DomainReading(names=NAMES, in_use={"example.com": True, "unused.example": False, "given.example": True})


def chosen(*allowed: str) -> ChosenNames:
    return choose_names(READING, allowed, "dc1-agent")


@pytest.mark.parametrize(
    ("allowed", "netbios", "suffixes", "notes"),
    [
        (("corp.example.com", "corp", "example.com", "*"), "CORP", ("example.com",), []),
        (("CORP.example.com", "CORP", "example.com"), "CORP", ("example.com",), []),
        (("corp.example.com", "example.com"), "", ("example.com",), ["CORP\\name"]),
        (("corp.example.com", "corp"), "CORP", (), ["users of example.com cannot"]),
        (("corp.example.com", "corp", "example.com", "unused.example"), "CORP", ("example.com", "unused.example"), []),
        (("corp.example.com", "corp", "example.com", "given.example"), "CORP", ("example.com", "given.example"), []),
        (("corp.example.com", "corp", "example.com", "exmaple.com"), "CORP", ("example.com",), ["exmaple.com as well"]),
        (
            ("corp.example.com", "corp", "example.com", "emea.corp.example.com"),
            "CORP",
            ("example.com", "emea.corp.example.com"),
            [],
        ),
    ],
)
def test_users_are_known_by_the_directorys_names_that_the_token_has(
    allowed: Sequence[str], netbios: str, suffixes: Sequence[str], notes: list[str]
) -> None:
    """Whoever cannot sign in so is told of; a suffix that an administrator gave a user by hand is one as well."""
    found = chosen(*allowed)
    assert (found.name, found.base_dn) == ("corp.example.com", NAMES.base_dn)
    assert (found.netbios_name, found.upn_suffixes) == (netbios, tuple(suffixes))
    assert len(found.notes) == len(notes)
    assert all(words in note for words, note in zip(notes, found.notes, strict=True))


def test_an_agent_of_any_domain_has_all_names_of_its_directory() -> None:
    """Those that somebody has."""
    found = choose_names(READING, None, "dc1-agent")
    assert (found.netbios_name, found.upn_suffixes, found.notes) == ("CORP", ("example.com",), ())


@pytest.mark.parametrize("allowed", [("example.org",), ("example.com", "corp"), ("*",), ()])
def test_a_token_for_other_domains_is_refused_with_both(allowed: tuple[str, ...]) -> None:
    """The relay would believe no answer that names the domain; the remedy is the command for a token that fits."""
    with pytest.raises(DomainsDiffer) as raised:
        chosen(*allowed)
    text = str(raised.value)
    assert all(name in text for name in (*allowed, "corp.example.com", "CORP", "example.com"))
    assert "--name dc1-agent" in text
    assert {"corp.example.com", "corp"} <= set(text.partition("relay token")[2].split())
    assert "'*'" in text or "*" not in allowed


def chain(*links: Authority, root: Authority | None = None, server: str = "dc1") -> ShownChain:
    certificates = tuple(ShownCertificate(link.der) for link in links)
    return ShownChain(server=server, certificates=certificates, root=ShownCertificate(root.der) if root else None)


def test_authorities_are_proposed_where_each_server_shows_its_own() -> None:
    """One to accept, however many servers; each of several."""
    whole = chain(SERVER, ISSUING, ROOT, root=ROOT)
    proposal = propose_trust([whole, chain(SERVER, ISSUING, ROOT, root=ROOT, server="dc2")])
    root = ShownCertificate(ROOT.der)
    assert (proposal.shown, proposal.roots) == ((root,), (root,))
    other = Authority("Other")
    assert len(propose_trust([whole, chain(other, root=other)]).shown) == 2


def test_without_them_it_is_the_servers_own_certificates() -> None:
    """Until the directory has told its authority."""
    chains = [chain(SERVER, ISSUING), chain(SERVER, ISSUING, ROOT, root=ROOT, server="dc2")]
    proposal = propose_trust(chains)
    assert proposal.roots == ()
    assert proposal.shown == (ShownCertificate(SERVER.der),)
    assert complete_roots(chains, [ROOT.der]) == (ShownCertificate(ROOT.der),)
    assert complete_roots(chains, [Authority("Root").der]) == ()


def test_every_certificate_has_to_be_accepted() -> None:
    """By its whole fingerprint; what is refused names what was shown and the option."""
    proposal = propose_trust([chain(SERVER, ISSUING, ROOT, root=ROOT)])
    root = ShownCertificate(ROOT.der)
    proposal.verify_accepted([root.fingerprint])
    wrong: list[Any] = [[], [root.fingerprint[:-1]], [ShownCertificate(SERVER.der).fingerprint]]
    for accepted in wrong:
        with pytest.raises(TrustUndecided) as raised:
            proposal.verify_accepted(accepted)
        assert root.printed_fingerprint in str(raised.value)
        assert "--accept-fingerprint" in str(raised.value)


def test_a_certificate_is_described_in_one_short_line() -> None:
    """Whoever sits between here and the domain controllers chooses its subject, and would add the fingerprint to expect."""
    key, name = ec.generate_private_key(ec.SECP256R1()), f"x\n  SHA-256 {'AB:' * 31}AB\n\x1b[2J" + "\n" * 999
    subject = x509.Name([x509.NameAttribute(NameOID.STREET_ADDRESS, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1)
    made = (
        builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    shown = described(ShownCertificate(made.public_bytes(serialization.Encoding.DER)))
    assert shown.isprintable()
    assert len(shown) < 1000


def test_names_of_a_directory_are_no_commands() -> None:
    """What is to be typed on the relay is copied into root's shell there."""
    hostile = "x;$(id)'\n#"
    names = replace(NAMES, upn_suffixes=(hostile,))
    with pytest.raises(DomainsDiffer) as raised:
        choose_names(replace(READING, names=names), ("*",), "dc1-agent")
    _told, command = str(raised.value).splitlines()
    assert command == (
        "  isthmus relay token --name dc1-agent --domain '*' --domain corp.example.com --domain corp "
        """--domain 'x;$(id)'"'"'\\n#'"""
    )


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [(("corp", "*", "corp.example.com", "x.example"), "corp.example.com"), (("*",), None), (None, None)],
)
def test_the_domain_that_is_proposed_is_a_dns_name(allowed: tuple[str, ...] | None, expected: str | None) -> None:
    """The first of the token's."""
    assert domain_of(allowed) == expected
