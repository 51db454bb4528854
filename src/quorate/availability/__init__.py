"""Payload bytes: who has them, who is asked for them, how long they are kept. Sans-IO.

A leader broadcasts its block whole; the commitment in a proposal leaves room for a coding root, so
that coded dispersal can take this room over without a change of any message.
"""
