"""What can be judged of a block without the state, and of its time before a notarize.

A fault is a sentence; empty means that there is none. All but `clock_fault` depend on the block,
its ancestors' headers and genesis alone, so that every honest validator judges alike; the clock's
window is each validator's own and is asked before it notarizes, never later.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from quorate.ordering.timing import GROWTH_STEPS_MAX, VIEWS_UNFINALIZED_FREE
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from quorate.types.consensus import (
    VOTE_SIGNATURE_BYTES,
    CheckpointCertificate,
    ConsensusParameters,
    Header,
    Proposal,
    ValidatorSet,
)
from quorate.types.limits import (
    BUNDLE_HEADER_BYTES,
    BUNDLES_PER_BLOCK_MAX,
    COMMAND_BYTES,
    COMMANDS_PER_BLOCK_MAX,
    SIGNATURE_BYTES,
)

# Whether a signature of a checkpoint is that of the validator with this index.
SignatureHolds = Callable[[int, bytes], bool]


class ParentRef(NamedTuple):
    """What a block knows of its parent. Genesis: view 0, digest of zeros, height 0."""

    view: int
    digest: bytes
    height: int
    time_ms: int


def header_fault(
    header: Header,
    proposal: Proposal,
    parent: ParentRef,
    leader: int,
    parameters: ConsensusParameters,
) -> str:
    """Say what is wrong with a header that its codec has read.

    That its digest is the payload's is the caller's to check. leader: of the proposal's view.
    """
    if header.epoch != proposal.epoch or header.view != proposal.view:
        return "the block was made for another view"
    if header.leader != leader:
        return "the block names another leader"
    if not header.parent_view == proposal.parent_view == parent.view:
        return "the block's parent is of another view"
    if header.parent_digest != parent.digest:
        return "the block has another parent"
    if header.height != parent.height + 1:
        return "the block's height does not follow its parent's"
    if header.time_ms < parent.time_ms:
        return "the block's time is before its parent's"
    # A bundle can be larger than a chain's blocks; then it has one of its own.
    if header.items_bytes > parameters.block_bytes_max and header.items_count != 1:
        return "the block's items have more bytes than the chain allows"
    return lag_fault(header, parameters.checkpoint_lag_max)


def lag_fault(header: Header, lag_max: int) -> str:
    """Say whether a header's checkpoint is missing, too old or none of an ancestor.

    A block without items is exempt from the age: heights that were notarized and nullified both
    can pile up above the last final one, and without a way to finalize them no certificate would
    ever come. While results lag or differ, agreement thus orders nothing more.
    """
    certificate = header.checkpoint
    if certificate is not None and certificate.epoch != header.epoch:
        return "the block's checkpoint is of another epoch"
    if certificate is not None and certificate.height >= header.height:
        return "the block's checkpoint is not of an ancestor"
    if not header.items_count:
        return ""
    if certificate is None:
        return "" if header.height <= lag_max else "the block has no checkpoint"
    if certificate.height < header.height - lag_max:
        return "the block's checkpoint is too old"
    return ""


def items_fault(items: tuple[Item, ...], rejects: Sequence[int], header: Header) -> str:
    """Say what is wrong with a block's items; rejects: the code that admission gave each."""
    if len(items) != header.items_count:
        return "the block has another number of items than its header says"
    return bundles_fault(items, rejects)


def bundles_fault(items: Sequence[Item], rejects: Sequence[int]) -> str:
    """Say what is wrong with the items of a block, whichever engine orders it.

    The same words under two signatures are two items: execution refuses the second by its nonce.
    The limit of commands is judged by the lengths alone, before any code of admission: a validator
    that knows some of the bundles already has asked admission for the others only.
    """
    if len(items) > BUNDLES_PER_BLOCK_MAX:
        return "the block has more items than a block may"
    if sum([commands_within(item) for item in items]) > COMMANDS_PER_BLOCK_MAX:
        return "the block has more commands than a block may"
    if len(rejects) != len(items):
        return "the block's items were not all judged"
    for index, code in enumerate(rejects):
        if code:
            return f"item {index} of the block is not admitted: {Reject(code).name}"
    if len({(item.kind, item.data) for item in items}) != len(items):
        return "the block has an item twice"
    return ""


def commands_within(item: Item) -> int:
    """Say how many commands an item's length has room for; exact where its structure is sound."""
    return max(len(item.data) - BUNDLE_HEADER_BYTES - SIGNATURE_BYTES, 0) // COMMAND_BYTES


def checkpoint_fault(
    certificate: CheckpointCertificate, validators: ValidatorSet, holds: SignatureHolds
) -> str:
    """Say what is wrong with a checkpoint certificate: signers, weight, every signature.

    holds: asked with a signer's index and its signature, cheap checks first.
    """
    signers, signatures = certificate.signers, certificate.signatures
    if certificate.epoch != validators.epoch:
        return "the checkpoint is of another epoch"
    if len(signers) != len(signatures):
        return "the checkpoint has not one signature for each signer"
    before = -1
    for signer in signers:
        if not before < signer < len(validators.keys):
            return "the checkpoint's signers are not validators in ascending order"
        before = signer
    if validators.weight_of(signers) < validators.quorum:
        return "the checkpoint has no quorum"
    for signer, signature in zip(signers, signatures, strict=True):
        if len(signature) != VOTE_SIGNATURE_BYTES or not holds(signer, signature):
            return f"the checkpoint's signature of validator {signer} does not hold"
    return ""


def clock_delay(views_unfinalized: int, parameters: ConsensusParameters) -> int:
    """Give how long a proposal may have been on its way: it grows with the timeouts.

    By half for each view since the last finalization beyond those that a healthy chain runs
    ahead, up to view_timeout_ms_max (CONSENSUS 2).
    """
    delay_ms = parameters.message_delay_ms
    delay_ms_max = max(delay_ms, parameters.view_timeout_ms_max)
    for _ in range(min(views_unfinalized - VIEWS_UNFINALIZED_FREE, GROWTH_STEPS_MAX)):
        delay_ms += (delay_ms + 1) // 2
        if delay_ms >= delay_ms_max:
            return delay_ms_max
    return delay_ms


def clock_fault(
    time_ms: int,
    wall_ms: int,
    parent_time_ms: int,
    views_unfinalized: int,
    parameters: ConsensusParameters,
) -> str:
    """Say whether a block's time lies outside our own clock's window (FORMULAS 15).

    wall_ms: our clock when the proposal came. The parent's own time is never too old: a leader
    whose clock lags behind its parent has no earlier one to give.
    """
    precision_ms = parameters.clock_precision_ms
    if time_ms > wall_ms + precision_ms:
        return "the block's time is ahead of our clock"
    oldest_ms = wall_ms - clock_delay(views_unfinalized, parameters) - precision_ms
    if time_ms < oldest_ms and time_ms != parent_time_ms:
        return "the block's time is behind our clock"
    return ""
