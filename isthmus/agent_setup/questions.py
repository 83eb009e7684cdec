"""What `isthmus agent setup` asks. What the directory says itself (base DN, NetBIOS name, UPN suffixes) is not asked."""

from __future__ import annotations

import re
from typing import Any

from certs import EnrolmentToken, TokenRefused
from isthmus.setup import Answers, Question, any_text, file_path, fixed, items, optional_path

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


def dns_name(text: str) -> str:
    """A domain as the DNS has it, lower case."""
    name = any_text(text).strip(".").lower()
    if "@" in name or "\\" in name or "=" in name:
        raise ValueError(f"{text!r}: give the domain's DNS name, such as corp.example.com")
    if "." not in name or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{text!r} is not a DNS name; a domain has one such as corp.example.com")
    return name


def enrolment_token(text: str) -> str:
    """What is a token, whether or not it is still good."""
    try:
        EnrolmentToken.parse(text)
    except TokenRefused as error:
        raise ValueError(f"this is not a token: {error.problem}") from error
    return "".join(text.split())


def fingerprints(text: str) -> tuple[str, ...]:
    """SHA-256 fingerprints as 64 lower-case digits; colons and hyphens within one are let through."""
    found = []
    for item in items(text):
        digits = item.replace(":", "").replace("-", "").lower()
        if not re.fullmatch("[0-9a-f]{64}", digits):
            raise ValueError(f"{item!r} is not a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
        found.append(digits)
    return tuple(dict.fromkeys(found))


TOKEN = Question(
    key="token",
    text="Token",
    parse=enrolment_token,
    secret=True,
    help="Token printed by `isthmus relay setup` or `isthmus relay token` (isth1.…).",
)
DOMAIN = Question(
    key="domain",
    text="Active Directory domain",
    parse=dns_name,
    help="DNS name of the domain whose users sign in, such as corp.example.com.",
)
SERVERS = Question(
    key="servers",
    singular="server",
    text="Domain controllers",
    parse=items,
    several=True,
    help="Domain controllers, by the names in their certificates, as dc1.corp.example.com or with :PORT. "
    "Not needed if DNS has SRV records for them.",
)
CA_FILE = Question(
    key="ca_file",
    text="File with the CA of the domain controllers",
    parse=optional_path,
    default=fixed(""),
    path=True,
    asked=False,
    help="PEM file with the CA of the domain controllers' certificates, instead of the one that they send.",
)
ACCEPT = Question(
    key="accept_fingerprints",
    singular="accept_fingerprint",
    text="Fingerprint to accept",
    parse=fingerprints,
    default=fixed(""),
    several=True,
    asked=False,
    help="SHA-256 fingerprint of the CA of the domain controllers' certificates (or of such a certificate itself), where "
    "nobody is there to be shown it.",
)
SERVICE_USER = Question(
    key="service_user",
    text="Service account",
    parse=any_text,
    help="The account that reads the directory, such as svc-isthmus@corp.example.com. It needs no rights but to read: "
    "docs/operators/service-account.md.",
)
SERVICE_PASSWORD = Question(
    key="service_password",
    text="Password of the service account",
    parse=any_text,
    secret=True,
)
RELAY_CA_FILE = Question(
    key="relay_ca_file",
    text="File with the CA of the relay",
    parse=optional_path,
    default=fixed(""),
    path=True,
    asked=False,
    help="PEM file with the CA of the relay's HTTPS certificate, if this system does not trust it.",
)
PROXY = Question(
    key="proxy",
    text="HTTP proxy",
    parse=str.strip,
    default=fixed(""),
    asked=False,
    help="HTTP proxy to the relay, as http://HOST:PORT, or none; otherwise HTTPS_PROXY of the environment counts.",
)
STATE_DIR = Question(
    key="state_dir",
    text="State directory",
    parse=file_path,
    default=fixed("/var/lib/isthmus-agent"),
    path=True,
    asked=False,
    help="Directory for the agent's identity.  [default: /var/lib/isthmus-agent]",
)
USER = Question(
    key="user",
    text="User of the service",
    parse=any_text,
    default=fixed("isthmus-agent"),
    asked=False,
    help="User that the agent runs as; made where there is none.  [default: isthmus-agent]",
)
TEST_USER = Question(
    key="test_user",
    text="User for a test sign-in (empty for none)",
    parse=str.strip,
    default=fixed(""),
    help="Somebody of the domain who signs in once at the end, to see that all of it works.",
)


def _somebody_signs_in(answers: Answers) -> bool:
    user: str | None = answers.get(TEST_USER)
    return bool(user)


TEST_PASSWORD = Question(
    key="test_password",
    text="Password of that user",
    parse=any_text,
    secret=True,
    applies=_somebody_signs_in,
)

QUESTIONS: tuple[Question[Any], ...] = (
    TOKEN,
    DOMAIN,
    SERVERS,
    CA_FILE,
    ACCEPT,
    SERVICE_USER,
    SERVICE_PASSWORD,
    RELAY_CA_FILE,
    PROXY,
    TEST_USER,
    TEST_PASSWORD,
    STATE_DIR,
    USER,
)
