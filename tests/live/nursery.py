"""A process that forks nodes, so that a test can start dozens without importing everything anew.

Each line on stdin is a home; the answer is the process id of its node. What a node says goes to
`node.out` in its home. A node is a process of its own in every respect: it is killed as one.
"""

import os
import sys
from pathlib import Path

import quorate.execution.kernels.block  # noqa: F401  (compiled here, once, before the first fork)
from quorate.runtime.home import read_home
from quorate.runtime.node import run_node
from quorate.runtime.start import start


def node(home: Path) -> None:
    """Be the node of a home."""
    output = os.open(home / "node.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    found = read_home(home)
    started = start(found)
    run_node(found, started.files, started.replica, lambda endpoint: None)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.close(0)
            node(Path(line.strip()))
            os._exit(0)
        print(child, flush=True)
        # The test kills it by its id; here it is only taken off the process table.
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
