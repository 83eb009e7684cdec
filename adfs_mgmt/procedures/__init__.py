"""Procedures that change farms and their servers, each a table of stages over `foundation.procedures`."""
