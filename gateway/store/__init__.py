"""Persistence port: what must last (SQLite, later PostgreSQL) and shared ephemeral state (memory, later Redis)."""
