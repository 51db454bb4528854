"""What `quorate demo` shows: a seeded market, its clients' books, an audit of the log, a screen.

Reading order: `market` (who sends what), `ledger` (what became of it), `audit` (is that what the
log says), `forge`, then `screen` and `summary`. Sockets and processes are in cli/demo_show.py.
"""
