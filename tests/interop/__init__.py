"""Clients and applications that nobody here wrote, against a relay of ours."""
