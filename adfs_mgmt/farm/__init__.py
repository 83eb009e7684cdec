"""What is there: reads a farm over WinRM and from outside, and finds where the two contradict each other.

What belongs here: reading, and the model of what was read. What does not: changing anything, and judging what is old or
about to end (`adfs_mgmt.health`).

`read`, `outside` and `metadata` need the extra `adfs` (lxml, signxml); the model, the settings and `contradictions` do not.
"""
