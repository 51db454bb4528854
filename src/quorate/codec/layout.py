"""Which bytes of the 64-byte command record each operation uses, and within which bounds.

This table is the one source of the builders, of the structure check at admission and of the
readable typed messages. Whatever an operation does not list here must be zero, so that a value
has one encoding. Bounds here are those of the *type* (enums, signs); whether a price or a market
number makes sense needs state, and is judged by execution.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from quorate.types.clearing_codes import TriggerFlag, TriggerKind
from quorate.types.codes import Flag, KeyType, MarketKind, MarketStatus, Op, Side, Tif
from quorate.types.limits import BANDS_PER_MARKET, COMMAND_BYTES, INT64_MAX, PRODUCTS_MAX
from quorate.types.options_codes import MarginMode, ObservationRule
from quorate.types.records import (
    ADDRESS_BYTES,
    COMMAND,
    LEDGER_COMMAND,
    LISTING_CONTINUATION,
    PRODUCT_PART,
    VALIDATOR_COMMAND,
    VALIDATOR_KEY_BYTES,
)

INT64_MIN: Final = -INT64_MAX - 1
NAME_BYTES: Final = 16
CLOID_BYTES: Final = 16

PLACE_FLAGS: Final = (
    Flag.REDUCE_ONLY | Flag.SLIDE | Flag.STP_MASK | Flag.STP_MASTER | Flag.POST_ONLY | Flag.MARKET
)
TRIGGER_FLAGS: Final = sum(TriggerFlag)
MODIFY_FLAGS: Final = Flag.STP_MASK | Flag.STP_MASTER | Flag.POST_ONLY


class Form(IntEnum):
    """How the bytes of a field read: INT little-endian; CLOID two i64, high half first.

    KEY: a validator's public key, padded to 33 bytes.
    """

    INT = 0
    ADDRESS = 1
    CLOID = 2
    NAME = 3
    KEY = 4


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one operation.

    `name`: as builders call it. `wire`: its field in the reading of types/records.py where it
    starts. `offset`, `width`: bytes in the command. `bits`: those that may be set, for an INT.
    `low`, `high`: inclusive bounds of an INT.
    """

    name: str
    wire: str
    form: Form
    offset: int
    width: int
    bits: int
    low: int
    high: int


def field_at(reading: "np.dtype[np.void]", wire: str) -> tuple[int, int, bool]:
    """Give (offset, width, is_signed) of a field of one of the readings of a command."""
    assert reading.fields is not None
    dtype, offset = reading.fields[wire][:2]
    return offset, dtype.itemsize, dtype.kind == "i"


def integer(
    reading: "np.dtype[np.void]",
    wire: str,
    name: str = "",
    low: int = 0,
    high: int | None = None,
    bits: int | None = None,
) -> Field:
    """Define an integer. Without bounds: from 0 to the most that its type holds."""
    offset, width, is_signed = field_at(reading, wire)
    whole = (1 << 8 * width) - 1
    top = (whole >> 1 if is_signed else whole) if high is None else high
    return Field(
        name or wire, wire, Form.INT, offset, width, whole if bits is None else bits, low, top
    )


def text(reading: "np.dtype[np.void]", wire: str) -> Field:
    """Define a name: 1 to 16 printable ASCII characters but the space, zero padded."""
    return Field("name", wire, Form.NAME, field_at(reading, wire)[0], NAME_BYTES, 0, 0, 0)


def address(name: str) -> Field:
    """Define the 20-byte address of a ledger command."""
    offset, width, _ = field_at(LEDGER_COMMAND, "address")
    assert width == ADDRESS_BYTES
    return Field(name, "address", Form.ADDRESS, offset, width, 0, 0, 0)


def trading(wire: str, name: str = "", **bounds: int) -> Field:
    """Define an integer of the COMMAND reading."""
    return integer(COMMAND, wire, name, **bounds)


def ledger(wire: str, name: str = "", **bounds: int) -> Field:
    """Define an integer of the LEDGER_COMMAND reading."""
    return integer(LEDGER_COMMAND, wire, name, **bounds)


def listing(wire: str) -> Field:
    """Define an integer of the LISTING_CONTINUATION reading."""
    return integer(LISTING_CONTINUATION, wire)


def validator(wire: str, **bounds: int) -> Field:
    """Define an integer of the VALIDATOR_COMMAND reading."""
    return integer(VALIDATOR_COMMAND, wire, "", **bounds)


def validator_key() -> Field:
    """Define the public key of a validator."""
    offset, width, _ = field_at(VALIDATOR_COMMAND, "key")
    assert width == VALIDATOR_KEY_BYTES
    return Field("key", "key", Form.KEY, offset, width, 0, 0, 0)


