"""Who somebody is without a password: asked of the agents, when a session or a token is used.

What belongs here: which agents are asked, whose answer is believed, what is kept of it for a moment. What does not: what an
agent may say (`gateway.agent.lookups`), and what follows for sessions and tokens (signin, federation).
"""

from gateway.relay.lookups.lookups import LookUps, RelayLookUps
from gateway.relay.lookups.metrics import LookUpMetrics
from gateway.relay.lookups.question import LookedUp, PersonQuestion, PersonState

__all__ = ["LookUpMetrics", "LookUps", "LookedUp", "PersonQuestion", "PersonState", "RelayLookUps"]
