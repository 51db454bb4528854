"""The walk-through of docs/options.md, as it stands there, on both machines."""

import re
from pathlib import Path
from typing import Any

from quorate.types.codes import MarketStatus
from quorate.types.options_codes import SeriesState
from tests.execution.options_exchange import Desk

DOCUMENT = Path(__file__).parents[2] / "docs" / "options.md"


def test_the_walk_through_lists_what_it_says() -> None:
    x = Desk()
    x.index(102_400)
    text = DOCUMENT.read_text(encoding="ascii").split("## Listing", 1)[1].split("\n## ")[0]
    names: dict[str, Any] = {"now_ms": x.time_ms}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    x.ok("governance", names["call_with_cap"])
    x.ok("governance", *names["opened"])
    assert x.market(4).status == MarketStatus.HALTED
    x.ok("governance", names["series"])
    assert x.market(4).status == MarketStatus.OPEN and x.series(4).state == SeriesState.LIVE
    x.ok("governance", names["rule"])
    for _ in range(3):
        x.index(102_400)
    listed = [x.series(slot) for slot in range(5, x.ledger().markets_high)]
    assert len({row.expiry_ms for row in listed}) == 3 and len(listed) == 15
    assert {row.strike for row in listed} == {90_000, 95_000, 100_000, 105_000, 110_000}
    assert {row.cap for row in listed} == {20_000}
