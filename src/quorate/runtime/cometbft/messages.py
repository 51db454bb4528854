"""The ABCI messages that cross the socket, made from a table of field numbers.

One table serves CometBFT v0.38 and v1.x, because numbers and types are all that reaches the wire.
It holds only what we read or write. A field that is not in it is skipped when read. The names are
those of v1.x; v0.38 says RequestInfo where v1.x says InfoRequest. Where the two differ:

* CheckTx: v0.38 has the type in field 2 (0 new, 1 recheck), v1.x in field 3 (2 new, 1 recheck).
  `rechecked` reads both.
* ValidatorUpdate: v0.38 has a PublicKey in field 1, v1.x the bytes in field 3 and the name of the
  key's type in field 4. `validator_update` writes both forms and each version skips the other's;
  `validator_key` reads whichever is there.
* ConsensusParams: synchrony (6) and feature (7) are of v1.x only; the height of vote extensions is
  in abci (5) under v0.38 and in feature under v1.x, which still reads abci.
* FinalizeBlockRequest: syncing_to_height (9) is of v1.x only; v0.38 leaves it 0.
* FinalizeBlockResponse: no released version of either line has next_block_delay (6).

Source: CometBFT v0.38 spec and v1.x spec, section "ABCI++: Methods", and the definitions of the
messages in their releases v0.38.26 and v1.0.1.
"""

from enum import IntEnum
from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

PACKAGE: Final = "quorate.abci"
ED25519: Final = "ed25519"
SECP256K1: Final = "secp256k1"


class CheckTxType(IntEnum):
    """Why a transaction is checked, as v1.x says it; v0.38 has 0 for CHECK."""

    UNKNOWN = 0
    RECHECK = 1
    CHECK = 2


class OfferSnapshotResult(IntEnum):
    """What the application makes of a snapshot that it is offered."""

    UNKNOWN = 0
    ACCEPT = 1
    ABORT = 2
    REJECT = 3
    REJECT_FORMAT = 4
    REJECT_SENDER = 5


class ApplySnapshotChunkResult(IntEnum):
    """What the application makes of a chunk."""

    UNKNOWN = 0
    ACCEPT = 1
    ABORT = 2
    RETRY = 3
    RETRY_SNAPSHOT = 4
    REJECT_SNAPSHOT = 5


class ProcessProposalStatus(IntEnum):
    """Whether a validator may vote for a proposed block."""

    UNKNOWN = 0
    ACCEPT = 1
    REJECT = 2


class VerifyVoteExtensionStatus(IntEnum):
    """Whether the extension of a vote is valid."""

    UNKNOWN = 0
    ACCEPT = 1
    REJECT = 2


class BlockIdFlag(IntEnum):
    """What a validator's place in a commit holds."""

    UNKNOWN = 0
    ABSENT = 1
    COMMIT = 2
    NIL = 3


# Enums are int32 here: they are the same on the wire, and a value that is new is kept.
ENUM: Final = "int32"

RESULT_FIELDS: Final = {
    "code": (1, "uint32"),
    "data": (2, "bytes"),
    "log": (3, "string"),
    "info": (4, "string"),
    "gas_wanted": (5, "int64"),
    "gas_used": (6, "int64"),
    "events": (7, "repeated Event"),
    "codespace": (8, "string"),
}

# Of ProcessProposal and FinalizeBlock, under the names that each gives to its commit.
BLOCK_FIELDS: Final = {
    "txs": (1, "repeated bytes"),
    "misbehavior": (3, "repeated Misbehavior"),
    "hash": (4, "bytes"),
    "height": (5, "int64"),
    "time": (6, "Timestamp"),
    "next_validators_hash": (7, "bytes"),
    "proposer_address": (8, "bytes"),
}

