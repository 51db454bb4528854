"""Hedges and slices against the vectors of FORMULAS 12."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.instruments.margin import liquidation as rules
from quorate.types.limits import PPM

MINUTE_MS = 60_000
E6 = 1_000_000


@pytest.mark.parametrize(
    ("minutes", "discount_ppm"),
    [(-1, 50_000), (0, 50_000), (7.5, 175_000), (15, 300_000), (15 + 360, 650_000),
     (15 + 720, PPM), (10_000, PPM)],
)  # fmt: skip
def test_the_discount_of_formulas_12(minutes: float, discount_ppm: int) -> None:
    assert rules.auction_discount_ppm(int(minutes * MINUTE_MS)) == discount_ppm


def test_the_largest_slice_meets_the_buffer() -> None:
    # Equity 1000, maintenance 2000: margin -1000, buffer -1000 - 0.15 * 2000 = -1300. At 20 % off
    # 1300 / (1300 + 800).
    assert rules.buffer_margin(1_000 * E6, 2_000 * E6) == -1_300 * E6
    assert rules.slice_share_ppm(1_000 * E6, 2_000 * E6, 0, 200_000) == 619_048
    assert rules.slice_price(1_000 * E6, 0, 200_000, 619_048) == 495_238_400
    # 200 of the equity is the cash of an earlier bidder: 1300 / (1300 + 800 + 40).
    assert rules.slice_share_ppm(1_000 * E6, 2_000 * E6, 200 * E6, 200_000) == 607_477
    assert rules.slice_share_ppm(3_000 * E6, 2_000 * E6, 0, 200_000) == 0
    assert rules.slice_share_ppm(-1, 2_000 * E6, 0, 200_000) == PPM
    # The buffer begins at 1.15 times the requirement.
    assert rules.slice_share_ppm(2_300 * E6, 2_000 * E6, 0, 200_000) == 0
    assert rules.slice_share_ppm(2_299 * E6, 2_000 * E6, 0, 200_000) > 0


@given(st.integers(1, 2**56), st.integers(1, 2**56), st.integers(50_000, PPM), st.integers(0, PPM))
def test_after_the_largest_slice_the_buffer_is_met(
    value_e6: int, requirement_e6: int, discount_ppm: int, reserved_ppm: int
) -> None:
    """What is left of the requirement scales with the risk that is left; so does its equity."""
    reserved_e6 = value_e6 * reserved_ppm // PPM
    share = rules.slice_share_ppm(value_e6, requirement_e6, reserved_e6, discount_ppm)
    assert 0 <= share <= PPM
    if share in (0, PPM):
        return
    paid = (value_e6 - reserved_e6) * (PPM - discount_ppm) // PPM * share // PPM
    kept = (value_e6 - reserved_e6) * (PPM - share) // PPM + reserved_e6
    after = kept + paid
    left = requirement_e6 * (PPM - share) // PPM
    assert after >= left + left * 15 // 100 - value_e6 // 2**38 - requirement_e6 // 2**38 - 5


def test_an_insolvent_account_is_offered_more_each_minute() -> None:
    offers = [
        rules.insolvent_offer(-100 * E6, 900 * E6, minutes * MINUTE_MS)
        for minutes in (0, 30, 60, 90)
    ]
    assert offers == [100 * E6, 550 * E6, 1_000 * E6, 1_000 * E6]
    assert rules.insolvent_offer(100 * E6, 900 * E6, 0) == 0
    assert rules.insolvent_offer(1_000 * E6, 900 * E6, 90 * MINUTE_MS) == 0


def test_the_withdrawal_fee_of_formulas_12() -> None:
    assert rules.withdrawal_fee_ppm(100_000 * E6, 1_000_000 * E6) == 90_910
    assert rules.withdrawal_fee_ppm(0, 1_000_000 * E6) == 0
    assert rules.withdrawal_fee_ppm(2**58, 0) == PPM


@given(st.integers(-(10**9), 10**9))
def test_a_hedge_goes_against_the_delta_and_not_beyond_it(delta: int) -> None:
    parts = [rules.hedge_candidate(delta, k, rules.HEDGE_STEPS) for k in range(9)]
    assert parts[0] == 0 and parts[-1] == -delta
    assert sorted(parts, reverse=delta > 0) == parts


def test_the_best_hedge_is_the_smallest_of_the_best() -> None:
    assert rules.best_hedge([9, 7, 5, 5, 6], 4) == 2
    assert rules.best_hedge([5, 5, 5], 2) == 0
