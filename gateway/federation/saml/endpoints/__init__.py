"""Addresses of the identity provider: each reads what came, has it checked, and answers."""
