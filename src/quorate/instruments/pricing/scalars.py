"""The scalar rules of pricing, compiled for kernels from their one source.

As execution.kernels.scalars: each function is given the names of all modules of rules, in which the
rules are the compiled ones. No name may be defined twice.
"""

from types import FunctionType
from typing import Any

from quorate.compiled import helper
from quorate.instruments.pricing import black76, fixed, greeks, normal

_names: dict[str, Any] = {}
for _module in (fixed, normal, black76, greeks):
    for _name, _value in vars(_module).items():
        if not isinstance(_value, FunctionType):
            _names[_name] = _value
        elif _value.__module__ == _module.__name__:
            assert _name not in _names, _name
            _names[_name] = helper(FunctionType(_value.__code__, _names, _name))

product_q52 = _names["product_q52"]
ratio_fp = _names["ratio_fp"]
ln_q52 = _names["ln_q52"]
root_years_q52 = _names["root_years_q52"]
mills_q56 = _names["mills_q56"]
density_fp = _names["density_fp"]
distribution_fp = _names["distribution_fp"]
deviation_fp = _names["deviation_fp"]
root_deviation_fp = _names["root_deviation_fp"]
time_value_q60 = _names["time_value_q60"]
distance_of_ratio_q52 = _names["distance_of_ratio_q52"]
ratio_price_fp = _names["ratio_price_fp"]
price_fp = _names["price_fp"]
price_ticks = _names["price_ticks"]
implied_root_vol_e9 = _names["implied_root_vol_e9"]
implied_vol_e9 = _names["implied_vol_e9"]
greeks_fill = _names["greeks_fill"]
ln_fp = _names["ln_fp"]
exp_fp = _names["exp_fp"]
