"""What a node tells of the clearing house."""

from typing import Any

from quorate.execution.machine import genesis_image
from quorate.replica.ledger import Ledger
from quorate.replica.query import answer
from quorate.runtime import development
from quorate.types.clearing import GLOBALS, RISK_PARAMETERS
from quorate.types.records import Table
from tests.execution.options_exchange import CALL_TEXT, PRICES, SERIES, Desk, code_of
from tests.replica import world


def asked(*, cleared: bool, **question: Any) -> Any:
    genesis = development.cleared_genesis() if cleared else development.genesis()
    executor = world.executor_of("kernel", genesis_image(genesis))
    return answer(Ledger(executor, world.SETTINGS), question)


def test_a_market_tells_its_risk_and_its_bands() -> None:
    plain = asked(cleared=False, ask="markets")["markets"]
    assert not any("risk" in market for market in plain)
    bitcoin, _, spot = asked(cleared=True, ask="markets")["markets"]
    assert set(RISK_PARAMETERS) <= set(bitcoin["risk"]) and bitcoin["risk"]["mode"] == 1
    assert [band["tau_ms"] for band in bitcoin["bands"]] == [60_000, 600_000]
    assert "risk" not in spot


def test_the_venue_tells_its_numbers_feeds_and_voters() -> None:
    found = asked(cleared=True, ask="clearing")
    assert {name: found[name] for name in GLOBALS} == {
        name: getattr(development.clearing().numbers, name) for name in GLOBALS
    }
    assert [feed["name"] for feed in found["feeds"]] == ["BTC", "ETH"]
    (voter,) = found["voters"]
    assert voter["weight"] == 1 and found["changes"] == [] and found["insurance_e6"] == 0
    nothing = asked(cleared=False, ask="clearing")
    assert nothing["feeds"] == nothing["voters"] == []


def test_an_account_tells_its_standing_and_its_triggers() -> None:
    image = genesis_image(development.cleared_genesis())
    vault = int(image[Table.LEDGER].rows[0]["vault"])
    row = asked(cleared=True, ask="account", account=vault)
    assert (row["standing"], row["switch"], row["positions"]) == (0, 0, [])
    found = asked(cleared=True, ask="triggers", account=vault)
    assert found == {"account": vault, "triggers": [], "groups": []}
    assert "error" in asked(cleared=True, ask="triggers", account=99)


def test_options_are_told_with_their_texts() -> None:
    x = Desk()
    x.listed()
    x.ok("governance", x.rule(ahead=1, each_side=0))
    x.index(100_000)
    ledger = Ledger(world.executor_of("kernel", x.image()), world.SETTINGS)
    found = answer(ledger, {"ask": "options"})
    (product,) = found["products"]
    assert (product["name"], product["text"], product["european"]) == ("CALL", CALL_TEXT, 1)
    assert product["ranges"] == {name: list(PRICES) for name in ("fix", "strike")}
    assert product["code"] == [word for word in code_of(CALL_TEXT) if word]
    assert [row["series_count"] for row in found["expiries"]] == [1, 1]
    assert [row["template"] for row in found["listings"]] == [SERIES]
    markets = answer(ledger, {"ask": "markets"})["markets"]
    told = {row["market"]: row["series"] for row in markets if "series" in row}
    assert sorted(told) == [SERIES, SERIES + 1] and told[SERIES + 1]["template"] == SERIES
    assert told[SERIES]["strike"] == 100_000
    nothing = asked(cleared=True, ask="options")
    assert nothing == {"products": [], "expiries": [], "listings": []}
