"""The rules of dialing: pure and synchronous.

Nothing here reads a clock, draws a random number, does I/O or logs. Instants are whole milliseconds since 1970 UTC
and end in ``_at``; durations are seconds and end in ``_s`` (``_ms`` where Asterisk counts milliseconds).
"""
