"""No intermediate of a rule passes int64, for any input within its bounds.

The rules run in plain Python with integers that refuse to leave 64 bits: machine code would wrap
there without a word.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.pricing import black76, fixed, greeks, normal


class Int64(int):
    """An integer that raises where its value does not fit 64 bits."""

    def __new__(cls, value: int) -> "Int64":
        if not -(2**63) <= value < 2**63:
            raise OverflowError(value)
        return super().__new__(cls, value)


def checked(name: str) -> Any:
    def operation(self: int, *other: int) -> Any:
        found = getattr(int, name)(self, *other)
        return found if found is NotImplemented else Int64(found)

    return operation


for _name in ("add", "sub", "mul", "floordiv", "mod", "lshift", "rshift"):
    for _side in ("", "r"):
        setattr(Int64, f"__{_side}{_name}__", checked(f"__{_side}{_name}__"))
for _name in ("neg", "abs"):
    setattr(Int64, f"__{_name}__", checked(f"__{_name}__"))


def test_they_refuse() -> None:
    with pytest.raises(OverflowError):
        Int64(2**62) * 2
    with pytest.raises(OverflowError):
        2 * Int64(2**62) + 0
    with pytest.raises(OverflowError):
        -Int64(-(2**63))


def bits(least: int, most: int) -> st.SearchStrategy[int]:
    """Integers up to 2**most, each number of bits as likely as any other, and the ends."""
    wide = st.integers(least, most).flatmap(lambda n: st.integers(2**n // 2, 2**n - 1))
    return st.one_of(wide, st.just(2**most - 1)).map(Int64)


prices = bits(1, 40)
ratios = st.one_of(bits(0, 62), bits(38, 43), st.just(Int64(2**62)))
deviations = st.one_of(bits(1, 43), st.integers(1, black76.DEVIATION_MAX_FP)).map(Int64)
roots = bits(30, 55)
vols = st.one_of(bits(1, 62), bits(24, 41), st.integers(-5, 5).map(Int64))
times = bits(1, 37)
sides = st.booleans()


@given(vols, bits(1, 40))
def test_deviation(vol_e9: int, time_ms: int) -> None:
    black76.deviation_fp(vol_e9, time_ms)


@given(vols, roots)
def test_root_deviation(vol_e9: int, root: int) -> None:
    black76.root_deviation_fp(vol_e9, root)


@given(bits(0, 57), deviations)
def test_time_value(distance: int, deviation: int) -> None:
    black76.time_value_q60(distance, deviation)


@given(ratios, deviations, sides)
def test_ratio_price(ratio: int, deviation: int, call: bool) -> None:
    black76.ratio_price_fp(ratio, deviation, call)


@given(prices, prices, deviations, sides, sides)
def test_prices(forward: int, strike: int, deviation: int, call: bool, up: bool) -> None:
    black76.price_fp(forward, strike, deviation, call)
    black76.price_ticks(forward, strike, deviation, call, up)


@given(ratios, deviations, roots, times, sides)
def test_greeks(ratio: int, deviation: int, root: int, time_ms: int, call: bool) -> None:
    row = [Int64(0)] * greeks.COLUMNS
    greeks.greeks_fill(ratio, deviation, root, time_ms, call, row)


@given(ratios, ratios, roots, sides)
def test_implied(price: int, ratio: int, root: int, call: bool) -> None:
    black76.implied_root_vol_e9(price, ratio, root, call)


@given(bits(0, 62), bits(0, 49), sides)
def test_functions(number: int, argument: int, negative: bool) -> None:
    if number > 0:
        fixed.ln_q52(number)
        fixed.ln_fp(number)
        fixed.root_q28(number)
    signed = -argument if negative else argument
    fixed.exp_fp(signed)
    normal.density_fp(signed)
    normal.distribution_fp(signed)
