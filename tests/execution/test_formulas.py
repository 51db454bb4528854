"""The vectors of FORMULAS 1 to 4, one table for each rule, named by the number.

Markets of the tables: ETH has ticks of 0.01 and lots of 0.001 (a quantum of 10), TOKEN has ticks of
0.0001 and lots of 1 (a quantum of 100); USD is 1e6.
"""

from fractions import Fraction

import pytest

from quorate.execution import risk_rules as r
from quorate.execution import rules
from quorate.types.limits import E9, EMA_SCALE, PPM, PRICE_TICKS_MAX

USD = 1_000_000
MILLION = 1_000_000 * USD
ETH = 10
TOKEN = 100
MINUTE, HOUR = 60_000, 3_600_000
TOP = PRICE_TICKS_MAX


# --- 1: margin tiers ------------------------------------------------------------------------------
def tiered(value_e6: int) -> tuple[int, int]:
    """Rate and deduction of BTC: 40 times to 150 million, 20 times above."""
    low, high = rules.tier_rate_ppm(40), rules.tier_rate_ppm(20)
    if value_e6 < 150 * MILLION:
        return low, 0
    return high, rules.tier_deduction(0, 150 * MILLION, high, low)


@pytest.mark.parametrize(
    ("millions", "maintenance", "initial", "kept"),
    [
        (0, 0, 0, 0),
        (100, 1_250_000, 2_500_000, 10_000_000),
        (150, 1_875_000, 3_750_000, 15_000_000),
        (200, 3_125_000, 6_250_000, 20_000_000),
    ],
)
def test_formulas_1_margin_tiers(millions: int, maintenance: int, initial: int, kept: int) -> None:
    value = millions * MILLION
    assert rules.maintenance(value, *tiered(value)) == maintenance * USD
    assert rules.initial(value, *tiered(value)) == initial * USD
    assert rules.withdrawable_floor(initial * USD, value) == kept * USD


@pytest.mark.parametrize("above", [0, 1, 79, 80, 1_000_000])
def test_formulas_1_maintenance_is_continuous(above: int) -> None:
    below = rules.maintenance(150 * MILLION - 1, *tiered(150 * MILLION - 1))
    value = 150 * MILLION + above
    assert 0 <= rules.maintenance(value, *tiered(value)) - below <= (above + 1) // 40 + 2


@pytest.mark.parametrize(
    ("sign", "price", "available", "lots", "rate_ppm", "found"),
    [
        # The two of FORMULAS 4: equity of 1000 on 9000 at 5 %; 2000, of which others need 350.
        (-1, 300_000, 1_000 - 450, 3_000, 50_000, 317_460),
        (-1, 300_000, 2_000 - 450 - 350, 3_000, 50_000, 338_095),
        # A long of 1 ETH at 3000 with 300, 20 times, maintenance 2.5 %: 2700 / 0.975, upwards.
        (1, 300_000, 300 - 75, 1_000, 25_000, 276_924),
        (1, 300_000, 0, 1_000, 25_000, 300_000),
        (1, 300_000, -75, 1_000, 25_000, 307_693),
        (1, 300_000, 3_000, 1_000, 25_000, 0),
    ],
)
def test_formulas_1_liquidation_price(
    sign: int, price: int, available: int, lots: int, rate_ppm: int, found: int
) -> None:
    assert r.liquidation_price(sign, price, available * USD, lots, ETH, rate_ppm) == found


# --- 2: mark and oracle ---------------------------------------------------------------------------
def weighted_median(values: list[tuple[int, int]]) -> int:
    """Lowest of the (value, weight) at which at least half of the weight is reached."""
    total = sum([weight for _, weight in values])
    reached = 0
    for value, weight in sorted(values):
        reached += weight
        if 2 * reached >= total:
            return value
    raise AssertionError("no values")


@pytest.mark.parametrize(
    ("values", "middle"),
    [
        ((100, 101, 102), 101),
        ((102, 100, 101), 101),
        ((101, 102, 100), 101),
        ((100, 100, 999), 100),
        ((1, 999, 999), 999),
        ((7, 7, 7), 7),
        ((-5, 3, -9), -5),
    ],
)
def test_formulas_2_median_of_three(values: tuple[int, int, int], middle: int) -> None:
    assert r.median3(*values) == middle == weighted_median([(value, 1) for value in values])


