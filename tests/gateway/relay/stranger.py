"""A relay, and somebody who connects without being an agent."""

from __future__ import annotations

from typing import Any

import aiohttp
from aiohttp import WSMsgType

from gateway.app import Relay
from gateway.protocol import SUBPROTOCOL
from gateway.relay.agents.endpoint import CONNECT_PATH
from tests.support.visitors import Clock


class Stranger:
    """A relay, and somebody who connects without being an agent."""

    def __init__(self, relay: Relay, client: aiohttp.ClientSession, clock: Clock) -> None:
        self.relay, self.client, self.clock = relay, client, clock
        self.url = relay.settings.public_url + CONNECT_PATH

    def connect(self, *protocols: str) -> Any:
        return self.client.ws_connect(self.url, protocols=protocols or (SUBPROTOCOL,), autoclose=False)

    async def closed_with(self, ws: aiohttp.ClientWebSocketResponse) -> tuple[list[bytes], int | None]:
        """What the relay says until it closes, and the code."""
        frames = []
        while (message := await ws.receive(timeout=5)).type is WSMsgType.BINARY:
            frames.append(message.data)
        return frames, message.data if message.type is WSMsgType.CLOSE else None
