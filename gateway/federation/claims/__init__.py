"""From a person to what a trust is told: a small declarative policy, evaluated without I/O.

What belongs here: the policy, its evaluation, its explanation, subjects. What does not: where identities come from.
"""

from gateway.federation.claims.model import (
    ClaimRule,
    ClaimsPolicy,
    ClaimsSubject,
    ClaimStep,
    GroupNames,
    IssuedClaims,
    Value,
)

__all__ = ["ClaimRule", "ClaimStep", "ClaimsPolicy", "ClaimsSubject", "GroupNames", "IssuedClaims", "Value"]
