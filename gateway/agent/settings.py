"""Settings of the agent's core: how it reaches its relays and how much it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from settings import Bounds, OrEmpty, SecretFile, Unfit, distinct, host_name, listen_address, origin, proxy_address


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCoreSettings:
    """Connections to the relays."""

    relays: Annotated[tuple[Annotated[str, origin], ...], distinct] = ()
    """Relay addresses (`https://…`). Empty: the relay that issued the enrolment token. With several, the agent
    connects to all of them."""
    connections: Annotated[int, Bounds(most=64)] = 2
    """Number of connections to each relay. Two, so that users are not affected when a load balancer drops one."""
    capacity: Annotated[int, Bounds(most=65_535)] = 64
    """Maximum number of requests in progress on one connection; further requests wait at the relay, where another
    agent may take them."""
    tls_ca_file: Path | None = None
    """CA certificates (PEM) for the relay's HTTPS certificate. Empty: the system's certificate store."""
    proxy: Annotated[str, proxy_address] | None = None
    """HTTP proxy (`http://host:port`) for outgoing connections. Empty: the environment variables HTTPS_PROXY and
    NO_PROXY; `none` disables proxies."""
    proxy_user: str | None = None
    """User name for the proxy, if it requires one."""
    proxy_password_file: SecretFile | None = None
    """File with the proxy's password, mode 0600, so that the password does not appear in process lists. A line
    break at the end is ignored."""
    reconnect_ceiling: float = 4.0
    """Maximum time between two attempts to reach a relay, in seconds; the intervals are random so that agents do
    not all reconnect at the same time."""
    drain_timeout: Annotated[float, Bounds(most=3600, zero=True)] = 20.0
    """Maximum time that a stopping agent waits for checks in progress, in seconds. 0: it does not wait."""
    status_interval: float = 30.0
    """Interval between reports to the relay on the state of the domain controllers, in seconds."""
    health_listen: Annotated[str, OrEmpty(listen_address)] = "127.0.0.1:9180"
    """Address for /healthz, /readyz and /metrics; loopback by default, because the agent opens no port to the
    network. Empty: none."""
    health_hosts: tuple[Annotated[str, host_name], ...] = ()
    """Additional host names that monitoring uses for `health_listen`, besides IP addresses, `localhost`, this
    machine's name and the host of `health_listen`. Requests for other names are refused, because a web page can
    point a name of its own to this address (DNS rebinding)."""

    def contradictions(self) -> Iterator[Unfit]:
        """Credentials for a proxy that is not there, or without the other half."""
        if self.proxy_user is not None and self.proxy in {None, "none"}:
            yield Unfit("is not used without a proxy", "set proxy, too", setting="proxy_user")
        if self.proxy_password_file is not None and self.proxy_user is None:
            yield Unfit("is not used without a user", "set proxy_user, too", setting="proxy_password_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpSettings:
    """What relays may ask about users without a password: whether an account still exists and is enabled, its groups,
    and those of the directory's `attributes` that an application needs. Sessions and tokens end with the account only
    if agents answer this."""

    lookups_per_minute: Annotated[int, Bounds(most=100_000, zero=True)] = 600
    """Maximum number of look-ups that this agent answers in a minute, for all relays together, so that a stolen relay
    cannot read many users. 0: it answers none; sessions and tokens then end after the relay's `unchecked_lifetime`."""
    any_person: bool = False
    """Whether to answer about all users of the directories. By default the agent answers only about users whose password
    it has itself checked successfully in the last 30 days, so that a stolen relay cannot read the directory."""
