"""Quorate: a derivatives exchange whose clearing house is a replicated state machine."""

import sys

__version__ = "0.1.0"

# `python -O` deletes every assert, and an assert is how a replica stops on our own bug before it
# signs a wrong result. Exit code 2 is an operator's mistake, found before any file is changed.
if not __debug__:
    sys.stderr.write("quorate: refuses to run under python -O or PYTHONOPTIMIZE; start without.\n")
    raise SystemExit(2)
