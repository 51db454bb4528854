"""Records of agreement: validators, proposals, votes, certificates, genesis of a chain of many.

Everything here is immutable and cheap to make; the votes of a view pass through it by the thousand.
A *payload* is what a proposal commits to, PAYLOAD_BYTES opaque bytes to ordering. Its reading, for
availability alone, is: block digest 32, coding root 32, data shards u16, extra shards u16. A leader
that broadcasts whole blocks leaves all but the digest zero; coded dispersal fills the rest, so that
no message changes its form.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from math import gcd
from typing import Final, NamedTuple

VALIDATORS_MAX: Final = 128
WEIGHT_TOTAL_MAX: Final = 1 << 16
VIEW_MAX: Final = 2**62
PAYLOAD_BYTES: Final = 68
DIGEST_BYTES: Final = 32
KEY_BYTES: Final = 33
VOTE_SIGNATURE_BYTES: Final = 64
NO_PAYLOAD: Final = b""
# The payload of view 0: there is no block before the first.
GENESIS_PAYLOAD: Final = bytes(PAYLOAD_BYTES)


class VoteKind(IntEnum):
    """What a vote says; each kind is signed under a tag of its own."""

    NOTARIZE = 1
    NULLIFY = 2
    FINALIZE = 3


class Proposal(NamedTuple):
    """What a leader proposes in a view. payload: PAYLOAD_BYTES."""

    epoch: int
    view: int
    parent_view: int
    payload: bytes


class Subject(NamedTuple):
    """What is voted on. Of a nullify, parent_view is 0 and payload is empty."""

    kind: int
    epoch: int
    view: int
    parent_view: int
    payload: bytes

    @property
    def proposal(self) -> Proposal:
        """Give the proposal of a notarize or a finalize."""
        return Proposal(self.epoch, self.view, self.parent_view, self.payload)


class Vote(NamedTuple):
    """One validator's vote. signer: its index; signature: r || s, 64 bytes, low s."""

    subject: Subject
    signer: int
    signature: bytes


class Certificate(NamedTuple):
    """A quorum's votes for one subject. signers: strictly increasing; one signature for each."""

    subject: Subject
    signers: tuple[int, ...]
    signatures: tuple[bytes, ...]


class CheckpointVote(NamedTuple):
    """What one validator found after executing a finalized block. Digests are 32 bytes.

    signature: over commitment.proof.checkpoint_digest, 64 bytes.
    """

    epoch: int
    height: int
    exec_block_digest: bytes
    state_root: bytes
    signer: int
    signature: bytes


class CheckpointCertificate(NamedTuple):
    """A quorum's votes for one root at one height. signers: strictly increasing."""

    epoch: int
    height: int
    exec_block_digest: bytes
    state_root: bytes
    signers: tuple[int, ...]
    signatures: tuple[bytes, ...]


class Header(NamedTuple):
    """What binds a block to its place. Digests are 32 bytes; time_ms is the block's.

    height: the parent's plus one; parent_digest: the parent's block digest, zeros for the first.
    checkpoint: a certificate of some height >= height - checkpoint_lag_max, None while that is
    not above genesis.
    """

    epoch: int
    view: int
    parent_view: int
    leader: int
    height: int
    time_ms: int
    parent_digest: bytes
    items_count: int
    items_bytes: int
    items_digest: bytes
    checkpoint: CheckpointCertificate | None


class Evidence(NamedTuple):
    """Two votes of one signer in one view that no honest validator casts both."""

    first: Vote
    second: Vote


def subject_of(kind: int, proposal: Proposal) -> Subject:
    """Give what a notarize or a finalize of a proposal is about."""
    return Subject(kind, *proposal)


def nullify_subject(epoch: int, view: int) -> Subject:
    """Give what a nullify of a view is about."""
    return Subject(VoteKind.NULLIFY, epoch, view, 0, NO_PAYLOAD)


