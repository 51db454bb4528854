"""The log: its bytes, and the exact verdict on bytes found after a crash.

A log is a row of segments, each one preallocated file of `segment_bytes` zeros:

    sector 0        header: who wrote it, for which chain, which sequence comes first
    sector 1 ...    records, back to back, each padded to 8 bytes

A record is 48 bytes of head, 16 bytes of checksum, and its payload. The checksum is the first
half of SHA-256 over the segment's random salt, the head and the payload. The head names its own
segment and offset, so that a write which landed elsewhere is never taken for a record, and starts
with four bytes of the salt, so that no client can put something into a payload that looks like a
record to the search below.

Three numbers in each head decide what a bad record means:

    sequence  1, 2, 3 ... without a gap (a MARK repeats the sequence before it)
    durable   the greatest sequence known to be synced when this record was written
    life      how often the log had been opened; never decreases

What follows a sync starts in a new sector, so that a torn sector cannot reach what was synced.
The first thing after a sync is a MARK, written at once and not waited for: it says that all before
it was durable.

Upon scanning, at the first place where the next record (sequence s) should be and is not:
    in any segment but the last             -> damage: it was synced before the next was created
    some record further on says durable >= s -> damage: s was synced, and now it is gone
    all else                                -> torn tail: cut here. s was never known to be synced
    only zeros from here on                 -> clean end

What this cannot tell, and why that is accepted: docs/decisions/003-log.md.
"""

import struct
from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

from quorate.storage.errors import LogDamaged, UnknownFormat, WrongChain

SECTOR_BYTES = 4096
RECORD_ALIGN_BYTES = 8
SEGMENT_BYTES_DEFAULT = 64 << 20
SEGMENT_BYTES_MIN = 4 * SECTOR_BYTES
SEGMENT_BYTES_MAX = 1 << 31
FORMAT_VERSION = 1
LOG_MAGIC = b"QUORLOG\n"
SALT_BYTES = 16
CHECKSUM_BYTES = 16

_HEADER = struct.Struct("<8sIIQ32s16s16sQQQII16s")
_HEAD = struct.Struct("<4sIBBHIIIQQQ")
RECORD_OVERHEAD_BYTES = _HEAD.size + CHECKSUM_BYTES
_ZERO_MAGIC = bytes(4)
_ZEROS = bytes(1 << 18)

assert _HEADER.size <= SECTOR_BYTES
assert RECORD_OVERHEAD_BYTES == 64, "one SHA-256 block holds salt and head"
assert SECTOR_BYTES % RECORD_ALIGN_BYTES == 0
assert SEGMENT_BYTES_MAX < 2**32, "an offset is a u32"


class Kind(IntEnum):
    """What a record holds. To the log, all payloads are opaque.

    A BASE says that the log goes on from a snapshot of its height, made elsewhere: the blocks
    between the last one before it and that height are not here.
    """

    BLOCK = 1
    CHECKPOINT = 2
    MARK = 3
    BASE = 4
    NOTE_FIRST = 16
    NOTE_LAST = 31


# The records whose height is the log's own.
HEIGHT_KINDS = (Kind.BLOCK, Kind.BASE)


def kind_known(kind: int) -> bool:
    """Whether this program writes and reads records of that kind."""
    return Kind.BLOCK <= kind <= Kind.BASE or Kind.NOTE_FIRST <= kind <= Kind.NOTE_LAST


class Identity(NamedTuple):
    """Whose log it is. chain_id: u64; app_genesis: 32 bytes."""

    chain_id: int
    app_genesis: bytes


class SegmentHeader(NamedTuple):
    """The first sector of a segment.

    salt: 16 random bytes of this file, of which the first four are not all zero.
    salt_before: the salt of the segment before, so that a segment of another copy of the log
    is not taken for one of this; zeros in the first.
    segment_bytes: size of the file. sequence_first: of its first record; all sequences before
    it were durable before the file was created. height_before: the greatest height of a BLOCK
    or BASE in earlier segments, or the height the log was founded on. life: see the module's text.
    """

    number: int
    salt: bytes
    salt_before: bytes
    segment_bytes: int
    sequence_first: int
    height_before: int
    life: int


