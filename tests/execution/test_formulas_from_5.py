"""The vectors of FORMULAS 5 to 8 and 15, one table for each rule, named by the number.

A market of the tables: ETH, with ticks of 0.01 and lots of 0.001 (a quantum of 10); USD is 1e6.
"""

from math import isqrt

import pytest

from quorate.execution import risk_rules as r
from quorate.replica import validity
from quorate.types.consensus import ConsensusParameters
from quorate.types.limits import PPM

USD = 1_000_000
ETH = 10
MINUTE, HOUR = 60_000, 3_600_000


# --- 5 and 6: the waterfall -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("equity", "state"),
    [
        (1_000, r.HEALTHY), (100, r.HEALTHY),
        (99, r.PRE_LIQUIDATION), (60, r.PRE_LIQUIDATION),
        (59, r.PARTIAL), (40, r.PARTIAL),
        (39, r.FULL), (0, r.FULL),
        (-1, r.BANKRUPT),
    ],
)  # fmt: skip
def test_formulas_5_waterfall(equity: int, state: int) -> None:
    assert r.health(equity, 100, 60, 40) == state


@pytest.mark.parametrize(("equity", "state"), [(0, r.HEALTHY), (-1, r.BANKRUPT)])
def test_formulas_5_nothing_held(equity: int, state: int) -> None:
    assert r.health(equity, 0, 0, 0) == state


@pytest.mark.parametrize(
    ("after", "required_after", "before", "required_before", "kept"),
    [
        (80, 100, 80, 100, True),
        (79, 100, 80, 100, False),
        (40, 50, 80, 100, True),  # half sold at the zero price
        (39, 50, 80, 100, False),
        (60, 70, 80, 100, True),
        (0, 0, 80, 100, True),
        (-1, 0, 80, 100, False),
        (-5, 50, -10, 100, True),
        (-6, 50, -10, 100, False),
        (-5, 100, -10, 50, True),
    ],
)
def test_formulas_5_ratio_in_pre_liquidation(
    after: int, required_after: int, before: int, required_before: int, kept: bool
) -> None:
    assert r.ratio_kept(after, required_after, before, required_before) is kept


@pytest.mark.parametrize(
    ("position", "delta", "lots"),
    [(10, 4_000, 4), (10, 4_999, 4), (10, 99_000, 10), (10, -4_000, 0), (-10, -4_000, 4),
     (-10, 4_000, 0), (10, 999, 0), (10, 0, 0), (0, 4_000, 0)],
)  # fmt: skip
def test_formulas_5_deleveraging_keeps_a_hedge(position: int, delta: int, lots: int) -> None:
    assert r.unhedged_lots(position, delta, 10, 100) == lots


@pytest.mark.parametrize(
    ("maintenance", "threshold"),
    [(0, 0), (1, 1), (3, 3), (900 * USD, 600_000_300), (1_250_000 * USD, 833_333_750_000)],
)
def test_formulas_6_two_thirds_of_maintenance(maintenance: int, threshold: int) -> None:
    assert r.close_out(maintenance, 666_667) == threshold
    assert 3 * threshold >= 2 * maintenance


# --- 7: price monitoring --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reference", "low", "high"),
    [(1_000, 950, 1_100), (900, 855, 990), (9, 9, 9), (19, 19, 20), (20, 19, 22), (1, 1, 1)],
)
def test_formulas_7_bands(reference: int, low: int, high: int) -> None:
    """Model-free 1.1 and .95; the vectors' 100 and 90 in ticks of a tenth."""
    assert r.band_low(reference, 50_000) == low
    assert r.band_high(reference, 100_000) == high


@pytest.mark.parametrize(
    ("gap_ms", "auction_ms"),
    [
        (0, 0), (9_999, 0),
        (10_000, MINUTE), (MINUTE - 1, MINUTE),
        (MINUTE, 5 * MINUTE), (10 * MINUTE - 1, 5 * MINUTE),
        (10 * MINUTE, HOUR), (HOUR, HOUR), (6 * HOUR - 1, HOUR),
        (6 * HOUR, 3 * HOUR), (24 * HOUR - 1, 3 * HOUR),
        (24 * HOUR, 6 * HOUR), (720 * HOUR, 6 * HOUR),
    ],
)  # fmt: skip
def test_formulas_7_auction_after_a_long_block(gap_ms: int, auction_ms: int) -> None:
    assert r.gap_auction_ms(gap_ms) == auction_ms


# --- 8: disposal ----------------------------------------------------------------------------------
@pytest.mark.parametrize("sign", [1, -1])
def test_formulas_8_disposal(sign: int) -> None:
    """280 lots, a half at a time, whole below 50, at most 100: 100, 90, 45, 45."""
    left, sizes = 280, []
    for _ in range(4):
        sizes.append(r.disposal_lots(sign * left, 50, 500_000, 1_000, 100_000))
        left -= sizes[-1]
    assert sizes == [100, 90, 45, 45] and left == 0


