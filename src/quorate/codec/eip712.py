"""Owner commands as EIP-712 typed messages, so that a wallet shows what it signs.

The item's bytes (kind 2) are a native bundle with exactly one owner command. From header and
command follows one typed message, and its EIP-712 digest is what the wallet signs. Every bit of
header and command that may be non-zero is in the message, so no two items share a digest.

The domain is {name: "Quorate", version: "1", chainId, salt: hash of the application's genesis}.
All members are of static types, so that encodeData is a row of 32-byte big-endian words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from quorate.codec.layout import LAYOUTS, OWNER_OPS, Form
from quorate.types.codes import Op
from quorate.types.limits import BUNDLE_HEADER_BYTES, COMMAND_BYTES
from quorate.types.records import BUNDLE_HEADER

Hash = Callable[[bytes], bytes]

DOMAIN_NAME: Final = "Quorate"
DOMAIN_VERSION: Final = "1"
DOMAIN_MEMBERS: Final = (
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("bytes32", "salt"),
)
UNSIGNED_BYTES: Final = BUNDLE_HEADER_BYTES + COMMAND_BYTES


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a message: its Solidity type and where its bytes stand, header first."""

    type: str
    name: str
    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class Struct:
    """The readable message of one operation."""

    name: str
    members: tuple[Member, ...]


def in_header(wire: str, name: str) -> Member:
    """Define a member that comes from the bundle's header."""
    assert BUNDLE_HEADER.fields is not None
    dtype, offset = BUNDLE_HEADER.fields[wire][:2]
    return Member(f"uint{8 * np.dtype(dtype).itemsize}", name, offset, dtype.itemsize)


def struct(op: Op, name: str, *members: tuple[str, str]) -> Struct:
    """Define the message of `op`: (field of the layout, name of the member) in reading order."""
    fields = {field.name: field for field in LAYOUTS[op]}
    assert sorted(fields) == sorted(source for source, _ in members), f"{name} shows every field"
    middle = [
        Member(
            "address" if fields[source].form == Form.ADDRESS else f"uint{8 * fields[source].width}",
            member,
            BUNDLE_HEADER_BYTES + fields[source].offset,
            fields[source].width,
        )
        for source, member in members
    ]
    tail = (in_header("nonce", "nonce"), in_header("expiry_ms", "bundleExpiresMs"))
    return Struct(name, (in_header("account", "account"), *middle, *tail))


STRUCTS: Final[dict[Op, Struct]] = {
    Op.APPROVE_AGENT: struct(
        Op.APPROVE_AGENT,
        "ApproveAgent",
        ("agent", "agent"),
        ("expiry_ms", "expiresMs"),
        ("order_notional_max_e6", "orderNotionalMaxE6"),
        ("position_notional_max_e6", "positionNotionalMaxE6"),
        ("leverage_max_e2", "leverageMaxE2"),
    ),
    Op.REVOKE_AGENT: struct(Op.REVOKE_AGENT, "RevokeAgent", ("agent", "agent")),
    Op.WITHDRAW: struct(
        Op.WITHDRAW,
        "Withdraw",
        ("asset", "asset"),
        ("amount", "amount"),
        ("destination", "destination"),
    ),
    Op.TRANSFER: struct(
        Op.TRANSFER,
        "Transfer",
        ("asset", "asset"),
        ("amount", "amount"),
        ("target", "target"),
        ("sub", "targetSubaccount"),
    ),
    Op.OPEN_SUBACCOUNT: struct(Op.OPEN_SUBACCOUNT, "OpenSubaccount", ("sub", "subaccount")),
}
assert tuple(STRUCTS) == OWNER_OPS


@dataclass(frozen=True, slots=True)
class Domain:
    """What is the same for every message of one chain: 32-byte hashes, and the hash function."""

    keccak256: Hash
    separator: bytes
    type_hashes: dict[int, bytes]


def type_text(name: str, members: tuple[tuple[str, str], ...]) -> bytes:
    """Write encodeType of a struct."""
    inner = ",".join(f"{kind} {member}" for kind, member in members)
    return f"{name}({inner})".encode("ascii")


def struct_text(op: Op) -> bytes:
    """Write encodeType of the message of `op`."""
    message = STRUCTS[op]
    return type_text(message.name, tuple((m.type, m.name) for m in message.members))


def domain_of(chain_id: int, genesis_hash: bytes, keccak256: Hash) -> Domain:
    """Prepare the domain of a chain. The hash comes in because codec does not import crypto."""
    assert len(genesis_hash) == 32
    separator = keccak256(
        keccak256(type_text("EIP712Domain", DOMAIN_MEMBERS))
        + keccak256(DOMAIN_NAME.encode())
        + keccak256(DOMAIN_VERSION.encode())
        + chain_id.to_bytes(32, "big")
        + genesis_hash
    )
    return Domain(keccak256, separator, {op: keccak256(struct_text(op)) for op in STRUCTS})


def encode_data(unsigned: bytes) -> bytes:
    """Write the members of the message as 32-byte words; `unsigned` is header and command."""
    assert len(unsigned) == UNSIGNED_BYTES
    words = []
    for member in STRUCTS[Op(unsigned[BUNDLE_HEADER_BYTES])].members:
        raw = unsigned[member.offset : member.offset + member.width]
        words.append((raw if member.type == "address" else raw[::-1]).rjust(32, b"\0"))
    return b"".join(words)


def typed_digest(domain: Domain, unsigned: bytes) -> bytes:
    """Give the 32-byte EIP-712 digest of header and owner command (96 bytes)."""
    op = unsigned[BUNDLE_HEADER_BYTES]
    message = domain.keccak256(domain.type_hashes[op] + encode_data(unsigned))
    return domain.keccak256(b"\x19\x01" + domain.separator + message)


def typed_message(unsigned: bytes, genesis_hash: bytes) -> dict[str, Any]:
    """Give the argument of a wallet's eth_signTypedData_v4 for header and owner command.

    Integers are Python's: JSON for a browser writes those beyond 2^53 as decimal strings.
    """
    assert len(unsigned) == UNSIGNED_BYTES
    message = STRUCTS[Op(unsigned[BUNDLE_HEADER_BYTES])]
    values: dict[str, int | str] = {}
    for member in message.members:
        raw = unsigned[member.offset : member.offset + member.width]
        is_address = member.type == "address"
        values[member.name] = "0x" + raw.hex() if is_address else int.from_bytes(raw, "little")
    types = {
        "EIP712Domain": DOMAIN_MEMBERS,
        message.name: tuple((m.type, m.name) for m in message.members),
    }
    return {
        "types": {
            name: [{"name": member, "type": kind} for kind, member in members]
            for name, members in types.items()
        },
        "primaryType": message.name,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": int.from_bytes(unsigned[:8], "little"),
            "salt": "0x" + genesis_hash.hex(),
        },
        "message": values,
    }
