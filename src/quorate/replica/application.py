"""Our state machine under an engine that is not ours: an ABCI 2.0 application. Sans-IO.

CometBFT agrees on blocks of transactions and asks what they are and what they do; each transaction
is the canonical bytes of one item, so that a block's transactions, one behind the other, are the
items of an executable block, and execution cannot tell which engine ordered it.

    Info              the last height that is durable here, with its root
    InitChain         whether the chain's genesis is that of this application
    CheckTx           whether a bundle may wait: structure, chain, signature; and what the state
                      says of it for good: expired, or its nonce used. What a bundle before it could
                      still mend (no account yet, a session expired) is for execution to judge
    PrepareProposal   the valid ones of what waits, in their order, as many as a block holds
    ProcessProposal   the block-validity rule: encoding, limits, each bundle's chain and signature,
                      none twice (validity.py). Height, parent, proposer and time are CometBFT's
    FinalizeBlock     execute; the answer carries the root as app hash
    Commit            log the block and our unsigned checkpoint of it, sync, and only then answer

Nothing is logged before Commit: Info must not name a height whose FinalizeBlock the engine does not
remember. A crash before Commit loses the execution only; CometBFT has the block and asks again. A
block at which we fail is not logged either, for it stands in CometBFT's own store: the halt marker
names it, and the next start is asked for it again.

CometBFT's block time may lie before our genesis' by an operator's clock; a block's time is never
taken to be before its parent's.

Requests of our own clients wait in the same pool as under our own engine (mempool.py), and are
handed to CometBFT's. Its pool does not outlive it: when it comes back, what still waits is handed
over again. What a bundle led to is told when the block that took it is durable.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from quorate.codec.items import ITEM_HEAD, decode_items
from quorate.codec.nesting import json_within
from quorate.replica.application_messages import (
    Advise,
    Advised,
    Answered,
    ApplicationEvent,
    Begin,
    Check,
    Codes,
    Commit,
    Decide,
    Done,
    Execute,
    Executed,
    Failed,
    Info,
    Inform,
    Installed,
    Members,
    Outcome,
    Prepare,
    Process,
    Proposal,
    Reconnected,
    Refused,
    Reminded,
    Submit,
    Submitted,
    Verdict,
)
from quorate.replica.claims import Claim, Claims
from quorate.replica.ledger import Ordered
from quorate.replica.mempool import Bundle, Mempool, PoolLimits, item_hash, laid_out
from quorate.replica.messages import Halt, Refuse, Reply, Span, Stop
from quorate.replica.pooling import pooled, sifted
from quorate.replica.replica import refused
from quorate.replica.validator_messages import FOR_BLOCK, Admit, Admitted, Requested
from quorate.replica.validity import bundles_fault
from quorate.storage.log import Identity
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.limits import (
    BLOCK_BYTES_MAX,
    BUNDLES_PER_BLOCK_MAX,
    COMMAND_BYTES,
    COMMANDS_PER_BLOCK_MAX,
    TIME_MS_MAX,
)
from quorate.types.records import ADMITTED

REMINDED_MAX: Final = 1024  # at a time, in turns: much waits where the engine has much to do
UNUSED: Final = (
    int(Reject.SIGNER_MUST_HAVE_AN_ACCOUNT),
    int(Reject.NONCE_TOO_FAR_AHEAD_USE_CURRENT_MS),
    int(Reject.TABLE_FULL_SEND_LATER),
)
FOR_POOL: Final = 0  # whose turn it is with admission: all that is not for a block
Found = list[Bundle | Reject]
Then = Callable[[Found], list[Any]]


@dataclass
class Pending:
    """A decided block that is not durable yet. ticket: of whoever waits for its outcome, or 0."""

    height: int
    time_ms: int
    names: tuple[bytes, ...]
    ticket: int
    torn: list[Reply]
    effects: tuple[Any, ...] = ()
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Transactions about which admission is asked.

    found: what was known when we asked, a bundle or why it is none; asked: the indexes of the rest.
    """

    found: list[Bundle | Reject | None]
    asked: tuple[int, ...]
    then: Then


