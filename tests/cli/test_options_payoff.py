"""`quorate options payoff` and `products`: what the chain would say of a text."""

import json

import pytest
from typer.testing import CliRunner, Result

from quorate.cli.main import app
from quorate.instruments.payoff.catalogue import CATALOGUE
from quorate.instruments.payoff.language import parse, verify
from quorate.types.limits import PRICE_TICKS_MAX

CAPPED = "if touched_down then 0 else min(max(fix - strike, 0), cap)"
CAP = ("--range", "cap=1..500000")


def run(*arguments: str) -> Result:
    """Run a command of the group."""
    return CliRunner().invoke(app, ["options", *arguments])


def test_a_payoff_is_checked_and_taken_apart() -> None:
    ran = run("payoff", CAPPED, "--range", "fix=1..10_000_000", *CAP, "--high", "500000", "--json")
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    ranges = {name: tuple(pair) for name, pair in found["ranges"].items()}
    assert ranges["fix"] == (1, 10_000_000) and ranges["cap"] == (1, 500_000)
    assert ranges["lower"] == (1, PRICE_TICKS_MAX), "a barrier is declared with its touch"
    verdict = verify(parse(CAPPED), ranges, (0, 500_000))
    assert found["lies_in"] == [verdict.low, verdict.high] == [0, 500_000]
    assert found["code"] == list(parse(CAPPED).code) and len(found["listing"]) == 9
    assert found["pays"] is None
    words = run("payoff", CAPPED, *CAP, "--high", "500000").stdout
    assert "pays between 0 and 500,000 ticks" in words and "#8 select #0 #1 #7" in words


@pytest.mark.parametrize(
    ("text", "options", "refusal", "column"),
    [
        ("fix * fix // 1000", (), "OVERFLOW_POSSIBLE", 5),
        ("fix // 0", (), "DIVISOR_ZERO", 8),
        ("max(fix - strike, 0)", ("--high", "100"), "BOUNDS_BROKEN", 1),
        ("fix - strike", (), "BOUNDS_BROKEN", 5),
        ("max(fix", (), "BRACKET_OPEN", 1),
        ("fix + spit", (), "NAME_UNKNOWN", 7),
        ("fix + 1", ("--range", "strike=1..5"), "RANGE_WITHOUT_USE", 1),
    ],
)
def test_a_refusal_points_at_its_place(
    text: str, options: tuple[str, ...], refusal: str, column: int
) -> None:
    ran = run("payoff", text, *options)
    assert ran.exit_code == 1
    first, shown, caret = ran.stdout.rstrip("\n").split("\n")
    assert first.startswith(f"refused, {refusal}: line 1, column {column}: ")
    assert shown == text and caret == " " * (column - 1) + "^"
    found = json.loads(run("payoff", text, *options, "--json").stdout)
    assert (found["refusal"], found["column"], found["admitted"]) == (refusal, column, False)


def test_a_payoff_is_paid_out() -> None:
    seen = ("--value", "fix=1900", "--value", "strike=1500", "--value", "cap=250")
    alive = run("payoff", CAPPED, *CAP, *seen, "--value", "touched_down=0", "--json")
    assert json.loads(alive.stdout)["pays"] == 250
    dead = run("payoff", CAPPED, *CAP, *seen, "--value", "touched_down=1")
    assert "it would pay 0 ticks" in dead.stdout


@pytest.mark.parametrize(
    "options",
    [
        ("--range", "fix=1"),
        ("--range", "fix"),
        ("--range", "fix=a..b"),
        ("--range", "fox=1..2"),
        ("--value", "fix"),
        ("--value", "fix=x"),
        ("--value", "strike=5"),
        ("--value", "fix=0"),
    ],
)
def test_a_users_mistake_is_one_line(options: tuple[str, ...]) -> None:
    ran = run("payoff", "fix", *options)
    assert ran.exit_code == 2 and ran.stderr.count("\n") == 1 and ran.stdout == ""


def test_the_catalogue_is_listed() -> None:
    found = json.loads(run("products", "--json").stdout)["products"]
    assert [each["name"] for each in found] == [each.name for each in CATALOGUE]
    assert all(each["text"] in run("products").stdout for each in found[:3])
    by_name = {each["name"]: each["observed"] for each in found}
    assert by_name["asian_call"] == "every 60 s" and by_name["european_call"] == "at expiry"
    assert by_name["power_perpetual"] == "without expiry"
    assert by_name["one_touch_up"] == "every tick" and by_name["variance_swap"] == "daily close"
