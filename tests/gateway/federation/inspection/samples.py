"""What may turn up."""

from __future__ import annotations

import base64
import json
from typing import Any

NOW = 1_700_000_000.0
ISSUER = "https://signin.example.com"
ASSERTION_ID = "_a1b2"
RESPONSE = (
    b'<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r1"'
    b' Destination="https://wiki.example.com/acs" IssueInstant="2023-11-14T22:13:20Z">'
    b"<a:Issuer>https://signin.example.com/saml/metadata</a:Issuer>"
    b'<a:Assertion ID="_a1b2"><a:Subject>Anna</a:Subject></a:Assertion></p:Response>'
)


def jwt(**claims: Any) -> str:
    """One that nobody has signed."""
    parts = [{"alg": "RS256", "kid": "k-1"}, claims, "signature"]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
