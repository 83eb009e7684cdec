"""Throttling, outages and answers that nobody should give."""

from __future__ import annotations

import json

import pytest

from adfs_mgmt.trust.reader import read_domain, read_tenant
from certs import Certificate
from foundation.graph import Graph, GraphError, MalformedAnswer, OutcomeUnknown, Rejected, Throttled, Unreachable
from foundation.graph import client as graph_module
from tests.adfs.trust.conftest import Naps
from tests.fakes.graph import FakeGraph

LIST = "/v1.0/domains"


async def test_retry_after_is_kept(graph: Graph, tenant: FakeGraph, naps: Naps) -> None:
    """429 says how long to wait, and that is how long it takes."""
    tenant.fault(429, 2, LIST, retry_after="7")
    assert (await read_domain(graph, "example.com")).configuration is not None
    assert naps.taken == [7.0, 7.0]


@pytest.mark.parametrize("retry_after", [None, "soon", "-1", "9" * 30, "Wed, 21 Oct 2026 07:28:00 GMT", "\u0663"])
async def test_an_unusable_retry_after(graph: Graph, tenant: FakeGraph, naps: Naps, retry_after: str | None) -> None:
    """Absent or rubbish: our own back-off, doubling."""
    tenant.fault(429, 2, LIST, retry_after=retry_after)
    await read_domain(graph, "example.com")
    assert naps.taken == [1.0, 2.0]


async def test_throttled_for_too_long(graph: Graph, tenant: FakeGraph, naps: Naps) -> None:
    """A wait beyond our patience is handed to the person, and nothing was waited for."""
    tenant.fault(429, 9, LIST, retry_after="3600")
    with pytest.raises(Throttled) as caught:
        await read_tenant(graph, 0)
    assert (caught.value.retry_after, naps.taken) == (3600.0, [])


async def test_throttled_for_ever(graph: Graph, tenant: FakeGraph) -> None:
    """The tries are bounded."""
    fault = tenant.fault(429, 99, LIST, retry_after="1")
    with pytest.raises(Throttled):
        await read_tenant(graph, 0)
    assert fault.times == 99 - graph_module.TRIES


async def test_real_throttling(graph: Graph, tenant: FakeGraph, naps: Naps) -> None:
    """A limit on requests in a minute is got over by waiting as told."""
    tenant.faults.requests_per_minute = 2
    start, waited = tenant.clock(), naps.taken
    tenant.clock = lambda: start + sum(waited)
    assert len((await read_tenant(graph, 0)).domains) == 5
    assert waited


@pytest.mark.parametrize("more", [{"status": 500}, {"status": 502}, {"status": 503}, {"status": 504}, {"drop": True}])
async def test_reads_are_repeated(graph: Graph, tenant: FakeGraph, naps: Naps, more: dict[str, object]) -> None:
    """A server error or a broken connection costs a read some time, no more."""
    tenant.fault(times=2, path=LIST, **more)  # type: ignore[arg-type]
    assert (await read_domain(graph, "example.com")).federated
    assert naps.taken in ([1.0, 2.0], [1.0])  # aiohttp itself repeats a GET once on a connection that it had kept


async def test_reads_are_not_repeated_for_ever(graph: Graph, tenant: FakeGraph) -> None:
    """After the last try the error says what Graph answered."""
    tenant.fault(500, 99, LIST)
    with pytest.raises(Unreachable, match="500 4 times"):
        await read_tenant(graph, 0)


async def test_changes_are_not_repeated(graph: Graph, tenant: FakeGraph) -> None:
    """A change with a lost answer is one request."""
    fault = tenant.fault(500, 5, "/v1.0/domains/managed.example")
    with pytest.raises(OutcomeUnknown, match="not known"):
        await graph.patch("changing", {"isDefault": True}, "domains", "managed.example")
    assert fault.times == 4


async def test_throttled_changes_are_repeated(graph: Graph, tenant: FakeGraph, naps: Naps) -> None:
    """429 means that it was not begun."""
    tenant.fault(429, 1, "/v1.0/domains/managed.example", retry_after="3")
    await graph.patch("changing", {"isDefault": True}, "domains", "managed.example")
    assert tenant.domains.all["managed.example"].is_default
    assert naps.taken == [3.0]


