"""What a relay process is told, and what of it is refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from certs.acme import AcmeSettings
from foundation.addresses import Network
from gateway.federation import FederationSettings
from gateway.relay import AdmissionSettings, RelayCoreSettings
from gateway.signin import SignInSettings
from gateway.store import StoreUnavailable, check_store_url
from settings import (
    OrEmpty,
    SecretFile,
    Unfit,
    dotted,
    host_name,
    listen_address,
    network,
    origin,
    split_address,
    unfit_settings,
)

_FIRST_FREE_PORT = 1024


class ServerError(Exception):
    """The relay cannot start. The text says what to do."""


def _database_url(value: str) -> None:
    """A database that the store can be on; nobody is connected to."""
    try:
        check_store_url(value)
    except StoreUnavailable as error:
        where = "" if error.where == "store_url" else f"{error.where}: "
        raise Unfit(f"{where}{error.problem}", error.remedy) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where one relay process listens, keeps its state and takes its HTTPS certificate from."""

    state_dir: Path
    """Directory (mode 0700) for keys, the database and the control socket."""
    public_url: Annotated[str, origin]
    """Address that users and agents open: `https://host[:port]`."""
    listen: Annotated[str, listen_address] = "0.0.0.0:8443"
    """Address and port that the relay listens on."""
    tls_certificate: Path | None = None
    """HTTPS certificate with its chain (PEM). Empty: plain HTTP, for a reverse proxy on this machine; `listen` must
    then be a loopback address."""
    tls_key: SecretFile | None = None
    """File with the private key of the HTTPS certificate (PEM), mode 0600, without a passphrase."""
    tls_by_acme: bool = False
    """Whether the ACME server of `[server.acme]` issues the certificate for the host of `public_url`. The relay
    stores it in `tls_certificate` and `tls_key`, for example in `state_dir`. To obtain the first certificate:
    `isthmus relay renew-certificate`."""
    trusted_proxies: tuple[Annotated[str, network], ...] = ()
    """Networks (`10.0.0.0/8`) of reverse proxies whose X-Forwarded-For header is trusted."""
    connections_per_address: int = 256
    """Maximum number of connections from one address (IPv6: from one /64 network); `trusted_proxies` are not
    limited. When the limit is reached, the connection that has waited longest for a request is closed, or the new
    one if none is waiting. Each agent keeps two connections open, a browser up to six, and a back end one for each
    check in progress; a refusal takes up to 3 s."""
    store_url: Annotated[str, _database_url] | None = None
    """Database URL. Empty: SQLite in `state_dir`. PostgreSQL (requires the extra `postgres`):
    `postgresql://isthmus@db.example.com/isthmus?passfile=/etc/isthmus/pgpass&sslrootcert=/etc/isthmus/db-ca.pem`;
    over the network TLS is verified unless `sslmode` says otherwise."""
    metrics_listen: Annotated[str, OrEmpty(listen_address)] = "127.0.0.1:9181"
    """Address for /metrics, /healthz and /readyz, separate from the public address. Empty: none."""
    metrics_hosts: tuple[Annotated[str, host_name], ...] = ()
    """Additional host names that monitoring uses for `metrics_listen`, besides IP addresses, `localhost`, this
    machine's name and the host of `metrics_listen`. Requests for other names are refused, because a web page can
    point a name of its own to this address (DNS rebinding)."""
    core: RelayCoreSettings = field(default_factory=RelayCoreSettings)
    """Agents and dispatch of sign-ins."""
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    """Smart lockout and throttling."""
    signin: SignInSettings = field(default_factory=SignInSettings)
    """The sign-in page."""
    federation: FederationSettings = field(default_factory=FederationSettings)
    """Applications that users sign in to."""
    acme: AcmeSettings = field(default_factory=AcmeSettings)
    """The ACME server, used with `tls_by_acme`."""

    def contradictions(self) -> Iterator[Unfit]:
        """Half of what HTTPS needs, and passwords that would go over the network in the clear."""
        if self.tls_certificate is not None and self.tls_key is None:
            yield Unfit("has no key", "set tls_key, too", setting="tls_certificate")
        if self.tls_key is not None and self.tls_certificate is None:
            yield Unfit("has no certificate", "set tls_certificate, too", setting="tls_key")
        if self.tls_certificate is None and self.tls_key is None and not _is_loopback(split_address(self.listen)[0]):
            problem = f"{self.listen!r} would serve plain HTTP to the network: tls_certificate is not set"
            remedy = "set tls_certificate and tls_key, or a loopback address such as 127.0.0.1:8080 behind a proxy"
            yield Unfit(problem, remedy, setting="listen")
        if self.tls_by_acme:
            yield from self._acme_contradictions()

    def _acme_contradictions(self) -> Iterator[Unfit]:
        if self.tls_certificate is None and self.tls_key is None:
            yield Unfit("has no place for the certificate", "set tls_certificate and tls_key, too", setting="tls_by_acme")
        if self.acme.challenge == "dns-01" and self.acme.hook is None:
            remedy = 'set a program that sets the record, or challenge = "http-01"'
            yield Unfit("is needed for dns-01", remedy, setting="acme.hook")

    @property
    def low_ports(self) -> bool:
        """Whether the relay has to listen on a port below 1024, for which a service needs a capability."""
        addresses = [self.listen]
        if self.tls_by_acme and self.acme.challenge == "http-01":
            addresses.append(self.acme.http_address)
        return any(split_address(address)[1] < _FIRST_FREE_PORT for address in addresses)


def check_settings(settings: ServerSettings) -> None:
    """Refuse settings that would be unsafe, or of no use; no file is opened. Raises ServerError."""
    problems = [f"{dotted(key)}: {error}" for key, error in unfit_settings(settings)]
    if problems:
        raise ServerError("the settings cannot be used:" + "".join(f"\n  server.{problem}" for problem in problems))


def trusted_networks(settings: ServerSettings) -> list[Network]:
    """The networks of `trusted_proxies`."""
    return [ipaddress.ip_network(text, strict=False) for text in settings.trusted_proxies]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
