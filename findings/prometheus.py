"""Metrics as text (Prometheus's exposition format 0.0.4), for node_exporter's textfile collector. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from findings.finding import Finding, Status, worst

Labels = Sequence[tuple[str, str]]
"""(name, value) in the order in which they are written; values may hold anything."""

_VALUES: dict[Status, float] = {"pass": 0, "warn": 1, "fail": 2, "unknown": math.nan}
"""NaN is Prometheus's own word for what could not be measured: no threshold of an alert matches it."""


def gauge_lines(name: str, description: str, samples: Iterable[tuple[Labels, float]]) -> list[str]:
    """A gauge with its `# HELP` and `# TYPE`, one line for each sample. Times are Unix seconds, as Prometheus's own are."""
    return [
        f"# HELP {name} {description}",
        f"# TYPE {name} gauge",
        *(f"{name}{_label_set(labels)} {_number(value)}" for labels, value in samples),
    ]


def finding_lines(name: str, description: str, judged: Iterable[tuple[Labels, Iterable[Finding]]]) -> list[str]:
    """A gauge of findings: 0 pass, 1 warn, 2 fail, NaN unknown.

    The labels that are given come first, then `check` (the finding's name) and `host` (where). A series may stand only once:
    of several findings with the same labels it shows the worst.
    """
    series: dict[tuple[tuple[str, str], ...], list[Finding]] = {}
    for labels, findings in judged:
        for finding in findings:
            own = (*labels, ("check", finding.name), ("host", finding.where))
            series.setdefault(own, []).append(finding)
    return gauge_lines(name, description, ((labels, _VALUES[worst(found)]) for labels, found in series.items()))


def exposition(*metrics: Iterable[str]) -> str:
    """The whole text of several metrics; the format wants a line end after the last line too."""
    return "".join(f"{line}\n" for lines in metrics for line in lines)


def _label_set(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    """As the format wants a label's value: only these three characters are special in it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
