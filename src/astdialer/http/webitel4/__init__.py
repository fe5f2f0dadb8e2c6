"""Webitel v4: members of queues, attempts, agents, buckets and calls, below /call_center and /calls."""
