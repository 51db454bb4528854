"""The dataclasses of the spec, the dtypes and the enumerations say the same."""

from dataclasses import fields

from quorate.execution.spec.rows import Position
from quorate.execution.spec.tables import ROW_TYPES
from quorate.types import codes, limits
from quorate.types.records import POSITION, ROW_DTYPES, Table

UNNAMED = ("reserved", "zero")


def named(names: tuple[str, ...]) -> list[str]:
    """Fields that carry meaning."""
    return [name for name in names if name not in UNNAMED]


def test_every_spec_row_has_the_fields_of_its_dtype_in_order() -> None:
    for table in Table:
        spec = [each.name for each in fields(ROW_TYPES[table])]
        tails = {Table.ACCOUNTS: ["positions"], Table.NONCES: ["nonces"]}.get(table, [])
        assert spec == named(ROW_DTYPES[table].names or ()) + tails, table.name
    assert [each.name for each in fields(Position)] == named(POSITION.names or ())


def test_rows_have_no_hidden_padding() -> None:
    for dtype in (*ROW_DTYPES.values(), POSITION):
        assert dtype.fields is not None
        assert dtype.itemsize == sum(field.itemsize for field, _ in dtype.fields.values())
        for field, _ in dtype.fields.values():
            assert field.base.byteorder in ("<", "|", "="), "little endian or bytes"


def test_reject_codes_are_named_by_a_remedy_and_have_one_sentence_each() -> None:
    sentences = list(codes.SENTENCES.values())
    assert len(set(sentences)) == len(sentences)
    for sentence in sentences:
        assert sentence.endswith(".") and len(sentence) <= 120


def test_the_tree_holds_every_table_and_a_block_its_commands() -> None:
    assert limits.COMMANDS_PER_BLOCK_MAX * limits.COMMAND_BYTES <= limits.BLOCK_BYTES_MAX
    assert limits.ORDERS_PER_ACCOUNT_MAX <= limits.ORDERS_EXAMINED_PER_COMMAND_MAX
