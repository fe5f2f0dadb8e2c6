"""Our own API, below /v1."""