CLOID: Final = Field(
    "cloid", "cloid_hi", Form.CLOID, field_at(COMMAND, "cloid_hi")[0], CLOID_BYTES, 0, 0, 0
)
MODIFY: Final = (
    trading("price"),
    trading("size"),
    trading("flags", bits=MODIFY_FLAGS),
)
TARGET: Final = (ledger("asset"), address("target"), ledger("sub"), ledger("amount"))

LAYOUTS: Final[dict[Op, tuple[Field, ...]]] = {
    Op.PLACE: (
        trading("market"),
        trading("side", high=max(Side)),
        trading("price"),
        trading("size"),
        trading("tif", high=max(Tif)),
        trading("flags", bits=PLACE_FLAGS),
        trading("expiry_ms"),
        CLOID,
        trading("aux", "group"),
    ),
    Op.CANCEL: (trading("order_id"),),
    Op.CANCEL_CLIENT: (CLOID,),
    Op.CANCEL_ALL: (trading("market"),),
    Op.MODIFY: (trading("order_id"), *MODIFY),
    Op.MODIFY_CLIENT: (CLOID, *MODIFY),
    Op.DEADMAN: (trading("expiry_ms", "fire_ms"),),
    Op.TRIGGER: (
        trading("market"),
        trading("side", high=max(Side)),
        trading("tif", "kind", high=max(TriggerKind)),
        trading("flags", bits=TRIGGER_FLAGS),
        trading("price", "trigger_ticks"),
        trading("size"),
        trading("expiry_ms", "limit_ticks"),
        trading("order_id", "parent_id"),
        trading("aux", "trail_ppm"),
    ),
    Op.CANCEL_TRIGGER: (trading("order_id", "trigger_id"),),
    Op.QUOTE: (
        trading("market"),
        trading("side", "in_volatility", high=1),
        trading("size", "levels_count"),
        trading("aux", "group"),
    ),
    Op.QUOTE_LEVEL: (
        trading("price", "bid_ticks"),
        trading("size", "bid_lots"),
        trading("expiry_ms", "ask_ticks"),
        trading("order_id", "ask_lots"),
    ),
    Op.SET_GROUP: (
        trading("market", "group"),
        trading("price", "window_ms"),
        trading("size", "lots_max"),
        trading("expiry_ms", "delta_max_e6"),
        trading("order_id", "vega_max_e6"),
        trading("aux", "freeze_ms"),
    ),
    Op.ISOLATE: (trading("market"), trading("price", "amount_e6", low=INT64_MIN)),
    Op.SET_MARGIN_MODE: (trading("side", "mode", high=max(MarginMode)),),
    Op.APPROVE_AGENT: (
        address("agent"),
        ledger("expiry_ms"),
        ledger("amount", "order_notional_max_e6"),
        ledger("limit_a", "position_notional_max_e6"),
        ledger("limit_b", "leverage_max_e2"),
    ),
    Op.REVOKE_AGENT: (address("agent"),),
    Op.WITHDRAW: (ledger("asset"), address("destination"), ledger("amount")),
    Op.TRANSFER: TARGET,
    Op.OPEN_SUBACCOUNT: (ledger("sub"),),
    Op.FAUCET: (ledger("amount"),),
    Op.DONATE: (ledger("asset", "market"), ledger("amount")),
    Op.DEPOSIT: (*TARGET, ledger("limit_a", "reference")),
    Op.LIST_MARKET: (
        trading("market"),
        trading("side", "kind", low=min(MarketKind), high=max(MarketKind)),
        trading("price", "tick_step"),
        trading("size", "lot_step"),
        trading("expiry_ms", "quantum_e6"),
        trading("order_id", "price_max_ticks"),
        trading("cloid_hi", "size_max_lots"),
        trading("cloid_lo", "position_max_lots"),
        trading("aux", "mark_ticks"),
    ),
    Op.SET_STATUS: (
        trading("market"),
        trading("side", "status", low=min(MarketStatus), high=max(MarketStatus)),
    ),
    Op.SET_FEE_TIER: (
        trading("market", "slot"),
        trading("price", "volume_min_e6"),
        trading("size", "maker_ppm", low=INT64_MIN),
        trading("order_id", "taker_ppm"),
    ),
    Op.SET_MARGIN_TIER: (
        trading("market", "slot"),
        trading("price", "lower_e6"),
        trading("size", "leverage_max"),
    ),
    Op.ADD_ASSET: (
        trading("market", "asset"),
        trading("price", "decimals"),
        text(COMMAND, "cloid_hi"),
    ),
    Op.UPGRADE: (trading("price", "version"), trading("size", "height")),
    Op.SET_VALIDATOR: (
        validator("key_type", low=min(KeyType), high=max(KeyType)),
        validator_key(),
        validator("power"),
    ),
    Op.SET_RISK: (
        trading("market"),
        trading("price", "parameter"),
        trading("size", "value", low=INT64_MIN),
        trading("order_id", "height"),
    ),
    Op.SET_BAND: (
        trading("market"),
        trading("side", "band", high=BANDS_PER_MARKET - 1),
        trading("price", "tau_ms"),
        trading("size", "up_ppm"),
        trading("expiry_ms", "down_ppm"),
        trading("order_id", "auction_ms"),
    ),
    Op.SET_FEED: (
        trading("market", "feed"),
        trading("price", "price_ticks"),
        text(COMMAND, "cloid_hi"),
    ),
    Op.SET_VOTER: (address("voter"), ledger("amount", "weight")),
    Op.SET_SWITCH: (
        trading("market", "account"),
        trading("side", "switch", low=min(MarketStatus), high=max(MarketStatus)),
    ),
    Op.SET_GLOBAL: (
        trading("price", "parameter"),
        trading("size", "value"),
        trading("order_id", "height"),
    ),
    Op.SCHEDULE_TIER: (
        trading("market", "slot"),
        trading("price", "lower_e6"),
        trading("size", "leverage_max"),
        trading("order_id", "height"),
    ),
    Op.LIST_PRODUCT: (
        trading("market", "product"),
        trading("side", "rule", high=max(ObservationRule)),
        trading("price", "payoff_low"),
        trading("size", "payoff_high"),
        trading("expiry_ms", "sample_ms"),
        trading("order_id", "text_bytes"),
        text(COMMAND, "cloid_hi"),
    ),
    Op.PRODUCT_PART: tuple(
        integer(PRODUCT_PART, f"word_{k}", low=INT64_MIN) for k in range(7)
    ),
    Op.SET_SERIES: (
        trading("market"),
        trading("side", "product", high=PRODUCTS_MAX - 1),
        trading("expiry_ms"),
        trading("price", "strike", low=INT64_MIN),
        trading("size", "upper", low=INT64_MIN),
        trading("order_id", "lower", low=INT64_MIN),
        trading("cloid_hi", "rebate", low=INT64_MIN),
        trading("cloid_lo", "cap", low=INT64_MIN),
        trading("aux", "rate", low=INT64_MIN),
    ),
    Op.SET_LISTING: (
        trading("market", "listing"),
        trading("price", "template"),
        trading("size", "period_ms"),
        trading("expiry_ms", "offset_ms"),
        trading("order_id", "expiries_ahead"),
        trading("cloid_hi", "step_ticks"),
        trading("cloid_lo", "strikes_each_side"),
    ),
    Op.VOTE_SMILE: (
        trading("market", "expiry"),
        trading("price", "forward_ticks"),
        trading("size", "vols_0_1"),
        trading("expiry_ms", "vols_2_3"),
        trading("order_id", "vols_4_5"),
        trading("cloid_hi", "vols_6_7"),
        trading("cloid_lo", "vols_8"),
    ),
    Op.VOTE_PRICE: (
        trading("market", "feed"),
        trading("price", "price_ticks"),
        trading("size", "external_ticks"),
    ),
    Op.SET_MARK: (trading("market"), trading("price", "mark_ticks")),
    Op.CONTINUATION: (
        listing("base_asset"),
        text(LISTING_CONTINUATION, "name"),
        listing("lot_units"),
        listing("margin_schedule"),
        listing("fee_schedule"),
        listing("slippage_max_ppm"),
    ),
}

