"""Throwaway directories and the demos on them, for development only: not part of the wheel.

What belongs here: a Samba domain and an OpenLDAP server that leave nothing behind, a relay with agents as processes,
and what `make demo` and `make demo-adfs` show with them. Tests and benchmarks use the same servers.
"""
