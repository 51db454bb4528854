"""Every way in which stored bytes are refused. `str(error)` is one sentence for an operator."""


class StorageRefusal(Exception):
    """Stored bytes or a request that this room refuses. Nothing was changed."""


class LogDamaged(StorageRefusal):
    """Bytes of the log that were durable are gone or changed.

    segment: number of the segment; offset: byte offset in it; sequence: the first sequence
    that cannot be read; reason: what was wrong there.
    """

    def __init__(self, segment: int, offset: int, sequence: int, reason: str) -> None:
        super().__init__(
            f"The log is damaged at segment {segment}, offset {offset}, sequence {sequence}: "
            f"{reason}; restore this node from a peer or a backup, do not delete the log."
        )
        self.segment = segment
        self.offset = offset
        self.sequence = sequence
        self.reason = reason


class WrongChain(StorageRefusal):
    """Sound bytes of another chain or another genesis."""


class UnknownFormat(StorageRefusal):
    """A format version or record kind that this program does not read."""


class RecordTooLarge(StorageRefusal):
    """A payload that does not fit in one segment."""


class SnapshotDamaged(StorageRefusal):
    """A snapshot whose bytes do not agree with its own digests, lengths or rules."""


class SnapshotTruncated(SnapshotDamaged):
    """A snapshot that ends too early."""


class SnapshotTrailing(SnapshotDamaged):
    """A snapshot with bytes after its end."""