class Application:
    """What CometBFT drives. height, time_ms, root, version: of what is durable."""

    def __init__(self, identity: Identity, state: Installed, limits: PoolLimits) -> None:
        """state: what recovery came to; height 0 before the first block."""
        self.identity = identity
        self.height, self.time_ms = state.height, state.time_ms
        self.root, self.version = state.root, state.version
        self.mempool = Mempool(limits)
        self.claims = Claims()
        self.waiting_before: dict[bytes, None] = {}
        self.reminded_next = 0
        self.members: Members = {}
        self.pending: Pending | None = None
        self.inquiries: dict[int, Inquiry] = {}
        self.advices: dict[int, Callable[[tuple[int, ...]], list[Any]]] = {}
        self.ticket_last = 0
        self.handlers: dict[type[Any], Callable[[Any], list[Any]]] = {
            Inform: self.inform,
            Begin: self.begin,
            Check: self.check,
            Prepare: self.prepare,
            Process: self.process,
            Decide: self.decide,
            Commit: self.commit,
            Admitted: self.admitted,
            Advised: self.advised,
            Executed: self.executed,
            Submitted: self.submitted,
            Installed: self.installed,
            Requested: self.requested,
            Reconnected: self.reconnected,
            Reminded: self.reminded,
        }

    def step(self, event: ApplicationEvent) -> list[Any]:
        """Take one event; return what to do, in the order of durability."""
        return self.handlers[type(event)](event)

    # --- the chain -------------------------------------------------------------------------------
    def inform(self, event: Inform) -> list[Any]:
        """Say what is durable; the genesis itself has no app hash yet."""
        root = self.root if self.height else b""
        return [Answered(event.ticket, Info(self.height, root, self.version))]

    def begin(self, event: Begin) -> list[Any]:
        """Compare the chain's genesis with ours; the root of ours goes into the first header."""
        fault = self.genesis_fault(event)
        if fault:
            return [Answered(event.ticket, Failed(fault)), Refused(fault)]
        self.members = dict(event.members)
        return [Answered(event.ticket, Info(0, self.root, self.version))]

    def genesis_fault(self, event: Begin) -> str:
        """Say why a chain is not one that this home can run: all that is wrong with it."""
        wanted = {
            "app_genesis": self.identity.app_genesis.hex(),
            "chain_id": str(self.identity.chain_id),
        }
        try:
            found = json_within(event.app_state)
        except ValueError:
            found = None
        faults: list[str] = []
        if found != wanted:
            faults.append(f"app_state must be {json.dumps(wanted, sort_keys=True)}")
        if event.height != 1:
            faults.append(f"initial_height must be 1, not {event.height}")
        if not 0 <= event.time_ms <= TIME_MS_MAX:
            faults.append("genesis_time is out of range")
        if not event.ed25519:
            faults.append("validators and pub_key_types must be of Ed25519 keys alone")
        if event.extensions:
            faults.append("vote extensions must be off")
        if not 0 < event.block_bytes_max <= BLOCK_BYTES_MAX:
            most = f"from 1 to {BLOCK_BYTES_MAX}"
            faults.append(f"block.max_bytes must be {most}, not {event.block_bytes_max}")
        if faults:
            return (
                f"This chain's CometBFT genesis is not one for this home: {'; '.join(faults)}. "
                "CometBFT keeps the genesis that it has seen: when you have mended the file, empty "
                "its data too (cometbft unsafe-reset-all)."
            )
        if self.height:
            return f"This home is at height {self.height}, and CometBFT begins its chain anew."
        return ""

    # --- bundles ---------------------------------------------------------------------------------
    def ticket(self) -> int:
        """Number a question of our own."""
        self.ticket_last += 1
        return self.ticket_last

    def inquire(self, transactions: Sequence[bytes], source: int, then: Then) -> list[Any]:
        """Find the bundle of each transaction, or why it is none, and go on with them."""
        found: list[Bundle | Reject | None] = []
        unknown: list[Item] = []
        asked: list[int] = []
        for at, transaction in enumerate(transactions):
            item = item_of(transaction)
            if isinstance(item, Reject):
                found.append(item)
                continue
            found.append(self.mempool.verified(item_hash(transaction)))
            if found[at] is None:
                unknown.append(item)
                asked.append(at)
        inquiry = Inquiry(found, tuple(asked), then)
        if not asked:
            return self.found(inquiry, ())
        ticket = self.ticket()
        self.inquiries[ticket] = inquiry
        return [Admit(ticket, tuple(unknown), source)]

    def admitted(self, event: Admitted) -> list[Any]:
        """Take admission's answer."""
        inquiry = self.inquiries.pop(event.ticket)
        self.mempool.learn([bundle for bundle in event.bundles if isinstance(bundle, Bundle)])
        return self.found(inquiry, event.bundles)

    def found(self, inquiry: Inquiry, fresh: Sequence[Bundle | Reject]) -> list[Any]:
        """Go on with what was known and what admission found, put together."""
        known = dict(zip(inquiry.asked, fresh, strict=True))
        found = [known.get(at) or bundle for at, bundle in enumerate(inquiry.found)]
        return inquiry.then([bundle for bundle in found if bundle is not None])

    def check(self, event: Check) -> list[Any]:
        """Say which transactions may wait for a block."""

        def then(found: Found) -> list[Any]:
            codes = [int(it) if isinstance(it, Reject) else 0 for it in found]
            sound = [it for it in found if isinstance(it, Bundle)]
            if not sound:
                return [Answered(event.ticket, Codes(tuple(codes)))]
            ticket = self.ticket()

            def told(advice: tuple[int, ...]) -> list[Any]:
                hopeless = iter(advice)
                merged = [code or next(hopeless) for code in codes]
                # The pool lets go of these: whoever waits for one of them hears it from us.
                own = zip([bundle.hash for bundle in sound], advice, strict=True)
                lost = self.lost([(name, code) for name, code in own if code])
                return [Answered(event.ticket, Codes(tuple(merged))), *lost]

            self.advices[ticket] = told
            rows = np.frombuffer(bytearray(b"".join([it.row for it in sound])), ADMITTED)
            return [Advise(ticket, rows)]

        return self.inquire(event.transactions, FOR_POOL, then)

    def advised(self, event: Advised) -> list[Any]:
        """Take what the state says."""
        return self.advices.pop(event.ticket)(event.codes)

    # --- blocks ----------------------------------------------------------------------------------
    def prepare(self, event: Prepare) -> list[Any]:
        """Choose the transactions of a block of ours."""

        def then(found: Found) -> list[Any]:
            chosen = chosen_of(event.transactions, found, event.bytes_max)
            return [Answered(event.ticket, Proposal(tuple(chosen)))]

        return self.inquire(event.transactions, FOR_BLOCK, then)

    def process(self, event: Process) -> list[Any]:
        """Judge a block that is not decided yet."""
        early = shape_fault(event.transactions)
        if not early and event.height != self.height + 1:
            early = f"its height is {event.height}, and ours is {self.height}"
        if not early and not 0 <= event.time_ms <= TIME_MS_MAX:
            early = "its time is out of range"
        if early:
            return [Answered(event.ticket, Verdict(early))]

        def then(found: Found) -> list[Any]:
            return [Answered(event.ticket, Verdict(fault_of(event.transactions, found)))]

        return self.inquire(event.transactions, FOR_BLOCK, then)

    def decide(self, event: Decide) -> list[Any]:
        """Execute a decided block, once, however often it is asked for before it is durable."""
        names = tuple([item_hash(transaction) for transaction in event.transactions])
        pending = self.pending
        if pending is not None:
            if (event.height, event.time_ms, names) != (
                pending.height, pending.time_ms, pending.names
            ):  # fmt: skip
                sentence = f"Height {pending.height} was decided already, as another block."
                return [Answered(event.ticket, Failed(sentence))]
            pending.ticket = event.ticket
            if pending.outcome is None:
                return []
            return [Answered(event.ticket, pending.outcome)]
        if event.height != self.height + 1:
            sentence = f"Height {event.height} does not follow {self.height}, where this home is."
            return [Answered(event.ticket, Failed(sentence))]
        self.pending = Pending(event.height, event.time_ms, names, event.ticket, [])

        def then(found: Found) -> list[Any]:
            return self.execute(event, names, found)

        return self.inquire(event.transactions, FOR_BLOCK, then)

    def execute(self, event: Decide, names: tuple[bytes, ...], found: Found) -> list[Any]:
        """Hand a decided block to the ledger. One that we find invalid has halted more than us."""
        fault = shape_fault(event.transactions) or fault_of(event.transactions, found)
        items = b"".join(event.transactions)
        if fault:
            reason = f"a decided block is not valid: {fault}"
            return [Halt(event.height, hashlib.sha256(items).digest(), reason)]
        assert self.pending is not None
        time_ms = max(event.time_ms, self.time_ms)
        spans, self.pending.torn = self.claims.delivered(names, event.height, time_ms)
        self.mempool.finalized(names)
        rows, commands = laid_out([it for it in found if isinstance(it, Bundle)])
        members = event.members if event.height > 1 else self.members
        ordered = Ordered(event.height, time_ms, items, rows, commands, spans)
        return [Execute(ordered, members)]

    def executed(self, event: Executed) -> list[Any]:
        """Tell the engine what a block did; what failed goes no further."""
        pending, outcome = self.pending, event.outcome
        assert pending is not None and pending.height == event.height
        ends = [effect for effect in event.effects if isinstance(effect, Halt | Stop)]
        if ends or outcome is None:
            return ends
        pending.effects, pending.outcome = event.effects, outcome
        codes = [code for code, _ in outcome.results]
        # Their nonces are unused: the same bytes may be sent again, when the reason is gone.
        self.mempool.forgotten(
            [name for name, code in zip(pending.names, codes, strict=True) if code in UNUSED]
        )
        return [Answered(pending.ticket, outcome)]

    def commit(self, event: Commit) -> list[Any]:
        """Make the decided block durable, then tell of it."""
        pending = self.pending
        if pending is None or pending.outcome is None:
            return [Answered(event.ticket, Failed("No block was decided that could be committed."))]
        self.pending = None
        self.height, self.root = pending.height, pending.outcome.root
        self.time_ms = max(pending.time_ms, self.time_ms)
        self.version = pending.outcome.version
        gone = [bundle.hash for bundle in self.mempool.expired(self.time_ms)]
        late = self.claims.withdrawn(gone, Reject.BUNDLE_EXPIRED_SIGN_AGAIN)
        return [*pending.effects, *pending.torn, *late, Answered(event.ticket, Done())]

    def installed(self, event: Installed) -> list[Any]:
        """Go on from a snapshot."""
        self.height, self.time_ms = event.height, event.time_ms
        self.root, self.version = event.root, event.version
        return []

    # --- our own clients -------------------------------------------------------------------------
    def requested(self, event: Requested) -> list[Any]:
        """Take a client's items: what is sound waits, and goes to the engine's pool."""
        request = event.request
        items = decode_items(request.data)
        if isinstance(items, Reject) or not items:
            code = items if isinstance(items, Reject) else Reject.LENGTH_MUST_MATCH_COUNT
            return [Refuse(request.client, request.number, code)]
        transactions = [ITEM_HEAD.pack(item.kind, len(item.data)) + item.data for item in items]

        def then(found: Found) -> list[Any]:
            it = sifted([item_hash(each) for each in transactions], found)
            waiting, fresh = pooled(self.mempool, it)
            codes = tuple(it.codes)
            if not waiting:
                return [refused(Span(request.client, request.number, codes, 0, 0))]
            names = tuple([bundle.hash for bundle in waiting])
            self.claims.add(Claim(request.client, request.number, codes, names))
            return [Submit(tuple(fresh))] if fresh else []

        return self.inquire(transactions, FOR_POOL, then)

    def submitted(self, event: Submitted) -> list[Any]:
        """Tell clients of what the engine's pool refused."""
        return self.lost(event.refused)

    def lost(self, refused: Sequence[tuple[bytes, int]]) -> list[Any]:
        """Forget bundles that will not be in a block, and tell the clients that wait for them."""
        replies: list[Any] = []
        for name, code in refused:
            self.mempool.dropped([name])
            replies += self.claims.withdrawn([name], Reject(code))
        return replies

    def reconnected(self, event: Reconnected) -> list[Any]:
        """Hand over again what clients still wait for."""
        return self.handed_over(list(self.claims.waiting))

    def reminded(self, event: Reminded) -> list[Any]:
        """Hand over again what was waiting the last time already; the pool knows what it has."""
        before, self.waiting_before = self.waiting_before, dict.fromkeys(self.claims.waiting)
        names = [name for name in self.waiting_before if name in before]
        first = self.reminded_next % max(len(names), 1)
        self.reminded_next = first + REMINDED_MAX if len(names) > REMINDED_MAX else 0
        return self.handed_over((names[first:] + names[:first])[:REMINDED_MAX])

    def handed_over(self, names: Sequence[bytes]) -> list[Any]:
        """Give waiting bundles to the engine's pool."""
        waiting = [self.mempool.verified(name) for name in names]
        items = tuple([bundle.item for bundle in waiting if bundle is not None])
        return [Submit(items)] if items else []


