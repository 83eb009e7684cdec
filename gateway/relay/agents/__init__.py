"""The agents: who is enrolled, who is connected, who is asked, and who lies.

What belongs here: certificates of agents, their websockets, the choice among them, canaries. What does not: what is said
on a connection (protocol), whether an attempt may be made at all (credentials).
"""

from gateway.relay.agents.bindings import REST, DirectoryBindings, fold_domain
from gateway.relay.agents.canary import CanaryKeeper
from gateway.relay.agents.connection import AgentConnection, LookUpTask, Loss, Task
from gateway.relay.agents.dispatch import Dispatched, Dispatcher, domain_of
from gateway.relay.agents.endpoint import AgentEndpoint
from gateway.relay.agents.enrolment import Enrolment
from gateway.relay.agents.metrics import AgentGauges
from gateway.relay.agents.presence import FRESH, PresenceReporter
from gateway.relay.agents.registry import AgentRegistry

__all__ = [
    "FRESH",
    "REST",
    "AgentConnection",
    "AgentEndpoint",
    "AgentGauges",
    "AgentRegistry",
    "CanaryKeeper",
    "DirectoryBindings",
    "Dispatched",
    "Dispatcher",
    "Enrolment",
    "LookUpTask",
    "Loss",
    "PresenceReporter",
    "Task",
    "domain_of",
    "fold_domain",
]
