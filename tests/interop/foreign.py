"""SAML service providers that nobody here wrote, each a process of its own that is asked in lines of JSON."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.federation.claims import ClaimRule, ClaimsPolicy
from gateway.federation.trusts import SamlParty, Trust
from gateway.store import PartyMetadata
from tests.foundation.saml.parties import party
from tests.gateway.federation.saml.service_provider import pem
from tests.interop.site import FederatedSite

SCRIPTS = Path(__file__).with_name("parties")
_RULES = (("mail", "mail"), ("uid", "user_name"), ("displayName", "display_name"))
_ANSWER = 20.0
"""Seconds that a party may take for one question."""


@dataclass(frozen=True)
class ForeignProvider:
    """What a service provider is called, and where it would be reached. name: of the trust, too.

    interpreter: of its script, which is in `parties` unless given.
    """

    name: str
    interpreter: Path = field(repr=False)
    given: Path | None = field(default=None, repr=False)

    @property
    def origin(self) -> str:
        """Nobody is there: the browser of the tests stops at it."""
        return f"https://{self.name}.example.com"

    @property
    def acs(self) -> str:
        """Where responses go."""
        return f"{self.origin}/acs"

    @property
    def script(self) -> Path:
        """What its interpreter runs."""
        return self.given or SCRIPTS / f"{self.name}_party.py"

    def trust(self, **fields: Any) -> Trust:
        """All that its metadata does not say."""
        said = {"attribute_name_format": "basic", "require_signed_requests": True, **fields}
        rules = tuple(ClaimRule(claim=claim, source=source) for claim, source in _RULES)
        saml = SamlParty(metadata_url=f"{self.origin}/metadata", **said)
        return Trust(id=self.name, name=self.name, protocol="saml", saml=saml, claims=ClaimsPolicy(rules=rules))

    def config(self, idp_metadata: str, idp_entity: str) -> dict[str, Any]:
        """The first line for its script."""
        keys = party(self.name)
        private = keys.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {
            "entity_id": f"{self.origin}/saml",
            "acs": self.acs,
            "slo": f"{self.origin}/slo",
            "key": private,
            "certificate": pem(keys),
            "metadata": self.metadata(),
            "idp": idp_metadata,
            "idp_entity": idp_entity,
        }

    def metadata(self) -> str:
        """As an administrator of it would write it."""
        certificate = "".join(pem(party(self.name)).splitlines()[1:-1])
        data = f"<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"
        bindings = "urn:oasis:names:tc:SAML:2.0:bindings"
        return (
            '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
            f'xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{self.origin}/saml">'
            '<md:SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" '
            'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            f'<md:KeyDescriptor use="signing"><ds:KeyInfo>{data}</ds:KeyInfo></md:KeyDescriptor>'
            f'<md:KeyDescriptor use="encryption"><ds:KeyInfo>{data}</ds:KeyInfo></md:KeyDescriptor>'
            f'<md:SingleLogoutService Binding="{bindings}:HTTP-Redirect" Location="{self.origin}/slo"/>'
            f'<md:AssertionConsumerService index="0" isDefault="true" Binding="{bindings}:HTTP-POST" Location="{self.acs}"/>'
            "</md:SPSSODescriptor></md:EntityDescriptor>"
        )


class ForeignParty:
    """One process of a provider. Async context manager."""

    def __init__(self, provider: ForeignProvider, idp_metadata: str, idp_entity: str) -> None:
        self.provider = provider
        self._config = provider.config(idp_metadata, idp_entity)

    async def __aenter__(self) -> ForeignParty:
        pipe = asyncio.subprocess.PIPE
        command = (str(self.provider.interpreter), str(self.provider.script))
        # no environment: its packages are not the tests'
        self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 20, env={})
        await self._write(self._config)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def ask(self, question: str, /, **details: Any) -> dict[str, Any]:
        """What it answers; see its script."""
        await self._write({"do": question, **details})
        assert self._process.stdout is not None
        async with asyncio.timeout(_ANSWER):
            line = await self._process.stdout.readline()
        assert line, f"{self.provider.name} has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _write(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        await self._process.stdin.drain()


async def keep_metadata(site: FederatedSite, trust: Trust, document: str) -> None:
    """As if the relay had read it at its address; the trust is known before."""
    now = time.time()
    kept = PartyMetadata(trust=trust.id, document=document.encode(), fetched_at=now, checked_at=now)
    await site.relay.store.trusts.keep_metadata(kept)
    await site.relay.store.generations.look()
