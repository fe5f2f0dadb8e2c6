"""Webitel v3, below /api/v2/dialer, /api/v2/calendars, /login and /logout."""
