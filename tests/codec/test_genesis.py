"""Genesis <-> canonical JSON."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from quorate.codec.genesis import (
    GenesisInvalid,
    canonical,
    decode_genesis,
    encode_genesis,
    genesis_hash,
    tree_of,
)
from quorate.types.blocks import AssetSpec, FeeTier, Genesis, MarginTier, MarketSpec
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.clearing_spec import (
    BandSpec,
    ClearingSpec,
    FeedSpec,
    GlobalSpec,
    RiskSpec,
    VoterSpec,
)
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

CLEARED = replace(
    GENESIS,
    clearing=ClearingSpec(
        vault=b"\x0c" * 20,
        feeds=(FeedSpec("BTC", 5),),
        voters=(VoterSpec(b"\x0d" * 20, 9),),
        numbers=GlobalSpec(),
        markets=(RiskSpec(1, interest_e9=-100, bands=(BandSpec(60_000, 50_000, 50_000, 9_000),)),),
    ),
)
CLEARING_TEXT = '"clearing":' + canonical(tree_of(CLEARED.clearing)).decode()
VOTERS_TEXT = '"voters":[{"address":"0x' + "0d" * 20 + '","weight":9}]'


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


def test_without_a_clearing_house_the_hash_is_what_it_always_was() -> None:
    """The text has no such key, so that chains of before keep their genesis and its hash."""
    assert b"clearing" not in encode_genesis(GENESIS)
    assert genesis_hash(GENESIS).hex() == (
        "acfe673ef7f27aca7555bd2492fb82bdeacb3069ec48c5ebc00ade51b8456cc3"
    )
    assert decode_genesis(encode_genesis(GENESIS)).clearing is None


def test_a_clearing_house_stands_whole_in_the_text() -> None:
    tree = json.loads(encode_genesis(CLEARED))["clearing"]
    assert sorted(tree) == ["feeds", "markets", "numbers", "vault", "voters"]
    assert sorted(tree["numbers"]) == sorted(GLOBALS)
    assert sorted(tree["markets"][0]) == sorted([*RISK_PARAMETERS, "bands", "market"])
    assert genesis_hash(CLEARED) != genesis_hash(GENESIS)
    assert decode_genesis(encode_genesis(CLEARED)) == CLEARED


def numbered(tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every integer of a clearing house: its path, the object that has it, its key."""
    for path, part in (
        ("clearing.feeds[0]", tree["feeds"][0]),
        ("clearing.voters[0]", tree["voters"][0]),
        ("clearing.numbers", tree["numbers"]),
        ("clearing.markets[0]", tree["markets"][0]),
        ("clearing.markets[0].bands[0]", tree["markets"][0]["bands"][0]),
    ):
        for key, value in part.items():
            if isinstance(value, int):
                yield f"{path}.{key}", part, key


def test_every_number_of_a_clearing_house_is_asked_for_its_form() -> None:
    """Missing, no integer, true, below zero (but for the interest), above an int64."""
    tree = json.loads(encode_genesis(CLEARED))
    paths = [path for path, _, _ in numbered(tree["clearing"])]
    assert len(paths) == 1 + 1 + len(GLOBALS) + 1 + len(RISK_PARAMETERS) + 4
    for path, part, key in list(numbered(tree["clearing"])):
        kept = part[key]
        for wrong in ("7", True, None, [7], -1, -(2**63), 2**63):
            if key == "interest_e9" and wrong == -1:
                continue
            part[key] = wrong
            with pytest.raises(GenesisInvalid) as caught:
                decode_genesis(canonical(tree))
            assert str(caught.value).startswith(f"{path} must be an integer from")
        del part[key]
        with pytest.raises(GenesisInvalid) as caught:
            decode_genesis(canonical(tree))
        assert str(caught.value) == f"{path} is missing."
        part[key] = kept
    assert decode_genesis(canonical(tree)) == CLEARED


def refusal(old: str, new: str, genesis: Genesis = GENESIS) -> str:
    text = encode_genesis(genesis).decode()
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
    ("old", "new", "said"),
    [
        ('"clearing":{', '"clearing":5,"x":{', "x is not a field of the genesis"),
        ('"clearing":{', '"clearing":{"color":1,', "clearing.color is not a field of the genesis"),
        (CLEARING_TEXT, '"clearing":5', "clearing must be an object."),
        (CLEARING_TEXT, '"clearing":null', "clearing must be an object."),
        (CLEARING_TEXT, '"clearing":{}', "clearing.vault is missing."),
        ('"vault":"0x0c', '"vault":"0x0C', 'clearing.vault must be "0x" and 40 lowercase hex'),
        ('"feeds":[{"name":"BTC"', '"feeds":[{"name":""', "clearing.feeds[0].name must be 1 to 16"),
        ('"feeds":[{"name":"BTC","price_ticks":5}]', '"feeds":[]', "clearing.feeds must be a list"),
        ('"address":"0x0d', '"address":"0x0', 'clearing.voters[0].address must be "0x" and 40'),
        (VOTERS_TEXT, '"voters":[]', "clearing.voters must be a list of 1 to 32 entries."),
        (VOTERS_TEXT, '"voters":{}', "clearing.voters must be a list of 1 to 32 entries."),
        ('"bands":[', '"bands":[1,1,1,1,', "clearing.markets[0].bands must be a list of 0 to 4"),
        ('"bands":[', '"bands":[1,', "clearing.markets[0].bands[0] must be an object."),
        ('"bands":[{', '"bands":[{"a":1,', "clearing.markets[0].bands[0].a is not a field"),
        ('"mode":1,', '"mode":1,"moda":1,', "clearing.markets[0].moda is not a field"),
        ('"gate_ms":60000', '"gate_ms":6e4', "The number 6e4 must be written as an integer."),
    ],
)
def test_a_wrong_clearing_house_is_refused_in_one_sentence(old: str, new: str, said: str) -> None:
    assert refusal(old, new, CLEARED).startswith(said)


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
