"""A SCIM service as some are in the wild: each quirk can be turned on, and each fault can be put before an answer.

It refuses what those services refuse. What RFC 7644 says in full is scim2-server's part.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]
TOKEN = "s3cret"
_FILTER = re.compile(r'([\w.:-]+) eq ("(?:[^"\\]|\\.)*")')
_MEMBER = re.compile(r'members\[value eq ("(?:[^"\\]|\\.)*")\]')


@dataclass
class Canned:
    """What is answered instead. do: the request is done before that. cut: so many bytes come, then the connection breaks."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    do: bool = False
    content_type: str = "application/scim+json"
    cut: int | None = None
    drop: bool = False
    """The connection breaks without an answer."""
    hang: bool = False
    """No answer comes until the test lets it."""
    only: str = ""
    """Method that it is for; others pass."""


class QuirkyService:
    """One service. Async context manager; `address` is where it is."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.resources: dict[str, dict[str, Json]] = {"Users": {}, "Groups": {}}
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.tokens: list[str] = []
        self.canned: deque[Canned] = deque()
        self.let_go = asyncio.Event()
        self.config: Json | None = None
        self.schemas: list[Json] | None = None
        self.accepted = {TOKEN}
        self.most_members = 10_000
        self.patch = True
        self.ignores_filters = False
        self.ignores_writes = False
        self.refuses_filters = False
        self.silent = False
        """204 after PATCH."""
        self.text_booleans = False
        self.capitals = False
        """Names of attributes begin with a capital letter."""
        self.total_offset = 0
        self.repeats_pages = False
        self.numbers = 0

    async def __aenter__(self) -> QuirkyService:
        application = web.Application(client_max_size=1 << 26)
        application.router.add_route("*", "/v2/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        port = self._runner.addresses[0][1]
        self.address = f"{'https' if self._tls else 'http'}://localhost:{port}/v2"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.let_go.set()
        await self._runner.cleanup()

    def put(self, endpoint: str, **values: Any) -> str:
        """A resource that is there already; its id."""
        self.numbers += 1
        remote: str = values.pop("id", f"r{self.numbers}")
        self.resources[endpoint][remote] = {"id": remote, **values}
        return remote

    def sent(self, *methods: str) -> list[tuple[str, str, Any]]:
        """Requests with these methods: method, path, body."""
        return [(method, path, body) for method, path, _, body in self.requests if method in methods]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = json.loads(text) if text else None
        path = request.path.removeprefix("/v2")
        self.requests.append((request.method, path, dict(request.query), body))
        self.tokens.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if self.tokens[-1] not in self.accepted:
            return _answer(401, {"detail": "bad token"})
        described = path in {"/ServiceProviderConfig", "/ResourceTypes", "/Schemas"}
        if self.canned and not described and self.canned[0].only in {"", request.method}:
            return await self._answer_canned(self.canned.popleft(), request, path, body)
        return self._do(request, path, body)

    async def _answer_canned(self, canned: Canned, request: web.Request, path: str, body: Any) -> web.StreamResponse:
        if canned.do:
            self._do(request, path, body)
        if canned.hang:
            await self.let_go.wait()
        if canned.drop:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = {"Content-Type": canned.content_type, **canned.headers}
        if canned.cut is None:
            return web.Response(status=canned.status, body=canned.body, headers=headers)
        response = web.StreamResponse(status=canned.status, headers={**headers, "Content-Length": str(len(canned.body))})
        await response.prepare(request)
        await response.write(canned.body[: canned.cut])
        assert request.transport is not None
        request.transport.abort()
        return response

    def _do(self, request: web.Request, path: str, body: Any) -> web.Response:
        endpoint, _, remote = path.strip("/").partition("/")
        if endpoint == "ServiceProviderConfig" and self.config is not None:
            return _answer(200, self.config)
        if endpoint == "Schemas" and self.schemas is not None:
            return _answer(200, {"totalResults": len(self.schemas), "Resources": self.schemas})
        if endpoint not in self.resources:
            return _answer(404, {"detail": "no such endpoint"})
        if not remote:
            return self._create(endpoint, body) if request.method == "POST" else self._search(endpoint, request)
        if remote not in self.resources[endpoint]:
            return _answer(404, {"detail": "no such resource"})
        act: dict[str, Callable[[str, str, Any], web.Response]]
        act = {"GET": self._get, "PATCH": self._patch, "PUT": self._put, "DELETE": self._delete}
        return act[request.method](endpoint, remote, body)

    def _create(self, endpoint: str, body: Json) -> web.Response:
        name = "userName" if endpoint == "Users" else "displayName"
        if any(str(r.get(name, "")).casefold() == body[name].casefold() for r in self.resources[endpoint].values()):
            return _answer(409, {"detail": f"{name} is taken", "scimType": "uniqueness"})
        remote = self.put(endpoint, **body)
        return _answer(201, self._shown(self.resources[endpoint][remote]))

    def _search(self, endpoint: str, request: web.Request) -> web.Response:
        found = list(self.resources[endpoint].values())
        if (text := request.query.get("filter")) and not self.ignores_filters:
            matched = _FILTER.fullmatch(text)
            if matched is None or self.refuses_filters:
                return _answer(400, {"detail": "filter", "scimType": "invalidFilter"})
            wanted = json.loads(matched[2])
            found = [r for r in found if wanted.casefold() in {str(v).casefold() for v in _values(r, matched[1])}]
        begin = 0 if self.repeats_pages else int(request.query.get("startIndex", "1")) - 1
        page = found[begin : begin + int(request.query.get("count", "100"))]
        total = len(found) + self.total_offset
        return _answer(200, {"totalResults": total, "Resources": [self._shown(r) for r in page]})

    def _get(self, endpoint: str, remote: str, body: Any) -> web.Response:
        return _answer(200, self._shown(self.resources[endpoint][remote]))

    def _delete(self, endpoint: str, remote: str, body: Any) -> web.Response:
        if not self.ignores_writes:
            del self.resources[endpoint][remote]
        return web.Response(status=204)

    def _put(self, endpoint: str, remote: str, body: Json) -> web.Response:
        self.resources[endpoint][remote] = {**body, "id": remote}
        return _answer(200, self._shown(self.resources[endpoint][remote]))

    def _patch(self, endpoint: str, remote: str, body: Json) -> web.Response:
        if not self.patch:
            return _answer(405, {"detail": "no PATCH"})
        resource = self.resources[endpoint][remote]
        named = sum(len(o["value"]) if isinstance(o.get("value"), list) else 1 for o in body["Operations"])
        if endpoint == "Groups" and named > self.most_members:
            return _answer(400, {"detail": f"at most {self.most_members} members", "scimType": "tooMany"})
        for operation in () if self.ignores_writes else body["Operations"]:
            if (refusal := self._patch_one(resource, operation)) is not None:
                return refusal
        return web.Response(status=204) if self.silent else _answer(200, self._shown(resource))

    def _patch_one(self, resource: Json, operation: Json) -> web.Response | None:
        op, path, value = operation["op"].casefold(), operation["path"], operation.get("value", ())
        members: dict[str, None] = {member["value"]: None for member in resource.get("members", ())}
        if path == "members" and op == "add":
            for member in value:
                if not any(member["value"] in resources for resources in self.resources.values()):
                    return _answer(404, {"detail": f"no member {member['value']}"})
            members.update(dict.fromkeys(member["value"] for member in value))
        elif path == "members" and op == "remove":
            # without a value, all members go: what must never be asked of it
            members = {m: None for m in members if value and m not in {v["value"] for v in value}}
        elif matched := _MEMBER.fullmatch(path):
            if json.loads(matched[1]) not in members:
                return _answer(400, {"detail": "no such member", "scimType": "noTarget"})
            del members[json.loads(matched[1])]
        else:
            _assign(resource, path, value if op != "remove" else None)
            return None
        resource["members"] = [{"value": member} for member in members]
        return None

    def _shown(self, resource: Json) -> Json:
        shown = json.loads(json.dumps(resource))
        if self.text_booleans and "active" in shown:
            shown["active"] = str(shown["active"])
        return {name[0].upper() + name[1:]: value for name, value in shown.items()} if self.capitals else shown


def _values(resource: Json, path: str) -> list[Any]:
    name, _, sub = path.partition(".")
    value = resource.get(name)
    if isinstance(value, list):
        return [entry.get(sub) for entry in value]
    return [value.get(sub) if isinstance(value, dict) else value]


def _assign(resource: Json, path: str, value: Any) -> None:
    place = resource
    if path.startswith("urn:"):
        schema, _, path = path.rpartition(":")
        place = resource.setdefault(schema, {})
    name, _, sub = path.partition(".")
    if sub:
        place, name = place.setdefault(name, {}), sub
    if value is None:
        place.pop(name, None)
    else:
        place[name] = value


def _answer(status: int, body: Json) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/scim+json")


class Sleeps:
    """Instead of waiting: seconds that were to be waited."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
