"""Builders: one dataclass per operation <-> 64-byte records.

Field names, order and bounds are those of layout.py. Integers only: prices in ticks, sizes in
lots, money in 1e-6 of the quote asset, times in unix milliseconds, `cloid` (the client's own order
id) from 0 (none) to 2**128 - 1, addresses 20 bytes. A value out of its bounds is a bug of the
caller and stops it (AssertionError).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quorate.codec import clearing_commands, options_commands
from quorate.codec.layout import CLOID_BYTES, LAYOUTS, NAME_BYTES, Field, Form, is_name
from quorate.types.blocks import MarketSpec
from quorate.types.codes import KeyType, Op
from quorate.types.limits import COMMAND_BYTES, PRODUCT_PARTS
from quorate.types.records import (
    COMMAND,
    LEDGER_COMMAND,
    VALIDATOR_COMMAND,
    VALIDATOR_KEY_BYTES,
)

Value = int | bytes | str

# Those of the clearing house, by the same names here.
CancelTrigger = clearing_commands.CancelTrigger
Donate = clearing_commands.Donate
Isolate = clearing_commands.Isolate
Quote = clearing_commands.Quote
QuoteLevel = clearing_commands.QuoteLevel
ScheduleTier = clearing_commands.ScheduleTier
SetBand = clearing_commands.SetBand
SetFeed = clearing_commands.SetFeed
SetGlobal = clearing_commands.SetGlobal
SetGroup = clearing_commands.SetGroup
SetRisk = clearing_commands.SetRisk
SetSwitch = clearing_commands.SetSwitch
SetVoter = clearing_commands.SetVoter
Trigger = clearing_commands.Trigger
VotePrice = clearing_commands.VotePrice
ListProduct = options_commands.ListProduct
SetListing = options_commands.SetListing
SetMarginMode = options_commands.SetMarginMode
SetSeries = options_commands.SetSeries
VoteSmile = options_commands.VoteSmile


@dataclass(frozen=True, slots=True)
class Place:
    op: ClassVar[Op] = Op.PLACE
    market: int
    side: int
    price: int
    size: int
    tif: int = 0
    flags: int = 0
    expiry_ms: int = 0
    cloid: int = 0
    group: int = 0


@dataclass(frozen=True, slots=True)
class Cancel:
    op: ClassVar[Op] = Op.CANCEL
    order_id: int


@dataclass(frozen=True, slots=True)
class CancelClient:
    op: ClassVar[Op] = Op.CANCEL_CLIENT
    cloid: int


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel every open order of the account, in one market or (0) in all."""

    op: ClassVar[Op] = Op.CANCEL_ALL
    market: int = 0


@dataclass(frozen=True, slots=True)
class Modify:
    """`size` is the new total size, with what has filled already."""

    op: ClassVar[Op] = Op.MODIFY
    order_id: int
    price: int
    size: int
    flags: int = 0


@dataclass(frozen=True, slots=True)
class ModifyClient:
    op: ClassVar[Op] = Op.MODIFY_CLIENT
    cloid: int
    price: int
    size: int
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Deadman:
    """Cancel everything at `fire_ms`; 0 disarms."""

    op: ClassVar[Op] = Op.DEADMAN
    fire_ms: int = 0


@dataclass(frozen=True, slots=True)
class ApproveAgent:
    """Limits of 0 and an expiry of 0 mean none."""

    op: ClassVar[Op] = Op.APPROVE_AGENT
    agent: bytes
    expiry_ms: int = 0
    order_notional_max_e6: int = 0
    position_notional_max_e6: int = 0
    leverage_max_e2: int = 0


@dataclass(frozen=True, slots=True)
class RevokeAgent:
    op: ClassVar[Op] = Op.REVOKE_AGENT
    agent: bytes


@dataclass(frozen=True, slots=True)
class Withdraw:
    op: ClassVar[Op] = Op.WITHDRAW
    asset: int
    destination: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Transfer:
    op: ClassVar[Op] = Op.TRANSFER
    asset: int
    target: bytes
    sub: int
    amount: int


@dataclass(frozen=True, slots=True)
class OpenSubaccount:
    op: ClassVar[Op] = Op.OPEN_SUBACCOUNT
    sub: int


@dataclass(frozen=True, slots=True)
class Faucet:
    op: ClassVar[Op] = Op.FAUCET
    amount: int


@dataclass(frozen=True, slots=True)
class Deposit:
    op: ClassVar[Op] = Op.DEPOSIT
    asset: int
    target: bytes
    sub: int
    amount: int
    reference: int = 0


