"""On-prem side: outbound connections to the relays, password validation against the directory.

What belongs here: the shell around `gateway.protocol` on websockets, request intake (credits, deadlines, replays),
and translation between the directory's words and the wire's. It opens no inbound port but a local health one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.lazy import lazy_names

if TYPE_CHECKING:
    from gateway.agent.agent import REFUSALS, Agent
    from gateway.agent.clock import steady_clock
    from gateway.agent.connection import RelayConnection
    from gateway.agent.enrolment import enrol
    from gateway.agent.errors import AgentError, EnrolmentFailed, NotEnrolled, RelayUnreachable
    from gateway.agent.health import HealthServer, HealthUnavailable
    from gateway.agent.known_people import KnownPeople
    from gateway.agent.ports import CredentialDirectories
    from gateway.agent.probe import RelayVerdict, probe_relay
    from gateway.agent.routes import ROUTE_SETTINGS, BadRoute, Route, known_relays, make_routes, proxy_of, tls_context
    from gateway.agent.settings import AgentCoreSettings, LookUpSettings
    from gateway.agent.state import AgentState
    from gateway.agent.validator import Validator
    from gateway.agent.withheld import read_withheld

__all__ = [
    "REFUSALS",
    "ROUTE_SETTINGS",
    "Agent",
    "AgentCoreSettings",
    "AgentError",
    "AgentState",
    "BadRoute",
    "CredentialDirectories",
    "EnrolmentFailed",
    "HealthServer",
    "HealthUnavailable",
    "KnownPeople",
    "LookUpSettings",
    "NotEnrolled",
    "RelayConnection",
    "RelayUnreachable",
    "RelayVerdict",
    "Route",
    "Validator",
    "enrol",
    "known_relays",
    "make_routes",
    "probe_relay",
    "proxy_of",
    "read_withheld",
    "steady_clock",
    "tls_context",
]

_MODULES = {
    "agent": "REFUSALS Agent",
    "clock": "steady_clock",
    "connection": "RelayConnection",
    "enrolment": "enrol",
    "errors": "AgentError EnrolmentFailed NotEnrolled RelayUnreachable",
    "health": "HealthServer HealthUnavailable",
    "known_people": "KnownPeople",
    "ports": "CredentialDirectories",
    "probe": "RelayVerdict probe_relay",
    "routes": "ROUTE_SETTINGS BadRoute Route known_relays make_routes proxy_of tls_context",
    "settings": "AgentCoreSettings LookUpSettings",
    "state": "AgentState",
    "validator": "Validator",
    "withheld": "read_withheld",
}
"""A command that reads settings needs neither websockets nor aiohttp."""

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)
