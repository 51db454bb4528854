"""The command line on a disk that fails.

    python -m tests.live.sick_disk full BYTES COMMAND ...      no file may pass BYTES
    python -m tests.live.sick_disk sync COUNT COMMAND ...      every fdatasync after COUNT fails
"""

import errno
import os
import resource
import sys

from quorate.cli.main import main


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


if __name__ == "__main__":
    mode, number = sys.argv[1], int(sys.argv[2])
    if mode == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
    else:
        fail_sync(number)
    sys.argv = ["quorate", *sys.argv[3:]]
    main()
