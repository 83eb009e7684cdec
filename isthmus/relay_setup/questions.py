"""What `isthmus relay setup` asks, in order."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from certs import check_name
from certs.acme import AcmeSettings
from isthmus.setup import Answers, Question, any_text, file_path, fixed, items, one_of, optional_path, yes_or_no
from settings import Unfit, listen_address, network, origin, web_address

FILES, ACME, PROXY = "files", "acme", "proxy"
HTTP, DNS = "http-01", "dns-01"
_NETBIOS = re.compile(r'[^\\/:*?"<>|.\s]{1,15}')
_DOMAIN = re.compile(r"[^\s@\\*,/]{1,253}")


def _fit(check: Callable[[str], None], text: str) -> str:
    """A value as the settings would take it. Raises ValueError."""
    try:
        check(text)
    except Unfit as error:
        raise ValueError(f"{error.problem}; {error.remedy}" if error.remedy else error.problem) from error
    return text


def _public_url(text: str) -> str:
    text = any_text(text).rstrip("/")
    return _fit(origin, text if "://" in text else f"https://{text}")


def _organisation(text: str) -> str:
    text = any_text(text)
    if not text.isprintable():
        raise ValueError("it has a character that cannot be shown")
    return text


def _networks(text: str) -> tuple[str, ...]:
    found = items(text)
    if not found:
        raise ValueError("name at least one")
    return tuple(_fit(network, item) for item in found)


def _domains(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(item.lstrip("@").rstrip(".") for item in items(text)))
    if not found:
        raise ValueError("name at least one")
    for domain in found:
        if not _DOMAIN.fullmatch(domain):
            raise ValueError(f"{domain!r}: expected the part after the @ in user names, such as corp.example.com")
    return found


def _netbios_names(text: str) -> tuple[str, ...]:
    found = () if text.strip().casefold() == "none" else tuple(dict.fromkeys(item.rstrip("\\") for item in items(text)))
    for name in found:
        if not _NETBIOS.fullmatch(name):
            raise ValueError(f"{name!r}: expected the DOMAIN of DOMAIN\\name, at most 15 characters and no dot")
    return found


def _agreed(text: str) -> bool:
    if not yes_or_no(text):
        raise ValueError("the ACME server issues no certificate without your agreement; choose `files` or `proxy` instead")
    return True


def _addresses(text: str) -> tuple[str, ...]:
    found = () if text.strip().casefold() == "none" else items(text)
    for address in found:
        if not re.fullmatch(r"[^\s@,]+@[^\s@,]+", address):
            raise ValueError(f"{address!r}: expected an e-mail address")
    return found


def _user(text: str) -> str:
    text = any_text(text)
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", text):
        raise ValueError(f"{text!r}: small letters, digits, - and _, at most 32, beginning with a letter")
    return text


def _own_name() -> str:
    return socket.gethostname().partition(".")[0] or "relay1"


PUBLIC_URL = Question(
    key="public_url",
    text="Public address",
    help="URL at which users and agents reach the relay, https://NAME[:PORT].",
    parse=_public_url,
)
CERTIFICATE = Question(
    key="certificate",
    text="Where the HTTPS certificate comes from",
    help="`files`: your own PEM files. `acme`: an ACME server such as Let's Encrypt; renewed automatically. "
    "`proxy`: a reverse proxy on this machine serves HTTPS.",
    parse=one_of(FILES, ACME, PROXY),
    choices=(FILES, ACME, PROXY),
    default=fixed(FILES),
)


def _by_files(answers: Answers) -> bool:
    return answers.get(CERTIFICATE) == FILES


def _by_acme(answers: Answers) -> bool:
    return answers.get(CERTIFICATE) == ACME


def _behind_proxy(answers: Answers) -> bool:
    return answers.get(CERTIFICATE) == PROXY


TLS_CERTIFICATE = Question(
    key="tls_certificate",
    text="Certificate file",
    help="HTTPS certificate with its chain, PEM. If the relay's user cannot read the file, it is copied.",
    parse=file_path,
    applies=_by_files,
    default=fixed("/etc/isthmus/relay.crt"),
    path=True,
)
TLS_KEY = Question(
    key="tls_key",
    text="Key file",
    help="The certificate's private key, PEM, without a passphrase.",
    parse=file_path,
    applies=_by_files,
    default=fixed("/etc/isthmus/relay.key"),
    path=True,
)
CERTIFICATE_FILES = (TLS_CERTIFICATE, TLS_KEY)
ACME_DIRECTORY = Question(
    key="acme_directory",
    text="ACME server",
    help="Directory URL of the ACME server. [default: Let's Encrypt]",
    parse=lambda text: _fit(web_address, any_text(text)),
    applies=_by_acme,
    default=fixed(AcmeSettings().directory),
)
ACME_TERMS = Question(
    key="acme_terms",
    text="Do you agree to its terms of service",
    help="Whether you agree to the ACME server's terms of service. It issues no certificate without your agreement.",
    parse=_agreed,
    yes_no=True,
    applies=_by_acme,
)
ACME_CONTACT = Question(
    key="acme_contact",
    text="E-mail address for the ACME server",
    help="Contact e-mail address for the ACME server, or `none`.",
    parse=_addresses,
    applies=_by_acme,
    default=fixed("none"),
    several=True,
)
ACME_CHALLENGE = Question(
    key="acme_challenge",
    text="Challenge type",
    help="`http-01`: port 80 of the public address leads to this machine, and no other program listens there. `dns-01`: a "
    "program sets a DNS record.",
    parse=one_of(HTTP, DNS),
    choices=(HTTP, DNS),
    applies=_by_acme,
    default=fixed(HTTP),
)
ACME_HOOK = Question(
    key="acme_hook",
    text="Program that sets the DNS record",
    help="Program for dns-01, called as `hook present|cleanup DOMAIN RECORD VALUE` by the relay's user.",
    parse=file_path,
    applies=lambda answers: answers.get(ACME_CHALLENGE) == DNS,
    path=True,
)
ACME_CA_FILE = Question(
    key="acme_ca_file",
    text="CA of the ACME server",
    help="CA (PEM) of the ACME server's own HTTPS certificate, if this system does not trust it.",
    parse=optional_path,
    applies=_by_acme,
    default=fixed(""),
    path=True,
    asked=False,
)
ACME_HTTP_ADDRESS = Question(
    key="acme_http_address",
    text="Address for http-01",
    help="Address on which http-01 challenges are answered. [default: 0.0.0.0:80]",
    parse=lambda text: _fit(listen_address, any_text(text)),
    applies=lambda answers: answers.get(ACME_CHALLENGE) == HTTP,
    default=fixed(AcmeSettings().http_address),
    asked=False,
)
TRUSTED_PROXIES = Question(
    key="trusted_proxies",
    text="Addresses of the proxy",
    help="Networks or addresses that the proxy connects from. Its X-Forwarded-For header is trusted.",
    parse=_networks,
    applies=_behind_proxy,
    default=fixed("127.0.0.1, ::1"),
    several=True,
    singular="trusted_proxy",
)
ORGANISATION = Question(
    key="organisation",
    text="Organisation",
    help="Name on the sign-in page; users check it before they type a password.",
    parse=_organisation,
)
DOMAINS = Question(
    key="domains",
    text="Domains",
    help="Domains whose users sign in: the part after the @ in their user names (UPN suffix).",
    parse=_domains,
    several=True,
    singular="domain",
)


def _likely_netbios_name(answers: Answers) -> str:
    """The first part of the first domain: what Windows proposes when a domain is made."""
    domains = answers.get(DOMAINS) or ("",)
    name = domains[0].partition(".")[0].upper()[:15]
    return name if _NETBIOS.fullmatch(name) else ""


NETBIOS_NAMES = Question(
    key="netbios_names",
    text="NetBIOS names",
    help="NetBIOS name, the part before the backslash in DOMAIN\\name; `none` if users never type it.",
    parse=_netbios_names,
    default=_likely_netbios_name,
    several=True,
    singular="netbios_name",
)
BARE_NAMES = Question(
    key="bare_names",
    text="Names without a domain",
    help="Whether users may enter their user name without a domain. Choose no with several directories: the name could "
    "exist in each of them.",
    parse=yes_or_no,
    yes_no=True,
    default=fixed("yes"),
)
AGENT = Question(
    key="agent",
    text="Name of the first agent",
    help="Name of the first agent, for its token.",
    parse=check_name,
    default=fixed("agent-1"),
)


def _listen(answers: Answers) -> str:
    """The port of the public address, where no proxy is in front."""
    port = urlsplit(answers[PUBLIC_URL]).port or 443
    return "127.0.0.1:8443" if _behind_proxy(answers) else f"0.0.0.0:{port}"


LISTEN = Question(
    key="listen",
    text="Address to serve",
    help="Address and port to listen on. [default: the port of the public address, or 127.0.0.1:8443 behind a proxy]",
    parse=lambda text: _fit(listen_address, any_text(text)),
    default=_listen,
    asked=False,
)
METRICS_LISTEN = Question(
    key="metrics_listen",
    text="Address for monitoring",
    help="Address for /metrics, /healthz and /readyz. [default: 127.0.0.1:9181]",
    parse=lambda text: _fit(listen_address, any_text(text)),
    default=fixed("127.0.0.1:9181"),
    asked=False,
)
NODE = Question(
    key="name",
    text="Name of this relay",
    help="Name of this relay node. [default: the host name]",
    parse=check_name,
    default=lambda _: _own_name(),
    asked=False,
)
USER: Question[str] = Question(
    key="user",
    text="User",
    help="System user that the relay runs as. [default: isthmus-relay]",
    parse=_user,
    default=fixed("isthmus-relay"),
    asked=False,
)
STATE_DIR: Question[Path] = Question(
    key="state_dir",
    text="State directory",
    help="Directory for keys and database. [default: /var/lib/isthmus-relay]",
    parse=file_path,
    default=fixed("/var/lib/isthmus-relay"),
    path=True,
    asked=False,
)
QUESTIONS_ABOUT_HTTPS: tuple[Question[Any], ...] = (
    PUBLIC_URL,
    CERTIFICATE,
    TLS_CERTIFICATE,
    TLS_KEY,
    ACME_DIRECTORY,
    ACME_TERMS,
    ACME_CONTACT,
    ACME_CHALLENGE,
    ACME_HOOK,
    ACME_CA_FILE,
    ACME_HTTP_ADDRESS,
    TRUSTED_PROXIES,
)
QUESTIONS: tuple[Question[Any], ...] = (
    *QUESTIONS_ABOUT_HTTPS,
    ORGANISATION,
    DOMAINS,
    NETBIOS_NAMES,
    BARE_NAMES,
    AGENT,
    LISTEN,
    METRICS_LISTEN,
    NODE,
    USER,
    STATE_DIR,
)
