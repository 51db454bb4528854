"""Genesis <-> canonical JSON."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

from quorate.codec.genesis import GenesisInvalid, decode_genesis, encode_genesis, genesis_hash
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from tests.codec import values

MARKET = MarketSpec(
    "BTC-PERP", 2, 10, 1, 100, 10**7, 10**6, 10**7, 0, 0, 0, 0, 50_000, 600_000
)
GENESIS = Genesis(
    name="dev net",
    chain_id=77,
    time_ms=1_700_000_000_000,
    protocol_version=1,
    order_rule=1,
    fills_per_command_max=256,
    orders_examined_per_command_max=512,
    orders_per_account_max=1000,
    faucet_e6_max=10**10,
    bridge=bytes(range(20)),
    governance=b"\xff" * 20,
    oracle=b"\x0a" * 20,
    assets=(AssetSpec("USDC", 6),),
    fee_schedules=((FeeTier(0, -10, 350),),),
    margin_schedules=((MarginTier(0, 50),),),
    markets=(MARKET,),
)


@settings(max_examples=50)
@given(values.GENESES)
def test_a_genesis_round_trips(genesis: Genesis) -> None:
    data = encode_genesis(genesis)
    assert data.isascii() and decode_genesis(data) == genesis
    assert genesis_hash(genesis) == hashlib.sha256(data).digest()


def test_the_bytes_are_sorted_and_dense() -> None:
    data = encode_genesis(GENESIS)
    head = b'{"assets":[{"decimals":6,"name":"USDC"}],"bridge":"0x000102030405060708090a0b0c0d0e0f'
    assert data.startswith(head)
    assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode()


def refusal(old: str, new: str) -> str:
    text = encode_genesis(GENESIS).decode()
    assert old in text
    with pytest.raises(GenesisInvalid) as caught:
        decode_genesis(text.replace(old, new, 1).encode())
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"chain_id":77', '"chain_id":0', "chain_id must be an integer from 1 to"),
        ('"chain_id":77', '"chain_id":true', "chain_id must be an integer from 1 to"),
        ('"chain_id":77', '"chain_id":"77"', "chain_id must be an integer from 1 to"),
        ('"chain_id":77', '"chain_id":77.0', "The number 77.0 must be written as an integer."),
        ('"chain_id":77', '"chain_id":NaN', "The number NaN must be written as an integer."),
        ('"chain_id":77,', "", "chain_id is missing."),
        ('"chain_id":77', '"chain_id":77,"chain_id":78', "chain_id stands twice"),
        ('"chain_id":77', '"chain_id":77,"color":1', "color is not a field of the genesis"),
        ('"maker_ppm":-10', '"maker_ppm":-200000', "fee_schedules[0][0].maker_ppm must be"),
        ('"name":"USDC"', '"name":"US DC"', "assets[0].name must be 1 to 16 printable ASCII"),
        ('"name":"dev net"', '"name":""', "name must be 1 to 64 printable ASCII"),
        ('"name":"dev net"', '"name":"d\\u00e9v"', "name must be 1 to 64 printable ASCII"),
        ('"tick_step":10', '"tick_step":0', "markets[0].tick_step must be an integer from 1"),
        ("0xffff", "0xFFFF", 'governance must be "0x" and 40 lowercase hex digits.'),
        ("0xffff", "0xff", 'governance must be "0x" and 40 lowercase hex digits.'),
        ("0xffff", "ffff", 'governance must be "0x" and 40 lowercase hex digits.'),
        ('[{"decimals":6,"name":"USDC"}]', "[]", "assets must be a list of 1 to 4096 entries."),
        ('[{"decimals":6,"name":"USDC"}]', "{}", "assets must be a list of 1 to 4096 entries."),
        ('[{"decimals":6,"name":"USDC"}]', "[5]", "assets[0] must be an object."),
        ('"assets":', '"assets": ', "The genesis is not in its canonical form"),
        ('"name":"dev net"', '"name":"dev\\u0020net"', "The genesis is not in its canonical form"),
        ('"order_rule":1', '"order_rule":-0', "The genesis is not in its canonical form"),
        ("}", "", "The genesis is not JSON"),
    ],
)
def test_a_wrong_genesis_is_refused_in_one_sentence(old: str, new: str, said: str) -> None:
    assert refusal(old, new).startswith(said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "The genesis is not JSON"),
        (b"\xff\xfe\xfd", "The genesis is not JSON"),
        (b"7", "The genesis must be an object."),
        (b"[" * 200_000, "The genesis is nested too deeply"),
        (b"1" * 5000, "The genesis is not JSON"),
        (b" " * (2**24 + 1), "The genesis must be at most"),
    ],
)
def test_what_is_no_genesis_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(GenesisInvalid, match=said):
        decode_genesis(data)


def test_an_invalid_genesis_is_not_written() -> None:
    with pytest.raises(GenesisInvalid, match="chain_id"):
        encode_genesis(replace(GENESIS, chain_id=0))
    with pytest.raises(GenesisInvalid, match="bridge"):
        genesis_hash(replace(GENESIS, bridge=bytes(19)))


def test_every_change_changes_the_hash() -> None:
    changed = replace(GENESIS, markets=(replace(MARKET, mark_ticks=1),))
    assert genesis_hash(changed) != genesis_hash(GENESIS)
