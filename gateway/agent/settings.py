"""Settings of the agent's core: how it reaches its relays and how much it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from settings import Bounds, OrEmpty, SecretFile, Unfit, distinct, host_name, listen_address, origin, proxy_address


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCoreSettings:
    """How the agent deals with its relays."""

    relays: Annotated[tuple[Annotated[str, origin], ...], distinct] = ()
    """Relay addresses (`https://…`). Empty: the one that issued the enrolment token. With several, all are kept."""
    connections: Annotated[int, Bounds(most=64)] = 2
    """Connections to each relay. Two, so that a load balancer that drops one interrupts nobody."""
    capacity: Annotated[int, Bounds(most=65_535)] = 64
    """Requests taken at once on one connection; more wait at the relay, where another agent may take them."""
    tls_ca_file: Path | None = None
    """CA certificates (PEM) that the relay's HTTPS certificate must come from. Empty: the system's."""
    proxy: Annotated[str, proxy_address] | None = None
    """HTTP proxy (`http://host:port`) for the way out. Empty: HTTPS_PROXY and NO_PROXY of the environment; `none`
    switches proxies off."""
    proxy_user: str | None = None
    """User name for the proxy, where it wants one."""
    proxy_password_file: SecretFile | None = None
    """File with the proxy's password, mode 0600; a file, so that it shows in no process list. One line end is cut off."""
    reconnect_ceiling: float = 4.0
    """Seconds at most between two tries to reach a relay; tries are spread at random so that agents do not stampede."""
    drain_timeout: Annotated[float, Bounds(most=3600, zero=True)] = 20.0
    """Seconds that a stopping agent gives to what is in flight. 0: none."""
    status_interval: float = 30.0
    """Seconds between reports on the domain controllers' state to the relay."""
    health_listen: Annotated[str, OrEmpty(listen_address)] = "127.0.0.1:9180"
    """Address for /healthz, /readyz and /metrics; loopback, since the agent opens no port to others. Empty: none."""
    health_hosts: tuple[Annotated[str, host_name], ...] = ()
    """Further names by which monitoring asks `health_listen`, besides IP addresses, `localhost`, this machine's name and
    the host of `health_listen`; others are refused, for a web page can have a name of its own lead to this address."""

    def contradictions(self) -> Iterator[Unfit]:
        """Credentials for a proxy that is not there, or without the other half."""
        if self.proxy_user is not None and self.proxy in {None, "none"}:
            yield Unfit("is not used without a proxy", "set proxy, too", setting="proxy_user")
        if self.proxy_password_file is not None and self.proxy_user is None:
            yield Unfit("is not used without a user", "set proxy_user, too", setting="proxy_password_file")
