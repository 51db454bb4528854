"""Walks over adjacent inputs in machine code, counting each step that goes the wrong way.

Only what a test walks: a step of one unit in the deviation, in the strike's ratio, and in forward
and strike in ticks, for call and put and both roundings.
"""

from quorate.compiled import kernel
from quorate.instruments.pricing.scalars import (
    price_ticks,
    ratio_price_fp,
    root_deviation_fp,
    root_years_q52,
    time_value_q60,
)

SIGNATURE = "void(int64[::1], int64[::1], int64[::1], int64, int64[::1])"


@kernel(SIGNATURE)
def fractions_walk(ratios, deviations, _, steps, wrong):
    """wrong: by the deviation, by the ratio."""
    for n in range(ratios.shape[0]):
        for side in range(2):
            call = side == 0
            first = ratio_price_fp(ratios[n], deviations[n], call)
            last = first
            for step in range(1, steps):
                price = ratio_price_fp(ratios[n], deviations[n] + step, call)
                wrong[0] += price < last
                last = price
            last = first
            for step in range(1, steps):
                price = ratio_price_fp(ratios[n] + step, deviations[n], call)
                wrong[1] += price > last if call else price < last
                last = price


@kernel(SIGNATURE)
def values_walk(distances, deviations, _, steps, wrong):
    """wrong: by the deviation, by the distance in steps of 2**-40; in units of 2**-60."""
    for n in range(distances.shape[0]):
        first = time_value_q60(distances[n], deviations[n])
        last = first
        for step in range(1, steps):
            value = time_value_q60(distances[n], deviations[n] + step)
            wrong[0] += value < last
            last = value
        last = first
        for step in range(1, steps):
            value = time_value_q60(distances[n] + step * 2**12, deviations[n])
            wrong[1] += value > last
            last = value


@kernel(SIGNATURE)
def ticks_walk(forwards, strikes, deviations, steps, wrong):
    """wrong: by the deviation, the strike, the forward; and moves of more than the tick itself."""
    for n in range(forwards.shape[0]):
        for side in range(4):
            call = side < 2
            up = side % 2 == 1
            first = price_ticks(forwards[n], strikes[n], deviations[n], call, up)
            last = first
            for step in range(1, steps):
                price = price_ticks(forwards[n], strikes[n], deviations[n] + step, call, up)
                wrong[0] += price < last
                last = price
            last = first
            for step in range(1, steps):
                price = price_ticks(forwards[n], strikes[n] + step, deviations[n], call, up)
                wrong[1] += price > last if call else price < last
                wrong[3] += abs(price - last) > 1
                last = price
            last = first
            for step in range(1, steps):
                price = price_ticks(forwards[n] + step, strikes[n], deviations[n], call, up)
                wrong[2] += price < last if call else price > last
                wrong[3] += abs(price - last) > 1
                last = price


@kernel(SIGNATURE)
def deviations_walk(vols_e9, times_ms, _, steps, wrong):
    """wrong: by the volatility, by the time."""
    for n in range(vols_e9.shape[0]):
        root = root_years_q52(times_ms[n])
        first = root_deviation_fp(vols_e9[n], root)
        last = first
        for step in range(1, steps):
            deviation = root_deviation_fp(vols_e9[n] + step, root)
            wrong[0] += deviation < last
            last = deviation
        last = first
        for step in range(1, steps):
            deviation = root_deviation_fp(vols_e9[n], root_years_q52(times_ms[n] + step))
            wrong[1] += deviation < last
            last = deviation
