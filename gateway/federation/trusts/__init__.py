"""Which applications sign people in here: the model, its reading, the copy in memory.

What belongs here: what a trust says, where it comes from, whether a person may use it. What does not: protocols.
"""

from gateway.federation.trusts.model import (
    Access,
    AssertionConsumer,
    ClientSecret,
    Lifetimes,
    OidcClient,
    SamlParty,
    Trust,
)

__all__ = ["Access", "AssertionConsumer", "ClientSecret", "Lifetimes", "OidcClient", "SamlParty", "Trust"]
