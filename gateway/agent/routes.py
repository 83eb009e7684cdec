"""The ways to the relays: addresses, TLS, proxies; and what the enrolment left in the state directory."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

import structlog

from certs import atomic_write
from foundation.file_stamps import stamp_of
from gateway.agent.errors import AgentError, NotEnrolled
from gateway.agent.settings import AgentCoreSettings
from settings import UnusableFile, read_regular, read_secret

log = structlog.get_logger()

CONNECT_PATH = "/agent/v1/connect"
ROUTE_SETTINGS = ("tls_ca_file", "proxy", "proxy_user", "proxy_password_file")
"""Settings that `Routes.use` takes; all others of the agent need a restart."""
_RELAYS_FILE = "relays.json"
_LARGEST = 64 * 1024
"""Bytes of it."""


class BadRoute(AgentError):
    """A setting about the way to the relay makes no sense."""

    def __init__(self, key: str, value: str, reason: str) -> None:
        super().__init__(key, value, reason)
        self.key, self.value, self.reason = key, value, reason

    def __str__(self) -> str:
        return f"setting {self.key} = {self.value!r}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach a relay."""

    relay: str
    """`https://host[:port]`, no path."""
    tls: ssl.SSLContext
    proxy: str | bool | None
    """URL with credentials, True for the environment's, None for none."""

    @property
    def url(self) -> str:
        """The websocket's address."""
        return self.relay.replace("https://", "wss://", 1).rstrip("/") + CONNECT_PATH


def remember_relays(state_dir: Path, relays: list[str]) -> None:
    """Keep the addresses that the enrolment token carried."""
    atomic_write(state_dir / _RELAYS_FILE, json.dumps(relays).encode(), mode=0o600)


def known_relays(settings: AgentCoreSettings, state_dir: Path) -> tuple[str, ...]:
    """The relays of the settings, else those of the enrolment. Raises NotEnrolled."""
    if settings.relays:
        return settings.relays
    path = state_dir / _RELAYS_FILE
    try:
        relays = json.loads(read_regular(path, _LARGEST)[0])
    except UnusableFile as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise NotEnrolled(state_dir) from None
        raise BadRoute("relays", "", f"not set, and {error}; set it") from error
    except (ValueError, RecursionError) as error:
        raise BadRoute("relays", "", f"not set, and {path} cannot be read ({error}); set it") from error
    if not isinstance(relays, list) or not all(isinstance(relay, str) for relay in relays):
        raise BadRoute("relays", "", f"not set, and {path} is damaged; set it")
    return tuple(relays)


def tls_context(settings: AgentCoreSettings) -> ssl.SSLContext:
    """Verifying, TLS 1.2 or later. Raises BadRoute where the CA file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise BadRoute("tls_ca_file", str(settings.tls_ca_file), f"cannot be used as CA certificates ({error})") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def proxy_of(settings: AgentCoreSettings) -> str | bool | None:
    """What to hand to the websocket: URL with credentials, True for the environment's proxy, None for none."""
    if settings.proxy is None:
        return True
    if settings.proxy == "none":
        return None
    parts = _split(settings.proxy)
    if parts is None or parts.scheme not in {"http", "https"}:
        raise BadRoute("proxy", _without_password(settings.proxy), "expected http://host:port, or none")
    if settings.proxy_user is None:
        return settings.proxy
    password = ""
    if settings.proxy_password_file is not None:
        try:
            password = read_secret(settings.proxy_password_file)
        except UnusableFile as error:
            reason = f"{error.problem}; {error.remedy}".removesuffix("; ")
            raise BadRoute("proxy_password_file", str(settings.proxy_password_file), reason) from error
    netloc = f"{quote(settings.proxy_user, safe='')}:{quote(password, safe='')}@{parts.netloc}"
    return parts._replace(netloc=netloc).geturl()


def make_routes(settings: AgentCoreSettings, state_dir: Path) -> list[Route]:
    """One route for each relay. Raises BadRoute, NotEnrolled."""
    context, proxy = tls_context(settings), proxy_of(settings)
    routes = []
    for relay in known_relays(settings, state_dir):
        parts = _split(relay)
        if parts is None or parts.scheme != "https":
            raise BadRoute("relays", relay, "expected https://host[:port]")
        routes.append(Route(f"https://{parts.netloc}", context, proxy))
    return routes


class Routes:
    """The routes in use: one for each relay that was known at the start, whose TLS and proxy may change meanwhile."""

    def __init__(self, settings: AgentCoreSettings, state_dir: Path) -> None:
        """Raises BadRoute, NotEnrolled."""
        self._settings = settings
        self._stamp = stamp_of(settings.tls_ca_file)
        self._routes = {route.relay: route for route in make_routes(settings, state_dir)}

    @property
    def relays(self) -> tuple[str, ...]:
        """`https://host[:port]` of each."""
        return tuple(self._routes)

    def to(self, relay: str) -> Route:
        """How to reach one of them now."""
        return self._routes[relay]

    def use(self, settings: AgentCoreSettings) -> None:
        """Take TLS and proxy from other settings; relays stay. Raises BadRoute, and nothing has changed then."""
        stamp = stamp_of(settings.tls_ca_file)
        context, proxy = tls_context(settings), proxy_of(settings)
        self._settings, self._stamp = settings, stamp
        self._routes = {relay: Route(relay, context, proxy) for relay in self._routes}

    def look(self) -> None:
        """Take `tls_ca_file` anew where it was replaced. One that cannot be used is told of once, and is not used."""
        stamp = stamp_of(self._settings.tls_ca_file)
        if stamp == self._stamp:
            return
        try:
            self.use(self._settings)
        except BadRoute as error:
            self._stamp = stamp
            remedy = "correct it; until then the previous file stays in use"
            log.error("tls_ca_file.unusable", error=str(error), remedy=remedy)  # noqa: TRY400 - the text says it all
        else:
            log.info("tls_ca_file.renewed", file=str(self._settings.tls_ca_file))


def _split(url: str) -> SplitResult | None:
    """The parts of a URL with a host, None where it is none."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - parsed on access
    except ValueError:
        return None
    return parts if parts.hostname else None


def _without_password(url: str) -> str:
    """A URL that may be shown."""
    scheme, mark, rest = url.rpartition("://")
    return f"{scheme}{mark}***@{rest.rpartition('@')[2]}" if "@" in rest else url