@pytest.mark.parametrize(
    ("oracle_based", "book", "external", "book_ema", "mark"),
    [
        (10_000, 10_020, 10_010, 5_000, 10_010),
        (10_000, 90_000, 10_010, 90_000, 10_010),  # one candidate alone moves nothing
        (10_000, 10_020, 0, 10_015, 10_015),
        (10_000, 10_020, 0, 20_000, 10_020),
        (10_000, 0, 10_010, 10_001, 10_001),
        (0, 10_020, 10_010, 1, 10_010),
        (10_000, 10_021, 0, 0, 10_010),
        (0, 0, 10_010, 1, 10_010),
        (0, 10_020, 0, 1, 10_020),
        (10_000, 0, 0, 1, 10_000),
        (0, 0, 0, 10_000, 0),
    ],
)
def test_formulas_2_mark(
    oracle_based: int, book: int, external: int, book_ema: int, mark: int
) -> None:
    assert r.mark_candidate(oracle_based, book, external, book_ema) == mark


@pytest.mark.parametrize(
    ("before", "candidate", "most_ppm", "mark"),
    [
        (10_000, 10_050, 10_000, 10_050),
        (10_000, 10_100, 10_000, 10_100),
        (10_000, 10_101, 10_000, 10_100),
        (10_000, 1, 10_000, 9_900),
        (10_099, 20_000, 10_000, 10_199),  # 100.99 ticks, floored
        (50, 90, 10_000, 51),  # at least one tick
        (50, 10, 10_000, 49),
        (10_000, 1, 0, 1),
        (0, 77, 10_000, 77),
    ],
)
def test_formulas_2_clamp_of_one_percent(
    before: int, candidate: int, most_ppm: int, mark: int
) -> None:
    assert r.clamp_move(before, candidate, most_ppm) == mark


@pytest.mark.parametrize(
    ("candidate", "rate_ppm", "mark"),
    [
        (10_200, 12_500, 10_200),  # leverage 40: within 2.5 %
        (10_251, 12_500, 10_250),
        (9_000, 12_500, 9_750),
        (13_000, 250_000, 12_000),  # leverage 2: never more than 20 %
        (1, 500_000, 8_000),
        (10_001, 1, 10_000),
    ],
)
def test_formulas_2_mark_stays_near_its_index(candidate: int, rate_ppm: int, mark: int) -> None:
    assert r.mark_near_index(candidate, 10_000, rate_ppm) == mark


@pytest.mark.parametrize(
    ("dt_ms", "tau_ms", "weight_e9"),
    [
        (0, 150_000, 0),
        (3_000, 150_000, 19_801_327),  # 1 - exp(-0.02)
        (150_000, 150_000, 632_120_559),
        (3_000, 30_000, 95_162_582),  # 1 - exp(-0.1)
        (345_000, 150_000, 899_741_156),  # 1 - exp(-2.3)
        (1_500_000, 150_000, 999_954_600),
        (6_000_000, 150_000, E9),
        (1, 0, E9),
        (0, 0, 0),
    ],
)
def test_formulas_2_ema_weight(dt_ms: int, tau_ms: int, weight_e9: int) -> None:
    assert r.ema_weight_e9(dt_ms, tau_ms) == weight_e9


@pytest.mark.parametrize(
    ("basis", "sample", "dt_ms", "after_fp"),
    [
        (0, 100, 150_000, 4_142_665),  # 63.2120559 ticks
        (0, -100, 150_000, -4_142_665),
        (100, 0, 150_000, 100 * EMA_SCALE - 4_142_665),
        (100, 200, 0, 100 * EMA_SCALE),
        (100, 200, 6_000_000, 200 * EMA_SCALE),
    ],
)
def test_formulas_2_ema_of_the_basis(basis: int, sample: int, dt_ms: int, after_fp: int) -> None:
    after = r.ema_step(basis * EMA_SCALE, sample * EMA_SCALE, dt_ms, 150_000)
    assert after == after_fp
    assert abs(r.ema_ticks(after) * EMA_SCALE - after) * 2 <= EMA_SCALE


# --- 3: funding -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("bid", "ask", "oracle", "premium"),
    [
        (10_100, 10_110, 10_000, 10_000_000),  # 1 %
        (9_890, 9_900, 10_000, -10_000_000),
        (9_990, 10_010, 10_000, 0),
        (0, 9_900, 10_000, -10_000_000),
        (0, 10_100, 10_000, 0),
        (10_100, 0, 10_000, 10_000_000),
        (10_001, 10_002, 30_000, -666_600_000),
        (10_003, 0, 10_002, 99_980),  # 99 980.004, towards zero
        (0, 10_001, 10_002, -99_980),
        (1_000_000, 0, 1, 60 * E9),
        (10_100, 10_110, 0, 0),
    ],
)
def test_formulas_3_premium(bid: int, ask: int, oracle: int, premium: int) -> None:
    assert r.premium_e9(bid, ask, oracle) == premium


