"""The structure rules a second time: plain Python over named fields, written from docs/wire.md.

It shares no table with the source, so that a wrong table shows.
"""

import numpy as np

from quorate.types.codes import Reject
from quorate.types.records import (
    COMMAND,
    LEDGER_COMMAND,
    LISTING_CONTINUATION,
    PRODUCT_PART,
    VALIDATOR_COMMAND,
)

TRADING = {
    1: "market side price size tif flags expiry_ms cloid_hi cloid_lo aux",
    2: "order_id",
    3: "cloid_hi cloid_lo",
    4: "market",
    5: "order_id price size flags",
    6: "cloid_hi cloid_lo price size flags",
    7: "expiry_ms",
    8: "market side tif flags price size expiry_ms order_id aux",
    9: "order_id",
    10: "market side size aux",
    11: "market price size expiry_ms order_id aux",
    12: "market price",
    13: "side",
    48: "market side price size expiry_ms order_id cloid_hi cloid_lo aux",
    49: "market side",
    50: "market price size order_id",
    51: "market price size",
    52: "market price cloid_hi cloid_lo",
    53: "price size",
    55: "market price size order_id",
    56: "market side price size expiry_ms order_id",
    57: "market price cloid_hi cloid_lo",
    59: "market side",
    60: "price size order_id",
    61: "market price size order_id",
    62: "market side price size expiry_ms order_id cloid_hi cloid_lo",
    63: "market side price size expiry_ms order_id cloid_hi cloid_lo aux",
    64: "market price",
    65: "market price size",
    66: "market price size expiry_ms order_id cloid_hi cloid_lo",
    72: "market price size expiry_ms order_id cloid_hi cloid_lo",
    254: "price size expiry_ms order_id",
}
LEDGER = {
    16: "address expiry_ms amount limit_a limit_b",
    17: "address",
    18: "asset address amount",
    19: "asset address sub amount",
    20: "sub",
    21: "amount",
    22: "asset amount",
    32: "asset address sub amount limit_a",
    58: "address amount",
}
TAIL = {255: "base_asset name lot_units margin_schedule fee_schedule slippage_max_ppm"}
REGISTER = {54: "key_type key power"}
PARTS = {253: " ".join(f"word_{k}" for k in range(7))}
FLAGS_ALLOWED = {1: 0x7F, 5: 0x3C, 6: 0x3C, 8: 0x1F}
ANY_SIGN = {(1, "cloid_hi"), (1, "cloid_lo"), (3, "cloid_hi"), (3, "cloid_lo")}
ANY_SIGN |= {(6, "cloid_hi"), (6, "cloid_lo"), (50, "size"), (52, "cloid_hi"), (52, "cloid_lo")}
ANY_SIGN |= {(12, "price"), (55, "size"), (57, "cloid_hi"), (57, "cloid_lo")}
ANY_SIGN |= {(62, "cloid_hi"), (62, "cloid_lo")}
ANY_SIGN |= {(63, name) for name in ["price", "size", "order_id", "cloid_hi", "cloid_lo", "aux"]}
ANY_SIGN |= {(253, f"word_{k}") for k in range(7)}
SIDES = {1: range(2), 8: range(2), 13: range(2), 48: range(1, 4), 49: range(1, 5), 56: range(4)}
SIDES |= {10: range(2), 59: range(1, 5), 62: range(4), 63: range(256)}
TIFS = {1: range(4), 8: range(3)}
LEVELS_MAX = 32


def name_is_sound(raw: bytes) -> bool:
    name = raw.rstrip(b"\0")
    return name != b"" and all(0x21 <= letter <= 0x7E for letter in name)


def order_agrees(row: np.void) -> bool:
    immediate = row["tif"] in (2, 3)
    post_only, slide, market = row["flags"] & 0x20, row["flags"] & 0x02, row["flags"] & 0x40
    if slide and not post_only:
        return False
    if post_only and immediate:
        return False
    if market and not (immediate and row["price"] == 0):
        return False
    return bool((row["tif"] == 1) == (row["expiry_ms"] != 0))


