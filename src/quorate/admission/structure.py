"""The structure of bundles, checked by a kernel: lengths, header, and every command's fields.

The kernel reads the tables below, which are made from codec/layout.py, one 8-byte word at a time.
It says what is wrong with a bundle by the code of the first thing that is wrong: lengths, then
header, then commands in order, and in a command: operation, unused bits, ranges, agreement of
flags, name, key, continuation. Signatures are not looked at.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quorate.codec.layout import (
    INT64_MIN,
    LAYOUTS,
    OWNER_OPS,
    Field,
    Form,
    field_at,
    used_bits,
)
from quorate.compiled import helper, kernel
from quorate.types import limits
from quorate.types.codes import Flag, KeyType, Kind, Op, Reject, Tif
from quorate.types.limits import INT64_MAX
from quorate.types.records import COMMAND, VALIDATOR_COMMAND

WORDS: Final = limits.COMMAND_BYTES // 8
OPS: Final = tuple(LAYOUTS)
UNKNOWN: Final = -1
NO_NAME: Final = -1


def is_free(field: Field) -> bool:
    """Say whether an integer takes every value of its bytes, or every one that is not negative."""
    whole = (1 << 8 * field.width) - 1
    return (field.low, field.high) in ((0, whole), (0, INT64_MAX), (INT64_MIN, INT64_MAX))


def sign_words(op: Op) -> list[int]:
    """Give eight words: the sign bit where a word must not be negative, else 0."""
    words = [0] * WORDS
    for field in LAYOUTS[op]:
        if field.form == Form.INT and field.width == 8 and field.low == 0:
            words[field.offset // 8] = INT64_MIN
    return words


def bounds_of(op: Op, offset: int) -> tuple[int, int]:
    """Give the bounds of one of the two enums of the head word; anything where it is unused."""
    for field in LAYOUTS[op]:
        if (field.offset, field.width) == (offset, 1):
            return field.low, field.high
    return 0, 255


def index_table() -> NDArray[np.int64]:
    """Give int64[256]: from the operation's byte to its row in the tables, or UNKNOWN."""
    table = np.full(256, UNKNOWN, np.int64)
    for row, op in enumerate(OPS):
        table[op] = row
    return table


def name_table() -> NDArray[np.int64]:
    """Give int64[operations]: where the command's name starts, or NO_NAME."""
    starts = [
        [field.offset for field in LAYOUTS[op] if field.form == Form.NAME] for op in OPS
    ]
    return np.array([found[0] if found else NO_NAME for found in starts], np.int64)


SIDE_AT: Final = 1  # or a market's kind or status, or the type of a validator's key
TIF_AT: Final = 2

# Numba freezes these into the machine code, and the code's cache is keyed by all sources.
INDEX: Final = index_table()
USED: Final = np.array([np.frombuffer(used_bits(op), "<i8") for op in OPS], np.int64)
SIGNS: Final = np.array([sign_words(op) for op in OPS], np.int64)
SIDES: Final = np.array([bounds_of(op, SIDE_AT) for op in OPS], np.int64)
TIFS: Final = np.array([bounds_of(op, TIF_AT) for op in OPS], np.int64)
NAME_AT: Final = name_table()
IS_OWNER: Final = np.array([op in OWNER_OPS for op in OPS], np.int64)

assert all(
    is_free(field) or (field.width == 1 and field.offset in (SIDE_AT, TIF_AT))
    for fields in LAYOUTS.values()
    for field in fields
    if field.form == Form.INT
), "the kernel checks signs, `side` and `tif`, and no other bound"
assert [field_at(COMMAND, wire)[0] for wire in ("side", "tif", "flags")] == [SIDE_AT, TIF_AT, 3]
assert field_at(VALIDATOR_COMMAND, "key_type")[0] == SIDE_AT

OK: Final = int(Reject.OK)
KIND: Final = int(Reject.KIND_MUST_BE_KNOWN)
LENGTH: Final = int(Reject.LENGTH_MUST_MATCH_COUNT)
COUNT: Final = int(Reject.COUNT_MUST_BE_1_TO_1024)
HEADER_FLAGS: Final = int(Reject.FLAGS_MUST_BE_ZERO)
OPERATION: Final = int(Reject.OPERATION_MUST_BE_KNOWN)
UNUSED: Final = int(Reject.UNUSED_FIELDS_MUST_BE_ZERO)
CONTINUATION: Final = int(Reject.CONTINUATION_MUST_FOLLOW_ITS_HEAD)
RANGE: Final = int(Reject.FIELD_MUST_BE_IN_RANGE)
CHAIN: Final = int(Reject.CHAIN_ID_MUST_MATCH)
ALONE: Final = int(Reject.OWNER_COMMAND_MUST_STAND_ALONE)
FULL: Final = int(Reject.BLOCK_FULL_SEND_LATER)
AGREE: Final = int(Reject.FLAGS_MUST_AGREE)

