"""What is asked: what is taken for an answer, what is proposed, and what answers come to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from isthmus.relay_settings import RelaySettings
from isthmus.relay_setup import QUESTIONS, check_certificate, known_answers, known_domains, token_domains
from isthmus.relay_setup.questions import (
    ACME_CHALLENGE,
    ACME_CONTACT,
    ACME_HOOK,
    ACME_TERMS,
    DOMAINS,
    LISTEN,
    NETBIOS_NAMES,
    ORGANISATION,
    PUBLIC_URL,
    TLS_CERTIFICATE,
    TRUSTED_PROXIES,
    USER,
)
from isthmus.setup import Answers, AnswersMissing, Given, Interview, Question
from settings import load_settings
from tests.isthmus.relay_setup.conftest import GIVEN


def answered(changes: Mapping[str, str] | None = None) -> Answers:
    texts = {**GIVEN, **(changes or {})}
    return Interview({key: Given(text, key) for key, text in texts.items()}, None).put(QUESTIONS)


@pytest.mark.parametrize(
    ("question", "text", "value"),
    [
        (PUBLIC_URL, "signin.example.com", "https://signin.example.com"),
        (PUBLIC_URL, " https://signin.example.com:8443/ ", "https://signin.example.com:8443"),
        (DOMAINS, "@corp.example.com, example.com example.com", ("corp.example.com", "example.com")),
        (NETBIOS_NAMES, "CORP\\", ("CORP",)),
        (NETBIOS_NAMES, "none", ()),
        (NETBIOS_NAMES, "", ()),
        (TRUSTED_PROXIES, "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
        (ACME_CONTACT, "none", ()),
        (ACME_CONTACT, "a@example.com, b@example.com", ("a@example.com", "b@example.com")),
    ],
)
def test_what_is_taken_for_an_answer(question: Question[Any], text: str, value: object) -> None:
    """As people type it."""
    assert question.parse(text) == value


@pytest.mark.parametrize(
    ("question", "text", "reason"),
    [
        (PUBLIC_URL, "http://signin.example.com", "not encrypted"),
        (PUBLIC_URL, "https://signin.example.com/isthmus", "something after the host"),
        (ORGANISATION, " ", "nothing"),
        (ORGANISATION, "Ex\x1bample", "cannot be shown"),
        (DOMAINS, "", "at least one"),
        (DOMAINS, "*", "the part after the @"),
        (DOMAINS, "CORP\\anna", "the part after the @"),
        (NETBIOS_NAMES, "corp.example.com", "no dot"),
        (NETBIOS_NAMES, "SIXTEENCHARACTER", "at most 15"),
        (TRUSTED_PROXIES, "0.0.0.0/0", "every address"),
        (TRUSTED_PROXIES, "", "at least one"),
        (LISTEN, "8443", "host:port"),
        (USER, "Isthmus Relay", "small letters"),
        (ACME_TERMS, "no", "issues no certificate"),
        (ACME_CONTACT, "anna", "an e-mail address"),
    ],
)
def test_what_is_not(question: Question[Any], text: str, reason: str) -> None:
    """The reason says what is wrong, or what would be right."""
    with pytest.raises(ValueError, match=reason):
        question.parse(text)


def test_what_has_to_be_said() -> None:
    """Nothing else: the rest has a default."""
    with pytest.raises(AnswersMissing) as refused:
        Interview({}, None).put(QUESTIONS)
    assert [flag for flag, _ in refused.value.wanted] == ["--public-url", "--organisation", "--domain"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "0.0.0.0:443"),
        ({"public_url": "https://localhost:8443"}, "0.0.0.0:8443"),
        ({"certificate": "proxy"}, "127.0.0.1:8443"),
        ({"listen": "192.0.2.7:443"}, "192.0.2.7:443"),
    ],
)
def test_where_it_listens(changes: dict[str, str], expected: str) -> None:
    """At the port that users come to, or for a proxy only."""
    assert answered(changes)[LISTEN] == expected


def test_behind_a_proxy_no_certificate_is_asked_for() -> None:
    """But the proxy's addresses, which nobody needs otherwise."""
    assert TLS_CERTIFICATE not in answered({"certificate": "proxy"})
    assert answered({"certificate": "proxy"})[TRUSTED_PROXIES] == ("127.0.0.1", "::1")
    assert TRUSTED_PROXIES not in answered()


