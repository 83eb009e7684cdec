"""Real servers and small helpers that several test packages start."""
