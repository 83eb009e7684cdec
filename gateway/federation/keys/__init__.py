"""Signing keys in rings, and their rollover.

What belongs here: which key signs, which are published, when the next one takes over. What does not: what is signed.
"""
