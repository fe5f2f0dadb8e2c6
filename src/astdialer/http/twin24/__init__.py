"""The API of Twin24's autoCall, for integrations that were written for it: docs/how-to/twin24.md."""