# {message: {field: (number, type)}}; "repeated" before a type as protobuf has it.
TABLE: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "Request": {
        "echo": (1, "EchoRequest"),
        "flush": (2, "FlushRequest"),
        "info": (3, "InfoRequest"),
        "init_chain": (5, "InitChainRequest"),
        "query": (6, "QueryRequest"),
        "check_tx": (8, "CheckTxRequest"),
        "commit": (11, "CommitRequest"),
        "list_snapshots": (12, "ListSnapshotsRequest"),
        "offer_snapshot": (13, "OfferSnapshotRequest"),
        "load_snapshot_chunk": (14, "LoadSnapshotChunkRequest"),
        "apply_snapshot_chunk": (15, "ApplySnapshotChunkRequest"),
        "prepare_proposal": (16, "PrepareProposalRequest"),
        "process_proposal": (17, "ProcessProposalRequest"),
        "extend_vote": (18, "ExtendVoteRequest"),
        "verify_vote_extension": (19, "VerifyVoteExtensionRequest"),
        "finalize_block": (20, "FinalizeBlockRequest"),
    },
    "EchoRequest": {"message": (1, "string")},
    "FlushRequest": {},
    "InfoRequest": {
        "version": (1, "string"),
        "block_version": (2, "uint64"),
        "p2p_version": (3, "uint64"),
        "abci_version": (4, "string"),
    },
    "InitChainRequest": {
        "time": (1, "Timestamp"),
        "chain_id": (2, "string"),
        "consensus_params": (3, "ConsensusParams"),
        "validators": (4, "repeated ValidatorUpdate"),
        "app_state_bytes": (5, "bytes"),
        "initial_height": (6, "int64"),
    },
    "QueryRequest": {
        "data": (1, "bytes"),
        "path": (2, "string"),
        "height": (3, "int64"),
        "prove": (4, "bool"),
    },
    "CheckTxRequest": {"tx": (1, "bytes"), "type_v0": (2, ENUM), "type": (3, ENUM)},
    "CommitRequest": {},
    "ListSnapshotsRequest": {},
    "OfferSnapshotRequest": {"snapshot": (1, "Snapshot"), "app_hash": (2, "bytes")},
    "LoadSnapshotChunkRequest": {
        "height": (1, "uint64"),
        "format": (2, "uint32"),
        "chunk": (3, "uint32"),
    },
    "ApplySnapshotChunkRequest": {
        "index": (1, "uint32"),
        "chunk": (2, "bytes"),
        "sender": (3, "string"),
    },
    "PrepareProposalRequest": {
        "max_tx_bytes": (1, "int64"),
        "txs": (2, "repeated bytes"),
        "local_last_commit": (3, "ExtendedCommitInfo"),
        "misbehavior": (4, "repeated Misbehavior"),
        "height": (5, "int64"),
        "time": (6, "Timestamp"),
        "next_validators_hash": (7, "bytes"),
        "proposer_address": (8, "bytes"),
    },
    "ProcessProposalRequest": {"proposed_last_commit": (2, "CommitInfo"), **BLOCK_FIELDS},
    "ExtendVoteRequest": {"hash": (1, "bytes"), "height": (2, "int64")},
    "VerifyVoteExtensionRequest": {
        "hash": (1, "bytes"),
        "validator_address": (2, "bytes"),
        "height": (3, "int64"),
        "vote_extension": (4, "bytes"),
    },
    "FinalizeBlockRequest": {
        "decided_last_commit": (2, "CommitInfo"),
        "syncing_to_height": (9, "int64"),
        **BLOCK_FIELDS,
    },
    "Response": {
        "exception": (1, "ExceptionResponse"),
        "echo": (2, "EchoResponse"),
        "flush": (3, "FlushResponse"),
        "info": (4, "InfoResponse"),
        "init_chain": (6, "InitChainResponse"),
        "query": (7, "QueryResponse"),
        "check_tx": (9, "CheckTxResponse"),
        "commit": (12, "CommitResponse"),
        "list_snapshots": (13, "ListSnapshotsResponse"),
        "offer_snapshot": (14, "OfferSnapshotResponse"),
        "load_snapshot_chunk": (15, "LoadSnapshotChunkResponse"),
        "apply_snapshot_chunk": (16, "ApplySnapshotChunkResponse"),
        "prepare_proposal": (17, "PrepareProposalResponse"),
        "process_proposal": (18, "ProcessProposalResponse"),
        "extend_vote": (19, "ExtendVoteResponse"),
        "verify_vote_extension": (20, "VerifyVoteExtensionResponse"),
        "finalize_block": (21, "FinalizeBlockResponse"),
    },
    "ExceptionResponse": {"error": (1, "string")},
    "EchoResponse": {"message": (1, "string")},
    "FlushResponse": {},
    "InfoResponse": {
        "data": (1, "string"),
        "version": (2, "string"),
        "app_version": (3, "uint64"),
        "last_block_height": (4, "int64"),
        "last_block_app_hash": (5, "bytes"),
    },
    "InitChainResponse": {
        "consensus_params": (1, "ConsensusParams"),
        "validators": (2, "repeated ValidatorUpdate"),
        "app_hash": (3, "bytes"),
    },
    "QueryResponse": {
        "code": (1, "uint32"),
        "log": (3, "string"),
        "info": (4, "string"),
        "index": (5, "int64"),
        "key": (6, "bytes"),
        "value": (7, "bytes"),
        "proof_ops": (8, "ProofOps"),
        "height": (9, "int64"),
        "codespace": (10, "string"),
    },
    "CheckTxResponse": RESULT_FIELDS,
    "CommitResponse": {"retain_height": (3, "int64")},
    "ListSnapshotsResponse": {"snapshots": (1, "repeated Snapshot")},
    "OfferSnapshotResponse": {"result": (1, ENUM)},
    "LoadSnapshotChunkResponse": {"chunk": (1, "bytes")},
    "ApplySnapshotChunkResponse": {
        "result": (1, ENUM),
        "refetch_chunks": (2, "repeated uint32"),
        "reject_senders": (3, "repeated string"),
    },
    "PrepareProposalResponse": {"txs": (1, "repeated bytes")},
    "ProcessProposalResponse": {"status": (1, ENUM)},
    "ExtendVoteResponse": {"vote_extension": (1, "bytes")},
    "VerifyVoteExtensionResponse": {"status": (1, ENUM)},
    "FinalizeBlockResponse": {
        "events": (1, "repeated Event"),
        "tx_results": (2, "repeated ExecTxResult"),
        "validator_updates": (3, "repeated ValidatorUpdate"),
        "consensus_param_updates": (4, "ConsensusParams"),
        "app_hash": (5, "bytes"),
    },
    "CommitInfo": {"round": (1, "int32"), "votes": (2, "repeated VoteInfo")},
    "ExtendedCommitInfo": {"round": (1, "int32"), "votes": (2, "repeated ExtendedVoteInfo")},
    "VoteInfo": {"validator": (1, "Validator"), "block_id_flag": (3, ENUM)},
    "ExtendedVoteInfo": {
        "validator": (1, "Validator"),
        "vote_extension": (3, "bytes"),
        "extension_signature": (4, "bytes"),
        "block_id_flag": (5, ENUM),
    },
    "Validator": {"address": (1, "bytes"), "power": (3, "int64")},
    "ValidatorUpdate": {
        "pub_key": (1, "PublicKey"),
        "power": (2, "int64"),
        "pub_key_bytes": (3, "bytes"),
        "pub_key_type": (4, "string"),
    },
    "PublicKey": {ED25519: (1, "bytes"), SECP256K1: (2, "bytes")},
    "Misbehavior": {
        "type": (1, ENUM),
        "validator": (2, "Validator"),
        "height": (3, "int64"),
        "time": (4, "Timestamp"),
        "total_voting_power": (5, "int64"),
    },
    "ExecTxResult": RESULT_FIELDS,
    "Event": {"type": (1, "string"), "attributes": (2, "repeated EventAttribute")},
    "EventAttribute": {"key": (1, "string"), "value": (2, "string"), "index": (3, "bool")},
    "Snapshot": {
        "height": (1, "uint64"),
        "format": (2, "uint32"),
        "chunks": (3, "uint32"),
        "hash": (4, "bytes"),
        "metadata": (5, "bytes"),
    },
    "ProofOps": {"ops": (1, "repeated ProofOp")},
    "ProofOp": {"type": (1, "string"), "key": (2, "bytes"), "data": (3, "bytes")},
    "ConsensusParams": {
        "block": (1, "BlockParams"),
        "evidence": (2, "EvidenceParams"),
        "validator": (3, "ValidatorParams"),
        "version": (4, "VersionParams"),
        "abci": (5, "AbciParams"),
        "synchrony": (6, "SynchronyParams"),
        "feature": (7, "FeatureParams"),
    },
    "BlockParams": {"max_bytes": (1, "int64"), "max_gas": (2, "int64")},
    "EvidenceParams": {
        "max_age_num_blocks": (1, "int64"),
        "max_age_duration": (2, "Duration"),
        "max_bytes": (3, "int64"),
    },
    "ValidatorParams": {"pub_key_types": (1, "repeated string")},
    "VersionParams": {"app": (1, "uint64")},
    "AbciParams": {"vote_extensions_enable_height": (1, "int64")},
    "SynchronyParams": {"precision": (1, "Duration"), "message_delay": (2, "Duration")},
    "FeatureParams": {
        "vote_extensions_enable_height": (1, "Int64Value"),
        "pbts_enable_height": (2, "Int64Value"),
    },
    "Int64Value": {"value": (1, "int64")},
    "Timestamp": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    "Duration": {"seconds": (1, "int64"), "nanos": (2, "int32")},
}
# Messages of which one field at most is set.
CHOICES: Final = {"Request": "value", "Response": "value", "PublicKey": "sum"}


