"""What an earlier setup has left says what is proposed now; and what answers come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from certs import unusable_for_https
from certs.acme import AcmeSettings
from gateway.app import ServerSettings
from isthmus.relay_settings import RelaySettings
from isthmus.relay_setup.questions import (
    ACME,
    ACME_CA_FILE,
    ACME_CHALLENGE,
    ACME_CONTACT,
    ACME_DIRECTORY,
    ACME_HOOK,
    ACME_HTTP_ADDRESS,
    ACME_TERMS,
    BARE_NAMES,
    CERTIFICATE,
    DOMAINS,
    FILES,
    LISTEN,
    METRICS_LISTEN,
    NETBIOS_NAMES,
    ORGANISATION,
    PROXY,
    PUBLIC_URL,
    STATE_DIR,
    TLS_CERTIFICATE,
    TLS_KEY,
    TRUSTED_PROXIES,
)
from isthmus.setup import Answers


def known_answers(settings: RelaySettings) -> dict[str, str]:
    """Answers that these settings came from, as text by question key."""
    server = settings.server
    known = {
        PUBLIC_URL.key: server.public_url,
        CERTIFICATE.key: ACME if server.tls_by_acme else FILES if server.tls_certificate else PROXY,
        TRUSTED_PROXIES.key: ", ".join(server.trusted_proxies),
        LISTEN.key: server.listen,
        METRICS_LISTEN.key: server.metrics_listen,
        ORGANISATION.key: server.signin.organisation,
        STATE_DIR.key: str(server.state_dir),
    }
    known |= _known_of_acme(server.acme) if server.tls_by_acme else _known_files(server)
    return {key: text for key, text in known.items() if text}


def _known_files(server: ServerSettings) -> dict[str, str]:
    return {TLS_CERTIFICATE.key: str(server.tls_certificate or ""), TLS_KEY.key: str(server.tls_key or "")}


def _known_of_acme(acme: AcmeSettings) -> dict[str, str]:
    return {
        ACME_DIRECTORY.key: acme.directory,
        ACME_TERMS.key: "yes" if acme.agree_terms else "",
        ACME_CONTACT.key: ", ".join(acme.contact),
        ACME_CHALLENGE.key: acme.challenge,
        ACME_HOOK.key: str(acme.hook or ""),
        ACME_CA_FILE.key: str(acme.tls_ca_file or ""),
        ACME_HTTP_ADDRESS.key: acme.http_address,
    }


def known_domains(agents: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Answers that the enrolled agents came from; none where there are none. agents: as `isthmus relay agents --json`."""
    found: list[str] = []
    for agent in agents:
        domains = agent.get("domains")
        if agent.get("revoked_at") is None and isinstance(domains, list):
            found += [str(domain) for domain in domains]
    suffixes = [domain for domain in dict.fromkeys(found) if "." in domain]
    names = [domain.upper() for domain in dict.fromkeys(found) if "." not in domain and domain != "*"]
    if not suffixes:
        return {}
    return {
        DOMAINS.key: ", ".join(suffixes),
        NETBIOS_NAMES.key: ", ".join(names),
        BARE_NAMES.key: "yes" if "*" in found else "no",
    }


def token_domains(answers: Answers) -> tuple[str, ...]:
    """What the first agent may answer for, as `isthmus relay token --domain` has it."""
    return (*answers[DOMAINS], *answers[NETBIOS_NAMES], *(("*",) if answers[BARE_NAMES] else ()))


def check_certificate(answers: Answers, files: Mapping[Path, bytes], now: float) -> str:
    """Why the relay could not serve the public address with the files that were named; empty where it could."""
    missing = [path for path in (answers[TLS_CERTIFICATE], answers[TLS_KEY]) if path not in files]
    if missing:
        return f"there is no file {' and none '.join(map(str, missing))}"
    host = urlsplit(answers[PUBLIC_URL]).hostname or ""
    chain, key = files[answers[TLS_CERTIFICATE]], files[answers[TLS_KEY]]
    wrong = unusable_for_https(chain, key, host, now)
    return f"{answers[TLS_CERTIFICATE]}, {answers[TLS_KEY]}: {'; '.join(wrong)}" if wrong else ""
