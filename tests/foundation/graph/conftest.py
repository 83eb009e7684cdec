from __future__ import annotations

from tests.adfs.trust.conftest import direct, fake, graph, live, naps, settings, tenant

__all__ = ["direct", "fake", "graph", "live", "naps", "settings", "tenant"]
