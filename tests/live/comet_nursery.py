"""A process that forks nodes under CometBFT, so that tests start dozens and import nothing anew.

Each line on stdin is JSON: `home`, and `release` as comet_release.py has it. The answer is the
process id of its node. What a node says goes to `node.out` in its home. A node is a process of its
own in every respect: it is killed as one. When this process ends, so do all that it forked.
"""

import contextlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import quorate.execution.kernels.block  # noqa: F401  (compiled here, once, before the first fork)
from quorate.cli.console import errors_named
from quorate.cli.run_cometbft import run_cometbft
from quorate.runtime.home import read_home
from tests.live.comet_release import made_sick


def node(home: Path, release: dict[str, Any]) -> None:
    """Be the node of a home, as `quorate run` is."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output = os.open(home / "node.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    made_sick(home, release)
    with errors_named():
        run_cometbft(read_home(home), as_json=True)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is gone at once
    children: list[int] = []
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                os.close(0)
                node(Path(wanted["home"]), wanted["release"])
            finally:
                if sys.exc_info()[0] is not None:
                    traceback.print_exc()
                os._exit(0)
        children.append(os.pidfd_open(child))  # an id may be another process's by then
        print(child, flush=True)
    for fd in children:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, signal.SIGKILL)


if __name__ == "__main__":
    main()