@pytest.mark.parametrize(
    ("position", "volume", "lots"), [(51, 10_000, 26), (50, 10_000, 50), (50, 9, 0), (50, 0, 0)]
)
def test_formulas_8_disposal_rounds_up_and_waits_for_volume(
    position: int, volume: int, lots: int
) -> None:
    assert r.disposal_lots(position, 50, 500_000, volume, 100_000) == lots


@pytest.mark.parametrize(
    ("side", "book", "bound", "price"),
    [
        (1, 980, 950, 980), (1, 940, 950, 951), (1, 951, 950, 951), (1, 950, 950, 951),
        (0, 1_020, 1_100, 1_020), (0, 1_110, 1_100, 1_099), (0, 1_100, 1_100, 1_099),
    ],
)  # fmt: skip
def test_formulas_8_disposal_price(side: int, book: int, bound: int, price: int) -> None:
    assert r.disposal_price(side, book, bound) == price


# --- 11, the part that linear markets use ---------------------------------------------------------
@pytest.mark.parametrize(
    ("confidence", "most_ppm", "addon"),
    [
        (PPM, PPM, 0), (550_000, PPM, 450_000), (0, 500_000, 500_000), (999_999, 1, 1),
        (-1, PPM, USD),
    ],
)  # fmt: skip
def test_formulas_11_confidence(confidence: int, most_ppm: int, addon: int) -> None:
    assert r.confidence_addon(USD, confidence, most_ppm) == addon


# --- 15: others -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sign", "price", "mark", "least"),
    [
        (1, 300_000, 300_000, 300),
        (1, 303_000, 300_000, 330),  # bought above the mark: the loss comes on top
        (1, 297_000, 300_000, 270),
        (-1, 297_000, 300_000, 330),
        (-1, 303_000, 300_000, 270),
    ],
)
def test_formulas_15_margin_against_the_mark(sign: int, price: int, mark: int, least: int) -> None:
    for margin, holds in ((least * USD, True), (least * USD - 1, False)):
        found = r.margin_with_mark_holds(margin, 300 * USD, sign, price, mark, 1_000, ETH)
        assert found is holds


@pytest.mark.parametrize(
    ("time_ms", "views", "accepted"),
    [
        (100_500, 0, True), (100_501, 0, False), (97_500, 0, True), (97_499, 0, False),
        (97_500, 3, True), (96_500, 4, True), (96_499, 4, False), (95_000, 5, True),
        (94_999, 5, False),
    ],
)  # fmt: skip
def test_formulas_15_block_time(time_ms: int, views: int, accepted: bool) -> None:
    """Precision .5 s and a delay of 2 s, which grows by half with each view above three."""
    parameters = ConsensusParameters(clock_precision_ms=500, message_delay_ms=2_000)
    said = validity.clock_fault(time_ms, 100_000, 0, views, parameters)
    assert (said == "") is accepted


# Three formulas that no rule of the exchange applies: written down here with their vectors, so that
# whoever takes one up has both.
def performance_ppm(proposed: int, expected: int) -> int:
    """A validator's share of proposed to expected blocks, within .05 and 1 (Vega)."""
    return max(50_000, min(proposed * PPM // expected, PPM))


@pytest.mark.parametrize(
    ("proposed", "expected", "share"),
    [(0, 100, 50_000), (2, 100, 50_000), (50, 100, 500_000), (1, 3, 333_333), (120, 100, PPM)],
)
def test_formulas_15_performance(proposed: int, expected: int, share: int) -> None:
    assert performance_ppm(proposed, expected) == share


def freed_share_ppm(slots: int, duration: int, first_ppm: int, shortage_e6: int) -> int:
    """Share of a margin shortage that a liquidation may free by now (Drift)."""
    if shortage_e6 < 50 * USD:
        return PPM
    return min(PPM, slots * PPM // duration + first_ppm)


@pytest.mark.parametrize(
    ("slots", "shortage", "share"),
    [(0, 50, 100_000), (75, 50, 600_000), (135, 50, PPM), (999, 50, PPM), (0, 49, PPM)],
)
def test_formulas_15_share_freed(slots: int, shortage: int, share: int) -> None:
    assert freed_share_ppm(slots, 150, 100_000, shortage * USD) == share


def liability_weight_ppm(weight_ppm: int, factor_ppm: int, size: int) -> int:
    """Weight of a liability, max(w, .8 w + imf * sqrt(size)), rounded up (Drift)."""
    root = isqrt(factor_ppm * factor_ppm * size)
    root += root * root < factor_ppm * factor_ppm * size
    return max(weight_ppm, -(-4 * weight_ppm // 5) + root)


@pytest.mark.parametrize(
    ("size", "weight"),
    [(0, PPM), (1_000_000, PPM), (4_000_000, PPM), (9_000_000, 1_100_000), (18_000_000, 1_224_265)],
)
def test_formulas_15_liability_weight(size: int, weight: int) -> None:
    assert liability_weight_ppm(PPM, 100, size) == weight
