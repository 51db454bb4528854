"""Listing products: what the transition compiles, compares and checks, in both machines."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.codec.options_commands import ListProduct
from quorate.execution.machine import KernelMachine
from quorate.instruments.listing import catalogue_command
from quorate.instruments.payoff import language
from quorate.instruments.payoff.catalogue import CATALOGUE
from quorate.types.codes import EventKind, Reject
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_TEXT_BYTES_MAX, PRODUCTS_MAX
from quorate.types.options_codes import ObservationRule
from quorate.types.payoff_codes import Input, Refusal
from quorate.types.records import PRODUCT_PART, Table
from tests.execution.clearing_exchange import readings
from tests.execution.exchange import Exchange, address
from tests.execution.options_exchange import (
    CALL_TEXT,
    HIGH,
    PRICES,
    Desk,
    code_of,
    product,
    refusals,
)

R, Rule = Reject, ObservationRule


def test_a_product_is_listed_as_it_was_sent() -> None:
    x = Desk()
    events = x.ok("governance", product(0))
    row = x.at(Table.PRODUCTS, 0)
    assert row.text == CALL_TEXT.encode().ljust(PAYOFF_TEXT_BYTES_MAX, b"\0")
    assert row.name == b"CALL".ljust(16, b"\0")
    assert np.frombuffer(row.code, "<i8").tolist() == list(code_of(CALL_TEXT))
    ranges = np.frombuffer(row.ranges, "<i8").reshape(-1, 2)
    assert ranges[Input.FIX].tolist() == ranges[Input.STRIKE].tolist() == list(PRICES)
    assert not ranges.sum() - 2 * sum(PRICES)
    assert (row.words, row.text_bytes) == (len(language.parse(CALL_TEXT).code), len(CALL_TEXT))
    assert row.reach == 1 << Input.FIX | 1 << Input.STRIKE
    (event,) = readings(events, EventKind.PRODUCT_LISTED)
    assert (event["market"], event["code"], event["payoff_high"]) == (0, 0, HIGH)
    assert x.ledger().products_high == 1


@pytest.mark.parametrize(
    ("text", "european"),
    [
        (CALL_TEXT, 1),
        ("  max( fix-strike , 0 )", 1),
        ("max(strike - fix, 0)", 2),
        ("max(0, fix - strike)", 0),
        ("max(fix - strike, 1)", 0),
        ("abs(fix - strike)", 0),
    ],
)
def test_european_payoffs_are_known_by_their_code(text: str, european: int) -> None:
    x = Desk()
    x.ok("governance", product(0, text))
    assert x.at(Table.PRODUCTS, 0).european == european


def refusal_of(command: ListProduct) -> tuple[Reject, int, int, int]:
    """What both machines say of a product; nothing changes."""
    x = Desk()
    (found,) = refusals(x.send("governance", command))
    assert x.ledger().products_high == 0 or found[0] == R.OK
    return found


def test_a_text_that_does_not_compile_tells_the_place() -> None:
    text = "max(fix - strike, zero)"
    command = replace(product(0), text=text)
    found = refusal_of(command)
    assert found == (R.PAYOFF_REFUSED, Refusal.NAME_UNKNOWN, text.index("zero"), -1)
    assert refusal_of(replace(product(0), text=""))[1] == Refusal.TEXT_EMPTY
    assert refusal_of(replace(product(0), text="fix // 0"))[1:3] == (Refusal.DIVISOR_ZERO, 7)


def test_a_text_of_all_its_bytes_is_listed_and_one_more_is_refused() -> None:
    text = CALL_TEXT.ljust(PAYOFF_TEXT_BYTES_MAX)
    assert refusal_of(product(0, text))[0] == R.OK
    x = Desk()
    signer, account, nonce, expiry, records = x.row(address("governance"), product(0, text))
    head = bytearray(records[0])
    head[32:40] = (PAYOFF_TEXT_BYTES_MAX + 1).to_bytes(8, "little")
    events = x.rows((signer, account, nonce, expiry, [bytes(head), *records[1:]]))
    (found,) = refusals(events)
    assert found == (R.PAYOFF_REFUSED, Refusal.TEXT_TOO_LONG, PAYOFF_TEXT_BYTES_MAX, -1)


def test_code_that_is_not_of_the_text_is_refused() -> None:
    sound = product(0)
    other = replace(sound, code=code_of("max(strike - fix, 0)"))
    found = refusal_of(other)
    assert found[:2] == (R.PAYOFF_TEXT_AND_CODE_DIFFER, Refusal.CODE_NOT_OF_TEXT)
    assert found[3] == 0 and found[2] == CALL_TEXT.index("fix")
    longer = (*sound.code[: PAYOFF_CODE_MAX - 1], 1)
    assert refusal_of(replace(sound, code=longer))[2:] == (-1, PAYOFF_CODE_MAX - 1)


@pytest.mark.parametrize(
    ("text", "ranges", "low", "high", "refusal", "at"),
    [
        ("fix * fix * fix", {"fix": (1, 2**40 - 1)}, 0, HIGH, Refusal.OVERFLOW_POSSIBLE, 4),
        ("fix * 2", {"fix": PRICES}, 0, HIGH, Refusal.BOUNDS_BROKEN, 4),
        ("fix - strike", {"fix": PRICES, "strike": PRICES}, 0, HIGH, Refusal.BOUNDS_BROKEN, 4),
        ("max(fix, 0)", {"fix": PRICES}, 0, 2**40, Refusal.BOUNDS_INADMISSIBLE, -1),
        ("max(fix, 0)", {"fix": (0, 9)}, 0, HIGH, Refusal.RANGE_OUTSIDE_NATURE, 4),
        ("fix + 1", {"fix": (1, 9), "cap": (1, 2)}, 0, HIGH, Refusal.RANGE_WITHOUT_USE, -1),
        ("fix < strike", {"fix": PRICES, "strike": PRICES}, 0, HIGH, Refusal.NUMBER_EXPECTED, 4),
    ],
)
def test_what_the_checker_refuses_tells_the_place(
    text: str, ranges: dict[str, tuple[int, int]], low: int, high: int, refusal: Refusal, at: int
) -> None:
    found = refusal_of(product(0, text, ranges, low=low, high=high))
    assert found[0] == R.PAYOFF_REFUSED and found[1] == refusal
    assert found[2] == at or text[found[2]] in "*-<"
    assert (found[3] == -1) == (at == -1)
    with pytest.raises(language.PayoffError) as raised:
        language.verify(language.parse(text), ranges, (low, high))
    assert raised.value.refusal == refusal and raised.value.place == max(found[2], 0)


@pytest.mark.parametrize(
    ("text", "rule", "sample_ms", "code"),
    [
        ("avg", Rule.BLOCK, 0, R.OK),
        ("avg", Rule.CLOSE, 0, R.OK),
        ("avg", Rule.SAMPLED, 1_000, R.OK),
        ("avg", Rule.SAMPLED, 86_400_000, R.OK),
        ("avg", Rule.SAMPLED, 999, R.PARAMETER_OUT_OF_RANGE),
        ("avg", Rule.SAMPLED, 86_400_001, R.PARAMETER_OUT_OF_RANGE),
        ("avg", Rule.BLOCK, 1_000, R.PARAMETER_OUT_OF_RANGE),
        ("avg", Rule.NONE, 0, R.PARAMETER_OUT_OF_RANGE),
        ("spot", Rule.NONE, 0, R.OK),
        ("spot", Rule.BLOCK, 0, R.PARAMETER_OUT_OF_RANGE),
        ("if touched_up then 1 else 0", Rule.NONE, 0, R.PARAMETER_OUT_OF_RANGE),
        ("if touched_up then 1 else 0", Rule.BLOCK, 0, R.OK),
    ],
)
def test_a_path_is_observed_where_it_is_named(
    text: str, rule: ObservationRule, sample_ms: int, code: Reject
) -> None:
    ranges = {"touched_up": (0, 1), "upper": PRICES} if "touched" in text else {text: PRICES}
    assert refusal_of(product(0, text, ranges, rule=rule, sample_ms=sample_ms))[0] == code


def test_who_may_list_and_under_which_number() -> None:
    x = Desk()
    x.fund("ann")
    assert x.code("ann", product(0)) == R.GOVERNANCE_KEY_REQUIRED
    assert x.governs(product(1)) == R.PRODUCT_MUST_EXIST
    x.ok("governance", product(0), product(1))
    assert x.governs(product(1)) == R.PRODUCT_MUST_EXIST
    x.doctor(Table.LEDGER, 0, products_high=PRODUCTS_MAX)
    assert x.governs(product(PRODUCTS_MAX)) == R.PRODUCT_MUST_EXIST


def test_what_no_field_uses_is_zero() -> None:
    """The bytes behind the text and the words behind the ranges have one encoding."""
    x = Desk()
    for part, word in ((-1, 6), (4, 3)):
        signer, account, nonce, expiry, records = x.row(address("governance"), product(0))
        changed = np.frombuffer(records[part], PRODUCT_PART).copy()
        changed[f"word_{word}"] = 1 << 40
        records[part] = changed.tobytes()
        events = x.rows((signer, account, nonce, expiry, records))
        assert refusals(events)[0][0] == R.UNUSED_FIELDS_MUST_BE_ZERO, (part, word)


def test_a_product_survives_a_restart() -> None:
    x = Desk()
    x.ok("governance", product(0), product(1, "max(strike - fix, 0)", name="PUT"))
    restored = KernelMachine(x.image(), np.arange(21, 29))
    assert restored.image()[Table.PRODUCTS].rows.tobytes() == (
        x.image()[Table.PRODUCTS].rows.tobytes()
    )
    x.lockstep.kernel = restored
    restored.dirty()
    x.ok("governance", product(2))


def test_the_whole_catalogue_is_listed() -> None:
    x = Desk()
    for slot, each in enumerate(CATALOGUE):
        command = catalogue_command(slot, each)
        assert refusals(x.send("governance", command))[0][0] == R.OK, each.name
    assert x.ledger().products_high == len(CATALOGUE) >= 13
    kinds = [x.at(Table.PRODUCTS, slot).european for slot in range(len(CATALOGUE))]
    named = {CATALOGUE[slot].name: kind for slot, kind in enumerate(kinds) if kind}
    assert named == {"european_call": 1, "european_put": 2}


# --- payoffs as they are drawn -------------------------------------------------------------------
NAMES = ("fix", "spot", "strike", "cap", "17", "1_000")
LEAF = st.sampled_from(NAMES)
FORMULA = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"min({t[0]}, {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"(if {t[0]} < {t[1]} then {t[2]} else 0)"),
        inner.map(lambda text: f"({text} // 100)"),
    ),
    max_leaves=12,
)
DESK: list[Exchange] = []


@settings(max_examples=150, deadline=None)
@given(
    FORMULA,
    st.integers(0, 60).map(lambda n: 1 << n),
    st.sampled_from([9, 10**6, 2**40 - 1]),
    st.lists(st.tuples(st.integers(0, 63), st.integers(-2, 2)), max_size=1),
)
def test_drawn_products_are_judged_as_the_language_judges(
    text: str, high: int, top: int, changes: list[tuple[int, int]]
) -> None:
    """The transition's verdict is that of `language`, which calls the rules of the room alone."""
    if not DESK:
        DESK.append(Desk())
    x = DESK[0]
    if len(text) > PAYOFF_TEXT_BYTES_MAX:
        return
    try:
        payoff = language.parse(text)
    except language.PayoffError as error:
        found = refusals(x.send("governance", replace(product(0), text=text)))[0]
        assert found[:3] == (R.PAYOFF_REFUSED, error.refusal, error.place)
        return
    ranges = {number.name.lower(): (1, top) for number in payoff.inputs()}
    slot = x.lockstep.spec.tables.row(Table.LEDGER, 0).products_high
    command = product(slot, text, ranges, high=high)
    expected = (R.OK, 0)
    for place, change in changes:
        code = list(command.code)
        code[place] += change
        command = replace(command, code=tuple(code))
    try:
        language.verify(payoff, ranges, (0, high))
    except language.PayoffError as error:
        expected = (R.PAYOFF_REFUSED, error.refusal)
    if command.code != code_of(text):
        expected = (R.PAYOFF_TEXT_AND_CODE_DIFFER, Refusal.CODE_NOT_OF_TEXT)
    if slot == PRODUCTS_MAX:
        expected = (R.PRODUCT_MUST_EXIST, 0)
    assert refusals(x.send("governance", command))[0][:2] == expected
