"""Microsoft Graph: requests with retries, the application's credential, errors in plain words.

It knows nothing of domains or federation. msal is loaded when the first token is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.graph.errors import (
    Conflict,
    CredentialUnusable,
    GraphError,
    MalformedAnswer,
    NotThere,
    OutcomeUnknown,
    PermissionMissing,
    Rejected,
    SignInRefused,
    Throttled,
    Unreachable,
)
from foundation.graph.settings import GraphSettings
from foundation.lazy import lazy_names

if TYPE_CHECKING:
    from foundation.graph.client import Graph
    from foundation.graph.credential import ApplicationCredential, TokenSource

_MODULES = {
    "client": "Graph",
    "credential": "ApplicationCredential TokenSource",
}

__all__ = [
    "ApplicationCredential",
    "Conflict",
    "CredentialUnusable",
    "Graph",
    "GraphError",
    "GraphSettings",
    "MalformedAnswer",
    "NotThere",
    "OutcomeUnknown",
    "PermissionMissing",
    "Rejected",
    "SignInRefused",
    "Throttled",
    "TokenSource",
    "Unreachable",
]


if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)
