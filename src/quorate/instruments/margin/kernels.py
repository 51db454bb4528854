"""The kernels of margin, of many accounts or series at a time; `scalars` compiles the rules."""

from typing import Any

from quorate.compiled import kernel
from quorate.instruments.margin.scalars import (
    fill_exotic,
    fill_marks,
    fill_worths,
    hedge_lots,
    portfolio_margin,
    standard_margin,
)

_A1 = "int64[::1]"
_A2 = "int64[:, ::1]"


@kernel(f"void({_A2}, int64, {_A2}, int64, {_A2}, {_A2}, {_A2}, {_A2}, {_A1}, {_A2}, {_A1})")
def by_leg(
    legs: Any, count: int, orders: Any, order_count: int, series: Any, underlyings: Any,
    expiries: Any, worths: Any, p: Any, merged: Any, results: Any,
) -> None:  # fmt: skip
    """Write one account's standard margin; as `standard.standard_margin`."""
    tables = (series, underlyings, expiries, worths)
    standard_margin(legs, count, orders, order_count, tables, p, merged, results)


@kernel(
    f"void({_A2}, int64, {_A2}, int64, {_A2}, {_A2}, {_A2}, {_A2}, {_A1}, {_A1},"
    f" {_A2}, {_A2}, {_A1}, {_A1}, {_A1})"
)
def scanned(
    legs: Any, count: int, orders: Any, order_count: int, series: Any, underlyings: Any,
    expiries: Any, worths: Any, groups: Any, p: Any,
    values: Any, outcomes: Any, marks: Any, touched: Any, results: Any,
) -> None:  # fmt: skip
    """Write one account's portfolio margin; as `portfolio.portfolio_margin`."""
    tables = (series, underlyings, expiries, worths)
    portfolio_margin(
        legs, count, orders, order_count, tables, groups, p, values, outcomes, marks, touched,
        results,
    )  # fmt: skip


@kernel(
    f"void({_A2}, {_A1}, {_A2}, {_A2}, {_A2}, {_A2}, {_A1}, {_A1},"
    f" {_A2}, {_A2}, {_A1}, {_A1}, {_A2})"
)
def scanned_many(
    legs: Any, starts: Any, series: Any, underlyings: Any, expiries: Any, worths: Any,
    groups: Any, p: Any, values: Any, outcomes: Any, marks: Any, touched: Any, results: Any,
) -> None:  # fmt: skip
    """Write the portfolio margin of many accounts without orders.

    Account k has legs [starts[k], starts[k + 1]) and row k of the results.
    """
    tables = (series, underlyings, expiries, worths)
    for k in range(len(starts) - 1):
        first = starts[k]
        count = starts[k + 1] - first
        portfolio_margin(
            legs[first:], count, legs, 0, tables, groups, p, values, outcomes, marks, touched,
            results[k],
        )  # fmt: skip


@kernel(f"void({_A2}, int64, {_A2}, {_A2})")
def remark(series: Any, count: int, expiries: Any, worths: Any) -> None:
    """Write the table of worths and the terms of all expiries; as `marking.fill_worths`."""
    fill_worths(series, count, expiries, worths)


@kernel(f"void({_A2}, int64, {_A2})")
def mark(series: Any, count: int, expiries: Any) -> None:
    """Write the marks of European options by their volatilities; as `marking.fill_marks`."""
    fill_marks(series, count, expiries)


@kernel(
    f"void({_A2}, {_A2}, {_A2}, int64, {_A1}, int64, {_A1}, {_A1}, {_A1}, int64, {_A1}, {_A1},"
    f" {_A1})"
)
def remark_exotic(
    series: Any, expiries: Any, worths: Any, row: int, code: Any, count: int, lows: Any,
    highs: Any, inputs: Any, remaining: int, prices: Any, state: Any, values: Any,
) -> None:  # fmt: skip
    """Write the row of one exotic; as `exotics.fill_exotic`."""
    fill_exotic(
        series, expiries, worths, row, code, count, lows, highs, inputs, remaining, prices, state,
        values,
    )  # fmt: skip


@kernel(
    f"int64({_A2}, int64, int64, {_A2}, {_A2}, {_A2}, {_A2}, {_A1}, {_A1},"
    f" {_A2}, {_A2}, {_A1}, {_A1}, {_A1}, {_A1})"
)
def hedge(
    legs: Any, count: int, perpetual: int, series: Any, underlyings: Any, expiries: Any,
    worths: Any, groups: Any, p: Any, values: Any, outcomes: Any, marks: Any, touched: Any,
    results: Any, requirements: Any,
) -> int:  # fmt: skip
    """Lots of the perpetual that lower maintenance most; as `hedging.hedge_lots`."""
    tables = (series, underlyings, expiries, worths)
    lots: int = hedge_lots(
        legs, count, perpetual, tables, groups, p, values, outcomes, marks, touched, results,
        requirements,
    )  # fmt: skip
    return lots