INTEREST_E9, CLAMP_E9, CAP_E9 = 100_000, 500_000, 40_000_000  # 0.01 %, 0.05 %, 4 % an hour


@pytest.mark.parametrize(
    ("premium", "rate_8h", "rate_hour"),
    [
        (10_000_000, 9_500_000, 1_187_500),  # the vector: 1 % gives 0.95 %
        (-10_000_000, -9_500_000, -1_187_500),
        (0, 100_000, 12_500),
        (300_000, 100_000, 12_500),
        (600_000, 100_000, 12_500),
        (600_001, 100_001, 12_500),
        (-400_000, 100_000, 12_500),
        (-400_001, 99_999, 12_499),
        (-600_001, -100_001, -12_500),
        (400_000_000, 399_500_000, 40_000_000),  # above 4 % an hour
        (-400_000_000, -399_500_000, -40_000_000),
    ],
)
def test_formulas_3_funding_rate(premium: int, rate_8h: int, rate_hour: int) -> None:
    assert r.funding_rate_e9(premium, INTEREST_E9, CLAMP_E9) == rate_8h
    assert r.funding_hour_e9(rate_8h, CAP_E9, HOUR) == rate_hour


@pytest.mark.parametrize(
    ("interval_ms", "rate"),
    [(8 * HOUR, 9_500_000), (HOUR, 1_187_500), (MINUTE, 19_791), (0, 0)],
)
def test_formulas_3_rate_of_an_interval(interval_ms: int, rate: int) -> None:
    assert r.funding_hour_e9(9_500_000, CAP_E9, interval_ms) == rate
    assert r.funding_hour_e9(10 * E9, CAP_E9, interval_ms) == CAP_E9 * interval_ms // HOUR


@pytest.mark.parametrize(
    ("price_max", "quantum", "shift"),
    [(2**30, 1, 14), (2**30 - 1, 1, 14), (2**30 + 1, 1, 13), (1, 1, 30), (2**40 - 1, 2**12, 0)],
)
def test_formulas_3_index_shift(price_max: int, quantum: int, shift: int) -> None:
    assert r.funding_shift(price_max, quantum) == shift


@pytest.mark.parametrize(
    ("size", "hours", "paid"),
    [
        # 3 ETH at 3000 for an hour at 0.11875 %: 9000 * 0.0011875 = 10.6875 USD.
        (3_000, 1, 10_687_500),
        (-3_000, 1, -10_687_500),
        (3_000, 24, 256_500_000),
        (1, 1, 3_563),  # 3562.5, rounded up
        (-1, 1, -3_562),
        (0, 24, 0),
    ],
)
def test_formulas_3_payment(size: int, hours: int, paid: int) -> None:
    shift = r.funding_shift(10**9, ETH)
    step = r.funding_index_step(300_000, ETH, 1_187_500, shift)
    now = 0
    for _ in range(hours):
        now = r.funding_index_after(now, step)
    assert shift == 10 and r.funding_payment(size, now, 0, shift) == paid
    assert r.funding_index_step(300_000, ETH, -1_187_500, shift) == -step


# --- 4: open interest, zero price, fillable price, insurance --------------------------------------
@pytest.mark.parametrize(
    ("oi", "share_ppm"),
    [
        (0, 50_000), (40, 50_000), (55, 287_500), (70, 525_000), (100, 1_000_000), (500, 1_000_000)
    ],
)  # fmt: skip
def test_formulas_4_open_interest_scaled_initial(oi: int, share_ppm: int) -> None:
    value = 1_000 * USD
    found = r.oi_scaled_initial(50 * USD, value, oi * MILLION, 40 * MILLION, 100 * MILLION)
    assert found == share_ppm * 1_000
    assert r.oi_scaled_initial(50 * USD, value, oi * MILLION, 0, 0) == 50 * USD


