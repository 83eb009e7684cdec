"""What a relay process is told, and what of it is refused."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from foundation.addresses import Network
from gateway.relay import AdmissionSettings, RelayCoreSettings
from gateway.signin import BadBranding, SignInSettings, parse_colour
from gateway.store import StoreUnavailable, check_store_url
from settings import SecretFile, UnusableFile, check_secret_file


class ServerError(Exception):
    """The relay cannot start. The text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where one relay process listens, keeps its state and takes its HTTPS certificate from."""

    state_dir: Path
    """Directory (mode 0700) for keys, the database and the control socket."""
    public_url: str
    """Address that people and agents use: `https://host[:port]`."""
    listen: str = "0.0.0.0:8443"
    """Address and port to serve."""
    tls_certificate: Path | None = None
    """HTTPS certificate with its chain, PEM. Empty: plain HTTP, for a reverse proxy on this machine; then `listen` must
    be a loopback address."""
    tls_key: SecretFile | None = None
    """Private key of the HTTPS certificate, PEM."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (`10.0.0.0/8`) of reverse proxies whose X-Forwarded-For is believed."""
    connections_per_address: int = 256
    """Connections of one address at once, IPv6 by its /64; `trusted_proxies` are not bounded. Where there is one more, the
    one that has waited longest for a request is closed, or itself where none waits. Each agent keeps two open, a browser up
    to six, and a back end one for each check that it asks for at once; a refusal takes up to 3 s."""
    store_url: str | None = None
    """URL of the database. Empty: SQLite in `state_dir`. PostgreSQL (the extra `postgres`):
    `postgresql://isthmus@db.example.com/isthmus?passfile=/etc/isthmus/pgpass&sslrootcert=/etc/isthmus/db-ca.pem`; over the
    network TLS is verified unless `sslmode` says otherwise."""
    metrics_listen: str = "127.0.0.1:9181"
    """Address for /metrics, /healthz and /readyz, apart from the public one. Empty: none."""
    metrics_hosts: tuple[str, ...] = ()
    """Further names by which monitoring asks `metrics_listen`, besides IP addresses, `localhost`, this machine's name and
    the host of `metrics_listen`; others are refused, for a web page can have a name of its own lead to this address."""
    core: RelayCoreSettings = field(default_factory=RelayCoreSettings)
    """Agents and dispatch."""
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    """Smart lockout and throttling."""
    signin: SignInSettings = field(default_factory=SignInSettings)
    """The sign-in page."""


def check_settings(settings: ServerSettings) -> None:
    """Refuse settings that would be unsafe, or of no use; no file is opened. Raises ServerError."""
    if not settings.public_url.startswith("https://"):
        raise ServerError(f"public_url {settings.public_url!r}: must be https://…, passwords go there")
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise ServerError("tls_certificate and tls_key go together")
    host, _ = _named_address("listen", settings.listen)
    if settings.metrics_listen:
        _named_address("metrics_listen", settings.metrics_listen)
    if settings.tls_certificate is None and not _is_loopback(host):
        raise ServerError(
            f"listen {settings.listen!r} without tls_certificate: plain HTTP is served on loopback only, behind a proxy"
        )
    trusted_networks(settings)
    try:
        parse_colour(settings.signin.colour)
        if settings.store_url:
            check_store_url(settings.store_url)
    except (BadBranding, StoreUnavailable) as error:
        raise ServerError(str(error)) from error


def _named_address(setting: str, address: str) -> tuple[str, int]:
    try:
        return split_address(address)
    except ServerError as error:
        raise ServerError(f"{setting} {error}") from error


def trusted_networks(settings: ServerSettings) -> list[Network]:
    """The networks of `trusted_proxies`. Raises ServerError."""
    networks = []
    for network in settings.trusted_proxies:
        try:
            networks.append(ipaddress.ip_network(network, strict=False))
        except ValueError as error:
            raise ServerError(f"trusted_proxies {network!r}: expected a network such as 10.0.0.0/8 ({error})") from error
    return networks


def split_address(address: str) -> tuple[str, int]:
    """`host:port` to its parts; IPv6 in brackets. Raises ServerError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ServerError(f"{address!r}: expected host:port")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """For HTTPS: TLS 1.2 or later. None behind a proxy. Raises ServerError."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        check_secret_file(settings.tls_key)
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError, UnusableFile) as error:
        raise ServerError(f"{settings.tls_certificate}, {settings.tls_key}: cannot be used for HTTPS ({error})") from error
    return context
