"""Directory synchronisation: AD's users, groups, memberships and password hashes to the cloud. Only `sync.rules` is begun."""
