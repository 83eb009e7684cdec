"""From answers, and what was looked at, to what the machine shall have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certs.acme import AcmeSettings
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
    CERTIFICATE,
    LISTEN,
    METRICS_LISTEN,
    NODE,
    ORGANISATION,
    PUBLIC_URL,
    STATE_DIR,
    TLS_CERTIFICATE,
    TLS_KEY,
    TRUSTED_PROXIES,
    USER,
)
from isthmus.setup import Answers, edited, unit_text
from settings import example, load_settings, toml_value

HEADLINE = "Settings of `isthmus relay`. What is commented out shows the default."


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was looked at before anything is changed."""

    config: Path
    existing: bytes | None = None
    """The settings file as it is; None where there is none."""
    files: Mapping[Path, bytes] = field(default_factory=dict, repr=False)
    """Certificate and key that were named."""
    closed: frozenset[Path] = frozenset()
    """Those of them that the relay's user cannot read."""
    systemd: bool
    command: str
    """What starts `isthmus`."""


@dataclass(frozen=True, slots=True)
class FileCopy:
    """A file of the administrator's, and the copy of it that the relay's user can read."""

    source: Path
    target: Path
    content: bytes = field(repr=False)
    secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayPlan:
    """What the machine shall have."""

    config: Path
    settings: bytes
    user: str
    state_dir: Path
    node: str
    public_url: str
    issued: Path | None
    """The certificate that an ACME server issues; None where it does not."""
    copies: tuple[FileCopy, ...]
    unit: bytes | None
    """None without systemd."""
    health_url: str
    """Empty: nothing is listened on for monitoring."""


def make_plan(answers: Answers, observed: Observed) -> RelayPlan:
    """Raises settings.SettingsFileError for settings that cannot be used, and NotEditable."""
    copies = tuple(
        FileCopy(path, observed.config.with_name(f"relay.{ending}"), observed.files[path], secret)
        for question, ending, secret in ((TLS_CERTIFICATE, "crt", False), (TLS_KEY, "key", True))
        if (path := answers.get(question)) is not None and path in observed.closed
    )
    places = {copy.source: copy.target for copy in copies}
    settings = _settings_text(_wanted(answers, places), observed).encode()
    server = load_settings(observed.config, RelaySettings, settings).server
    unit = unit_text(
        "relay",
        command=observed.command,
        config=observed.config,
        state_dir=server.state_dir,
        user=answers[USER],
        low_port=server.low_ports,
    )
    return RelayPlan(
        config=observed.config,
        settings=settings,
        user=answers[USER],
        state_dir=server.state_dir,
        node=answers[NODE],
        public_url=server.public_url,
        issued=server.tls_certificate if server.tls_by_acme else None,
        copies=copies,
        unit=unit.encode() if observed.systemd else None,
        health_url=f"http://{server.metrics_listen}/healthz" if server.metrics_listen else "",
    )


def _wanted(answers: Answers, places: Mapping[Path, Path]) -> dict[str, object]:
    """Settings by dotted key; None: not set."""
    certificate, key = answers.get(TLS_CERTIFICATE), answers.get(TLS_KEY)
    by_acme = answers[CERTIFICATE] == ACME
    if by_acme:
        directory = answers[STATE_DIR] / "https"
        certificate, key = directory / "certificate.pem", directory / "key.pem"
    wanted: dict[str, object] = {
        "server.state_dir": answers[STATE_DIR],
        "server.public_url": answers[PUBLIC_URL],
        "server.listen": answers[LISTEN],
        "server.metrics_listen": answers[METRICS_LISTEN],
        "server.tls_certificate": None if certificate is None else places.get(certificate, certificate),
        "server.tls_key": None if key is None else places.get(key, key),
        "server.tls_by_acme": by_acme,
        "server.trusted_proxies": answers.get(TRUSTED_PROXIES) or (),
        "server.signin.organisation": answers[ORGANISATION],
    }
    return wanted | _wanted_of_acme(answers) if by_acme else wanted


def _wanted_of_acme(answers: Answers) -> dict[str, object]:
    return {
        "server.acme.directory": answers[ACME_DIRECTORY],
        "server.acme.tls_ca_file": answers[ACME_CA_FILE],
        "server.acme.contact": answers[ACME_CONTACT],
        "server.acme.agree_terms": answers[ACME_TERMS],
        "server.acme.challenge": answers[ACME_CHALLENGE],
        "server.acme.hook": answers.get(ACME_HOOK),
        "server.acme.http_address": answers.get(ACME_HTTP_ADDRESS) or AcmeSettings().http_address,
    }


def _settings_text(wanted: Mapping[str, object], observed: Observed) -> str:
    """A new file with every setting explained; or the one that is there, with what has to be another value."""
    if observed.existing is None:
        return example(RelaySettings, HEADLINE, {key: toml_value(value) for key, value in wanted.items()})
    now = load_settings(observed.config, RelaySettings, observed.existing)
    return edited(observed.existing.decode(), {key: value for key, value in wanted.items() if _effective(now, key) != value})


def _effective(settings: RelaySettings, key: str) -> object:
    found: Any = settings
    for name in key.split("."):
        found = getattr(found, name)
    return found
