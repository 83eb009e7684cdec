"""Microsoft Graph: requests with retries, the application's credential, errors in plain words.

It knows nothing of domains or federation. msal is loaded when the first token is asked for.
"""

from __future__ import annotations

from importlib import import_module
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

if TYPE_CHECKING:
    from foundation.graph.client import Graph
    from foundation.graph.credential import ApplicationCredential, TokenSource

_MODULES = {
    "foundation.graph.client": "Graph",
    "foundation.graph.credential": "ApplicationCredential TokenSource",
}
_LATER = {name: module for module, names in _MODULES.items() for name in names.split()}

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


if not TYPE_CHECKING:  # for mypy every name would be one

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
