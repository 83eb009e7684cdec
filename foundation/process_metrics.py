"""What every process tells of itself to Prometheus: its version, its memory, files, processor time and start."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector


class BuildInfo(Collector):
    """`isthmus_build_info`, always 1: what was built is in its labels."""

    def __init__(self) -> None:
        self._labels = {"version": version("isthmus"), "python": platform.python_version()}

    def collect(self) -> Iterable[Metric]:
        """The one sample."""
        yield InfoMetricFamily("isthmus_build", "Version of Isthmus, and of the Python that it runs on.", self._labels)


def register_process(registry: CollectorRegistry) -> None:
    """Have a registry tell of this process too. `process_…` is there where the system has /proc."""
    registry.register(BuildInfo())
    ProcessCollector(registry=registry)
