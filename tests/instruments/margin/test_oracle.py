"""Both margins against an independent float implementation with QuantLib's prices."""

import random

import pytest

from quorate.instruments.margin import layout as at
from tests.instruments.margin import oracle
from tests.instruments.margin.worlds import World, full_world

SCALE = 1_000
WORLD = full_world(SCALE)


def described(world: World) -> tuple[oracle.Market, list[oracle.Option | oracle.Linear]]:
    """The world in words and floats: the market, and what each row is."""
    names = [f"u{u}" for u in range(len(world.underlyings))]
    index = {name: int(row[at.INDEX]) / SCALE for name, row in zip(names, world.underlyings,
                                                                  strict=True)}  # fmt: skip
    forward, days, what = {}, {}, list[oracle.Option | oracle.Linear]()
    for row in world.series:
        underlying, expiry = names[row[at.UNDERLYING]], f"e{row[at.EXPIRY]}"
        terms = world.expiries[row[at.EXPIRY]]
        forward[expiry] = int(terms[at.FORWARD]) / SCALE
        days[expiry] = int(terms[at.TIME_MS]) / 86_400_000
        if row[at.KIND] in (at.SPOT, at.PERPETUAL):
            what.append(oracle.Linear(underlying, row[at.KIND] == at.SPOT))
        else:
            call, vol = row[at.KIND] == at.CALL, int(row[at.VOL_E9]) / 1e9
            strike = int(row[at.STRIKE]) / SCALE
            what.append(oracle.Option(underlying, expiry, strike, bool(call), vol))
    return oracle.Market(index, forward, days), what


@pytest.mark.parametrize("seed", range(25))
def test_both_margins_against_quantlib(seed: int) -> None:
    """Within two ticks a lot, where prices are rounded, and 2e-6 of what is needed."""
    rng = random.Random(seed)
    market, what = described(WORLD)
    count = rng.choice([1, 2, 4, 12, 30])
    rows = rng.sample(range(len(WORLD.series)), count)
    legs = [(row, rng.choice([-9, -5, -1, 1, 4, 9])) for row in rows]
    legs = [(row, abs(lots) if WORLD.series[row, at.KIND] == at.SPOT else lots)
            for row, lots in legs]  # fmt: skip
    floats: oracle.Legs = [(what[row], float(lots)) for row, lots in legs]
    ticks = 2.0 * sum(abs(lots) for _, lots in legs) / SCALE
    for found, exact in (
        (WORLD.portfolio(legs), oracle.portfolio(floats, market)),
        (WORLD.standard(legs), oracle.standard(floats, market)),
    ):
        for level in (at.INITIAL_E6, at.MAINTENANCE_E6):
            near = ticks + 2e-6 * abs(exact[level]) + 2e-6 * 9_000 * count
            assert abs(found[level] / 1e6 - exact[level]) <= near, (level, legs)