NATIVE: Final = int(Kind.NATIVE)
EIP712: Final = int(Kind.EIP712)
OP_PLACE: Final = int(Op.PLACE)
OP_LIST: Final = int(Op.LIST_MARKET)
OP_CONTINUATION: Final = int(Op.CONTINUATION)
OP_VALIDATOR: Final = int(Op.SET_VALIDATOR)
OP_QUOTE: Final = int(Op.QUOTE)
OP_QUOTE_LEVEL: Final = int(Op.QUOTE_LEVEL)
OP_PRODUCT: Final = int(Op.LIST_PRODUCT)
OP_PRODUCT_PART: Final = int(Op.PRODUCT_PART)
PRODUCT_PARTS: Final = limits.PRODUCT_PARTS
LEVELS_AT: Final = field_at(COMMAND, "size")[0]
QUOTE_LEVELS_MAX: Final = limits.QUOTE_LEVELS_MAX
ED25519: Final = int(KeyType.ED25519)
KEY_AT: Final = field_at(VALIDATOR_COMMAND, "key")[0]
ED25519_BYTES: Final = 32
SLIDE: Final = int(Flag.SLIDE)
POST_ONLY: Final = int(Flag.POST_ONLY)
MARKET: Final = int(Flag.MARKET)
GTT: Final = int(Tif.GTT)
IOC: Final = int(Tif.IOC)
assert set(Tif) == {0, GTT, IOC, IOC + 1}, "IOC and those above it are immediate"

HEADER_BYTES: Final = limits.BUNDLE_HEADER_BYTES
COMMAND_BYTES: Final = limits.COMMAND_BYTES
FRAME_BYTES: Final = limits.BUNDLE_HEADER_BYTES + limits.SIGNATURE_BYTES
COMMANDS_PER_BUNDLE_MAX: Final = limits.COMMANDS_PER_BUNDLE_MAX
NAME_FIRST: Final = 0x21
NAME_LAST: Final = 0x7E
NAME_BYTES: Final = 16

BYTES: Final = "Array(uint8, 1, 'C', readonly=True)"


@helper
def word_at(data, at):  # type: ignore[no-untyped-def]
    """Read the little-endian int64 at byte `at`; written out, it compiles to one load."""
    return (
        np.int64(data[at])
        | np.int64(data[at + 1]) << 8
        | np.int64(data[at + 2]) << 16
        | np.int64(data[at + 3]) << 24
        | np.int64(data[at + 4]) << 32
        | np.int64(data[at + 5]) << 40
        | np.int64(data[at + 6]) << 48
        | np.int64(data[at + 7]) << 56
    )


@helper
def name_holds(data, at):  # type: ignore[no-untyped-def]
    """Say whether 16 bytes are printable ASCII, at least one, then zeros."""
    ended = False
    for index in range(NAME_BYTES):
        letter = np.int64(data[at + index])
        if letter == 0:
            if index == 0:
                return False
            ended = True
        elif ended or letter < NAME_FIRST or letter > NAME_LAST:
            return False
    return True


@helper
def key_holds(data, at, key_type):  # type: ignore[no-untyped-def]
    """Say whether a key has the form of its type; whether it is a point of a curve is not asked."""
    if key_type == ED25519:
        return data[at + ED25519_BYTES] == 0
    return data[at] == 2 or data[at] == 3


@helper
def flags_agree(head, price, expiry_ms):  # type: ignore[no-untyped-def]
    """Say whether time in force, flags, price and expiry of an order go together."""
    tif = (head >> 16) & 0xFF
    flags = (head >> 24) & 0xFF
    immediate = tif >= IOC
    if flags & SLIDE != 0 and flags & POST_ONLY == 0:
        return False
    if flags & POST_ONLY != 0 and immediate:
        return False
    if flags & MARKET != 0 and (price != 0 or not immediate):
        return False
    return (tif == GTT) == (expiry_ms != 0)


@helper
def command_checked(data, at):  # type: ignore[no-untyped-def]
    """Give the code of what is wrong with the command at byte `at`, apart from its neighbours."""
    row = INDEX[data[at]]
    if row == UNKNOWN:
        return OPERATION
    unused = 0
    negative = 0
    for index in range(WORDS):
        word = word_at(data, at + 8 * index)
        unused |= word & ~USED[row, index]
        negative |= word & SIGNS[row, index]
    if unused != 0:
        return UNUSED
    side = np.int64(data[at + 1])
    tif = np.int64(data[at + 2])
    if negative != 0 or side < SIDES[row, 0] or side > SIDES[row, 1]:
        return RANGE
    if tif < TIFS[row, 0] or tif > TIFS[row, 1]:
        return RANGE
    if data[at] == OP_PLACE:
        if not flags_agree(word_at(data, at), word_at(data, at + 8), word_at(data, at + 24)):
            return AGREE
    if NAME_AT[row] != NO_NAME and not name_holds(data, at + NAME_AT[row]):
        return RANGE
    if data[at] == OP_VALIDATOR and not key_holds(data, at + KEY_AT, side):
        return RANGE
    if data[at] == OP_QUOTE:
        levels = word_at(data, at + LEVELS_AT)
        if levels < 1 or levels > QUOTE_LEVELS_MAX:
            return RANGE
    return OK


