"""Events that a validator's core takes and effects that it returns, beside those of `messages`.

The order of effects is the order of durability. Effects that say so are *early*: they may leave at
once, before any Sync; all others wait for every Sync that stands before them, in this step's list
and in those of earlier steps. A driver may cover several Syncs with one.

A driver has four places of work: the core, which this is for; admission, which checks signatures;
the ledger, which executes (ledger.py); and the log. What leaves the core for another place comes
back as an event, whenever it is done:

    Admit      -> Admitted      signatures of bundles not seen before
    Execute    -> Settled       the ledger's effect, handed to the core after its Sync
    ReadBlocks -> BlocksRead    payload records from the log, for those who are behind
    ReadChunk  -> ChunkRead     a piece of a snapshot's file, for those who are further behind

and for who is that far behind itself, and is fetching a snapshot:

    OpenPartial   -> PartialOpened    what of it is on disk already
    StoreChunk    -> ChunkStored      one more piece
    CheckSnapshot -> SnapshotChecked  whether the whole file is the certified state
    Install       -> nothing          the log goes on from it: begin again from the home
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from quorate.replica.ledger import Ordered
from quorate.replica.mempool import Bundle
from quorate.replica.messages import Append, Halt, Refuse, Reply, Request, Settled, Stop, Sync
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.consensus import CheckpointVote, Evidence


class Moment(NamedTuple):
    """Now. mono_ms: a clock that never goes back, for timers; wall_ms: unix time, for blocks."""

    mono_ms: int
    wall_ms: int


# --- events --------------------------------------------------------------------------------------
class Tick(NamedTuple):
    """Time has passed."""


class FromPeer(NamedTuple):
    """A frame from a validator. peer: its index, authenticated. kind: PeerKind."""

    peer: int
    kind: int
    body: bytes


class PeerUp(NamedTuple):
    """A connection stands."""

    peer: int


class PeerDown(NamedTuple):
    """A connection has ended."""

    peer: int


class Requested(NamedTuple):
    """A client of ours sent items."""

    request: Request


class Admitted(NamedTuple):
    """The answer to Admit: a bundle, or why not, for each item."""

    ticket: int
    bundles: tuple["Bundle | Reject", ...]


class BlocksRead(NamedTuple):
    """The answer to ReadBlocks: bytes, or None where there are none any more."""

    ticket: int
    blocks: tuple[bytes | None, ...]


class Stopping(NamedTuple):
    """Sign nothing more."""


class SnapshotOffered(NamedTuple):
    """A snapshot file of ours that can be sent. digests: SHA-256 of its chunks, in order."""

    height: int
    size: int
    digests: tuple[bytes, ...]


class ChunkRead(NamedTuple):
    """The answer to ReadChunk: bytes, or None where the file is gone or not what it was."""

    ticket: int
    data: bytes | None


class PartialOpened(NamedTuple):
    """The answer to OpenPartial: the chunks that are on disk already, by their digests."""

    ticket: int
    chunks: tuple[int, ...]


class ChunkStored(NamedTuple):
    """The answer to StoreChunk."""

    height: int
    chunk: int


class SnapshotChecked(NamedTuple):
    """The answer to CheckSnapshot. fault: empty, or why the file is not the certified state.

    chunks: those that are not on disk as they came; then the state was not looked at.
    """

    height: int
    fault: str
    chunks: tuple[int, ...] = ()


ValidatorEvent = (
    Tick
    | FromPeer
    | PeerUp
    | PeerDown
    | Requested
    | Admitted
    | BlocksRead
    | Settled
    | Stopping
    | SnapshotOffered
    | ChunkRead
    | PartialOpened
    | ChunkStored
    | SnapshotChecked
)


FOR_BLOCK: Final = -2


# --- effects -------------------------------------------------------------------------------------
class Send(NamedTuple):
    """Send a frame to a validator, or to all others (peer None). early: before any Sync."""

    peer: int | None
    kind: int
    body: bytes
    early: bool = False


class Admit(NamedTuple):
    """Check items, none of which is known to be sound.

    source: FOR_BLOCK, which agreement waits for; a peer; or OWN_CLIENTS (mempool). What is for a
    block goes before all else, and the other sources take turns.
    """

    ticket: int
    items: tuple[Item, ...]
    source: int


class Execute(NamedTuple):
    """Hand a block to the ledger. Heights rise by one."""

    block: Ordered


class ReadBlocks(NamedTuple):
    """Read PAYLOAD records, by block digest."""

    ticket: int
    digests: tuple[bytes, ...]


class ReadChunk(NamedTuple):
    """Read a chunk of a snapshot file that was offered."""

    ticket: int
    height: int
    chunk: int


class OpenPartial(NamedTuple):
    """Take a file for a snapshot that is fetched, and see what of it is there from before."""

    ticket: int
    size: int
    digests: tuple[bytes, ...]


class StoreChunk(NamedTuple):
    """Put a chunk, checked, into the file."""

    height: int
    chunk: int
    data: bytes


class CheckSnapshot(NamedTuple):
    """Make the file durable; check every byte, its state's root and the block that it names."""

    height: int
    exec_block_digest: bytes
    state_root: bytes


class Install(NamedTuple):
    """Put the file in its place, now that the log goes on from it, and begin again."""

    height: int


class Wake(NamedTuple):
    """Send a Tick no later than this, of mono_ms; it replaces what was asked before."""

    at_ms: int


class Quit(NamedTuple):
    """End the link to a peer, which sends forgeries, and refuse it for so long."""

    peer: int
    span_ms: int


class Accused(NamedTuple):
    """A validator is proved malicious; the evidence has been appended."""

    signer: int
    evidence: Evidence | tuple[CheckpointVote, CheckpointVote]


@dataclass(frozen=True, slots=True)
class Progress:
    """For whoever watches: never needed to go on. what: a stable word, then its numbers."""

    what: str
    fields: tuple[tuple[str, Any], ...]


ValidatorEffect = (
    Append
    | Sync
    | Send
    | Admit
    | Execute
    | ReadBlocks
    | ReadChunk
    | OpenPartial
    | StoreChunk
    | CheckSnapshot
    | Install
    | Reply
    | Refuse
    | Wake
    | Quit
    | Accused
    | Progress
    | Halt
    | Stop
)
