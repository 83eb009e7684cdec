"""`isthmus relay check`: this machine, the public address, the running relay, its agents and domains, and one sign-in.

What belongs here: what is looked at, and what that comes to. What does not: options and printing (`isthmus.cli`), what the
running relay says of itself (`gateway.diagnosis`).
"""

from isthmus.relay_check.address import judge_end
from isthmus.relay_check.checks import check_node
from isthmus.relay_check.live import LiveRelay, ask_live

__all__ = ["LiveRelay", "ask_live", "check_node", "judge_end"]
