"""Whether a person may sign in to an application: pure.

Groups and names are what the directory said of the person, never what was typed. Nothing here asks anybody: a refusal says
why to the operator, and to the person whom to ask.
"""

from __future__ import annotations

import functools
import ipaddress
from dataclasses import dataclass
from typing import Literal

from foundation.addresses import Network, lies_within
from gateway.federation.claims import ClaimsSubject, fold_case, is_member
from gateway.federation.trusts.model import Trust, TrustAccess


@dataclass(frozen=True, slots=True)
class AccessRefusal:
    """Why somebody may not."""

    reason: Literal["test users", "network", "group"]
    """`test users`: the application is not live yet; `network`: not from there; `group`: in none of the groups."""
    ask: str
    """Whom to ask, for the page; empty where the trust names nobody."""


def check_access(trust: Trust, subject: ClaimsSubject, address: str) -> AccessRefusal | None:
    """The first reason why not; None where the person may. address: the client's; what is none lies in no network."""
    access = trust.access
    if access.test_users and not _is_test_user(access, subject):
        return AccessRefusal("test users", access.ask)
    if access.networks and not lies_within(address, _networks(access.networks)):
        return AccessRefusal("network", access.ask)
    if access.groups and not is_member(subject, access.groups):
        return AccessRefusal("group", access.ask)
    return None


def _is_test_user(access: TrustAccess, subject: ClaimsSubject) -> bool:
    """By user name, GUID or DOMAIN\\name; an account name alone is another person in another domain."""
    names = {subject.user_name, subject.object_guid, f"{subject.domain}\\{subject.account_name}"}
    return not _folded(access.test_users).isdisjoint(map(fold_case, names))


@functools.lru_cache(maxsize=4096)
def _folded(names: tuple[str, ...]) -> frozenset[str]:
    """Of a trust's lists, which are asked at each sign-in. Without the empty text, which many a missing value is."""
    return frozenset(map(fold_case, names)) - {""}


@functools.lru_cache(maxsize=4096)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
