"""What an application costs the relay: flows of OpenID Connect and SAML with a session, over HTTPS, on a durable store.

The load generator runs on the same machine, in this process. The floor is RSA-2048 alone: a code flow signs twice with it
(ID token, access token), a SAML response once.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
import ssl
import statistics
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from html import unescape
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from bench.http_client import KeptConnection
from bench.measure import processor_seconds, show
from demo.slapd import ThrowawaySlapd
from demo.stand import Stand

CALLBACK, ACS, ENTITY = "https://app.example.com/callback", "https://wiki.example.com/acs", "https://wiki.example.com/saml"
SECRET = "a secret of the benchmark's client"
VERIFIER = secrets.token_urlsafe(48)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
CONNECTIONS = 16
SESSIONS = 32

Flow = Callable[[KeptConnection, str], Awaitable[None]]
"""One flow, by a browser with these cookies."""

_OIDC = """
id = "{id}"
name = "Application"
protocol = "oidc"

[oidc]
redirect_uris = ["{callback}"]
authentication = "client_secret_post"
signing_algorithm = "{algorithm}"
secrets = [{{ digest = "{digest}" }}]
"""
_SAML = """
id = "wiki"
name = "Wiki"
protocol = "saml"

[saml]
entity_id = "{entity}"
consumers = [{{ url = "{acs}", default = true }}]
"""


def measure(seconds: int, rounds: int, relay: str, agent: str) -> None:
    """Show all figures. relay, agent: TOML of the processes."""
    with ThrowawaySlapd(people=SESSIONS) as slapd, Stand(slapd.toml(), relay=relay, agent=agent) as stand:
        stand.enrol_agent("agent-1")
        stand.start_agent("agent-1")
        _add_trusts(stand)
        people = [(slapd.upn(number), slapd.password(number)) for number in range(SESSIONS)]
        sign = _signature_ms()
        show("federation.rsa_2048_ms", sign, "one signature, on one core")
        asyncio.run(_measure(stand, people, seconds, rounds, sign))


def _add_trusts(stand: Stand) -> None:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    texts = {
        "app": _OIDC.format(id="app", callback=CALLBACK, algorithm="RS256", digest=digest),
        "curve": _OIDC.format(id="curve", callback=CALLBACK, algorithm="ES256", digest=digest),
        "wiki": _SAML.format(entity=ENTITY, acs=ACS),
    }
    for name, text in texts.items():
        path = stand.home / f"{name}.toml"
        path.write_text(text)
        stand.run("relay", "trust", "import", "--config", str(stand.relay_config), "--yes", str(path))
    stand.wait_for(lambda: json.loads(stand.get("/oidc/jwks")[1])["keys"], "the signing keys", "relay")


def _signature_ms() -> float:
    key, data = rsa.generate_private_key(65537, 2048), secrets.token_bytes(64)
    figures = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(200):
            key.sign(data, padding.PKCS1v15(), SHA256())
        figures.append((time.process_time() - started) / 200 * 1000)
    return statistics.median(figures)


async def _measure(stand: Stand, people: Sequence[tuple[str, str]], seconds: int, rounds: int, sign: float) -> None:
    cookies = [await _signed_in(stand, *person) for person in people]
    code = await _run(stand, code_flow("app"), cookies, seconds, rounds)
    show("oidc.code_flow_per_s", code.per_second, "authorize, token, userinfo; RS256")
    show("oidc.cpu_ms", code.cpu_ms, f"the relay's processor time; two signatures alone take {2 * sign:.2f}")
    curve = await _run(stand, code_flow("curve"), cookies, seconds, rounds)
    show("oidc.es256_per_s", curve.per_second, f"processor time {curve.cpu_ms:.2f} ms")
    refresh = await _run_refresh(stand, cookies, seconds, rounds)
    show("oidc.refresh_per_s", refresh.per_second, f"processor time {refresh.cpu_ms:.2f} ms")
    saml = await _run(stand, saml_flow, cookies, seconds, rounds)
    show("saml.responses_per_s", saml.per_second, "signed with RSA-2048")
    show("saml.cpu_ms", saml.cpu_ms, f"the relay's processor time; the signature alone takes {sign:.2f}")
    alone, loaded = await _latencies(stand, cookies, code.per_second / 2, seconds)
    show("federation.added_p99_ms", loaded - alone, f"p99 {loaded:.1f} ms at half of the rate, median alone {alone:.1f} ms")


class Result:
    """The median of rounds."""

    def __init__(self, rates: Sequence[float], processor: Sequence[float]) -> None:
        self.per_second, self.cpu_ms = statistics.median(rates), statistics.median(processor)


async def _run(stand: Stand, flow: Flow, cookies: Sequence[str], seconds: int, rounds: int) -> Result:
    """As many flows at a time as there are connections."""
    pid = stand.processes["relay"].pid
    await _load(stand, flow, cookies, 1.0)
    rates, processor = [], []
    for _ in range(rounds):
        before, started = processor_seconds(pid), time.perf_counter()
        done = await _load(stand, flow, cookies, seconds)
        rates.append(done / (time.perf_counter() - started))
        processor.append((processor_seconds(pid) - before) / done * 1000)
    return Result(rates, processor)


async def _load(stand: Stand, flow: Flow, cookies: Sequence[str], seconds: float) -> int:
    """How many flows were finished."""
    until, done = time.perf_counter() + seconds, 0

    async def work(cookie: str) -> None:
        nonlocal done
        async with KeptConnection(stand.url, stand.tls) as connection:
            while time.perf_counter() < until:
                await flow(connection, cookie)
                done += 1

    await asyncio.gather(*(work(cookie) for cookie in cookies[:CONNECTIONS]))
    return done


async def _latencies(stand: Stand, cookies: Sequence[str], rate: float, seconds: float) -> tuple[float, float]:
    """Milliseconds of a code flow: the median, one at a time; the 99th percentile of flows that begin at this rate."""
    flow, alone = code_flow("app"), []
    async with KeptConnection(stand.url, stand.tls) as connection:
        for _ in range(100):
            started = time.perf_counter()
            await flow(connection, cookies[0])
            alone.append((time.perf_counter() - started) * 1000)
    free: asyncio.LifoQueue[KeptConnection] = asyncio.LifoQueue()
    loaded: list[float] = []

    async def one(cookie: str, due: float) -> None:
        connection = await free.get()
        await flow(connection, cookie)
        loaded.append((time.perf_counter() - due) * 1000)
        free.put_nowait(connection)

    connections = [await KeptConnection(stand.url, stand.tls).__aenter__() for _ in range(4 * CONNECTIONS)]
    for connection in connections:
        free.put_nowait(connection)
    begin, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(cookies[number % len(cookies)], due)))
    await asyncio.gather(*tasks)
    for connection in connections:
        await connection.__aexit__(None, None, None)
    return statistics.median(alone), statistics.quantiles(loaded, n=100)[98]


async def _run_refresh(stand: Stand, cookies: Sequence[str], seconds: int, rounds: int) -> Result:
    """Each connection keeps one family of refresh tokens."""
    tokens: dict[str, str] = {}
    for cookie in cookies[:CONNECTIONS]:
        async with KeptConnection(stand.url, stand.tls) as connection:
            tokens[cookie] = str((await _tokens(connection, cookie, "app", "openid offline_access"))["refresh_token"])

    async def refresh(connection: KeptConnection, cookie: str) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": tokens[cookie], "client_id": "app", "client_secret": SECRET}
        answer = await connection.post("/oidc/token", urlencode(form))
        _check(answer.status == 200, answer.body)
        tokens[cookie] = json.loads(answer.body)["refresh_token"]

    return await _run(stand, refresh, cookies, seconds, rounds)


# -- flows


def code_flow(client: str) -> Flow:
    """Authorize with a session, token, userinfo."""

    async def flow(connection: KeptConnection, cookie: str) -> None:
        tokens = await _tokens(connection, cookie, client, "openid profile email")
        answer = await connection.get("/oidc/userinfo", Authorization=f"Bearer {tokens['access_token']}")
        _check(answer.status == 200, answer.body)

    return flow


async def _tokens(connection: KeptConnection, cookie: str, client: str, scope: str) -> dict[str, object]:
    query = {
        "client_id": client,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": scope,
        "state": "s",
        "nonce": "n",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    answer = await connection.get(f"/oidc/authorize?{urlencode(query)}", Cookie=cookie)
    code = dict(parse_qsl(urlsplit(answer.location).query)).get("code", "")
    _check(bool(code), answer.location.encode() or answer.body)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "client_id": client,
        "client_secret": SECRET,
    }
    answer = await connection.post("/oidc/token", urlencode(form))
    _check(answer.status == 200, answer.body)
    tokens: dict[str, object] = json.loads(answer.body)
    return tokens


async def saml_flow(connection: KeptConnection, cookie: str) -> None:
    """A request by redirect, the page that posts the response."""
    instant = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    request = (
        f'<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_{secrets.token_hex(16)}" Version="2.0" '
        f'IssueInstant="{instant}"><a:Issuer xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">{ENTITY}</a:Issuer>'
        "</p:AuthnRequest>"
    )
    compressor = zlib.compressobj(wbits=-15)
    message = base64.b64encode(compressor.compress(request.encode()) + compressor.flush()).decode()
    answer = await connection.get(f"/saml/sso?SAMLRequest={quote(message, safe='')}", Cookie=cookie)
    _check(b"SAMLResponse" in answer.body, answer.body)


def _check(good: bool, body: bytes) -> None:
    if not good:
        raise RuntimeError(body.decode(errors="replace")[:2000])


async def _signed_in(stand: Stand, user_name: str, password: str) -> str:
    """The cookies of a browser that is signed in."""
    tls: ssl.SSLContext = stand.tls
    async with KeptConnection(stand.url, tls) as connection:
        page = await connection.get("/signin")
        cookies = dict(cookie.decode().split("=", 1) for cookie in page.cookies)
        fields = dict(re.findall(r'name="(csrf|return_to|transaction)" value="([^"]*)"', unescape(page.body.decode())))
        form = {**fields, "step": "password", "user_name": user_name, "password": password}
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
        answer = await connection.post("/signin", urlencode(form), Cookie=sent, Sec_Fetch_Site="same-origin")
        cookies |= dict(cookie.decode().split("=", 1) for cookie in answer.cookies)
        _check("__Host-isthmus" in cookies, answer.body)
        return f"__Host-isthmus={cookies['__Host-isthmus']}"
