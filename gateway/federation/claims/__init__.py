"""From a person to what a trust is told: a small declarative policy, evaluated without I/O.

What belongs here: the policy, its evaluation, its explanation, subjects. What does not: where identities come from.
"""

from gateway.federation.claims.consistency import check_policy
from gateway.federation.claims.evaluation import issue_claims
from gateway.federation.claims.memberships import is_in, is_member
from gateway.federation.claims.model import (
    ClaimRule,
    ClaimsPolicy,
    ClaimsProtocol,
    ClaimsSubject,
    ClaimStep,
    GroupNames,
    IssuedClaims,
    Value,
)
from gateway.federation.claims.names import fold_case
from gateway.federation.claims.rendering import difference, explain
from gateway.federation.claims.requirements import scopes_of_claims, wanted_attributes
from gateway.federation.claims.sources import subject_of
from gateway.federation.claims.subjects import (
    EMAIL_ADDRESS,
    TRANSIENT,
    NameId,
    NameUnavailable,
    account_of,
    name_id,
    pairwise_subject,
    public_subject,
    source_anchor,
    trust_subject,
)

__all__ = [
    "EMAIL_ADDRESS",
    "TRANSIENT",
    "ClaimRule",
    "ClaimStep",
    "ClaimsPolicy",
    "ClaimsProtocol",
    "ClaimsSubject",
    "GroupNames",
    "IssuedClaims",
    "NameId",
    "NameUnavailable",
    "Value",
    "account_of",
    "check_policy",
    "difference",
    "explain",
    "fold_case",
    "is_in",
    "is_member",
    "issue_claims",
    "name_id",
    "pairwise_subject",
    "public_subject",
    "scopes_of_claims",
    "source_anchor",
    "subject_of",
    "trust_subject",
    "wanted_attributes",
]
