"""Addresses: each reads a request, has it checked, and answers."""