class Record(NamedTuple):
    """One record found. payload: a view into the segment's bytes, not a copy."""

    segment: int
    offset: int
    kind: int
    flags: int
    life: int
    sequence: int
    durable: int
    height: int
    payload: bytes | memoryview


class Torn(NamedTuple):
    """An unsynced tail that was cut. records_lost: whole records found beyond the cut."""

    segment: int
    offset: int
    sequence: int
    records_lost: int
    reason: str


class Tail(NamedTuple):
    """Where to go on writing.

    end: offset after the last good record; dirty_end: offset after the last byte that is not
    zero; sequence_last, height_last, durable, life: of all records so far.
    """

    header: SegmentHeader
    end: int
    dirty_end: int
    sequence_last: int
    height_last: int
    durable: int
    life: int


class SegmentScan(NamedTuple):
    """A segment's header, its records less the marks, and the verdict on its end."""

    header: SegmentHeader
    records: list[Record]
    tail: Tail
    torn: Torn | None


def align_up(offset: int, step: int) -> int:
    """The least multiple of step, a power of two, that is not below offset."""
    return (offset + step - 1) & -step


def header_bytes(header: SegmentHeader, identity: Identity) -> bytes:
    """The header as one sector, zero filled after its checksum."""
    assert len(header.salt_before) == len(header.salt) == SALT_BYTES
    assert header.salt[:4] != _ZERO_MAGIC
    assert len(identity.app_genesis) == 32
    assert SEGMENT_BYTES_MIN <= header.segment_bytes <= SEGMENT_BYTES_MAX
    assert header.segment_bytes % SECTOR_BYTES == 0
    fields = _HEADER.pack(
        LOG_MAGIC, FORMAT_VERSION, header.number, identity.chain_id, identity.app_genesis,
        header.salt, header.salt_before, header.segment_bytes, header.sequence_first,
        header.height_before, header.life, 0, bytes(CHECKSUM_BYTES),
    )[:-CHECKSUM_BYTES]
    return (fields + sha256(fields).digest()[:CHECKSUM_BYTES]).ljust(SECTOR_BYTES, b"\0")


def header_read(data: bytes, number: int, identity: Identity) -> SegmentHeader:
    """Read and judge the header of the segment that should carry `number`.

    Raises LogDamaged, UnknownFormat or WrongChain.
    """
    if len(data) < SECTOR_BYTES:
        raise LogDamaged(number, 0, 0, f"the file has {len(data)} bytes, less than a header")
    (magic, version, found_number, chain_id, app_genesis, salt, salt_before, segment_bytes,
     sequence_first, height_before, life, _, _) = _HEADER.unpack_from(data)
    if magic != LOG_MAGIC:
        raise LogDamaged(number, 0, 0, "the header does not start as a log segment does")
    if version != FORMAT_VERSION:
        raise UnknownFormat(
            f"Segment {number} has log format {version}; this program reads {FORMAT_VERSION}."
        )
    header = SegmentHeader(
        found_number, salt, salt_before, segment_bytes, sequence_first, height_before, life
    )
    sound = (
        salt[:4] != _ZERO_MAGIC
        and SEGMENT_BYTES_MIN <= segment_bytes <= SEGMENT_BYTES_MAX
        and segment_bytes % SECTOR_BYTES == 0
        and header_bytes(header, Identity(chain_id, app_genesis)) == data[:SECTOR_BYTES]
    )
    if not sound:
        raise LogDamaged(number, 0, 0, "the header does not match its checksum")
    if Identity(chain_id, app_genesis) != identity:
        raise WrongChain(
            f"Segment {number} belongs to chain {chain_id}, genesis {app_genesis.hex()[:16]}; "
            f"this node runs chain {identity.chain_id}, "
            f"genesis {identity.app_genesis.hex()[:16]}."
        )
    if found_number != number:
        raise LogDamaged(number, 0, sequence_first, f"the file holds segment {found_number}")
    return header


