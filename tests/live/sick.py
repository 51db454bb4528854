"""The command line of a node that is not well.

    python -m tests.live.sick full BYTES COMMAND ...      no file may pass BYTES
    python -m tests.live.sick sync COUNT COMMAND ...      every fdatasync after COUNT fails
    python -m tests.live.sick money HEIGHT COMMAND ...    the audit fails at that height
    python -m tests.live.sick crash HEIGHT COMMAND ...    our own assert fails at that height
"""

import errno
import os
import resource
import sys
from typing import Any

from quorate.cli.main import main
from quorate.replica.errors import AuditFailed
from quorate.replica.executor import Executor
from quorate.types.blocks import Executed


def fail_sync(after: int) -> None:
    """Let fdatasync fail after a number of calls, as a dying disk does."""
    healthy = os.fdatasync
    calls = 0

    def sick(fd: int) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        healthy(fd)

    os.fdatasync = sick


def fail_execution(how: str, height: int) -> None:
    """Let the executor contradict itself, or crash, at one height."""
    healthy = Executor.execute

    def sick(self: Executor, at: int, *rest: Any) -> Executed:
        if at == height:
            if how == "money":
                raise AuditFailed("money appeared")
            raise AssertionError("a bug of ours")
        return healthy(self, at, *rest)

    Executor.execute = sick  # type: ignore[method-assign]


if __name__ == "__main__":
    mode, number = sys.argv[1], int(sys.argv[2])
    if mode == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
    elif mode == "sync":
        fail_sync(number)
    else:
        fail_execution(mode, number)
    sys.argv = ["quorate", *sys.argv[3:]]
    main()
