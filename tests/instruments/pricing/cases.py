"""Options over the whole admitted range, its corners and the places where formulas change."""

import math
import random
from dataclasses import dataclass

from hypothesis import strategies as st

from quorate.instruments.pricing.black76 import (
    TIME_MAX_MS,
    TIME_MIN_MS,
    VOL_MAX_E9,
    VOL_MIN_E9,
    YEAR_MS,
)

PRICE_MAX = 2**40 - 1


@dataclass(frozen=True)
class Case:
    """One option; `deviation` is sigma * sqrt(tau) as a float."""

    forward: int
    strike: int
    vol_e9: int
    time_ms: int
    call: bool

    @property
    def deviation(self) -> float:
        return self.vol_e9 / 1e9 * math.sqrt(self.time_ms / YEAR_MS)


def case(log_forward: float, moneyness: float, log_vol: float, log_time: float, call: bool) -> Case:
    """A case from five numbers in [0, 1], [-1, 1] for the moneyness."""
    forward = round(1000 * (PRICE_MAX / 1000) ** log_forward)
    strike = round(forward * 8**moneyness)
    if strike > PRICE_MAX:
        forward, strike = forward // 8, round(forward // 8 * 8**moneyness)
    vol_e9 = round(VOL_MIN_E9 * (VOL_MAX_E9 / VOL_MIN_E9) ** log_vol)
    time_ms = round(TIME_MIN_MS * (TIME_MAX_MS / TIME_MIN_MS) ** log_time)
    return Case(forward, strike, vol_e9, time_ms, call)


unit = st.floats(0, 1)
any_case = st.builds(case, unit, st.floats(-1, 1), unit, unit, st.booleans())


def near_money(rng: random.Random, log_forward: float) -> Case:
    """A case a few deviations from the money, where the price is neither 0 nor its bound."""
    log_vol, log_time = rng.random(), rng.random()
    deviation = case(0.5, 0, log_vol, log_time, True).deviation
    distance = deviation * (rng.gauss(0, 2) + deviation / 2)
    moneyness = max(-1.0, min(1.0, distance / math.log(8)))
    return case(log_forward, moneyness, log_vol, log_time, rng.random() < 0.5)


def cases(seed: int, count: int) -> list[Case]:
    """Seeded cases: corners, a third all over the range, two thirds near the money."""
    rng = random.Random(seed)
    found = [
        case(0.9, moneyness, log_vol, log_time, call)
        for moneyness in (-1, 0, 1)
        for log_vol in (0, 1)
        for log_time in (0, 1)
        for call in (False, True)
    ]
    while len(found) < count:
        log_forward = 0.4 + 0.6 * rng.random()
        if len(found) % 3 == 0:
            moneyness = rng.uniform(-1, 1)
            side = rng.random() < 0.5
            found.append(case(log_forward, moneyness, rng.random(), rng.random(), side))
        else:
            found.append(near_money(rng, log_forward))
    return found
