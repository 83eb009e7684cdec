"""New token-signing and token-decrypting certificates: state, stages, schedule."""
