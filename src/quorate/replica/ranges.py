"""Whether a range of blocks is final, and whether it begins where a certified snapshot was made."""

import itertools
from hashlib import sha256

from quorate.codec.blocks import DecodedBlock, payload_of
from quorate.codec.peer import Range
from quorate.ordering.scheme import Scheme, certificate_holds
from quorate.replica.records import block_bytes
from quorate.types.consensus import CheckpointCertificate, ValidatorSet, VoteKind
from quorate.types.limits import PROTOCOL_VERSIONS


def linked(blocks: tuple[DecodedBlock, ...]) -> bool:
    """Say whether each block is the parent of the next."""
    return all(
        child.header.parent_digest == parent.digest
        and child.header.height == parent.header.height + 1
        for parent, child in itertools.pairwise(blocks)
    )


def range_fault(found: Range, validators: ValidatorSet, scheme: Scheme) -> str:
    """Say why a range's certificate does not finalize all of its blocks."""
    subject = found.certificate.subject
    if subject.kind != VoteKind.FINALIZE or subject.payload != payload_of(found.blocks[-1].digest):
        return "the certificate is of another block"
    if not linked(found.blocks):
        return "a block is not the parent of the next"
    if not certificate_holds(found.certificate, validators, scheme, validators.quorum):
        return "the certificate does not hold"
    return ""


def block_fault(
    found: Range, certificate: CheckpointCertificate, validators: ValidatorSet, scheme: Scheme
) -> str:
    """Say why a range's first block is not the one that a checkpoint certificate is of.

    Execution sees a block under the version of the rules that the state names for its height. The
    state is not here yet; the certified digest tells which of the versions it was.
    """
    fault = range_fault(found, validators, scheme)
    if fault:
        return fault
    header, items = found.blocks[0].header, found.blocks[0].items
    if header.height != certificate.height:
        return "the block is of another height"
    for version in PROTOCOL_VERSIONS:
        data = block_bytes(header.height, header.time_ms, version, header.items_count, items)
        if sha256(data).digest() == certificate.exec_block_digest:
            return ""
    return "the block is not the one that was executed, or its rules are not known here"
