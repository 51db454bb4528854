"""The authenticated links between validators: one TLS connection for each pair.

Reading order, which is that of the bytes on their way in:

    certificates.py   who is at the other end: TLS 1.3, and the key pinned in the consensus genesis
    frames.py         the stream cut into frames, each kind with a limit; the greeting
    lanes.py          what waits to be sent: urgent before bulk, both bounded
    link.py           one connection: greeting, reading within a backlog, writing, silence
    transport.py      all of them: listening, dialling, one link for each pair
    counters.py       what happened, counted

Frames may be lost whenever a link goes down and when bulk is full; those who speak over it repeat
what matters. What a peer sends can end its own link and nothing else. See
docs/decisions/008-transport.md.
"""
