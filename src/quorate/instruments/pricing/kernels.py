"""Prices, greeks and implied volatilities of many options at once, in machine code.

Each kernel takes one array of int64 an argument, all of one length, and writes into the last; calls
are 1 and puts 0. The rules are those of `black76` and `greeks`, in the same units. A root of time
is taken again only where the time differs from that of the row before.
"""

from quorate.compiled import kernel
from quorate.instruments.pricing.scalars import (
    greeks_fill,
    implied_root_vol_e9,
    price_fp,
    ratio_fp,
    root_deviation_fp,
    root_years_q52,
)


@kernel("void(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])")
def price_many(forwards, strikes, vols_e9, times_ms, calls, prices):
    """Write price_fp of each row."""
    time_ms = 0
    root = 0
    for n in range(forwards.shape[0]):
        if times_ms[n] != time_ms:
            time_ms = times_ms[n]
            root = root_years_q52(time_ms)
        deviation = root_deviation_fp(vols_e9[n], root)
        prices[n] = price_fp(forwards[n], strikes[n], deviation, calls[n] != 0)


@kernel("void(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[:, ::1])")
def greeks_many(forwards, strikes, vols_e9, times_ms, calls, rows):
    """Write greeks.COLUMNS integers a row: the price and the greeks."""
    time_ms = 0
    root = 0
    for n in range(forwards.shape[0]):
        if times_ms[n] != time_ms:
            time_ms = times_ms[n]
            root = root_years_q52(time_ms)
        ratio = ratio_fp(strikes[n], forwards[n])
        deviation = root_deviation_fp(vols_e9[n], root)
        greeks_fill(ratio, deviation, root, time_ms, calls[n] != 0, rows[n])


@kernel("void(int64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64[::1])")
def implied_vol_many(prices, forwards, strikes, times_ms, calls, vols_e9):
    """Write implied_vol_e9 of each row's price in 2**-40."""
    time_ms = 0
    root = 0
    for n in range(prices.shape[0]):
        if times_ms[n] != time_ms:
            time_ms = times_ms[n]
            root = root_years_q52(time_ms)
        ratio = ratio_fp(strikes[n], forwards[n])
        vols_e9[n] = implied_root_vol_e9(prices[n], ratio, root, calls[n] != 0)