OWNER_OPS: Final = (
    Op.APPROVE_AGENT,
    Op.REVOKE_AGENT,
    Op.WITHDRAW,
    Op.TRANSFER,
    Op.OPEN_SUBACCOUNT,
)


def used_bits(op: Op) -> bytes:
    """Give the 64-byte mask of the bits that an operation may set."""
    mask = bytearray(COMMAND_BYTES)
    mask[0] = 0xFF
    for field in LAYOUTS[op]:
        bits = field.bits if field.form == Form.INT else (1 << 8 * field.width) - 1
        mask[field.offset : field.offset + field.width] = bits.to_bytes(field.width, "little")
    return bytes(mask)


def is_name(name: str) -> bool:
    """Say whether a text can be the name of an asset or a market."""
    return 1 <= len(name) <= NAME_BYTES and all("\x21" <= letter <= "\x7e" for letter in name)


# --- relations ---------------------------------------------------------------------------------
assert set(LAYOUTS) == set(Op), "every operation has its layout"
assert all(
    field.offset % 8 + field.width <= 8
    for fields in LAYOUTS.values()
    for field in fields
    if field.form == Form.INT
), "an integer never crosses an 8-byte word: the structure check reads words"
assert field_at(COMMAND, "cloid_lo")[0] == CLOID.offset + 8
