"""The checker of receipts: it agrees with both machines, and notices whatever is changed."""

from typing import Any

import numpy as np
import pytest

from quorate.sim.receipts import Receipts
from quorate.types.clearing_codes import LiquidationStep, Standing
from quorate.types.codes import EventKind
from quorate.types.events import EVENT_READINGS
from tests.sim.clearing.crash import crashed

# Fields that no receipt of that kind uses, or that say where it stands.
IDLE = {"kind", "bundle", "command", "zero"}
CHECKED = ("FUNDED", "LIQUIDATED", "DELEVERAGED", "INSURED")
UNUSED = {
    "FUNDED": {"end", "code", "side", "account", "counter_account"},
    "INSURED": {"end", "side", "counter_account"},
}


def receipts_of(kind: str) -> list[tuple[tuple[Any, Any, Any, int], int]]:
    """Blocks with a receipt of a kind, and where it stands."""
    run, _ = crashed(False)
    return [
        (block, int(at))
        for block in run.shown
        for at in np.flatnonzero(block[2]["kind"] == EventKind[kind])
        if block[2]["bundle"][at] == 2**32 - 1
    ]


def wrong(block: tuple[Any, Any, Any, int]) -> int:
    """How much the checker finds wrong in a block."""
    receipts = Receipts()
    receipts.check(*block)
    return receipts.wrong


def test_both_machines_write_the_same_receipts_and_all_are_right() -> None:
    outcomes = [crashed(spec)[1] for spec in (False, True)]
    assert outcomes[0].faults == outcomes[1].faults == []
    assert outcomes[0].figures == outcomes[1].figures
    assert outcomes[0].root == outcomes[1].root
    assert outcomes[0].figures["receipts_checked"] > 50


def test_the_small_crash_reaches_every_step_without_options_but_the_last() -> None:
    figures = crashed(False)[1].figures
    for step in LiquidationStep:
        if step not in (LiquidationStep.LEFT_OPEN, LiquidationStep.HEDGED):
            assert figures[f"steps_{step.name.lower()}"], step.name
    assert figures["funded"] and figures["conservation_delta"] == 0


@pytest.mark.parametrize("kind", CHECKED)
def test_every_changed_field_is_noticed(kind: str) -> None:
    """A field is changed in receipts of every step, one at a time."""
    reading = EVENT_READINGS[kind]
    names = [
        name
        for name in reading.names or ()
        if name not in IDLE | UNUSED.get(kind, set()) and not name.startswith("word_")
    ]
    seen: dict[int, int] = {}
    for block, at in receipts_of(kind):
        code = int(block[2]["code"][at])
        seen[code] = seen.get(code, 0) + 1
        if seen[code] > 3:
            continue
        before, after, events, time_ms = block
        # The limit of an insured sale follows from the book at that moment: the checker holds it
        # against the worst price alone.
        insured = (
            code == LiquidationStep.SOLD_ON_BOOK and events["end"][at] == Standing.BANKRUPT
        )
        for name in names:
            if kind == "LIQUIDATED" and insured and name == "price_ticks":
                continue
            changed = events.copy()
            field = changed[at : at + 1].view(reading)[name]
            field += 1
            assert wrong((before, after, changed, time_ms)), f"{kind} {code}: {name}"
    assert seen


@pytest.mark.parametrize("kind", ["LIQUIDATED", "DELEVERAGED", "INSURED"])
def test_a_missing_or_doubled_receipt_is_noticed(kind: str) -> None:
    for (before, after, events, time_ms), at in receipts_of(kind)[:8]:
        assert wrong((before, after, np.delete(events, at), time_ms)), kind
        doubled = np.insert(events, at, events[at])
        assert wrong((before, after, doubled, time_ms)), kind


def test_an_account_that_is_not_what_the_receipts_say_is_noticed() -> None:
    block, at = receipts_of("LIQUIDATED")[-1]
    before, after, events, time_ms = block
    account = int(events["account"][at])
    accounts = after[7].rows.copy()
    accounts["cash_e6"][account] += 1
    forged = (*after[:7], type(after[7])(after[7].table, accounts, after[7].tail), *after[8:])
    assert wrong((before, forged, events, time_ms)) > wrong(block) == 0
