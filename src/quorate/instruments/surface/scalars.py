"""The rules of the surface, compiled for kernels from their one source, over those of pricing.

As instruments.pricing.scalars. No name may be defined twice.
"""

from types import FunctionType
from typing import Any

from quorate.compiled import helper
from quorate.instruments.pricing import scalars
from quorate.instruments.surface import arbitrage, fit, smile, steps, vol_index, votes

_names: dict[str, Any] = {
    name: value for name, value in vars(scalars).items() if not name.startswith("_")
}
for _module in (smile, arbitrage, fit, votes, vol_index, steps):
    for _name, _value in vars(_module).items():
        if not isinstance(_value, FunctionType):
            # A constant that two modules share is one value; what Python adds to a module is not.
            assert _name.startswith("__") or _names.setdefault(_name, _value) is _value, _name
        elif _value.__module__ == _module.__name__:
            assert _name not in _names, _name
            _names[_name] = helper(FunctionType(_value.__code__, _names, _name))

vol_e9_at = _names["vol_e9_at"]
smile_deviation_fp = _names["smile_deviation_fp"]
repaired_into = _names["repaired_into"]
fitted_into = _names["fitted_into"]
pillars_into = _names["pillars_into"]
pulled_into = _names["pulled_into"]
vol_index_rule = _names["vol_index_e9"]
vol_index_confidence_ppm = _names["vol_index_confidence_ppm"]
surface_into = _names["surface_into"]
marks_into = _names["marks_into"]
