"""docs/wire.md says what the code does: its table, its messages and its worked example."""

import re
import tomllib
from pathlib import Path

import pytest

from quorate import crypto
from quorate.admission import AdmittedItem, admit, chain_of, item_digest
from quorate.codec import commands as c
from quorate.codec.eip712 import STRUCTS, struct_text
from quorate.codec.items import decode_items
from quorate.codec.layout import LAYOUTS, Form
from quorate.types import limits
from quorate.types.codes import EventKind, Op
from quorate.types.events import EVENT_WORDS_OF
from quorate.types.records import Table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "wire.md"
TEXT = DOCUMENT.read_text(encoding="ascii")
EXAMPLE = tomllib.loads(re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)[0])
ROW = r"^\| (\d+) \| ([A-Z_]+) \| (.*) \|$"
BYTE = {"side", "tif", "flags", "kind", "status", "key_type", "band", "switch"}
BYTE |= {"mode", "rule", "in_volatility"}
U32 = {"market", "asset", "slot", "sub", "base_asset", "margin_schedule", "fee_schedule"}
U32 |= {"feed", "account"}
SIGNED = {"maker_ppm", "amount_e6", "value", "strike", "upper", "lower", "rebate", "cap", "rate"}
SIGNED |= {f"word_{k}" for k in range(7)}
NARROW = {(Op.SET_GROUP, "group"), (Op.LIST_PRODUCT, "product"), (Op.SET_LISTING, "listing")}
NARROW |= {(Op.VOTE_SMILE, "expiry")}


def test_the_table_of_commands_is_the_layout() -> None:
    rows = re.findall(ROW, TEXT.split("## Events")[0], re.MULTILINE)
    assert rows == [
        (str(int(op)), op.name, ", ".join(f"{field.name} @{field.offset}" for field in fields))
        for op, fields in LAYOUTS.items()
    ]


def events_table() -> str:
    """What docs/wire.md must say of the words of the clearing house's events."""
    return "".join(
        f"| {int(EventKind[name])} | {name} | {' '.join(text.split())} |\n"
        for name, text in EVENT_WORDS_OF.items()
    )


@pytest.mark.tables
def test_the_table_of_events_is_that_of_the_readings(rewrite: bool) -> None:
    text = DOCUMENT.read_text(encoding="ascii")
    after = text.partition("| kind | name | words |\n|---|---|---|\n")[2]
    old = after.split("\n\n")[0] + "\n"
    if rewrite:
        DOCUMENT.write_text(text.replace(old, events_table()), encoding="ascii")
        old = events_table()
    assert old == events_table()


def test_every_table_is_named_in_order() -> None:
    names = ", ".join(f"{int(table)} {table.name.lower().replace('_', ' ')}" for table in Table)
    assert names in " ".join(TEXT.split())


def test_widths_follow_from_names_as_the_text_says() -> None:
    for op, fields in LAYOUTS.items():
        for field in fields:
            if field.form == Form.INT:
                is_u32 = field.name in U32 or (op, field.name) in NARROW
                is_byte = field.name in BYTE or (op, field.name) == (Op.SET_SERIES, "product")
                expected = 1 if is_byte else 4 if is_u32 else 8
                assert field.width == expected, field.name
                assert field.low >= 0 or field.name in SIGNED


def test_the_messages_are_those_of_the_code() -> None:
    block = re.findall(r"```eip712\n(.*?)```", TEXT, re.DOTALL)[0]
    assert block.split("\n")[:-1] == [struct_text(op).decode() for op in STRUCTS]


def test_limits_in_the_text() -> None:
    assert f"at most {limits.BUNDLE_BYTES_MAX:,}" in TEXT
    assert f"at most {limits.BUNDLES_PER_BLOCK_MAX:,} items" in TEXT
    assert limits.BLOCK_BYTES_MAX == 16 * 2**20


@pytest.mark.parametrize("name", ["native", "typed", "governance"])
def test_the_worked_example(name: str) -> None:
    part = {field: bytes.fromhex(digits) for field, digits in EXAMPLE[name].items()}
    signing, address = bytes.fromhex(EXAMPLE["key"]), bytes.fromhex(EXAMPLE["address"])
    assert signing == crypto.key_from_seed("alice")
    chain = chain_of(77, bytes.fromhex(EXAMPLE["genesis_hash"]))
    unsigned = part["header"] + part["command"]
    items = decode_items(part["item_head"] + unsigned + part["signature"])
    assert isinstance(items, tuple) and len(items) == 1
    assert item_digest(items[0].kind, unsigned, chain) == part["digest"]
    assert crypto.sign_recoverable(signing, part["digest"]) == part["signature"]
    admitted = admit(items[0], chain)
    assert isinstance(admitted, AdmittedItem)
    assert (admitted.signer, admitted.account) == (address, 3)
    place = c.Place(1, 1, 60_000, 5, 1, 0x20, 1_700_000_060_000, 7)
    target = bytes.fromhex("14791697260e4c9a71f18484c9f997b308e59325")
    key = c.validator_key(1, bytes.fromhex(EXAMPLE["validator"]))
    said = {
        "native": place,
        "typed": c.Withdraw(0, target, 2_500_000),
        "governance": c.SetValidator(1, key, 10),
    }
    assert c.decode_commands(admitted.commands) == [said[name]]
