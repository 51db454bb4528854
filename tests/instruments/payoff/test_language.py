"""Texts: what they mean, against Python's own arithmetic; and how each wrong one is refused."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.instruments.payoff.language import PayoffError, evaluate, listing, parse
from quorate.types.limits import PAYOFF_CODE_MAX, PAYOFF_DEPTH_MAX, PAYOFF_TEXT_BYTES_MAX
from quorate.types.payoff_codes import REMEDIES, Input, Refusal
from tests.instruments.payoff import texts

WIDE = dict.fromkeys(texts.NUMBERS, (1, 2 ** 40 - 1)) | dict.fromkeys(texts.FLAGS, (0, 1))


@settings(max_examples=600)
@given(st.integers(0, 2**63), st.integers(1, 4), st.sampled_from([3, 10**6, 2**50 - 1]))
def test_a_text_means_what_python_makes_of_it(seed: int, depth: int, constant_max: int) -> None:
    draw = random.Random(seed)
    tree = texts.number(draw, depth, constant_max)
    text, _ = texts.written(tree, draw)
    try:
        payoff = parse(text)
    except PayoffError as error:
        assert error.refusal in (Refusal.TEXT_TOO_LONG, Refusal.CODE_TOO_LONG), text
        return
    for _ in range(5):
        observed = {name: draw.randint(*WIDE[name]) for name in WIDE}
        if draw.random() < 0.5:
            observed["strike"] = observed["fix"]
        try:
            wanted = texts.value_of(tree, observed)
        except texts.TooLarge:
            with pytest.raises(ArithmeticError):
                evaluate(payoff, observed, WIDE)
        else:
            assert evaluate(payoff, observed, WIDE) == wanted, text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", 14),
        ("2 - 3 - 4", -5),
        ("-7 // 2", -4),
        ("-(7 // 2)", -3),
        ("- -7", 7),
        ("2 * -3", -6),
        ("100 // 7 // 2", 7),
        ("1_000 + 1", 1001),
        ("max(1, 5, 3) - min(4, 2, 9)", 3),
        ("abs(3 - 10)", 7),
        ("if 1 < 2 then 3 else 4", 3),
        ("if 1 > 2 then 3 else if 2 > 2 then 4 else 5", 5),
        ("if 1 < 2 then if 2 < 1 then 6 else 7 else 8", 7),
        ("if 1 < 2 then 3 else 4 + 5", 3),
        ("(if 1 < 2 then 3 else 4) + 5", 8),
        ("max(if 1 < 2 then 3 else 9, 4)", 4),
        ("if not 1 > 2 and 3 != 4 or 1 > 2 then 1 else 0", 1),
        ("if 1 == 2 or 2 >= 2 and 1 <= 1 then 1 else 0", 1),
        ("if (1 < 2) then(3)else(4)", 3),
        ("7\n- 2\n", 5),
    ],
)
def test_what_binds_what(text: str, value: int) -> None:
    assert evaluate(parse(text), {}, {}) == value


def test_every_input_has_its_name() -> None:
    for number in Input:
        name = number.name.lower()
        assert parse(name).inputs() == [number]
        assert listing(parse(f"{name} // 3")) == [f"#0 input {name}", "#1 div #0 3"]


def test_equal_parts_are_one_value() -> None:
    code = listing(parse("if fix > strike then (fix - strike) * (fix - strike) else 0"))
    assert code == [
        "#0 input fix",
        "#1 input strike",
        "#2 lt #1 #0",
        "#3 sub #0 #1",
        "#4 mul #3 #3",
        "#5 const 0",
        "#6 select #2 #4 #5",
    ]


def test_an_observation_enters_clamped_into_its_range() -> None:
    ranges = {"fix": (10, 20)}
    observed = [evaluate(parse("fix"), {"fix": fix}, ranges) for fix in (-5, 10, 15, 20, 99)]
    assert observed == [10, 10, 15, 20, 20]


DEEP = "(" * PAYOFF_DEPTH_MAX
LONG = "+".join(f"fix*{n}" for n in range(2, 26))
# Each text, why it is refused, and the column of the place.
REFUSED = [
    ("", Refusal.TEXT_EMPTY, 1),
    ("1" + " " * PAYOFF_TEXT_BYTES_MAX, Refusal.TEXT_TOO_LONG, PAYOFF_TEXT_BYTES_MAX + 1),
    ("fix $ 3", Refusal.SYMBOL_UNKNOWN, 5),
    ("fix / 3", Refusal.SYMBOL_UNKNOWN, 5),
    ("fix % 3", Refusal.SYMBOL_UNKNOWN, 5),
    ("fix\t", Refusal.SYMBOL_UNKNOWN, 4),
    ("fix\0", Refusal.SYMBOL_UNKNOWN, 4),
    ("caf\u00e9", Refusal.NAME_UNKNOWN, 1),
    ("\u00e9", Refusal.SYMBOL_UNKNOWN, 1),
    ("1.5", Refusal.SYMBOL_UNKNOWN, 2),
    ("fix = 3", Refusal.SYMBOL_UNKNOWN, 5),
    ("007", Refusal.NUMBER_MALFORMED, 1),
    ("1 + 1__0", Refusal.NUMBER_MALFORMED, 5),
    ("10_", Refusal.NUMBER_MALFORMED, 1),
    ("0_1", Refusal.NUMBER_MALFORMED, 1),
    ("3fix", Refusal.NUMBER_MALFORMED, 1),
    ("1e6", Refusal.NUMBER_MALFORMED, 1),
    (f"{2**50}", Refusal.NUMBER_TOO_LARGE, 1),
    ("9" * 200, Refusal.NUMBER_TOO_LARGE, 1),
    ("max(fix - price, 0)", Refusal.NAME_UNKNOWN, 11),
    ("touched_upwards", Refusal.NAME_UNKNOWN, 1),
    ("Fix", Refusal.SYMBOL_UNKNOWN, 1),
    ("fix -", Refusal.VALUE_EXPECTED, 6),
    ("* 3", Refusal.VALUE_EXPECTED, 1),
    ("()", Refusal.VALUE_EXPECTED, 2),
    ("min()", Refusal.VALUE_EXPECTED, 5),
    ("2 ** 3", Refusal.VALUE_EXPECTED, 4),
    ("if fix > 1 then else 0", Refusal.VALUE_EXPECTED, 17),
    ("fix strike", Refusal.OPERATOR_EXPECTED, 5),
    ("max(fix, 1) 0", Refusal.OPERATOR_EXPECTED, 13),
    ("fix if fix > 1 else 0", Refusal.OPERATOR_EXPECTED, 5),
    ("fix not 1", Refusal.OPERATOR_EXPECTED, 5),
    ("max fix, 0", Refusal.BRACKET_EXPECTED, 5),
    ("(fix + (1 - 2)", Refusal.BRACKET_OPEN, 1),
    ("max(fix, (1)", Refusal.BRACKET_OPEN, 1),
    ("fix + 1)", Refusal.BRACKET_UNMATCHED, 8),
    ("(fix, 1)", Refusal.COMMA_OUTSIDE_CALL, 5),
    ("fix, 1", Refusal.COMMA_OUTSIDE_CALL, 4),
    ("1 + max(fix)", Refusal.ARGUMENTS_TOO_FEW, 5),
    ("abs(fix, 1)", Refusal.ARGUMENTS_TOO_MANY, 8),
    ("1 + (if fix > 1)", Refusal.THEN_EXPECTED, 6),
    ("if fix > 1", Refusal.THEN_EXPECTED, 1),
    ("if fix > 1 else 2", Refusal.THEN_EXPECTED, 1),
    ("if fix > 1 then 2", Refusal.ELSE_EXPECTED, 1),
    ("(if fix > 1 then 2)", Refusal.ELSE_EXPECTED, 2),
    ("if fix > 1 then 2, 3", Refusal.ELSE_EXPECTED, 1),
    ("fix then 2", Refusal.THEN_WITHOUT_IF, 5),
    ("if (fix > 1 then 2 else 3)", Refusal.THEN_WITHOUT_IF, 13),
    ("fix else 2", Refusal.ELSE_WITHOUT_THEN, 5),
    ("1 < fix < 3", Refusal.COMPARISON_CHAINED, 9),
    ("1 < fix + 1 == 3", Refusal.COMPARISON_CHAINED, 13),
    ("1 + if fix > 1 then 1 else 0", Refusal.BRACKETS_NEEDED, 5),
    ("1 == not fix > 1", Refusal.BRACKETS_NEEDED, 6),
    ("fix // strike", Refusal.DIVISOR_NOT_CONSTANT, 8),
    ("fix // (2)", Refusal.DIVISOR_NOT_CONSTANT, 8),
    ("fix // -2", Refusal.DIVISOR_NOT_CONSTANT, 8),
    ("fix //", Refusal.DIVISOR_NOT_CONSTANT, 7),
    ("fix // 0", Refusal.DIVISOR_ZERO, 8),
    (DEEP + "(fix", Refusal.NESTED_TOO_DEEP, PAYOFF_DEPTH_MAX + 1),
    ("-" * 40 + "fix", Refusal.NESTED_TOO_DEEP, PAYOFF_DEPTH_MAX + 1),
    (LONG, Refusal.CODE_TOO_LONG, LONG.index("*23") + 1),
]


@pytest.mark.parametrize(("text", "refusal", "column"), REFUSED, ids=[r[0][:24] for r in REFUSED])
def test_a_wrong_text_is_refused_with_its_place(text: str, refusal: Refusal, column: int) -> None:
    with pytest.raises(PayoffError) as caught:
        parse(text)
    error = caught.value
    assert (error.refusal, error.line, error.column) == (refusal, 1, column)
    said, shown, caret = str(error).split("\n")
    assert said.startswith(f"line 1, column {column}: {REMEDIES[refusal]}")
    assert (shown, caret) == (text, " " * (column - 1) + "^")


def test_every_refusal_of_a_text_is_met_and_each_has_a_sentence() -> None:
    met = {refusal for _, refusal, _ in REFUSED}
    assert met == {refusal for refusal in Refusal if 0 < refusal < Refusal.CODE_EMPTY}
    assert set(REMEDIES) == set(Refusal) - {Refusal.NONE}


def test_a_place_in_a_later_line() -> None:
    with pytest.raises(PayoffError, match="line 3, column 5: .*\n  1 2\n    \\^"):
        parse("fix\n +\n  1 2\n")


def test_the_longest_and_the_deepest_text_that_is_accepted() -> None:
    assert parse("1" + " " * (PAYOFF_TEXT_BYTES_MAX - 1)).code
    assert evaluate(parse(DEEP + "7" + ")" * PAYOFF_DEPTH_MAX), {}, {}) == 7
    longest = parse(LONG.rsplit("+", 3)[0] + "+5")
    assert len(longest.code) == PAYOFF_CODE_MAX
    nested = "if fix > 1 then " * PAYOFF_DEPTH_MAX + "1" + " else 0" * PAYOFF_DEPTH_MAX
    with pytest.raises(PayoffError):
        parse(nested)


@given(st.text(alphabet="fixstrke019_ ()+-*/<>=!,amnlothdu\n$", max_size=80))
def test_any_text_is_compiled_or_refused_within_it(text: str) -> None:
    try:
        payoff = parse(text)
    except PayoffError as error:
        assert 0 <= error.place <= len(text)
    else:
        assert 1 <= len(payoff.code) <= PAYOFF_CODE_MAX
        assert all(0 <= place < len(text) for place in payoff.places)
