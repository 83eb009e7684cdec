"""A farm's findings and the ends of its certificates as metrics. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adfs_mgmt.farm import ExternalView, Farm
from adfs_mgmt.health.inventory import certificate_inventory
from findings import Finding, Labels, exposition, finding_lines, gauge_lines

Checked = Sequence[tuple[Farm, ExternalView | None, Sequence[Finding]]]
"""Farms, with what was found of each."""


def prometheus_text(checked: Checked) -> str:
    """The whole text of several farms."""
    return exposition(
        finding_lines(
            "isthmus_adfs_check",
            "Outcome of a check: 0 pass, 1 warn, 2 fail.",
            (((("farm", farm.name),), found) for farm, _, found in checked),
        ),
        gauge_lines("isthmus_adfs_certificate_end_seconds", "When a certificate expires.", _ends(checked)),
        gauge_lines(
            "isthmus_adfs_read_seconds",
            "When the farm was read.",
            (((("farm", farm.name),), round(farm.read_at)) for farm, _, _ in checked),
        ),
    )


def _ends(checked: Checked) -> Iterator[tuple[Labels, float]]:
    for farm, external, _ in checked:
        for entry in certificate_inventory(farm, external):
            certificate = entry.certificate
            if certificate.not_after is not None:
                labels = (("use", entry.group), ("role", entry.role), ("thumbprint", certificate.thumbprint))
                yield (("farm", farm.name), *labels), round(certificate.not_after)
