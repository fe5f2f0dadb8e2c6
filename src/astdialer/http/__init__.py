"""The HTTP API: our own, and those that other dialers' integrations speak."""
