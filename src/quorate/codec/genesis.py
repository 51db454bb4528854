"""The application's genesis <-> canonical JSON, whose SHA-256 every signature is bound to.

Canonical: ASCII, keys sorted, nothing between tokens, exactly the keys of types/blocks.py, every
number an integer, addresses as "0x" and 40 lowercase hex digits. A text that says the same in
another way is refused, because its hash would differ. Bounds are those of single fields; whether
the markets agree with the limits of money is judged by execution, where listings are.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Final, NoReturn, TypeVar

from quorate.codec.layout import is_name
from quorate.codec.nesting import nested_deeper
from quorate.types import limits
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
from quorate.types.codes import MarketKind, OrderRule
from quorate.types.records import ADDRESS_BYTES

CHAIN_ID_MAX: Final = 4_503_599_627_370_476  # browser wallets refuse a greater one
CHAIN_NAME_MAX: Final = 64
DECIMALS_MAX: Final = 18
DEPTH_MAX: Final = 16  # a genesis has four levels
HEX_DIGITS: Final = frozenset("0123456789abcdef")

Reader = Callable[[str, Any], Any]
Made = TypeVar("Made")


class GenesisInvalid(Exception):
    """A genesis text that is refused. The message is one sentence that names the field."""


def integer(low: int, high: int) -> Reader:
    """Make a reader of an integer from `low` to `high`."""

    def read(path: str, value: Any) -> int:
        # bool is a subclass of int, so isinstance would take true for 1.
        if type(value) is not int or not low <= value <= high:
            raise GenesisInvalid(f"{path} must be an integer from {low} to {high}.")
        return value

    return read


def read_name(path: str, value: Any) -> str:
    """Read the name of an asset or a market."""
    if not isinstance(value, str) or not is_name(value):
        raise GenesisInvalid(f"{path} must be 1 to 16 printable ASCII characters without a space.")
    return value


def read_chain_name(path: str, value: Any) -> str:
    """Read the name of the chain."""
    is_text = isinstance(value, str) and 1 <= len(value) <= CHAIN_NAME_MAX
    if not is_text or not all(" " <= letter <= "~" for letter in value):
        raise GenesisInvalid(f"{path} must be 1 to {CHAIN_NAME_MAX} printable ASCII characters.")
    return str(value)


def read_address(path: str, value: Any) -> bytes:
    """Read an address."""
    digits = value[2:] if isinstance(value, str) and value.startswith("0x") else ""
    if len(digits) != 2 * ADDRESS_BYTES or not HEX_DIGITS.issuperset(digits):
        raise GenesisInvalid(f'{path} must be "0x" and {2 * ADDRESS_BYTES} lowercase hex digits.')
    return bytes.fromhex(digits)


def sequence(reader: Reader, low: int, high: int) -> Reader:
    """Make a reader of a list of `low` to `high` values."""

    def read(path: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not low <= len(value) <= high:
            raise GenesisInvalid(f"{path} must be a list of {low} to {high} entries.")
        return tuple(reader(f"{path}[{index}]", entry) for index, entry in enumerate(value))

    return read


def record(
    kind: type[Made], readers: dict[str, Reader], optional: tuple[str, ...] = ()
) -> Callable[[str, Any], Made]:
    """Make a reader of an object with exactly the keys of `readers`; `optional` may be missing."""
    assert is_dataclass(kind) and {field.name for field in fields(kind)} == set(readers)

    def read_object(path: str, value: Any) -> Made:
        if not isinstance(value, dict):
            raise GenesisInvalid(f"{path or 'The genesis'} must be an object.")
        prefix = f"{path}." if path else ""
        for key in sorted(value):
            if key not in readers:
                raise GenesisInvalid(f"{prefix}{key} is not a field of the genesis; remove it.")
        for key in readers:
            if key not in value and key not in optional:
                raise GenesisInvalid(f"{prefix}{key} is missing.")
        found = {key: read(prefix + key, value[key]) for key, read in items if key in value}
        return kind(**found)

    items = tuple(readers.items())
    return read_object


NOTIONAL: Final = integer(0, limits.POSITION_NOTIONAL_MAX_E6)
TICKS: Final = integer(1, limits.PRICE_TICKS_MAX)
LOTS: Final = integer(1, limits.SIZE_LOTS_MAX)
SCHEDULE: Final = integer(0, limits.SCHEDULES_MAX - 1)

READ_ASSET: Final = record(
    AssetSpec, {"name": read_name, "decimals": integer(0, DECIMALS_MAX)}
)
READ_FEE_TIER: Final = record(
    FeeTier,
    {
        "volume_min_e6": integer(0, limits.VOLUME_MAX_E6),
        "maker_ppm": integer(-limits.RATE_MAX_PPM, limits.RATE_MAX_PPM),
        "taker_ppm": integer(0, limits.RATE_MAX_PPM),
    },
)
READ_MARGIN_TIER: Final = record(
    MarginTier,
    {"lower_e6": NOTIONAL, "leverage_max": integer(1, limits.LEVERAGE_MAX_E2 // 100)},
)
READ_MARKET: Final = record(
    MarketSpec,
    {
        "name": read_name,
        "kind": integer(min(MarketKind), max(MarketKind)),
        "tick_step": TICKS,
        "lot_step": LOTS,
        "quantum_e6": integer(1, limits.QUANTUM_E6_MAX),
        "price_max_ticks": TICKS,
        "size_max_lots": LOTS,
        "position_max_lots": integer(0, limits.INT64_MAX),
        "base_asset": integer(0, limits.ASSETS_MAX - 1),
        "lot_units": integer(0, limits.SUPPLY_MAX),
        "margin_schedule": SCHEDULE,
        "fee_schedule": SCHEDULE,
        "slippage_max_ppm": integer(0, limits.SLIPPAGE_MAX_PPM),
        "mark_ticks": integer(0, limits.PRICE_TICKS_MAX),
    },
)


def schedules(tier: Reader) -> Reader:
    """Make a reader of a list of schedules, each a list of tiers."""
    return sequence(sequence(tier, 1, limits.TIERS_PER_SCHEDULE), 0, limits.SCHEDULES_MAX)


PLAIN: Final = integer(0, limits.INT64_MAX)


def plain(kind: type[Made], **readers: Reader) -> Callable[[str, Any], Made]:
    """Make a reader of an object whose other fields are integers that execution judges."""
    assert is_dataclass(kind)
    return record(kind, {each.name: readers.get(each.name, PLAIN) for each in fields(kind)})


READ_CLEARING: Final = plain(
    ClearingSpec,
    vault=read_address,
    feeds=sequence(plain(FeedSpec, name=read_name), 1, limits.FEEDS_MAX),
    voters=sequence(plain(VoterSpec, address=read_address), 1, limits.VOTERS_MAX),
    numbers=plain(GlobalSpec),
    markets=sequence(
        plain(
            RiskSpec,
            interest_e9=integer(-limits.INT64_MAX, limits.INT64_MAX),
            bands=sequence(plain(BandSpec), 0, limits.BANDS_PER_MARKET),
        ),
        0,
        limits.MARKETS_MAX - 1,
    ),
)

READ_GENESIS: Final = record(
    Genesis,
    {
        "name": read_chain_name,
        "chain_id": integer(1, CHAIN_ID_MAX),
        "time_ms": integer(0, limits.TIME_MS_MAX),
        "protocol_version": integer(min(limits.PROTOCOL_VERSIONS), max(limits.PROTOCOL_VERSIONS)),
        "order_rule": integer(min(OrderRule), max(OrderRule)),
        "fills_per_command_max": integer(1, limits.FILLS_PER_COMMAND_MAX),
        "orders_examined_per_command_max": integer(1, limits.ORDERS_EXAMINED_PER_COMMAND_MAX),
        "orders_per_account_max": integer(1, limits.ORDERS_PER_ACCOUNT_MAX),
        "faucet_e6_max": integer(0, limits.SUPPLY_MAX),
        "bridge": read_address,
        "governance": read_address,
        "oracle": read_address,
        "assets": sequence(READ_ASSET, 1, limits.ASSETS_MAX),
        "fee_schedules": schedules(READ_FEE_TIER),
        "margin_schedules": schedules(READ_MARGIN_TIER),
        # Market numbers start at 1.
        "markets": sequence(READ_MARKET, 0, limits.MARKETS_MAX - 1),
        "clearing": READ_CLEARING,
    },
    optional=("clearing",),
)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object, refusing a key that stands in it twice."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise GenesisInvalid(f"{key} stands twice in one object; keep one.")
        made[key] = value
    return made


def refuse_number(literal: str) -> NoReturn:
    """Refuse a JSON number that is no integer."""
    raise GenesisInvalid(f"The number {literal} must be written as an integer.")


def canonical(tree: Any) -> bytes:
    """Write a tree of JSON values canonically."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def tree_of(value: Any) -> Any:
    """Turn dataclasses into objects, tuples into lists, bytes into 0x-hex."""
    if is_dataclass(value):
        # What is None is left out: a genesis without it has the hash that it always had.
        found = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: tree_of(each) for name, each in found.items() if each is not None}
    if isinstance(value, tuple):
        return [tree_of(entry) for entry in value]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return int(value) if isinstance(value, int) else value


