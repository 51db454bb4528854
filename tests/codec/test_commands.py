"""Builders and the layout they follow."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.codec import commands as c
from quorate.codec.layout import LAYOUTS, Form, is_name, used_bits
from quorate.types.codes import KeyType, Op, Tif
from quorate.types.limits import INT64_MAX
from quorate.types.records import (
    COMMAND,
    LEDGER_COMMAND,
    LISTING_CONTINUATION,
    VALIDATOR_COMMAND,
)
from tests.codec import values


@given(st.lists(values.COMMANDS, max_size=5))
def test_commands_round_trip(commands: list[c.Command]) -> None:
    data = c.encode_commands(commands)
    assert len(data) % 64 == 0
    assert c.decode_commands(data) == commands
    assert c.encode_commands(c.decode_commands(data)) == data


def test_an_order_reads_back_as_a_numpy_record() -> None:
    place = c.Place(7, 1, 1_000, 5, Tif.GTT, 0x20, 99, (1 << 127) | 3)
    row = np.frombuffer(c.encode_command(place), COMMAND)[0]
    assert (row["op"], row["side"], row["tif"], row["flags"]) == (1, 1, 1, 0x20)
    assert (row["market"], row["price"], row["size"], row["expiry_ms"]) == (7, 1_000, 5, 99)
    assert (row["cloid_hi"], row["cloid_lo"]) == (-(2**63), 3)
    assert (row["order_id"], row["aux"]) == (0, 0)


def test_a_deposit_reads_back_as_a_numpy_record() -> None:
    deposit = c.Deposit(2, bytes(range(20)), 4, 10**9, 77)
    row = np.frombuffer(c.encode_command(deposit), LEDGER_COMMAND)[0]
    assert (row["op"], row["asset"], row["sub"]) == (32, 2, 4)
    assert (row["amount"], row["limit_a"], row["limit_b"]) == (10**9, 77, 0)
    assert row["address"].tobytes() == bytes(range(20))


@given(values.MARKETS)
def test_a_listing_reads_back_as_two_numpy_records(spec: values.MarketSpec) -> None:
    data = c.encode_command(c.ListMarket(9, spec))
    head = np.frombuffer(data[:64], COMMAND)[0]
    tail = np.frombuffer(data[64:], LISTING_CONTINUATION)[0]
    assert (head["op"], head["market"], head["side"]) == (48, 9, spec.kind)
    assert (head["price"], head["size"]) == (spec.tick_step, spec.lot_step)
    assert (head["expiry_ms"], head["order_id"]) == (spec.quantum_e6, spec.price_max_ticks)
    assert (head["cloid_hi"], head["cloid_lo"]) == (spec.size_max_lots, spec.position_max_lots)
    assert head["aux"] == spec.mark_ticks
    assert (tail["op"], tail["base_asset"]) == (255, spec.base_asset)
    assert tail["name"].tobytes() == spec.name.encode().ljust(16, b"\0")
    assert tail["lot_units"] == spec.lot_units
    assert tail["margin_schedule"] == spec.margin_schedule
    assert tail["fee_schedule"] == spec.fee_schedule
    assert tail["slippage_max_ppm"] == spec.slippage_max_ppm


def test_a_quote_reads_back_as_a_head_and_its_levels() -> None:
    levels = (c.QuoteLevel(99, 5, 101, 6), c.QuoteLevel(98, 7, 0, 0))
    data = c.encode_command(c.Quote(3, 2, levels))
    rows = np.frombuffer(data, COMMAND)
    assert rows["op"].tolist() == [10, 254, 254]
    assert (rows[0]["market"], rows[0]["size"], rows[0]["aux"]) == (3, 2, 2)
    assert rows["price"].tolist() == [0, 99, 98] and rows["size"].tolist() == [2, 5, 7]
    assert rows["expiry_ms"].tolist() == [0, 101, 0] and rows["order_id"].tolist() == [0, 6, 0]
    after = c.encode_command(c.CancelAll())
    assert c.decode_commands(data + after) == [c.Quote(3, 2, levels), c.CancelAll()]


def test_a_trigger_reads_back_as_a_numpy_record() -> None:
    trigger = c.Trigger(7, 1, 2, 900, 5, 0x0F, 890, 44, 10_000)
    row = np.frombuffer(c.encode_command(trigger), COMMAND)[0]
    assert (row["op"], row["market"], row["side"], row["tif"], row["flags"]) == (8, 7, 1, 2, 15)
    assert (row["price"], row["size"], row["expiry_ms"]) == (900, 5, 890)
    assert (row["order_id"], row["aux"]) == (44, 10_000)


def test_money_moves_by_the_ledger_reading() -> None:
    row = np.frombuffer(c.encode_command(c.Donate(3, 10**9)), LEDGER_COMMAND)[0]
    assert (row["op"], row["asset"], row["amount"]) == (22, 3, 10**9)
    voter = np.frombuffer(c.encode_command(c.SetVoter(bytes(range(20)), 9)), LEDGER_COMMAND)[0]
    assert (voter["op"], voter["address"].tobytes(), voter["amount"]) == (58, bytes(range(20)), 9)
    out = np.frombuffer(c.encode_command(c.Isolate(3, -5)), COMMAND)[0]
    assert (out["op"], out["market"], out["price"]) == (12, 3, -5)


def test_a_validator_reads_back_as_a_numpy_record() -> None:
    key = c.validator_key(KeyType.ED25519, bytes(range(32)))
    row = np.frombuffer(c.encode_command(c.SetValidator(1, key, 9)), VALIDATOR_COMMAND)[0]
    assert (row["op"], row["key_type"], row["power"]) == (54, 1, 9)
    assert row["key"].tobytes() == bytes(range(32)) + b"\0"
    assert not row["zero"].any() and not row["reserved"].any()
    longer = bytes([3, *range(32)])
    assert c.validator_key(KeyType.SECP256K1, longer) == longer


@pytest.mark.parametrize(("kind", "length"), [(1, 31), (1, 33), (2, 32), (2, 34)])
def test_a_key_of_another_length_stops_its_caller(kind: int, length: int) -> None:
    with pytest.raises(AssertionError):
        c.validator_key(kind, bytes(length))


def test_rows_equal_the_builders() -> None:
    count = 100
    prices = np.arange(1, count + 1)
    rows = c.command_rows(Op.PLACE, count, market=3, side=1, price=prices, size=2, cloid_lo=prices)
    built = [c.Place(3, 1, price, 2, cloid=price) for price in range(1, count + 1)]
    assert rows.shape == (count, 64) and rows.flags.c_contiguous
    assert rows.tobytes() == c.encode_commands(built)
    ledger = c.command_rows(Op.OPEN_SUBACCOUNT, 2, sub=np.array([4, 5]))
    assert ledger.tobytes() == c.encode_commands([c.OpenSubaccount(4), c.OpenSubaccount(5)])
    keys = [bytes([k]) * 32 + b"\0" for k in (1, 2)]
    columns = np.array([list(key) for key in keys], np.uint8)
    register = c.command_rows(Op.SET_VALIDATOR, 2, key_type=1, key=columns, power=np.array([0, 7]))
    said = [c.SetValidator(1, key, power) for key, power in zip(keys, (0, 7), strict=True)]
    assert register.tobytes() == c.encode_commands(said)


@pytest.mark.parametrize(
    "command",
    [
        c.Place(1, 2, 1, 1),
        c.Place(1, 0, -1, 1),
        c.Place(1, 0, INT64_MAX + 1, 1),
        c.Place(2**32, 0, 1, 1),
        c.Place(1, 0, 1, 1, tif=4),
        c.Place(1, 0, 1, 1, flags=0x80),
        c.Place(1, 0, 1, 1, cloid=2**128),
        c.Modify(1, 1, 1, flags=0x01),
        c.SetStatus(1, 0),
        c.SetStatus(1, 5),
        c.SetSwitch(1, 0),
        c.SetSwitch(1, 5),
        c.Trigger(1, 0, 3, 5),
        c.Trigger(1, 2, 0, 5),
        c.Trigger(1, 0, 0, 5, flags=0x20),
        c.SetBand(1, 4, 1, 1, 1, 1),
        c.Donate(1, -1),
        c.SetRisk(1, -1, 0),
        c.SetFeed(0, "a b"),
        c.SetVoter(bytes(19), 1),
        c.RevokeAgent(bytes(19)),
        c.RevokeAgent(5),
        c.SetValidator(0, bytes(33), 1),
        c.SetValidator(3, bytes(33), 1),
        c.SetValidator(1, bytes(32), 1),
        c.SetValidator(1, bytes(33), -1),
        c.AddAsset(1, 6, ""),
        c.AddAsset(1, 6, "a b"),
        c.AddAsset(1, 6, "seventeen-letters"),
    ],
)
def test_a_value_out_of_bounds_stops_its_caller(command: c.Command) -> None:
    with pytest.raises(AssertionError):
        c.encode_command(command)


def test_dataclasses_and_layouts_name_the_same_fields_in_the_same_order() -> None:
    for op, kind in c.COMMANDS.items():
        names = [field.name for field in dataclasses.fields(kind)]
        if op == Op.QUOTE:
            assert names == ["market", "group", "levels", "in_volatility"]
            layout = {field.name for field in LAYOUTS[op]}
            assert layout == {"market", "group", "levels_count", "in_volatility"}
            level = [field.name for field in dataclasses.fields(c.QuoteLevel)]
            assert level == [field.name for field in LAYOUTS[Op.QUOTE_LEVEL]]
        elif op == Op.LIST_PRODUCT:
            layout = {field.name for field in LAYOUTS[op]}
            assert set(names) - layout == {"text", "code", "ranges"}
            assert layout - set(names) == {"text_bytes"}
        elif op == Op.VOTE_SMILE:
            assert names == ["expiry", "forward_ticks", "vols_e9"]
        elif op == Op.LIST_MARKET:
            assert names == ["market", "spec"]
            layout = {field.name for part in (op, Op.CONTINUATION) for field in LAYOUTS[part]}
            spec = {field.name for field in dataclasses.fields(values.MarketSpec)}
            assert layout == {"market"} | spec
        else:
            assert sorted(names) == sorted(field.name for field in LAYOUTS[op])


def test_fields_of_one_operation_do_not_overlap() -> None:
    for op, fields in LAYOUTS.items():
        taken = [byte for f in fields for byte in range(f.offset, f.offset + f.width)]
        assert len(taken) == len(set(taken)) and 0 not in taken and max(taken) < 64, op


def test_unused_bits_are_those_outside_the_fields() -> None:
    mask = used_bits(Op.MODIFY)
    assert mask[0] == 0xFF and mask[3] == 0x3C
    assert [i for i in range(64) if mask[i]] == [0, 3, *range(8, 24), *range(32, 40)]
    assert used_bits(Op.PLACE)[3] == 0x7F
    assert used_bits(Op.PLACE)[32:40] == bytes(8) and used_bits(Op.PLACE)[56:] == b"\xff" * 8
    for op, fields in LAYOUTS.items():
        assert all(field.form != Form.INT or field.bits for field in fields), op


@given(st.text(max_size=18))
def test_names_are_ascii_without_spaces(name: str) -> None:
    allowed = name.isascii() and name.isprintable() and " " not in name
    assert is_name(name) == (allowed and 1 <= len(name) <= 16)
