"""Entra ID's own update of signing certificates, once a day.

"Microsoft Entra ID attempts to retrieve a new certificate from the federation service metadata, 30 days before expiry of
the current certificate. If a new certificate isn't available, it monitors the metadata daily" (internalDomainFederation);
"35 days" says the page on renewing federation certificates. The results are those of signingCertificateUpdateStatus.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.fakes.graph.domains import Domain, Domains, stamp
from tests.fakes.graph.pki import der
from tests.fakes.graph.validation import SLOTS, certificate_of

DAY = 86400.0


class MetadataPoll:
    """`metadata(domain)` gives the DER of the token-signing certificates in the farm's metadata; what it raises counts as a
    host out of reach."""

    def __init__(
        self, domains: Domains, metadata: Callable[[Domain], Iterable[bytes]], *, begins_days_before: float = 35
    ) -> None:
        self._domains = domains
        self._metadata = metadata
        self._window = begins_days_before * DAY
        self._next = domains.clock() + DAY

    def run(self, until: float) -> int:
        """Do every poll that is due up to then; how many there were."""
        count = 0
        while self._next <= until:
            self.poll(self._next)
            self._next += DAY
            count += 1
        return count

    def poll(self, now: float) -> None:
        """One day's poll of every domain."""
        for domain in self._domains.all.values():
            if domain.configuration is not None and self._due(domain.configuration, now):
                result = self._update(domain, domain.configuration, now)
                status = {"certificateUpdateResult": result, "lastRunDateTime": stamp(now)}
                domain.configuration["signingCertificateUpdateStatus"] = status

    def _due(self, configuration: Mapping[str, Any], now: float) -> bool:
        ends = [each.not_valid_after_utc.timestamp() for each in _held(configuration)]
        return bool(ends) and max(ends) - self._window <= now

    def _update(self, domain: Domain, configuration: dict[str, Any], now: float) -> str:
        held = _held(configuration)
        if all(each.not_valid_after_utc.timestamp() <= now for each in held):
            return "noValidExistingCertFound"
        try:
            offered = [base64.b64encode(each).decode() for each in self._metadata(domain)]
        except Exception:  # noqa: BLE001 - whatever the test's farm does, Entra sees a host that does not answer
            return "couldNotAccessRemoteHost"
        known = {base64.b64encode(der(each)).decode() for each in held}
        new = [each for each in offered if each not in known]
        if not new:
            return "noNewCertificateFound"
        configuration["nextSigningCertificate"] = new[-1]
        return "success"


def _held(configuration: Mapping[str, Any]) -> list[Any]:
    return [each for slot in SLOTS if (each := certificate_of(configuration.get(slot))) is not None]
