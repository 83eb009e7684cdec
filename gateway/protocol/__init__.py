"""Agent <-> relay protocol, sans-I/O: messages, session states, sealing. Shared vocabulary.

Bytes in, events out, bytes to send. No clock, socket or event loop is read here: `now` is a parameter.
What belongs here: what both ends must agree on. What does not: who is asked (relay), how AD is asked (agent).
"""

from gateway.protocol.outcome import Group, Identity, Outcome

__all__ = ["Group", "Identity", "Outcome"]
