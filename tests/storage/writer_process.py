"""A process that appends until it is killed. Each line it prints is an acknowledged sequence.

Arguments: the home; `create` or `open`; the segment size.
"""

import sys
from pathlib import Path

from quorate.runtime.files import LogFiles
from quorate.storage.log import Kind
from quorate.storage.writer import Entry
from tests.storage.logs import IDENTITY


def main() -> None:
    home, how, segment_bytes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    make = LogFiles.create if how == "create" else LogFiles.open
    files = make(home, IDENTITY, segment_bytes)
    print("ready", flush=True)
    while True:
        first = files.sequence_last + 1
        batch = range(first, first + 1 + first % 5)
        files.append([Entry(Kind.BLOCK, n, b"%d " % n * (n % 700)) for n in batch])
        print(files.sync(), flush=True)


if __name__ == "__main__":
    main()
