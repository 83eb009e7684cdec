"""What a client may bring to the token endpoint: one module for each grant type."""
