"""Judgement in Prometheus's text format (exposition format 0.0.4), for node_exporter's textfile collector. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adfs_mgmt.farm.model import Farm, Outside
from adfs_mgmt.health.check import Check
from adfs_mgmt.health.lines import certificate_lines
from certs import Certificate

_VALUE = {"pass": 0, "warn": 1, "fail": 2}


def prometheus(judged: Sequence[tuple[Farm, Outside | None, Sequence[Check]]]) -> str:
    """Of several farms. Times are Unix seconds, as Prometheus's own are."""
    lines = [
        "# HELP isthmus_adfs_check Outcome of a check: 0 pass, 1 warn, 2 fail.",
        "# TYPE isthmus_adfs_check gauge",
    ]
    worst: dict[tuple[tuple[str, str], ...], int] = {}
    for farm, _, checks in judged:
        for check in checks:
            labels = (("farm", farm.name), ("check", check.name), ("host", check.where))
            worst[labels] = max(worst.get(labels, 0), _VALUE[check.status])
    lines += [f"isthmus_adfs_check{_labels(labels)} {value}" for labels, value in worst.items()]
    lines += [
        "# HELP isthmus_adfs_certificate_end_seconds When a certificate ends.",
        "# TYPE isthmus_adfs_certificate_end_seconds gauge",
    ]
    lines += [line for farm, outside, _ in judged for line in _ends(farm, outside)]
    lines += [
        "# HELP isthmus_adfs_read_seconds When the farm was read.",
        "# TYPE isthmus_adfs_read_seconds gauge",
    ]
    lines += [f"isthmus_adfs_read_seconds{_labels((('farm', farm.name),))} {farm.read_at:.0f}" for farm, _, _ in judged]
    return "\n".join(lines) + "\n"


def _ends(farm: Farm, outside: Outside | None) -> Iterable[str]:
    for line in certificate_lines(farm, outside):
        certificate: Certificate = line.certificate
        labels = (("farm", farm.name), ("use", line.group), ("role", line.role), ("thumbprint", certificate.thumbprint))
        if certificate.not_after:
            yield f"isthmus_adfs_certificate_end_seconds{_labels(labels)} {certificate.not_after:.0f}"


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
