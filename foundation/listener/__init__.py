"""HTTP for whoever comes: an aiohttp application behind bounds that hold before anybody has proved anything.

What belongs here: connections, how many and for how long; what every answer says. What does not: what is served.
It loads aiohttp.
"""

from __future__ import annotations

from foundation.listener.connection import HttpConnection
from foundation.listener.headers import ANSWER_HEADERS, Handler, own_host
from foundation.listener.listener import Listener
from foundation.listener.places import ConnectionPlaces, NoPlace

__all__ = ["ANSWER_HEADERS", "ConnectionPlaces", "Handler", "HttpConnection", "Listener", "NoPlace", "own_host"]
