"""Simulated AD FS farms: real WSMan and PSRP on loopback, a model of the servers behind it.

Imports nothing of `adfs_mgmt`: a mistake in ours must show against it.
"""
