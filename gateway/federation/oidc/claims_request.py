"""The `claims` parameter: single claims that an application asks for (OpenID Connect Core section 5.5). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from gateway.federation.oidc.errors import InvalidRequest

LONGEST = 4096
"""Characters of the parameter."""
MOST = 100
"""Claims of each place."""


class _Wanted(msgspec.Struct, frozen=True):
    """One claim: `null`, or an object. What stands in it besides is ignored, as the specification has it."""

    essential: bool = False
    value: str | int | float | bool | None = None
    values: tuple[str | int | float | bool, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        """The values that would do, as text; empty: any."""
        single = () if self.value is None else (self.value,)
        return tuple(str(value) for value in (*single, *self.values))


class _Places(msgspec.Struct, frozen=True):
    userinfo: Mapping[str, _Wanted | None] | None = None
    id_token: Mapping[str, _Wanted | None] | None = None


_decode = msgspec.json.Decoder(_Places).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsRequest:
    """What is asked for beside the scopes."""

    userinfo: frozenset[str] = frozenset()
    id_token: frozenset[str] = frozenset()
    acr: tuple[str, ...] = ()
    """Authentication context classes that would do."""
    acr_essential: bool = False
    subject: str = ""
    """The `sub` that the person must have; empty: any."""


def read_claims_request(text: str) -> ClaimsRequest:
    """The parameter's JSON; empty text asks for nothing. Raises InvalidRequest."""
    if not text:
        return ClaimsRequest()
    if len(text) > LONGEST:
        raise InvalidRequest(f"is longer than {LONGEST} characters", parameter="claims")
    try:
        places = _decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise InvalidRequest("is not the JSON that is specified", parameter="claims") from error
    userinfo, id_token = places.userinfo or {}, places.id_token or {}
    if max(len(userinfo), len(id_token)) > MOST:
        raise InvalidRequest(f"has more than {MOST} claims", parameter="claims")
    acr = id_token.get("acr") or _Wanted()
    subject = (id_token.get("sub") or _Wanted()).accepted or (userinfo.get("sub") or _Wanted()).accepted
    if len(subject) > 1:
        raise InvalidRequest("wants more than one sub", parameter="claims")
    return ClaimsRequest(
        userinfo=frozenset(userinfo),
        id_token=frozenset(id_token),
        acr=acr.accepted,
        acr_essential=acr.essential,
        subject=subject[0] if subject else "",
    )