def encode_genesis(genesis: Genesis) -> bytes:
    """Write a genesis as canonical JSON. Raises GenesisInvalid if it could not be read back."""
    tree = tree_of(genesis)
    READ_GENESIS("", tree)
    return canonical(tree)


def decode_canonical(data: bytes, bytes_max: int, read: Callable[[Any], Made]) -> Made:
    """Read a genesis of any kind from canonical JSON; read: from a tree. Raises GenesisInvalid."""
    if len(data) > bytes_max:
        raise GenesisInvalid(f"The genesis must be at most {bytes_max} bytes long.")
    if nested_deeper(data, DEPTH_MAX):
        raise GenesisInvalid("The genesis is nested too deeply to be one.")
    try:
        tree = json.loads(
            data,
            object_pairs_hook=unique_keys,
            parse_float=refuse_number,
            parse_constant=refuse_number,
        )
    except ValueError as error:
        raise GenesisInvalid(f"The genesis is not JSON: {error}.") from error
    genesis = read(tree)
    if canonical(tree) != data:
        raise GenesisInvalid(
            "The genesis is not in its canonical form: sort the keys and put nothing between them."
        )
    return genesis


def decode_genesis(data: bytes) -> Genesis:
    """Read a genesis from canonical JSON. Raises GenesisInvalid."""
    return decode_canonical(data, limits.BLOCK_BYTES_MAX, lambda tree: READ_GENESIS("", tree))


def genesis_hash(genesis: Genesis) -> bytes:
    """Give the SHA-256 of the canonical JSON. Raises GenesisInvalid."""
    return hashlib.sha256(encode_genesis(genesis)).digest()
