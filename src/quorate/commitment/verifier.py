"""Check a proof that a Quorate node exported. Needs Python 3.11 and nothing else.

    python verifier.py proof.json --genesis-hash HEX --signer KEY[:WEIGHT] [--signer ...]

You say whom you trust: the chain by its genesis hash (32 bytes, hex), and all of its validators by
their compressed secp256k1 keys (33 bytes, hex), each with its weight, which is its stake and 1 if
you name none. The file is believed in nothing. What is checked:

1. The file is the one canonical form of what it says, and its digest is right.
2. The leaf (the row's bytes) hashes up to the state root; for an event also: the event hashes up to
   the events root that the chain's row holds.
3. Validators with more than two thirds of the weight, floor(2W/3) + 1 of the W that all the given
   keys have, signed that state root for this chain, genesis, epoch and height. A wrong signature
   refuses the file, also where there would be enough right ones.

Exit code 0: verified, and the row is printed in words. 1: refused, with the reason. 2: usage.

This file shares no code with the exchange on purpose: it is the other half of an argument. Run it
with `python -I`, so that nothing in the current folder can stand in for the standard library.
"""

import argparse
import functools
import hashlib
import json
import sys
from collections.abc import Callable

FORMAT = "quorate-proof-1"
CHECKPOINT_TAG = b"QUORATE-CHECKPT1"
FILE_BYTES_MAX = 1 << 20
BRACKETS_MAX = 1024
TABLE_DEPTH = 28
TOP_DEPTH = 5
EVENTS_DEPTH = 24
U64_MAX = 2**64 - 1
WEIGHT_DIGITS_MAX = 18

# secp256k1: y*y = x*x*x + 7 over the field of P elements; G has order N.
P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)

# The fields of each row in order, little endian and without gaps, as name:form. A form is i8 (an
# integer with sign), u1, u2, u4 (without), or bN: N bytes as they are.
ROWS_TEXT = """
    chain height:i8 time_ms:i8 protocol_version:i8 version_next:i8 version_next_height:i8
    exec_block_digest:b32 events_root:b32 reserved:i8; account address:b20 sub:u4 next_address:b20
    next_sub:u4 cash_e6:i8 held_e6:i8 deadman_ms:i8 volume_cur_e6:i8 volume_prev_e6:i8
    volume_window:u4 orders_head:u4 orders_count:u4 armed_prev:u4 armed_next:u4 positions_count:u2
    sessions_count:u2 triggers_head:u4 groups_head:u4 triggers_count:u2 groups_count:u2 switch:u1
    standing:u1 margin_mode:u1 zero:u1; position key:u4 orders_count:u2 flags:u2 size:i8 bids:i8
    asks:i8 entry_e6:i8 realized_e6:i8 funding_index:i8 isolated_e6:i8; order order_id:i8 price:i8
    size:i8 remaining:i8 expiry_ms:i8 cloid_hi:i8 cloid_lo:i8 placed_ms:i8 account:u4 market:u4
    level:u4 older:u4 newer:u4 account_prev:u4 account_next:u4 hold_ppm:u4 side:u1 tif:u1 flags:u1
    group:u1 group_slot:u4 reserved:i8; event kind:u1 end:u1 code:u2 bundle:u4 command:u2 side:u1
    zero:u1 market:u4 account:u4 counter_account:u4 order_id:i8 counter_order_id:i8 price:i8 size:i8
    remaining:i8 fee_e6:i8 counter_fee_e6:i8 position:i8 counter_position:i8 realized_e6:i8
    counter_realized_e6:i8; ledger_event kind:u1 end:u1 code:u2 bundle:u4 command:u2 side:u1
    zero_side:u1 asset:u4 account:u4 counter_account:u4 address:b20 zero:u4 amount:i8 reference:i8
    reserved:b48
"""
# Events of the clearing house and of options: a kind, then its integers by name; others are zero.
CLEARING_TEXT = """
    indexed price_ticks external_ticks votes_count weight_fresh weight_total spread_ppm
    confidence_ppm outliers_count state weight_present; marked mark_ticks mark_before_ticks
    index_ticks basis_candidate_ticks book_candidate_ticks external_candidate_ticks basis_ema_fp
    book_ema_fp band_low_ticks band_high_ticks candidate_ticks; funded rate_e9 premium_e9
    index_ticks funding_index funding_index_before samples_count interval_ms pool_e6
    open_interest_lots funding_shift; liquidated mark_ticks price_ticks lots position
    equity_before_e6 maintenance_before_e6 equity_after_e6 maintenance_after_e6 fee_e6 fund_e6
    cash_e6; deleveraged mark_ticks price_ticks lots position counter_position unhedged_lots
    counter_equity_before_e6 counter_equity_after_e6 cash_e6 lots_needed score_e9; triggered
    trigger_id order_id trigger_ticks watched_ticks size limit_ticks filled remaining; trigger_ended
    trigger_id; auction_begun end_ms reference_ticks price_ticks band_low_ticks band_high_ticks
    band; auction_ended price_ticks lots surplus_lots fills_count begin_ms; protected group lots
    delta_e6 vega_e6 frozen_until_ms cancelled_count; changed parameter value value_before height;
    switched state state_before until_ms; insured amount_e6 fund_after_e6; product_listed payoff_low
    payoff_high rule sample_ms text_bytes; series_listed product expiry expiry_ms strike upper lower
    rebate cap rate template; smiled forward_ticks index_ticks confidence_ppm votes_count state
    vol_low_e9 vol_mid_e9 vol_high_e9 spread_ppm participation_ppm; fixed fix_ticks samples_count
    missing_count sum expiry_ms feed; series_moved state_before settle_ticks open_interest_lots
    mark_ticks; settled settle_ticks lots cash_e6 isolated_e6
"""
ROWS = {words[0]: words[1:] for words in map(str.split, ROWS_TEXT.split(";"))}
CLEARING = {words[0]: words[1:] for words in map(str.split, CLEARING_TEXT.split(";"))}
for kind_name, names in CLEARING.items():
    named = names + [f"word_{number}" for number in range(len(names), 11)]
    ROWS[kind_name] = ROWS["event"][:10] + [f"{name}:i8" for name in named]
