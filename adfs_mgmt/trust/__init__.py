"""The trust between a farm and its partners: Entra ID over Microsoft Graph, relying parties by their metadata.

What belongs here: what partners know of the farm, and telling them. What does not: when a certificate is due.
"""
