"""The page of the metrics, from the collectors, which are shown one made-up connection and controller to measure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from foundation.process_metrics import register_process
from gateway.agent import AgentCoreSettings
from gateway.alarms import Alarms
from gateway.app import ServerSettings
from gateway.certificate import CertificateGauges
from gateway.federation import FederationMetrics, KeyGauges, RingHealth
from gateway.protocol import Outcome
from gateway.relay import AgentGauges, LookUpMetrics, RefusalGauges, SignInMetrics
from isthmus.agent_process import AgentMetrics
from isthmus.reference.markdown import code, page, table

_ADDRESSES = (
    (
        code("/healthz"),
        "load balancers: can this node serve? At the relay's public address as well",
        "it is stopping; its database does not answer or refuses writes; its clock is more than 2 s off that of a shared "
        "database; the HTTPS certificate that it serves has expired",
        "it is stopping; its certificate has expired",
    ),
    (
        code("/readyz"),
        "monitors: can somebody sign in here?",
        f"the same; or no domain is ready ({code('domains')} has the condition of each)",
        f"no relay is connected; or one of its {code('directories')} is not ready",
    ),
)


def metrics_page() -> str:
    """What Prometheus can read of a relay and of an agent."""
    introduction = """\
Text format of Prometheus, at `/metrics`. Two more addresses beside it answer 200 or 503, and say why as `status` in JSON.
Counters start at 0 with their process; beside each of the relay's counters there is a gauge `…_created`, the Unix time at
which it started."""
    return page(
        "Metrics",
        introduction,
        table(("address", "for", "503 from a relay", "503 from an agent"), _ADDRESSES),
        "What the conditions mean, and what to do: Troubleshooting.",
        _section("Relay", f"At {code('server.metrics_listen')}, {_default(ServerSettings, 'metrics_listen')}.", relay()),
        _section("Agent", f"At {code('core.health_listen')}, {_default(AgentCoreSettings, 'health_listen')}.", agent()),
        f"Outcomes: {', '.join(code(outcome.value) for outcome in Outcome)}; on the relay also `refused_by_admission`.",
    )


def relay() -> list[Metric]:
    """The relay's, with one agent connected, one sign-in counted and one alarm raised."""
    registry = CollectorRegistry()
    register_process(registry)
    SignInMetrics(registry).count("signin", Outcome.SUCCESS, 1.0)
    LookUpMetrics(registry)
    Alarms.counter(registry).labels("a")
    connection = SimpleNamespace(name="a", outstanding=0, latency=0.0, clock_skew=0.0)
    dispatcher = SimpleNamespace(connections=[connection], waiting=0, conditions=lambda: {"a": "ready"})
    registry.register(AgentGauges(cast(Any, dispatcher)))
    registry.register(CertificateGauges(lambda: 0.0, 0.0))
    registry.register(RefusalGauges(cast(Any, SimpleNamespace(delay=0.25, waiting=0, open=0))))
    applications = FederationMetrics()
    applications.count_issued("a", "oidc", 0.0)
    applications.count_refused("a", "oidc", "a")
    registry.register(applications)
    key = SimpleNamespace(since=0.0, record=SimpleNamespace(not_after=0.0))
    keys = SimpleNamespace(active=lambda _ring, _algorithm: key)
    ring = RingHealth(ring="saml", ends=0.0, stage="notice", problems=())
    registry.register(KeyGauges(cast(Any, keys), lambda: (ring,), lambda: 0.0))
    return list(registry.collect())


def agent() -> list[Metric]:
    """The agent's, with one relay connected and one domain controller."""
    state = SimpleNamespace(connected={"a": 1}, in_flight=0, certificate_ends=0.0)
    controller = SimpleNamespace(directory="a", controller="a", state="up", binds=0)
    running = SimpleNamespace(state=state, outcomes={"success": 1}, lookups={"live": 1})
    directories = SimpleNamespace(health=lambda: [controller])
    registry = CollectorRegistry()
    register_process(registry)
    return [*registry.collect(), *AgentMetrics(cast(Any, running), cast(Any, directories)).collect()]


def _section(title: str, where: str, metrics: Iterable[Metric]) -> str:
    rows = [(_name(metric), metric.type, _labels(metric), metric.documentation) for metric in metrics]
    return "\n\n".join([f"## {title}", where, table(("metric", "type", "labels", "meaning"), rows)])


def _name(metric: Metric) -> str:
    return code(metric.name + {"counter": "_total", "info": "_info"}.get(metric.type, ""))


def _labels(metric: Metric) -> str:
    return ", ".join(code(label) for label in metric.samples[0].labels if label != "le")


def _default(model: Any, field: str) -> str:
    defaults = {entry.name: entry.default for entry in dataclasses.fields(model)}
    return code(defaults[field]) + " unless set"