LAYOUT = {name: [tuple(field.split(":")) for field in fields] for name, fields in ROWS.items()}
# Links and reserved bytes say nothing to a reader.
HIDDEN = str.split(
    "zero zero_side next_address next_sub orders_head armed_prev armed_next level older newer"
    " account_prev account_next triggers_head groups_head group_slot"
)
# Which table the leaf of a proof stands in.
TABLES = {"account": 7, "position": 7, "order": 8, "event": 0}
SIDES = ("buy", "sell")
TIFS = ("good till cancelled", "good till time", "immediate or cancel", "fill or kill")
LEDGER_EVENTS = ("deposited", "withdrawn", "transferred")
EVENT_KINDS = (*str.split("none receipt bundle fill cancelled reduced"), *LEDGER_EVENTS, *CLEARING)
ASSET_KEY = 0x8000_0000

KEYS = "chain_id checkpoint file_digest format genesis kind preimage siblings slot table"
KEYS += " top_siblings"
KEYS_OF_KIND = {"account": "", "position": " position", "order": "", "event": " event"}
KEYS_CHECKPOINT = "epoch exec_block_digest height signatures state_root"
KEYS_SIGNATURE = "signature signer"
KEYS_POSITION = "index row"
KEYS_EVENT = "count index preimage siblings"


class Refused(Exception):
    """The proof does not hold; the message says why."""


def require(holds: bool, reason: str) -> None:
    """Refuse the proof unless `holds`."""
    if not holds:
        raise Refused(reason)


def sha256(data: bytes) -> bytes:
    """Hash `data`; 32 bytes."""
    return hashlib.sha256(data).digest()


