"""On-prem side: outbound connections to the relays, password validation against the directory.

What belongs here: the shell around `gateway.protocol` on websockets, request intake (credits, deadlines, replays),
and translation between the directory's words and the wire's. It opens no inbound port but a local health one.
"""
