"""A contact centre in virtual time: how a way of pacing does, before anybody is called.

``world``: the laws of callers and agents. ``day``: what happens in a day, event by event. ``own``: astdialer's pacing
in it. ``bound``: the best that any way can do, where that can be computed.
"""
