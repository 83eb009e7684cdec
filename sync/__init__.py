"""Directory synchronisation: AD's users, groups, memberships and password hashes to the cloud.

    source ──► state ──► rules ──► plan ──► target          model: what passes between them; run: one run through all

What belongs here: all but the command line (`isthmus.cli.sync`). There are no password hashes yet, and no targets other than
SCIM services.
"""