def record_bytes(header: SegmentHeader, record: Record) -> bytes:
    """The record as it stands at record.offset, padded to 8 bytes."""
    payload = record.payload
    head = _HEAD.pack(
        header.salt[:4], len(payload), record.kind, record.flags, 0, header.number,
        record.offset, record.life, record.sequence, record.durable, record.height,
    )
    padding = bytes(-len(payload) % RECORD_ALIGN_BYTES)
    return b"".join((head, _checksum(header.salt, head, payload), payload, padding))


def _checksum(salt: bytes, head: bytes, payload: bytes | memoryview) -> bytes:
    digest = sha256(salt + head)
    digest.update(payload)
    return digest.digest()[:CHECKSUM_BYTES]


def _record_at(header: SegmentHeader, data: bytes, offset: int) -> Record | str:
    """The record whose bytes stand at offset, or why there is none. Looks at no neighbour."""
    payload_from = offset + RECORD_OVERHEAD_BYTES
    if payload_from > len(data):
        return "no room for a record"
    (magic, length, kind, flags, zero, segment, found_offset, life, sequence, durable,
     height) = _HEAD.unpack_from(data, offset)
    if magic != header.salt[:4]:
        return "no record starts here"
    if segment != header.number or found_offset != offset:
        return f"a record written for segment {segment}, offset {found_offset}"
    payload_end = payload_from + length
    end = align_up(payload_end, RECORD_ALIGN_BYTES)
    if end > len(data):
        return "the record's length runs past the segment"
    head = data[offset : offset + _HEAD.size]
    payload = memoryview(data)[payload_from:payload_end]
    if _checksum(header.salt, head, payload) != data[payload_from - CHECKSUM_BYTES : payload_from]:
        return "the record does not match its checksum"
    if zero or any(data[payload_end:end]):
        return "the record's padding is not zero"
    if not kind_known(kind):
        # Its checksum holds, so a later program wrote it: to cut it off would lose data.
        raise UnknownFormat(
            f"Segment {segment}, offset {offset} holds a record of kind {kind}, "
            "which this program does not read."
        )
    return Record(segment, offset, kind, flags, life, sequence, durable, height, payload)


def record_end(record: Record) -> int:
    """The offset after the record and its padding."""
    bare_end = record.offset + RECORD_OVERHEAD_BYTES + len(record.payload)
    return align_up(bare_end, RECORD_ALIGN_BYTES)


def zero_from(data: bytes, start: int, end: int) -> bool:
    """Whether data[start:end] holds only zeros."""
    for at in range(start, end, len(_ZEROS)):
        stop = min(at + len(_ZEROS), end)
        if data[at:stop] != (_ZEROS if stop - at == len(_ZEROS) else bytes(stop - at)):
            return False
    return True


def _dirty_end(data: bytes, start: int) -> int:
    """The offset after the last byte from start on that is not zero, or start."""
    end = len(data)
    while end > start:
        at = max(start, end - len(_ZEROS))
        if not zero_from(data, at, end):
            return at + len(data[at:end].rstrip(b"\0"))
        end = at
    return start


class LogScan:
    """Reads the segments of one log in order; `segment` is called once for each.

    Raises LogDamaged, WrongChain or UnknownFormat; after that the scan is of no more use.
    """

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.tail: Tail | None = None

    def segment(self, number: int, data: bytes, is_last: bool) -> SegmentScan:
        """Read one segment. Only the last one may have a torn tail."""
        header = header_read(data, number, self.identity)
        if len(data) != header.segment_bytes:
            raise LogDamaged(
                number, len(data), header.sequence_first,
                f"the file has {len(data)} bytes and should have {header.segment_bytes}",
            )
        if self.tail is not None:
            _join_check(self.tail, header)
        start = Tail(
            header, SECTOR_BYTES, SECTOR_BYTES, header.sequence_first - 1, header.height_before,
            header.sequence_first - 1, header.life,
        )
        records, tail, reason = _walk(data, start)
        torn = None
        if reason:
            torn = _judge(data, tail, reason, is_last)
            tail = tail._replace(dirty_end=_dirty_end(data, tail.end))
        self.tail = tail
        kept = [record for record in records if record.kind != Kind.MARK]
        return SegmentScan(header, kept, self.tail, torn)