def field_described(number: int, name: str, kind: str) -> FieldDescriptorProto:
    """Describe one field of the table."""
    word, _, rest = kind.rpartition(" ")
    field = FieldDescriptorProto(name=name, number=number)
    field.label = field.LABEL_REPEATED if word == "repeated" else field.LABEL_OPTIONAL
    if rest in TABLE:
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{rest}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{rest.upper()}")
    return field


def classes_made() -> dict[str, Any]:
    """Make the class of every message in the table, in a pool of its own."""
    file = FileDescriptorProto(name=f"{PACKAGE}.proto", package=PACKAGE, syntax="proto3")
    for name, fields in TABLE.items():
        message = file.message_type.add(name=name)
        if name in CHOICES:
            message.oneof_decl.add(name=CHOICES[name])
        for field_name, (number, kind) in fields.items():
            field = field_described(number, field_name, kind)
            if name in CHOICES:
                field.oneof_index = 0
            message.field.append(field)
    pool = DescriptorPool()
    pool.Add(file)
    described = {name: pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in TABLE}
    return {name: GetMessageClass(found) for name, found in described.items()}


# By the name in the table. What they are is known at run time only, hence Any.
MESSAGE: Final[dict[str, Any]] = classes_made()
Request: Any = MESSAGE["Request"]
Response: Any = MESSAGE["Response"]
ConsensusParams: Any = MESSAGE["ConsensusParams"]
Event: Any = MESSAGE["Event"]
ExecTxResult: Any = MESSAGE["ExecTxResult"]
ProofOps: Any = MESSAGE["ProofOps"]
Snapshot: Any = MESSAGE["Snapshot"]
Timestamp: Any = MESSAGE["Timestamp"]
ValidatorUpdate: Any = MESSAGE["ValidatorUpdate"]


def uvarint(number: int) -> bytes:
    """Write a number in 7 bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def frame(message: Any) -> bytes:
    """Write a message as the socket carries it: uvarint length, then the message."""
    body: bytes = message.SerializeToString()
    return uvarint(len(body)) + body


def rechecked(check_tx: Any) -> bool:
    """Say whether a CheckTx is of a transaction that was let in before."""
    return CheckTxType.RECHECK in (check_tx.type_v0, check_tx.type)


def validator_update(key: bytes, power: int, key_type: str = ED25519) -> Any:
    """Write a change of the validator set so that v0.38 and v1.x both read it.

    key: 32 bytes of Ed25519, or 33 of secp256k1; power: 0 takes the validator out.
    """
    update = ValidatorUpdate(power=power, pub_key_bytes=key, pub_key_type=key_type)
    setattr(update.pub_key, key_type, key)
    return update


def validator_key(update: Any) -> tuple[str, bytes]:
    """Read the type and the bytes of a validator's key; ("", b"") where neither form is there."""
    if update.pub_key_type:
        return update.pub_key_type, update.pub_key_bytes
    key_type = update.pub_key.WhichOneof("sum")
    return (key_type, getattr(update.pub_key, key_type)) if key_type else ("", b"")
