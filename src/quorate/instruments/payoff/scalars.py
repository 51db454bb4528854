"""The payoff language compiled as parts of kernels, from its one source.

Each function is given the names of all modules of this room, in which the functions are the
compiled ones.
"""

from types import FunctionType
from typing import Any

from quorate.compiled import helper
from quorate.instruments.payoff import admission, checker, code, compiler, lexer, machine, rules

names: dict[str, Any] = {}
for _module in (rules, code, machine, checker, lexer, compiler, admission):
    for _name, _value in vars(_module).items():
        if not isinstance(_value, FunctionType):
            names[_name] = _value
        elif _value.__module__ == _module.__name__:
            assert _name not in names, _name
            names[_name] = helper(FunctionType(_value.__code__, names, _name))

run = names["run"]
payoff_ticks = names["payoff_ticks"]
check = names["check"]
compile_text = names["compile_text"]
admit = names["admit"]
