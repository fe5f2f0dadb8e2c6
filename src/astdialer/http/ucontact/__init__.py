"""uContact's API as its integrations know it, below /Integra and /records."""
