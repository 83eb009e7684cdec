"""What an operator looks at: the claims of a person before anybody signs in, and tokens that turned up somewhere.

    preview    what an application would be told of a person, line by line
    evidence   what a file that turned up is: pure
    issued     whether it was issued here
    trust_walk what of a trust can be seen to be wrong
    orders     all over the control socket

What belongs here: acts that look. What does not: acts that change (`trusts.acts`, `keys.rollover`).
"""

from gateway.federation.inspection.issued import EvidenceView, IssuedSearch, IssueView
from gateway.federation.inspection.orders import inspection_orders
from gateway.federation.inspection.preview import ClaimsPreview, ClaimsPreviewView
from gateway.federation.inspection.trust_walk import TrustWalk

__all__ = [
    "ClaimsPreview",
    "ClaimsPreviewView",
    "EvidenceView",
    "IssueView",
    "IssuedSearch",
    "TrustWalk",
    "inspection_orders",
]
