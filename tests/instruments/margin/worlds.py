"""Small worlds for tests of margin: series, expiries and accounts as arrays.

Two underlyings of one group, three expiries each, strikes from half to twice the index. One tick is
one unit of the quote, one lot of a series with a quantum of 1e6 is one unit of the underlying.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quorate.instruments.margin import layout as at
from quorate.instruments.margin import marking, parameters, portfolio, standard
from quorate.types.limits import DAY_MS, LEGS_MAX, PPM

INDEXES = (3_000, 2_400)
DAYS = (2, 30, 200)
STRIKES = (50, 80, 95, 100, 105, 130, 200)  # per cent of the index
PAYOFF_MAX = 200_000
QUANTUM_E6 = 1_000_000
UNDERLYINGS = len(INDEXES)
EXPIRIES = UNDERLYINGS * (len(DAYS) + 1)

Row = tuple[int, ...]
Leg = tuple[int, int]  # row, lots


def series_row(
    kind: int, underlying: int, expiry: int, strike: int, mark: int = 0, vol_e9: int = 700_000_000
) -> Row:
    """One row of SERIES, with rates of 10 % and 6.5 %, without doubt."""
    rates = (100_000, 65_000)
    return (
        kind, underlying, expiry, strike, QUANTUM_E6, mark, PAYOFF_MAX, *rates, PPM, vol_e9
    )  # fmt: skip


@dataclass
class World:
    """Arrays that margin reads, and room for what it writes."""

    series: Any
    underlyings: Any
    expiries: Any
    groups: Any = field(default_factory=lambda: np.array([500_000], dtype=np.int64))
    parameters: Any = field(default_factory=lambda: np.array(parameters.DERIVE, dtype=np.int64))

    def __post_init__(self) -> None:
        """Write the marks of options and the table of worths."""
        self.worths = np.zeros((len(self.series), at.COLUMNS), dtype=np.int64)
        marking.fill_worths(self.series, len(self.series), self.expiries, self.worths)

    @property
    def tables(self) -> tuple[Any, Any, Any, Any]:
        """The four tables as the rules take them."""
        return (self.series, self.underlyings, self.expiries, self.worths)

    def standard(self, legs: Sequence[Leg], orders: Sequence[Row] = ()) -> list[int]:
        """Standard margin of legs (row, lots) and orders, by the plain rules."""
        results = np.zeros(at.RESULTS, dtype=np.int64)
        merged = np.zeros((LEGS_MAX, at.LEG_FIELDS), dtype=np.int64)
        standard.standard_margin(
            rows(legs, at.LEG_FIELDS), len(legs), rows(orders, at.ORDER_FIELDS),
            len(orders), self.tables, self.parameters, merged, results,
        )  # fmt: skip
        return [int(value) for value in results]

    def portfolio(self, legs: Sequence[Leg], orders: Sequence[Row] = ()) -> list[int]:
        """Portfolio margin of legs (row, lots) and orders, by the plain rules."""
        results = np.zeros(at.RESULTS, dtype=np.int64)
        scratch = self.scratch()
        portfolio.portfolio_margin(
            rows(legs, at.LEG_FIELDS), len(legs), rows(orders, at.ORDER_FIELDS),
            len(orders), self.tables, self.groups, self.parameters, *scratch, results,
        )  # fmt: skip
        assert not scratch[-1].any()
        return [int(value) for value in results]

    def scratch(self) -> tuple[Any, Any, Any, Any]:
        """Scratch arrays of the scan, with rubbish where they need not be 0."""
        expiry_count, count = len(self.expiries), len(self.underlyings)
        return (
            np.full((expiry_count, at.COLUMNS), 77, dtype=np.int64),
            np.full((count + 1, at.OUTCOMES), 77, dtype=np.int64),
            np.full(expiry_count, 77, dtype=np.int64),
            np.zeros(expiry_count + count, dtype=np.int64),
        )


def rows(values: Sequence[Row], width: int) -> Any:
    """An array of rows, with room for one where there is none."""
    if not values:
        return np.zeros((1, width), dtype=np.int64)
    return np.array(values, dtype=np.int64).reshape(len(values), width)


def expiry_of(underlying: int, which: int) -> int:
    """Number of an expiry; `which` is len(DAYS) for what never expires."""
    return underlying * (len(DAYS) + 1) + which


def full_world(scale: int = 1) -> World:
    """Per underlying a spot (first), a perpetual, and calls and puts of all strikes and expiries.

    Rows: underlying * ROWS_EACH + 0 spot, 1 perpetual, then options by expiry, strike, call first.
    `scale` makes the tick so many times finer, and the lot worth as much less.
    """
    series: list[Row] = []
    expiries = np.zeros((EXPIRIES, at.EXPIRY_FIELDS), dtype=np.int64)
    for u, index in enumerate(value * scale for value in INDEXES):
        never = expiry_of(u, len(DAYS))
        series.append(series_row(at.SPOT, u, never, 0, index))
        series.append(series_row(at.PERPETUAL, u, never, 0, index))
        for which, days in enumerate(DAYS):
            e = expiry_of(u, which)
            expiries[e, at.FORWARD] = index + which * scale
            expiries[e, at.TIME_MS] = days * DAY_MS
            expiries[e, at.VARIABLE_PPM] = PPM
            for strike in STRIKES:
                vol_e9 = 500_000_000 + abs(strike - 100) * 4_000_000
                for kind in (at.CALL, at.PUT):
                    series.append(series_row(kind, u, e, index * strike // 100, 0, vol_e9))
        expiries[never, at.FORWARD] = index
    table = np.array(series, dtype=np.int64)
    table[:, at.QUANTUM_E6] //= scale
    table[:, at.PAYOFF_MAX] *= scale
    marking.fill_marks(table, len(table), expiries)
    underlyings = np.array([(index * scale, 0) for index in INDEXES], dtype=np.int64)
    return World(table, underlyings, expiries)


ROWS_EACH = 2 + len(DAYS) * len(STRIKES) * 2


def option(underlying: int, which: int, strike: int, call: bool) -> int:
    """Row of an option in the full world; `strike` in per cent of the index."""
    place = (which * len(STRIKES) + STRIKES.index(strike)) * 2 + (0 if call else 1)
    return underlying * ROWS_EACH + 2 + place


def single_expiry(index: int, options: Sequence[tuple[int, int, int]]) -> World:
    """A world of one expiry with options (kind, strike, mark)."""
    expiries = np.zeros((2, at.EXPIRY_FIELDS), dtype=np.int64)
    expiries[0, at.FORWARD] = index
    expiries[1, at.FORWARD] = index
    expiries[0, at.TIME_MS] = 30 * DAY_MS
    expiries[0, at.VARIABLE_PPM] = PPM
    table = [series_row(kind, 0, 0, strike, mark) for kind, strike, mark in options]
    underlyings = np.array([(index, 0)], dtype=np.int64)
    return World(np.array(table, dtype=np.int64), underlyings, expiries)
