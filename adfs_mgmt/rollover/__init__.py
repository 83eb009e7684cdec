"""New certificates for old ones, without an outage: token-signing, token-decrypting, SSL, Service-Communications.

What belongs here: the pure planner, the journal, and the runner that does one step after the other. What does not: how a
command gets to a host (`adfs_mgmt.remoting`), what Entra ID is told (`adfs_mgmt.trust`).
"""
