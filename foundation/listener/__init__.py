"""HTTP for whoever comes: an aiohttp application behind bounds that hold before anybody has proved anything.

What belongs here: connections, how many and for how long; what every answer says. What does not: what is served.
It loads aiohttp.
"""

from __future__ import annotations

from foundation.listener.connection import HttpConnection
from foundation.listener.headers import ANSWER_HEADERS, Handler, own_host
from foundation.listener.listener import Listener
from foundation.listener.places import ConnectionPlaces, NoPlace
from foundation.listener.sockets import AddressUnavailable, try_address

__all__ = [
    "ANSWER_HEADERS",
    "AddressUnavailable",
    "ConnectionPlaces",
    "Handler",
    "HttpConnection",
    "Listener",
    "NoPlace",
    "own_host",
    "try_address",
]