@helper
def commands_checked(data, start, count):  # type: ignore[no-untyped-def]
    """Give the code of the first of `count` commands that is wrong."""
    tails_due = 0
    tail = OP_CONTINUATION
    for index in range(count):
        at = start + COMMAND_BYTES * index
        if tails_due > 0 and data[at] != tail:
            return CONTINUATION
        code = command_checked(data, at)
        if code != OK:
            return code
        if tails_due > 0:
            tails_due -= 1
        elif data[at] == OP_LIST:
            tail = OP_CONTINUATION
            tails_due = 1
        elif data[at] == OP_QUOTE:
            tail = OP_QUOTE_LEVEL
            tails_due = word_at(data, at + LEVELS_AT)
        elif data[at] == OP_PRODUCT:
            tail = OP_PRODUCT_PART
            tails_due = PRODUCT_PARTS
        elif data[at] in (OP_CONTINUATION, OP_QUOTE_LEVEL, OP_PRODUCT_PART):
            return CONTINUATION
    if tails_due > 0:
        return CONTINUATION
    return OK


@helper
def header_checked(data, start, length, kind, chain_id):  # type: ignore[no-untyped-def]
    """Give the code of what is wrong with kind, length and header of a bundle."""
    if kind != NATIVE and kind != EIP712:
        return KIND
    if length < FRAME_BYTES:
        return LENGTH
    word = word_at(data, start + 8)
    flags = (word >> 32) & 0xFFFF
    count = (word >> 48) & 0xFFFF
    if count < 1 or count > COMMANDS_PER_BUNDLE_MAX:
        return COUNT
    if length != FRAME_BYTES + COMMAND_BYTES * count:
        return LENGTH
    if flags != 0:
        return HEADER_FLAGS
    if word_at(data, start) != chain_id:
        return CHAIN
    if word_at(data, start + 16) < 0 or word_at(data, start + 24) < 0:
        return RANGE
    if kind == EIP712:
        row = INDEX[data[start + HEADER_BYTES]]
        if count != 1 or row == UNKNOWN or IS_OWNER[row] == 0:
            return ALONE
    return OK


@kernel(f"int64({BYTES}, int64, int64)")
def bundle_checked(data, kind, chain_id):  # type: ignore[no-untyped-def]
    """Give the Reject code of one bundle's structure; `data` is uint8[length], whole."""
    code = header_checked(data, 0, data.shape[0], kind, chain_id)
    if code != OK:
        return code
    count = (word_at(data, 8) >> 48) & 0xFFFF
    return commands_checked(data, HEADER_BYTES, count)


@kernel(f"int64({BYTES}, int64[::1], int64[::1], int64, int64[:, ::1], uint8[::1], int64[::1])")
def block_checked(  # type: ignore[no-untyped-def]
    data, starts, kinds, chain_id, rows, commands, codes
):
    """Check the bundles that stand one after another in `data`, and lay them out.

    `starts` has one more entry than there are bundles. Writes a Reject code per bundle; for a sound
    one also its ADMITTED row as eight words, signer still zero, and its commands behind those
    of the bundles before it. Returns how many commands were laid out. A bundle whose commands
    would not fit in `commands` is BLOCK_FULL_SEND_LATER.
    """
    used = 0
    for index in range(kinds.shape[0]):
        start = starts[index]
        code = header_checked(data, start, starts[index + 1] - start, kinds[index], chain_id)
        count = 0
        first = start + HEADER_BYTES
        if code == OK:
            count = (word_at(data, start + 8) >> 48) & 0xFFFF
            code = commands_checked(data, first, count)
        if code == OK and (used + count) * COMMAND_BYTES > commands.shape[0]:
            code = FULL
        codes[index] = code
        if code != OK:
            continue
        # ADMITTED as words: signer 20 bytes and account, nonce, expiry, first, count, kind.
        rows[index, 2] = (word_at(data, start + 8) & 0xFFFFFFFF) << 32
        rows[index, 3] = word_at(data, start + 16)
        rows[index, 4] = word_at(data, start + 24)
        rows[index, 5] = used
        rows[index, 6] = count
        rows[index, 7] = kinds[index]
        target = used * COMMAND_BYTES
        for byte in range(count * COMMAND_BYTES):
            commands[target + byte] = data[first + byte]
        used += count
    return used
