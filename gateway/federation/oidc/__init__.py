"""OpenID Connect 1.0 and OAuth 2: an endpoint is an ordered list of small checks, with an error class for each wire error.

What belongs here: requests, checks, tokens, endpoints of both protocols. What does not: who a person is.
"""
