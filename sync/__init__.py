"""Directory synchronisation: AD's users, groups, memberships and password hashes to the cloud. `sync.rules` is begun."""
