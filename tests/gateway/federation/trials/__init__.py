"""A signing key that is tried."""
