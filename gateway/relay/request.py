"""What the relay knows of every HTTP request, named once."""

from __future__ import annotations

from aiohttp import web

CLIENT_ADDRESS = web.RequestKey("client_address", str)
"""The client's IP address, after trusted proxies."""
CORRELATION_ID = web.RequestKey("correlation_id", str)
"""One id from this request to the LDAP bind."""