def test_an_acme_server_wants_a_word_about_its_terms() -> None:
    """All else has a default, but for dns-01, which needs a program."""
    with pytest.raises(AnswersMissing) as refused:
        answered({"certificate": "acme"})
    assert [flag for flag, _ in refused.value.wanted] == ["--acme-terms"]
    answers = answered({"certificate": "acme", "acme_terms": "yes"})
    assert (answers[ACME_CHALLENGE], ACME_HOOK in answers, TLS_CERTIFICATE in answers) == ("http-01", False, False)
    with pytest.raises(AnswersMissing, match="--acme-hook"):
        answered({"certificate": "acme", "acme_terms": "yes", "acme_challenge": "dns-01"})


def test_what_the_first_agent_may_answer_for() -> None:
    """Suffixes, the NetBIOS name that Windows would have proposed, and names without a domain."""
    assert token_domains(answered()) == ("corp.example.com", "example.com", "CORP", "*")
    assert token_domains(answered({"netbios_names": "", "bare_names": "no"})) == ("corp.example.com", "example.com")


def test_what_an_earlier_setup_answered(tmp_path: Path) -> None:
    """Is what the settings say, defaults included."""
    path = tmp_path / "relay.toml"
    path.write_text(
        '[server]\nstate_dir = "state"\npublic_url = "https://signin.test"\nlisten = "127.0.0.1:1"\n'
        'trusted_proxies = ["10.0.0.0/8", "::1"]\n[server.signin]\norganisation = "Example"\n'
    )
    assert known_answers(load_settings(path, RelaySettings)) == {
        "public_url": "https://signin.test",
        "certificate": "proxy",
        "trusted_proxies": "10.0.0.0/8, ::1",
        "listen": "127.0.0.1:1",
        "metrics_listen": "127.0.0.1:9181",
        "organisation": "Example",
        "state_dir": str(tmp_path / "state"),
    }


def test_what_an_earlier_setup_answered_of_an_acme_server(tmp_path: Path) -> None:
    """Its files are the relay's own, and no answer."""
    path = tmp_path / "relay.toml"
    path.write_text(
        '[server]\nstate_dir = "state"\npublic_url = "https://signin.test"\ntls_certificate = "c"\ntls_key = "k"\n'
        'tls_by_acme = true\n[server.acme]\nagree_terms = true\nchallenge = "dns-01"\nhook = "/hook"\n'
    )
    known = known_answers(load_settings(path, RelaySettings))
    assert known["certificate"] == "acme"
    assert (known["acme_terms"], known["acme_challenge"], known["acme_hook"]) == ("yes", "dns-01", "/hook")
    assert "tls_certificate" not in known


def test_domains_are_those_of_the_agents_that_are_enrolled() -> None:
    """Not of revoked ones; where there is none, they are asked for."""
    agents: list[dict[str, object]] = [
        {"domains": ["corp.example.com", "corp", "*"], "revoked_at": None},
        {"domains": ["gone.example.com"], "revoked_at": 1.0},
    ]
    assert known_domains(agents) == {"domains": "corp.example.com", "netbios_names": "CORP", "bare_names": "yes"}
    assert known_domains([]) == {}


def test_a_certificate_for_another_name_is_told(pair: tuple[bytes, bytes]) -> None:
    """And a file that is not there; nothing where all is well."""
    files = dict(zip((Path("/root/tls/cert.pem"), Path("/root/tls/key.pem")), pair, strict=True))
    now = time.time()
    assert check_certificate(answered(), files, now) == ""
    other = check_certificate(answered({"public_url": "https://signin.example.com"}), files, now)
    assert "the certificate is not for signin.example.com, but for localhost, 127.0.0.1" in other
    assert check_certificate(answered(), {}, now) == "there is no file /root/tls/cert.pem and none /root/tls/key.pem"
