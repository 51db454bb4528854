"""Check a proof that a Quorate node exported under CometBFT. Needs Python 3.11 and verifier.py.

    python -I comet_verifier.py proof.json --genesis-hash HEX --signer KEY[:POWER] [--signer ...]

verifier.py must lie in the same folder. You say whom you trust: the chain by its genesis hash (32
bytes, hex), and all validators that signed the named header, by their public keys, each with its
voting power, 1 if you name none. A key is one of Ed25519 (32 bytes, hex) or a compressed one of
secp256k1 (33 bytes). The file is believed in nothing. What is checked:

1. The file is the one canonical form of what it says, and its digest is right.
2. The leaf (the row's bytes) hashes up to the state root; for an event also: the event hashes up to
   the events root that the chain's row holds.
3. The header of the next height has that root as its app hash, is of the chain that you mean, and
   of exactly the validators that you name.
4. The commit is of that header, by its hash, and validators with more than two thirds of the power
   signed it. A wrong signature refuses the file, also where there would be enough right ones, and
   also one that a validator gave for no block.

A header does not name the genesis hash. What ties it to one is the name of its chain: unless you
give another with --chain-id it must be quorate-ID-GENESIS, the number of the chain and the first 16
digits of its genesis hash, and if you do, it is you who says that this is the name of that genesis.

Ed25519 is verified by the rules of ZIP-215, exactly as CometBFT does (CometBFT v0.38 spec, section
"Encoding: Public Key Cryptography"): RFC 8032, section 5.1.7, with its equation multiplied by the
cofactor 8, and with every way to write a point. To be stricter would be as safe against forgery,
but one validator could then spoil every file, by signatures that CometBFT puts into its commits and
this program calls wrong.

Exit code 0: verified, and the row is printed in words. 1: refused, with the reason. 2: usage.

This file shares no code with the exchange but verifier.py, which shares none with it.
"""

import argparse
import functools
import hashlib
import importlib.util
import sys
from types import ModuleType

FORMAT = "quorate-cometbft-proof-1"
CHAIN_ID_BYTES_MAX = 50
POWER_MAX = (2**63 - 1) // 8
ADDRESS_BYTES = 20
I64_MAX = 2**63 - 1
I32_MAX = 2**31 - 1
U32_MAX = 2**32 - 1
# The years 1 to 9999, in seconds since 1970.
SECONDS_MIN, SECONDS_MAX = -62_135_596_800, 253_402_300_799
NANOS_MAX = 999_999_999
ABSENT, COMMIT, NIL = 1, 2, 3
PRECOMMIT = 2

KEYS_MORE = " commit header"
KEYS_CHECKPOINT = "height state_root"
KEYS_HEADER = (
    "app_hash chain_id consensus_hash data_hash evidence_hash height last_block_id"
    " last_commit_hash last_results_hash next_validators_hash proposer_address time_nanos"
    " time_seconds validators_hash version_app version_block"
)
HASHES = (
    "last_commit_hash", "data_hash", "validators_hash", "next_validators_hash", "consensus_hash",
    "app_hash", "last_results_hash", "evidence_hash",
)  # fmt: skip
KEYS_BLOCK_ID = "hash parts_hash parts_total"
KEYS_COMMIT = "block_id round signatures"
KEYS_ABSENT = "flag"
KEYS_SIGNATURE = "flag nanos seconds signature"


def beside() -> ModuleType:
    """Load verifier.py from this file's folder, where `python -I` does not look."""
    path = __file__.removesuffix("comet_verifier.py") + "verifier.py"
    spec = importlib.util.spec_from_file_location("verifier", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except OSError as error:
        sys.stderr.write("comet_verifier.py: verifier.py must lie in the same folder\n")
        raise SystemExit(2) from error
    return module


verifier = beside()
Refused = verifier.Refused
require, with_keys, integer, octets = (
    verifier.require, verifier.with_keys, verifier.integer, verifier.octets
)  # fmt: skip


def sha256(data: bytes) -> bytes:
    """Hash `data`; 32 bytes."""
    return hashlib.sha256(data).digest()


# --- Ed25519 ------------------------------------------------------------------------------------
# The curve -x*x + y*y = 1 + D*x*x*y*y over the field of P elements; BASE has the prime order L.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

# (X, Y, Z, T) stands for (X/Z, Y/Z), and T = X*Y/Z.
Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)


