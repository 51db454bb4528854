"""What CometBFT's RPC answers, read strictly: JSON values in, records out.

A 64-bit integer is a string of decimal digits, hashes are hex, keys and signatures base64, times
RFC 3339 in UTC. A field that is not needed is not looked at. Both v0.38 and v1.x answer so.
Source: CometBFT v0.38 RPC (status, commit, validators, blockchain, broadcast_tx_sync).
"""

import base64
import binascii
import calendar
import re
from dataclasses import dataclass
from typing import Any, Final

from quorate.commitment.comet_header import (
    FLAG_ABSENT,
    BlockId,
    CommitSignature,
    Header,
    SignedHeader,
    Time,
)

I64: Final = (1 << 63) - 1
U64: Final = (1 << 64) - 1
U32: Final = (1 << 32) - 1
I32: Final = (1 << 31) - 1
FLAGS: Final = (1, 2, 3)
KEY_BYTES: Final = {"tendermint/PubKeyEd25519": 32, "tendermint/PubKeySecp256k1": 33}
CHAIN_ID_LETTERS_MAX: Final = 50
LOG_LETTERS_MAX: Final = 4096
APP_HASH_BYTES_MAX: Final = 64
DIGEST: Final = range(32, 33)
DIGEST_OR_NONE: Final = (0, 32)
TIME: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
# What v1.x answers with as an error where v0.38 gives a verdict.
INVALID: Final = re.compile(
    r"tx [0-9A-F]{64} is invalid: code=(\d{1,10}), data=[0-9A-F]*, log='(.*)', codespace='[^']*'",
    re.ASCII | re.DOTALL,
)
DECIMAL: Final = re.compile(r"0|[1-9]\d{0,19}", re.ASCII)


class AnswerInvalid(Exception):
    """An answer does not say what it must; the message names the field."""


@dataclass(frozen=True, slots=True)
class Status:
    """Where a node stands. height_last: of the last header, 0 of none. app_hash_last: in it."""

    chain_id: str
    version: str
    height_last: int
    app_hash_last: bytes
    catching_up: bool


@dataclass(frozen=True, slots=True)
class Validator:
    """A validator: a key of Ed25519 (32 bytes) or of secp256k1 (33 bytes), and its power."""

    key: bytes
    power: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What CheckTx said of a transaction. code: 0 where it was taken."""

    code: int
    log: str


# --- values --------------------------------------------------------------------------------------
def inside(tree: Any, *names: str) -> Any:
    """Take the value below these names. Raises AnswerInvalid."""
    for name in names:
        if not isinstance(tree, dict) or name not in tree:
            raise AnswerInvalid(f"it has no {'.'.join(names)}")
        tree = tree[name]
    return tree


def listed(tree: Any, *names: str) -> list[Any]:
    """Take a list. Raises AnswerInvalid."""
    value = inside(tree, *names)
    if not isinstance(value, list):
        raise AnswerInvalid(f"{'.'.join(names)} is not a list")
    return value


def decimal(tree: Any, *names: str, most: int = I64) -> int:
    """Take an integer that is written as a string. Raises AnswerInvalid."""
    value = inside(tree, *names)
    if not (isinstance(value, str) and DECIMAL.fullmatch(value) and int(value) <= most):
        raise AnswerInvalid(f"{'.'.join(names)} is not an integer from 0 to {most}, as a string")
    return int(value)


def integer(tree: Any, *names: str, most: int) -> int:
    """Take an integer that is written as a number. Raises AnswerInvalid."""
    value = inside(tree, *names)
    if type(value) is not int or not 0 <= value <= most:
        raise AnswerInvalid(f"{'.'.join(names)} is not an integer from 0 to {most}")
    return value


def text(tree: Any, *names: str, most: int) -> str:
    """Take a string of ASCII. Raises AnswerInvalid."""
    value = inside(tree, *names)
    if not (isinstance(value, str) and value.isascii() and len(value) <= most):
        raise AnswerInvalid(f"{'.'.join(names)} is not a string of at most {most} ASCII letters")
    return value


def hexed(tree: Any, *names: str, sizes: tuple[int, ...] | range) -> bytes:
    """Take bytes written as hex, of one of these sizes. Raises AnswerInvalid."""
    value = inside(tree, *names)
    plain = isinstance(value, str) and re.fullmatch(r"[0-9A-Fa-f]*", value, re.ASCII)
    if not plain or len(value) % 2 or len(value) // 2 not in sizes:
        raise AnswerInvalid(f"{'.'.join(names)} is not hex of {max(sizes)} bytes")
    return bytes.fromhex(value)


def based(tree: Any, *names: str, size: int) -> bytes:
    """Take `size` bytes written in base64. Raises AnswerInvalid."""
    value = inside(tree, *names)
    try:
        found = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (ValueError, binascii.Error):
        found = b""
    if len(found) != size:
        raise AnswerInvalid(f"{'.'.join(names)} is not base64 of {size} bytes")
    return found


def time_read(tree: Any, *names: str) -> Time:
    """Take a time. Raises AnswerInvalid."""
    value = inside(tree, *names)
    found = TIME.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        days = calendar.monthrange(year, month)[1] if year and 1 <= month <= 12 else 0
        if 1 <= day <= days and hour < 24 and minute < 60 and second < 60:
            seconds = calendar.timegm((year, month, day, hour, minute, second))
            return Time(seconds, int((found[7] or "0").ljust(9, "0")))
    raise AnswerInvalid(f"{'.'.join(names)} is not a time of RFC 3339 in UTC")


# --- answers -------------------------------------------------------------------------------------
def status_read(tree: Any) -> Status:
    """Read the answer to status. Raises AnswerInvalid."""
    catching_up = inside(tree, "sync_info", "catching_up")
    if type(catching_up) is not bool:
        raise AnswerInvalid("sync_info.catching_up is not true or false")
    return Status(
        text(tree, "node_info", "network", most=CHAIN_ID_LETTERS_MAX),
        text(tree, "node_info", "version", most=CHAIN_ID_LETTERS_MAX),
        decimal(tree, "sync_info", "latest_block_height"),
        hexed(tree, "sync_info", "latest_app_hash", sizes=range(APP_HASH_BYTES_MAX + 1)),
        catching_up,
    )


def block_id_read(tree: Any) -> BlockId:
    """Read a block's id. Raises AnswerInvalid."""
    return BlockId(
        hexed(tree, "hash", sizes=DIGEST_OR_NONE),
        hexed(tree, "parts", "hash", sizes=DIGEST_OR_NONE),
        integer(tree, "parts", "total", most=U32),
    )


