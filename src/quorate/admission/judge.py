"""Client bytes -> admitted bundle: decode, limits, signature. Stateless, so it runs in parallel.

`admit` judges one item, as it comes from a client. `admit_block` judges the items of a block and
lays their commands out as execution takes them. Whether an item that is refused makes a block
invalid is the caller's to decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quorate.admission.structure import block_checked, bundle_checked
from quorate.codec.bundle import (
    HEADER,
    bundle_digest,
    command_part,
    digest_prefix,
    signature_part,
    unsigned_part,
)
from quorate.codec.eip712 import Domain, domain_of, typed_digest
from quorate.crypto import is_low_s, keccak256, recover, recover_many
from quorate.crypto.signatures import MapCall
from quorate.types.blocks import Admitted, Item
from quorate.types.codes import Kind, Reject
from quorate.types.limits import (
    BUNDLE_BYTES_MAX,
    COMMAND_BYTES,
    COMMANDS_PER_BLOCK_MAX,
)
from quorate.types.records import ADDRESS_BYTES, ADMITTED

NATIVE: Final = int(Kind.NATIVE)
NOBODY: Final = bytes(ADDRESS_BYTES)
ADMITTED_WORDS: Final = ADMITTED.itemsize // 8
assert ADMITTED.itemsize == 64, "block_checked writes eight words"


@dataclass(frozen=True, slots=True)
class Chain:
    """What admission knows of its chain. Made by `chain_of`."""

    chain_id: int
    genesis_hash: bytes
    prefix: bytes
    domain: Domain


def split_records(commands: bytes) -> tuple[bytes, ...]:
    """Split commands into records of 64 bytes."""
    return tuple(
        commands[at : at + COMMAND_BYTES] for at in range(0, len(commands), COMMAND_BYTES)
    )


@dataclass(frozen=True, slots=True)
class AdmittedItem:
    """One sound item: `signer` 20 bytes, `digest` 32, `commands` 64 bytes each.

    The digest does not cover the signature: two keys that sign one content share it.
    """

    signer: bytes
    account: int
    nonce: int
    expiry_ms: int
    count: int
    kind: int
    digest: bytes
    commands: bytes

    def bundle(self) -> Admitted:
        """Give the bundle as the specification of execution takes it."""
        records = split_records(self.commands)
        return Admitted(self.signer, self.account, self.nonce, self.expiry_ms, records)


@dataclass(frozen=True, slots=True)
class AdmittedBlock:
    """The bundles of a block, one row per item, in the order of the payload.

    `rows`: ADMITTED[items]; the row of a refused item is zero and refers to no command.
    `commands`: uint8[n, 64], contiguous; holes that no row refers to are possible after refusals.
    `codes`: int64[items] of Reject. `digests`: 32 bytes each, empty where the structure is unsound.
    """

    rows: NDArray[Any]
    commands: NDArray[np.uint8]
    codes: NDArray[np.int64]
    digests: list[bytes]

    def is_sound(self) -> bool:
        """Say whether no item was refused."""
        return not self.codes.any()

    def bundles(self) -> list[Admitted]:
        """Give the bundles that were not refused as the specification of execution takes them."""
        made: list[Admitted] = []
        for row in self.rows[self.codes == Reject.OK]:
            first, count = int(row["first"]), int(row["count"])
            records = split_records(self.commands[first : first + count].tobytes())
            signer, account, nonce, expiry_ms = row[["signer", "account", "nonce", "expiry_ms"]]
            made.append(
                Admitted(signer.tobytes(), int(account), int(nonce), int(expiry_ms), records)
            )
        return made


def chain_of(chain_id: int, genesis_hash: bytes) -> Chain:
    """Prepare what binds signatures to a chain: its id and the 32-byte hash of its genesis."""
    return Chain(
        chain_id,
        genesis_hash,
        digest_prefix(chain_id, genesis_hash),
        domain_of(chain_id, genesis_hash, keccak256),
    )


def item_digest(kind: int, unsigned: bytes, chain: Chain) -> bytes:
    """Give the 32-byte digest that the key of a sound item has signed."""
    if kind == NATIVE:
        return bundle_digest(chain.prefix, unsigned)
    return typed_digest(chain.domain, unsigned)


def signature_code(signature: bytes) -> Reject:
    """Say what is wrong with a signature from which nobody was recovered."""
    if not is_low_s(signature):
        return Reject.SIGNATURE_S_MUST_BE_LOW
    return Reject.SIGNATURE_MUST_BE_VALID


def admit(item: Item, chain: Chain) -> AdmittedItem | Reject:
    """Judge one item: kind, lengths, structure, chain, signature."""
    data = item.data
    if len(data) > BUNDLE_BYTES_MAX:
        return Reject.LENGTH_MUST_MATCH_COUNT
    code = bundle_checked(np.frombuffer(data, np.uint8), int(item.kind), chain.chain_id)
    if code != Reject.OK:
        return Reject(code)
    signature = signature_part(data)
    digest = item_digest(item.kind, unsigned_part(data), chain)
    signer = recover(digest, signature)
    if signer is None:
        return signature_code(signature)
    _, account, _, count, nonce, expiry_ms = HEADER.unpack_from(data)
    commands = command_part(data)
    return AdmittedItem(signer, account, nonce, expiry_ms, count, item.kind, digest, commands)


def admit_block(items: Sequence[Item], chain: Chain, map_call: MapCall = map) -> AdmittedBlock:
    """Judge the items of a block. `map_call`: `map`, or that of a thread pool of the caller."""
    count = len(items)
    data = np.frombuffer(b"".join([item.data for item in items]), np.uint8)
    starts = np.zeros(count + 1, np.int64)
    np.cumsum([len(item.data) for item in items], out=starts[1:])
    kinds = np.array([item.kind for item in items], np.int64)
    words = np.zeros((count, ADMITTED_WORDS), np.int64)
    codes = np.zeros(count, np.int64)
    room = min(len(data) // COMMAND_BYTES, COMMANDS_PER_BLOCK_MAX)
    commands = np.empty(room * COMMAND_BYTES, np.uint8)
    used = block_checked(data, starts, kinds, chain.chain_id, words, commands, codes)

    digests = [
        b"" if code else item_digest(item.kind, unsigned_part(item.data), chain)
        for item, code in zip(items, codes.tolist(), strict=True)
    ]
    sound = np.flatnonzero(codes == Reject.OK).tolist()
    signatures = [signature_part(items[index].data) for index in sound]
    signers = recover_many([digests[index] for index in sound], signatures, map_call)
    rows = words.view(ADMITTED).reshape(count)
    addresses = b"".join([signer or NOBODY for signer in signers])
    rows["signer"][sound] = np.frombuffer(addresses, np.uint8).reshape(-1, ADDRESS_BYTES)
    for index, signature, signer in zip(sound, signatures, signers, strict=True):
        if signer is None:
            codes[index] = signature_code(signature)
            words[index] = 0
    laid = commands[: used * COMMAND_BYTES].reshape(used, COMMAND_BYTES)
    return AdmittedBlock(rows, laid, codes, digests)
