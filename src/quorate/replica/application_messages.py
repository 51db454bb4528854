"""Events that an application under another engine takes, and the effects that it returns.

The engine (CometBFT) orders; it asks by ABCI. A *ticket* is the driver's number of one question,
which its answer names. A *transaction* is the canonical bytes of one item.

What leaves the application for another place of work comes back as an event, whenever it is done:

    Admit   -> Admitted   signatures of bundles not seen before (validator_messages.py)
    Advise  -> Advised    which of them no later block can execute; asked of the ledger's thread
    Execute -> Executed   a decided block
    Submit  -> Submitted  bundles of our own clients, for the engine's pool; it asks us by CheckTx

A list of effects with a Sync goes to the log as a whole: what stands behind it waits for the disk.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from quorate.replica.ledger import Ordered
from quorate.replica.validator_messages import Admitted, Requested
from quorate.replica.validators import ValidatorChange

Members = Mapping[bytes, int]  # of a validator set: address -> power


# --- events: what the engine asks ----------------------------------------------------------------
class Inform(NamedTuple):
    """Info: how far is the application?"""

    ticket: int


class Begin(NamedTuple):
    """InitChain: a chain begins. app_state: what its genesis says of the application, JSON.

    ed25519: whether validators have such keys and no others. extensions: whether votes have any.
    """

    ticket: int
    height: int
    time_ms: int
    app_state: bytes
    members: Members
    ed25519: bool
    extensions: bool
    block_bytes_max: int


class Check(NamedTuple):
    """CheckTx, of several at once: may these transactions wait for a block?"""

    ticket: int
    transactions: tuple[bytes, ...]


class Prepare(NamedTuple):
    """PrepareProposal: choose from these. bytes_max: as CometBFT counts them."""

    ticket: int
    transactions: tuple[bytes, ...]
    bytes_max: int


class Process(NamedTuple):
    """ProcessProposal: is this block valid?"""

    ticket: int
    height: int
    time_ms: int
    transactions: tuple[bytes, ...]


class Decide(NamedTuple):
    """FinalizeBlock: this block is decided. members: the validators of the block before it."""

    ticket: int
    height: int
    time_ms: int
    transactions: tuple[bytes, ...]
    members: Members


class Commit(NamedTuple):
    """Commit: make the decided block durable."""

    ticket: int


# --- events: what other places of work answer ----------------------------------------------------
class Advised(NamedTuple):
    """The answer to Advise: a code for each bundle, 0 for what may yet be executed."""

    ticket: int
    codes: tuple[int, ...]


class Outcome(NamedTuple):
    """What a block did for the engine. results: code and data of each transaction.

    changes: of the validator set. version: of the rules, from the next block on; renewed: whether
    that is another one than this block's.
    """

    root: bytes
    results: tuple[tuple[int, bytes], ...]
    changes: tuple[ValidatorChange, ...]
    version: int
    renewed: bool = False


class Executed(NamedTuple):
    """The answer to Execute. effects: the ledger's; outcome: None where it stopped.

    digest: of the executable block.
    """

    height: int
    effects: tuple[Any, ...]
    outcome: Outcome | None
    digest: bytes = b""


class Submitted(NamedTuple):
    """What the engine's pool refused without asking us by CheckTx: hash and code."""

    refused: tuple[tuple[bytes, int], ...]


class Installed(NamedTuple):
    """The state of a snapshot is in place, durably."""

    height: int
    time_ms: int
    root: bytes
    version: int


class Reconnected(NamedTuple):
    """The engine is there again; what its pool held may be lost."""


class Reminded(NamedTuple):
    """Some seconds have passed: what waits since the last time may be lost."""


ApplicationEvent = (
    Inform | Begin | Check | Prepare | Process | Decide | Commit
    | Admitted | Advised | Executed | Submitted | Installed | Requested | Reconnected | Reminded
)  # fmt: skip


# --- answers -------------------------------------------------------------------------------------
class Info(NamedTuple):
    """What is durable: height, root of the state, version of the rules of the next block."""

    height: int
    root: bytes
    version: int


class Codes(NamedTuple):
    """A Reject code for each transaction, 0 for what may wait."""

    codes: tuple[int, ...]


class Proposal(NamedTuple):
    """The transactions of a block."""

    transactions: tuple[bytes, ...]


class Verdict(NamedTuple):
    """Why a block is not valid; empty for one that is."""

    fault: str


class Failed(NamedTuple):
    """A question that has no answer. The engine stops at it."""

    sentence: str


class Done(NamedTuple):
    """The decided block is durable."""


AnswerToEngine = Info | Codes | Proposal | Verdict | Outcome | Failed | Done


# --- effects -------------------------------------------------------------------------------------
class Answered(NamedTuple):
    """Answer a question of the engine's."""

    ticket: int
    answer: AnswerToEngine


class Advise(NamedTuple):
    """Ask the ledger's thread about bundles, ADMITTED[n]."""

    ticket: int
    rows: Any


class Execute(NamedTuple):
    """Execute a decided block. members: the validators of the block before it."""

    block: Ordered
    members: Members


class Submit(NamedTuple):
    """Hand the items of a client's request to the engine's pool, in this order."""

    items: tuple[bytes, ...]


class Refused(NamedTuple):
    """An operator's mistake: stop with this sentence, nothing was changed."""

    sentence: str
