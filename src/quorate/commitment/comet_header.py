"""A header of CometBFT and the commit that signs it, as a proof under that engine carries them.

Source: CometBFT v0.38 spec, section "Data Structures"; v1.x has the same.
"""

from dataclasses import dataclass
from typing import Any, Final

FLAG_ABSENT: Final = 1


@dataclass(frozen=True, slots=True)
class Time:
    """A time of CometBFT: seconds since 1970 and nanoseconds."""

    seconds: int
    nanos: int


@dataclass(frozen=True, slots=True)
class BlockId:
    """Names a block: the hash of its header, and hash and number of its parts."""

    hash: bytes
    parts_hash: bytes
    parts_total: int


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header. Hashes have 32 bytes, or none where CometBFT has none."""

    version_block: int
    version_app: int
    chain_id: str
    height: int
    time: Time
    last_block_id: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes
    proposer_address: bytes


@dataclass(frozen=True, slots=True)
class CommitSignature:
    """A validator's vote. flag: 1 absent, 2 for the block, 3 for none."""

    flag: int
    time: Time
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header and the commit that is of its height; one vote per validator, in their order."""

    header: Header
    round: int
    block_id: BlockId
    signatures: tuple[CommitSignature, ...]


def block_id_fields(block_id: BlockId) -> dict[str, Any]:
    """Give the JSON object of a block's id."""
    return {
        "hash": block_id.hash.hex(),
        "parts_hash": block_id.parts_hash.hex(),
        "parts_total": block_id.parts_total,
    }


def header_fields(header: Header) -> dict[str, Any]:
    """Give the JSON object of a header."""
    return {
        "app_hash": header.app_hash.hex(),
        "chain_id": header.chain_id,
        "consensus_hash": header.consensus_hash.hex(),
        "data_hash": header.data_hash.hex(),
        "evidence_hash": header.evidence_hash.hex(),
        "height": header.height,
        "last_block_id": block_id_fields(header.last_block_id),
        "last_commit_hash": header.last_commit_hash.hex(),
        "last_results_hash": header.last_results_hash.hex(),
        "next_validators_hash": header.next_validators_hash.hex(),
        "proposer_address": header.proposer_address.hex(),
        "time_nanos": header.time.nanos,
        "time_seconds": header.time.seconds,
        "validators_hash": header.validators_hash.hex(),
        "version_app": header.version_app,
        "version_block": header.version_block,
    }


def signature_fields(vote: CommitSignature) -> dict[str, Any]:
    """Give the JSON object of a validator's vote."""
    if vote.flag == FLAG_ABSENT:
        return {"flag": FLAG_ABSENT}
    return {
        "flag": vote.flag,
        "nanos": vote.time.nanos,
        "seconds": vote.time.seconds,
        "signature": vote.signature.hex(),
    }


def commit_fields(signed: SignedHeader) -> dict[str, Any]:
    """Give the JSON object of a commit."""
    return {
        "block_id": block_id_fields(signed.block_id),
        "round": signed.round,
        "signatures": [signature_fields(vote) for vote in signed.signatures],
    }
