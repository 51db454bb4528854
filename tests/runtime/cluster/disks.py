"""A home with a log whose syncs can be watched, and a log thread that is stepped by hand."""

from collections import deque
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from quorate.codec.blocks import decode_block, encode_block
from quorate.replica.messages import Append
from quorate.replica.records import DELIVERED, PAYLOAD, delivered_payload
from quorate.runtime.cluster.journal import Journal
from quorate.runtime.files import LogFiles
from quorate.runtime.home import Home, init_home
from quorate.storage.log import Kind
from quorate.storage.writer import Entry
from quorate.types.consensus import Header
from tests.live.nodes import config_text

COUNT = 4


def home_at(path: Path) -> Home:
    """Make a home with an empty log of segments of 1 MiB."""
    return init_home(path, config_text=config_text(segment_mib=1, machine="spec"))


def log_of(home: Home) -> LogFiles:
    """Open the log of a home."""
    return LogFiles.open(home.path, home.identity, home.config.segment_bytes)


class Watched:
    """A real log. while_syncing: is called in each sync before anything becomes durable.

    durable: how many records are; appended: how many were handed over.
    """

    def __init__(self, files: LogFiles) -> None:
        self.files = files
        self.appended = self.durable = self.syncs = 0
        self.while_syncing: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.files, name)

    def append(self, entries: Sequence[Entry]) -> range:
        """Append, and count."""
        self.appended += len(entries)
        return self.files.append(entries)

    def sync(self) -> int:
        """Sync, and count."""
        covered = self.appended
        self.while_syncing()
        found = self.files.sync()
        self.syncs += 1
        self.durable = covered
        return found


class Idle(Exception):
    """The queue of a thread that is stepped is empty."""


class ByHand:
    """A queue whose reader is given back where it would wait."""

    def __init__(self) -> None:
        self.waiting: deque[Any] = deque()

    def put(self, part: Any) -> None:
        """Add to it."""
        self.waiting.append(part)

    def get(self) -> Any:
        """Take the next. Raises Idle."""
        if not self.waiting:
            raise Idle
        return self.waiting.popleft()

    def empty(self) -> bool:
        """Say whether nothing waits."""
        return not self.waiting


def turn(journal: Journal) -> None:
    """Have the log thread do all that waits."""
    try:
        journal.run()
    except Idle:
        return
    raise AssertionError("the log thread came to its end")


def block_at(height: int, view: int, size: int) -> tuple[bytes, bytes]:
    """Make a block of agreement; give its digest and its bytes."""
    items = sha256(b"%d %d" % (height, view)).digest() * (size // 32)
    header = Header(
        0, view, view - 1, 0, height, 1_000 + height, bytes(32), 0, len(items),
        sha256(items).digest(), None,
    )  # fmt: skip
    data = encode_block(header, items, COUNT)
    return decode_block(data, COUNT).digest, data


def payload_at(height: int, view: int, size: int = 64) -> tuple[bytes, Append]:
    """Make the record of a block, and give its digest."""
    digest, data = block_at(height, view, size)
    return digest, Append(PAYLOAD, view, data)


def delivery_of(height: int, view: int, digest: bytes) -> list[Append]:
    """Make the records of a delivered and executed block."""
    place = delivered_payload(height, view, digest)
    return [Append(DELIVERED, height, place), Append(int(Kind.BLOCK), height, b"executed")]