def header_read(tree: Any) -> Header:
    """Read a header. Raises AnswerInvalid."""
    def digest(name: str) -> bytes:
        return hexed(tree, name, sizes=DIGEST_OR_NONE)

    return Header(
        # The version of the application stays away from JSON where it is 0.
        version_block=decimal(tree, "version", "block", most=U64),
        version_app=decimal({"app": "0", **inside(tree, "version")}, "app", most=U64),
        chain_id=text(tree, "chain_id", most=CHAIN_ID_LETTERS_MAX),
        height=decimal(tree, "height"),
        time=time_read(tree, "time"),
        last_block_id=block_id_read(inside(tree, "last_block_id")),
        last_commit_hash=digest("last_commit_hash"),
        data_hash=digest("data_hash"),
        validators_hash=digest("validators_hash"),
        next_validators_hash=digest("next_validators_hash"),
        consensus_hash=digest("consensus_hash"),
        app_hash=hexed(tree, "app_hash", sizes=range(APP_HASH_BYTES_MAX + 1)),
        last_results_hash=digest("last_results_hash"),
        evidence_hash=digest("evidence_hash"),
        proposer_address=hexed(tree, "proposer_address", sizes=range(20, 21)),
    )


def commit_signature_read(tree: Any) -> CommitSignature:
    """Read a validator's part of a commit. Raises AnswerInvalid."""
    flag = integer(tree, "block_id_flag", most=FLAGS[-1])
    if flag not in FLAGS:
        raise AnswerInvalid("block_id_flag is not 1, 2 or 3")
    if flag == FLAG_ABSENT:
        return CommitSignature(flag, Time(0, 0), b"")
    return CommitSignature(flag, time_read(tree, "timestamp"), based(tree, "signature", size=64))


def signed_header_read(tree: Any) -> SignedHeader:
    """Read the answer to commit. Raises AnswerInvalid."""
    header = header_read(inside(tree, "signed_header", "header"))
    commit = inside(tree, "signed_header", "commit")
    if decimal(commit, "height") != header.height:
        raise AnswerInvalid("header and commit are of different heights")
    block_id = block_id_read(inside(commit, "block_id"))
    signatures = tuple(commit_signature_read(entry) for entry in listed(commit, "signatures"))
    return SignedHeader(header, integer(commit, "round", most=I32), block_id, signatures)


def validators_read(tree: Any) -> tuple[list[Validator], int]:
    """Read a page of the answer to validators: these, and how many there are in all.

    Raises AnswerInvalid.
    """
    found = []
    for entry in listed(tree, "validators"):
        kind = inside(entry, "pub_key", "type")
        if not isinstance(kind, str) or kind not in KEY_BYTES:
            raise AnswerInvalid("pub_key.type is neither Ed25519 nor secp256k1")
        key = based(entry, "pub_key", "value", size=KEY_BYTES[kind])
        found.append(Validator(key, decimal(entry, "voting_power")))
    return found, decimal(tree, "total")


def headers_read(tree: Any) -> list[Header]:
    """Read the answer to blockchain, the newest header first. Raises AnswerInvalid."""
    return [header_read(inside(meta, "header")) for meta in listed(tree, "block_metas")]


def verdict_read(tree: Any) -> Verdict:
    """Read the answer to broadcast_tx_sync. Raises AnswerInvalid."""
    log = inside(tree, "log")
    if not isinstance(log, str):
        raise AnswerInvalid("log is not a string")
    return Verdict(integer(tree, "code", most=U32), log[:LOG_LETTERS_MAX])


def peers_read(tree: Any) -> list[str]:
    """Read the answer to net_info: ids of the nodes, in order. Raises AnswerInvalid."""
    peers = listed(tree, "peers")
    return sorted([text(peer, "node_info", "id", most=CHAIN_ID_LETTERS_MAX) for peer in peers])


def invalid_read(data: Any) -> Verdict | None:
    """Read a verdict out of the words of an error; None where there is none in them."""
    found = INVALID.search(data) if isinstance(data, str) else None
    if found is None or int(found[1]) > U32:
        return None
    return Verdict(int(found[1]), found[2][:LOG_LETTERS_MAX])
