"""SAML 2.0 identity provider: requests that were verified before they are read, responses that are signed in process.

What belongs here: the endpoints and the checks of the protocol. What does not: XML signatures (foundation.saml).
"""
