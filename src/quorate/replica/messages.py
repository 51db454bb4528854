"""Events that a replica takes and effects that it returns. All are immutable records.

The order of effects is the order of durability: what stands before a `Sync` is on disk before what
follows it is sent. A driver may delay a Sync, and everything after it, to cover several steps with
one; it may never move anything to before a Sync that it stood behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from quorate.commitment.proof import Checkpoint
from quorate.types.codes import Reject


class Level(IntEnum):
    """What a reply means. Only EXECUTED and above acknowledge."""

    REFUSED = 0
    QUEUED = 1
    FINALIZED = 2
    EXECUTED = 3
    CERTIFIED = 4


@dataclass(frozen=True, slots=True)
class Request:
    """Items that a client sent together. `number` is the client's own, `data` canonical items."""

    client: int
    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """Where a request's items stand in its batch.

    codes: Reject of each item, 0 for one that goes into the block. first, count: the sound ones
    among the batch's rows. refusal: of the request as a whole.
    """

    client: int
    number: int
    codes: tuple[int, ...]
    first: int
    count: int
    refusal: Reject = Reject.OK


@dataclass(frozen=True, slots=True)
class Batch:
    """Admitted bundles of several requests, laid out for execution.

    items: their canonical bytes, one after another. rows: ADMITTED[n]; commands: uint8[m, 64];
    digests: 32 bytes each, without the signature.
    """

    spans: tuple[Span, ...]
    items: bytes
    rows: Any
    commands: Any
    digests: tuple[bytes, ...]


# --- events --------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Admission is done with a batch."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Synced:
    """All up to this height is on disk."""

    height: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's question about the state; answered between blocks, from what is durable."""

    client: int
    number: int
    question: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SnapshotMade:
    """The snapshot process has ended. `fault` is empty, or says how replay differed from us."""

    height: int
    fault: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """No further request will come: bring what waits to an end."""


Event = Tick | Judged | Synced | Asked | SnapshotMade | Stopping


# --- effects -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Append:
    """Write a record to the log."""

    kind: int
    height: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Sync:
    """Make everything appended durable, then tell `Synced(height)`."""

    height: int


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a request.

    bundle_first, bundle_count: its sound items in the block. events: EVENT bytes of those bundles;
    places: their indexes in the block, int64[k], for proofs.
    """

    client: int
    number: int
    level: Level
    height: int
    time_ms: int
    codes: tuple[int, ...]
    bundle_first: int
    bundle_count: int
    events: bytes
    places: Any


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell a client that a whole request was refused."""

    client: int
    number: int
    code: Reject


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a question, with a tree of JSON values."""

    client: int
    number: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Have another process make the snapshot of this height."""

    height: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Tell agreement what a block led to: our checkpoint of it, durable by now."""

    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Halt:
    """Our own bug: mark it durably and stop. `digest`: of the block at fault."""

    height: int
    digest: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop without a fault: only a newer program can go on. The reason says what it must have."""

    reason: str


Effect = Append | Sync | Reply | Refuse | Answer | Snapshot | Settled | Halt | Stop
