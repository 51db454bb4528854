"""The scalar rules of `execution.rules`, compiled for kernels from that one source.

Each function is given a copy of its module's names in which the other rules are the compiled ones,
so that rules may call one another in plain Python and in machine code alike.
"""

from types import FunctionType
from typing import Any

from quorate.compiled import helper
from quorate.execution import rules

_names: dict[str, Any] = dict(vars(rules))
for _name, _rule in vars(rules).items():
    if isinstance(_rule, FunctionType):
        _names[_name] = helper(FunctionType(_rule.__code__, _names, _name))

ppm_ceil = _names["ppm_ceil"]
notional = _names["notional"]
initial = _names["initial"]
tier_rate_ppm = _names["tier_rate_ppm"]
tier_deduction = _names["tier_deduction"]
worst_lots = _names["worst_lots"]
crosses = _names["crosses"]
market_price = _names["market_price"]
entry_closed = _names["entry_closed"]
reducible = _names["reducible"]
leverage_holds = _names["leverage_holds"]
nonce_in_window = _names["nonce_in_window"]
withdrawable_floor = _names["withdrawable_floor"]