# --- the file -----------------------------------------------------------------------------------
def parsed(data: bytes) -> dict[str, object]:
    """Read the file as one canonical JSON object."""
    require(len(data) <= FILE_BYTES_MAX, "the file is too long")
    # A deep nesting overflows the parser's stack, which no exception reports. Our own files open
    # few brackets, however deep they lie.
    brackets = data.count(b"[") + data.count(b"{")
    require(brackets <= BRACKETS_MAX, "the file has more lists and objects than a proof")
    try:
        value = json.loads(data.decode("ascii"))
        again = json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
    except (ValueError, RecursionError) as error:
        raise Refused("the file is not ASCII JSON") from error
    require(isinstance(value, dict), "the file is not a JSON object")
    assert isinstance(value, dict)
    require(again == data, "the JSON is not in its canonical form")
    return value


def with_keys(value: object, keys: str, where: str) -> dict[str, object]:
    """Take an object that has exactly the named keys."""
    require(isinstance(value, dict), f"{where} is not an object")
    assert isinstance(value, dict)
    require(sorted(value) == sorted(keys.split()), f"{where} has not exactly the keys it must have")
    return value


def integer(value: object, most: int, where: str) -> int:
    """Take an integer from 0 to `most`."""
    require(type(value) is int and 0 <= value <= most, f"{where} is not an integer in its range")
    assert isinstance(value, int)
    return value


