"""The rules of margin, compiled from their one source for kernels of this and other rooms.

As `execution.kernels.scalars` does, each function is given the names of all modules of rules, in
which the rules are the compiled ones. No name may be defined twice.
"""

from types import FunctionType
from typing import Any

from quorate.compiled import helper
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
from quorate.instruments.payoff import code, machine
from quorate.instruments.payoff import rules as payoff_rules
from quorate.instruments.pricing import black76, fixed, normal

_names: dict[str, Any] = {}
for _module in (
    fixed, normal, black76, payoff_rules, code, machine, layout, rules, shocks, marking, exotics,
    standard, portfolio, liquidation, hedging,
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

standard_margin = _names["standard_margin"]
portfolio_margin = _names["portfolio_margin"]
expiry_terms = _names["expiry_terms"]
fill_linear = _names["fill_linear"]
fill_option = _names["fill_option"]
fill_exotic = _names["fill_exotic"]
fill_worths = _names["fill_worths"]
fill_marks = _names["fill_marks"]
best_hedge = _names["best_hedge"]
delta_lots = _names["delta_lots"]
hedge_candidate = _names["hedge_candidate"]
hedge_lots = _names["hedge_lots"]
