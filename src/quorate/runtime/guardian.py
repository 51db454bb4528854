"""Ends a group of processes when whoever started it is gone. testnet.py runs this file alone.

    python guardian.py      as the leader of a process group, its stdin a pipe that nobody writes to

The pipe ends when its writer does, however that came about: then all of the group are told to
stop, and what is left after a while is killed. It imports nothing of the house, so that it starts
at once.
"""

import os
import signal
import sys
import time
from typing import Final

STOP_S: Final = 10.0


def main() -> None:
    """Wait for the end of the pipe, then end the group, this process included."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(sys.stdin.fileno(), 1):
        pass
    assert os.getpgrp() == os.getpid(), "the guardian leads a group of its own"
    os.killpg(0, signal.SIGTERM)
    time.sleep(STOP_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
