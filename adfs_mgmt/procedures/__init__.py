"""What changes a farm: procedures over stages that can be interrupted anywhere (`foundation.procedures`).

What belongs here: which stages there are, what each promises and how that is seen, and the executor that does their acts.
What does not: how a command gets to a host (`adfs_mgmt.remoting`), how Entra ID is asked (`adfs_mgmt.trust`).
"""
