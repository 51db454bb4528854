"""The rules of margin, compiled from their one source, and the kernels that call them.

As `execution.kernels.scalars` does, each function is given the names of all modules of rules, in
which the rules are the compiled ones. No name may be defined twice.
"""

from types import FunctionType
from typing import Any

from quorate.compiled import helper, kernel
from quorate.instruments.margin import (
    exotics,
    hedging,
    layout,
    liquidation,
    marking,
    portfolio,
    rules,
    shocks,
    standard,
)
from quorate.instruments.payoff.kernels import payoff_ticks
from quorate.instruments.pricing import black76, fixed, normal

_names: dict[str, Any] = {"payoff_ticks": payoff_ticks}
for _module in (
    fixed, normal, black76, layout, rules, shocks, marking, exotics, standard, portfolio,
    liquidation, hedging,
):  # fmt: skip
    for _name, _value in vars(_module).items():
        if _name.startswith("__"):
            continue
        if not isinstance(_value, FunctionType):
            # A constant of two modules must be one.
            assert _names.setdefault(_name, _value) is _value or _names[_name] == _value, _name
        elif _value.__module__ == _module.__name__:
            assert _name not in _names, _name
            _names[_name] = helper(FunctionType(_value.__code__, _names, _name))

_standard_margin = _names["standard_margin"]
_portfolio_margin = _names["portfolio_margin"]
_fill_worths = _names["fill_worths"]
_fill_marks = _names["fill_marks"]
_fill_exotic = _names["fill_exotic"]
_hedge_lots = _names["hedge_lots"]

_A1 = "int64[::1]"
_A2 = "int64[:, ::1]"


@kernel(f"void({_A2}, int64, {_A2}, int64, {_A2}, {_A2}, {_A2}, {_A2}, {_A1}, {_A2}, {_A1})")
def by_leg(
    legs: Any, count: int, orders: Any, order_count: int, series: Any, underlyings: Any,
    expiries: Any, worths: Any, p: Any, merged: Any, results: Any,
) -> None:  # fmt: skip
    """Write one account's standard margin; as `standard.standard_margin`."""
    tables = (series, underlyings, expiries, worths)
    _standard_margin(legs, count, orders, order_count, tables, p, merged, results)


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
    _portfolio_margin(
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
        _portfolio_margin(
            legs[first:], count, legs, 0, tables, groups, p, values, outcomes, marks, touched,
            results[k],
        )  # fmt: skip


@kernel(f"void({_A2}, int64, {_A2}, {_A2})")
def remark(series: Any, count: int, expiries: Any, worths: Any) -> None:
    """Write the table of worths and the terms of all expiries; as `marking.fill_worths`."""
    _fill_worths(series, count, expiries, worths)


@kernel(f"void({_A2}, int64, {_A2})")
def mark(series: Any, count: int, expiries: Any) -> None:
    """Write the marks of European options by their volatilities; as `marking.fill_marks`."""
    _fill_marks(series, count, expiries)


@kernel(
    f"void({_A2}, {_A2}, {_A2}, int64, {_A1}, int64, {_A1}, {_A1}, {_A1}, int64, {_A1}, {_A1},"
    f" {_A1})"
)
def remark_exotic(
    series: Any, expiries: Any, worths: Any, row: int, code: Any, count: int, lows: Any,
    highs: Any, inputs: Any, remaining: int, prices: Any, state: Any, values: Any,
) -> None:  # fmt: skip
    """Write the row of one exotic; as `exotics.fill_exotic`."""
    _fill_exotic(
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
    lots: int = _hedge_lots(
        legs, count, perpetual, tables, groups, p, values, outcomes, marks, touched, results,
        requirements,
    )  # fmt: skip
    return lots
