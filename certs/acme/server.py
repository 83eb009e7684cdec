"""The adapter to the library `acme`: the only module that knows it.

It is blocking: each of its calls is a thread's, bounded by a timeout of its own, and its exceptions stop here.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certs.acme.errors import AcmeError, AcmeRefused, AcmeUnreachable, ChallengeFailed
from certs.acme.proofs import Proof
from certs.acme.settings import AcmeSettings
from certs.files import atomic_write, read_private
from settings import UnusableFile, read_secret

if TYPE_CHECKING:  # an optional dependency: loaded when a certificate is asked for, not when settings are read
    from acme import client, messages

T = TypeVar("T")
_REQUEST_SECONDS = 30
_BAD_NONCE_TRIES = 8
"""A server may refuse any nonce (RFC 8555, 6.5) and nothing has happened then; pebble does so on purpose."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """One name that has to be proven, and how."""

    proof: Proof
    resource: messages.AuthorizationResource
    challenge: messages.ChallengeBody


class AcmeServer:
    """An ACME server with our account at it."""

    def __init__(self, settings: AcmeSettings, net: client.ClientNetwork, acme: client.ClientV2) -> None:
        self.settings, self._net, self._acme = settings, net, acme

    @classmethod
    async def connect(cls, settings: AcmeSettings, directory: Path) -> AcmeServer:
        """Find the server, and our account there, made if need be."""
        from acme import client
        from josepy import jwa, jwk

        key = jwk.JWKEC(key=_account_key(directory, settings.directory))
        net = client.ClientNetwork(key, alg=jwa.ES256, user_agent="isthmus", timeout=_REQUEST_SECONDS)
        if settings.tls_ca_file is not None:
            # requests takes a path here, too, though the library's annotation does not say so
            net.verify_ssl = cast(bool, str(settings.tls_ca_file))
        found = await _call(settings, client.ClientV2.get_directory, settings.directory, net)
        server = cls(settings, net, client.ClientV2(found, net))
        await server._sign_up()
        return server

    async def _sign_up(self) -> None:
        from acme import messages

        meta = self._acme.directory.meta
        terms = getattr(meta, "terms_of_service", None)
        if terms and not self.settings.agree_terms:
            raise AcmeError(self.settings.directory, f"read its terms of service ({terms}), then set agree_terms = true")
        if getattr(meta, "external_account_required", False) and not self.settings.eab_key_id:
            raise AcmeError(
                self.settings.directory, "it requires external account binding: set eab_key_id and eab_hmac_file"
            )
        wanted = messages.NewRegistration.from_data(
            email=",".join(self.settings.contact) or None,
            external_account_binding=self._binding(),
            terms_of_service_agreed=self.settings.agree_terms,
        )
        await _call(self.settings, _register, self._acme, self._net, wanted)

    def _binding(self) -> dict[str, Any] | None:
        from acme import messages

        if not self.settings.eab_key_id:
            return None
        if self.settings.eab_hmac_file is None:
            raise AcmeError(self.settings.directory, "eab_key_id is set but eab_hmac_file is not: the CA provides both")
        path, key = self.settings.eab_hmac_file, self._net.key
        assert key is not None  # noqa: S101 - connect gave it one
        try:
            hmac = read_secret(path)
            binding = messages.ExternalAccountBinding.from_data
            return dict(binding(key.public_key(), self.settings.eab_key_id, hmac, self._acme.directory))
        except UnusableFile as error:
            raise AcmeError(self.settings.directory, f"eab_hmac_file {error}") from error
        except ValueError as error:  # without its text, which may quote the key
            raise AcmeError(self.settings.directory, f"eab_hmac_file {path} is not base64url") from error

    async def order(self, request: bytes) -> messages.OrderResource:
        """A new order, with its authorisations."""
        return await _call(self.settings, self._acme.new_order, request)

    def unproven(self, order: messages.OrderResource, names: Sequence[str]) -> list[Authorisation]:
        """What has to be shown, for the names that the server does not remember (RFC 8555, 7.1.3).

        names: what was ordered. Raises AcmeRefused for a proof of another one: a hook would change that one's records.
        """
        ordered = {name.removeprefix("*.") for name in names}
        pending = [resource for resource in order.authorizations if resource.body.status.name != "valid"]
        return [self._to_prove(resource, ordered) for resource in pending]

    def _to_prove(self, resource: messages.AuthorizationResource, ordered: Collection[str]) -> Authorisation:
        domain, kind = resource.body.identifier.value, self.settings.challenge
        if domain not in ordered:
            raise AcmeRefused(self.settings.directory, f"it wants a proof for {domain!r}, which was not asked for")
        offered = {challenge.chall.typ: challenge for challenge in resource.body.challenges}
        if kind not in offered:
            raise ChallengeFailed(self.settings.directory, domain, f"it accepts {' or '.join(offered)}, not {kind}")
        chosen = offered[kind]
        record = chosen.chall.validation_domain_name(domain) if kind == "dns-01" else ""
        proof = Proof(domain, chosen.chall.encode("token"), record, chosen.chall.validation(self._net.key))
        return Authorisation(proof, resource, chosen)

    async def answer(self, each: Authorisation) -> None:
        """Tell the server to look."""
        response = each.challenge.chall.response(self._net.key)
        await _call(self.settings, self._acme.answer_challenge, each.challenge, response)

    async def wait_until_valid(self, each: Authorisation) -> None:
        """Until the server has looked. Raises ChallengeFailed with what it says that it found."""
        pause = 0.1
        while True:
            found, response = await _call(self.settings, self._acme.poll, each.resource)
            status = found.body.status.name
            if status == "valid":
                return
            if status not in {"pending", "processing"}:
                raise ChallengeFailed(self.settings.directory, each.proof.domain, _why(found, status))
            asked = response.headers.get("Retry-After", "")
            await asyncio.sleep(min(30.0, float(asked)) if asked.isascii() and asked.isdigit() else pause)
            pause = min(5.0, pause * 2)

    async def finalise(self, order: messages.OrderResource) -> bytes:
        """The chain of a proven order: the preferred one."""
        order = await _call(self.settings, _request_certificate, self._acme, order)
        while True:
            done = await _call(self.settings, _poll_order, self._acme, order)
            if done is not None:
                return _preferred([done.fullchain_pem, *done.alternative_fullchains_pem], self.settings)


def _register(acme: client.ClientV2, net: client.ClientNetwork, wanted: messages.NewRegistration) -> None:
    """Make the account, or find the one that the key has (RFC 8555, 7.3: 200 and its URL)."""
    from acme import errors, messages

    try:
        acme.new_account(wanted)
    except errors.ConflictError as known:
        net.account = messages.RegistrationResource(body=messages.Registration(), uri=known.location)


def _request_certificate(acme: client.ClientV2, order: messages.OrderResource) -> messages.OrderResource:
    """Ask for the certificate; where the server has not yet seen that all is proven, `_poll_order` asks again."""
    from acme import messages

    try:
        return acme.begin_finalization(order)
    except messages.Error as error:
        if error.code != "orderNotReady":
            raise
        return order


def _poll_order(acme: client.ClientV2, order: messages.OrderResource) -> messages.OrderResource | None:
    """The order with its certificate; None where it is not there yet. In short slices, so that the thread does not outlive
    us."""
    from acme import errors

    deadline = dt.datetime.now() + dt.timedelta(seconds=3)  # noqa: DTZ005 - the library compares with naive local time
    try:
        return acme.poll_finalization(order, deadline, fetch_alternative_chains=True)
    except errors.TimeoutError:
        return None


async def _call(settings: AcmeSettings, function: Callable[..., T], *arguments: Any) -> T:
    """A blocking call of the library, its exceptions turned into ours."""
    import josepy
    import requests
    from acme import errors, messages

    server = settings.directory
    for attempt in range(1, _BAD_NONCE_TRIES + 1):
        try:
            return await asyncio.to_thread(function, *arguments)
        except messages.Error as error:
            if error.code == "badNonce" and attempt < _BAD_NONCE_TRIES:
                continue
            raise AcmeRefused(server, _problem(error), error.code or "") from error
        except errors.IssuanceError as error:
            raise AcmeRefused(server, _problem(error.error), error.error.code or "") from error
        except requests.RequestException as error:
            raise AcmeUnreachable(server, f"cannot be reached: {_innermost(error)}") from error
        except (errors.Error, josepy.errors.Error, LookupError, TypeError, ValueError, AttributeError) as error:
            raise AcmeRefused(server, f"its answer is not ACME ({type(error).__name__}: {error})") from error
        except OSError as error:  # requests lets a CA file that is not there through
            raise AcmeUnreachable(server, f"cannot be reached: {error}") from error
    raise AssertionError("unreachable")


def _problem(error: messages.Error) -> str:
    """A problem document and those inside it, for people."""
    inside = [f"{part.identifier.value if part.identifier else 'order'}: {part.detail}" for part in error.subproblems or ()]
    return "; ".join([f"refused ({error.code or error.typ}): {error.detail or error.title}", *inside])


def _innermost(error: BaseException) -> BaseException:
    """What requests wraps, mostly twice."""
    while inner := next(
        (cause for cause in (*error.args, getattr(error, "reason", None)) if isinstance(cause, BaseException)), None
    ):
        error = inner
    return error


def _why(found: messages.AuthorizationResource, status: str) -> str:
    said = [_problem(challenge.error) for challenge in found.body.challenges if challenge.error is not None]
    return "; ".join(said) or f"the authorisation is {status}"


def _preferred(chains: Sequence[str], settings: AcmeSettings) -> bytes:
    """The chain whose top was issued by whom the settings name."""
    if not settings.preferred_chain:
        return chains[0].encode()
    try:
        tops = [_issuer(chain) for chain in chains]
    except ValueError as error:
        raise AcmeRefused(settings.directory, f"what it issued is no chain of certificates ({error})") from error
    if settings.preferred_chain not in tops:
        raise AcmeError(
            settings.directory,
            f"no chain ends at {settings.preferred_chain!r}; possible values of preferred_chain: {' or '.join(tops)}",
        )
    return chains[tops.index(settings.preferred_chain)].encode()


def _issuer(chain: str) -> str:
    """Raises ValueError."""
    issuer = x509.load_pem_x509_certificates(chain.encode())[-1].issuer
    names = issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else issuer.rfc4514_string()


def _account_key(directory: Path, server: str) -> ec.EllipticCurvePrivateKey:
    """One for each server: ES256, which every server must take (RFC 8555, 6.2)."""
    path = directory / f"{urlsplit(server).hostname or 'server'}-{hashlib.sha256(server.encode()).hexdigest()[:8]}.pem"
    try:
        key = serialization.load_pem_private_key(read_private(path), password=None)
    except FileNotFoundError:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        atomic_write(path, pem)
        return key
    except ValueError as error:
        raise AcmeError(
            server, f"the account's key {path} is damaged: restore it, or remove it to get a new account"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AcmeError(server, f"the account's key {path} is not an EC key: remove it to get a new account")
    return key
