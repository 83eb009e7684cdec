"""What `isthmus relay check` asks of the running relay: how it is, and one sign-in from end to end."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from importlib.metadata import version

from findings import Finding
from gateway.readiness import Readiness
from gateway.relay import REFUSED, Attempt, Authenticator, NodeHealthView, SignInView
from gateway.store import Store, StoreError

_LONGEST_NAME = 256
_LONGEST_PASSWORD = 1024
"""As the page and the API take them."""


class Diagnosis:
    """Implements `LiveActs`. signing_keys: how they stand."""

    def __init__(
        self,
        readiness: Readiness,
        authenticator: Authenticator,
        store: Store,
        signing_keys: Callable[[], list[Finding]],
    ) -> None:
        self._readiness, self._authenticator, self._store = readiness, authenticator, store
        self._signing_keys = signing_keys

    async def health(self) -> NodeHealthView:
        """See `LiveActs`."""
        await self._readiness.measure()
        return NodeHealthView(
            node=self._store.node,
            software=version("isthmus"),
            defect=self._readiness.defect,
            clock_skew=self._readiness.clock_skew if self._store.shared else None,
            domains=self._readiness.conditions,
            signing_keys=self._signing_keys(),
        )

    async def sign_in(self, user: str, password: str, actor: str) -> SignInView:
        """See `LiveActs`."""
        name = user.strip()
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise ValueError(f"a user name has 1 to {_LONGEST_NAME} characters, and no control characters among them")
        if not 0 < len(password) <= _LONGEST_PASSWORD:
            raise ValueError(f"a password has 1 to {_LONGEST_PASSWORD} characters")
        reference = secrets.token_hex(8)
        attempt = Attempt(
            user_name=name, password=password, address="", throttled=False, correlation_id=reference, via=actor
        )
        verdict = await self._authenticator.authenticate(attempt)
        view = SignInView(
            outcome=verdict.outcome.value if verdict.outcome is not None else REFUSED,
            agent=verdict.agent,
            reference=reference,
            milliseconds=verdict.milliseconds,
            retry_after=verdict.retry_after,
        )
        if verdict.identity is not None:
            view.user_name, view.domain = verdict.identity.user_name, verdict.identity.domain
            view.groups = len(verdict.identity.groups)
        with contextlib.suppress(StoreError):  # the outcome says that the trail took nothing
            for entry in await self._store.audit.entries(correlation_id=reference, limit=1):
                view.detail, view.controller = entry.event.detail.get("detail", ""), entry.event.controller
        return view
