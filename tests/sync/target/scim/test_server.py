"""scim2-server passes the suite of all targets, with PATCH and without, and searching or not."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from sync.model import Values
from sync.target import Target
from sync.target.scim import ScimTarget
from sync.target.scim.paths import USER_PATHS
from tests.sync.target.conformance import TargetConformance
from tests.sync.target.scim.conftest import TOKEN, Service

pytestmark = pytest.mark.scim


class TestConformance(TargetConformance):
    """As the service describes itself."""

    async def foreign_account(self, target: Target, values: Values, anchor: str) -> str:
        """By a bare request, without externalId where there is no anchor."""
        assert isinstance(target, ScimTarget)
        plain = {USER_PATHS[name]: value for name, value in values.items() if USER_PATHS[name].isalpha()}
        body: dict[str, Any] = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], **plain}
        body.setdefault("userName", secrets.token_hex(8))
        if "mail" in values:
            body["emails"] = [{"type": "work", "value": values["mail"]}]
        if anchor:
            body["externalId"] = anchor
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{target._settings.url}/Users", json=body) as response,
        ):
            assert response.status == 201, await response.text()
            return str((await response.json())["id"])


class TestWholeResources(TestConformance):
    """Without PATCH and without filters."""

    @pytest.fixture
    async def target(self, service: Service) -> AsyncIterator[ScimTarget]:
        target = ScimTarget("scim", service.settings(patch=False, put=True, filter=False, page_size=10, members_a_request=7))
        yield target
        await target.close()

    async def test_preflight_finds_nothing(self, target: Target) -> None:
        """It warns of what whole resources and searching without filters cost."""
        findings = {finding.name: finding for finding in await target.check()}
        assert {name for name, finding in findings.items() if finding.status == "warn"} == {"changes", "search"}
        assert {finding.status for finding in findings.values()} == {"warn", "pass"}
        assert all(finding.remedy for finding in findings.values() if finding.status == "warn")