def _join_check(tail: Tail, header: SegmentHeader) -> None:
    """Refuse a segment that does not go on where the one before it ended."""
    sequence = tail.sequence_last + 1
    before = tail.header.number
    if header.number != before + 1:
        raise LogDamaged(before + 1, 0, sequence, "the segment is missing")
    if header.sequence_first != sequence:
        raise LogDamaged(
            before, tail.end, sequence,
            f"the next segment starts with sequence {header.sequence_first}",
        )
    if header.height_before != tail.height_last:
        raise LogDamaged(
            before, tail.end, sequence,
            f"the next segment follows height {header.height_before}, not {tail.height_last}",
        )
    if header.salt_before != tail.header.salt:
        raise LogDamaged(
            before, 0, tail.header.sequence_first,
            f"the segment is not the one that segment {header.number} was made to follow",
        )
    if header.life < tail.life:
        raise LogDamaged(header.number, 0, sequence, "the segment is older than the one before")


def _walk(data: bytes, start: Tail) -> tuple[list[Record], Tail, str]:
    """Read records until one is missing. The string says why; it is empty at a clean end."""
    header, offset, _, last, height_last, durable, life = start
    records: list[Record] = []
    reason = ""
    at = end = offset
    while True:
        if data[at : at + 4] in (_ZERO_MAGIC, b""):
            # Zeros up to the next sector may be the gap that a sync leaves, or the end.
            at_next = align_up(at, SECTOR_BYTES)
            if not zero_from(data, at, at_next):
                reason = "bytes that are not zero after the last record"
                break
            if at_next == at or data[at_next : at_next + 4] in (_ZERO_MAGIC, b""):
                if not zero_from(data, at_next, len(data)):
                    reason = "bytes that are not zero after the end"
                break
            at = at_next
        found = _record_at(header, data, at)
        reason = found if isinstance(found, str) else _order_fault(found, last, durable, life)
        if isinstance(found, str) or reason:
            break
        last, durable, life = found.sequence, found.durable, found.life
        if found.kind in HEIGHT_KINDS:
            height_last = max(height_last, found.height)
        records.append(found)
        at = end = record_end(found)
    return records, Tail(header, end, end, last, height_last, durable, life), reason


def _order_fault(record: Record, last: int, durable: int, life: int) -> str:
    """Why a sound record cannot stand after `last`; empty if it can."""
    expected = last if record.kind == Kind.MARK else last + 1
    if record.sequence != expected:
        return f"a record of sequence {record.sequence}"
    if not durable <= record.durable <= last:
        return f"a record that takes {record.durable} to be durable"
    if record.life < life:
        return "a record of an earlier life of the log"
    return ""


def _judge(data: bytes, tail: Tail, reason: str, is_last: bool) -> Torn:
    """Decide between a torn tail, returned, and damage, raised."""
    number = tail.header.number
    sequence = tail.sequence_last + 1
    if not is_last:
        raise LogDamaged(number, tail.end, sequence, reason)
    lost = 0
    magic = tail.header.salt[:4]
    at = data.find(magic, tail.end)
    while at != -1:
        found = _record_at(tail.header, data, at) if at % RECORD_ALIGN_BYTES == 0 else ""
        if isinstance(found, Record):
            if found.durable >= sequence:
                raise LogDamaged(
                    number, tail.end, sequence,
                    f"{reason}, and offset {at} shows that {found.durable} was durable",
                )
            lost += found.kind != Kind.MARK
            at = record_end(found) - 1
        at = data.find(magic, at + 1)
    return Torn(number, tail.end, sequence, lost, reason)