@dataclass(frozen=True, slots=True)
class ListMarket:
    """Two records: the head and its continuation."""

    op: ClassVar[Op] = Op.LIST_MARKET
    market: int
    spec: MarketSpec


@dataclass(frozen=True, slots=True)
class SetStatus:
    op: ClassVar[Op] = Op.SET_STATUS
    market: int
    status: int


@dataclass(frozen=True, slots=True)
class SetFeeTier:
    """`slot` is schedule * 8 + tier."""

    op: ClassVar[Op] = Op.SET_FEE_TIER
    slot: int
    volume_min_e6: int
    maker_ppm: int
    taker_ppm: int


@dataclass(frozen=True, slots=True)
class SetMarginTier:
    """`slot` is schedule * 8 + tier."""

    op: ClassVar[Op] = Op.SET_MARGIN_TIER
    slot: int
    lower_e6: int
    leverage_max: int


@dataclass(frozen=True, slots=True)
class AddAsset:
    op: ClassVar[Op] = Op.ADD_ASSET
    asset: int
    decimals: int
    name: str


@dataclass(frozen=True, slots=True)
class Upgrade:
    op: ClassVar[Op] = Op.UPGRADE
    version: int
    height: int


@dataclass(frozen=True, slots=True)
class SetValidator:
    """`key`: 33 bytes, as `validator_key` writes it; `power` 0 removes."""

    op: ClassVar[Op] = Op.SET_VALIDATOR
    key_type: int
    key: bytes
    power: int


@dataclass(frozen=True, slots=True)
class SetMark:
    op: ClassVar[Op] = Op.SET_MARK
    market: int
    mark_ticks: int


Command = (
    Place | Cancel | CancelClient | CancelAll | Modify | ModifyClient | Deadman
    | ApproveAgent | RevokeAgent | Withdraw | Transfer | OpenSubaccount | Faucet | Deposit
    | ListMarket | SetStatus | SetFeeTier | SetMarginTier | AddAsset | Upgrade
    | SetValidator | SetMark
    | Trigger | CancelTrigger | Quote | SetGroup | Isolate | Donate
    | SetRisk | SetBand | SetFeed | SetVoter | SetSwitch | SetGlobal | ScheduleTier | VotePrice
    | ListProduct | SetSeries | SetListing | VoteSmile | SetMarginMode
)  # fmt: skip
LONG: Final = (Op.LIST_MARKET, Op.CONTINUATION, Op.LIST_PRODUCT, Op.PRODUCT_PART)
COMMANDS: Final[dict[Op, Any]] = {kind.op: kind for kind in Command.__args__}
assert set(COMMANDS) == set(Op) - {Op.CONTINUATION, Op.QUOTE_LEVEL, Op.PRODUCT_PART}


def validator_key(key_type: int, key: bytes) -> bytes:
    """Write a public key as the 33 bytes of SET_VALIDATOR: Ed25519 32, secp256k1 33 compressed."""
    assert len(key) == (32 if key_type == KeyType.ED25519 else VALIDATOR_KEY_BYTES), len(key)
    return key.ljust(VALIDATOR_KEY_BYTES, b"\0")


def field_bytes(field: Field, value: Value) -> bytes:
    """Write one value as the `width` bytes of its field."""
    if isinstance(value, str):
        assert field.form == Form.NAME and is_name(value), f"{field.name}: {value!r}"
        return value.encode("ascii").ljust(NAME_BYTES, b"\0")
    if isinstance(value, bytes):
        assert field.form in (Form.ADDRESS, Form.KEY) and len(value) == field.width, field.name
        return value
    if field.form == Form.CLOID:
        assert 0 <= value < 1 << 8 * CLOID_BYTES, f"{field.name}: {value}"
        half = CLOID_BYTES // 2
        big = value.to_bytes(CLOID_BYTES, "big")
        return big[:half][::-1] + big[half:][::-1]
    assert field.form == Form.INT and field.low <= value <= field.high, f"{field.name}: {value}"
    assert value & ~field.bits == 0 or field.low < 0, f"{field.name}: {value:#x}"
    return int(value).to_bytes(field.width, "little", signed=field.low < 0)


def field_value(field: Field, raw: bytes) -> Value:
    """Read one value from the bytes of its field."""
    if field.form == Form.NAME:
        return raw.rstrip(b"\0").decode("ascii")
    if field.form in (Form.ADDRESS, Form.KEY):
        return raw
    if field.form == Form.CLOID:
        half = CLOID_BYTES // 2
        return int.from_bytes(raw[:half][::-1] + raw[half:][::-1], "big")
    return int.from_bytes(raw, "little", signed=field.low < 0)


