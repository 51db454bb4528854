"""The settlement of the options demo, read from a log and computed anew from its payoffs.

Nothing is asked of a node: the log is executed once more from genesis, and the events of fixing and
settlement are held against the texts of the products.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from quorate.cli.options_desk import LISTED, NUMBERS, observed
from quorate.execution.machine import genesis_image
from quorate.instruments.payoff.language import evaluate, parse
from quorate.replica.replay import Replay
from quorate.runtime.files import follow_segments
from quorate.runtime.home import Home
from quorate.runtime.recover import executor_of
from quorate.storage.log import Kind
from quorate.types.codes import EventKind
from quorate.types.events import EVENT_READINGS
from quorate.types.options_codes import SeriesState

LOOKED_AT: Final = (EventKind.FIXED, EventKind.SERIES_MOVED, EventKind.SETTLED)
WANTED: Final = NUMBERS.fixing_window_ms // NUMBERS.fixing_sample_ms


@dataclass
class Settlement:
    """What the log says. places: height and index of every payment; money in 1e-6 of the quote."""

    fixed: list[dict[str, int]] = field(default_factory=list)
    moved: list[dict[str, int]] = field(default_factory=list)
    paid: list[dict[str, int]] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    height: int = 0

    def take(self, height: int, events: Any) -> None:
        """Take the events of a block."""
        self.height = height
        lists = dict(zip(LOOKED_AT, (self.fixed, self.moved, self.paid), strict=True))
        for kind, found in lists.items():
            rows = events[events["kind"] == kind].view(EVENT_READINGS[kind.name])
            for row in rows:
                found.append({name: int(row[name]) for name in row.dtype.names if name != "zero"})
        at = np.flatnonzero(events["kind"] == EventKind.SETTLED)
        self.places += [(height, index) for index in at.tolist()]

    def of(self, market: int) -> list[dict[str, int]]:
        """List the payments of a market."""
        return [row for row in self.paid if row["market"] == market]


def settlement_of(home: Home) -> Settlement:
    """Execute a home's log anew. Raises ReplayRefused, AuditFailed, and as `follow_segments`."""
    executor = executor_of(home, genesis_image(home.genesis))
    replay, found = Replay(executor, home.identity, roots_every=1), Settlement()
    for scan in follow_segments(home.path, home.identity):
        for record in scan.records:
            replay.feed([record])
            if record.kind == Kind.BLOCK:
                found.take(executor.height, executor.events)
    replay.settle()
    return found


def disagreements(
    found: Settlement, told: dict[int, dict[str, Any]], quantum_e6: dict[int, int]
) -> list[str]:
    """List in sentences where fixing and settlement are not what the products' texts say.

    told: what a node tells of each settled series, by market.
    """
    if len(found.fixed) != 1:
        return [f"there were {len(found.fixed)} fixings, not one"]
    (fix,) = found.fixed
    sentences = list(fixing_faults(fix))
    for each in LISTED:
        rows = found.of(each.market)
        inputs = observed(each, fix["fix_ticks"], told[each.market])
        owed = evaluate(parse(each.text), inputs, each.ranges)
        sentences += market_faults(each.market_name, rows, owed, quantum_e6[each.market])
        states = [row["code"] for row in found.moved if row["market"] == each.market]
        wanted = [SeriesState.EXPIRED, SeriesState.SETTLING, SeriesState.SETTLED]
        if states != wanted:
            sentences.append(f"{each.market_name} went through the states {states}")
    return sentences


def fixing_faults(fix: dict[str, int]) -> Iterable[str]:
    """Say what is wrong with a fixing: a mean, floored, of at least half of its samples."""
    count, missing = fix["samples_count"], fix["missing_count"]
    if count == 0 or fix["fix_ticks"] != fix["sum"] // count:
        yield f"the fixing {fix['fix_ticks']} is not the mean of {count} samples"
    # With too few samples in time it takes the first ones behind the expiry, up to half.
    wanted = WANTED - missing if missing <= WANTED // 2 else WANTED // 2
    if count != wanted:
        yield f"the fixing has {count} samples and {missing} missing ones, of {WANTED}"


def market_faults(
    name: str, rows: list[dict[str, int]], owed: int, quantum_e6: int
) -> Iterable[str]:
    """Say what is wrong with the payments of a market."""
    if not rows:
        yield f"nobody was paid in {name}"
    for row in rows:
        if row["settle_ticks"] != owed:
            yield f"{name} paid {row['settle_ticks']} ticks, its payoff is {owed}"
        if row["cash_e6"] != row["settle_ticks"] * row["lots"] * quantum_e6:
            yield f"{name} paid account {row['account']} {row['cash_e6']} for {row['lots']} lots"
    for what in ("lots", "cash_e6"):
        total = sum(row[what] for row in rows)
        if total:
            yield f"the {what} of {name}'s settlements sum to {total}"