async def test_a_huge_answer(graph: Graph, tenant: FakeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without end is cut off."""
    monkeypatch.setattr(graph_module, "MAX_BYTES", 100_000)
    tenant.fault(path=LIST, body=b'{"value": [' + b" " * 200_000 + b"]}")
    with pytest.raises(MalformedAnswer, match="more than"):
        await read_tenant(graph, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b"7",
        b"[]",
        b"{}",
        b'{"value": null}',
        b'{"value": [7]}',
        b'{"value": [{}]}',
        b'{"value": [{"id": "a.example", "authenticationType": "Martian"}]}',
        b'{"value": [{"id": "../../me", "authenticationType": "Managed"}]}',
        b'{"value": [{"id": "a\\u001b[2J.example", "authenticationType": "Managed"}]}',
        b'{"value": [{"id": ["a"], "authenticationType": "Managed"}]}',
        b'{"value": [], "@odata.nextLink": 7}',
        b'{"value": [], "@odata.nextLink": "https://evil.example/v1.0/domains"}',
        b'{"value": [], "@odata.nextLink": "http://127.0.0.1/v1.0/domains"}',
    ],
)
async def test_malformed_lists(graph: Graph, tenant: FakeGraph, body: bytes) -> None:
    """Whatever the answer is, our own error comes of it."""
    tenant.fault(path=LIST, body=body)
    with pytest.raises(MalformedAnswer):
        await read_tenant(graph, 0)


async def test_pages_without_end(graph: Graph, tenant: FakeGraph) -> None:
    """A page that leads to itself ends after a bounded number."""
    body = json.dumps({"value": [], "@odata.nextLink": f"{tenant.url}/v1.0/domains?again"}).encode()
    tenant.fault(path=LIST, times=10_000, body=body)
    with pytest.raises(MalformedAnswer, match="pages"):
        await read_tenant(graph, 0)


@pytest.mark.parametrize(
    "value",
    [
        "[]",
        "[{}]",
        '[{"id": 7}]',
        '[{"id": "x"}, {"id": "y"}]',
        '[{"id": "x", "issuerUri": 7, "signingCertificate": 7}]',
        '[{"id": "x", "signingCertificate": "!!"}]',
        '[{"id": "x", "signingCertificateUpdateStatus": {"certificateUpdateResult": 7, "lastRunDateTime": 7}}]',
        '[{"id": "x", "signingCertificateUpdateStatus": {"certificateUpdateResult": "x", "lastRunDateTime": "9999999"}}]',
    ],
)
async def test_malformed_configurations(graph: Graph, tenant: FakeGraph, value: str) -> None:
    """A strange configuration is a domain's error or problem, never a crash, and the other domains are read."""
    tenant.fault(path="example.com/federationConfiguration", body=f'{{"value": {value}}}'.encode())
    trust = await read_tenant(graph, 0)
    domain, other = trust.domain("example.com"), trust.domain("example.org")
    assert domain is not None
    assert other is not None
    assert other.configuration is not None
    assert domain.error or domain.configuration is not None


async def test_an_errors_text_cannot_move_the_cursor(graph: Graph, tenant: FakeGraph, live: Certificate) -> None:
    """Control characters of Graph's message do not reach the terminal, and its length is bounded."""
    body = json.dumps({"error": {"code": "Bad\nCode", "message": "\x1b[2J" + "x" * 5000}}).encode()
    error = graph_module.failure_of("reading", 400, {"request-id": "\x1b[31mred"}, body)
    assert isinstance(error, Rejected)
    assert str(error).isprintable()
    assert len(str(error)) < 700


async def test_a_redirect_is_not_followed(graph: Graph, tenant: FakeGraph) -> None:
    """The token is not carried elsewhere by a 302."""
    tenant.fault(302, 1, LIST)
    with pytest.raises(MalformedAnswer, match="redirect"):
        await read_tenant(graph, 0)


async def test_every_error_says_what_was_done(graph: Graph, tenant: FakeGraph) -> None:
    """Errors of Graph carry what was being done and the identifier that support asks for."""
    tenant.fault(404, 1, LIST)
    with pytest.raises(GraphError) as caught:
        await read_tenant(graph, 0)
    assert str(caught.value).startswith("listing the domains: ")
    assert caught.value.request_id in str(caught.value)