def quorum_weight(total: int) -> int:
    """Give the least weight of a certificate: any two quorums share an honest validator."""
    return 2 * total // 3 + 1


def faulty_weight_max(total: int) -> int:
    """Give the greatest weight f that may be malicious: 3f < total."""
    return (total - 1) // 3


def leader_schedule(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Give the order of leaders: each in proportion to its weight, spread as evenly as may be.

    Smooth weighted round robin over one period of sum(weights) / gcd(weights) views. Equal weights
    give 0, 1, 2 ... n - 1.
    """
    divisor = gcd(*weights)
    shares = [weight // divisor for weight in weights]
    period = sum(shares)
    credit = [0] * len(shares)
    order: list[int] = []
    for _ in range(period):
        credit = [have + share for have, share in zip(credit, shares, strict=True)]
        chosen = credit.index(max(credit))
        credit[chosen] -= period
        order.append(chosen)
    return tuple(order)


@dataclass(frozen=True)
class ValidatorSet:
    """Who votes in an epoch. keys: compressed secp256k1, KEY_BYTES each; weights: at least 1."""

    epoch: int
    keys: tuple[bytes, ...]
    weights: tuple[int, ...]

    def __post_init__(self) -> None:
        assert 1 <= len(self.keys) == len(self.weights) <= VALIDATORS_MAX
        assert len(dict.fromkeys(self.keys)) == len(self.keys), "a key stands for one validator"
        assert all(weight >= 1 for weight in self.weights) and self.total <= WEIGHT_TOTAL_MAX

    @cached_property
    def total(self) -> int:
        """The weight of all."""
        return sum(self.weights)

    @cached_property
    def quorum(self) -> int:
        """The least weight of a certificate."""
        return quorum_weight(self.total)

    @cached_property
    def schedule(self) -> tuple[int, ...]:
        """The leaders of one period of views."""
        return leader_schedule(self.weights)

    def leader(self, view: int) -> int:
        """Give the index of a view's leader."""
        return self.schedule[view % len(self.schedule)]

    def weight_of(self, signers: tuple[int, ...]) -> int:
        """Add up the weights of distinct signers."""
        weights = self.weights
        return sum([weights[signer] for signer in signers])


# --- what starts a chain of many -----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ValidatorSpec:
    """A validator at genesis. transport_key: Ed25519 public key, 32 bytes, for TLS alone."""

    name: str
    consensus_key: bytes
    transport_key: bytes
    weight: int


@dataclass(frozen=True, slots=True)
class ConsensusParameters:
    """Times and sizes that all validators of a chain share.

    delta_ms: the bound on a message's delay that timeouts start from. heartbeat_ms: an idle leader
    proposes after it. view_timeout_ms_max: to which timeouts grow. clock_precision_ms,
    message_delay_ms: the window in which a block's time is accepted (FORMULAS 15).
    """

    delta_ms: int = 150
    heartbeat_ms: int = 200
    skip_timeout_ms: int = 2_000
    retry_ms: int = 500
    standstill_ms: int = 3_000
    view_timeout_ms_max: int = 30_000
    clock_precision_ms: int = 500
    message_delay_ms: int = 2_000
    block_bytes_max: int = 4 << 20
    checkpoint_lag_max: int = 64


@dataclass(frozen=True, slots=True)
class ConsensusGenesis:
    """Who orders a chain, and how. app_genesis: hash of the genesis that execution starts from."""

    chain_id: int
    app_genesis: bytes
    validators: tuple[ValidatorSpec, ...]
    epoch: int = 0
    parameters: ConsensusParameters = field(default=ConsensusParameters())


# --- relations -----------------------------------------------------------------------------------
assert all(
    2 * quorum_weight(total) - total > faulty_weight_max(total) for total in range(1, 401)
), "two quorums share more than the malicious may weigh"
assert all(
    total - faulty_weight_max(total) >= quorum_weight(total) for total in range(1, 401)
), "the honest alone are a quorum"
