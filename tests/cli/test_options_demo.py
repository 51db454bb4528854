"""The story of options: what the desk signs, and that its audit finds what is wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quorate.cli.options_audit import WANTED, Settlement, disagreements
from quorate.cli.options_desk import (
    LISTED,
    PRICE_MAX_TICKS,
    TRADES,
    lying,
    options_genesis,
    quotes,
    votes,
)
from quorate.codec.commands import Place, VotePrice, decode_commands
from quorate.codec.options_commands import VoteSmile
from quorate.execution.machine import genesis_image
from quorate.instruments.payoff.language import evaluate, parse, verify
from quorate.sim.demo.ledger import Ledger, Sent
from quorate.types.blocks import Item
from quorate.types.codes import EventKind, Reject, Side
from quorate.types.options_codes import SeriesState
from quorate.types.records import EVENT

FIX = 601_234
QUANTUM_E6 = {each.market: 10 for each in LISTED}
TOLD: dict[int, dict[str, Any]] = {
    each.market: {"seen_count": 4, "seen_sum": 4 * 600_500} for each in LISTED
}
OWED = {LISTED[0].market: 1_234, LISTED[1].market: 3_500, LISTED[2].market: 5_000}


def settled() -> Settlement:
    """What a log says when everything is right."""
    fixed = {
        "fix_ticks": FIX, "sum": FIX * WANTED + 3, "samples_count": WANTED, "missing_count": 0
    }  # fmt: skip
    found = Settlement(fixed=[fixed])
    for each in LISTED:
        for state in (SeriesState.EXPIRED, SeriesState.SETTLING, SeriesState.SETTLED):
            found.moved.append({"market": each.market, "code": int(state)})
        owed = OWED[each.market]
        for account, lots in ((5, 100), (6, -100)):
            row = {"market": each.market, "account": account, "lots": lots, "settle_ticks": owed}
            found.paid.append({**row, "cash_e6": owed * lots * 10})
    return found


def test_what_is_right_has_no_finding() -> None:
    assert disagreements(settled(), TOLD, QUANTUM_E6) == []


def changed(list_name: str, at: int, name: str, by: int) -> Callable[[Settlement], None]:
    """Change a number of the log."""

    def change(found: Settlement) -> None:
        getattr(found, list_name)[at][name] += by

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed("fixed", 0, "fix_ticks", 1), "is not the mean"),
        (changed("fixed", 0, "missing_count", 1), "missing ones"),
        (changed("paid", 0, "settle_ticks", 1), "its payoff is"),
        (changed("paid", 0, "cash_e6", 1), "sum to 1"),
        (changed("paid", 2, "lots", 1), "lots of BTC-ASIAN's settlements sum to 1"),
        (changed("moved", 2, "code", 1), "went through the states"),
        (lambda found: found.fixed.clear(), "0 fixings"),
        (lambda found: found.paid.clear(), "nobody was paid in BTC-CALL"),
    ],
)
def test_what_is_wrong_is_found(change: Callable[[Settlement], None], words: str) -> None:
    found = settled()
    change(found)
    assert any(words in sentence for sentence in disagreements(found, TOLD, QUANTUM_E6))


def test_a_fixing_of_too_few_samples_takes_later_ones_up_to_half() -> None:
    found = settled()
    half = WANTED // 2
    found.fixed[0] |= {"samples_count": half, "missing_count": WANTED - 3, "sum": FIX * half}
    assert disagreements(found, TOLD, QUANTUM_E6) == []
    found.fixed[0] |= {"samples_count": half + 1, "sum": FIX * (half + 1)}
    assert any("missing" in each for each in disagreements(found, TOLD, QUANTUM_E6))


def test_the_products_are_admitted_and_fit_their_markets() -> None:
    for each in LISTED:
        verdict = verify(parse(each.text), each.ranges, each.bounds)
        assert each.bounds[1] <= PRICE_MAX_TICKS and verdict.high <= each.bounds[1]
        inputs = {"fix": FIX, "avg": 600_500, **each.parameters}
        assert evaluate(parse(each.text), inputs, each.ranges) == OWED[each.market]
    honest, liar = LISTED[0].command(), decode_commands(lying().commands)[0]
    assert isinstance(liar, type(honest)) and liar.text == honest.text
    assert liar.payoff_high < honest.payoff_high


def test_the_genesis_is_sound_and_the_desk_votes_and_quotes() -> None:
    genesis_image(options_genesis())
    assert options_genesis().clearing is not None
    early, late = votes(0, 0.0, 3)[0], votes(0, 2.0, None)[0]
    price, smile = decode_commands(early.commands)
    assert isinstance(price, VotePrice) and isinstance(smile, VoteSmile) and smile.expiry == 3
    (last,) = decode_commands(late.commands)
    assert isinstance(last, VotePrice) and last.price_ticks > price.price_ticks
    marks = {each.market: mark for each, mark in zip(LISTED, (1, 3_000, 2_500), strict=True)}
    for made in quotes(marks):
        for order in decode_commands(made.commands):
            assert isinstance(order, Place) and order.price > 0
            above = order.price > marks[order.market]
            assert above == (order.side == Side.SELL)
    assert {trade.market for trade in TRADES} == {each.market for each in LISTED}


def test_codes_of_events_that_close_no_command_are_no_rejects() -> None:
    events = np.zeros(2, EVENT)
    events["kind"] = EventKind.SERIES_MOVED, EventKind.RECEIPT
    events["code"] = SeriesState.LIVE, Reject.OK
    ledger, sent = Ledger(), Sent(1, (bytes(20), 7), Item(1, b""), 1)
    ledger.sending(sent)
    ledger.told(sent, 3, (Reject.OK,), events)
    assert ledger.acknowledged == {sent.name: 3} and not ledger.rejects
    events["code"][1] = Reject.MARKET_MUST_EXIST
    ledger.sending(sent)
    ledger.told(sent, 4, (Reject.OK,), events)
    assert ledger.rejects == {Reject.MARKET_MUST_EXIST: 1}