def octets(value: object, size: int, where: str) -> bytes:
    """Take `size` bytes written as lower-case hex; size -1 means any number."""
    require(isinstance(value, str), f"{where} is not a string")
    assert isinstance(value, str)
    plain = all(digit in "0123456789abcdef" for digit in value) and len(value) % 2 == 0
    require(plain, f"{where} is not lower-case hex")
    require(size in (-1, len(value) // 2), f"{where} has not {size} bytes")
    return bytes.fromhex(value)


def digests(value: object, count: int, where: str) -> list[bytes]:
    """Take a list of `count` digests."""
    require(isinstance(value, list) and len(value) == count, f"{where} has not {count} entries")
    assert isinstance(value, list)
    return [octets(entry, 32, where) for entry in value]


# --- rows ---------------------------------------------------------------------------------------
def row_bytes(name: str) -> int:
    """Give how many bytes a row takes."""
    return sum(int(form[1:]) for _, form in LAYOUT[name])


def decoded(name: str, data: bytes) -> dict[str, int | bytes]:
    """Read a row's fields."""
    require(len(data) == row_bytes(name), f"the {name} row has not {row_bytes(name)} bytes")
    found: dict[str, int | bytes] = {}
    at = 0
    for field, form in LAYOUT[name]:
        part = data[at : at + int(form[1:])]
        at += len(part)
        if form.startswith("b"):
            found[field] = part
        else:
            found[field] = int.from_bytes(part, "little", signed=form.startswith("i"))
    return found


def number(row: dict[str, int | bytes], field: str) -> int:
    """Take an integer field of a decoded row."""
    value = row[field]
    assert isinstance(value, int)
    return value


def value_words(field: str, value: int | bytes) -> str:
    """Write one field's value for a reader."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if field.endswith("_e6"):
        whole, rest = divmod(abs(value), 1_000_000)
        return f"{'-' if value < 0 else ''}{whole}.{rest:06d}"
    if field == "side" and value < len(SIDES):
        return SIDES[value]
    if field == "tif" and value < len(TIFS):
        return TIFS[value]
    if field == "kind":
        return EVENT_KINDS[value] if value < len(EVENT_KINDS) else f"unknown kind {value}"
    return str(value)


def row_words(title: str, name: str, data: bytes) -> list[str]:
    """Write a row as lines for a reader."""
    lines = [title]
    for field, value in decoded(name, data).items():
        if field in HIDDEN or field.startswith(("reserved", "word_")):
            continue
        label = field.removesuffix("_e6").replace("_", " ")
        lines.append(f"  {label}: {value_words(field, value)}")
    return lines


def position_words(data: bytes) -> list[str]:
    """Write a position as lines for a reader."""
    key = number(decoded("position", data), "key")
    held = f"market {key}" if key < ASSET_KEY else f"asset {key - ASSET_KEY}"
    return row_words(f"position in {held}", "position", data)


# --- Merkle paths -------------------------------------------------------------------------------
def climbed(digest: bytes, index: int, siblings: list[bytes]) -> bytes:
    """Hash from a leaf up; bit i of `index` says whether the path is the right child at level i."""
    for level, sibling in enumerate(siblings):
        if index >> level & 1:
            digest = sha256(sibling + digest)
        else:
            digest = sha256(digest + sibling)
    return digest


def positions_of(preimage: bytes) -> list[bytes]:
    """Split the positions off an account's leaf."""
    first = row_bytes("account")
    count = number(decoded("account", preimage[:first]), "positions_count")
    size = row_bytes("position")
    require(len(preimage) == first + count * size, "the account's leaf has not its positions")
    return [preimage[first + i * size : first + (i + 1) * size] for i in range(count)]


def checked_event(value: object, chain: bytes, height: int) -> list[str]:
    """Check an event against the chain row and describe it."""
    event = with_keys(value, KEYS_EVENT, "event")
    row = decoded("chain", chain)
    require(number(row, "height") == height, "the chain row is of another height")
    count = integer(event["count"], 1 << EVENTS_DEPTH, "event.count")
    require(count > 0, "event.count is zero")
    index = integer(event["index"], count - 1, "event.index")
    leaf = octets(event["preimage"], row_bytes("event"), "event.preimage")
    siblings = digests(event["siblings"], EVENTS_DEPTH, "event.siblings")
    root = sha256(count.to_bytes(8, "little") + climbed(sha256(leaf), index, siblings))
    require(root == row["events_root"], "the event is not under the chain row's events root")
    kind = value_words("kind", leaf[0])
    layout = kind if kind in CLEARING else "ledger_event" if kind in LEDGER_EVENTS else "event"
    return row_words(f"event {index} of {count}", layout, leaf)


def checked_row(proof: dict[str, object], kind: str, leaf: bytes, height: int) -> list[str]:
    """Check the leaf's own form for its kind and describe it."""
    slot = proof["slot"]
    if kind == "event":
        require(slot == 0, "the chain row is not in slot 0")
        return checked_event(proof["event"], leaf, height)
    if kind == "order":
        require(number(decoded("order", leaf), "order_id") > 0, "the slot holds no order")
        return row_words("order", "order", leaf)
    positions = positions_of(leaf)
    lines = row_words(f"account {slot}", "account", leaf[: row_bytes("account")])
    if kind == "account":
        return lines + [line for row in positions for line in position_words(row)]
    position = with_keys(proof["position"], KEYS_POSITION, "position")
    index = integer(position["index"], 2**16, "position.index")
    row = octets(position["row"], row_bytes("position"), "position.row")
    require(index < len(positions), "the account has no such position")
    require(row == positions[index], "position.row is not in the account's leaf")
    return lines + position_words(row)


# --- signatures ---------------------------------------------------------------------------------
Point = tuple[int, int, int]
INFINITY: Point = (0, 1, 0)


def doubled(point: Point) -> Point:
    """Double a point (X, Y, Z) that stands for (X/Z^2, Y/Z^3)."""
    x, y, z = point
    square = y * y % P
    s = 4 * x * square % P
    m = 3 * x * x % P
    x_new = (m * m - 2 * s) % P
    return x_new, (m * (s - x_new) - 8 * square * square) % P, 2 * y * z % P


def summed(one: Point, two: Point) -> Point:
    """Add two points."""
    if one[2] == 0 or two[2] == 0:
        return two if one[2] == 0 else one
    (x1, y1, z1), (x2, y2, z2) = one, two
    u1, u2 = x1 * z2 * z2 % P, x2 * z1 * z1 % P
    s1, s2 = y1 * z2 * z2 * z2 % P, y2 * z1 * z1 * z1 % P
    if u1 == u2:
        return doubled(one) if s1 == s2 else INFINITY
    h, r = (u2 - u1) % P, (s2 - s1) % P
    h2 = h * h % P
    h3, v = h * h2 % P, u1 * h2 % P
    x = (r * r - h3 - 2 * v) % P
    return x, (r * (v - x) - s1 * h3) % P, h * z1 * z2 % P


def public_point(key: bytes) -> Point | None:
    """Read a compressed public key; None when it is no point of the curve."""
    if len(key) != 33 or key[0] not in (2, 3):
        return None
    x = int.from_bytes(key[1:], "big")
    square = (x * x * x + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if x >= P or y * y % P != square:
        return None
    return x, y if y & 1 == key[0] & 1 else P - y, 1


def signature_holds(key: bytes, digest: bytes, signature: bytes) -> bool:
    """Verify an ECDSA signature r || s with low s over a 32-byte digest."""
    point = public_point(key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if point is None or not 0 < r < N or not 0 < s <= N // 2:
        return False
    inverse = pow(s, -1, N)
    a, b = int.from_bytes(digest, "big") * inverse % N, r * inverse % N
    base: Point = (G[0], G[1], 1)
    both = summed(base, point)
    total = INFINITY
    for bit in range(255, -1, -1):
        total = doubled(total)
        chosen = (a >> bit & 1) + 2 * (b >> bit & 1)
        if chosen:
            total = summed(total, (base, point, both)[chosen - 1])
    return total[2] != 0 and total[0] * pow(total[2], -2, P) % P % N == r


def checked_signatures(
    checkpoint: dict[str, object], chain_id: int, genesis: bytes, weights: dict[bytes, int]
) -> str:
    """Check that a quorum of the weighted keys signed the checkpoint; say who did."""
    message = CHECKPOINT_TAG + chain_id.to_bytes(8, "little") + genesis
    for name in ("epoch", "height"):
        message += integer(checkpoint[name], U64_MAX, name).to_bytes(8, "little")
    for name in ("exec_block_digest", "state_root"):
        message += octets(checkpoint[name], 32, name)
    entries = checkpoint["signatures"]
    require(isinstance(entries, list), "signatures is not a list")
    assert isinstance(entries, list)
    count = len(entries)
    require(count <= len(weights), f"{count} signatures, {len(weights)} validators named: name all")
    found: dict[bytes, bytes] = {}
    previous = b""
    for value in entries:
        entry = with_keys(value, KEYS_SIGNATURE, "a signature")
        signer = octets(entry["signer"], 33, "signer")
        require(signer > previous, "signers are not in ascending order")
        previous = signer
        require(signer in weights, f"{signer.hex()} is not one of the given validators")
        found[signer] = octets(entry["signature"], 64, "signature")
    weight, total = sum(weights[signer] for signer in found), sum(weights.values())
    quorum = 2 * total // 3 + 1
    require(weight >= quorum, f"signatures weigh {weight} of {total}, {quorum} needed")
    for signer, signature in found.items():
        right = signature_holds(signer, sha256(message), signature)
        require(right, f"the signature of {signer.hex()} is wrong")
    words = f"signed by {len(found)} of {len(weights)} validators"
    # Weights of 1 are not worth a word.
    return words if total == len(weights) else f"{words}, weight {weight} of {total}"


# --- the whole ----------------------------------------------------------------------------------
def opened(data: bytes, form: str, keys: str) -> dict[str, object]:
    """Read a file of this format; `keys` are those it has beside what its kind needs."""
    proof = parsed(data)
    kind = proof.get("kind")
    require(isinstance(kind, str) and kind in TABLES, "the kind is not known")
    with_keys(proof, keys + KEYS_OF_KIND[str(kind)], "the proof")
    require(proof["format"] == form, "the format is not known")
    file_digest = octets(proof.pop("file_digest"), 32, "file_digest")
    body = json.dumps(proof, sort_keys=True, separators=(",", ":")).encode("ascii")
    require(sha256(body) == file_digest, "the file has been changed")
    return proof


def checked_leaf(proof: dict[str, object], checkpoint: dict[str, object]) -> list[str]:
    """Check that the leaf is under the checkpoint's state root, and describe it."""
    kind, height = str(proof["kind"]), integer(checkpoint["height"], U64_MAX, "height")
    table = integer(proof["table"], (1 << TOP_DEPTH) - 1, "table")
    slot = integer(proof["slot"], (1 << TABLE_DEPTH) - 1, "slot")
    require(table == TABLES[kind], f"a proof of kind {kind} has another table")
    leaf = octets(proof["preimage"], -1, "preimage")
    path = digests(proof["siblings"], TABLE_DEPTH, "siblings")
    path += digests(proof["top_siblings"], TOP_DEPTH, "top_siblings")
    root = climbed(sha256(leaf), slot | table << TABLE_DEPTH, path)
    state_root = octets(checkpoint["state_root"], 32, "state_root")
    require(root == state_root, "the leaf is not under the state root")
    return checked_row(proof, kind, leaf, height)


def verified(data: bytes, genesis: bytes, weights: dict[bytes, int]) -> list[str]:
    """Check a proof file's bytes; return lines that say what it proves. Raises Refused.

    genesis: 32 bytes; weights: of all validators, by their keys, 33 bytes each.
    """
    proof = opened(data, FORMAT, KEYS)
    chain_id = integer(proof["chain_id"], U64_MAX, "chain_id")
    require(octets(proof["genesis"], 32, "genesis") == genesis, "the proof is of another genesis")
    checkpoint = with_keys(proof["checkpoint"], KEYS_CHECKPOINT, "checkpoint")
    lines = checked_leaf(proof, checkpoint)
    signed = checked_signatures(checkpoint, chain_id, genesis, weights)
    epoch, height = checkpoint["epoch"], checkpoint["height"]
    title = f"verified: {proof['kind']}, chain {chain_id}, height {height}, epoch {epoch}"
    return [f"{title}, {signed}", *lines]


def hex_argument(size: int, text: str) -> bytes:
    """Read an argument of `size` bytes."""
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        data = b""
    if len(data) != size:
        raise argparse.ArgumentTypeError(f"{2 * size} hex digits are needed")
    return data


def signer_argument(text: str) -> tuple[bytes, int]:
    """Read a validator's compressed public key, and its weight if one is named."""
    digits, colon, weight = text.partition(":")
    key = hex_argument(33, digits)
    if public_point(key) is None:
        raise argparse.ArgumentTypeError("this is no public key of secp256k1")
    plain = weight.isascii() and weight.isdigit() and len(weight) <= WEIGHT_DIGITS_MAX
    if colon and (not plain or weight.startswith("0")):
        raise argparse.ArgumentTypeError("a weight is an integer of 1 or more, in decimal digits")
    return key, int(weight or 1)


def told(parser: argparse.ArgumentParser, path: str, check: Callable[[bytes], list[str]]) -> int:
    """Read a file, print what `check` says of it, and return the exit code."""
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        parser.error(f"{path} cannot be read: {error.strerror}")
    try:
        lines = check(data)
    except Refused as refused:
        print(f"refused: {refused}")
        return 1
    print("\n".join(lines))
    return 0


def main(arguments: list[str]) -> int:
    """Run the program; return its exit code. argparse exits with 2 by itself."""
    parser = argparse.ArgumentParser(prog="verifier.py", description="Check an exported proof.")
    parser.add_argument("proof", help="the file that a node exported")
    digest = functools.partial(hex_argument, 32)
    parser.add_argument("--genesis-hash", required=True, type=digest, metavar="HEX")
    parser.add_argument(
        "--signer", required=True, action="append", type=signer_argument, metavar="KEY[:WEIGHT]",
        help="a validator's compressed public key, and its weight if not 1; give all of them",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    weights: dict[bytes, int] = dict(options.signer)
    if len(weights) != len(options.signer):
        parser.error("argument --signer: one key is given twice")
    return told(parser, options.proof, lambda data: verified(data, options.genesis_hash, weights))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
