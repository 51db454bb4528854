"""One item for each code with which admission refuses, made from sound ones of these tests."""

from typing import Final

from quorate.admission import sign_bundle, sign_owner
from quorate.codec import commands as c
from quorate.types.blocks import Item
from quorate.types.codes import Reject
from tests.replica.world import ALICE, CHAIN, FUNDS, GENESIS, NOW

CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SOUND: Final = sign_bundle(ALICE, CHAIN, 0, NOW, c.encode_commands([FUNDS]))
OWNER: Final = sign_owner(ALICE, CHAIN, 0, NOW, c.encode_command(c.OpenSubaccount(1)))

LISTING: Final = c.encode_command(c.ListMarket(9, GENESIS.markets[0]))


def changed(item: Item, at: int, data: bytes) -> Item:
    """Write other bytes into an item."""
    at %= len(item.data)
    return Item(item.kind, item.data[:at] + data + item.data[at + len(data) :])


def high_s(item: Item) -> Item:
    """Give the signature's other form, which anybody can make."""
    s = CURVE_ORDER - int.from_bytes(item.data[-33:-1], "big")
    return changed(item, -33, s.to_bytes(32, "big") + bytes([item.data[-1] ^ 1]))


BAD_ITEMS: Final = {
    Reject.KIND_MUST_BE_KNOWN: Item(9, SOUND.data),
    Reject.LENGTH_MUST_MATCH_COUNT: Item(1, SOUND.data[:-1]),
    Reject.COUNT_MUST_BE_1_TO_1024: changed(SOUND, 14, b"\0\0"),
    Reject.FLAGS_MUST_BE_ZERO: changed(SOUND, 12, b"\1"),
    Reject.OPERATION_MUST_BE_KNOWN: changed(SOUND, 32, b"\xee"),
    Reject.UNUSED_FIELDS_MUST_BE_ZERO: changed(SOUND, 33, b"\1"),
    Reject.CONTINUATION_MUST_FOLLOW_ITS_HEAD: changed(SOUND, 32, LISTING[:64]),
    Reject.FIELD_MUST_BE_IN_RANGE: changed(SOUND, 23, b"\x80"),
    Reject.CHAIN_ID_MUST_MATCH: changed(SOUND, 0, b"\0"),
    Reject.OWNER_COMMAND_MUST_STAND_ALONE: Item(2, SOUND.data),
    Reject.SIGNATURE_MUST_BE_VALID: changed(SOUND, -1, b"\x1b"),
    Reject.SIGNATURE_S_MUST_BE_LOW: high_s(OWNER),
}
# All that admission says of an item by itself; the one that is missing is of a whole block.
ADMISSION: Final = tuple(
    reject
    for reject in Reject
    if 100 <= reject < 202 and reject != Reject.BLOCK_FULL_SEND_LATER
)
assert set(BAD_ITEMS) == set(ADMISSION)