# --- transactions --------------------------------------------------------------------------------
def item_of(transaction: bytes) -> Item | Reject:
    """Read the one item that a transaction is."""
    if len(transaction) < ITEM_HEAD.size:
        return Reject.LENGTH_MUST_MATCH_COUNT
    kind, length = ITEM_HEAD.unpack_from(transaction)
    if length != len(transaction) - ITEM_HEAD.size:
        return Reject.LENGTH_MUST_MATCH_COUNT
    return Item(kind, transaction[ITEM_HEAD.size :])


def shape_fault(transactions: Sequence[bytes]) -> str:
    """Say what is wrong with a block before a signature in it is looked at."""
    if len(transactions) > BUNDLES_PER_BLOCK_MAX:
        return "it has more bundles than a block may"
    if sum([len(transaction) for transaction in transactions]) > BLOCK_BYTES_MAX:
        return "it has more bytes than a block may"
    return ""


def fault_of(transactions: Sequence[bytes], found: Found) -> str:
    """Say what is wrong with a block's bundles; the same rule as under our own engine."""
    items: list[Item] = []
    for index, transaction in enumerate(transactions):
        item = item_of(transaction)
        if isinstance(item, Reject):
            return f"transaction {index} is not one item"
        items.append(item)
    return bundles_fault(items, [int(it) if isinstance(it, Reject) else 0 for it in found])


def proto_bytes(size: int) -> int:
    """Give the bytes that a transaction takes in a block as CometBFT counts: tag and length too."""
    return size + 1 + max((size.bit_length() + 6) // 7, 1)


def chosen_of(transactions: Sequence[bytes], found: Found, bytes_max: int) -> list[bytes]:
    """Choose the valid ones, each once, in their order, up to the first that does not fit."""
    chosen: dict[bytes, bytes] = {}
    counted = size = commands = 0
    for transaction, bundle in zip(transactions, found, strict=True):
        if isinstance(bundle, Reject) or bundle.hash in chosen:
            continue
        counted += proto_bytes(len(transaction))
        size += len(transaction)
        commands += len(bundle.commands) // COMMAND_BYTES
        if (
            counted > bytes_max
            or size > BLOCK_BYTES_MAX
            or commands > COMMANDS_PER_BLOCK_MAX
            or len(chosen) == BUNDLES_PER_BLOCK_MAX
        ):
            break
        chosen[bundle.hash] = transaction
    return list(chosen.values())
