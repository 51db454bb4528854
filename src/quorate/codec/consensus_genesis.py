"""The consensus genesis <-> canonical JSON, whose SHA-256 every vote is bound to.

The form is that of codec/genesis.py: ASCII, keys sorted, nothing between tokens, exactly the keys
of ConsensusGenesis, every number an integer, bytes as "0x" and lowercase hex digits. Whether a
consensus key is a point of the curve is judged where keys are at hand, by the reader of a home.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from quorate.codec.genesis import (
    CHAIN_ID_MAX,
    HEX_DIGITS,
    GenesisInvalid,
    Reader,
    canonical,
    decode_canonical,
    integer,
    read_name,
    record,
    sequence,
    tree_of,
)
from quorate.types.consensus import (
    DIGEST_BYTES,
    KEY_BYTES,
    VALIDATORS_MAX,
    VIEW_MAX,
    WEIGHT_TOTAL_MAX,
    ConsensusGenesis,
    ConsensusParameters,
    ValidatorSpec,
)
from quorate.types.limits import BLOCK_BYTES_MAX, DAY_MS

HASH_TAG: Final = b"QUORATE-CONSENS1"
GENESIS_BYTES_MAX: Final = 1 << 16  # VALIDATORS_MAX of them take less than half
TRANSPORT_KEY_BYTES: Final = 32
BLOCK_BYTES_MIN: Final = 1 << 10
LAG_MAX: Final = 1 << 20
FAULTS_FROM: Final = 4  # so many validators can do without one of them
TIME: Final = integer(1, DAY_MS)


def hex_bytes(size: int) -> Reader:
    """Make a reader of `size` bytes."""

    def read(path: str, value: Any) -> bytes:
        digits = value[2:] if isinstance(value, str) and value.startswith("0x") else ""
        if len(digits) != 2 * size or not HEX_DIGITS.issuperset(digits):
            raise GenesisInvalid(f'{path} must be "0x" and {2 * size} lowercase hex digits.')
        return bytes.fromhex(digits)

    return read


def read_consensus_key(path: str, value: Any) -> bytes:
    """Read a compressed public key; that it is a point is not looked at."""
    key: bytes = hex_bytes(KEY_BYTES)(path, value)
    if key[0] not in (2, 3):
        raise GenesisInvalid(f"{path} must be a compressed public key: 0x02... or 0x03...")
    return key


READ_VALIDATOR: Final = record(
    ValidatorSpec,
    {
        "name": read_name,
        "consensus_key": read_consensus_key,
        "transport_key": hex_bytes(TRANSPORT_KEY_BYTES),
        "weight": integer(1, WEIGHT_TOTAL_MAX),
    },
)
READ_PARAMETERS: Final = record(
    ConsensusParameters,
    {
        "delta_ms": TIME,
        "heartbeat_ms": TIME,
        "skip_timeout_ms": TIME,
        "retry_ms": TIME,
        "standstill_ms": TIME,
        "view_timeout_ms_max": TIME,
        "clock_precision_ms": integer(0, DAY_MS),
        "message_delay_ms": integer(0, DAY_MS),
        "block_bytes_max": integer(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX),
        "checkpoint_lag_max": integer(1, LAG_MAX),
    },
)
READ_CONSENSUS_GENESIS: Final = record(
    ConsensusGenesis,
    {
        "chain_id": integer(1, CHAIN_ID_MAX),
        "app_genesis": hex_bytes(DIGEST_BYTES),
        "validators": sequence(READ_VALIDATOR, 1, VALIDATORS_MAX),
        "epoch": integer(0, VIEW_MAX),
        "parameters": READ_PARAMETERS,
    },
)


def refuse_repeated(
    validators: Sequence[ValidatorSpec], field: str, value_of: Callable[[ValidatorSpec], Any]
) -> None:
    """Refuse a value that two validators share. Raises GenesisInvalid."""
    first: dict[Any, int] = {}
    for index, validator in enumerate(validators):
        value = value_of(validator)
        if value in first:
            raise GenesisInvalid(
                f"validators[{index}].{field} is that of validators[{first[value]}]; "
                "each needs its own."
            )
        first[value] = index


def refuse_weights(validators: Sequence[ValidatorSpec]) -> None:
    """Refuse weights with which one failure stops the chain. Raises GenesisInvalid."""
    total = sum(validator.weight for validator in validators)
    if total > WEIGHT_TOTAL_MAX:
        raise GenesisInvalid(f"The weights of all must add up to at most {WEIGHT_TOTAL_MAX}.")
    if len(validators) < FAULTS_FROM:
        return
    for index, validator in enumerate(validators):
        if 3 * validator.weight >= total:
            raise GenesisInvalid(
                f"validators[{index}].weight must be less than a third of all, {total}: "
                "the chain must be able to go on without any one validator."
            )


def refuse_times(parameters: ConsensusParameters) -> None:
    """Refuse times that contradict one another (CONSENSUS 2). Raises GenesisInvalid."""
    # An idle leader proposes after the heartbeat, and its view ends 3 delta later.
    idle_ms = parameters.heartbeat_ms + 3 * parameters.delta_ms
    if idle_ms >= parameters.skip_timeout_ms:
        raise GenesisInvalid(
            "parameters.skip_timeout_ms must be more than heartbeat_ms + 3 * delta_ms, "
            f"{idle_ms}, or idle leaders would be passed over."
        )
    if parameters.retry_ms >= parameters.skip_timeout_ms:
        raise GenesisInvalid("parameters.skip_timeout_ms must be more than retry_ms.")
    if parameters.view_timeout_ms_max < idle_ms:
        raise GenesisInvalid(
            "parameters.view_timeout_ms_max must be at least heartbeat_ms + 3 * delta_ms, "
            f"{idle_ms}."
        )


def read_consensus_genesis(tree: Any) -> ConsensusGenesis:
    """Read a tree of JSON values, field by field and then their relations.

    Raises GenesisInvalid.
    """
    genesis = READ_CONSENSUS_GENESIS("", tree)
    refuse_repeated(genesis.validators, "name", lambda it: it.name)
    refuse_repeated(genesis.validators, "consensus_key", lambda it: it.consensus_key)
    refuse_repeated(genesis.validators, "transport_key", lambda it: it.transport_key)
    refuse_weights(genesis.validators)
    refuse_times(genesis.parameters)
    return genesis


def encode_consensus_genesis(genesis: ConsensusGenesis) -> bytes:
    """Write a consensus genesis as canonical JSON.

    Raises GenesisInvalid if it could not be read back.
    """
    tree = tree_of(genesis)
    read_consensus_genesis(tree)
    return canonical(tree)


def decode_consensus_genesis(data: bytes) -> ConsensusGenesis:
    """Read a consensus genesis from canonical JSON. Raises GenesisInvalid."""
    return decode_canonical(data, GENESIS_BYTES_MAX, read_consensus_genesis)


def consensus_hash(genesis: ConsensusGenesis) -> bytes:
    """Give the SHA-256 of a tag and the canonical JSON. Raises GenesisInvalid."""
    return hashlib.sha256(HASH_TAG + encode_consensus_genesis(genesis)).digest()