def added(one: Point, two: Point) -> Point:
    """Add two points; the formula holds for any two (RFC 8032, section 5.1.4)."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = two
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def twice(point: Point) -> Point:
    """Double a point."""
    x, y, z, _ = point
    a, b = x * x % P, y * y % P
    h = a + b
    e, g = h - (x + y) * (x + y) % P, a - b
    f = 2 * z * z % P + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def negated(point: Point) -> Point:
    """Give the point that cancels this one."""
    x, y, z, t = point
    return -x % P, y, z, -t % P


def point_read(data: bytes) -> Point | None:
    """Read a point of 32 bytes; None where there is none with this y.

    By ZIP-215 y may be P or more, and x may be zero with the sign set.
    """
    encoded = int.from_bytes(data, "little")
    sign, y = encoded >> 255, (encoded & (1 << 255) - 1) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * ROOT_OF_MINUS_1 % P
    if v * x * x % P != u:
        return None
    if x & 1 != sign:
        x = -x % P
    return x, y, 1, x * y % P


BASE = point_read((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519_holds(key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify an Ed25519 signature of 64 bytes by the rules of ZIP-215."""
    assert BASE is not None
    public, r = point_read(key), point_read(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if public is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus = negated(public)
    steps = (BASE, minus, added(BASE, minus))
    total = IDENTITY
    for bit in range(L.bit_length() - 1, -1, -1):
        total = twice(total)
        chosen = (s >> bit & 1) + 2 * (k >> bit & 1)
        if chosen:
            total = added(total, steps[chosen - 1])
    x, y, z, _ = twice(twice(twice(added(total, negated(r)))))
    return x == 0 and y == z


# --- keys ---------------------------------------------------------------------------------------
def address(key: bytes) -> bytes:
    """Give a validator's address, 20 bytes. Raises ValueError where RIPEMD-160 is missing."""
    if len(key) == 32:
        return sha256(key)[:ADDRESS_BYTES]
    return hashlib.new("ripemd160", sha256(key)).digest()


def holds(key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify a validator's signature of 64 bytes by the kind of its key."""
    if len(key) == 32:
        return ed25519_holds(key, message, signature)
    right: bool = verifier.signature_holds(key, sha256(message), signature)
    return right


# --- what CometBFT hashes and signs -------------------------------------------------------------
# CometBFT v0.38 spec, section "Data Structures" (Header, Commit, CanonicalVote, SimpleValidator) in
# Protocol Buffers, section "Encoding: Merkle Trees". v1.x has the same bytes.
def varint(value: int) -> bytes:
    """Write an integer; a negative one as 64 bits of its two's complement."""
    value &= 2**64 - 1
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def number(field: int, value: int) -> bytes:
    """Write an integer field; nothing of zero."""
    return varint(field << 3) + varint(value) if value else b""


def fixed(field: int, value: int) -> bytes:
    """Write an integer field of 8 bytes; nothing of zero."""
    return varint(field << 3 | 1) + value.to_bytes(8, "little") if value else b""


def message(field: int, data: bytes) -> bytes:
    """Write a message field."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def text(field: int, data: bytes) -> bytes:
    """Write a field of bytes; nothing of none."""
    return message(field, data) if data else b""


def merkle(leaves: list[bytes]) -> bytes:
    """Hash a list to a root (RFC 6962, section 2.1)."""
    if len(leaves) < 2:
        return sha256(b"\0" + leaves[0]) if leaves else sha256(b"")
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + merkle(leaves[:split]) + merkle(leaves[split:]))


def in_order(powers: dict[bytes, int]) -> list[bytes]:
    """Order validators' keys as CometBFT does: by power, the greatest first, then by address."""
    return sorted(powers, key=lambda key: (-powers[key], address(key)))


def validators_hash(powers: dict[bytes, int]) -> bytes:
    """Hash a set of validators."""
    leaves = []
    for key in in_order(powers):
        public = message(1 if len(key) == 32 else 2, key)
        leaves.append(message(1, public) + number(2, powers[key]))
    return merkle(leaves)


def moment(seconds: int, nanos: int) -> bytes:
    """Write a time."""
    return number(1, seconds) + number(2, nanos)


class BlockId:
    """The hash of a header, and the hash and number of the parts that the block was sent in."""

    def __init__(self, value: object, where: str) -> None:
        found = with_keys(value, KEYS_BLOCK_ID, where)
        self.hash = digest_or_none(found["hash"], f"{where}.hash")
        parts_hash = digest_or_none(found["parts_hash"], f"{where}.parts_hash")
        total = integer(found["parts_total"], U32_MAX, f"{where}.parts_total")
        parts = number(1, total) + text(2, parts_hash)
        self.encoded = text(1, self.hash) + message(2, parts)


class Header:
    """A header that was read strictly. app_hash may have any size here."""

    def __init__(self, value: object) -> None:
        found = with_keys(value, KEYS_HEADER, "header")
        chain_id = found["chain_id"]
        require(isinstance(chain_id, str) and chain_id.isascii(), "header.chain_id is not ASCII")
        self.chain_id = str(chain_id)
        self.height: int = integer(found["height"], I64_MAX, "header.height")
        self.hashes = {
            name: octets(found[name], -1, name) if name == "app_hash"
            else digest_or_none(found[name], f"header.{name}")
            for name in HASHES
        }  # fmt: skip
        versions = [
            integer(found[name], verifier.U64_MAX, f"header.{name}")
            for name in ("version_block", "version_app")
        ]
        proposer = octets(found["proposer_address"], ADDRESS_BYTES, "header.proposer_address")
        seconds = signed_integer(found["time_seconds"], "header.time_seconds")
        leaves = [
            number(1, versions[0]) + number(2, versions[1]),
            text(1, self.chain_id.encode("ascii")),
            number(1, self.height),
            moment(seconds, integer(found["time_nanos"], NANOS_MAX, "header.time_nanos")),
            BlockId(found["last_block_id"], "header.last_block_id").encoded,
            *(text(1, self.hashes[name]) for name in HASHES),
            text(1, proposer),
        ]
        self.hash = merkle(leaves)


def sign_bytes(
    chain_id: str, height: int, round_: int, block_id: bytes, seconds: int, nanos: int
) -> bytes:
    """Give what a validator signs. block_id: encoded, or nothing of a vote for no block."""
    vote = b"".join((
        number(1, PRECOMMIT),
        fixed(2, height),
        fixed(3, round_),
        text(4, block_id),
        message(5, moment(seconds, nanos)),
        text(6, chain_id.encode("ascii")),
    ))  # fmt: skip
    return varint(len(vote)) + vote


# --- the header and its commit ------------------------------------------------------------------
def digest_or_none(value: object, where: str) -> bytes:
    """Take 32 bytes written as hex, or none at all."""
    found: bytes = octets(value, 0 if value == "" else 32, where)
    return found


def signed_integer(value: object, where: str) -> int:
    """Take the seconds of a time."""
    in_range = type(value) is int and SECONDS_MIN <= value <= SECONDS_MAX
    require(in_range, f"{where} is not an integer in its range")
    assert isinstance(value, int)
    return value


def checked_header(
    value: object, height: int, state_root: bytes, chain_id: str, powers: dict[bytes, int]
) -> Header:
    """Check that a header is the one that certifies the state root of `height`."""
    header = Header(value)
    require(header.height == height + 1, f"the header is not of height {height + 1}")
    require(header.chain_id == chain_id, f"the header is not of the chain {chain_id}")
    require(header.hashes["app_hash"] == state_root, "the header's app hash is not the state root")
    theirs, ours = header.hashes["validators_hash"].hex(), validators_hash(powers).hex()
    require(
        theirs == ours,
        f"the header is of validators that hash to {theirs}, the {len(powers)} given ones to "
        f"{ours}: name all of height {height + 1}, and each with its power then",
    )
    return header


def checked_vote(
    value: object, key: bytes, header: Header, round_: int, block_id: bytes
) -> int:
    """Check one validator's entry in a commit; return its flag."""
    require(isinstance(value, dict), "a signature is not an object")
    assert isinstance(value, dict)
    flag: int = integer(value.get("flag"), NIL, "a signature's flag")
    require(flag in (ABSENT, COMMIT, NIL), "a signature's flag is not known")
    entry = with_keys(value, KEYS_ABSENT if flag == ABSENT else KEYS_SIGNATURE, "a signature")
    if flag == ABSENT:
        return flag
    message_signed = sign_bytes(
        header.chain_id,
        header.height,
        round_,
        block_id if flag == COMMIT else b"",
        signed_integer(entry["seconds"], "a signature's seconds"),
        integer(entry["nanos"], NANOS_MAX, "a signature's nanos"),
    )
    signature = octets(entry["signature"], 64, "signature")
    require(holds(key, message_signed, signature), f"the signature of {key.hex()} is wrong")
    return flag


def checked_commit(value: object, header: Header, powers: dict[bytes, int]) -> str:
    """Check that more than two thirds of the power signed a header; say who did."""
    commit = with_keys(value, KEYS_COMMIT, "commit")
    block_id = BlockId(commit["block_id"], "commit.block_id")
    require(block_id.hash == header.hash, "the commit is of another header")
    round_ = integer(commit["round"], I32_MAX, "commit.round")
    entries = commit["signatures"]
    require(isinstance(entries, list), "signatures is not a list")
    assert isinstance(entries, list)
    keys = in_order(powers)
    # The set is the header's own by now, so that a list of another length is no honest commit.
    require(len(entries) == len(keys), f"{len(entries)} signatures of {len(keys)} validators")
    signers = [
        key for entry, key in zip(entries, keys, strict=True)
        if isinstance(entry, dict) and entry.get("flag") == COMMIT
    ]  # fmt: skip
    power, total = sum(powers[key] for key in signers), sum(powers.values())
    quorum = 2 * total // 3 + 1
    require(power >= quorum, f"signatures have power {power} of {total}, {quorum} needed")
    for entry, key in zip(entries, keys, strict=True):
        checked_vote(entry, key, header, round_, block_id.encoded)
    words = f"signed by {len(signers)} of {len(keys)} validators"
    return words if total == len(keys) else f"{words}, power {power} of {total}"


# --- the whole ----------------------------------------------------------------------------------
def verified(
    data: bytes, genesis: bytes, powers: dict[bytes, int], chain_id: str | None = None
) -> list[str]:
    """Check a proof file's bytes; return lines that say what it proves. Raises Refused.

    genesis: 32 bytes; powers: of all validators, by their keys, 32 or 33 bytes each; chain_id:
    CometBFT's, None for that which `quorate init` gives.
    """
    proof = verifier.opened(data, FORMAT, verifier.KEYS + KEYS_MORE)
    chain = integer(proof["chain_id"], verifier.U64_MAX, "chain_id")
    require(octets(proof["genesis"], 32, "genesis") == genesis, "the proof is of another genesis")
    checkpoint = with_keys(proof["checkpoint"], KEYS_CHECKPOINT, "checkpoint")
    lines = verifier.checked_leaf(proof, checkpoint)
    name = f"quorate-{chain}-{genesis.hex()[:16]}" if chain_id is None else chain_id
    height, root = checkpoint["height"], bytes.fromhex(checkpoint["state_root"])
    header = checked_header(proof["header"], height, root, name, powers)
    signed = checked_commit(proof["commit"], header, powers)
    return [f"verified: {proof['kind']}, chain {name}, height {height}, {signed}", *lines]


def signer_argument(given: str) -> tuple[bytes, int]:
    """Read a validator's public key, and its power if one is named."""
    digits, colon, power = given.partition(":")
    key: bytes = verifier.hex_argument(33 if len(digits.removeprefix("0x")) == 66 else 32, digits)
    if len(key) == 33:
        if verifier.public_point(key) is None:
            raise argparse.ArgumentTypeError("this is no public key of secp256k1")
        try:
            address(key)
        except ValueError as error:
            raise argparse.ArgumentTypeError(
                "a secp256k1 validator needs RIPEMD-160, which this Python's hashlib lacks"
            ) from error
    plain = power.isascii() and power.isdigit() and len(power) < 20 and not power.startswith("0")
    if colon and not (plain and int(power) <= POWER_MAX):
        raise argparse.ArgumentTypeError(f"a power is an integer from 1 to {POWER_MAX}")
    return key, int(power or 1)


def chain_argument(given: str) -> str:
    """Read the name of a chain."""
    if not (given and given.isascii() and len(given) <= CHAIN_ID_BYTES_MAX):
        raise argparse.ArgumentTypeError(f"1 to {CHAIN_ID_BYTES_MAX} ASCII characters are needed")
    return given


def main(arguments: list[str]) -> int:
    """Run the program; return its exit code. argparse exits with 2 by itself."""
    parser = argparse.ArgumentParser(prog="comet_verifier.py", description="Check a proof.")
    parser.add_argument("proof", help="the file that a node exported under CometBFT")
    digest = functools.partial(verifier.hex_argument, 32)
    parser.add_argument("--genesis-hash", required=True, type=digest, metavar="HEX")
    parser.add_argument(
        "--signer", required=True, action="append", type=signer_argument, metavar="KEY[:POWER]",
        help="a validator's public key, and its power if not 1; give all of them",
    )  # fmt: skip
    parser.add_argument(
        "--chain-id", type=chain_argument, metavar="TEXT", help="CometBFT's name of the chain"
    )
    options = parser.parse_args(arguments)
    powers: dict[bytes, int] = dict(options.signer)
    if len(powers) != len(options.signer):
        parser.error("argument --signer: one key is given twice")
    trusted = options.genesis_hash, powers, options.chain_id
    code: int = verifier.told(parser, options.proof, lambda data: verified(data, *trusted))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
