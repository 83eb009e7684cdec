"""Mutants of the decisions: `make mutants` changes them one place at a time, and some test must notice each change."""
