"""The wheel and its locked dependencies on bare Debian: `make test-install`."""