def encode_record(op: Op, source: object) -> bytes:
    """Write the attributes of `source` that `op` uses into one 64-byte record."""
    record = bytearray(COMMAND_BYTES)
    record[0] = op
    for field in LAYOUTS[op]:
        raw = field_bytes(field, getattr(source, field.name))
        record[field.offset : field.offset + field.width] = raw
    return bytes(record)


def decode_record(record: bytes) -> dict[str, Value]:
    """Read the fields of one record, by name."""
    return {
        field.name: field_value(field, record[field.offset : field.offset + field.width])
        for field in LAYOUTS[Op(record[0])]
    }


@dataclass(frozen=True, slots=True)
class ListingHead:
    """What the head record of a listing carries, flat."""

    market: int
    kind: int
    tick_step: int
    lot_step: int
    quantum_e6: int
    price_max_ticks: int
    size_max_lots: int
    position_max_lots: int
    mark_ticks: int


def encode_listing(command: ListMarket) -> bytes:
    """Write a listing as its head and its continuation, 128 bytes."""
    spec = command.spec
    head = ListingHead(
        command.market,
        spec.kind,
        spec.tick_step,
        spec.lot_step,
        spec.quantum_e6,
        spec.price_max_ticks,
        spec.size_max_lots,
        spec.position_max_lots,
        spec.mark_ticks,
    )
    return encode_record(Op.LIST_MARKET, head) + encode_record(Op.CONTINUATION, spec)


def encode_command(command: Command) -> bytes:
    """Write a command: 64 bytes, 128 for a listing, and 64 more for each level of a quote."""
    if isinstance(command, ListMarket):
        return encode_listing(command)
    if isinstance(command, Quote):
        tails = (encode_record(Op.QUOTE_LEVEL, level) for level in command.levels)
        return encode_record(Op.QUOTE, command) + b"".join(tails)
    if isinstance(command, ListProduct):
        return encode_record(Op.LIST_PRODUCT, command) + options_commands.product_parts(command)
    return encode_record(command.op, command)


def encode_commands(commands: Iterable[Command]) -> bytes:
    """Write commands one after another."""
    return b"".join(map(encode_command, commands))


def decode_commands(data: bytes) -> list[Command]:
    """Read commands whose structure admission has checked; 64 bytes each."""
    assert len(data) % COMMAND_BYTES == 0
    commands: list[Command] = []
    starts = iter(range(0, len(data), COMMAND_BYTES))
    for start in starts:
        record = data[start : start + COMMAND_BYTES]
        op = Op(record[0])
        values: dict[str, Any] = decode_record(record)
        if op == Op.LIST_MARKET:
            tail = next(starts)
            rest: dict[str, Any] = decode_record(data[tail : tail + COMMAND_BYTES])
            market = values.pop("market")
            values = {"market": market, "spec": MarketSpec(**values, **rest)}
        elif op == Op.QUOTE:
            tails = [next(starts) for _ in range(values.pop("levels_count"))]
            found: list[dict[str, Any]] = [
                decode_record(data[tail : tail + COMMAND_BYTES]) for tail in tails
            ]
            values["levels"] = tuple(QuoteLevel(**level) for level in found)
        elif op == Op.LIST_PRODUCT:
            tails = [next(starts) for _ in range(PRODUCT_PARTS)]
            parts = [data[tail : tail + COMMAND_BYTES] for tail in tails]
            commands.append(options_commands.product_of(values, parts))
            continue
        elif op == Op.VOTE_SMILE:
            packed = [values.pop(name) for name in list(values) if name.startswith("vols_")]
            values["vols_e9"] = options_commands.vols_of(tuple(packed))
        commands.append(COMMANDS[op](**values))
    return commands


def command_rows(op: Op, count: int, **columns: ArrayLike) -> NDArray[np.uint8]:
    """Build `count` records of one operation from columns; uint8[count, 64].

    Columns are scalars or arrays of length `count`, named as in the operation's reading
    (types/records.py). Values are not checked here; admission does.
    """
    assert op not in LONG, "a listing is built by its own builder"
    is_ledger = Op.APPROVE_AGENT <= op <= Op.DEPOSIT or op == Op.SET_VOTER
    reading = LEDGER_COMMAND if is_ledger else COMMAND
    if op == Op.SET_VALIDATOR:
        reading = VALIDATOR_COMMAND
    rows = np.zeros(count, reading)
    rows["op"] = op
    for name, column in columns.items():
        rows[name] = column
    return rows.view(np.uint8).reshape(count, COMMAND_BYTES)
