"""How the two services say no."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any


class GraphFailure(Exception):
    """An answer of Graph other than success: its error envelope (Graph documentation, "Error responses")."""

    def __init__(self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message
        self.headers = headers or {}

    def envelope(self, now: float, request_id: str, client_request_id: str) -> dict[str, Any]:
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "innerError": {
                    "date": f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y-%m-%dT%H:%M:%S}",
                    "request-id": request_id,
                    "client-request-id": client_request_id,
                },
            }
        }


def bad_request(message: str) -> GraphFailure:
    return GraphFailure(400, "Request_BadRequest", message)


def not_found(what: str) -> GraphFailure:
    text = f"Resource '{what}' does not exist or one of its queried reference-property objects are not present."
    return GraphFailure(404, "Request_ResourceNotFound", text)


class SignInFailure(Exception):
    """An error of the token endpoint (RFC 6749 section 5.2, with the platform's AADSTS codes)."""

    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(status, error, code, text)
        self.status, self.error, self.code, self.text = status, error, code, text

    def body(self, now: float) -> dict[str, Any]:
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        stamp = f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y-%m-%d %H:%M:%SZ}"
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.text} Trace ID: {trace} Correlation ID: {correlation} "
            f"Timestamp: {stamp}",
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }
