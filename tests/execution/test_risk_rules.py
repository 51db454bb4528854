"""The clearing house's rules against fractions, against int64, and compiled against plain."""

from collections.abc import Callable
from decimal import Decimal, getcontext
from fractions import Fraction
from inspect import isfunction
from math import ceil, floor, trunc
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quorate.execution import risk_rules as r
from quorate.execution import wide
from quorate.execution.rules import maintenance, tier_deduction
from quorate.types import limits as lim
from tests.execution.rule_cases import CASES, EQUITY, PRICE, WORTH, rows, rule
from tests.execution.rule_kernel import NAMES, rows_values

PPM, E9 = lim.PPM, lim.E9
MOST = lim.QUOTIENT_MAX
INNER = {"wide_quotient", "mul_div", "sizes_in_order", "power_of_two"}  # called by others alone


# --- all rules: the compiled form, and no intermediate beyond int64 -------------------------------
def within(name: str) -> Callable[..., int]:
    whole: Callable[..., int] = getattr(int, name)

    def operation(self: int, *others: int) -> int:
        value = whole(self, *others)
        if not -(2**63) <= value < 2**63:
            raise OverflowError(f"{name}: {int(self)}, {others}")
        return Int64(value)

    return operation


class Int64(int):
    """An integer that refuses what int64 cannot hold, in every intermediate."""


for name in ("add", "sub", "mul", "floordiv", "mod", "radd", "rsub", "rmul", "rfloordiv", "rmod"):
    setattr(Int64, f"__{name}__", within(f"__{name}__"))
for name in ("neg", "abs"):
    setattr(Int64, f"__{name}__", within(f"__{name}__"))


def test_the_guard_refuses_what_passes_int64() -> None:
    for bad in (
        lambda: Int64(2**40) * 2**23,
        lambda: 2**62 + Int64(2**62),
        lambda: -Int64(-(2**63)),
        lambda: abs(Int64(-(2**63))),
        lambda: 1 - Int64(-(2**63) + 1) + 1,
    ):
        with pytest.raises(OverflowError):
            bad()
    assert Int64(-7) // 2 == -4 and -7 % Int64(2) == 1


def test_every_rule_has_cases_and_a_place_in_the_kernel() -> None:
    found = {
        name
        for module in (wide, r)
        for name, value in vars(module).items()
        if isfunction(value) and value.__module__ == module.__name__
    }
    assert found - INNER == set(CASES) == set(NAMES) and INNER < found


@pytest.mark.parametrize("name", CASES)
def test_no_intermediate_passes_int64(name: str) -> None:
    judged = rule(name)
    for row in rows(name, 2_000):
        judged(*map(Int64, row))


@pytest.mark.parametrize("name", CASES)
def test_the_compiled_rule_gives_the_same(name: str) -> None:
    drawn = rows(name, 3_000, seed=1)
    plain = [int(rule(name)(*row)) for row in drawn]
    assert rows_values(name, drawn) == plain
    assert len(set(plain)) > 1


# --- wide arithmetic ------------------------------------------------------------------------------
def quotient(a: int, b: int, c: int) -> int:
    return max(-MOST, min(MOST, a * b // c))


def test_wide_quotients_equal_those_of_whole_integers() -> None:
    drawn = rows("mul_div_floor", 120_000, seed=2)
    floors = [quotient(*row) for row in drawn]
    ceils = [-quotient(-a, b, c) for a, b, c in drawn]
    assert [wide.mul_div_floor(*row) for row in drawn] == floors
    assert [wide.mul_div_ceil(*row) for row in drawn] == ceils
    assert rows_values("mul_div_floor", drawn) == floors
    assert rows_values("mul_div_ceil", drawn) == ceils
    exact = [value for value in floors if abs(value) < MOST]
    assert len(exact) > 50_000 and max(exact) > 2**61


@pytest.mark.parametrize(
    ("a", "b", "c", "low", "high"),
    [
        (7, 3, 2, 10, 11),
        (-7, 3, 2, -11, -10),
        (-6, 3, 2, -9, -9),
        (0, 2**62, 1, 0, 0),
        (2**63 - 1, 2**61, 2**63 - 1, 2**61, 2**61),
        (-(2**63) + 1, 2**61, 2**63 - 1, -(2**61), -(2**61)),
        (2**61, 2, 1, MOST, MOST),
        (2**62, 2**61, 1, MOST, MOST),
        (-(2**62), 2**61, 1, -MOST, -MOST),
        (2**62 - 1, 2**62 - 1, 2**62, 2**62 - 2, 2**62 - 1),
        # The first guess of a digit is too large: 2**62 + 2**31 - 1 as divisor.
        (2**62, 2**61, 2**62 + 2**31 - 1, 2**61 - 2**30, 2**61 - 2**30 + 1),
    ],
)
def test_wide_quotients_at_their_ends(a: int, b: int, c: int, low: int, high: int) -> None:
    assert low == quotient(a, b, c) and high == -quotient(-a, b, c)
    assert (wide.mul_div_floor(a, b, c), wide.mul_div_ceil(a, b, c)) == (low, high)


def test_wide_products_and_their_order() -> None:
    for a, b in rows("product_high", 5_000):
        assert wide.product_high(a, b) * 2**62 + wide.product_low(a, b) == a * b
    for a, b, c, d in rows("products_in_order", 20_000):
        assert wide.products_in_order(a, b, c, d) == (a * b <= c * d)


# --- marks ----------------------------------------------------------------------------------------
prices = st.integers(1, PRICE)
maybe_prices = st.one_of(st.just(0), prices)


@given(prices, prices, prices)
def test_median3_is_the_middle(a: int, b: int, c: int) -> None:
    assert r.median3(a, b, c) == sorted((a, b, c))[1]


@given(maybe_prices, maybe_prices, maybe_prices, maybe_prices)
def test_a_mark_is_the_median_of_what_is_there(a: int, b: int, c: int, ema: int) -> None:
    there = [price for price in (a, b, c) if price]
    if len(there) == 2 and ema:
        there.append(ema)
    there.sort()
    pair = len(there) == 2
    expected = sum(there) // 2 if pair else there[len(there) // 2] if there else 0
    assert r.mark_candidate(a, b, c, ema) == expected


@given(prices, prices, st.integers(1, lim.CLAMP_MAX_PPM))
def test_a_move_is_clamped(before: int, candidate: int, most_ppm: int) -> None:
    moved = r.clamp_move(before, candidate, most_ppm)
    most = max(Fraction(before * most_ppm, PPM), Fraction(1))
    assert abs(moved - before) <= most
    assert moved == candidate or abs(candidate - before) > most - 1
    assert abs(candidate - moved) < abs(candidate - before) or moved == candidate
    assert r.clamp_move(before, candidate, 0) == candidate == r.clamp_move(0, candidate, most_ppm)


def test_the_weight_of_an_average_is_within_its_error() -> None:
    getcontext().prec = 40
    worst = Decimal(0)
    for dt_ms, tau_ms in rows("ema_weight_e9", 3_000):
        if dt_ms <= 0 or tau_ms <= 0:
            continue
        exact = E9 * (1 - (Decimal(-dt_ms) / tau_ms).exp())
        worst = max(worst, abs(exact - r.ema_weight_e9(dt_ms, tau_ms)))
    for dt_ms in range(1, 20_000, 7):
        exact = E9 * (1 - (Decimal(-dt_ms) / 1_000).exp())
        worst = max(worst, abs(exact - r.ema_weight_e9(dt_ms, 1_000)))
    assert Decimal("0.4") < worst < Decimal("0.500001")
    assert r.ema_weight_e9(40_000, 1_000) == E9 == r.ema_weight_e9(5, 0)
    assert r.ema_weight_e9(0, 1_000) == 0 == r.ema_weight_e9(-1, 0)


@given(st.integers(1, lim.TIME_MS_MAX - 1), st.integers(1, lim.TIME_MS_MAX))
def test_the_weight_never_falls_with_time(dt_ms: int, tau_ms: int) -> None:
    assert 0 <= r.ema_weight_e9(dt_ms, tau_ms) <= r.ema_weight_e9(dt_ms + 1, tau_ms) <= E9


averages = st.integers(-PRICE * lim.EMA_SCALE, PRICE * lim.EMA_SCALE)
times = st.integers(0, 10_000_000)


@given(averages, averages, times, times)
def test_an_average_stays_between_and_is_nearest(
    value: int, sample: int, dt_ms: int, tau_ms: int
) -> None:
    after = r.ema_step(value, sample, dt_ms, tau_ms)
    assert min(value, sample) <= after <= max(value, sample)
    exact = value + Fraction((sample - value) * r.ema_weight_e9(dt_ms, tau_ms), E9)
    assert abs(after - exact) <= Fraction(1, 2)
    assert abs(r.ema_ticks(after) - Fraction(after, lim.EMA_SCALE)) <= Fraction(1, 2)


# --- funding --------------------------------------------------------------------------------------
@given(maybe_prices, maybe_prices, prices)
def test_a_premium_is_the_formula(bid: int, ask: int, oracle: int) -> None:
    below = max(oracle - ask, 0) if ask else 0
    exact = Fraction((max(bid - oracle, 0) - below) * E9, oracle)
    most = lim.PREMIUM_MAX_E9
    assert r.premium_e9(bid, ask, oracle) == max(-most, min(most, trunc(exact)))
    assert r.premium_e9(bid, ask, 0) == 0


def test_a_rate_is_its_share_within_the_cap() -> None:
    for rate, cap, interval_ms in rows("funding_hour_e9", 3_000):
        found = r.funding_hour_e9(rate, cap, interval_ms)
        most = floor(Fraction(cap * interval_ms, 3_600_000))
        exact = trunc(Fraction(rate * interval_ms, 8 * 3_600_000))
        assert found == max(-most, min(most, exact)) and abs(found) <= lim.FUNDING_RATE_MAX_E9


def test_a_shift_is_the_largest_that_fits() -> None:
    for price_max, quantum in rows("funding_shift", 2_000):
        shift = r.funding_shift(price_max, quantum)
        worth = price_max * quantum
        most = lim.FUNDING_WORTH_MAX_E6
        assert 0 <= shift <= 30 and (shift == 0 or worth << shift <= most)
        assert shift == 30 or worth << (shift + 1) > most


def test_funding_sums_to_zero_but_for_what_is_rounded_up() -> None:
    """Longs and shorts of one market: what is left over is paid in, below one unit for each."""
    for place, (oracle, quantum, rate, shift) in enumerate(rows("funding_index_step", 2_000)):
        then = (-1) ** place * 12_345_678_901
        now = r.funding_index_after(then, r.funding_index_step(oracle, quantum, rate, shift))
        per_lot = Fraction(oracle * quantum * rate, E9)
        assert 0 <= (per_lot - Fraction(now - then, 2**shift)) * (1 if rate > 0 else -1)
        assert abs(per_lot - Fraction(now - then, 2**shift)) < Fraction(1, 2**shift)
        most = min(lim.PERPETUAL_LOTS_MAX, WORTH // max(oracle * quantum, 1))
        sizes = [1, most // 3, most // 7, most // 2]
        sizes += [-(most // 5), most // 5 - sum(sizes)]
        paid = [r.funding_payment(size, now, then, shift) for size in sizes]
        for size, amount in zip(sizes, paid, strict=True):
            assert amount == ceil(Fraction(size * (now - then), 2**shift))
        assert sum(sizes) == 0 and 0 <= sum(paid) < len(sizes)


@given(st.integers(-lim.FUNDING_INDEX_MAX, lim.FUNDING_INDEX_MAX), st.integers(-(2**61), 2**61))
def test_an_index_stops_at_its_end(index: int, step: int) -> None:
    most = lim.FUNDING_INDEX_MAX
    assert r.funding_index_after(index, step) == max(-most, min(most, index + step))


# --- margin ---------------------------------------------------------------------------------------
worths = st.integers(1, WORTH)
open_worths = st.integers(0, lim.OPEN_INTEREST_MAX_E6)


@given(worths, st.integers(0, PPM), open_worths, open_worths, open_worths)
def test_open_interest_scales_the_initial_margin(
    value: int, rate_ppm: int, oi: int, lower: int, upper: int
) -> None:
    initial = value * rate_ppm // PPM
    assume(0 < upper and lower < upper)
    share = min(max(Fraction(oi - lower, upper - lower), Fraction(0)), Fraction(1))
    found = r.oi_scaled_initial(initial, value, oi, lower, upper)
    assert found == ceil(initial + share * (value - initial))
    more = min(oi + 1 + oi // 3, lim.OPEN_INTEREST_MAX_E6)
    assert found <= r.oi_scaled_initial(initial, value, more, lower, upper) <= value
    assert r.oi_scaled_initial(initial, value, oi, 0, 0) == initial
    assert r.oi_scaled_initial(value + 1, value, oi, lower, upper) == value + 1


def test_the_addons_and_the_parts_round_up() -> None:
    for initial, confidence, most_ppm in rows("confidence_addon", 2_000):
        doubt = 1 - Fraction(min(max(confidence, 0), PPM), PPM)
        exact = initial * Fraction(most_ppm, PPM) * doubt
        assert r.confidence_addon(initial, confidence, most_ppm) == ceil(exact)
    for required, part_ppm in rows("close_out", 2_000):
        assert r.close_out(required, part_ppm) == ceil(Fraction(required * part_ppm, PPM))


def test_the_mark_counts_when_a_margin_opens() -> None:
    for margin, initial, sign, price, mark, lots, quantum in rows("margin_with_mark_holds", 2_000):
        profit = sign * (mark - price) * lots * quantum
        found = r.margin_with_mark_holds(margin, initial, sign, price, mark, lots, quantum)
        assert found == (margin >= initial - profit)


@given(st.integers(-10, 40), st.integers(0, 10), st.integers(0, 10), st.integers(0, 10))
def test_the_health_of_an_account(equity: int, close: int, above: int, more: int) -> None:
    middle, initial = close + above, close + above + more
    floors = (initial, middle, close, 0)
    state = r.health(equity, initial, middle, close)
    expected = next((n for n, low in enumerate(floors) if equity >= low), r.BANKRUPT)
    assert state == expected if equity >= 0 else state == r.BANKRUPT


def test_a_ratio_is_compared_exactly() -> None:
    for after, required_after, before, required_before in rows("ratio_kept", 5_000):
        found = r.ratio_kept(after, required_after, before, required_before)
        if required_after and required_before:
            kept = Fraction(after, required_after) >= Fraction(before, required_before)
            assert found == kept
        elif required_before:
            assert found == (after >= 0)


# --- liquidation ----------------------------------------------------------------------------------
RATES = (12_500, 25_000, 50_000)


def tiered(value: int, lowers: tuple[int, int]) -> int:
    """Maintenance of a worth in three tiers."""
    rate, deduction = RATES[0], 0
    for lower, above in zip(lowers, RATES[1:], strict=True):
        if value >= lower:
            deduction = tier_deduction(deduction, lower, above, rate)
            rate = above
    return maintenance(value, rate, deduction)


@given(st.data())
def test_a_fill_at_the_zero_price_never_lowers_the_ratio(data: Any) -> None:
    """Part of a position in tiers is closed at z or better, beside other positions."""
    sign = data.draw(st.sampled_from((1, -1)))
    mark = data.draw(st.integers(1, 2**24))
    lots = data.draw(st.integers(1, 2**16))
    quantum = data.draw(st.integers(1, 1_000))
    worth = mark * lots * quantum
    lowers = data.draw(st.tuples(st.integers(0, worth), st.integers(0, worth)).map(sorted))
    closed = data.draw(st.integers(1, lots))
    required = tiered(worth, lowers) + data.draw(st.integers(0, worth))
    freed = tiered(worth, lowers) - tiered(mark * (lots - closed) * quantum, lowers)
    assume(required > 0 and freed >= 0)
    equity = data.draw(st.integers(0, 2 * required))
    z = r.zero_price(sign, mark, closed, quantum, equity, required, freed, PRICE)
    exact = mark - sign * Fraction(equity * freed, required * closed * quantum)
    if exact >= 1:
        assert z == (ceil(exact) if sign > 0 else floor(exact))
    else:
        assert z == 1
    # Over the rationals the ratio is the same, so that the rounding is all that changes it.
    equity_exact = equity + sign * closed * quantum * (exact - mark)
    assert equity_exact * required == equity * (required - freed)
    better = data.draw(st.integers(0, 3))
    fill = max(z + sign * better, 1)
    equity_after = equity + sign * closed * quantum * (fill - mark)
    assert equity_after * required >= equity * (required - freed)
    assert r.ratio_kept(equity_after, required - freed, equity, required)
    if (exact >= 2 and sign > 0) or sign < 0:
        worse = equity + sign * closed * quantum * (z - sign - mark)
        assert worse * required < equity * (required - freed)


@given(
    st.sampled_from((1, -1)), st.integers(1, 2**30), st.integers(1, 2**12), st.integers(1, 2**10),
    st.integers(0, 2**50), st.integers(1, 2**50),
)  # fmt: skip
def test_a_full_close_at_the_zero_price_ends_at_zero(
    sign: int, mark: int, lots: int, quantum: int, equity: int, required: int
) -> None:
    lot = lots * quantum
    assume(sign < 0 or equity < lot * mark)
    z = r.zero_price(sign, mark, lots, quantum, equity, required, required, 2**62)
    after = equity + sign * lot * (z - mark)
    assert 0 <= after < lot


def test_a_zero_price_stays_in_its_range() -> None:
    for row in rows("zero_price", 3_000):
        sign, mark, lots, quantum, equity, required, freed, price_max = row
        exact = Fraction(mark)
        if required:
            exact -= sign * Fraction(equity * freed, required * lots * quantum)
        rounded = ceil(exact) if sign > 0 else floor(exact)
        assert r.zero_price(*row) == min(max(rounded, 1), price_max)


def test_a_fillable_price_is_the_formula() -> None:
    """Within the named roundings: of the nearness and of rate * spread, each to 1e-9."""
    for row in rows("fillable_price", 3_000):
        sign, mark, equity, required, rate, adjust, spread, price_max = row
        found = r.fillable_price(*row)
        near = Fraction(0)
        if required:
            near = Fraction(adjust, PPM) * (1 - Fraction(equity, required))
        near = min(max(near, Fraction(0)), Fraction(1))
        steep = Fraction(rate * spread, PPM * PPM)
        exact = min(max(mark - sign * mark * near * steep, Fraction(1)), Fraction(price_max))
        error = Fraction(mark, E9) * (near + steep)
        assert -1 - error < sign * (found - exact) < 1 + error
        discount = ceil(Fraction(mark * floor(near * E9) * floor(steep * E9), E9 * E9))
        assert found == min(max(mark - sign * discount, 1), price_max)


def test_the_fund_takes_a_fee_or_pays() -> None:
    for fill, bankruptcy, fee_ppm in rows("insurance_delta", 3_000):
        found = r.insurance_delta(fill, bankruptcy, fee_ppm)
        fee = ceil(Fraction(abs(fill) * fee_ppm, PPM))
        assert found == min(fill - bankruptcy, fee)


def test_equity_meets_maintenance_at_the_liquidation_price() -> None:
    for sign, price, available, lots, quantum, rate in rows("liquidation_price", 3_000):
        found = r.liquidation_price(sign, price, available, lots, quantum, rate)
        lot = lots * quantum
        exact = price - sign * Fraction(available, lot) / (1 - sign * Fraction(rate, PPM))
        rounded = ceil(exact) if sign > 0 else floor(exact)
        assert found == min(max(rounded, 0), PRICE)
        if found == rounded:
            spare = available + sign * lot * (found - price)
            spare -= Fraction(rate, PPM) * lot * (found - price)
            assert 0 <= spare < lot * 2
    assert r.liquidation_price(1, 100, 5, 0, 1, 10_000) == 0


def test_a_hedge_is_not_broken() -> None:
    for position, delta, mark, quantum in rows("unhedged_lots", 3_000):
        taken = r.unhedged_lots(position, delta, mark, quantum)
        sign = 1 if position > 0 else -1
        assert 0 <= taken <= abs(position)
        if sign * delta <= 0:
            assert taken == 0
        else:
            left = abs(delta) - taken * mark * quantum
            assert left >= 0 and (taken == abs(position) or left < mark * quantum)
    assert r.unhedged_lots(0, EQUITY, 1, 1) == 0 == r.unhedged_lots(5, EQUITY, 0, 1)


# --- breakers and disposal ------------------------------------------------------------------------
@given(prices, st.integers(0, PPM), st.integers(0, lim.BAND_MAX_PPM))
def test_a_band_holds_every_price_inside_it(reference: int, down: int, up: int) -> None:
    low = reference * (1 - Fraction(down, PPM))
    high = reference * (1 + Fraction(up, PPM))
    assert r.band_low(reference, down) == ceil(low) and r.band_high(reference, up) == floor(high)


@given(st.integers(1, lim.PERPETUAL_LOTS_MAX), st.integers(1, 1_000), st.integers(1, PPM))
def test_a_disposal_comes_to_its_end(position: int, full: int, part_ppm: int) -> None:
    left = position
    for _ in range(3_000):
        lots = r.disposal_lots(-left, full, part_ppm, 4 * left, 500_000)
        assert 0 < lots <= left
        assert lots == left if left <= full else lots == ceil(Fraction(left * part_ppm, PPM))
        left -= lots
        if not left:
            return
    assert part_ppm < 20_000


def test_a_disposal_takes_its_share_of_the_book() -> None:
    for position, full, part_ppm, volume, share_ppm in rows("disposal_lots", 3_000):
        lots = abs(position)
        if lots > full:
            lots = ceil(Fraction(lots * part_ppm, PPM))
        expected = min(lots, volume * share_ppm // PPM)
        assert r.disposal_lots(position, full, part_ppm, volume, share_ppm) == expected