@pytest.mark.parametrize(
    ("sign", "mark", "lots", "quantum", "equity", "required", "freed", "price"),
    [
        # Long 500 from 1 with 100, at .801, maintenance 3 %: equity .5, requirement 12.015.
        (1, 8_010, 500, TOKEN, 500_000, 12_015_000, 12_015_000, 8_000),
        # The same closed in part: the requirement falls in proportion, the price is the same.
        (1, 8_010, 100, TOKEN, 500_000, 12_015_000, 2_403_000, 8_000),
        # Short 500 from 1 with 100, at 2: equity -400.
        (-1, 20_000, 500, TOKEN, -400 * USD, 30 * USD, 30 * USD, 12_000),
        # Short 3 ETH at 3000 with 1000, alone: 3000 + 1000 / 3, downwards.
        (-1, 300_000, 3_000, ETH, 1_000 * USD, 450 * USD, 450 * USD, 333_333),
        # At its liquidation price of FORMULAS 4, 3174.60, its equity is 476.20: the same price.
        (-1, 317_460, 3_000, ETH, 476_200_000, 476_190_000, 476_190_000, 333_333),
        # At 3380.95 with others needing 350, it bears 507.1425 of the 857.1425 required.
        (-1, 338_095, 3_000, ETH, 857_150_000, 857_142_500, 507_142_500, 354_999),
        (1, 300_000, 3_000, ETH, 1_000 * USD, 450 * USD, 450 * USD, 266_667),
        (1, 300_000, 3_000, ETH, 0, 450 * USD, 450 * USD, 300_000),
        (1, 300_000, 3_000, ETH, 99_000 * USD, 450 * USD, 450 * USD, 1),
        (-1, 300_000, 3_000, ETH, 10**15, 450 * USD, 450 * USD, 2**30),
        (1, 300_000, 3_000, ETH, 1_000 * USD, 0, 0, 300_000),
    ],
)
def test_formulas_4_zero_price(
    sign: int, mark: int, lots: int, quantum: int, equity: int, required: int, freed: int,
    price: int,
) -> None:  # fmt: skip
    assert r.zero_price(sign, mark, lots, quantum, equity, required, freed, 2**30) == price


def test_formulas_4_zero_price_is_lighters_and_dydx() -> None:
    """Where one rate holds: P * (1 - sgn * MMF * NC / MMR), in tokens .8 and 1.2."""
    cases = ((1, 8_010, Fraction(1, 2), 8_000), (-1, 20_000, Fraction(-400), 12_000))
    for sign, mark, equity, price in cases:
        required = Fraction(500 * mark, 10_000) * Fraction(3, 100)
        exact = mark * (1 - sign * Fraction(3, 100) * equity / required)
        assert exact == price


@pytest.mark.parametrize(
    ("sign", "mark", "equity", "required", "price"),
    [
        # Long 500 from 1 with 100 at .801 and 3 %: .766455, which the source gives as .76646.
        (1, 801_000, 500_000, 12_015_000, 766_455),
        (1, 8_010, 500_000, 12_015_000, 7_664),
        (-1, 8_010, 500_000, 12_015_000, 8_356),
        (1, 8_010, -1, 12_015_000, 7_649),  # all of 4.5 %
        (1, 8_010, -10 * USD, 12_015_000, 7_649),
        (-1, 20_000, -400 * USD, 30 * USD, 20_900),
        (1, 8_010, 12_015_000, 12_015_000, 8_010),
        (-1, 8_010, 20 * USD, 12_015_000, 8_010),
        (1, 8_010, 1, 0, 8_010),
    ],
)
def test_formulas_4_fillable_price(
    sign: int, mark: int, equity: int, required: int, price: int
) -> None:
    found = r.fillable_price(sign, mark, equity, required, 30_000, PPM, 1_500_000, TOP)
    assert found == price


@pytest.mark.parametrize(
    ("fill", "bankruptcy", "delta"),
    [
        (400_500_000, 400_000_000, 500_000),  # less than 1.5 % of the fill: all of it
        (450_000_000, 400_000_000, 6_750_000),
        (399_000_000, 400_000_000, -1_000_000),
        (400_000_000, 400_000_000, 0),
        (-600_000_000, -650_000_000, 9_000_000),  # a short buys back for less
        (-700_000_000, -650_000_000, -50_000_000),
        (1_000_001, 0, 15_001),  # 15 000.015, upwards
    ],
)
def test_formulas_4_insurance_fund(fill: int, bankruptcy: int, delta: int) -> None:
    assert r.insurance_delta(fill, bankruptcy, 15_000) == delta
