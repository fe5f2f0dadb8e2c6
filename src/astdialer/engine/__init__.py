"""The dialing engine: asyncio over the domain and the ports, nothing else."""
