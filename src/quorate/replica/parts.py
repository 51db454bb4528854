"""What the parts of a validator share: settings, rooms, the moment, and what a step returns."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from quorate.availability.payloads import PayloadLimits, Payloads
from quorate.codec.blocks import payload_of
from quorate.codec.peer import PeerRecord, encode_peer
from quorate.commitment.proof import Checkpoint, checkpoint_digest
from quorate.crypto import verify
from quorate.ordering import messages as agreed
from quorate.ordering.rules import RULES, Rules
from quorate.ordering.scheme import Scheme
from quorate.ordering.simplex import Simplex
from quorate.ordering.timing import Times
from quorate.ordering.voting import Floor, Settings
from quorate.replica.blocks import GENESIS_DIGEST, Blocks
from quorate.replica.chain import Chain
from quorate.replica.checkpoints import Checkpoints, Divergence
from quorate.replica.claims import Claims
from quorate.replica.mempool import Mempool, PoolLimits
from quorate.replica.messages import Append, Halt, Refuse, Reply
from quorate.replica.offences import SHUNNED_MS, Offences
from quorate.replica.validator_messages import (
    Admit,
    CheckSnapshot,
    Execute,
    Moment,
    OpenPartial,
    Quit,
    ReadBlocks,
    ReadChunk,
    Send,
    StoreChunk,
    ValidatorEffect,
)
from quorate.replica.validity import ParentRef
from quorate.storage.log import Identity
from quorate.storage.snapshot import CHUNK_BYTES
from quorate.types.consensus import (
    VIEW_MAX,
    Certificate,
    CheckpointCertificate,
    CheckpointVote,
    ConsensusParameters,
    ValidatorSet,
)

AtOnce = (
    Admit | Execute | ReadBlocks | Reply | Refuse | ReadChunk | OpenPartial | StoreChunk
    | CheckSnapshot
)  # fmt: skip
DELTA_PER_VIEW_TIMEOUT: Final = 3  # a view's whole time is heartbeat and three deltas


@dataclass(frozen=True, slots=True)
class ValidatorSettings:
    """identity: chain and application genesis. me: our index. time_ms: genesis'. nonce: drawn anew
    at each start, so that an answer which names it is later than the start. snapshot_every: blocks
    between snapshots, 0 for none; chunk_bytes: of which they are sent.
    """

    identity: Identity
    validators: ValidatorSet
    parameters: ConsensusParameters
    me: int
    time_ms: int
    pool: PoolLimits = field(default_factory=PoolLimits)
    payloads: PayloadLimits = field(default_factory=PayloadLimits)
    nonce: int = 0
    snapshot_every: int = 0
    chunk_bytes: int = CHUNK_BYTES

    def times(self) -> Times:
        """Give agreement's times."""
        chosen = self.parameters
        return Times(
            chosen.delta_ms,
            chosen.heartbeat_ms,
            chosen.skip_timeout_ms,
            chosen.retry_ms,
            chosen.standstill_ms,
            max(chosen.delta_ms, chosen.view_timeout_ms_max // DELTA_PER_VIEW_TIMEOUT),
        )


@dataclass(frozen=True, slots=True)
class Resumption:
    """What the log says of agreement (resuming.py). The default is a chain that begins.

    tip: the last block delivered, finalization its own or None. entries: of ordering's journal.
    blocks: payload records above the tip. digests, certificates: of delivered heights. signed: our
    checkpoint of the tip. observing: the journal before was lost: vote only when it is safe again.
    certified: checkpoint certificates of the heights of snapshots.
    """

    tip: ParentRef | None = None
    finalization: Certificate | None = None
    entries: tuple[tuple[int, bytes], ...] = ()
    blocks: tuple[bytes, ...] = ()
    digests: dict[int, bytes] = field(default_factory=dict)
    certificates: dict[int, Certificate] = field(default_factory=dict)
    checkpoint: CheckpointCertificate | None = None
    signed: Checkpoint | None = None
    observing: bool = False
    vote_above: int = 0
    certified: dict[int, CheckpointCertificate] = field(default_factory=dict)


def checkpoint_checking(
    identity: Identity, validators: ValidatorSet
) -> Callable[[CheckpointVote], bool]:
    """Make the check of a checkpoint vote's signature, by the validators' keys."""

    def holds(vote: CheckpointVote) -> bool:
        bare = Checkpoint(
            identity.chain_id,
            identity.app_genesis,
            vote.epoch,
            vote.height,
            vote.exec_block_digest,
            vote.state_root,
            {},
        )
        return verify(validators.keys[vote.signer], checkpoint_digest(bare), vote.signature)

    return holds


class Parts:
    """The rooms of one validator, and the lists that a step fills.

    early: may leave at once. appends, after: what the log takes, and what waits for it. fed:
    events for ordering, taken one after the other.
    """

    def __init__(
        self,
        settings: ValidatorSettings,
        scheme: Scheme,
        holds: Callable[[CheckpointVote], bool],
        resumption: Resumption,
        rules: Rules = RULES,
    ) -> None:
        self.settings = settings
        self.scheme = scheme
        validators = settings.validators
        tip = resumption.tip or ParentRef(0, GENESIS_DIGEST, 0, settings.time_ms)
        vote_above = VIEW_MAX if resumption.observing else resumption.vote_above
        payload = payload_of(tip.digest)
        self.simplex = Simplex(
            Settings(validators, settings.me, settings.times(), vote_above),
            scheme,
            Floor(tip.view, payload, resumption.finalization),
            resumption.entries,
            rules,
        )
        self.mempool = Mempool(settings.pool)
        self.payloads = Payloads(settings.me, len(validators.keys), settings.payloads)
        self.blocks = Blocks(validators, settings.parameters, self.mempool, holds, tip)
        self.chain = Chain(self.blocks)
        self.chain.digests = dict(resumption.digests)
        self.chain.certificates = dict(resumption.certificates)
        self.claims = Claims()
        best = resumption.checkpoint
        self.checkpoints = Checkpoints(validators, settings.me, holds, tip.height, best)
        self.divergence: Divergence | None = None
        self.halt: Halt | None = None
        self.now = Moment(0, 0)
        self.peers: dict[int, None] = {}
        self.early: list[ValidatorEffect] = []
        self.appends: list[Append] = []
        self.after: list[ValidatorEffect] = []
        self.sync_wanted = False
        self.fed: deque[agreed.Event] = deque()
        self.counts: dict[str, int] = {}
        self.offences = Offences()
        self.tickets = 0
        # For those who are behind: the least height that ranges begin at, the newest snapshot.
        self.range_base = min(self.chain.digests, default=tip.height + 1)
        self.snapshot = 0
        self.installing = False

    @property
    def ending(self) -> bool:
        """Say whether this step ends in a halt: nothing more is signed or executed."""
        return self.divergence is not None or self.halt is not None

    def ticket(self) -> int:
        """Number a question to another place of work."""
        self.tickets += 1
        return self.tickets

    def feed(self, event: agreed.Event) -> None:
        """Have ordering take an event, after those that are fed already."""
        self.fed.append(event)

    def append(self, kind: int, label: int, payload: bytes, lazy: bool = False) -> None:
        """Write a record before anything of this step, but what is early, leaves.

        lazy: nothing that leaves needs it to be durable; the next sync covers it too.
        """
        self.appends.append(Append(kind, label, payload))
        self.sync_wanted = self.sync_wanted or not lazy

    def send(self, record: PeerRecord, peer: int | None = None, early: bool = False) -> None:
        """Send a message to a validator, or to all others."""
        kind, body = encode_peer(record, len(self.settings.validators.keys))
        self.send_bytes(int(kind), body, peer, early)

    def send_bytes(self, kind: int, body: bytes, peer: int | None, early: bool = False) -> None:
        """Send a message that is written already."""
        (self.early if early else self.after).append(Send(peer, kind, body, early))

    def store(self, digest: bytes, data: bytes) -> None:
        """Keep the bytes of a block that we are sure to need."""
        self.payloads.keep(digest)
        self.payloads.offer(digest, data, self.settings.me)

    def at_once(self, effect: AtOnce) -> None:
        """Return an effect that waits for no record of this step."""
        self.early.append(effect)

    def count(self, name: str, times: int = 1) -> None:
        """Count for metrics."""
        self.counts[name] = self.counts.get(name, 0) + times

    def offence(self, peer: int, name: str, times: int = 1) -> None:
        """Count what a peer sent and no honest one sends, and leave it when it goes on so."""
        self.count(name, times)
        self.offended(agreed.Offence(peer, name, times))

    def offended(self, offence: agreed.Offence) -> None:
        """Hold an offence against a peer; its name is counted already."""
        if self.offences.count(offence.peer, offence.name, self.now.mono_ms, offence.times):
            self.after.append(Quit(offence.peer, SHUNNED_MS))
