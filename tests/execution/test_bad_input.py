"""Every kind of bad input: its code, and a state that is as if it had never come."""

from pathlib import Path

import numpy as np
import pytest

from quorate.admission import admit
from quorate.codec.items import decode_items
from quorate.execution.image import Image
from quorate.sim.execution_world import Row
from quorate.types.blocks import Item
from quorate.types.codes import SENTENCES, EventKind, Reject
from quorate.types.limits import BLOCK_BYTES_MAX
from quorate.types.records import NONCES, Table
from tests.execution import bad_input
from tests.execution.bad_input import OF_BYTES, OF_STATE, Case
from tests.execution.exchange import Exchange

DOCUMENT = Path(__file__).parents[2] / "docs" / "bad-input.md"
BLOCK_FULL = (Reject.BLOCK_FULL_SEND_LATER, "a bundle when the queue or the block is full")
HEAD = """\
# Bad input

What can be wrong with what a client sends, the code that says so, and what to do. A refused command
changes nothing; the bundle that carried it has used its nonce. A bundle that is refused as a whole
(1xx and 2xx) changes nothing at all, except that 203, 204 and 211 have used its nonce. Each row is
a test (tests/execution/test_bad_input.py), which also writes this table.

| Bad input | Code | Remedy | Sentence |
|---|---|---|---|
"""


def parts(image: Image) -> dict[str, bytes]:
    """A state as bytes; the nonces of signers apart."""
    made = {}
    for part in image:
        rows = part.rows.copy()
        if part.table == Table.LEDGER:
            for name in ("nonces_live", "nonces_high", "sweep_nonces"):
                rows[name] = 0
        made[part.table.name] = rows.tobytes() + part.tail
    made.pop("NONCES")
    return made


def used(image: Image) -> int:
    """Nonces that the state remembers."""
    assert image[Table.NONCES].rows.dtype == NONCES
    return len(image[Table.NONCES].tail)


def named(value: object) -> str:
    """Name a case by its code alone."""
    return str(getattr(value, "name", ""))


@pytest.mark.parametrize(("code", "words", "make"), OF_STATE, ids=named)
def test_state(code: Reject, words: str, make: Case) -> None:
    with_it, without_it = (bad_input.prepared(code) for _ in range(2))
    events = with_it.rows(bad := make(with_it))
    make(without_it)
    without_it.rows()
    last = events[-1]
    assert Reject(int(last["code"])) == code
    assert parts(with_it.image()) == parts(without_it.image())
    kept = last["kind"] == EventKind.RECEIPT or code in (203, 204, 211)
    # With a hundred nonces in its set, a signer's oldest makes room for the newest.
    assert used(with_it.image()) - used(without_it.image()) == (8 if kept else 0), bad[2]


@pytest.mark.parametrize(("code", "words", "item"), OF_BYTES, ids=named)
def test_bytes(code: Reject, words: str, item: tuple[int, bytes]) -> None:
    assert admit(Item(*item), bad_input.CHAIN) == code
    assert not isinstance(admit(Item(1, bad_input.SOUND), bad_input.CHAIN), Reject)


def test_a_full_block() -> None:
    assert decode_items(bytes(BLOCK_BYTES_MAX + 1)) == BLOCK_FULL[0]


@pytest.mark.parametrize("price", [0, 200_001, 2**63 - 1])
@pytest.mark.parametrize("size", [1, 5_000, 5_001, 2**63 - 1])
def test_overflow_attempts(price: int, size: int) -> None:
    x, y = (bad_input.prepared(Reject.OK) for _ in range(2))
    code = x.code("bob", bad_input.bought(price, size))
    y.rows()
    assert code in (Reject.PRICE_MUST_BE_IN_RANGE, Reject.SIZE_MUST_BE_IN_RANGE)
    assert parts(x.image()) == parts(y.image())


def test_a_rejected_command_leaves_its_neighbours_alone() -> None:
    x = bad_input.prepared(Reject.OK)
    events = x.send("bob", bad_input.bought(99, 1), bad_input.bought(0, 1), bad_input.bought(98, 1))
    receipts = events[events["kind"] == EventKind.RECEIPT]
    assert receipts["code"].tolist() == [0, Reject.PRICE_MUST_BE_IN_RANGE, 0]
    assert np.count_nonzero(x.image()[Table.ORDERS].rows["order_id"]) == 4


def document() -> str:
    """What docs/bad-input.md must say."""
    words = [(code, text) for code, text, _ in OF_BYTES] + [BLOCK_FULL]
    words += [(code, text) for code, text, _ in OF_STATE]
    lines = []
    for code, text in sorted(words, key=lambda pair: pair[0]):
        text = text[0].upper() + text[1:]
        lines.append(f"| {text} | {int(code)} | `{code.name}` | {SENTENCES[code]} |\n")
    return HEAD + "".join(lines)


@pytest.mark.tables
def test_the_document(rewrite: bool) -> None:
    if rewrite:
        DOCUMENT.write_text(document(), encoding="ascii")
    assert DOCUMENT.read_text(encoding="ascii") == document()


def test_every_code_is_covered() -> None:
    covered = {case[0] for case in OF_STATE} | {case[0] for case in OF_BYTES} | {BLOCK_FULL[0]}
    assert covered == set(Reject) - {Reject.OK}


def test_the_harness_sees_a_change() -> None:
    x, y = (bad_input.prepared(Reject.OK) for _ in range(2))
    good: Row = x.row(bad_input.address("bob"), bad_input.bought(99, 1))
    x.rows(good)
    y.rows()
    assert parts(x.image()) != parts(y.image())
    assert isinstance(x, Exchange)
