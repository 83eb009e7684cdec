"""How this relay refuses: after which delay, how many requests it holds meanwhile, and what its trail keeps of them.

What belongs here: what all refusals have in common, whoever refuses (credentials, enrolment). What does not: why.
"""

from gateway.relay.refusals.delay import CheckTimes
from gateway.relay.refusals.metrics import RefusalGauges
from gateway.relay.refusals.open_requests import OpenRequests
from gateway.relay.refusals.refusals import Refusals
from gateway.relay.refusals.trail import FoldedTrail

__all__ = ["CheckTimes", "FoldedTrail", "OpenRequests", "RefusalGauges", "Refusals"]
