"""HTTP and TLS of hosts that nobody vouches for: bounded answers, no redirects, errors in plain words.

What belongs here: fetching, and looking at what a host shows. What does not: what the answer means. It loads aiohttp.
"""

from __future__ import annotations

from foundation.http.errors import FetchFailed
from foundation.http.session import clock_skew, explain_failure, host_header, open_session, read_bounded
from foundation.http.tls import accept_anything, canonical_name, read_served_certificate

__all__ = [
    "FetchFailed",
    "accept_anything",
    "canonical_name",
    "clock_skew",
    "explain_failure",
    "host_header",
    "open_session",
    "read_bounded",
    "read_served_certificate",
]