def command_code(record: bytes) -> Reject:
    """Judge one command without its neighbours."""
    op = record[0]
    readings = (
        (COMMAND, TRADING),
        (LEDGER_COMMAND, LEDGER),
        (LISTING_CONTINUATION, TAIL),
        (VALIDATOR_COMMAND, REGISTER),
        (PRODUCT_PART, PARTS),
    )
    known = [(reading, table) for reading, table in readings if op in table]
    if not known:
        return Reject.OPERATION_MUST_BE_KNOWN
    reading, table = known[0]
    row = np.frombuffer(record, reading)[0]
    used = table[op].split()
    for name in reading.names:
        if name != "op" and name not in used and np.any(row[name] != 0):
            return Reject.UNUSED_FIELDS_MUST_BE_ZERO
    if "flags" in used and row["flags"] & ~np.uint8(FLAGS_ALLOWED[op]):
        return Reject.UNUSED_FIELDS_MUST_BE_ZERO
    for name in used:
        if row[name].dtype == np.int64 and (op, name) not in ANY_SIGN and row[name] < 0:
            return Reject.FIELD_MUST_BE_IN_RANGE
    if op in SIDES and row["side"] not in SIDES[op]:
        return Reject.FIELD_MUST_BE_IN_RANGE
    if op in TIFS and row["tif"] not in TIFS[op]:
        return Reject.FIELD_MUST_BE_IN_RANGE
    if op == 1 and not order_agrees(row):
        return Reject.FLAGS_MUST_AGREE
    if op in (52, 57, 62) and not name_is_sound(record[40:56]):
        return Reject.FIELD_MUST_BE_IN_RANGE
    if op == 54 and not key_is_sound(int(row["key_type"]), bytes(record[7:40])):
        return Reject.FIELD_MUST_BE_IN_RANGE
    if op == 10 and not 1 <= row["size"] <= LEVELS_MAX:
        return Reject.FIELD_MUST_BE_IN_RANGE
    if op == 255 and not name_is_sound(row["name"].tobytes()):
        return Reject.FIELD_MUST_BE_IN_RANGE
    return Reject.OK


def key_is_sound(key_type: int, key: bytes) -> bool:
    if key_type == 1:
        return key.endswith(b"\0")
    return key_type == 2 and key.startswith((b"\2", b"\3"))


def commands_code(data: bytes) -> Reject:
    """Judge commands in order; the first that is wrong decides."""
    wanted: list[int] = []
    for at in range(0, len(data), 64):
        record = data[at : at + 64]
        due = wanted.pop() if wanted else None
        if due is not None and record[0] != due:
            return Reject.CONTINUATION_MUST_FOLLOW_ITS_HEAD
        code = command_code(record)
        if code != Reject.OK:
            return code
        if due is None and record[0] in (253, 254, 255):
            return Reject.CONTINUATION_MUST_FOLLOW_ITS_HEAD
        if record[0] == 48:
            wanted = [255]
        elif record[0] == 10:
            wanted = [254] * int.from_bytes(record[16:24], "little")
        elif record[0] == 62:
            wanted = [253] * 21
    return Reject.CONTINUATION_MUST_FOLLOW_ITS_HEAD if wanted else Reject.OK


def structure_code(data: bytes, kind: int, chain_id: int) -> Reject:
    """Judge all of an item but its signature."""
    if kind not in (1, 2):
        return Reject.KIND_MUST_BE_KNOWN
    if len(data) < 97:
        return Reject.LENGTH_MUST_MATCH_COUNT
    count = int.from_bytes(data[14:16], "little")
    if not 1 <= count <= 1024:
        return Reject.COUNT_MUST_BE_1_TO_1024
    if len(data) != 32 + 64 * count + 65:
        return Reject.LENGTH_MUST_MATCH_COUNT
    if data[12:14] != b"\0\0":
        return Reject.FLAGS_MUST_BE_ZERO
    if int.from_bytes(data[:8], "little") != chain_id:
        return Reject.CHAIN_ID_MUST_MATCH
    if data[23] & 0x80 or data[31] & 0x80:
        return Reject.FIELD_MUST_BE_IN_RANGE
    if kind == 2 and (count != 1 or data[32] not in range(16, 21)):
        return Reject.OWNER_COMMAND_MUST_STAND_ALONE
    return commands_code(data[32:-65])
