"""The register of validators: who writes it, which row a key gets, what a row remembers."""

from typing import Any

import numpy as np
import pytest

from quorate.codec import commands as c
from quorate.execution.image import ImageRefused, TableImage, checked, row_read
from quorate.execution.spec.rows import Validator
from quorate.types.codes import KeyType, Reject
from quorate.types.limits import VALIDATOR_POWER_MAX, VALIDATOR_ROWS_MAX
from quorate.types.records import Table
from tests.execution.exchange import Exchange

ED, SECP = int(KeyType.ED25519), int(KeyType.SECP256K1)
ROWS = VALIDATOR_ROWS_MAX


def key(number: int, kind: int = ED) -> bytes:
    """A key of either type."""
    body = b"\2" * 30 + number.to_bytes(2, "little")
    return body + (b"\0" if kind == ED else b"\1")


def said(number: int, power: int, kind: int = ED) -> c.SetValidator:
    return c.SetValidator(kind, key(number, kind), power)


def rows(x: Exchange) -> list[Validator]:
    """The register as both machines have it."""
    return [row_read(Validator, row) for row in x.image()[Table.VALIDATORS].rows]


def row(number: int, power: int, height: int, *before: int) -> Validator:
    return Validator(key(number), ED, power, height, *before)


def test_genesis_names_no_validators() -> None:
    assert rows(Exchange()) == []


def test_governance_alone_writes_it() -> None:
    x = Exchange()
    x.fund("ann")
    assert x.code("ann", said(1, 5)) == Reject.GOVERNANCE_KEY_REQUIRED
    assert rows(x) == []
    x.ok("governance", said(1, 5))
    assert rows(x) == [row(1, 5, x.height)]


def test_a_session_key_of_governance_may_not() -> None:
    x = Exchange()
    x.ok("governance", c.ApproveAgent(b"agent".ljust(20, b".")))
    assert x.code("agent", said(1, 5)) == Reject.GOVERNANCE_KEY_REQUIRED


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (said(1, 0), Reject.OK),
        (said(1, VALIDATOR_POWER_MAX), Reject.OK),
        (said(1, VALIDATOR_POWER_MAX + 1), Reject.FIELD_MUST_BE_IN_RANGE),
        (said(1, 2**63 - 1), Reject.FIELD_MUST_BE_IN_RANGE),
        (c.SetValidator(ED, bytes(33), 1), Reject.FIELD_MUST_BE_IN_RANGE),
    ],
)
def test_powers_and_keys_have_their_bounds(command: c.SetValidator, code: Reject) -> None:
    x = Exchange()
    assert x.code("governance", command) == code
    assert len(rows(x)) == (code == Reject.OK)


def test_one_key_of_two_types_is_two_validators() -> None:
    x = Exchange()
    x.ok("governance", said(1, 5), said(1, 6, SECP), said(1, 7))
    assert [(each.key_type, each.power) for each in rows(x)] == [(ED, 7), (SECP, 6)]


def test_a_row_remembers_its_last_two_changes() -> None:
    x = Exchange()
    x.ok("governance", said(1, 5))
    first = x.height
    x.ok("governance", said(1, 6))
    assert rows(x) == [row(1, 6, first + 1, 5, first)]
    x.ok("governance", said(1, 0))
    assert rows(x) == [row(1, 0, first + 2, 6, first + 1)]


def test_changes_within_one_block_are_one_change() -> None:
    x = Exchange()
    x.ok("governance", said(1, 5))
    first = x.height
    x.ok("governance", said(1, 0), said(1, 9), said(1, 5))
    assert rows(x) == [row(1, 5, first + 1, 5, first)]


def test_the_power_that_a_key_has_changes_nothing() -> None:
    x = Exchange()
    x.ok("governance", said(1, 5), said(2, 0))
    before = x.image()[Table.VALIDATORS].rows.tobytes()
    x.ok("governance", said(1, 5), said(2, 0))
    assert x.image()[Table.VALIDATORS].rows.tobytes() == before


def test_a_removed_row_is_reused_when_it_is_three_blocks_old() -> None:
    x = Exchange()
    x.ok("governance", said(1, 5), said(2, 0), said(3, 0))
    x.ok("governance", said(4, 1))
    x.ok("governance", said(5, 1))
    assert [each.key for each in rows(x)] == [key(number) for number in range(1, 6)]
    x.ok("governance", said(6, 1), said(3, 2), said(7, 1))
    assert [each.key for each in rows(x)] == [key(number) for number in (1, 6, 3, 4, 5, 7)]
    assert rows(x)[1] == row(6, 1, x.height)
    assert rows(x)[2] == row(3, 2, x.height, 0, x.height - 3)


def test_a_full_register_refuses_and_goes_on_when_a_removal_has_settled() -> None:
    x = Exchange()
    x.ok("governance", *(said(number, 1) for number in range(ROWS)))
    assert x.code("governance", said(ROWS, 1)) == Reject.TABLE_FULL_SEND_LATER
    x.ok("governance", said(ROWS - 1, 0))
    for _ in range(2):
        assert x.code("governance", said(ROWS, 1)) == Reject.TABLE_FULL_SEND_LATER
    x.ok("governance", said(ROWS, 1))
    assert len(rows(x)) == ROWS and rows(x)[-1] == row(ROWS, 1, x.height)


# --- images that no history leads to -------------------------------------------------------------
def changed(x: Exchange, register: Any) -> Any:
    image = list(x.image())
    image[Table.VALIDATORS] = TableImage(Table.VALIDATORS, register, b"")
    return tuple(image)


def test_an_image_with_an_unused_row_among_the_used_is_refused() -> None:
    x = Exchange()
    x.ok("governance", said(1, 5), said(2, 5))
    register = x.image()[Table.VALIDATORS].rows
    assert checked(changed(x, register))
    gap = np.concatenate([register[:1], np.zeros(1, register.dtype), register[1:]])
    with pytest.raises(ImageRefused, match="VALIDATORS: row count"):
        checked(changed(x, gap))


def test_an_image_with_too_many_rows_is_refused() -> None:
    x = Exchange()
    x.ok("governance", said(1, 5))
    register = np.repeat(x.image()[Table.VALIDATORS].rows, ROWS + 1)
    with pytest.raises(ImageRefused, match="VALIDATORS: more rows"):
        checked(changed(x, register))
