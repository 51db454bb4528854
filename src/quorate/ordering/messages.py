"""Events that the ordering core takes and effects that it returns. All are immutable records.

The order of effects is the order of durability: every `Journal` of a step is on disk before any
`Tell` of that step, or of a later one, leaves. All else may happen at once.
"""

from enum import IntEnum
from typing import NamedTuple

from quorate.types.consensus import Certificate, Evidence, Proposal, Vote


class Reason(IntEnum):
    """Why a replica gave up on a view."""

    NONE = 0
    INACTIVITY = 1
    LEADER_NULLIFY = 2
    LEADER_TIMEOUT = 3
    CERTIFICATION_TIMEOUT = 4
    MISSING_PROPOSAL = 5
    IGNORED_PROPOSAL = 6
    INVALID_PROPOSAL = 7
    FAILED_CERTIFICATION = 8
    EQUIVOCATION = 9


# --- messages between validators -----------------------------------------------------------------
class Want(NamedTuple):
    """Please send what certificates you have of a view."""

    epoch: int
    view: int


Message = Vote | Certificate | Want


# --- events --------------------------------------------------------------------------------------
class Tick(NamedTuple):
    """Time has passed."""


class Received(NamedTuple):
    """A message from a validator, decoded. sender: index, authenticated by the connection."""

    sender: int
    message: Message


class WorkArrived(NamedTuple):
    """The pool is no longer empty: a leader that proposes nothing from here on is slow."""


class WorkDone(NamedTuple):
    """The pool is empty again."""


class Built(NamedTuple):
    """The answer to Build; payload None: declined."""

    view: int
    payload: bytes | None


class Verified(NamedTuple):
    """The answer to Verify. ok: valid, and its time within our clock's window.

    ok None: whoever should have judged is gone.
    """

    proposal: Proposal
    parent_payload: bytes
    ok: bool | None


class Certified(NamedTuple):
    """The answer to Certify. ok: the payload is at hand, durable and valid; False: it never is."""

    proposal: Proposal
    ok: bool


class Floored(NamedTuple):
    """The application has a certified state beyond our last finalization; go on from there."""

    certificate: Certificate


Event = Tick | Received | WorkArrived | WorkDone | Built | Verified | Certified | Floored


# --- effects -------------------------------------------------------------------------------------
class Record(IntEnum):
    """What an entry of the journal holds."""

    VOTE = 1
    CERTIFICATE = 2
    CERTIFIED = 3


class Journal(NamedTuple):
    """Write an entry; it is durable before any Tell that comes after it."""

    record: Record
    view: int
    data: bytes


class Tell(NamedTuple):
    """Send a message to one validator, or with `to` None to all others."""

    message: Message
    to: int | None = None


class Build(NamedTuple):
    """Make a payload on this parent, at once or when there is work; answer with Built."""

    view: int
    parent_view: int
    parent_payload: bytes


class Verify(NamedTuple):
    """Judge a proposal before we notarize it; answer with Verified."""

    proposal: Proposal
    parent_payload: bytes


class Certify(NamedTuple):
    """Get and judge the payload of a notarized proposal; answer with Certified, however late.

    signers: who must have the payload.
    """

    proposal: Proposal
    signers: tuple[int, ...]


class Finalized(NamedTuple):
    """A proposal and with it all its ancestors are final. Views only rise."""

    proposal: Proposal
    certificate: Certificate


class Accuse(NamedTuple):
    """A signer is proved malicious."""

    signer: int
    evidence: Evidence


class Offence(NamedTuple):
    """A validator sent what no honest one sends; it proves nothing to others. name: of the count.

    times: how many at once.
    """

    peer: int
    name: str
    times: int


class Forgotten(NamedTuple):
    """We signed this vote, and our journal does not hold it: it is older than what was signed."""

    vote: Vote


class Entered(NamedTuple):
    """A view has begun."""

    view: int
    leader: int


class GaveUp(NamedTuple):
    """We voted to skip a view."""

    view: int
    leader: int
    reason: Reason


class Wake(NamedTuple):
    """Send a Tick no later than this; it replaces what was asked before."""

    at_ms: int


Effect = (
    Journal
    | Tell
    | Build
    | Verify
    | Certify
    | Finalized
    | Accuse
    | Offence
    | Forgotten
    | Entered
    | GaveUp
    | Wake
)
